"""The step before a write: read, compare with what was decided on, ask the policy, take the key.

What may fail comes before the key is taken: a step that is tried again must not have counted an
approval already.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, Action, is_contrary
from bot.domain.approvals import (
    ApprovalIntent,
    ApprovalRequest,
    NotChanged,
    RequestEnded,
    RequestRemains,
)
from bot.domain.attribution import comment_reference, comment_reference_of
from bot.domain.claims import Claim, HeldBy, NotCounted, RequestOver, Taken, WaitingFor
from bot.domain.endings import how_ended
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyRefusal
from bot.domain.playbook_runs import runs_within
from bot.domain.reasons import OutcomeReason
from bot.domain.run_results import run_of
from bot.domain.snapshots import Snapshot, StoredSnapshot
from bot.operations.around import attach_for_decision
from bot.operations.authorization import ask_again, authorize_again, needs_object
from bot.operations.reading import may_read
from bot.operations.step_results import (
    Preflight,
    PreflightResult,
    ResultKind,
    StepResult,
    failed,
    not_sent,
)
from bot.operations.steps import posted_since
from bot.policy.config import Config
from bot.secmaster import NotFound, PlaybookInstance, SecMasterError, Task
from bot.services import Services
from bot.slack.directory import LookupFailed
from bot.slack.gateway import SlackFailed

DONE = Outcome(state=OperationState.DONE)
# Slack may let us wait for minutes between a read and the key, in which others may decide. It is
# less than the time after which an open object's last decision no longer holds the key.
MAX_AGE = timedelta(seconds=5)

# Asks the policy again about an operation, and takes a key for it: for good, or as a trial.
Authorize = Callable[
    [Services, Config, Operation, Snapshot | None], Awaitable[Operation | PolicyRefusal]
]
TakeKey = Callable[[Operation, str, datetime, StoredSnapshot, Sequence[Ref]], Claim]


async def run(services: Services, operation: Operation) -> PreflightResult:
    """Read the object where anything depends on it, ask the policy again, then take the key.

    Where time has passed before the key can be taken, all that is done anew.
    """
    if operation.intent is ApprovalIntent.WITHDRAW:  # nobody needs a right to take back their own
        return await asyncio.to_thread(_change_approval, services, operation)
    while True:
        asked_at = services.clock.now()
        authorized = await _read_and_authorize(services, operation)
        if isinstance(authorized, PreflightResult):
            return authorized
        operation, snapshot = authorized
        is_compared = BY_NAME[operation.action].allowed_statuses
        if not is_compared or services.clock.now() - asked_at <= MAX_AGE:
            return await _claim(services, operation, snapshot, services.store.claims.claim)


async def _read_and_authorize(
    services: Services, operation: Operation
) -> tuple[Operation, Snapshot | None] | PreflightResult:
    """Return the operation as it may be done now, with its card, and what its object was read as.

    Or why it can't be done. A request is declined here: that needs no key.
    """
    action, location = BY_NAME[operation.action], operation.location
    gives = operation.intent is ApprovalIntent.GIVE
    posts_card = gives and not location.card
    always_reads = posts_card or (gives and bool(action.allowed_statuses))
    snapshot: Snapshot | None = None
    while snapshot is None and (always_reads or needs_object(services.policy.current, action)):
        try:
            # Which runs a retry takes up again must not depend on one answer that got lost.
            snapshot = await services.workspaces.read(operation.ref, needs_topology=action.is_retry)
        except SecMasterError as error:
            return PreflightResult(**dict(not_sent(error)))
    config = services.policy.current  # what was reloaded while the object was read counts
    if snapshot:
        snapshot, config = await attach_for_decision(services, action, operation.ref, snapshot)
    authorized = await _compare_and_authorize(
        services, config, operation, snapshot, authorize_again
    )
    if isinstance(authorized, PreflightResult):
        return authorized
    if operation.intent is ApprovalIntent.DECLINE:
        return await asyncio.to_thread(_change_approval, services, authorized)
    reader = operation.actor
    # Whoever may act on an object and not read it gets no card of it, and is answered alone.
    if posts_card and snapshot and await may_read(services, reader, operation.ref, snapshot):
        try:
            ts = await services.cards.find_or_post(
                operation.ref,
                snapshot,
                location.channel,
                operation_id=operation.id,
                posted_since=posted_since(services, operation),
            )
        except SlackFailed as error:
            if error.is_temporary:
                raise
            return _final(failed(OutcomeReason.CANNOT_POST, code=error.code))
        location = location.model_copy(update={"card": ts})
        authorized = authorized.model_copy(update={"location": location})
    return authorized, snapshot


async def forecast(
    services: Services, config: Config, operation: Operation, snapshot: Snapshot
) -> PreflightResult:
    """Return what `run` would for an operation on an object that is like this.

    Everything is asked as it is then, and nothing is sent, posted or changed.
    """
    authorized = await _compare_and_authorize(services, config, operation, snapshot, ask_again)
    if isinstance(authorized, PreflightResult):
        return authorized
    return await _claim(services, authorized, snapshot, services.store.claims.try_claim)


async def _compare_and_authorize(
    services: Services,
    config: Config,
    operation: Operation,
    snapshot: Snapshot | None,
    authorize: Authorize,
) -> Operation | PreflightResult:
    """Return the operation under the terms that hold for the object now, or why it can't be done.

    What is compared with what was decided on, and what the policy is asked about, is one read: of
    two, a rule could allow one and the other be written to.
    """
    if operation.intent is ApprovalIntent.GIVE and snapshot:
        fingerprint = operation.decision_fingerprint
        if refusal := await _not_open(services, operation, snapshot, fingerprint):
            return _final(refusal)
    try:
        authorized = await authorize(services, config, operation, snapshot)
    except LookupFailed as error:
        outcome = failed(OutcomeReason.PERSON_UNKNOWN, code=error.code)
        kind = ResultKind.RETRYABLE if error.is_temporary else ResultKind.FINAL
        return PreflightResult(kind=kind, outcome=outcome)
    if isinstance(authorized, PolicyRefusal):
        return _final(failed(OutcomeReason.NOT_ALLOWED, refusal=authorized))
    return authorized


def _final(outcome: Outcome) -> PreflightResult:
    return PreflightResult(kind=ResultKind.FINAL, outcome=outcome)


async def _claim(
    services: Services, operation: Operation, snapshot: Snapshot | None, take: TakeKey
) -> PreflightResult:
    """Take the key, or count the approval where more people are needed."""
    action = BY_NAME[operation.action]
    stored = snapshots.stored(snapshot) if snapshot else StoredSnapshot()
    group = action.claim_group
    attempt = _attempt(action, snapshot)
    key = f"{operation.ref}:{group}:{attempt}" if group else ""
    covers = runs_within(operation.ref, snapshot) if action.is_retry else ()
    now = services.clock.now()
    claim = await asyncio.to_thread(take, operation, key, now, stored, covers)
    if isinstance(claim, WaitingFor):
        services.outbox_written.set()  # those who may approve next are called at once
    preflight = Preflight(
        attempt=attempt,
        status=snapshot.status if snapshot else "",
        decision_fingerprint=stored.fingerprint,
        run=str(run_of(operation.ref, snapshot) or "") if isinstance(snapshot, Task) else "",
        runs_unread=action.is_retry
        and isinstance(snapshot, PlaybookInstance)
        and snapshot.actions is None,
    )
    return _result(operation, claim, preflight)


def _attempt(action: Action, snapshot: Snapshot | None) -> int:
    """Return which attempt of a run an action is about.

    To terminate a run of a playbook is about all of it, whichever attempt that is.
    """
    if isinstance(snapshot, PlaybookInstance) and not action.is_retry:
        return 0
    return snapshots.attempt(snapshot)


def _result(operation: Operation, claim: Claim, preflight: Preflight) -> PreflightResult:
    """Return how the operation goes on after its claim: to its write, or to its end."""
    match claim:
        case Taken():
            claimed = claim.operation
            changes = {"co_approvers": claimed.co_approvers, "stage": claimed.stage}
            operation = operation.model_copy(update=changes)
            kind, outcome = ResultKind.DONE, DONE
        case HeldBy(holder):
            return PreflightResult(
                kind=ResultKind.FINAL,
                outcome=failed(OutcomeReason.LOST),
                operation=operation,
                preflight=preflight,
                holder=holder,
            )
        case RequestOver():
            outcome = Outcome(state=OperationState.COUNTED)
            return PreflightResult(
                kind=ResultKind.FINAL, outcome=outcome, operation=operation, preflight=preflight
            )
        case WaitingFor():
            kind = ResultKind.FINAL
            outcome = Outcome(state=OperationState.COUNTED, approval_request=claim.request)
        case NotCounted():
            kind, outcome = (
                ResultKind.FINAL,
                failed(claim.reason, approval_request=claim.request),
            )
        case _:
            assert_never(claim)
    facts = {
        "ended_request": claim.ended_request,
        "outdated_approvals": claim.outdated_approvals,
        "dropped_approvals": claim.dropped_approvals,
    }
    return PreflightResult(
        kind=kind,
        outcome=outcome,
        operation=operation,
        preflight=preflight.model_copy(update=facts),
    )


def _change_approval(services: Services, operation: Operation) -> PreflightResult:
    """Withdraw one's approval, or decline what waits for more; blocks."""
    change = services.store.claims.withdraw(operation, services.clock.now())
    match change:
        case RequestRemains(request, dropped):
            facts = {"approval_request": request, "dropped_approvals": dropped}
            return _final(DONE.model_copy(update=facts))
        case RequestEnded(request):
            return _final(DONE.model_copy(update={"ended_request": request}))
        case NotChanged(reason):
            return _final(failed(reason))
        case _:
            assert_never(change)


async def recheck(
    services: Services, operation: Operation, preflight: Preflight
) -> StepResult | None:
    """Return why a write may no longer be sent, by another read of its object; None if it may."""
    action = BY_NAME[operation.action]
    if not action.allowed_statuses:
        return None
    try:
        snapshot = await services.workspaces.read(operation.ref)
    except SecMasterError as error:
        return not_sent(error)
    snapshot, _config = await attach_for_decision(services, action, operation.ref, snapshot)
    if _attempt(action, snapshot) != preflight.attempt:  # it failed anew
        return StepResult(kind=ResultKind.FINAL, outcome=_not_now(snapshot))
    fingerprint = preflight.decision_fingerprint
    refusal = await _not_open(services, operation, snapshot, fingerprint)
    return StepResult(kind=ResultKind.FINAL, outcome=refusal) if refusal else None


async def _not_open(
    services: Services, operation: Operation, snapshot: Snapshot, fingerprint: str
) -> Outcome | None:
    """Return why this can't be done now: another status, or not what was decided on.

    ``fingerprint`` is that of what was decided on, "" where nobody can tell.
    """
    if not is_allowed_now(operation, snapshot):
        return _not_now(snapshot)
    current = snapshots.stored(snapshot)
    if not BY_NAME[operation.action].allowed_statuses or fingerprint in ("", current.fingerprint):
        return None
    store = services.store
    before = await asyncio.to_thread(store.snapshots.get, operation.ref, fingerprint)
    references = await asyncio.to_thread(_comment_references, services, operation)
    changes = snapshots.changes(before, snapshot, references) if before else ()
    if before and not changes:
        return None
    await asyncio.to_thread(store.snapshots.save, operation.ref, current, services.clock.now())
    return failed(OutcomeReason.CHANGED, changes=changes, preflight_fingerprint=current.fingerprint)


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

    What was settled elsewhere meanwhile needs nobody to ask again, and nobody is told; but for a
    task that SecMaster has ended at its due date, otherwise than was asked for.
    """
    lapsed = await asyncio.to_thread(services.store.claims.lapse, operation, services.clock.now())
    if lapsed is None:
        return DONE
    try:
        snapshot = await services.workspaces.read(operation.ref)
    except NotFound:
        return DONE
    except SecMasterError:
        pass
    else:
        if is_allowed_now(operation, snapshot):
            if isinstance(snapshot, Task) and snapshot.due_date != lapsed.expires_at:  # moved since
                lapsed = lapsed.model_copy(update={"due_handle": None})
        elif not _ended_otherwise(operation, snapshot, lapsed):
            return DONE
    return failed(OutcomeReason.REQUEST_LAPSED, ended_request=lapsed)


def _ended_otherwise(operation: Operation, snapshot: Snapshot, request: ApprovalRequest) -> bool:
    """Return whether a task that was due has ended by then otherwise than a request asked for."""
    ended_at = snapshot.update_time if isinstance(snapshot, Task) else None
    if request.due_handle is None or ended_at is None or ended_at < request.expires_at:
        return False
    return is_contrary(BY_NAME[operation.action], request.due_handle)


def is_allowed_now(operation: Operation, snapshot: Snapshot) -> bool:
    """Return whether the object's status admits the action."""
    statuses = BY_NAME[operation.action].allowed_statuses
    return not statuses or snapshot.status in statuses


def _not_now(snapshot: Snapshot) -> Outcome:
    """Refuse what the object's status does not admit, with who brought that about."""
    if not isinstance(snapshot, Task):
        return failed(OutcomeReason.NOT_NOW, blocking_status=snapshot.status)
    return failed(
        OutcomeReason.NOT_NOW,
        blocking_status=snapshot.status,
        decided_by=snapshot.decider,
        decided_at=snapshot.update_time,
        task_ending=how_ended(snapshot),
    )
