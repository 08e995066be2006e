"""What is said in Slack of an operation: the reply, and words for one person alone."""

import asyncio
import logging

from bot import messages
from bot.domain import snapshots
from bot.domain.approvals import ApprovalRequest
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.messages import Message
from bot.secmaster import SecMasterError
from bot.services import services
from bot.slack import cards, gateway
from bot.slack.gateway import SlackFailed, send_private

log = logging.getLogger(__name__)

# Where nothing reached SecMaster there is nothing for the thread to know.
PRIVATE = (
    OutcomeReason.NOT_NOW,
    OutcomeReason.CANNOT_POST,
    OutcomeReason.CHANGED,
    OutcomeReason.ALREADY_APPROVED,
    OutcomeReason.SAME_AUTHORITY,
    OutcomeReason.NO_REQUEST,
    OutcomeReason.ALREADY_SENDING,
)
SHORTLY = 5.0  # seconds


async def outcome(operation: Operation, ended: Outcome, begun: bool) -> None:  # noqa: FBT001
    """Answer in the card's thread, or to the person alone where nothing reached SecMaster.

    A thread that was told of trouble is told of the end as well: it has ``begun``.
    """
    if ended.reason_code in PRIVATE and not begun:
        if operation.batch_ts and ended.reason_code != OutcomeReason.CHANGED:
            return  # its row among the many tells it
        store = services().store
        states = (OperationState.DONE, OperationState.PENDING, OperationState.IN_DOUBT)
        standing = await asyncio.to_thread(store.standing_operation, operation.ref, *states)
        said = messages.outcome(operation, ended, standing)
        await _privately(operation, await _to_decide_again(operation, ended) or said)
        return
    await _in_thread(operation, "outcome", messages.outcome(operation, ended))


async def _to_decide_again(operation: Operation, ended: Outcome) -> Message | None:
    """What has changed, with a button to decide on that; None where it is not about that."""
    if ended.reason_code != OutcomeReason.CHANGED:
        return None
    kept = await asyncio.to_thread(services().store.snapshot_json, ended.preflight_fingerprint)
    about = snapshots.parse(operation.ref.kind, kept)
    if about is None:
        return None
    said = messages.changed_object(
        operation, ended, services().render_context(operation.ref), about
    )
    return (
        messages.batch_results.item_message(about.name, operation, said)
        if operation.batch_ts
        else said
    )


async def announce(operation: Operation, ended: Outcome) -> None:
    """Tell the channel for it that somebody decided alone what asks for several people."""
    place, mark = operation.location, {"part": "announcement", "operation": operation.id}
    link = await gateway.permalink(place.channel, place.card) if place.card else ""
    said = messages.break_glass_used(
        operation, ended, services().workspace_name(operation.ref), link
    )
    try:
        await gateway.post((operation.terms.break_glass_channel, ""), said, mark, operation)
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.exception("breaking the glass could not be announced")
        await _in_thread(operation, "not announced", messages.not_announced(operation, error.code))


async def lapsed(operation: Operation, ballot: ApprovalRequest) -> None:
    """Tell the thread that too few people said yes in time."""
    await _in_thread(operation, "lapsed", messages.lapsed(operation, ballot))


async def trouble(operation: Operation, ended: Outcome) -> None:
    """Say once that SecMaster is in trouble and that the operation is kept."""
    line = messages.still_trying(operation, ended, services().timeouts.seconds)
    try:
        async with asyncio.timeout(SHORTLY):
            doubt = ended.state is OperationState.UNKNOWN
            await _in_thread(operation, "doubt" if doubt else "trouble", line)
            if doubt:
                await _draw_doubt(operation)
    except (SlackFailed, TimeoutError) as error:
        # The operation matters more than the news of it, which has an ending to come.
        log.warning("trouble not told", extra={"error": str(error)})


async def _draw_doubt(operation: Operation) -> None:
    """Show on the cards that nobody knows yet what became of a write."""
    await asyncio.to_thread(services().store.mark_in_doubt, operation)
    try:
        async with asyncio.timeout(SHORTLY / 2):  # half is for memory, if there is no answer
            await cards.draw(operation.ref)
    except (SecMasterError, TimeoutError):
        await cards.redraw_from_stored(operation.ref)


async def lost(operation: Operation, holder: StandingOperation) -> None:
    """Tell whoever came second who came first; one of many has its row for that."""
    if operation.batch_ts:
        return
    await _privately(operation, messages.lost(operation, holder))


async def _in_thread(operation: Operation, part: str, message: Message) -> None:
    """Reply under the card once; to the person alone where there is no thread to reply in."""
    place, mark = operation.location, {"part": part, "operation": operation.id}
    if operation.batch_ts and operation.batch_ts == place.card:
        message = messages.batch_results.item_message(await _name(operation), operation, message)
    try:
        if place.card:
            await gateway.post((place.channel, place.card), message, mark, operation)
            return
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.warning("thread closed to us", extra={"code": error.code})
    await _privately(operation, message)


async def _name(operation: Operation) -> str:
    """What the object was called when it was chosen."""
    kept = await asyncio.to_thread(services().store.snapshot_json, operation.decision_fingerprint)
    seen = snapshots.parse(operation.ref.kind, kept)
    return seen.name if seen else ""


async def _privately(operation: Operation, message: Message) -> None:
    await send_private(operation.location, operation.actor.id, message)
