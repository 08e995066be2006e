"""The troubles that people were told of, and who was: each once, and once that it is over.

What is told is written into the outbox in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Destination
from bot.domain.troubles import ReportedTrouble, Trouble
from bot.store.outbox import enqueue
from bot.store.repository import Repository
from bot.store.tables import troubles
from bot.store.times import from_db_or_none, to_utc

IS_OPEN = troubles.c.ended_at.is_(None)


class Troubles(Repository):
    """The table of troubles, a row for each that there ever was."""

    def all(self) -> dict[str, ReportedTrouble]:
        """Return by its key the last of each trouble, whether it is over or not."""
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(troubles)).all()
        return {
            row.key: ReportedTrouble(
                trouble=Trouble.model_validate(row.trouble),
                destinations=tuple(map(Destination.parse, row.destinations)),
                well_since=from_db_or_none(row.well_since),
                ended_at=from_db_or_none(row.ended_at),
                recurs=row.recurs,
            )
            for row in rows
        }

    def begin(self, trouble: Trouble, *, recurs: bool) -> bool:
        """Record a trouble of which nobody was told yet; False if it is on record and not over.

        Of several processes that do at a time one gets True.
        """
        row = {
            "key": trouble.key,
            "trouble": trouble.model_dump(mode="json"),
            "destinations": [],
            "recurs": recurs,
            "well_since": None,
            "ended_at": None,
        }
        insert = self._insert(troubles).values(row)
        upsert = insert.on_conflict_do_update(
            index_elements=["key"], set_=row, where=troubles.c.ended_at.is_not(None)
        )
        with self.engine.begin() as connection:
            return bool(connection.execute(upsert).rowcount)

    def add_destinations(
        self,
        key: str,
        destinations: Sequence[Destination],
        at: datetime,
        entries: Sequence[OutboxEntry] = (),
    ) -> list[Destination]:
        """Record who is told of a trouble, with these entries; return who was not told before.

        Of several processes that do at a time one gets a destination.
        """
        with self.engine.begin() as connection:
            ids = self._lock_destinations(connection, key)
            if ids is None:
                return []
            added = [each for each in destinations if each.id not in ids]
            changed = [*ids, *(destination.id for destination in added)]
            row = (troubles.c.key == key) & IS_OPEN
            connection.execute(sa.update(troubles).where(row).values(destinations=changed))
            enqueue(connection, self._insert, entries, at)
        return added

    def remove_destination(self, key: str, destination: Destination) -> None:
        """Record that somebody could not be told of a trouble after all."""
        with self.engine.begin() as connection:
            ids = self._lock_destinations(connection, key) or []
            remaining = [id_ for id_ in ids if id_ != destination.id]
            row = (troubles.c.key == key) & IS_OPEN
            connection.execute(sa.update(troubles).where(row).values(destinations=remaining))

    def _lock_destinations(self, connection: sa.Connection, key: str) -> list[str] | None:
        """Return who was told of a trouble, None if it is over; nobody else can change it then."""
        row = (troubles.c.key == key) & IS_OPEN
        # An update locks on SQLite too, where a select does not begin the transaction.
        lock = sa.update(troubles).where(row).values(recurs=troubles.c.recurs)
        if not connection.execute(lock).rowcount:
            return None
        ids: list[str]
        ids = connection.execute(sa.select(troubles.c.destinations).where(row)).scalar_one()
        return ids

    def mark_well(self, key: str, since: datetime | None) -> None:
        """Record since when nothing is seen of a trouble; None where it is back."""
        row = (troubles.c.key == key) & IS_OPEN
        with self.engine.begin() as connection:
            connection.execute(sa.update(troubles).where(row).values(well_since=to_utc(since)))

    def end(self, key: str, entries: Sequence[OutboxEntry], at: datetime) -> bool:
        """Record that people are told that a trouble is over; False if they were before."""
        row = (troubles.c.key == key) & IS_OPEN
        with self.engine.begin() as connection:
            update = sa.update(troubles).where(row).values(ended_at=to_utc(at))
            is_first = bool(connection.execute(update).rowcount)
            if is_first:
                enqueue(connection, self._insert, entries, at)
        return is_first
