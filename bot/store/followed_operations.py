"""Operations whose run is followed until it is known what came of them, and what came of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.actions import BY_NAME
from bot.domain.audit import AuditOutcome
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.operations import Operation, Outcome
from bot.domain.run_results import RunResult, RunStatus
from bot.domain.tracking import FollowedOperation
from bot.store import audit
from bot.store.outbox import enqueue
from bot.store.repository import Repository
from bot.store.tables import followed_operations
from bot.store.times import from_db, to_utc

Row = sa.Row[Any]
UNDER_WAY = followed_operations.c.ended_at.is_(None)


def follow(connection: sa.Connection, operation: Operation, outcome: Outcome, at: datetime) -> None:
    """Record that the run of an operation is to be followed, in the caller's transaction.

    An operation that has none is not followed.
    """
    run = str(operation.ref) if outcome.attempt_before is not None else outcome.followed_run
    if not run:
        return
    row = {
        "operation_id": operation.id,
        "ref": str(operation.ref),
        "run": run,
        "operation": operation.model_dump(mode="json"),
        "attempt_before": outcome.attempt_before or 0,
        "is_reported": False,
        "at": to_utc(at),
        "checked_at": to_utc(at),
        "ended_at": None,
        "result": None,
    }
    connection.execute(sa.insert(followed_operations).values(row))


def result_of(connection: sa.Connection, operation: Operation) -> RunResult | None:
    """Return what came of an operation; None where that is not known, or nothing is followed."""
    query = sa.select(followed_operations.c.result).where(
        followed_operations.c.operation_id == operation.id
    )
    result = connection.execute(query).scalar()
    return RunResult.model_validate(result) if result else None


def decision_about(connection: sa.Connection, run: Ref) -> Operation | None:
    """Return the last decision on a task that let a run continue; None where there is none."""
    query = (
        sa.select(followed_operations.c.operation)
        .where(followed_operations.c.run == str(run), followed_operations.c.ref != str(run))
        .order_by(followed_operations.c.at.desc())
        .limit(1)
    )
    operation = connection.execute(query).scalar()
    return Operation.model_validate(operation) if operation else None


class FollowedOperations(Repository):
    """The table of followed operations."""

    def under_way(self, limit: int) -> list[FollowedOperation]:
        """Return up to ``limit`` that have not ended, those first that were checked longest ago."""
        query = sa.select(followed_operations).where(UNDER_WAY)
        query = query.order_by(followed_operations.c.checked_at).limit(limit)
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [followed for row in rows if (followed := _followed(row))]

    def mark_checked(self, followed: FollowedOperation, at: datetime) -> None:
        """Record that a run was checked, so that the others come before it."""
        row = followed_operations.c.operation_id == followed.operation.id
        update = sa.update(followed_operations).where(row).values(checked_at=to_utc(at))
        with self.engine.begin() as connection:
            connection.execute(update)

    def report(
        self, followed: FollowedOperation, notifications: Sequence[OutboxEntry], at: datetime
    ) -> None:
        """Enqueue what is said of a run that goes on; nothing more is said before its end."""
        with self.engine.begin() as connection:
            row = followed_operations.c.operation_id == followed.operation.id
            update = sa.update(followed_operations).where(row).values(is_reported=True)
            connection.execute(update)
            enqueue(connection, self._insert, notifications, at)

    def end(
        self,
        followed: FollowedOperation,
        result: RunResult,
        notifications: Sequence[OutboxEntry],
        at: datetime,
    ) -> None:
        """Record what came of an operation, also in the audit, and enqueue its notifications.

        All of it once, whoever finds it out.
        """
        operation = followed.operation
        row = (followed_operations.c.operation_id == operation.id) & UNDER_WAY
        values = {"ended_at": to_utc(at), "result": result.model_dump(mode="json")}
        with self.engine.begin() as connection:
            update = sa.update(followed_operations).where(row).values(values)
            if not connection.execute(update).rowcount:
                return
            audit.record(
                connection,
                operation,
                AuditOutcome.RESULT,
                at,
                detail=result.status,
                run_result=result,
            )
            enqueue(connection, self._insert, notifications, at)

    def count_failed_decisions(self, since: datetime, until: datetime) -> int:
        """Return after how many decisions the run failed, from ``since`` until before ``until``."""
        query = sa.select(followed_operations.c.operation, followed_operations.c.result).where(
            followed_operations.c.ended_at >= to_utc(since),
            followed_operations.c.ended_at < to_utc(until),
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return sum(
            RunResult.model_validate(row.result).status is RunStatus.FAILED
            and BY_NAME[Operation.model_validate(row.operation).action].is_decision
            for row in rows
        )

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` rows of operations from before a time; return how many.

        Also those that have not ended: where SecMaster is not polled none does.
        """
        return self._delete(followed_operations, followed_operations.c.at < to_utc(before), limit)


def _followed(row: Row) -> FollowedOperation | None:
    run = Ref.parse(row.run)
    if run is None:
        return None
    return FollowedOperation(
        operation=Operation.model_validate(row.operation),
        run=run,
        attempt_before=row.attempt_before,
        is_reported=row.is_reported,
        at=from_db(row.checked_at),
    )
