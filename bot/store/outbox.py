"""What the bot is to post by itself, in order, each thing once; and where it can't.

A line for each channel. Knows neither Slack nor the words.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.notifications import CardNotification, OutboxEntry
from bot.store.tables import closed_channels, outbox, subscriptions
from bot.store.times import from_db, from_db_or_none, to_utc

AHEAD = 500  # rows of a line that are looked at for what is posted together
WAITS = outbox.c.done_at.is_(None)


def enqueue(
    connection: sa.Connection,
    insert: Callable[..., Any],
    notices: Sequence[OutboxEntry],
    at: datetime,
) -> None:
    """Write down what is to be posted, in the caller's transaction; what is known is not again."""
    rows = [_row(each, at) for each in notices]
    if rows:
        once = insert(outbox).on_conflict_do_nothing(index_elements=["dedupe_key"])
        connection.execute(once, rows)


class Outbox:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def add(self, notices: Sequence[OutboxEntry], at: datetime) -> None:
        with self.engine.begin() as connection:
            enqueue(connection, self._insert, notices, at)

    def ready_channels(self, at: datetime) -> list[str]:
        """Where something is to be posted now."""
        ready = WAITS & (outbox.c.not_before <= to_utc(at))
        with self.engine.begin() as connection:
            query = sa.select(outbox.c.channel).where(ready).distinct()
            return [row.channel for row in connection.execute(query)]

    def next_entry(self, channel: str, at: datetime) -> OutboxEntry | None:
        """What is to be posted next in a channel, by now."""
        with self.engine.begin() as connection:
            row = connection.execute(self._line(channel, at).limit(1)).one_or_none()
        return _entry(row) if row else None

    def held_entries(self, channel: str, until: datetime, at: datetime) -> list[OutboxEntry]:
        """All that quiet hours held back until then in a channel."""
        with self.engine.begin() as connection:
            line = [_entry(row) for row in connection.execute(self._line(channel, at))]
        return [each for each in line if each.notification.held_until == until]

    def group_entries(self, due: OutboxEntry, at: datetime, most: int) -> list[OutboxEntry]:
        """What is first in line, and after it what is gathered with it.

        What may have been posted before a crash is not among that.
        """
        with self.engine.begin() as connection:
            line = connection.execute(self._line(due.channel, at).limit(AHEAD)).all()
        fresh = [each for each in map(_entry, line) if each.sending_at is None]
        same = [each for each in fresh if _group_key(each) == _group_key(due)]
        return [due, *(each for each in same if each.number != due.number)][:most]

    def _line(self, channel: str, at: datetime) -> sa.Select[Any]:
        ready = WAITS & (outbox.c.channel == channel) & (outbox.c.not_before <= to_utc(at))
        return sa.select(outbox).where(ready).order_by(outbox.c.number)

    def count(self) -> int:
        with self.engine.begin() as connection:
            query = sa.select(sa.func.count()).select_from(outbox).where(WAITS)
            return int(connection.execute(query).scalar_one())

    def mark_sending(self, these: Sequence[OutboxEntry], by: str, at: datetime) -> bool:
        """Note that these are about to be posted: after a crash they may have been.

        False if somebody else has taken them in hand since they were read.
        """
        first = these[0]
        taken = outbox.c.sending_by == first.sending_by, outbox.c.number == first.number
        with self.engine.begin() as connection:
            first_time = sa.func.coalesce(outbox.c.sending_at, to_utc(at))
            told = {"sending_by": by, "sending_at": first_time, "tried_at": to_utc(at)}
            own = sa.update(outbox).where(*taken, WAITS).values(**told)
            if not connection.execute(own).rowcount:
                return False
            if rest := [each.number for each in these[1:]]:
                also = sa.update(outbox).where(outbox.c.number.in_(rest))
                connection.execute(also.values(**told))
        return True

    def mark_done(self, numbers: Sequence[int], at: datetime, *, opens: str = "") -> None:
        """Note that these are through; ``opens`` is a channel that is not closed to us after all.

        One call for both: there is one for each message.
        """
        with self.engine.begin() as connection:
            these = outbox.c.number.in_(numbers)
            connection.execute(sa.update(outbox).where(these).values(done_at=at))
            if opens:
                connection.execute(
                    sa.delete(closed_channels).where(closed_channels.c.channel == opens)
                )

    def postpone(self, numbers: Sequence[int], at: datetime) -> None:
        """Leave these for later; they keep their place in line among what is ready then."""
        self._set(numbers, not_before=to_utc(at))

    def _set(self, numbers: Sequence[int], **told: Any) -> None:
        with self.engine.begin() as connection:
            these = outbox.c.number.in_(numbers)
            connection.execute(sa.update(outbox).where(these).values(**told))

    def purge(self, before: datetime) -> None:
        """Drop what was posted long ago; nobody can ask for it once more by then."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(outbox).where(outbox.c.done_at < to_utc(before)))

    # Channels that are closed to us, and channels that asked for what comes.

    def mark_closed(self, channel: str, code: str, at: datetime) -> bool:
        """Note that nothing can be posted in a channel; True if that is news."""
        row = {"channel": channel, "code": code, "at": at, "tried_at": at}
        insert = self._insert(closed_channels).values(row)
        with self.engine.begin() as connection:
            known = connection.execute(
                sa.select(closed_channels).where(closed_channels.c.channel == channel)
            ).first()
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["channel"], set_={"tried_at": at, "code": code}
                )
            )
        return known is None

    def is_closed(self, channel: str, at: datetime, again: timedelta) -> bool:
        """Whether a channel is closed, and was tried too short a time ago to be tried again."""
        own = (closed_channels.c.channel == channel) & (
            closed_channels.c.tried_at > to_utc(at - again)
        )
        with self.engine.begin() as connection:
            return (
                connection.execute(sa.select(closed_channels.c.channel).where(own)).first()
                is not None
            )

    def closed_channels(self) -> list[tuple[str, str]]:
        """The channels that are closed to us, each with Slack's word for why."""
        with self.engine.begin() as connection:
            rows = connection.execute(
                sa.select(closed_channels).order_by(closed_channels.c.at)
            ).all()
        return [(row.channel, row.code) for row in rows]

    def redirect(self, channel: str, to: str) -> None:
        """Have what waits for a channel posted in another, in the same order."""
        with self.engine.begin() as connection:
            rows = connection.execute(
                sa.select(outbox).where(WAITS, outbox.c.channel == channel)
            ).all()
            for row in rows:
                redirected = _entry(row).notification.redirected_from(channel)
                move = sa.update(outbox).where(outbox.c.number == row.number)
                told = {
                    "channel": to,
                    "notification": redirected.model_dump(mode="json"),
                    "sending_at": None,
                    "sending_by": "",
                }
                connection.execute(move.values(**told))

    def subscribe(self, channel: str, actor_id: str, at: datetime) -> bool:
        """Have a channel told of all that comes; False if it is already."""
        row = {"channel": channel, "actor_id": actor_id, "at": at}
        with self.engine.begin() as connection:
            insert = self._insert(subscriptions).values(row).on_conflict_do_nothing()
            return bool(connection.execute(insert).rowcount)

    def unsubscribe(self, channel: str) -> bool:
        """Have a channel told no longer; False if it was not."""
        own = subscriptions.c.channel == channel
        with self.engine.begin() as connection:
            return bool(connection.execute(sa.delete(subscriptions).where(own)).rowcount)

    def subscriptions(self) -> list[str]:
        with self.engine.begin() as connection:
            query = sa.select(subscriptions.c.channel).order_by(subscriptions.c.at)
            return [row.channel for row in connection.execute(query)]

    def contains(self, once: str) -> bool:
        """Whether this was written down already."""
        query = sa.select(outbox.c.number).where(outbox.c.dedupe_key == once)
        with self.engine.begin() as connection:
            return connection.execute(query).first() is not None


def _group_key(entry: OutboxEntry) -> tuple[object, ...]:
    """Return what failures share that one card shows; an entry of another kind is alone."""
    notification = entry.notification
    if not isinstance(notification, CardNotification):
        return (entry.number,)
    return (
        notification.failure_group,
        notification.mentions,
        notification.held_until,
        notification.intended_channel,
        notification.escalated_from,
    )


def _row(each: OutboxEntry, at: datetime) -> dict[str, Any]:
    return {
        "dedupe_key": each.dedupe_key,
        "channel": each.channel,
        "notification": each.notification.model_dump(mode="json"),
        "at": at,
        "not_before": to_utc(each.not_before),
        "sending_by": "",
    }


def _entry(row: sa.Row[Any]) -> OutboxEntry:
    return OutboxEntry.model_validate(
        {
            "dedupe_key": row.dedupe_key,
            "channel": row.channel,
            "notification": row.notification,
            "not_before": from_db(row.not_before),
            "number": row.number,
            "tried_at": from_db_or_none(row.tried_at),
            "sending_at": from_db_or_none(row.sending_at),
            "sending_by": row.sending_by,
        }
    )
