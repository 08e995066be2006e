"""Channels in which nothing can be posted, and when that was last tried."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.domain.reasons import ChannelRefusal
from bot.store.repository import Repository
from bot.store.tables import closed_channels
from bot.store.times import to_utc


def reopen(connection: sa.Connection, channel: str) -> None:
    """Record that a channel takes messages after all, in the caller's transaction."""
    connection.execute(sa.delete(closed_channels).where(closed_channels.c.channel == channel))


class ClosedChannels(Repository):
    """The table of closed channels."""

    def mark_closed(self, channel: str, code: str, at: datetime) -> bool:
        """Record that posting in a channel failed with Slack's error code; True if that is new."""
        row = {"channel": channel, "code": code, "at": at, "tried_at": at}
        insert = self._insert(closed_channels).values(row)
        with self.engine.begin() as connection:
            existing = connection.execute(
                sa.select(closed_channels).where(closed_channels.c.channel == channel)
            ).first()
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["channel"], set_={"tried_at": at, "code": code}
                )
            )
        return existing is None

    def is_closed(self, channel: str, at: datetime, retry_after: timedelta) -> bool:
        """Whether Slack keeps a channel closed and it was tried less than ``retry_after`` ago.

        What the policy keeps closed is open again as soon as the policy says so.
        """
        row = (
            (closed_channels.c.channel == channel)
            & (closed_channels.c.tried_at > to_utc(at - retry_after))
            & closed_channels.c.code.not_in(list(ChannelRefusal))
        )
        with self.engine.begin() as connection:
            query = sa.select(closed_channels.c.channel).where(row)
            return connection.execute(query).first() is not None

    def all(self) -> list[tuple[str, str]]:
        """Return the closed channels, each with Slack's error code; closed longest first."""
        with self.engine.begin() as connection:
            query = sa.select(closed_channels).order_by(closed_channels.c.at)
            return [(row.channel, row.code) for row in connection.execute(query)]
