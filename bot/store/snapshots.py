"""Objects as people saw them, by their decision fingerprints."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot, StoredSnapshot, parse
from bot.store.repository import Repository
from bot.store.tables import snapshots
from bot.store.times import from_db_or_none


def save(
    connection: sa.Connection,
    insert: Callable[..., Any],
    ref: Ref,
    snapshot: StoredSnapshot,
    at: datetime,
) -> None:
    """Record a snapshot in the caller's transaction, unless it is empty or was recorded before."""
    if snapshot.fingerprint:
        row = {
            "fingerprint": snapshot.fingerprint,
            "ref": str(ref),
            "snapshot": snapshot.snapshot,
            "at": at,
        }
        connection.execute(insert(snapshots).values(row).on_conflict_do_nothing())


class Snapshots(Repository):
    """The table of snapshots."""

    def save(self, ref: Ref, snapshot: StoredSnapshot, at: datetime) -> None:
        """Record what an object was like."""
        with self.engine.begin() as connection:
            save(connection, self._insert, ref, snapshot, at)

    def get(self, ref: Ref, fingerprint: str) -> Snapshot | None:
        """Return the snapshot of an object that has a fingerprint; None for "" or if none has."""
        return parse(ref.kind, self.as_json(fingerprint) if fingerprint else "")

    def as_json(self, fingerprint: str) -> str:
        """Return the snapshot with a fingerprint, as JSON; "" if there is none."""
        query = sa.select(snapshots.c.snapshot).where(snapshots.c.fingerprint == fingerprint)
        with self.engine.begin() as connection:
            return str(connection.execute(query).scalar() or "")

    def saved_at(self, fingerprint: str) -> datetime | None:
        """Return when the snapshot with a fingerprint was saved first; None if there is none."""
        query = sa.select(snapshots.c.at).where(snapshots.c.fingerprint == fingerprint)
        with self.engine.begin() as connection:
            return from_db_or_none(connection.execute(query).scalar())
