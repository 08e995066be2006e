"""Channels that subscribed to all that arrives, beside the policy's routes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.store.repository import Repository
from bot.store.tables import subscriptions


def add(
    connection: sa.Connection,
    insert: Callable[..., Any],
    channel: str,
    actor_id: str,
    at: datetime,
) -> bool:
    """Subscribe a channel in the caller's transaction; False if it is subscribed already.

    ``insert`` is the INSERT of the connection's dialect.
    """
    row = {"channel": channel, "actor_id": actor_id, "at": at}
    statement = insert(subscriptions).values(row).on_conflict_do_nothing()
    # By what is returned: of an INSERT psycopg does not tell how many rows there were.
    return connection.execute(statement.returning(subscriptions.c.channel)).first() is not None


def remove(connection: sa.Connection, channel: str) -> bool:
    """Unsubscribe a channel in the caller's transaction; False if it was not subscribed."""
    row = subscriptions.c.channel == channel
    return bool(connection.execute(sa.delete(subscriptions).where(row)).rowcount)


class Subscriptions(Repository):
    """Reads the table of subscriptions."""

    def channels(self) -> list[str]:
        """Return the subscribed channels, oldest subscription first."""
        with self.engine.begin() as connection:
            query = sa.select(subscriptions.c.channel).order_by(subscriptions.c.at)
            return [row.channel for row in connection.execute(query)]
