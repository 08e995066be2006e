"""Which messages to us were taken, by which process, and which of them are answered.

Slack delivers a message until it has our answer, to any replica; it is answered once.

https://docs.slack.dev/apis/events-api/#retries
"""

from datetime import datetime, timedelta
from enum import Enum, auto

import sqlalchemy as sa

from bot.store.repository import Repository
from bot.store.tables import deliveries
from bot.store.times import to_utc

# A process answers within three seconds; what it has not answered after this it died over.
LOST_AFTER = timedelta(seconds=10)


class DeliveryState(Enum):
    """What a delivery is: the first one of its message, one too many, or perhaps the next try."""

    NEW = auto()
    RETAKEN = auto()  # a process died over it, and may have recorded what it asks for
    KNOWN = auto()  # it is answered, or this process is at it
    ELSEWHERE = auto()  # another process is at it, which may have died


class Deliveries(Repository):
    """The table of deliveries, by a message's key."""

    def take(self, key: str, process_id: str, at: datetime) -> DeliveryState:
        """Take a message, which is for the caller to answer if it is NEW or RETAKEN.

        One that another process took and did not answer is taken over after a while.
        """
        row = {"process_id": process_id, "taken_at": to_utc(at)}
        once_more = row | {"attempts": deliveries.c.attempts + 1}
        is_lost = (
            deliveries.c.answered_at.is_(None)
            & (deliveries.c.process_id != process_id)
            & (deliveries.c.taken_at < to_utc(at - LOST_AFTER))
        )
        insert = self._insert(deliveries).values(key=key, attempts=1, **row)
        take = insert.on_conflict_do_update(index_elements=["key"], set_=once_more, where=is_lost)
        query = sa.select(deliveries).where(deliveries.c.key == key)
        with self.engine.begin() as connection:
            if attempts := connection.execute(take.returning(deliveries.c.attempts)).scalar():
                return DeliveryState.NEW if attempts == 1 else DeliveryState.RETAKEN
            existing = connection.execute(query).one()
        is_known = existing.answered_at is not None or existing.process_id == process_id
        return DeliveryState.KNOWN if is_known else DeliveryState.ELSEWHERE

    def mark_answered(self, key: str, at: datetime) -> None:
        """Record that a message is answered, or what it asks for is on record."""
        update = sa.update(deliveries).where(deliveries.c.key == key)
        with self.engine.begin() as connection:
            connection.execute(update.values(answered_at=to_utc(at)))

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` deliveries that were taken before a time; return how many."""
        return self._delete(deliveries, deliveries.c.taken_at < to_utc(before), limit)
