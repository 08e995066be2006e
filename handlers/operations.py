"""A person asks for one of the nine actions: by words, by a button, or by a form."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, Action, Snapshot
from bot.domain.models import Card, Operation, Place, Ref, Say, Terms, visible
from bot.messages import command_help, modals
from bot.operations.authorization import Permit, permit, without_right
from bot.operations.workflow import accept
from bot.policy.decide import Allowed
from bot.secmaster import Instance
from bot.services import Desk
from bot.slack.gateway import SlackTrouble, chat_with
from handlers.context import Asker, House, id_of
from handlers.errors import Told, WrongInput
from handlers.parsing import NotUnderstood, checked
from handlers.requests import Ask, Unsay

log = logging.getLogger(__name__)


async def ask(house: House, wanted: Ask, asker: Asker, once: str) -> None:
    """By words. ``once`` names this very command or mention: delivered again, it is the same."""
    given = await permit(house, asker, wanted.action, wanted.ref, glass=wanted.glass)
    if given.allowed.confirm:
        raise Told(command_help.needs_name(wanted.action))
    if _lacks_reason(given, wanted.action, wanted.reason):
        raise Told(command_help.needs_reason(wanted.action, house.root, glass=wanted.glass))
    await _accept(house, wanted, asker, once, given)


async def press(house: House, wanted: Ask, asker: Asker, trigger: str) -> None:
    """By a button: at once where it was confirmed, by a form where something is to be said."""
    given = await permit(house, asker, wanted.action, wanted.ref, glass=wanted.glass)
    forms = wanted.action.asks or given.allowed.confirm
    if forms or _lacks_reason(given, wanted.action, ""):
        await _open_form(house, wanted, asker.place, trigger, given)
    else:
        await _accept(house, wanted, asker, trigger, given)


async def submit(house: House, view: dict[str, Any], asker: Asker) -> None:
    """By a form. The right is asked for again, for it may have gone since the form was opened."""
    kept, typed = modals.read(view)
    action = modals.action_of(kept)
    reason = typed.get(modals.REASON, "").strip()
    params = {
        param.name: _checked(action, param.name, typed) for param in action.needs if not param.file
    }
    # A modal has no place of its own: it answers where it was opened.
    asker = replace(asker, place=kept.place)
    given = await permit(house, asker, action, kept.ref, glass=kept.glass)
    if _lacks_reason(given, action, reason):
        if modals.REASON not in typed:  # the rule has changed since the form was opened
            raise Told(command_help.needs_reason(action, house.root, glass=kept.glass))
        raise WrongInput(modals.REASON, "A reason is required.")
    if given.allowed.confirm:
        _check_name(kept, typed)
    if action.takes_file and not kept.files:
        raise WrongInput(action.needs[0].name, "A file is required.")
    # The same words sent twice are one submission; others are another.
    once = f"{view['id']}:{json.dumps(typed, sort_keys=True)}"
    wanted = Ask(action, kept.ref, params, reason, kept.files, kept.seen, kept.glass)
    await _accept(house, wanted, asker, once, given)


async def unsay(house: House, wanted: Unsay, asker: Asker, once: str) -> None:
    """Take a yes back, which needs no right, or refuse what waits for more people, which does."""
    action = BY_NAME[wanted.action or await _waiting(house, wanted.ref)]
    given = Permit(Allowed(""), Terms())
    if wanted.say is Say.REFUSE:
        given = await permit(house, asker, action, wanted.ref)
    asked = Ask(action, wanted.ref, reason=wanted.reason)
    operation = await _operation(house, asked, asker, f"{wanted.say}:{once}", given)
    await accept(operation.model_copy(update={"say": wanted.say}))


async def _waiting(house: House, ref: Ref) -> str:
    """The action that waits for more people; of two, words do not say which is meant."""
    ballots = await asyncio.to_thread(house.desk.store.ballots, ref, house.desk.clock())
    if not ballots:
        raise Told(command_help.nothing_waits(ref))
    if len(ballots) > 1:
        raise Told(command_help.several_wait(ref))
    return ballots[0].action


def _check_name(kept: modals.Form, typed: dict[str, str]) -> None:
    """Whoever confirms by typing has to have read what it is."""
    if modals.NAME not in typed or not kept.named:  # the rule has changed since it was opened
        raise Told(command_help.needs_name(modals.action_of(kept)))
    if modals.name_digest(typed[modals.NAME]) != kept.named:
        raise WrongInput(modals.NAME, "That is not its name. Type the name that stands above.")


def _lacks_reason(given: Permit, action: Action, reason: str) -> bool:
    return given.allowed.reason == "required" and action.takes_reason and not reason


def _checked(action: Action, name: str, typed: dict[str, str]) -> str:
    param = next(param for param in action.needs if param.name == name)
    try:
        return checked(param, typed.get(name, "").strip())
    except NotUnderstood as wrong:
        raise WrongInput(name, wrong.problem) from wrong


async def _open_form(house: House, wanted: Ask, place: Place, trigger: str, given: Permit) -> None:
    slack, ref = house.desk.slack, wanted.ref
    name = visible(await _name(house, wanted, place)) or ref.id
    shown = (name, house.desk.name(ref))
    kept = modals.Form(
        action=wanted.action.name,
        ref=ref,
        place=place,
        files=wanted.files,
        seen=wanted.seen,
        glass=wanted.glass,
        named=modals.name_digest(name) if given.allowed.confirm else "",
    )
    form = modals.form(kept, shown, given.allowed.reason, wanted.params)
    opened = await open_view(house.desk, trigger, form)

    async def fill_in() -> None:
        """Offer the node that failed: nobody types a UUID at three in the morning."""
        run = await house.desk.look(ref)
        if isinstance(run, Instance) and run.failed_node:
            offers = {each.name: run.failed_node.action_id for each in offered}
            form = modals.form(kept, shown, given.allowed.reason, offers)
            view = opened["view"]
            await slack.views_update(view_id=view["id"], hash=view["hash"], view=form)

    async def leave_empty(_error: Exception) -> None:
        """Without the offer the form works as well."""

    offered = [param for param in wanted.action.needs if param.offered]
    if offered:
        house.errands.start(fill_in(), leave_empty)


async def _name(house: House, wanted: Ask, place: Place) -> str:
    """What the person saw it called; the name that is typed is held against that."""
    store = house.desk.store
    kept = await asyncio.to_thread(store.sight, wanted.seen) if wanted.seen else ""
    if saw := snapshots.read(wanted.ref.noun, kept):
        return saw.name
    card = await asyncio.to_thread(store.card_at, place.channel, place.card, wanted.ref)
    return card.title if card else ""


async def open_view(
    desk: Desk, trigger: str, view: dict[str, Any], *, upon: bool = False
) -> AsyncSlackResponse:
    """Open a modal, ``upon`` another one or alone, in the time that is left."""
    opening = desk.slack.views_push if upon else desk.slack.views_open
    try:
        async with asyncio.timeout(desk.patience.ask):
            return await opening(trigger_id=trigger, view=view)
    except TimeoutError as late:
        raise Told(command_help.too_late()) from late


async def _accept(house: House, wanted: Ask, asker: Asker, once: str, given: Permit) -> None:
    """Record what is wanted: one operation, or one for each file."""
    first = await operation_of(house, wanted, await _somewhere(house, asker), once, given)
    if not wanted.files:
        await accept(first)
    for number, file in enumerate(wanted.files):
        try:
            await accept(
                first.model_copy(update={"id": id_of(f"{first.id}:{file.id}"), "file": file})
            )
        except Exception as error:
            if not number:
                raise
            log.exception("recorded in part", extra={"reference": first.reference})
            told = command_help.recorded_in_part(wanted.files[:number], len(wanted.files))
            raise Told(told) from error


async def _somewhere(house: House, asker: Asker) -> Asker:
    """The same; what is asked for on Home, which is in no channel, is answered in our chat."""
    if asker.place.channel:
        return asker
    try:
        async with asyncio.timeout(house.desk.patience.ask):
            channel = await chat_with(asker.actor.id)
    except (SlackTrouble, TimeoutError) as error:
        raise Told(command_help.no_chat()) from error
    return replace(asker, place=asker.place.model_copy(update={"channel": channel}))


async def operation_of(
    house: House, wanted: Ask, asker: Asker, once: str, given: Permit
) -> Operation:
    """What is wanted as it is recorded; the same ``once`` about the same is the same operation."""
    operation = await _operation(house, wanted, asker, once, given)
    if given.terms.approvals > 1 or given.terms.brake:
        return await _without_the_struck(house, operation, given)
    return operation


async def _without_the_struck(house: House, operation: Operation, given: Permit) -> Operation:
    """Count nobody's yes who may not say it any more, and remember whose it was."""
    action = BY_NAME[operation.action]
    struck = await without_right(house, action, operation.ref, given.about)
    if struck:
        await asyncio.to_thread(house.desk.store.strike, operation.ref, struck, house.desk.clock())
    return operation.model_copy(update={"struck": struck})


async def _operation(
    house: House, wanted: Ask, asker: Asker, once: str, given: Permit
) -> Operation:
    actor = asker.actor
    named = actor.model_copy(update={"name": await house.directory.name(actor.id)})
    place, shown = await _with_card(house, wanted.ref, asker.place)
    # By words nobody says what they saw: it is what the card here shows, or what was allowed.
    seen = wanted.seen or shown or await _kept(house, wanted.ref, given.about)
    return Operation(
        id=id_of(f"{actor.team}:{once}:{wanted.action.name}:{wanted.ref}"),
        action=wanted.action.name,
        ref=wanted.ref,
        actor=named,
        place=place,
        params=wanted.params,
        reason=wanted.reason,
        rule=given.allowed.rule,
        terms=given.terms,
        seen=seen,
        accepted_at=house.desk.clock(),
        launch=house.desk.launch,
    )


async def _kept(house: House, ref: Ref, about: Snapshot | None) -> str:
    """Remember what somebody was allowed to act on, and return its digest."""
    if about is None:
        return ""
    seen = snapshots.seen(about)
    await asyncio.to_thread(house.desk.store.keep_sight, ref, seen, house.desk.clock())
    return seen.digest


async def _with_card(house: House, ref: Ref, place: Place) -> tuple[Place, str]:
    """Answer under the card that was pressed, or the one that this channel has.

    Returned with the digest of what that card shows.
    """
    store = house.desk.store
    if not place.card:
        here = await asyncio.to_thread(store.card_in, ref, place.channel)
        there = place.model_copy(update={"card": here.ts}) if here else place
        return there, here.sight if here else ""
    card = await asyncio.to_thread(store.card_at, place.channel, place.card, ref)
    if card is None:
        # One of ours that a crash kept from being remembered: from now on it is redrawn too.
        forgotten = Card(ref=ref, channel=place.channel, ts=place.card)
        await asyncio.to_thread(store.add_card, forgotten, house.desk.clock())
    return place, card.sight if card else ""
