"""A person selects many tasks or instances, and decides them with one confirmation.

Two views and a record: what is chosen from, what is confirmed, and what is then carried out.
Each object is checked and decided on its own.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, Snapshot, choosable
from bot.domain.batches import Batch, Item, Omitted, Several
from bot.domain.models import Place, Ref, Shown
from bot.messages import batch_forms, command_help, modals
from bot.messages.batch_forms import Choice, Confirmation, Taken
from bot.messages.labels import then
from bot.operations.authorization import NotAllowed, Permit, permit
from bot.operations.batch import decide
from bot.secmaster import InstanceStatus, NotFound, QueryType, SecMasterError, Task
from bot.slack.gateway import CLOCKS_DIFFER, code_of
from handlers import operations
from handlers.context import Asker, House
from handlers.errors import Told, WrongInput, later, words_for
from handlers.requests import Ask

T = TypeVar("T")

AT_ONCE = 8  # checks side by side: SecMaster's client has no more connections
TRIES, PAUSE = 12, 0.25  # a view that was pushed is there once Slack has our answer
# A list of runs has no nodes; new comments are looked for by their time.
UNLISTED = {"failed_node", "error_msg", "comment"}
NEVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


async def choose(
    house: House, wanted: Several, asker: Asker, trigger: str, *, upon: bool = False
) -> None:
    """Open the choosing view at once; what can be chosen comes into it later."""
    if wanted.workspace not in house.desk.secmaster:
        raise Told(command_help.newer_button())
    loading = modals.loading(batch_forms.CHOOSE)
    opened = await operations.open_view(house.desk, trigger, loading, upon=upon)
    later(house, _offer(house, wanted, asker.place, opened["view"]["id"]), asker)


async def _offer(house: House, wanted: Several, place: Place, view_id: str) -> None:
    """Fill the choosing view; what went wrong is told in it."""
    kept = Choice(
        noun=wanted.noun, place=Place(channel=place.channel, channel_name=place.channel_name)
    )
    try:
        found, total = await _found(house, wanted)
    except SecMasterError as error:
        await _fill(
            house, modals.failed(batch_forms.CHOOSE, words_for(error, house).text), view_id=view_id
        )
        return
    await asyncio.to_thread(_keep, house, wanted, found)
    there = batch_forms.Open(found, total, house.root, house.desk.clock())
    await _fill(house, batch_forms.choosing(wanted, kept, there), view_id=view_id)


async def _found(house: House, wanted: Several) -> tuple[Sequence[Snapshot], int]:
    """What is open to it, in the order in which it matters, and how many there are in all."""
    client = house.desk.secmaster[wanted.workspace]
    if wanted.noun == "task":
        tasks = await client.list_tasks(
            query_type=QueryType.MY_TODO,
            sort_key="create_time",
            sort_dir="ASC",
            limit=batch_forms.LISTED,
            name=wanted.text,
        )
        due = sorted(tasks.tasks, key=lambda each: each.due_date or NEVER)
        return _open(wanted, due), tasks.total
    runs = await client.list_workflow_instances(
        status=InstanceStatus.FAILED,
        workflow_id=wanted.workflow_id,
        limit=batch_forms.LISTED,
        name=wanted.text,
    )
    newest = sorted(runs.instances, key=lambda each: each.start_time or LONG_AGO, reverse=True)
    return _open(wanted, newest), runs.total


def _open(wanted: Several, found: Sequence[Snapshot]) -> list[Snapshot]:
    return [each for each in found if each.status in choosable(wanted.noun)]


def _keep(house: House, wanted: Several, found: Sequence[Snapshot]) -> None:
    """Remember what is listed, so that what changes before it is confirmed is noticed."""
    for each in found:
        ref = Ref.parse(f"1:{wanted.noun}:{wanted.workspace}:{each.id}")
        if ref:
            house.desk.store.keep_sight(ref, snapshots.seen(each), house.desk.clock())


async def chosen(ack: AsyncAck, view: dict[str, Any], house: House, asker: Asker) -> None:
    """Answer at once with a view that waits, and fill it once each object is checked."""
    kept, given = batch_forms.chosen(view)
    if given is None:
        raise Told(command_help.newer_button())
    if not given.action:
        raise WrongInput(batch_forms.ACTION, "Choose what to do.")
    if not given.picked:
        raise WrongInput(batch_forms.OBJECTS, batch_forms.too_few())
    if len(given.picked) > batch_forms.MOST:
        raise WrongInput(batch_forms.OBJECTS, batch_forms.too_many(len(given.picked)))
    name = secrets.token_hex(16)  # the answer does not tell the id of the view that it pushes
    asker = replace(asker, place=kept.place)
    later(house, _question(house, given, asker, name), asker)
    loading = modals.loading(batch_forms.CHOOSE) | {"external_id": name}
    await ack(response_action="push", view=loading)


async def _question(house: House, given: batch_forms.Choosing, asker: Asker, name: str) -> None:
    """Fill the confirming view."""
    asks = _asks(given.action, given.picked, given.reason)
    checked = await _each(asks, lambda wanted: _check(house, asker, wanted))
    taken = [one for one in checked if isinstance(one, Taken)]
    left = [one for one in checked if isinstance(one, Omitted)]
    ref = given.picked[0].ref
    kept = Confirmation(
        action=given.action,
        workspace=ref.workspace,
        place=asker.place,
        reason=given.reason,
        picked=tuple(f"{one.shown.ref.id}:{one.shown.seen}" for one in taken),
    )
    view = batch_forms.confirming(kept, taken, left, house.desk.name(ref))
    await _fill(house, view | {"external_id": name}, external_id=name)


async def confirmed(ack: AsyncAck, view: dict[str, Any], house: House, asker: Asker) -> None:
    """Ask for the rights again, record all of it, and only then acknowledge."""
    kept = Confirmation.model_validate_json(view["private_metadata"])
    asker = replace(asker, place=kept.place)
    asks = _asks(kept.action, kept.shown, kept.reason)
    given = await _each(asks, lambda wanted: _recordable(house, asker, wanted, view["id"]))
    items = tuple(one for one in given if isinstance(one, Item))
    left = tuple(one for one in given if isinstance(one, Omitted))
    if not items:
        shown = batch_forms.confirming(kept, [], left, house.desk.name(asks[0].ref))
        await ack(response_action="update", view=shown)
        return
    # A second delivery of the same confirmation is the same batch.
    await decide(Batch(id=f"many:{asker.actor.team}:{view['id']}", items=items, omitted=left))
    await ack(response_action="clear")


def _asks(action: str, picked: Sequence[Shown], reason: str) -> list[Ask]:
    once = {each.ref: each for each in picked}.values()
    return [Ask(BY_NAME[action], one.ref, reason=reason, seen=one.seen) for one in once]


async def _each(asks: Sequence[Ask], ask: Callable[[Ask], Awaitable[T]]) -> list[T]:
    """Ask about each, a few side by side."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(wanted: Ask) -> T:
        async with turns:
            return await ask(wanted)

    return await asyncio.gather(*map(one, asks))


async def _check(house: House, asker: Asker, wanted: Ask) -> Taken | Omitted:
    """Whether one may be decided now, by the policy and by what it is."""
    given = await _permitted(house, asker, wanted)
    if isinstance(given, Omitted):
        return given
    try:
        now = given.about or await house.desk.look(wanted.ref)
    except SecMasterError as error:
        return await _left(house, wanted, "gone" if isinstance(error, NotFound) else "unread")
    if now.status not in wanted.action.only_when:
        return await _left(house, wanted, "settled")
    if _changed(await _seen(house, wanted), now) or await _commented(house, wanted, now):
        return await _left(house, wanted, "changed")
    seen = snapshots.seen(now)
    await asyncio.to_thread(house.desk.store.keep_sight, wanted.ref, seen, house.desk.clock())
    shown = Shown(ref=wanted.ref, seen=seen.digest)
    return Taken(shown=shown, name=now.name, then=then(wanted.action, now))


def _changed(listed: Snapshot | None, now: Snapshot) -> bool:
    """Whether the object is not as the list had it, in whatever a list tells."""
    changes = snapshots.changes(listed, now) if listed else ()
    return any(each.before or each.label not in UNLISTED for each in changes)


async def _commented(house: House, wanted: Ask, now: Snapshot) -> bool:
    """Whether somebody has commented since it was listed, whether the list has comments or not."""
    store, listed = house.desk.store, await _seen(house, wanted)
    at = await asyncio.to_thread(store.seen_at, wanted.seen)
    if at is None or not isinstance(now, Task) or not isinstance(listed, Task):
        return False
    known, since = {each.id for each in listed.comments}, at - CLOCKS_DIFFER
    new = [each for each in now.comments if each.id not in known]
    return any(each.time is None or each.time >= since for each in new)


async def _recordable(house: House, asker: Asker, wanted: Ask, once: str) -> Item | Omitted:
    given = await _permitted(house, asker, wanted)
    if isinstance(given, Omitted):
        return given
    operation = await operations.operation_of(house, wanted, asker, once, given)
    return Item(operation=operation, name=await _name(house, wanted))


async def _permitted(house: House, asker: Asker, wanted: Ask) -> Permit | Omitted:
    """The right to decide one with others: what asks for more than a press is left out."""
    try:
        given = await permit(house, asker, wanted.action, wanted.ref)
    except NotAllowed as no:
        detail = command_help.refusal(no.action, no.ref, no.refused, house.config.roles)
        return await _left(house, wanted, "refused", detail)
    if given.terms.approvals > 1:
        return await _left(house, wanted, "people")
    if given.allowed.confirm:
        return await _left(house, wanted, "name")
    if given.allowed.reason == "required" and not wanted.reason:
        return await _left(house, wanted, "reason")
    return given


async def _left(house: House, wanted: Ask, why: str, detail: str = "") -> Omitted:
    return Omitted(ref=wanted.ref, name=await _name(house, wanted), why=why, detail=detail)


async def _name(house: House, wanted: Ask) -> str:
    """What the person saw it called."""
    seen = await _seen(house, wanted)
    return seen.name if seen else wanted.ref.id


async def _seen(house: House, wanted: Ask) -> Snapshot | None:
    kept = await asyncio.to_thread(house.desk.store.sight, wanted.seen) if wanted.seen else ""
    return snapshots.read(wanted.ref.noun, kept)


async def _fill(house: House, view: dict[str, Any], **which: str) -> None:
    """Update a view, by its id or by our own name for it, once Slack has it.

    One that never comes was closed by who asked.
    """
    for _ in range(TRIES):
        try:
            await house.desk.slack.views_update(view=view, **which)
        except SlackApiError as error:
            if code_of(error) != "not_found":
                raise
            await asyncio.sleep(PAUSE)
        else:
            return
