"""The tables of the durable workflows: who carries an operation out, and what has ended.

They are DBOS's own, which alone writes them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.domain.audit import AuditOutcome
from bot.domain.operations import UNDER_WAY, Runner, StandingOperation
from bot.store import audit_log
from bot.store.locks import is_name_held
from bot.store.repository import Repository
from bot.store.tables import claims

OPERATION = "perform"  # the name of the workflow that carries out an operation
STOPPED = ("CANCELLED", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
ENDED = ("SUCCESS", "ERROR", "CANCELLED")


def status_table(engine: sa.Engine) -> sa.TableClause:
    """Return the table of workflows, with the columns that are read here."""
    return sa.table(
        "workflow_status",
        sa.column("workflow_uuid", sa.String),
        sa.column("name", sa.String),
        sa.column("status", sa.String),
        sa.column("executor_id", sa.String),
        sa.column("parent_workflow_id", sa.String),
        sa.column("created_at", sa.BigInteger),  # in milliseconds, as all times here
        sa.column("completed_at", sa.BigInteger),
        schema="dbos" if engine.dialect.name == "postgresql" else None,
    )


class Workflows(Repository):
    """The table of workflows."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self._status = status_table(engine)

    def with_runner(self, standing: StandingOperation) -> StandingOperation:
        """Return a standing operation with who carries it out, asked if it is under way."""
        if standing.state not in UNDER_WAY:
            return standing
        runner = self.runner(standing.operation.id)
        return standing.model_copy(update={"runner": runner})

    def runner(self, operation_id: str) -> Runner:
        """Return whether somebody carries an operation out, or will."""
        table = self._status
        query = sa.select(table).where(table.c.workflow_uuid == operation_id)
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.status in STOPPED:
            return Runner.STOPPED
        if row.status != "PENDING" or is_name_held(self.engine, row.executor_id):
            return Runner.ALIVE
        return Runner.ABSENT

    def in_open_batches(self, operation_ids: Sequence[str]) -> set[str]:
        """Return those of these operations whose batch has not ended."""
        table, batch = self._status, self._status.alias()
        query = (
            sa.select(table.c.workflow_uuid)
            .join(batch, batch.c.workflow_uuid == table.c.parent_workflow_id)
            .where(table.c.workflow_uuid.in_(operation_ids), batch.c.status.not_in(ENDED))
        )
        with self.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def oldest_operation(self) -> datetime | None:
        """Return when the operation was recorded that has gone on for longest; None for none.

        An approval that waits for others has its end on record, and an end that was not told has
        not ended.
        """
        table = self._status
        query = (
            sa.select(table.c.workflow_uuid, table.c.created_at)
            .where(table.c.status == "PENDING", table.c.name == OPERATION)
            .order_by(table.c.created_at)
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
            ids = [row.workflow_uuid for row in rows]
            counted = audit_log.find(connection, ids, AuditOutcome.COUNTED)
        waiting = {record["operation_id"] for record in counted}
        return next(
            (
                datetime.fromtimestamp(row.created_at / 1000, UTC)
                for row in rows
                if row.workflow_uuid not in waiting
            ),
            None,
        )

    def ended(self, before: datetime, limit: int) -> list[str]:
        """Return the ids of up to ``limit`` workflows that ended before a time, oldest first.

        Without those that an operator may still have carried on, since they hold a claim, and
        those whose batch has not ended: it would start them anew.
        """
        table, batch = self._status, self._status.alias()
        holds_claim = sa.exists().where(
            claims.c.operation_id == table.c.workflow_uuid, claims.c.state.in_(UNDER_WAY)
        )
        has_open_batch = sa.exists().where(
            batch.c.workflow_uuid == table.c.parent_workflow_id, batch.c.status.not_in(ENDED)
        )
        query = (
            sa.select(table.c.workflow_uuid)
            .where(
                table.c.status.in_(ENDED),
                table.c.completed_at < int(before.timestamp() * 1000),
                sa.not_(holds_claim),
                sa.not_(has_open_batch),
            )
            .order_by(table.c.completed_at)
            .limit(limit)
        )
        with self.engine.begin() as connection:
            return list(connection.execute(query).scalars())
