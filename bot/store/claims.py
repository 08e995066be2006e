"""Everything that is asked of the tables. Each call is one transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest, ApprovalResult
from bot.domain.objects import Ref, Value
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.domain.snapshots import StoredSnapshot
from bot.store import approvals, audit_log
from bot.store.cards import Cards
from bot.store.delegations import Delegations
from bot.store.followed_retries import FollowedRetries, follow_retry
from bot.store.home_views import HomeViews
from bot.store.outbox import Outbox
from bot.store.poll_status import PollStatuses
from bot.store.tables import approvals as approvals_table
from bot.store.tables import audit, claims
from bot.store.times import from_db
from bot.store.tracked import TrackedObjects

Row = sa.Row[Any]
SPENT = timedelta(minutes=1)  # by then SecMaster shows what was done
UNDER_WAY = (OperationState.PENDING, OperationState.IN_DOUBT)
PERHAPS_SENT = (OperationState.DONE, OperationState.UNKNOWN, *UNDER_WAY)
NOBODY = ApprovalResult()
FREE = ApprovalResult(enough=True)  # without a key there is nothing to share


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What asking for a key came to: the ``holder`` if somebody else has it, or the ``poll``.

    The operation is as it goes on: with the others who said yes.
    """

    operation: Operation
    holder: StandingOperation | None = None
    approval: ApprovalResult = NOBODY


class Store(Cards):
    """Who holds what, who said what, and what came of it; and the cards."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.delegations = Delegations(engine)
        self.tracked = TrackedObjects(engine)
        self.poll_statuses = PollStatuses(engine)
        self.outbox = Outbox(engine)
        self.followed_retries = FollowedRetries(engine)
        self.home_views = HomeViews(engine)

    def claim(
        self, operation: Operation, key: str, at: datetime, seen: StoredSnapshot
    ) -> ClaimResult:
        """Take ``key`` for this operation, or say who holds it, or for whom it waits.

        A key whose operation failed or ended unknown is free again. So is one that was done a
        while ago: whoever asks has just seen the object open again. Asking twice for the same
        operation is asking once; without a key there is nothing to lose. Either way the attempt
        is in the audit: ``allowed``, ``counted`` or ``lost``.
        """
        with self.engine.begin() as connection:
            approvals.lock_object(connection, operation.ref)
            self._keep(connection, operation.ref, seen, at)
            taken = _taken(connection, operation, key)
            if taken and not approvals.approved_other_version(
                connection, taken, key, seen.fingerprint
            ):
                return ClaimResult(
                    taken, approval=ApprovalResult(enough=True, co_approvers=taken.co_approvers)
                )
            if taken:  # those who backed it said yes to what has changed since
                _give_back(connection, taken)
            holder = self._holder(connection, operation, key, at) if key else None
            if not taken and audit_log.is_recorded(
                connection, operation.id, OperationState.COUNTED
            ):
                # Before a crash; since then it may have been enough, or taken back, or be over.
                ballot = None if holder else approvals.request_of(connection, operation)
                return ClaimResult(
                    operation,
                    approval=ApprovalResult(
                        request=ballot,
                        reason=OutcomeReason.NONE if ballot else OutcomeReason.REQUEST_OVER,
                    ),
                )
            if holder:
                detail = f"to {holder.operation.actor.id}"
                self._note(connection, operation, "lost", at, detail=detail)
                return ClaimResult(operation, holder=holder)
            return self._polled(connection, operation, key, at, seen)

    def _polled(
        self,
        connection: sa.Connection,
        operation: Operation,
        key: str,
        at: datetime,
        seen: StoredSnapshot,
    ) -> ClaimResult:
        """Take a free key if nobody else is needed for it, or count the yes."""
        if _braked(connection, operation, at):
            asked = {"approvals": max(2, operation.terms.approvals), "brake_applied": True}
            terms = operation.terms.model_copy(update=asked)
            operation = operation.model_copy(update={"terms": terms})
        poll = (
            approvals.add_approval(connection, operation, key, seen.fingerprint, at)
            if key
            else FREE
        )
        if poll.reason:
            return ClaimResult(operation, approval=poll)
        backed = operation.model_copy(update={"co_approvers": poll.co_approvers})
        if key and poll.enough:
            self._take(connection, backed, key, at)
        outcome = "allowed" if poll.enough else OperationState.COUNTED
        told = {
            "preflight_fingerprint": seen.fingerprint,
            "request": poll.request,
            "ended_request": poll.ended_request,
        }
        outdated = [vote.actor.id for vote in poll.outdated_approvals]
        self._note(connection, backed, outcome, at, **told, outdated_approvals=outdated or None)
        return ClaimResult(backed, approval=poll)

    def _holder(
        self, connection: sa.Connection, operation: Operation, key: str, at: datetime
    ) -> StandingOperation | None:
        """Who holds a key that is not free."""
        over = claims.c.state.in_([OperationState.FAILED, OperationState.UNKNOWN])
        spent = (claims.c.state == OperationState.DONE) & (claims.c.at < at - SPENT)
        held = sa.select(claims).where(claims.c.key == key, sa.not_(sa.or_(over, spent)))
        row = connection.execute(held).one_or_none()
        return None if row is None or row.operation_id == operation.id else _verdict(row)

    def _take(
        self, connection: sa.Connection, operation: Operation, key: str, at: datetime
    ) -> None:
        mine = {
            "ref": str(operation.ref),
            "operation_id": operation.id,
            "operation": operation.model_dump(mode="json"),
            "state": OperationState.PENDING,
            "at": at,
        }
        take = self._insert(claims).values(key=key, **mine)
        connection.execute(take.on_conflict_do_update(index_elements=["key"], set_=mine))

    def withdraw(self, operation: Operation, at: datetime) -> ApprovalResult | None:
        """Take a yes back, or with a refusal end what waits; None if there is nothing to end."""
        end = (
            approvals.withdraw if operation.intent is ApprovalIntent.WITHDRAW else approvals.decline
        )
        with self.engine.begin() as connection:
            approvals.lock_object(connection, operation.ref)
            if kept := _kept(connection, operation, operation.intent):
                return kept
            if _under_way(connection, approvals.claim_keys(connection, operation)):
                return ApprovalResult(reason=OutcomeReason.ALREADY_SENDING)
            poll = end(connection, operation, at)
            if poll:
                more = {"request": poll.request, "ended_request": poll.ended_request}
                self._note(connection, operation, operation.intent, at, **more)
            return poll

    def lapse(self, operation: Operation, at: datetime) -> ApprovalRequest | None:
        """End the ballot that an operation opened if its time is over, and return it."""
        with self.engine.begin() as connection:
            approvals.lock_object(connection, operation.ref)
            if kept := _kept(connection, operation, "lapsed"):
                return kept.ended_request
            if _under_way(connection, approvals.claim_keys(connection, operation)):
                return None
            lapsed = approvals.lapse(connection, operation.id, at)
            if lapsed:
                self._note(connection, operation, "lapsed", at, ended_request=lapsed)
            return lapsed

    def approval_requests(self, ref: Ref, at: datetime) -> tuple[ApprovalRequest, ...]:
        """What waits for more people on an object, what was asked for first at the beginning."""
        with self.engine.begin() as connection:
            return approvals.open_requests(connection, ref, at)

    def revoke_approvals(self, ref: Ref, struck: Sequence[Approval], at: datetime) -> None:
        """Count no longer what people have said who may not say it any more."""
        with self.engine.begin() as connection:
            approvals.lock_object(connection, ref)
            for operation in approvals.revoke(connection, ref, struck):
                self._note(connection, operation, "struck", at)

    def mark_in_doubt(self, operation: Operation) -> None:
        """Note that nobody knows yet what became of a write."""
        mine = (claims.c.operation_id == operation.id) & (claims.c.state == OperationState.PENDING)
        with self.engine.begin() as connection:
            connection.execute(sa.update(claims).where(mine).values(state=OperationState.IN_DOUBT))

    def record_refusal(self, operation: Operation, detail: str, at: datetime) -> None:
        with self.engine.begin() as connection:
            self._note(connection, operation, "refused", at, detail=detail)

    def conclude(self, operation: Operation, outcome: Outcome, at: datetime) -> None:
        """Write down how an operation ended, and free what it held unless it is done."""
        detail = " ".join(filter(None, (outcome.reason_code, outcome.code, outcome.message)))
        own = (claims.c.operation_id == operation.id) & claims.c.state.in_(UNDER_WAY)
        held = sa.select(claims.c.key).where(own)
        with self.engine.begin() as connection:
            # It was for this once: whatever came of it, to want it again is to say so again.
            approvals.delete(connection, approvals_table.c.key.in_(held))
            connection.execute(sa.update(claims).where(own).values(state=outcome.state, at=at))
            if operation.intent is not ApprovalIntent.GIVE and outcome.state is OperationState.DONE:
                return  # on record as what it was: "done" would read as the action itself
            if outcome.state is OperationState.DONE and outcome.retries_before is not None:
                follow_retry(connection, operation, outcome.retries_before, at)
            self._note(
                connection,
                operation,
                outcome.state,
                at,
                detail=detail,
                status=outcome.status,
                request_id=outcome.request_id,
                status_before=outcome.status_before,
                status_after=outcome.status_after,
                preflight_fingerprint=outcome.preflight_fingerprint,
                duration=outcome.duration,
            )

    def _note(
        self,
        connection: sa.Connection,
        operation: Operation,
        outcome: str,
        at: datetime,
        **more: Any,
    ) -> None:
        """Add an attempt to the audit, once for each outcome."""
        told = operation.model_dump(mode="json", exclude={"id", "ref", "process_id", "accepted_at"})
        told["location"].pop("response_url")  # whoever has it can answer in our name
        own = {
            "at": at,
            "operation_id": operation.id,
            "outcome": outcome,
            "target": str(operation.ref),
            "accepted_at": operation.accepted_at.isoformat(),
        }
        extra = {key: _plain(value) for key, value in more.items() if value not in (None, "")}
        audit_log.append(connection, told | own | extra)

    def record(self, entry: Mapping[str, Any]) -> None:
        """Add to the audit what is not about a task or an instance."""
        with self.engine.begin() as connection:
            audit_log.append(connection, entry)

    def standing_operation(self, ref: Ref, *states: OperationState) -> StandingOperation | None:
        """The last operation on this object that is in one of these states."""
        last = (
            sa.select(claims)
            .where(claims.c.ref == str(ref), claims.c.state.in_(states))
            .order_by(claims.c.at.desc())
            .limit(1)
        )
        with self.engine.begin() as connection:
            row = connection.execute(last).one_or_none()
        return _verdict(row) if row else None

    def audit_entries(self, target: Ref | str) -> list[dict[str, Any]]:
        """Every attempt on one object, oldest first."""
        return list(audit_log.entries(self.engine, target=str(target)))


def _taken(connection: sa.Connection, operation: Operation, key: str) -> Operation | None:
    """An operation as it went on with the key, if a step of its comes here anew."""
    mine = (claims.c.key == key) & (claims.c.operation_id == operation.id)
    row = connection.execute(sa.select(claims).where(mine)).one_or_none()
    return _verdict(row).operation if row else None


def _give_back(connection: sa.Connection, operation: Operation) -> None:
    connection.execute(sa.delete(claims).where(claims.c.operation_id == operation.id))


def _kept(connection: sa.Connection, operation: Operation, outcome: str) -> ApprovalResult | None:
    """What is on record of a poll that ended so; None if it did not."""
    record = sa.select(audit.c.record).where(audit.c.dedupe_key == f"{operation.id}:{outcome}")
    text = connection.execute(record).scalar()
    if text is None:
        return None
    told = json.loads(text)
    ballot, ended = (told.get(each) for each in ("request", "ended_request"))
    return ApprovalResult(
        request=ApprovalRequest.model_validate(ballot) if ballot else None,
        ended_request=ApprovalRequest.model_validate(ended) if ended else None,
    )


def _braked(connection: sa.Connection, operation: Operation, at: datetime) -> bool:
    """Whether what is retried was retried so often lately that a second person is asked for."""
    terms = operation.terms
    if not terms.brake_retries or terms.break_glass_channel:
        return False
    approvals.lock_object(connection, f"retries of {operation.ref.workspace}:{terms.failure_group}")
    since = at - timedelta(seconds=terms.brake_within)
    sent = claims.c.key.like("%:retry:%") & (claims.c.at > since)
    lately = connection.execute(
        sa.select(claims.c.operation).where(sent, claims.c.state.in_(PERHAPS_SENT))
    )
    others = [Operation.model_validate(row.operation) for row in lately]
    same = [each for each in others if _alike(each, operation)]
    return len(same) >= terms.brake_retries


def _alike(one: Operation, other: Operation) -> bool:
    workspaces = (one.ref.workspace, other.ref.workspace)
    return one.terms.failure_group == other.terms.failure_group and workspaces[0] == workspaces[1]


def _under_way(connection: sa.Connection, keys: set[str]) -> bool:
    running = claims.c.key.in_(keys) & claims.c.state.in_(UNDER_WAY)
    return connection.execute(sa.select(claims.c.key).where(running)).first() is not None


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Value) else value


def _verdict(row: Row) -> StandingOperation:
    asked = Operation.model_validate(row.operation)
    return StandingOperation(operation=asked, state=row.state, at=from_db(row.at))
