"""What Slack is told of an operation: the reply in the thread, and words for one person alone."""

import asyncio
import logging

from bot import messages
from bot.domain import snapshots
from bot.domain.actions import BY_NAME, CHANGEABLE_STATUSES
from bot.domain.approvals import ApprovalRequest
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.messages import Message
from bot.messages.private_cards import AskedCommand, with_try_again
from bot.operations.authorization import may_override
from bot.operations.reading import may_read
from bot.operations.step_results import StepResult, WriteKind
from bot.operations.steps import is_last_attempt, posted_since
from bot.operations.transitions import Notice
from bot.policy.decide import Refused
from bot.policy.routes import ThreadDetail
from bot.secmaster import Refused as RefusedBySecMaster
from bot.secmaster import SecMasterError, Task
from bot.services import Services
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)

# Where nothing reached SecMaster there is nothing for the thread to know.
PRIVATE = (
    OutcomeReason.NOT_ALLOWED,
    OutcomeReason.NOT_NOW,
    OutcomeReason.CANNOT_POST,
    OutcomeReason.CHANGED,
    OutcomeReason.ALREADY_APPROVED,
    OutcomeReason.SAME_AUTHORITY,
    OutcomeReason.NOT_YOUR_TURN,
    OutcomeReason.NO_REQUEST,
    OutcomeReason.ALREADY_SENDING,
)
DONE_BEFORE = (OperationState.DONE, OperationState.PENDING, OperationState.IN_DOUBT)
TIMEOUT = 5.0  # seconds for what an operation does not wait for
REDRAW_ATTEMPTS = 4  # to read an object whose cards are drawn: about five seconds of pauses


async def outcome(
    services: Services,
    operation: Operation,
    outcome: Outcome,
    thread_knows: bool,  # noqa: FBT001 - handed on by a step, which has no keywords
) -> None:
    """Answer in the card's thread, or to the person alone where nothing reached SecMaster.

    A thread that was told of trouble is told of the end as well: it ``thread_knows``.
    """
    if outcome.reason_code not in PRIVATE or thread_knows:
        end = messages.outcome(services.catalogue, operation, outcome)
        # The card shows how many have approved.
        if outcome.state is OperationState.COUNTED and await _gets_outcomes_only(
            services, operation
        ):
            await _in_private(services, operation, end)
        else:
            await _in_thread(services, operation, "outcome", end)
        return
    if outcome.reason_code is OutcomeReason.CHANGED:
        message = await _decide_again(services, operation, outcome)
    elif outcome.refusal and not operation.batch_ts:
        refused = Refused(**dict(outcome.refusal))
        roles = services.policy.current.roles
        action = BY_NAME[operation.action]
        message = messages.denials.not_allowed(
            services.catalogue, action, operation.ref, refused, roles
        )
        # It goes to the one who asked, who need not say their own words again.
        if messages.denials.may_pass(refused) and not operation.file:
            fingerprint = operation.decision_fingerprint
            command = AskedCommand(
                action=action.name,
                button=str(ButtonValue(ref=operation.ref, decision_fingerprint=fingerprint)),
                reason=operation.reason,
                params=operation.params,
                break_glass=operation.break_glass,
            )
            message = with_try_again(services.catalogue, message, command)
    elif operation.batch_ts:
        return  # its row in the batch tells it
    else:
        message = None
    if message is None:
        standing = await asyncio.to_thread(
            services.store.claims.standing_operation, operation.ref, *DONE_BEFORE
        )
        if standing:
            standing = await asyncio.to_thread(services.store.workflows.with_runner, standing)
        message = messages.outcome(services.catalogue, operation, outcome, standing)
    await _in_private(services, operation, message)


async def _decide_again(
    services: Services, operation: Operation, outcome: Outcome
) -> Message | None:
    """Show what has changed, with a button to decide on that; None where it is not known."""
    fingerprint = outcome.preflight_fingerprint
    stored_snapshot = services.store.snapshots.get
    snapshot = await asyncio.to_thread(stored_snapshot, operation.ref, fingerprint)
    if snapshot is None:
        return None
    context = services.cards.render_context(operation.ref)
    message = messages.changed_object(operation, outcome, context, snapshot)
    if operation.batch_ts:
        return messages.batch_results.item_message(snapshot.name, operation.ref, message)
    return message


async def announce_break_glass(services: Services, operation: Operation, outcome: Outcome) -> None:
    """Tell the channel for it that somebody decided alone what asks for several people."""
    location = operation.location
    link = services.slack.permalink(location.channel, location.card) if location.card else ""
    stored_snapshot, ref = services.store.snapshots.get, operation.ref
    fingerprint = outcome.preflight_fingerprint or operation.decision_fingerprint
    snapshot = await asyncio.to_thread(stored_snapshot, ref, fingerprint)
    target = snapshot.name if snapshot else "", services.workspaces.name(ref.workspace)
    message = messages.break_glass_used(services.catalogue, operation, outcome, target, link)
    try:
        await services.slack.post(
            operation.terms.break_glass_channel,
            message,
            {"part": "announcement", "operation": operation.id},
            posted_since=posted_since(services, operation),
        )
    except SlackFailed as error:
        if error.is_temporary:
            raise
        sentence = "an emergency override could not be announced"
        log.error(sentence, extra={"code": error.code})  # noqa: TRY400 - a refusal is one line
        message = messages.not_announced(services.catalogue, operation, error.code)
        await _in_thread(services, operation, "not announced", message)


async def offer_override(services: Services, operation: Operation, outcome: Outcome) -> None:
    """Tell whoever may decide alone so, once their own approval waits for others.

    Nobody else is shown the button: a press of it is authorized anyhow.
    """
    fingerprint = outcome.preflight_fingerprint or operation.decision_fingerprint
    stored_snapshot, ref = services.store.snapshots.get, operation.ref
    snapshot = await asyncio.to_thread(stored_snapshot, ref, fingerprint)
    action = BY_NAME[operation.action]
    if await may_override(services, operation.actor, action, ref, snapshot):
        message = messages.operation_results.may_override(services.catalogue, operation, outcome)
        await _in_private(services, operation, message)


async def lapsed(services: Services, operation: Operation, request: ApprovalRequest) -> None:
    """Tell the thread that too few people approved in time."""
    await _in_thread(
        services, operation, "lapsed", messages.lapsed(services.catalogue, operation, request)
    )


async def still_trying(services: Services, operation: Operation, notice: Notice) -> None:
    """Tell the thread of trouble, or of a doubt, and that the operation is kept."""
    message = messages.still_trying(
        services.catalogue, operation, notice.outcome, notice.write, operation.retry.budget
    )
    part = f"doubt about the {notice.write}" if notice.write else "trouble"
    try:
        async with asyncio.timeout(TIMEOUT):
            # A doubt is told in every thread.
            if notice.write or not await _gets_outcomes_only(services, operation):
                await _in_thread(services, operation, part, message)
            # The cards tell of the decision: a comment that is in doubt leaves them as they are.
            if notice.write is WriteKind.ACTION:
                await _draw_doubt(services, operation)
    except (SlackFailed, TimeoutError) as error:
        # The operation matters more than the news of it, which has an ending to come.
        log.warning("trouble not reported", extra={"error": str(error)})


async def redraw(services: Services, operation: Operation, result: StepResult) -> None:
    """Draw the cards of an operation's object, from SecMaster's answer where that is the last word.

    What may change again at once, as a task that still waits, is read, and so is a run: of a
    workflow's the answer says nothing, and of a playbook's not which runs are within it. Where they
    can't be, the cards are drawn from what is stored, since what follows must not wait for them,
    and the poller draws them later.
    """
    snapshot = snapshots.parse(operation.ref.kind, result.snapshot)
    try:
        is_last_word = isinstance(snapshot, Task) and snapshot.status not in CHANGEABLE_STATUSES
        if snapshot and result.asked_at and is_last_word:
            await services.cards.redraw_from(operation.ref, snapshot, result.asked_at)
        else:
            await services.cards.redraw(operation.ref)
    except SecMasterError as error:
        # What is refused now will not be allowed by asking again.
        if not (isinstance(error, RefusedBySecMaster) or is_last_attempt(REDRAW_ATTEMPTS)):
            raise
        log.warning("cards not read", extra={"ref": str(operation.ref), "error": str(error)})
        await services.cards.redraw_from_stored(operation.ref)


async def _draw_doubt(services: Services, operation: Operation) -> None:
    """Show on the cards that nobody knows yet what became of a write."""
    await asyncio.to_thread(services.store.claims.mark_in_doubt, operation)
    try:
        # Half the time is for the stored snapshot, if SecMaster does not answer.
        async with asyncio.timeout(TIMEOUT / 2):
            await services.cards.redraw_now(operation.ref)
    except (SecMasterError, TimeoutError):
        await services.cards.redraw_from_stored(operation.ref)


async def _readable_name(services: Services, operation: Operation, ref: Ref) -> str:
    """Return the name of another object than the operation's; "" for whoever may not read it."""
    if ref == operation.ref:
        return ""
    for tracked in await asyncio.to_thread(services.store.tracked.get, [ref]):
        if await may_read(services, operation.actor, ref, tracked.snapshot):
            return tracked.snapshot.name
    return ""


async def lost(services: Services, operation: Operation, holder: StandingOperation) -> None:
    """Tell the person that another operation came first; in a batch its row tells it."""
    if not operation.batch_ts:
        holder = await asyncio.to_thread(services.store.workflows.with_runner, holder)
        name = await _readable_name(services, operation, holder.operation.ref)
        message = messages.lost(services.catalogue, operation, holder, name)
        await _in_private(services, operation, message)


async def _in_thread(services: Services, operation: Operation, part: str, message: Message) -> None:
    """Reply under the card once; to the person alone where there is no thread to reply in."""
    location = operation.location
    if location.card and await _is_shared(services, operation):
        fingerprint = operation.decision_fingerprint
        stored_snapshot = services.store.snapshots.get
        chosen = await asyncio.to_thread(stored_snapshot, operation.ref, fingerprint)
        name = chosen.name if chosen else ""
        message = messages.batch_results.item_message(name, operation.ref, message)
    try:
        if location.card:
            await services.slack.post(
                location.channel,
                message,
                {"part": part, "operation": operation.id},
                thread=location.card,
                posted_since=posted_since(services, operation),
            )
            return
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.warning("thread is closed to the bot", extra={"code": error.code})
    await _in_private(services, operation, message)


async def _gets_outcomes_only(services: Services, operation: Operation) -> bool:
    """Whether an operation's thread is told only how things ended."""
    detail = await services.cards.thread_detail(operation.ref, operation.location.channel)
    return bool(operation.location.card) and detail is ThreadDetail.OUTCOMES


async def _is_shared(services: Services, operation: Operation) -> bool:
    """Whether a thread is about several objects, so that each reply says which one it is about."""
    location = operation.location
    if operation.batch_ts and operation.batch_ts == location.card:
        return True
    cards_at = services.store.cards.cards_at
    return len(await asyncio.to_thread(cards_at, location.channel, location.card)) > 1


async def _in_private(services: Services, operation: Operation, message: Message) -> None:
    """Tell the person alone; where Slack refuses even that, the audit alone has the outcome."""
    try:
        await services.slack.send_private(operation.location, operation.actor.id, message)
    except SlackFailed as error:
        if error.is_temporary:
            raise
        details = {"reference": operation.reference, "code": error.code}
        log.error("nobody could be told", extra=details)  # noqa: TRY400 - a refusal is one line
