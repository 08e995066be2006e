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
from bot.domain.actions import BY_NAME, batch_statuses
from bot.domain.batches import Batch, BatchItem, BatchQuery, SkippedItem
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.reasons import SkipReason
from bot.domain.slack import Requester, SlackLocation
from bot.domain.snapshots import Snapshot
from bot.messages import batch_forms, denials, modals
from bot.messages.batch_forms import BatchConfirmation, BatchFormState, SelectedItem
from bot.messages.labels import consequence
from bot.operations.authorization import Grant, NotAllowed, authorize
from bot.operations.batch import start_batch
from bot.secmaster import InstanceStatus, NotFound, QueryType, SecMasterError, Task
from bot.slack.gateway import CLOCK_SKEW, code_of
from handlers import operations
from handlers.context import AppContext
from handlers.errors import InvalidInput, UserError, error_message, run_after_ack
from handlers.requests import ActionRequest

T = TypeVar("T")

AT_ONCE = 8  # checks side by side: SecMaster's client has no more connections
TRIES, PAUSE = 12, 0.25  # a view that was pushed is there once Slack has our answer
# A list of runs has no nodes; new comments are looked for by their time.
UNLISTED = {"failed_node", "error_msg", "comment"}
NEVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


async def open_form(
    app: AppContext, wanted: BatchQuery, requester: Requester, trigger: str, *, upon: bool = False
) -> None:
    """Open the choosing view at once; what can be chosen comes into it later."""
    if wanted.workspace not in app.services.secmaster:
        raise UserError(denials.newer_button())
    loading = modals.loading(batch_forms.CHOOSE)
    opened = await operations.open_view(app.services, trigger, loading, upon=upon)
    run_after_ack(app, _offer(app, wanted, requester.location, opened["view"]["id"]), requester)


async def _offer(app: AppContext, wanted: BatchQuery, place: SlackLocation, view_id: str) -> None:
    """Fill the choosing view; what went wrong is told in it."""
    kept = BatchFormState(
        kind=wanted.kind,
        location=SlackLocation(channel=place.channel, channel_name=place.channel_name),
    )
    try:
        found, total = await _found(app, wanted)
    except SecMasterError as error:
        await _fill(
            app,
            modals.failed(batch_forms.CHOOSE, error_message(error, app).text),
            view_id=view_id,
        )
        return
    await asyncio.to_thread(_keep, app, wanted, found)
    there = batch_forms.BatchOptions(found, total, app.root, app.services.clock())
    await _fill(app, batch_forms.selection_form(wanted, kept, there), view_id=view_id)


async def _found(app: AppContext, wanted: BatchQuery) -> tuple[Sequence[Snapshot], int]:
    """What is open to it, in the order in which it matters, and how many there are in all."""
    client = app.services.secmaster[wanted.workspace]
    if wanted.kind == "task":
        tasks = await client.list_tasks(
            query_type=QueryType.MY_TODO,
            sort_key="create_time",
            sort_dir="ASC",
            limit=batch_forms.MAX_OPTIONS,
            name=wanted.text,
        )
        due = sorted(tasks.tasks, key=lambda each: each.due_date or NEVER)
        return _open(wanted, due), tasks.total
    runs = await client.list_workflow_instances(
        status=InstanceStatus.FAILED,
        workflow_id=wanted.workflow_id,
        limit=batch_forms.MAX_OPTIONS,
        name=wanted.text,
    )
    newest = sorted(runs.instances, key=lambda each: each.start_time or LONG_AGO, reverse=True)
    return _open(wanted, newest), runs.total


def _open(wanted: BatchQuery, found: Sequence[Snapshot]) -> list[Snapshot]:
    return [each for each in found if each.status in batch_statuses(wanted.kind)]


def _keep(app: AppContext, wanted: BatchQuery, found: Sequence[Snapshot]) -> None:
    """Remember what is listed, so that what changes before it is confirmed is noticed."""
    for each in found:
        ref = Ref.parse(f"1:{wanted.kind}:{wanted.workspace}:{each.id}")
        if ref:
            app.services.store.save_snapshot(ref, snapshots.stored(each), app.services.clock())


async def submit_selection(
    ack: AsyncAck, view: dict[str, Any], app: AppContext, requester: Requester
) -> None:
    """Answer at once with a view that waits, and fill it once each object is checked."""
    kept, given = batch_forms.read_selection(view)
    if given is None:
        raise UserError(denials.newer_button())
    if not given.action:
        raise InvalidInput(batch_forms.ACTION, "Choose what to do.")
    if not given.items:
        raise InvalidInput(batch_forms.OBJECTS, batch_forms.too_few())
    if len(given.items) > batch_forms.MAX_OBJECTS:
        raise InvalidInput(batch_forms.OBJECTS, batch_forms.too_many(len(given.items)))
    name = secrets.token_hex(16)  # the answer does not tell the id of the view that it pushes
    requester = replace(requester, location=kept.location)
    run_after_ack(app, _question(app, given, requester, name), requester)
    loading = modals.loading(batch_forms.CHOOSE) | {"external_id": name}
    await ack(response_action="push", view=loading)


async def _question(
    app: AppContext, given: batch_forms.BatchSelection, requester: Requester, name: str
) -> None:
    """Fill the confirming view."""
    asks = _asks(given.action, given.items, given.reason)
    checked = await _each(asks, lambda wanted: _check(app, requester, wanted))
    taken = [one for one in checked if isinstance(one, SelectedItem)]
    left = [one for one in checked if isinstance(one, SkippedItem)]
    ref = given.items[0].ref
    kept = BatchConfirmation(
        action=given.action,
        workspace=ref.workspace,
        location=requester.location,
        reason=given.reason,
        items=tuple(f"{one.button.ref.id}:{one.button.decision_fingerprint}" for one in taken),
    )
    view = batch_forms.confirmation_form(kept, taken, left, app.services.workspace_name(ref))
    await _fill(app, view | {"external_id": name}, external_id=name)


async def submit_confirmation(
    ack: AsyncAck, view: dict[str, Any], app: AppContext, requester: Requester
) -> None:
    """Ask for the rights again, record all of it, and only then acknowledge."""
    kept = BatchConfirmation.model_validate_json(view["private_metadata"])
    requester = replace(requester, location=kept.location)
    asks = _asks(kept.action, kept.buttons, kept.reason)
    given = await _each(asks, lambda wanted: _recordable(app, requester, wanted, view["id"]))
    items = tuple(one for one in given if isinstance(one, BatchItem))
    left = tuple(one for one in given if isinstance(one, SkippedItem))
    if not items:
        shown = batch_forms.confirmation_form(
            kept, [], left, app.services.workspace_name(asks[0].ref)
        )
        await ack(response_action="update", view=shown)
        return
    # A second delivery of the same confirmation is the same batch.
    await start_batch(
        Batch(id=f"many:{requester.actor.team}:{view['id']}", items=items, skipped=left)
    )
    await ack(response_action="clear")


def _asks(action: str, picked: Sequence[ButtonValue], reason: str) -> list[ActionRequest]:
    once = {each.ref: each for each in picked}.values()
    return [
        ActionRequest(
            BY_NAME[action], one.ref, reason=reason, decision_fingerprint=one.decision_fingerprint
        )
        for one in once
    ]


async def _each(
    asks: Sequence[ActionRequest], ask: Callable[[ActionRequest], Awaitable[T]]
) -> list[T]:
    """Ask about each, a few side by side."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(wanted: ActionRequest) -> T:
        async with turns:
            return await ask(wanted)

    return await asyncio.gather(*map(one, asks))


async def _check(
    app: AppContext, requester: Requester, wanted: ActionRequest
) -> SelectedItem | SkippedItem:
    """Whether one may be decided now, by the policy and by what it is."""
    given = await _permitted(app, requester, wanted)
    if isinstance(given, SkippedItem):
        return given
    try:
        now = given.snapshot or await app.services.read(wanted.ref)
    except SecMasterError as error:
        return await _left(
            app, wanted, SkipReason.GONE if isinstance(error, NotFound) else SkipReason.UNREAD
        )
    if now.status not in wanted.action.allowed_statuses:
        return await _left(app, wanted, SkipReason.SETTLED)
    if _changed(await _seen(app, wanted), now) or await _commented(app, wanted, now):
        return await _left(app, wanted, SkipReason.CHANGED)
    seen = snapshots.stored(now)
    await asyncio.to_thread(
        app.services.store.save_snapshot, wanted.ref, seen, app.services.clock()
    )
    shown = ButtonValue(ref=wanted.ref, decision_fingerprint=seen.fingerprint)
    return SelectedItem(button=shown, name=now.name, consequence=consequence(wanted.action, now))


def _changed(listed: Snapshot | None, now: Snapshot) -> bool:
    """Whether the object is not as the list had it, in whatever a list tells."""
    changes = snapshots.changes(listed, now) if listed else ()
    return any(each.before or each.label not in UNLISTED for each in changes)


async def _commented(app: AppContext, wanted: ActionRequest, now: Snapshot) -> bool:
    """Whether somebody has commented since it was listed, whether the list has comments or not."""
    store, listed = app.services.store, await _seen(app, wanted)
    at = await asyncio.to_thread(store.snapshot_saved_at, wanted.decision_fingerprint)
    if at is None or not isinstance(now, Task) or not isinstance(listed, Task):
        return False
    known, since = {each.id for each in listed.comments}, at - CLOCK_SKEW
    new = [each for each in now.comments if each.id not in known]
    return any(each.time is None or each.time >= since for each in new)


async def _recordable(
    app: AppContext, requester: Requester, wanted: ActionRequest, once: str
) -> BatchItem | SkippedItem:
    given = await _permitted(app, requester, wanted)
    if isinstance(given, SkippedItem):
        return given
    operation = await operations.operation_of(app, wanted, requester, once, given)
    return BatchItem(operation=operation, name=await _name(app, wanted))


async def _permitted(
    app: AppContext, requester: Requester, wanted: ActionRequest
) -> Grant | SkippedItem:
    """The right to decide one with others: what asks for more than a press is left out."""
    try:
        given = await authorize(app, requester, wanted.action, wanted.ref)
    except NotAllowed as no:
        detail = denials.refusal(no.action, no.ref, no.refused, app.config.roles)
        return await _left(app, wanted, SkipReason.REFUSED, detail)
    if given.terms.approvals > 1:
        return await _left(app, wanted, SkipReason.NEEDS_APPROVALS)
    if given.allowed.confirm:
        return await _left(app, wanted, SkipReason.NEEDS_NAME)
    if given.allowed.reason == "required" and not wanted.reason:
        return await _left(app, wanted, SkipReason.NEEDS_REASON)
    return given


async def _left(app: AppContext, wanted: ActionRequest, why: str, detail: str = "") -> SkippedItem:
    return SkippedItem(ref=wanted.ref, name=await _name(app, wanted), reason=why, detail=detail)


async def _name(app: AppContext, wanted: ActionRequest) -> str:
    """What the person saw it called."""
    seen = await _seen(app, wanted)
    return seen.name if seen else wanted.ref.id


async def _seen(app: AppContext, wanted: ActionRequest) -> Snapshot | None:
    kept = (
        await asyncio.to_thread(app.services.store.snapshot_json, wanted.decision_fingerprint)
        if wanted.decision_fingerprint
        else ""
    )
    return snapshots.parse(wanted.ref.kind, kept)


async def _fill(app: AppContext, view: dict[str, Any], **which: str) -> None:
    """Update a view, by its id or by our own name for it, once Slack has it.

    One that never comes was closed by who asked.
    """
    for _ in range(TRIES):
        try:
            await app.services.slack.views_update(view=view, **which)
        except SlackApiError as error:
            if code_of(error) != "not_found":
                raise
            await asyncio.sleep(PAUSE)
        else:
            return
