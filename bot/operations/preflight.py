"""The step before a write: read the object, compare it with what was decided on, take the key.

What may fail comes before the key is taken: a step that is tried again must not have counted an
approval already.
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
from bot.operations.steps import posted_since
from bot.secmaster import Instance, NotFound, SecMasterError, Task
from bot.services import Services
from bot.slack.gateway import CannotPost
from bot.store import ClaimResult


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
    claim = await asyncio.to_thread(services.store.claim, operation, key, now, stored)
    facts = {
        "retry_count": retry_count,
        "status": snapshot.status if snapshot else "",
        "decision_fingerprint": stored.fingerprint,
    }
    return PreflightResult(
        result=_why_not_sent(claim),
        holder=claim.holder,
        preflight=preflight.model_copy(update=facts),
        co_approvers=claim.approval.co_approvers,
        ended_request=claim.approval.ended_request,
        outdated_approvals=claim.approval.outdated_approvals,
    )


def _why_not_sent(claim: ClaimResult) -> StepResult | None:
    """Return why nothing is to be sent now; None where the key was taken."""
    approval = claim.approval
    if claim.holder:
        return final(_failure(OutcomeReason.LOST))
    if approval.reason not in (OutcomeReason.NONE, OutcomeReason.REQUEST_OVER):
        return final(_failure(approval.reason, approval_request=approval.request))
    if approval.enough:
        return None
    return final(Outcome(state=OperationState.COUNTED, approval_request=approval.request))


def _change_approval(services: Services, operation: Operation) -> Outcome:
    """Withdraw one's approval, or decline what waits for more; blocks."""
    result = services.store.withdraw(operation, services.clock.now())
    if result is None:
        return _failure(OutcomeReason.NO_REQUEST)
    if result.reason is not OutcomeReason.NONE:
        return _failure(result.reason)
    return Outcome(
        state=OperationState.DONE,
        approval_request=result.request,
        ended_request=result.ended_request,
    )


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
    stored = await asyncio.to_thread(store.snapshot_json, fingerprint)
    before = snapshots.parse(operation.ref.kind, stored)
    references = await asyncio.to_thread(_comment_references, services, operation)
    changes = snapshots.changes(before, snapshot, references) if before else ()
    if before and not changes:
        return None
    await asyncio.to_thread(store.save_snapshot, operation.ref, current, services.clock.now())
    outcome = _failure(
        OutcomeReason.CHANGED, changes=changes, preflight_fingerprint=current.fingerprint
    )
    return final(outcome)


def _comment_references(services: Services, operation: Operation) -> set[str]:
    """Return what marks the comments that this person left from here, by the audit; blocks."""
    actor = operation.actor.id
    entries = services.store.audit_entries(operation.ref)
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
    lapsed = await asyncio.to_thread(services.store.lapse, operation, services.clock.now())
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
