"""Channels that subscribed to all that arrives, beside the policy's routes."""

from datetime import datetime

import sqlalchemy as sa

from bot.store.repository import Repository
from bot.store.tables import subscriptions


class Subscriptions(Repository):
    """The table of subscriptions."""

    def add(self, channel: str, actor_id: str, at: datetime) -> bool:
        """Subscribe a channel; False if it is subscribed already."""
        row = {"channel": channel, "actor_id": actor_id, "at": at}
        with self.engine.begin() as connection:
            insert = self._insert(subscriptions).values(row).on_conflict_do_nothing()
            return bool(connection.execute(insert).rowcount)

    def remove(self, channel: str) -> bool:
        """Unsubscribe a channel; False if it was not subscribed."""
        row = subscriptions.c.channel == channel
        with self.engine.begin() as connection:
            return bool(connection.execute(sa.delete(subscriptions).where(row)).rowcount)

    def channels(self) -> list[str]:
        """Return the subscribed channels, oldest subscription first."""
        with self.engine.begin() as connection:
            query = sa.select(subscriptions.c.channel).order_by(subscriptions.c.at)
            return [row.channel for row in connection.execute(query)]
