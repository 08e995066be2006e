"""Claims: which operation holds a decision, who approved it, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa

from bot.domain.actions import BY_NAME
from bot.domain.approvals import (
    Approval,
    ApprovalChange,
    ApprovalIntent,
    ApprovalRequest,
    NotChanged,
    OpenRequest,
    RequestEnded,
    RequestRemains,
)
from bot.domain.audit import AuditOutcome
from bot.domain.claims import (
    AddedApproval,
    Claim,
    HeldBy,
    NotCounted,
    RequestOver,
    Taken,
    WaitingFor,
)
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.operations import (
    UNDER_WAY,
    Operation,
    OperationState,
    Outcome,
    StandingOperation,
)
from bot.domain.reasons import OutcomeReason
from bot.domain.snapshots import StoredSnapshot
from bot.domain.stages import with_at_least
from bot.store import approvals, audit, outbox, snapshots
from bot.store.followed_operations import follow
from bot.store.repository import Repository
from bot.store.tables import approvals as approvals_table
from bot.store.tables import claims, followed_operations
from bot.store.times import from_db
from bot.store.workflows import status_table

Row = sa.Row[Any]
SETTLE_TIME = timedelta(minutes=1)  # by then SecMaster shows what was done
# For so long at most a retry holds up what it works on too: where SecMaster is not polled nobody
# learns of its end.
MAX_OVERLAP = timedelta(hours=1)
PERHAPS_SENT = (OperationState.DONE, OperationState.UNKNOWN, *UNDER_WAY)


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What `Claims.claim` is asked for: a ``key`` for an operation, at a time."""

    operation: Operation
    key: str
    snapshot: StoredSnapshot
    covers: Sequence[Ref]
    at: datetime


class Claims(Repository):
    """The table of claims, with the approvals that they need and the audit of their changes."""

    def claim(
        self,
        operation: Operation,
        key: str,
        at: datetime,
        snapshot: StoredSnapshot,
        covers: Sequence[Ref] = (),
    ) -> Claim:
        """Claim ``key`` for an operation, or count it as an approval where several are needed.

        ``snapshot`` is what was read right before, ``covers`` are the other objects that a retry
        works on: none of them is retried before it has ended, nor it before they have. A key whose
        operation failed or ended unknown is free again. So is one that was done a while ago: the
        object has just been read as open again. Claiming twice for the same operation is claiming
        once; an operation without a key always gets through. Either way the attempt is recorded in
        the audit: ``allowed``, ``counted`` or ``lost``.
        """
        claim_request = ClaimRequest(operation, key, snapshot, covers, at)
        with self.engine.begin() as connection:
            return self._claim(connection, claim_request)

    def try_claim(
        self,
        operation: Operation,
        key: str,
        at: datetime,
        snapshot: StoredSnapshot,
        covers: Sequence[Ref] = (),
    ) -> Claim:
        """Return what `claim` would, once the operation's ``revoked_approvals`` are taken back.

        Nothing is changed: all of it is undone.
        """
        with self.engine.connect() as connection:  # and rolled back at the end
            claim_request = ClaimRequest(operation, key, snapshot, covers, at)
            _lock(connection, claim_request)
            approvals.revoke(connection, operation.ref, operation.revoked_approvals)
            return self._claim(connection, claim_request)

    def _claim(self, connection: sa.Connection, claim_request: ClaimRequest) -> Claim:
        """Claim a key in the caller's transaction."""
        _lock(connection, claim_request)
        operation, key = claim_request.operation, claim_request.key
        snapshot, at = claim_request.snapshot, claim_request.at
        snapshots.save(connection, self._insert, operation.ref, snapshot, at)
        own_claim = (claims.c.key == key) & (claims.c.operation_id == operation.id)
        row = connection.execute(sa.select(claims).where(own_claim)).one_or_none()
        claimed = Operation.model_validate(row.operation) if row else None
        if claimed and not approvals.approved_other_version(
            connection, claimed, key, snapshot.fingerprint
        ):
            return Taken(claimed)
        if claimed:  # its co-approvers approved what has changed since
            connection.execute(sa.delete(claims).where(claims.c.operation_id == operation.id))
        holder = self._holder(connection, operation, key, at) if key else None
        if key and holder is None and BY_NAME[operation.action].is_retry:
            holder = _overlapping(connection, claim_request)
        if not claimed and audit.is_counted_or_given_up(connection, operation):
            # It was counted before a crash. Since then the request may have got enough
            # approvals, or this one may have been withdrawn, or the request may be over.
            request = None if holder else approvals.request_of(connection, operation)
            return WaitingFor(request) if request else RequestOver()
        if holder:
            audit.record_lost(connection, operation, holder, at)
            return HeldBy(holder)
        return self._claim_free_key(connection, claim_request)

    def _claim_free_key(
        self, connection: sa.Connection, claim_request: ClaimRequest
    ) -> AddedApproval:
        """Claim a free key if the operation has enough approvals, or count it as one."""
        operation, key = claim_request.operation, claim_request.key
        snapshot, at = claim_request.snapshot, claim_request.at
        if _brake_applies(connection, operation, at):
            # One more of those who come last: whoever is first has them as a check.
            stages = with_at_least(operation.terms.stages, 2)
            changes = {"stages": stages, "brake_applied": True}
            terms = operation.terms.model_copy(update=changes)
            operation = operation.model_copy(update={"terms": terms})
        result: AddedApproval = Taken(operation)  # without a key no approvals are shared
        if key:
            result = approvals.add_approval(connection, operation, key, snapshot, at)
        facts: dict[str, Any] = {
            "preflight_fingerprint": snapshot.fingerprint,
            "ended_request": result.ended_request,
            "outdated_approvals": [each.actor.id for each in result.outdated_approvals] or None,
            "dropped_approvals": _dumped(result.dropped_approvals),
        }
        match result:
            case Taken():
                if key:
                    self._hold(connection, replace(claim_request, operation=result.operation))
                audit.record(connection, result.operation, AuditOutcome.ALLOWED, at, **facts)
            case WaitingFor():
                counted = result.request.approvals
                own = next(each for each in counted if each.operation_id == operation.id)
                facts |= {"request": result.request, "stage": own.stage}
                audit.record(connection, operation, AuditOutcome.COUNTED, at, **facts)
            case NotCounted():
                pass  # its outcome is recorded once it is concluded
            case _:
                assert_never(result)
        return result

    def _hold(self, connection: sa.Connection, claim_request: ClaimRequest) -> None:
        """Record that an operation holds a key, in the place of one that held it before."""
        operation = claim_request.operation
        row = {
            "ref": str(operation.ref),
            "workspace": operation.ref.workspace,
            "claim_group": BY_NAME[operation.action].claim_group,
            "failure_group": operation.terms.failure_group,
            "operation_id": operation.id,
            "operation": operation.model_dump(mode="json"),
            "covers": list(map(str, claim_request.covers)),
            "state": OperationState.PENDING,
            "at": claim_request.at,
        }
        insert = self._insert(claims).values(key=claim_request.key, **row)
        connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=row))

    def _holder(
        self, connection: sa.Connection, operation: Operation, key: str, at: datetime
    ) -> StandingOperation | None:
        """Return the other operation that holds a key; None if the key is free."""
        freed = claims.c.state.in_([OperationState.FAILED, OperationState.UNKNOWN])
        settled = (claims.c.state == OperationState.DONE) & (claims.c.at < at - SETTLE_TIME)
        query = sa.select(claims).where(claims.c.key == key, sa.not_(sa.or_(freed, settled)))
        row = connection.execute(query).one_or_none()
        return None if row is None or row.operation_id == operation.id else _standing(row)

    def withdraw(self, operation: Operation, at: datetime) -> ApprovalChange:
        """Withdraw an approval or decline its request, by the operation's intent."""
        with self.engine.begin() as connection:
            approvals.lock_object(connection, operation.ref)
            recorded = audit.recorded_change(connection, operation, AuditOutcome(operation.intent))
            if recorded:
                return recorded
            if _any_under_way(connection, approvals.claim_keys(connection, operation)):
                return NotChanged(OutcomeReason.ALREADY_SENDING)
            change = _change_request(connection, operation, at)
            outcome = AuditOutcome(operation.intent)
            match change:
                case RequestRemains(request, dropped):
                    facts = {"request": request, "dropped_approvals": _dumped(dropped)}
                    audit.record(connection, operation, outcome, at, **facts)
                case RequestEnded(request):
                    audit.record(connection, operation, outcome, at, ended_request=request)
                case NotChanged():
                    pass
                case _:
                    assert_never(change)
            return change

    def lapse(self, operation: Operation, at: datetime) -> ApprovalRequest | None:
        """End the request that an operation opened if it has expired, and return it."""
        with self.engine.begin() as connection:
            approvals.lock_object(connection, operation.ref)
            if recorded := audit.recorded_change(connection, operation, AuditOutcome.LAPSED):
                return recorded.request
            if _any_under_way(connection, approvals.claim_keys(connection, operation)):
                return None
            lapsed = approvals.lapse(connection, operation.id, at)
            if lapsed:
                audit.record(connection, operation, AuditOutcome.LAPSED, at, ended_request=lapsed)
            return lapsed

    def approval_requests(self, ref: Ref, at: datetime) -> tuple[ApprovalRequest, ...]:
        """Return the requests that wait for approvals on an object, oldest first."""
        with self.engine.begin() as connection:
            return approvals.open_requests(connection, ref, at)

    def open_requests(self, at: datetime) -> list[OpenRequest]:
        """Return every request that waits for approvals and is not being sent, oldest first."""
        with self.engine.begin() as connection:
            requests = approvals.all_open(connection, at)
            being_sent = sa.select(claims.c.key).where(
                claims.c.key.in_([key for key, _ in requests]), claims.c.state.in_(UNDER_WAY)
            )
            keys = set(connection.execute(being_sent).scalars()) if requests else set()
        return [request for key, request in requests if key not in keys]

    def revoke_approvals(
        self,
        ref: Ref,
        revoked: Sequence[Approval],
        at: datetime,
        entries: Sequence[OutboxEntry] = (),
        *,
        dropped: Sequence[Approval] = (),
    ) -> None:
        """Revoke approvals by people who may not give them any more, and say so by ``entries``.

        The ``dropped`` approvals of later stages go with them.
        """
        facts = {"dropped_approvals": _dumped(dropped)}
        ids = {approval.operation_id for approval in revoked}
        with self.engine.begin() as connection:
            approvals.lock_object(connection, ref)
            for operation in approvals.revoke(connection, ref, [*revoked, *dropped]):
                if operation.id in ids:
                    audit.record(connection, operation, AuditOutcome.REVOKED, at, **facts)
            outbox.enqueue(connection, self._insert, entries, at)

    def mark_in_doubt(self, operation: Operation) -> None:
        """Record that it is not known yet whether an operation's write took effect."""
        row = (claims.c.operation_id == operation.id) & (claims.c.state == OperationState.PENDING)
        with self.engine.begin() as connection:
            connection.execute(sa.update(claims).where(row).values(state=OperationState.IN_DOUBT))

    def conclude(self, operation: Operation, outcome: Outcome, at: datetime) -> None:
        """Record how an operation ended, and free the keys that it held unless it is done."""
        rows = (claims.c.operation_id == operation.id) & claims.c.state.in_(UNDER_WAY)
        keys = sa.select(claims.c.key).where(rows)
        with self.engine.begin() as connection:
            # Approvals are for this attempt only: whatever came of it, another one needs new ones.
            approvals.delete(connection, approvals_table.c.key.in_(keys))
            connection.execute(sa.update(claims).where(rows).values(state=outcome.state, at=at))
            if operation.intent is not ApprovalIntent.GIVE and outcome.state is OperationState.DONE:
                return  # on record as what it was: "done" would read as the action itself
            recorded = audit.record_end(connection, operation, outcome, at)
            if not recorded:  # a step that runs again must not follow its run again
                return
            if outcome.state is OperationState.DONE:
                follow(connection, operation, outcome, at)

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` claims that ended before a time; return how many.

        A claim stays for as long as its operation's workflow is on record: what runs again finds
        by it that it has written already.
        """
        workflows = status_table(self.engine)
        has_workflow = sa.exists().where(workflows.c.workflow_uuid == claims.c.operation_id)
        ended = claims.c.state.not_in(UNDER_WAY) & (claims.c.at < before)
        return self._delete(claims, ended & sa.not_(has_workflow), limit)

    def standing_operation(self, ref: Ref, *states: OperationState) -> StandingOperation | None:
        """Return the last operation on an object that is in one of these states."""
        with self.engine.begin() as connection:
            return standing_operation(connection, ref, states)


def standing_operation(
    connection: sa.Connection, ref: Ref, states: Sequence[OperationState]
) -> StandingOperation | None:
    """Return the last operation on an object that is in one of these states."""
    query = (
        sa.select(claims)
        .where(claims.c.ref == str(ref), claims.c.state.in_(states))
        .order_by(claims.c.at.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return _standing(row) if row else None


def _lock(connection: sa.Connection, claim_request: ClaimRequest) -> None:
    """Lock an operation's object and what it covers, always in one order.

    Two that took these locks in other orders would wait for one another.
    """
    for ref in sorted({str(claim_request.operation.ref), *map(str, claim_request.covers)}):
        approvals.lock_object(connection, ref)


def _change_request(
    connection: sa.Connection, operation: Operation, at: datetime
) -> ApprovalChange:
    """Withdraw or decline, as the operation's intent is."""
    match operation.intent:
        case ApprovalIntent.WITHDRAW:
            return approvals.withdraw(connection, operation, at)
        case ApprovalIntent.DECLINE:
            return approvals.decline(connection, operation, at)
        case ApprovalIntent.GIVE:
            raise ValueError("To give an approval is to claim.")
        case intent:
            assert_never(intent)


def _brake_applies(connection: sa.Connection, operation: Operation, at: datetime) -> bool:
    """Whether the failure group was retried so often lately that a second person is needed."""
    terms, workspace = operation.terms, operation.ref.workspace
    if not terms.brake_retries or terms.break_glass_channel:
        return False
    approvals.lock_object(connection, f"retries of {workspace}:{terms.failure_group}")
    query = (
        sa.select(sa.func.count())
        .select_from(claims)
        .where(
            claims.c.workspace == workspace,
            claims.c.claim_group == BY_NAME[operation.action].claim_group,
            claims.c.failure_group == terms.failure_group,
            claims.c.at > at - timedelta(seconds=terms.brake_within),
            claims.c.state.in_(PERHAPS_SENT),
        )
    )
    return int(connection.execute(query).scalar_one()) >= terms.brake_retries


def _overlapping(
    connection: sa.Connection, claim_request: ClaimRequest
) -> StandingOperation | None:
    """Return a retry under way of an object that this retry works on, or that works on this one.

    One that was sent is under way until its run has ended, which is followed. One that may have
    been sent shows by then whether it was.
    """
    is_followed = sa.exists().where(
        followed_operations.c.operation_id == claims.c.operation_id,
        followed_operations.c.ended_at.is_(None),
    )
    operation, since = claim_request.operation, claim_request.at - MAX_OVERLAP
    done = (claims.c.state == OperationState.DONE) & (claims.c.at > since) & is_followed
    settling = claims.c.at > claim_request.at - SETTLE_TIME
    perhaps = (claims.c.state == OperationState.UNKNOWN) & settling
    query = sa.select(claims).where(
        claims.c.workspace == operation.ref.workspace,
        claims.c.claim_group == BY_NAME[operation.action].claim_group,
        claims.c.ref != str(operation.ref),
        sa.or_(claims.c.state.in_(UNDER_WAY), done, perhaps),
    )
    refs, own = set(map(str, claim_request.covers)), str(operation.ref)
    rows = connection.execute(query.order_by(claims.c.at.desc())).all()
    row = next((row for row in rows if row.ref in refs or own in row.covers), None)
    return _standing(row) if row else None


def _dumped(dropped: Sequence[Approval]) -> list[dict[str, Any]] | None:
    """Return approvals as the audit has them; None for none."""
    return [approval.model_dump(mode="json") for approval in dropped] or None


def _any_under_way(connection: sa.Connection, keys: set[str]) -> bool:
    query = sa.select(claims.c.key).where(claims.c.key.in_(keys), claims.c.state.in_(UNDER_WAY))
    return connection.execute(query).first() is not None


def _standing(row: Row) -> StandingOperation:
    operation = Operation.model_validate(row.operation)
    # A retry's key ends with the attempt of the run that had failed.
    attempt = row.key.rpartition(":")[2]
    is_counted = BY_NAME[operation.action].is_retry and attempt.isdecimal()
    return StandingOperation(
        operation=operation,
        state=row.state,
        at=from_db(row.at),
        attempt_before=int(attempt) if is_counted else None,
    )
