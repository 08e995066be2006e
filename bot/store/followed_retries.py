"""Runs that were retried from here, until the thread has been told how they ended."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.notifications import OutboxEntry
from bot.domain.operations import Operation
from bot.domain.tracking import FollowedRetry
from bot.store.outbox import enqueue
from bot.store.tables import followed_retries
from bot.store.times import from_db, to_utc


def follow_retry(
    connection: sa.Connection, operation: Operation, retries: int, at: datetime
) -> None:
    """Remember to tell how a retried run ends, in the caller's transaction."""
    row = {
        "operation_id": operation.id,
        "ref": str(operation.ref),
        "operation": operation.model_dump(mode="json"),
        "retries_before": retries,
        "checked_at": at,
    }
    known = sa.select(followed_retries.c.operation_id).where(
        followed_retries.c.operation_id == operation.id
    )
    if connection.execute(known).first() is None:
        connection.execute(sa.insert(followed_retries).values(row))


class FollowedRetries:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def all(self, most: int) -> list[FollowedRetry]:
        """Up to so many, the oldest first."""
        query = sa.select(followed_retries).order_by(followed_retries.c.checked_at).limit(most)
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [
            FollowedRetry(
                operation=Operation.model_validate(row.operation),
                retries_before=row.retries_before,
                at=from_db(row.checked_at),
            )
            for row in rows
        ]

    def finish(self, of: FollowedRetry, notices: Sequence[OutboxEntry], at: datetime) -> None:
        """Forget a run, and write down what is to be said of its end."""
        own = followed_retries.c.operation_id == of.operation.id
        with self.engine.begin() as connection:
            connection.execute(sa.delete(followed_retries).where(own))
            enqueue(connection, self._insert, notices, at)

    def mark_checked(self, of: FollowedRetry, at: datetime) -> None:
        """Have the others looked at before it is this one's turn again."""
        own = followed_retries.c.operation_id == of.operation.id
        with self.engine.begin() as connection:
            connection.execute(sa.update(followed_retries).where(own).values(checked_at=to_utc(at)))
