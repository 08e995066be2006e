"""Runs that were retried from here, until the thread has been told how they ended."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.models import Follow, Operation
from bot.domain.notifications import Due
from bot.store.outbox import enqueue
from bot.store.tables import follows
from bot.store.times import kept, utc


def follow(connection: sa.Connection, operation: Operation, retries: int, at: datetime) -> None:
    """Remember to tell how a retried run ends, in the caller's transaction."""
    row = {
        "operation_id": operation.id,
        "ref": str(operation.ref),
        "operation": operation.model_dump(mode="json"),
        "retries": retries,
        "at": at,
    }
    known = sa.select(follows.c.operation_id).where(follows.c.operation_id == operation.id)
    if connection.execute(known).first() is None:
        connection.execute(sa.insert(follows).values(row))


class Follows:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def all(self, most: int) -> list[Follow]:
        """Up to so many, the oldest first."""
        query = sa.select(follows).order_by(follows.c.at).limit(most)
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [
            Follow(
                operation=Operation.model_validate(row.operation),
                retries=row.retries,
                at=utc(row.at),
            )
            for row in rows
        ]

    def ended(self, of: Follow, notices: Sequence[Due], at: datetime) -> None:
        """Forget a run, and write down what is to be said of its end."""
        own = follows.c.operation_id == of.operation.id
        with self.engine.begin() as connection:
            connection.execute(sa.delete(follows).where(own))
            enqueue(connection, self._insert, notices, at)

    def put_last(self, of: Follow, at: datetime) -> None:
        """Have the others looked at before it is this one's turn again."""
        own = follows.c.operation_id == of.operation.id
        with self.engine.begin() as connection:
            connection.execute(sa.update(follows).where(own).values(at=kept(at)))
