"""Objects as people saw them, by their decision fingerprints."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.actions import OPEN_STATUSES
from bot.domain.objects import Ref
from bot.domain.operations import UNDER_WAY
from bot.domain.snapshots import Snapshot, StoredSnapshot, parse
from bot.store import approvals
from bot.store.repository import Repository
from bot.store.tables import approvals as approvals_table
from bot.store.tables import audit, cards, claims, snapshots, tracked_objects
from bot.store.times import from_db_or_none


def save(
    connection: sa.Connection,
    insert: Callable[..., Any],
    ref: Ref,
    snapshot: StoredSnapshot,
    at: datetime,
) -> None:
    """Record a snapshot in the caller's transaction, unless it is empty.

    Of those with one fingerprint the last one is kept: it differs in nothing that was decided on,
    and has what was read around the object meanwhile.
    """
    if snapshot.fingerprint:
        row = {
            "fingerprint": snapshot.fingerprint,
            "ref": str(ref),
            "snapshot": snapshot.snapshot,
            "at": at,
        }
        last = {"snapshot": snapshot.snapshot}
        upsert = insert(snapshots).values(row)
        connection.execute(upsert.on_conflict_do_update(index_elements=["fingerprint"], set_=last))


class Snapshots(Repository):
    """The table of snapshots, and which of them nothing names any more."""

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

    def last_open(self, ref: Ref) -> str:
        """Return the fingerprint of what was shown last of an object that waited; "" for none."""
        query = sa.select(snapshots.c.fingerprint, snapshots.c.snapshot).where(
            snapshots.c.ref == str(ref)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(snapshots.c.at.desc())).all()
        for row in rows:
            snapshot = parse(ref.kind, row.snapshot)
            if snapshot and snapshot.status in OPEN_STATUSES:
                return str(row.fingerprint)
        return ""

    def texts(self, fingerprints: Collection[str]) -> dict[str, str]:
        """Return the snapshots that have one of these fingerprints, as JSON, by fingerprint."""
        query = sa.select(snapshots.c.fingerprint, snapshots.c.snapshot)
        with self.engine.begin() as connection:
            rows = connection.execute(query.where(snapshots.c.fingerprint.in_(fingerprints)))
            return {row.fingerprint: row.snapshot for row in rows}

    def saved_at(self, fingerprint: str) -> datetime | None:
        """Return when the snapshot with a fingerprint was saved first; None if there is none."""
        query = sa.select(snapshots.c.at).where(snapshots.c.fingerprint == fingerprint)
        with self.engine.begin() as connection:
            return from_db_or_none(connection.execute(query).scalar())

    def purge(self, before: datetime, after: str, limit: int) -> tuple[int, str]:
        """Delete what nothing names of up to ``limit`` snapshots saved before a time.

        Examined are those whose fingerprints follow ``after``. Returns how many were deleted, and
        the last fingerprint, "" after the last snapshot.
        """
        page = (
            sa.select(snapshots.c.fingerprint, snapshots.c.ref)
            .where(snapshots.c.fingerprint > after, snapshots.c.at < before)
            .order_by(snapshots.c.fingerprint)
            .limit(limit)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(page).all()
            for ref in sorted({row.ref for row in rows}):
                # Whoever claims an object meanwhile may be about to record one of them.
                approvals.lock_object(connection, ref)
            chosen = snapshots.c.fingerprint.in_([row.fingerprint for row in rows])
            deleted = connection.execute(sa.delete(snapshots).where(chosen, *_unnamed())).rowcount
        return deleted, rows[-1].fingerprint if len(rows) == limit else ""


def _unnamed() -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions under which nothing names a snapshot, and nothing is about to."""
    ref, fingerprint = snapshots.c.ref, snapshots.c.fingerprint
    users = (
        sa.exists().where(cards.c.ref == ref, cards.c.decision_fingerprint == fingerprint),
        # What is decided now may be decided on any of them, also from an old message.
        sa.exists().where(tracked_objects.c.ref == ref, tracked_objects.c.open),
        sa.exists().where(approvals_table.c.ref == ref),
        sa.exists().where(claims.c.ref == ref, claims.c.state.in_(UNDER_WAY)),
        # Wherever a record names it: as what was decided on, as what was found, in an approval.
        sa.exists().where(audit.c.target == ref, audit.c.record.contains(fingerprint)),
    )
    return tuple(sa.not_(user) for user in users)
