"""A person asks for one of the nine actions: by words, by a button, or by a form."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.cards import Card
from bot.domain.objects import Ref, visible
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.slack import Requester, SlackLocation
from bot.domain.snapshots import Snapshot
from bot.messages import denials, modals, operation_results
from bot.operations.authorization import Grant, authorize, revoked_approvals
from bot.operations.workflow import start
from bot.policy.decide import Allowed
from bot.secmaster import Instance
from bot.services import Services
from bot.slack.gateway import SlackFailed, open_dm
from handlers.context import AppContext, stable_id
from handlers.errors import InvalidInput, UserError
from handlers.parsing import ParseError, check_param
from handlers.requests import ActionRequest, ChangeApproval

log = logging.getLogger(__name__)


async def run_command(
    app: AppContext, wanted: ActionRequest, requester: Requester, once: str
) -> None:
    """By words. ``once`` names this very command or mention: delivered again, it is the same."""
    given = await authorize(app, requester, wanted.action, wanted.ref, glass=wanted.break_glass)
    if given.allowed.confirm:
        raise UserError(denials.needs_name(wanted.action))
    if _lacks_reason(given, wanted.action, wanted.reason):
        raise UserError(
            denials.needs_reason(wanted.action, app.root, break_glass=wanted.break_glass)
        )
    await _accept(app, wanted, requester, once, given)


async def press(app: AppContext, wanted: ActionRequest, requester: Requester, trigger: str) -> None:
    """By a button: at once where it was confirmed, by a form where something is to be said."""
    given = await authorize(app, requester, wanted.action, wanted.ref, glass=wanted.break_glass)
    forms = wanted.action.opens_form or given.allowed.confirm
    if forms or _lacks_reason(given, wanted.action, ""):
        await _open_form(app, wanted, requester.location, trigger, given)
    else:
        await _accept(app, wanted, requester, trigger, given)


async def submit(app: AppContext, view: dict[str, Any], requester: Requester) -> None:
    """By a form. The right is asked for again, for it may have gone since the form was opened."""
    kept, typed = modals.read_form(view)
    action = modals.action_of(kept)
    reason = typed.get(modals.REASON, "").strip()
    params = {
        param.name: _checked(action, param.name, typed) for param in action.params if not param.file
    }
    # A modal has no place of its own: it answers where it was opened.
    requester = replace(requester, location=kept.location)
    given = await authorize(app, requester, action, kept.ref, glass=kept.break_glass)
    if _lacks_reason(given, action, reason):
        if modals.REASON not in typed:  # the rule has changed since the form was opened
            raise UserError(denials.needs_reason(action, app.root, break_glass=kept.break_glass))
        raise InvalidInput(modals.REASON, "A reason is required.")
    if given.allowed.confirm:
        _check_name(kept, typed)
    if action.takes_file and not kept.files:
        raise InvalidInput(action.params[0].name, "A file is required.")
    # The same words sent twice are one submission; others are another.
    once = f"{view['id']}:{json.dumps(typed, sort_keys=True)}"
    wanted = ActionRequest(
        action, kept.ref, params, reason, kept.files, kept.decision_fingerprint, kept.break_glass
    )
    await _accept(app, wanted, requester, once, given)


async def change_approval(
    app: AppContext, wanted: ChangeApproval, requester: Requester, once: str
) -> None:
    """Take a yes back, which needs no right, or refuse what waits for more people, which does."""
    action = BY_NAME[wanted.action or await _waiting(app, wanted.ref)]
    given = Grant(Allowed(""), PolicyTerms())
    if wanted.intent is ApprovalIntent.DECLINE:
        given = await authorize(app, requester, action, wanted.ref)
    asked = ActionRequest(action, wanted.ref, reason=wanted.reason)
    operation = await _operation(app, asked, requester, f"{wanted.intent}:{once}", given)
    await start(operation.model_copy(update={"intent": wanted.intent}))


async def _waiting(app: AppContext, ref: Ref) -> str:
    """The action that waits for more people; of two, words do not say which is meant."""
    ballots = await asyncio.to_thread(
        app.services.store.approval_requests, ref, app.services.clock()
    )
    if not ballots:
        raise UserError(denials.nothing_waits(ref))
    if len(ballots) > 1:
        raise UserError(denials.several_wait(ref))
    return ballots[0].action


def _check_name(kept: modals.FormState, typed: dict[str, str]) -> None:
    """Whoever confirms by typing has to have read what it is."""
    if modals.NAME not in typed or not kept.name_hash:  # the rule has changed since it was opened
        raise UserError(denials.needs_name(modals.action_of(kept)))
    if modals.hash_name(typed[modals.NAME]) != kept.name_hash:
        raise InvalidInput(modals.NAME, "That is not its name. Type the name that stands above.")


def _lacks_reason(given: Grant, action: Action, reason: str) -> bool:
    return given.allowed.reason == "required" and action.takes_reason and not reason


def _checked(action: Action, name: str, typed: dict[str, str]) -> str:
    param = next(param for param in action.params if param.name == name)
    try:
        return check_param(param, typed.get(name, "").strip())
    except ParseError as wrong:
        raise InvalidInput(name, wrong.problem) from wrong


async def _open_form(
    app: AppContext, wanted: ActionRequest, place: SlackLocation, trigger: str, given: Grant
) -> None:
    slack, ref = app.services.slack, wanted.ref
    name = visible(await _name(app, wanted, place)) or ref.id
    shown = (name, app.services.workspace_name(ref))
    kept = modals.FormState(
        action=wanted.action.name,
        ref=ref,
        location=place,
        files=wanted.files,
        decision_fingerprint=wanted.decision_fingerprint,
        break_glass=wanted.break_glass,
        name_hash=modals.hash_name(name) if given.allowed.confirm else "",
    )
    form = modals.form(kept, shown, given.allowed.reason, wanted.params)
    opened = await open_view(app.services, trigger, form)

    async def fill_in() -> None:
        """Offer the node that failed: nobody types a UUID at three in the morning."""
        run = await app.services.read(ref)
        if isinstance(run, Instance) and run.failed_node:
            offers = {each.name: run.failed_node.action_id for each in offered}
            form = modals.form(kept, shown, given.allowed.reason, offers)
            view = opened["view"]
            await slack.views_update(view_id=view["id"], hash=view["hash"], view=form)

    async def leave_empty(_error: Exception) -> None:
        """Without the offer the form works as well."""

    offered = [param for param in wanted.action.params if param.suggested]
    if offered:
        app.background.start(fill_in(), leave_empty)


async def _name(app: AppContext, wanted: ActionRequest, place: SlackLocation) -> str:
    """What the person saw it called; the name that is typed is held against that."""
    store = app.services.store
    kept = (
        await asyncio.to_thread(store.snapshot_json, wanted.decision_fingerprint)
        if wanted.decision_fingerprint
        else ""
    )
    if saw := snapshots.parse(wanted.ref.kind, kept):
        return saw.name
    card = await asyncio.to_thread(store.card_at, place.channel, place.card, wanted.ref)
    return card.title if card else ""


async def open_view(
    desk: Services, trigger: str, view: dict[str, Any], *, upon: bool = False
) -> AsyncSlackResponse:
    """Open a modal, ``upon`` another one or alone, in the time that is left."""
    opening = desk.slack.views_push if upon else desk.slack.views_open
    try:
        async with asyncio.timeout(desk.timeouts.before_ack):
            return await opening(trigger_id=trigger, view=view)
    except TimeoutError as late:
        raise UserError(denials.too_late()) from late


async def _accept(
    app: AppContext, wanted: ActionRequest, requester: Requester, once: str, given: Grant
) -> None:
    """Record what is wanted: one operation, or one for each file."""
    first = await operation_of(app, wanted, await _somewhere(app, requester), once, given)
    if not wanted.files:
        await start(first)
    for number, file in enumerate(wanted.files):
        try:
            await start(
                first.model_copy(update={"id": stable_id(f"{first.id}:{file.id}"), "file": file})
            )
        except Exception as error:
            if not number:
                raise
            log.exception("recorded in part", extra={"reference": first.reference})
            told = operation_results.recorded_in_part(wanted.files[:number], len(wanted.files))
            raise UserError(told) from error


async def _somewhere(app: AppContext, requester: Requester) -> Requester:
    """The same; what is asked for on Home, which is in no channel, is answered in our chat."""
    if requester.location.channel:
        return requester
    try:
        async with asyncio.timeout(app.services.timeouts.before_ack):
            channel = await open_dm(requester.actor.id)
    except (SlackFailed, TimeoutError) as error:
        raise UserError(denials.no_chat()) from error
    return replace(requester, location=requester.location.model_copy(update={"channel": channel}))


async def operation_of(
    app: AppContext, wanted: ActionRequest, requester: Requester, once: str, given: Grant
) -> Operation:
    """What is wanted as it is recorded; the same ``once`` about the same is the same operation."""
    operation = await _operation(app, wanted, requester, once, given)
    if given.terms.approvals > 1 or given.terms.brake_retries:
        return await _without_the_struck(app, operation, given)
    return operation


async def _without_the_struck(app: AppContext, operation: Operation, given: Grant) -> Operation:
    """Count nobody's yes who may not say it any more, and remember whose it was."""
    action = BY_NAME[operation.action]
    struck = await revoked_approvals(app, action, operation.ref, given.snapshot)
    if struck:
        await asyncio.to_thread(
            app.services.store.revoke_approvals, operation.ref, struck, app.services.clock()
        )
    return operation.model_copy(update={"revoked_approvals": struck})


async def _operation(
    app: AppContext, wanted: ActionRequest, requester: Requester, once: str, given: Grant
) -> Operation:
    actor = requester.actor
    named = actor.model_copy(update={"name": await app.directory.name(actor.id)})
    place, shown = await _with_card(app, wanted.ref, requester.location)
    # By words nobody says what they saw: it is what the card here shows, or what was allowed.
    seen = wanted.decision_fingerprint or shown or await _kept(app, wanted.ref, given.snapshot)
    return Operation(
        id=stable_id(f"{actor.team}:{once}:{wanted.action.name}:{wanted.ref}"),
        action=wanted.action.name,
        ref=wanted.ref,
        actor=named,
        location=place,
        params=wanted.params,
        reason=wanted.reason,
        rule=given.allowed.rule,
        terms=given.terms,
        decision_fingerprint=seen,
        accepted_at=app.services.clock(),
        process_id=app.services.process_id,
    )


async def _kept(app: AppContext, ref: Ref, about: Snapshot | None) -> str:
    """Remember what somebody was allowed to act on, and return its digest."""
    if about is None:
        return ""
    seen = snapshots.stored(about)
    await asyncio.to_thread(app.services.store.save_snapshot, ref, seen, app.services.clock())
    return seen.fingerprint


async def _with_card(app: AppContext, ref: Ref, place: SlackLocation) -> tuple[SlackLocation, str]:
    """Answer under the card that was pressed, or the one that this channel has.

    Returned with the digest of what that card shows.
    """
    store = app.services.store
    if not place.card:
        here = await asyncio.to_thread(store.card_in, ref, place.channel)
        there = place.model_copy(update={"card": here.ts}) if here else place
        return there, here.decision_fingerprint if here else ""
    card = await asyncio.to_thread(store.card_at, place.channel, place.card, ref)
    if card is None:
        # One of ours that a crash kept from being remembered: from now on it is redrawn too.
        forgotten = Card(ref=ref, channel=place.channel, ts=place.card)
        await asyncio.to_thread(store.add_card, forgotten, app.services.clock())
    return place, card.decision_fingerprint if card else ""
