"""The step before a write: look, hold it against what was seen, and take the key or count the yes.

What may fail comes before the key is taken: a step that is tried again must not have counted
already.
"""

import asyncio

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, needs_attribution
from bot.domain.approvals import ApprovalIntent
from bot.domain.attribution import comment_reference, comment_reference_of
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.domain.snapshots import Snapshot, StoredSnapshot
from bot.operations.step_results import Preflight, PreflightResult, StepResult, failed, final
from bot.secmaster import Instance, NotFound, SecMasterError, Task
from bot.services import services
from bot.slack import cards, gateway
from bot.slack.gateway import CannotPost
from bot.store import ClaimResult


async def run(operation: Operation) -> PreflightResult:
    """Look at the object where the action or the answer needs it, then take the key."""
    if operation.intent is not ApprovalIntent.GIVE:
        return PreflightResult(result=final(await _take_back(operation)))
    looked, permalink = await asyncio.gather(_look(operation), _permalink(operation))
    if isinstance(looked, StepResult):
        return PreflightResult(result=looked)
    found = Preflight(card_ts=operation.location.card, permalink=permalink)
    if looked and not found.card_ts:
        try:
            found = await _with_card(operation, looked)
        except CannotPost as error:
            closed = Outcome(
                state=OperationState.FAILED, reason_code=OutcomeReason.CANNOT_POST, code=error.code
            )
            return PreflightResult(result=final(closed))
    return await _claim(operation, looked, found)


async def _claim(
    operation: Operation, looked: Snapshot | None, found: Preflight
) -> PreflightResult:
    """Take the key, or let the yes count where more people are needed."""
    retries = looked.retry_count if isinstance(looked, Instance) else 0
    seen = snapshots.stored(looked) if looked else StoredSnapshot()
    once = BY_NAME[operation.action].claim_group
    key = f"{operation.ref}:{once}:{retries}" if once else ""
    claimed = await asyncio.to_thread(
        services().store.claim, operation, key, services().clock(), seen
    )
    poll = claimed.approval
    saw = {
        "retry_count": retries,
        "status": looked.status if looked else "",
        "decision_fingerprint": seen.fingerprint,
    }
    return PreflightResult(
        result=_answer(claimed),
        holder=claimed.holder,
        preflight=found.model_copy(update=saw),
        co_approvers=poll.co_approvers,
        ended_request=poll.ended_request,
        outdated_approvals=poll.outdated_approvals,
    )


def _answer(claimed: ClaimResult) -> StepResult | None:
    """Why nothing is to be sent now; None where the key was taken."""
    poll = claimed.approval
    if claimed.holder:
        return final(Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.LOST))
    if poll.reason and poll.reason != OutcomeReason.REQUEST_OVER:
        return final(
            Outcome(
                state=OperationState.FAILED, reason_code=poll.reason, approval_request=poll.request
            )
        )
    return (
        None
        if poll.enough
        else final(Outcome(state=OperationState.COUNTED, approval_request=poll.request))
    )


async def _look(operation: Operation) -> Snapshot | StepResult | None:
    """The object, where the action or the answer needs it, or why this can't be done now."""
    if not BY_NAME[operation.action].allowed_statuses and operation.location.card:
        return None
    try:
        snapshot = await services().read(operation.ref)
    except SecMasterError as error:
        return failed(error, sent=False)
    return await _not_open(operation, snapshot, operation.decision_fingerprint) or snapshot


async def _with_card(operation: Operation, snapshot: Snapshot) -> Preflight:
    """Where the answer goes; raises CannotPost."""
    card = await cards.find_or_post(operation, snapshot)
    place = operation.location.model_copy(update={"card": card})
    there = operation.model_copy(update={"location": place})
    return Preflight(card_ts=card, permalink=await _permalink(there))


async def _permalink(operation: Operation) -> str:
    """Where this is talked about, for SecMaster's comment."""
    place, signs = operation.location, any(each.signed for each in BY_NAME[operation.action].params)
    if not place.card or not (signs or needs_attribution(operation)):
        return ""
    return await gateway.permalink(place.channel, place.card)


async def _take_back(operation: Operation) -> Outcome:
    """Withdraw one's yes, or refuse what waits for more."""
    poll = await asyncio.to_thread(services().store.withdraw, operation, services().clock())
    if poll is None or poll.reason:
        return Outcome(
            state=OperationState.FAILED, reason_code=poll.reason if poll else "no_ballot"
        )
    return Outcome(
        state=OperationState.DONE, approval_request=poll.request, ended_request=poll.ended_request
    )


async def _not_open(operation: Operation, snapshot: Snapshot, seen: str) -> StepResult | None:
    """Why this can't be done now: the object is in another state, or not what was seen."""
    if not is_allowed_now(operation, snapshot):
        return _not_now(snapshot)
    now = snapshots.stored(snapshot)
    if not BY_NAME[operation.action].allowed_statuses or seen in ("", now.fingerprint):
        return None
    store = services().store
    before = snapshots.parse(operation.ref.kind, await asyncio.to_thread(store.snapshot_json, seen))
    own = await asyncio.to_thread(_own_marks, operation)
    changes = snapshots.changes(before, snapshot, own) if before else ()
    if before and not changes:
        return None
    await asyncio.to_thread(store.save_snapshot, operation.ref, now, services().clock())
    changed = Outcome(
        state=OperationState.FAILED,
        reason_code=OutcomeReason.CHANGED,
        changes=changes,
        preflight_fingerprint=now.fingerprint,
    )
    return final(changed)


def _own_marks(operation: Operation) -> set[str]:
    """What marks the comments that this person left from here, by what is on record."""
    actor = operation.actor.id
    entries = services().store.audit_entries(operation.ref)
    theirs = [each for each in entries if (each.get("actor") or {}).get("id") == actor]
    return {
        comment_reference(operation),
        *(comment_reference_of(actor, each["operation_id"][:6]) for each in theirs),
    }


async def lapse(operation: Operation) -> Outcome:
    """End the ballot that this opened, if its time is over and it still waits.

    What was settled elsewhere meanwhile needs nobody to ask again, and nobody is told.
    """
    lapsed = await asyncio.to_thread(services().store.lapse, operation, services().clock())
    if lapsed and await _still_open(operation):
        return Outcome(
            state=OperationState.FAILED,
            reason_code=OutcomeReason.REQUEST_LAPSED,
            ended_request=lapsed,
        )
    return Outcome(state=OperationState.DONE)


async def _still_open(operation: Operation) -> bool:
    try:
        return is_allowed_now(operation, await services().read(operation.ref))
    except NotFound:
        return False
    except SecMasterError:
        return True


async def recheck(operation: Operation, before: Preflight) -> StepResult | None:
    """Why the object is no longer as open to this as it was when it was looked at, if so."""
    if not BY_NAME[operation.action].allowed_statuses:
        return None
    try:
        snapshot = await services().read(operation.ref)
    except SecMasterError as error:
        return failed(error, sent=False)
    if isinstance(snapshot, Instance) and snapshot.retry_count != before.retry_count:
        return _not_now(snapshot)
    return await _not_open(operation, snapshot, before.decision_fingerprint)


def _not_now(snapshot: Snapshot) -> StepResult:
    """The refusal of what the object is not open to, with who brought that about."""
    seen = Outcome(
        state=OperationState.FAILED,
        reason_code=OutcomeReason.NOT_NOW,
        blocking_status=snapshot.status,
    )
    if isinstance(snapshot, Task):
        told = {"decided_by": snapshot.decider, "decided_at": snapshot.update_time}
        seen = seen.model_copy(update=told)
    return final(seen)


def is_allowed_now(operation: Operation, snapshot: Snapshot) -> bool:
    only_when = BY_NAME[operation.action].allowed_statuses
    return not only_when or snapshot.status in only_when
