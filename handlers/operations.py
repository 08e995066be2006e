"""Check and record the operations that people ask for; the workflow carries them out.

Whoever may not is refused here, before the acknowledgement. The forms are in ``handlers.forms``.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.slack import Requester, SlackFile, SlackLocation
from bot.domain.snapshots import Snapshot
from bot.messages import denials, modals, operation_results, private_cards
from bot.messages.private_cards import AskedCommand
from bot.operations.authorization import Grant, NotAllowed, authorize
from bot.policy.decide import Allowed
from bot.slack.directory import require_identified
from bot.slack.gateway import SlackFailed
from bot.store import may_have_committed
from handlers.context import AppContext, Recorder, attempt_id, stable_id
from handlers.errors import UserError, error_message
from handlers.requests import ActionRequest, ChangeApproval

log = logging.getLogger(__name__)

KEY_LENGTH = 16  # of a command that a button carries: it has little room


async def run_command(
    recorder: Recorder, request: ActionRequest, requester: Requester, dedupe_key: str
) -> Requester:
    """Record the action that a command or mention asks for; return who is answered, and where.

    ``dedupe_key`` names this delivery's command or mention: a second delivery starts nothing new.
    Raises NotAllowed; or UserError where a command can't say what the rule asks for.
    """
    app = recorder.app
    grant = await authorize_or_offer_again(app, request, requester, dedupe_key, is_complete=True)
    if grant.allowed.confirm:
        raise UserError(denials.needs_name(recorder.app.catalogue, request.action))
    if lacks_reason(grant, request.action, request.reason):
        raise UserError(
            denials.needs_reason(
                recorder.app.catalogue, request.action, app.root, break_glass=request.break_glass
            )
        )
    return await record(recorder, request, requester, dedupe_key, grant)


async def authorize_or_offer_again(
    app: AppContext,
    request: ActionRequest,
    requester: Requester,
    dedupe_key: str,
    *,
    is_complete: bool = False,
) -> Grant:
    """Return the grant for a request; where it may be allowed in a moment offer to ask again.

    It ``is_complete`` where a form would ask for nothing more. Raises NotAllowed; or UserError,
    whose message has a button that asks for the same.
    """
    try:
        return await authorize(
            app.services,
            requester,
            request.action,
            request.ref,
            attempt_id=attempt_id(dedupe_key),
            break_glass=request.break_glass,
            decision_fingerprint=request.decision_fingerprint,
        )
    except NotAllowed as error:
        if not error.may_pass or request.files:  # no button can carry a file
            raise
        button = ButtonValue(ref=request.ref, decision_fingerprint=request.decision_fingerprint)
        command = AskedCommand(
            action=request.action.name,
            button=str(button),
            key=stable_id(f"again:{dedupe_key}")[:KEY_LENGTH],
            reason=request.reason,
            params=request.params,
            break_glass=request.break_glass,
            incomplete=request.action.opens_form and not is_complete,
        )
        message = error_message(error, app)
        raise UserError(private_cards.with_try_again(app.catalogue, message, command)) from error


async def change_approval(
    recorder: Recorder, request: ChangeApproval, requester: Requester, dedupe_key: str
) -> Requester:
    """Record that somebody withdraws their approval or declines an approval request.

    Returns who is answered, and where. Nobody needs a right to withdraw their own approval;
    everything else is authorized.
    """
    app, action_name = recorder.app, request.action
    if not action_name:
        # A command names no action: it means the only one that waits for approvals.
        waiting = await asyncio.to_thread(
            app.services.store.claims.approval_requests, request.ref, app.services.clock.now()
        )
        if not waiting:
            raise UserError(denials.nothing_waits(recorder.app.catalogue, request.ref))
        if len(waiting) > 1:
            raise UserError(denials.several_wait(recorder.app.catalogue, request.ref))
        action_name = waiting[0].action
    action = BY_NAME[action_name]
    if request.intent is ApprovalIntent.WITHDRAW:
        require_identified(requester.actor)
        grant = Grant(Allowed(""), PolicyTerms())
    else:
        grant = await authorize(
            app.services,
            requester,
            action,
            request.ref,
            attempt_id=attempt_id(dedupe_key),
            intent=request.intent,
        )
    action_request = ActionRequest(action, request.ref, reason=request.reason)
    dedupe_key = f"{request.intent}:{dedupe_key}"
    requester = await answerable(app, requester)
    operation = await operation_of(app, action_request, requester, dedupe_key, grant)
    operation = operation.model_copy(update={"intent": request.intent})
    requester.trace.operation = operation.id
    await recorder.record(partial(recorder.operations.start, operation))
    return requester


def require_few_files(app: AppContext, files: Sequence[SlackFile]) -> None:
    """Raise UserError for more files than can be attached at once: none is left out unsaid."""
    if len(files) > modals.MOST_FILES:
        raise UserError(denials.too_many_files(app.catalogue, len(files), modals.MOST_FILES))


def lacks_reason(grant: Grant, action: Action, reason: str) -> bool:
    """Return whether the rule asks for a reason that is missing."""
    return grant.allowed.reason == "required" and action.takes_reason and not reason


async def record(
    recorder: Recorder, request: ActionRequest, requester: Requester, dedupe_key: str, grant: Grant
) -> Requester:
    """Record a request durably: as one operation, or as one for each of its files.

    Returns who is answered, and where. Raises UserError where there is no place to answer, or only
    some files were recorded.
    """
    requester = await answerable(recorder.app, requester)
    operation = await operation_of(recorder.app, request, requester, dedupe_key, grant)
    requester.trace.operation = "" if request.files else operation.id  # each has an id
    await recorder.record(partial(_start, recorder, operation, request.files))
    return requester


async def _start(recorder: Recorder, operation: Operation, files: Sequence[SlackFile]) -> None:
    """Start an operation, or one for each file; raises UserError if only some were recorded."""
    if not files:
        await recorder.operations.start(operation)
    for number, file in enumerate(files):
        file_id = stable_id(f"{operation.id}:{file.id}")
        try:
            await recorder.operations.start(
                operation.model_copy(update={"id": file_id, "file": file})
            )
        except Exception as error:
            if not number or may_have_committed(error):  # the whole is recorded again
                raise
            log.exception("operations recorded in part", extra={"reference": operation.reference})
            message = operation_results.recorded_in_part(
                recorder.app.catalogue, files[:number], len(files)
            )
            raise UserError(message) from error


async def answerable(app: AppContext, requester: Requester) -> Requester:
    """Return the requester, answered in their direct messages where their place shows nothing.

    Home is in no channel, and a channel may not be one that the policy names. The card is then
    posted in the direct messages, with the answer in its thread: what is shown to one person in a
    channel is gone with the next reload of their Slack. Raises UserError.
    """
    slack, location = app.services.slack, requester.location
    try:
        async with asyncio.timeout(app.services.timeouts.before_ack):
            if location.channel and await slack.channels.refusal(location.channel) is None:
                return requester
            channel = await slack.open_dm(requester.actor.id)
    except (SlackFailed, TimeoutError) as error:
        if location.channel:
            return requester  # whoever posts there asks again, and answers them alone
        raise UserError(denials.no_chat(app.catalogue)) from error
    location = SlackLocation(channel=channel, response_url=location.response_url)
    return replace(requester, location=location)


async def operation_of(
    app: AppContext, request: ActionRequest, requester: Requester, dedupe_key: str, grant: Grant
) -> Operation:
    """Return a request as it is recorded; the same key, action and object give the same id."""
    actor = requester.actor
    name = await app.services.directory.name(actor.id)
    location, card_fingerprint = await _card_location(app, request.ref, requester.location)
    # A command does not say what its writer saw: it is what the card here shows, or else what
    # the rules were asked about.
    fingerprint = request.decision_fingerprint or card_fingerprint
    if not fingerprint and grant.snapshot:
        fingerprint = await save_snapshot(app, request.ref, grant.snapshot)
    now = app.services.clock.now()
    return Operation(
        id=stable_id(f"{actor.team}:{dedupe_key}:{request.action.name}:{request.ref}"),
        action=request.action.name,
        ref=request.ref,
        actor=actor.model_copy(update={"name": name}),
        location=location,
        params=request.params,
        reason=request.reason,
        rule=grant.allowed.rule,
        terms=grant.terms,
        break_glass=request.break_glass,
        confirmed=request.confirmed,
        retry=app.services.timeouts.retry,
        decision_fingerprint=fingerprint,
        delivery=requester.trace.kind,
        received_at=now - timedelta(seconds=requester.trace.age),
        accepted_at=now,
        process_id=app.services.process_id,
    )


async def _card_location(
    app: AppContext, ref: Ref, location: SlackLocation
) -> tuple[SlackLocation, str]:
    """Return where to answer, and the decision fingerprint of the card there ("" unknown).

    That is under the card that was pressed, or else under the one that this channel has.
    """
    store = app.services.store
    if not location.card:
        card = await asyncio.to_thread(store.cards.card_in, ref, location.channel)
        if card is None:
            return location, ""
        return location.model_copy(update={"card": card.ts}), card.decision_fingerprint
    card = await asyncio.to_thread(store.cards.card_at, location.channel, location.card, ref)
    if card is None:
        # It is not on record yet, or a crash kept it from that: from now on it is redrawn too.
        now = app.services.clock.now()
        unrecorded = store.cards.add_unrecorded
        await asyncio.to_thread(unrecorded, ref, location.channel, location.card, now)
        return location, ""
    return location, card.decision_fingerprint


async def save_snapshot(app: AppContext, ref: Ref, snapshot: Snapshot) -> str:
    """Save what somebody is shown or allowed to act on; return its decision fingerprint."""
    stored = snapshots.stored(snapshot)
    await asyncio.to_thread(
        app.services.store.snapshots.save, ref, stored, app.services.clock.now()
    )
    return stored.fingerprint
