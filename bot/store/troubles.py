"""The troubles that people were told of, so that each is told once, and once that it is over.

What is told is written into the outbox in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bot.domain.notifications import OutboxEntry
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
                well_since=from_db_or_none(row.well_since),
                ended_at=from_db_or_none(row.ended_at),
                recurs=row.recurs,
            )
            for row in rows
        }

    def begin(
        self, trouble: Trouble, entries: Sequence[OutboxEntry], at: datetime, *, recurs: bool
    ) -> bool:
        """Record that people are told of a trouble, with these entries; False if they were before.

        Of several processes that do at a time one gets True.
        """
        row = {
            "key": trouble.key,
            "trouble": trouble.model_dump(mode="json"),
            "recurs": recurs,
            "well_since": None,
            "ended_at": None,
        }
        insert = self._insert(troubles).values(row)
        upsert = insert.on_conflict_do_update(
            index_elements=["key"], set_=row, where=troubles.c.ended_at.is_not(None)
        )
        with self.engine.begin() as connection:
            is_first = bool(connection.execute(upsert).rowcount)
            if is_first:
                enqueue(connection, self._insert, entries, at)
        return is_first

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
