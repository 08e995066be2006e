"""Runs that were retried from here, until their thread has been told how they ended."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bot.domain.notifications import OutboxEntry
from bot.domain.operations import Operation
from bot.domain.tracking import FollowedRetry
from bot.store.outbox import enqueue
from bot.store.repository import Repository
from bot.store.tables import followed_retries
from bot.store.times import from_db, to_utc


def follow_retry(
    connection: sa.Connection, operation: Operation, attempt_before: int, at: datetime
) -> None:
    """Record that a retried run is to be followed to its end, in the caller's transaction."""
    row = {
        "operation_id": operation.id,
        "ref": str(operation.ref),
        "operation": operation.model_dump(mode="json"),
        "attempt_before": attempt_before,
        "checked_at": at,
    }
    connection.execute(sa.insert(followed_retries).values(row))


class FollowedRetries(Repository):
    """The table of followed retries."""

    def all(self, limit: int) -> list[FollowedRetry]:
        """Return up to ``limit`` followed retries, those first that were checked longest ago."""
        query = sa.select(followed_retries).order_by(followed_retries.c.checked_at).limit(limit)
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [
            FollowedRetry(
                operation=Operation.model_validate(row.operation),
                attempt_before=row.attempt_before,
                at=from_db(row.checked_at),
            )
            for row in rows
        ]

    def finish(
        self, retry: FollowedRetry, notifications: Sequence[OutboxEntry], at: datetime
    ) -> None:
        """Stop following a retry, and enqueue the notifications of its end."""
        row = followed_retries.c.operation_id == retry.operation.id
        with self.engine.begin() as connection:
            connection.execute(sa.delete(followed_retries).where(row))
            enqueue(connection, self._insert, notifications, at)

    def mark_checked(self, retry: FollowedRetry, at: datetime) -> None:
        """Record that a retry was checked, so that the others come before it."""
        row = followed_retries.c.operation_id == retry.operation.id
        with self.engine.begin() as connection:
            connection.execute(sa.update(followed_retries).where(row).values(checked_at=to_utc(at)))
