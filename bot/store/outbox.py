"""The outbox: what the bot is to post by itself, in order, each thing once.

Each destination has a line of its own. Knows neither Slack nor the texts.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Destination
from bot.store import closed_channels
from bot.store.repository import Repository
from bot.store.tables import outbox
from bot.store.times import from_db, from_db_or_none, to_utc

WAITING = outbox.c.done_at.is_(None)
# When an entry was due: each attempt in vain moves its time, and none moves when it was first sent.
DUE_AT = sa.func.coalesce(outbox.c.sending_at, outbox.c.not_before)


def enqueue(
    connection: sa.Connection,
    insert: Callable[..., Any],
    entries: Sequence[OutboxEntry],
    at: datetime,
) -> None:
    """Add entries in the caller's transaction, without those whose dedupe key is there already.

    ``insert`` is the INSERT of the connection's dialect.
    """
    rows = [
        {
            "dedupe_key": entry.dedupe_key,
            "channel": entry.destination.id,
            "notification": entry.notification.model_dump(mode="json"),
            "at": at,
            "not_before": to_utc(entry.not_before),
            "sending_by": "",
        }
        for entry in entries
    ]
    if rows:
        statement = insert(outbox).on_conflict_do_nothing(index_elements=["dedupe_key"])
        connection.execute(statement, rows)


def contains(connection: sa.Connection, dedupe_key: str) -> bool:
    """Whether there is an entry with this dedupe key, posted or not."""
    query = sa.select(outbox.c.number).where(outbox.c.dedupe_key == dedupe_key)
    return connection.execute(query).first() is not None


def bring_forward(connection: sa.Connection, entry: OutboxEntry, at: datetime) -> bool:
    """Post an entry in the place of the one with its dedupe key that quiet hours hold back.

    False where none is held back. In the caller's transaction.
    """
    held = _held_entry(connection, entry.dedupe_key, at)
    if held is None:
        return False
    intended = held.notification.intended_channel  # its channel may be closed, and it be redirected
    notification = entry.notification.model_copy(update={"intended_channel": intended})
    row = (outbox.c.number == held.number) & outbox.c.sending_at.is_(None) & WAITING
    values = {
        "notification": notification.model_dump(mode="json"),
        "not_before": to_utc(entry.not_before),
    }
    return bool(connection.execute(sa.update(outbox).where(row).values(**values)).rowcount)


def _held_entry(connection: sa.Connection, dedupe_key: str, at: datetime) -> OutboxEntry | None:
    """Return the entry with this dedupe key that waits for the end of quiet hours."""
    waits = WAITING & outbox.c.sending_at.is_(None) & (outbox.c.not_before > to_utc(at))
    query = sa.select(outbox).where(outbox.c.dedupe_key == dedupe_key, waits)
    row = connection.execute(query).one_or_none()
    entry = _entry(row) if row else None
    quiet_end = entry.notification.held_until if entry else None
    return entry if quiet_end and quiet_end > at else None


class Outbox(Repository):
    """The table of outbox entries."""

    def add(self, entries: Sequence[OutboxEntry], at: datetime) -> None:
        """Add entries, without those whose dedupe key is there already."""
        with self.engine.begin() as connection:
            enqueue(connection, self._insert, entries, at)

    def ready_destinations(self, at: datetime) -> list[Destination]:
        """Return the destinations for which something is to be posted by now."""
        ready = WAITING & (outbox.c.not_before <= to_utc(at))
        with self.engine.begin() as connection:
            query = sa.select(outbox.c.channel).where(ready).distinct()
            return [Destination.parse(row.channel) for row in connection.execute(query)]

    def next_entry(self, destination: Destination, at: datetime) -> OutboxEntry | None:
        """Return the first entry that is to be posted for a destination by now."""
        with self.engine.begin() as connection:
            row = connection.execute(self._line(destination, at).limit(1)).one_or_none()
        return _entry(row) if row else None

    def held_entries(
        self, destination: Destination, until: datetime, at: datetime
    ) -> list[OutboxEntry]:
        """Return what quiet hours that end at ``until`` held back for a destination."""
        with self.engine.begin() as connection:
            line = [_entry(row) for row in connection.execute(self._line(destination, at))]
        return [entry for entry in line if entry.notification.held_until == until]

    def ready_entries(
        self, destination: Destination, at: datetime, limit: int
    ) -> list[OutboxEntry]:
        """Return the first ``limit`` entries that are to be posted for a destination by now."""
        with self.engine.begin() as connection:
            rows = connection.execute(self._line(destination, at).limit(limit)).all()
        return [_entry(row) for row in rows]

    def _line(self, destination: Destination, at: datetime) -> sa.Select[Any]:
        """Select what is to be posted for a destination by now, in order."""
        is_ready = outbox.c.not_before <= to_utc(at)
        line = WAITING & (outbox.c.channel == destination.id) & is_ready
        return sa.select(outbox).where(line).order_by(outbox.c.number)

    def count(self) -> int:
        """Return how many entries wait, those among them whose time has not come."""
        return self._count(WAITING)

    def count_due(self, at: datetime) -> int:
        """Return how many entries were to be posted by a time and wait."""
        return self._count(WAITING & (to_utc(at) >= DUE_AT))

    def _count(self, condition: sa.ColumnElement[bool]) -> int:
        with self.engine.begin() as connection:
            query = sa.select(sa.func.count()).select_from(outbox).where(condition)
            return int(connection.execute(query).scalar_one())

    def oldest(self, at: datetime) -> datetime | None:
        """Return since when the entry waits that was to be posted first; None where none was."""
        query = sa.select(sa.func.min(DUE_AT)).where(WAITING, to_utc(at) >= DUE_AT)
        with self.engine.begin() as connection:
            return from_db_or_none(connection.execute(query).scalar_one())

    def mark_sending(self, entries: Sequence[OutboxEntry], process: str, at: datetime) -> bool:
        """Record that a process begins to post entries: after a crash they may have been posted.

        False if another process has begun to since they were read.
        """
        first = entries[0]
        unclaimed = outbox.c.sending_by == first.sending_by, outbox.c.number == first.number
        with self.engine.begin() as connection:
            values = {
                "sending_by": process,
                "sending_at": sa.func.coalesce(outbox.c.sending_at, to_utc(at)),
                "tried_at": to_utc(at),
            }
            claim = sa.update(outbox).where(*unclaimed, WAITING).values(**values)
            if not connection.execute(claim).rowcount:
                return False
            if numbers := [entry.number for entry in entries[1:]]:
                others = sa.update(outbox).where(outbox.c.number.in_(numbers))
                connection.execute(others.values(**values))
        return True

    def mark_done(
        self, numbers: Sequence[int], at: datetime, *, opens: Destination | None = None
    ) -> None:
        """Record that entries are through; ``opens`` is a destination that proved to be open.

        One call for both, since there is one for each message.
        """
        with self.engine.begin() as connection:
            rows = outbox.c.number.in_(numbers)
            connection.execute(sa.update(outbox).where(rows).values(done_at=at))
            if opens:
                closed_channels.reopen(connection, opens.id)

    def postpone(self, numbers: Sequence[int], at: datetime) -> None:
        """Post entries not before a time; they keep their place among what is ready then."""
        rows = outbox.c.number.in_(numbers)
        with self.engine.begin() as connection:
            connection.execute(sa.update(outbox).where(rows).values(not_before=to_utc(at)))

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` entries that were posted before a time; return how many."""
        return self._delete(outbox, outbox.c.done_at < to_utc(before), limit)

    def redirect(self, source: Destination, target: Destination) -> None:
        """Have what waits for a destination posted for another, in the same order."""
        with self.engine.begin() as connection:
            rows = connection.execute(
                sa.select(outbox).where(WAITING, outbox.c.channel == source.id)
            ).all()
            for row in rows:
                redirected = _entry(row).notification.redirected_from(source)
                update = sa.update(outbox).where(outbox.c.number == row.number)
                connection.execute(
                    update.values(
                        channel=target.id,
                        notification=redirected.model_dump(mode="json"),
                        sending_at=None,
                        sending_by="",
                    )
                )

    def known_keys(self, dedupe_keys: Sequence[str]) -> set[str]:
        """Return those of these dedupe keys that have an entry, posted or not."""
        query = sa.select(outbox.c.dedupe_key).where(outbox.c.dedupe_key.in_(dedupe_keys))
        with self.engine.begin() as connection:
            return set(connection.execute(query).scalars())

    def contains(self, dedupe_key: str) -> bool:
        """Whether there is an entry with this dedupe key, posted or not."""
        with self.engine.begin() as connection:
            return contains(connection, dedupe_key)

    def is_held_back(self, dedupe_key: str, at: datetime) -> bool:
        """Whether an entry with this dedupe key waits for the end of quiet hours."""
        with self.engine.begin() as connection:
            return _held_entry(connection, dedupe_key, at) is not None


def _entry(row: sa.Row[Any]) -> OutboxEntry:
    return OutboxEntry.model_validate(
        {
            "dedupe_key": row.dedupe_key,
            "destination": Destination.parse(row.channel),
            "notification": row.notification,
            "not_before": from_db(row.not_before),
            "number": row.number,
            "tried_at": from_db_or_none(row.tried_at),
            "sending_at": from_db_or_none(row.sending_at),
            "sending_by": row.sending_by,
        }
    )
