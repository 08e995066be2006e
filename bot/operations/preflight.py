"""The step before a write: read the object, compare it with what was decided on, take the key.

What may fail comes before the key is taken: a step that is tried again must not have counted an
approval already.
"""

import asyncio
from typing import assert_never

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, needs_attribution
from bot.domain.approvals import ApprovalIntent, NotChanged, RequestEnded, RequestRemains
from bot.domain.attribution import comment_reference, comment_reference_of
from bot.domain.claims import Claim, HeldBy, NotCounted, RequestOver, Taken, WaitingFor
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.domain.snapshots import Snapshot, StoredSnapshot
from bot.operations.step_results import Preflight, PreflightResult, StepResult, failed, final
from bot.operations.steps import posted_since
from bot.secmaster import Instance, NotFound, SecMasterError, Task
from bot.services import Services
from bot.slack.gateway import CannotPost


async def run(services: Services, operation: Operation) -> PreflightResult:
    """Read the object where the action or the answer needs it, then take the key."""
    if operation.intent is not ApprovalIntent.GIVE:
        outcome = await asyncio.to_thread(_change_approval, services, operation)
        return PreflightResult(result=final(outcome))
    location = operation.location
    needs_object = bool(BY_NAME[operation.action].allowed_statuses) or not location.card
    snapshot, permalink = await asyncio.gather(
        _read(services, operation) if needs_object else _nothing(),
        _permalink(services, operation, location.card),
    )
    if isinstance(snapshot, StepResult):
        return PreflightResult(result=snapshot)
    preflight = Preflight(card_ts=location.card, permalink=permalink)
    if snapshot and not location.card:
        try:
            ts = await services.cards.find_or_post(
                operation.ref,
                snapshot,
                location.channel,
                operation_id=operation.id,
                posted_since=posted_since(services, operation),
            )
        except CannotPost as error:
            outcome = _failure(OutcomeReason.CANNOT_POST, code=error.code)
            return PreflightResult(result=final(outcome))
        permalink = await _permalink(services, operation, ts)
        preflight = Preflight(card_ts=ts, permalink=permalink)
    return await _claim(services, operation, snapshot, preflight)


async def _nothing() -> None:
    """Stand in for a read that nothing needs."""


async def _read(services: Services, operation: Operation) -> Snapshot | StepResult:
    """Read the object, or return why the operation can't be done now."""
    try:
        snapshot = await services.workspaces.read(operation.ref)
    except SecMasterError as error:
        return failed(error, sent=False)
    fingerprint = operation.decision_fingerprint
    return await _not_open(services, operation, snapshot, fingerprint) or snapshot


async def _permalink(services: Services, operation: Operation, card_ts: str) -> str:
    """Return where this is talked about, for SecMaster's comment; "" where none is left."""
    leaves_comment = needs_attribution(operation) or any(
        param.signed for param in BY_NAME[operation.action].params
    )
    if not card_ts or not leaves_comment:
        return ""
    return await services.slack.permalink(operation.location.channel, card_ts)


async def _claim(
    services: Services, operation: Operation, snapshot: Snapshot | None, preflight: Preflight
) -> PreflightResult:
    """Take the key, or count the approval where more people are needed."""
    retry_count = snapshot.retry_count if isinstance(snapshot, Instance) else 0
    stored = snapshots.stored(snapshot) if snapshot else StoredSnapshot()
    group = BY_NAME[operation.action].claim_group
    key = f"{operation.ref}:{group}:{retry_count}" if group else ""
    now = services.clock.now()
    claim = await asyncio.to_thread(services.store.claims.claim, operation, key, now, stored)
    facts = {
        "retry_count": retry_count,
        "status": snapshot.status if snapshot else "",
        "decision_fingerprint": stored.fingerprint,
    }
    return _result(claim, preflight.model_copy(update=facts))


def _result(claim: Claim, preflight: Preflight) -> PreflightResult:
    """Return how the operation goes on after its claim: to its write, or to its end."""
    match claim:
        case Taken():
            return PreflightResult(
                preflight=preflight,
                co_approvers=claim.operation.co_approvers,
                ended_request=claim.ended_request,
                outdated_approvals=claim.outdated_approvals,
            )
        case HeldBy(holder):
            lost = _failure(OutcomeReason.LOST)
            return PreflightResult(result=final(lost), preflight=preflight, holder=holder)
        case RequestOver():
            counted = Outcome(state=OperationState.COUNTED)
            return PreflightResult(result=final(counted), preflight=preflight)
        case WaitingFor():
            outcome = Outcome(state=OperationState.COUNTED, approval_request=claim.request)
        case NotCounted():
            outcome = _failure(claim.reason, approval_request=claim.request)
        case _:
            assert_never(claim)
    return PreflightResult(
        result=final(outcome),
        preflight=preflight,
        ended_request=claim.ended_request,
        outdated_approvals=claim.outdated_approvals,
    )


def _change_approval(services: Services, operation: Operation) -> Outcome:
    """Withdraw one's approval, or decline what waits for more; blocks."""
    change = services.store.claims.withdraw(operation, services.clock.now())
    match change:
        case RequestRemains(request):
            return Outcome(state=OperationState.DONE, approval_request=request)
        case RequestEnded(request):
            return Outcome(state=OperationState.DONE, ended_request=request)
        case NotChanged(reason):
            return _failure(reason)
        case _:
            assert_never(change)


async def recheck(
    services: Services, operation: Operation, preflight: Preflight
) -> StepResult | None:
    """Return why the object is no longer as open to this as when it was read, if so."""
    if not BY_NAME[operation.action].allowed_statuses:
        return None
    try:
        snapshot = await services.workspaces.read(operation.ref)
    except SecMasterError as error:
        return failed(error, sent=False)
    if isinstance(snapshot, Instance) and snapshot.retry_count != preflight.retry_count:
        return _not_now(snapshot)
    return await _not_open(services, operation, snapshot, preflight.decision_fingerprint)


async def _not_open(
    services: Services, operation: Operation, snapshot: Snapshot, fingerprint: str
) -> StepResult | None:
    """Return why this can't be done now: another status, or not what was decided on.

    ``fingerprint`` is that of what was decided on, "" where nobody can tell.
    """
    if not is_allowed_now(operation, snapshot):
        return _not_now(snapshot)
    current = snapshots.stored(snapshot)
    if not BY_NAME[operation.action].allowed_statuses or fingerprint in ("", current.fingerprint):
        return None
    store = services.store
    stored = await asyncio.to_thread(store.snapshots.as_json, fingerprint)
    before = snapshots.parse(operation.ref.kind, stored)
    references = await asyncio.to_thread(_comment_references, services, operation)
    changes = snapshots.changes(before, snapshot, references) if before else ()
    if before and not changes:
        return None
    await asyncio.to_thread(store.snapshots.save, operation.ref, current, services.clock.now())
    outcome = _failure(
        OutcomeReason.CHANGED, changes=changes, preflight_fingerprint=current.fingerprint
    )
    return final(outcome)


def _comment_references(services: Services, operation: Operation) -> set[str]:
    """Return what marks the comments that this person left from here, by the audit; blocks."""
    actor = operation.actor.id
    entries = services.store.audit.entries(operation.ref)
    return {
        comment_reference(operation),
        *(
            comment_reference_of(actor, entry["operation_id"][:6])
            for entry in entries
            if (entry.get("actor") or {}).get("id") == actor
        ),
    }


async def lapse(services: Services, operation: Operation) -> Outcome:
    """End the approval request that this opened, if its time is over and it still waits.

    What was settled elsewhere meanwhile needs nobody to ask again, and nobody is told.
    """
    lapsed = await asyncio.to_thread(services.store.claims.lapse, operation, services.clock.now())
    if lapsed is None:
        return Outcome(state=OperationState.DONE)
    try:
        open_ = is_allowed_now(operation, await services.workspaces.read(operation.ref))
    except NotFound:
        open_ = False
    except SecMasterError:
        open_ = True
    if not open_:
        return Outcome(state=OperationState.DONE)
    return _failure(OutcomeReason.REQUEST_LAPSED, ended_request=lapsed)


def is_allowed_now(operation: Operation, snapshot: Snapshot) -> bool:
    """Return whether the object's status admits the action."""
    statuses = BY_NAME[operation.action].allowed_statuses
    return not statuses or snapshot.status in statuses


def _not_now(snapshot: Snapshot) -> StepResult:
    """Refuse what the object's status does not admit, with who brought that about."""
    if not isinstance(snapshot, Task):
        return final(_failure(OutcomeReason.NOT_NOW, blocking_status=snapshot.status))
    outcome = _failure(
        OutcomeReason.NOT_NOW,
        blocking_status=snapshot.status,
        decided_by=snapshot.decider,
        decided_at=snapshot.update_time,
    )
    return final(outcome)


def _failure(reason: OutcomeReason, **facts: object) -> Outcome:
    return Outcome.model_validate({"state": OperationState.FAILED, "reason_code": reason, **facts})
