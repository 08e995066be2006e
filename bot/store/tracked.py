"""What the watch knows of SecMaster's tasks and instances.

One row for each object that it has come across. Knows no list and no route: whoever notes what
came says what is to be posted for it, and both are written down together or not at all.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain import snapshots
from bot.domain.actions import OPEN_STATUSES
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import ObjectKind, Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import ListedObject, OpenCounts, TrackedObject, failure_group
from bot.secmaster import Task
from bot.store.outbox import enqueue
from bot.store.tables import cards, tracked_objects
from bot.store.times import from_db, from_db_or_none, to_utc

Row = sa.Row[Any]
AT_ONCE = 500  # rows in one statement: SQLite takes only so many values
CARDED = sa.exists().where(cards.c.ref == tracked_objects.c.ref)


class TrackedObjects:
    """The watch's memory. Each call is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    # What came, and what changed.

    def fingerprints(self, refs: Collection[Ref]) -> dict[str, tuple[str, bool]]:
        """For each of these objects that is known: its row's digest, and whether it is open."""
        names = [str(ref) for ref in refs]
        query = sa.select(
            tracked_objects.c.ref, tracked_objects.c.fingerprint, tracked_objects.c.open
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query.where(tracked_objects.c.ref.in_(names))).all()
        return {row.ref: (row.fingerprint, row.open) for row in rows}

    def add(
        self, came: Sequence[ListedObject], notices: Sequence[OutboxEntry], at: datetime
    ) -> None:
        """Remember what came, and what is to be posted for it; what is known stays as it is."""
        rows = [_row(each, at) for each in came]
        with self.engine.begin() as connection:
            if rows:  # one statement for each row: made once, and not anew for each number of rows
                connection.execute(self._insert(tracked_objects).on_conflict_do_nothing(), rows)
            enqueue(connection, self._insert, notices, at)

    def update_listed(self, seen: Sequence[ListedObject], at: datetime) -> None:
        """Take over what a list says anew; whoever has a card of it has to be shown."""
        with self.engine.begin() as connection:
            for each in seen:
                own = tracked_objects.c.ref == str(each.ref)
                times = {
                    "open_since": _first_at(each.snapshot, at),
                    "settled_at": _settled(each.snapshot, at),
                }
                fresh = _facts(each.snapshot) | times
                told = fresh | {
                    "fingerprint": each.fingerprint,
                    "next_check_at": to_utc(each.next_check_at),
                }
                connection.execute(
                    sa.update(tracked_objects).where(own).values(stale=CARDED, **told)
                )

    def update_read(self, ref: Ref, snapshot: Snapshot | None, at: datetime) -> None:
        """Take over what a look showed; None is that there is no such object any more."""
        told: dict[str, Any] = {"open": False}
        if snapshot:
            told = {"open_since": _first_at(snapshot, at)} | _facts(snapshot)
        settled = _settled(snapshot, at)
        own = sa.update(tracked_objects).where(tracked_objects.c.ref == str(ref))
        with self.engine.begin() as connection:
            connection.execute(own.values(stale=False, settled_at=settled, **told))

    def mark_missing(
        self, workspace: str, noun: ObjectKind, found: Collection[str], before: datetime
    ) -> int:
        """Mark what is open here, was so before then, and was not found; returns how many."""
        own = (
            (tracked_objects.c.workspace == workspace)
            & (tracked_objects.c.kind == noun)
            & tracked_objects.c.open
        )
        query = sa.select(tracked_objects.c.ref).where(own, tracked_objects.c.open_since < before)
        with self.engine.begin() as connection:
            gone = [row.ref for row in connection.execute(query) if row.ref not in found]
            for some in _slices(gone):
                mark = sa.update(tracked_objects).where(tracked_objects.c.ref.in_(some))
                connection.execute(mark.values(stale=True))
        return len(gone)

    def mark_stale(self, ref: Ref, *, stale: bool) -> None:
        """Have an object looked at again, or not."""
        own = sa.update(tracked_objects).where(tracked_objects.c.ref == str(ref))
        with self.engine.begin() as connection:
            connection.execute(own.values(stale=stale))

    def stale(self, most: int) -> list[Ref]:
        """Up to so many objects that were changed since they were looked at; oldest first."""
        query = (
            sa.select(tracked_objects.c.ref)
            .where(tracked_objects.c.stale)
            .order_by(tracked_objects.c.open_since)
            .limit(most)
        )
        with self.engine.begin() as connection:
            return _refs(connection.execute(query).all())

    # What is known.

    def count(self, workspace: str, noun: ObjectKind) -> int:
        """How many objects are open."""
        own = (
            (tracked_objects.c.workspace == workspace)
            & (tracked_objects.c.kind == noun)
            & tracked_objects.c.open
        )
        with self.engine.begin() as connection:
            return int(connection.execute(_count(own)).scalar_one())

    def contains(self, ref: Ref) -> bool:
        """Whether the watch has come across an object."""
        return bool(self.fingerprints([ref]))

    def count_open(self, refs: Sequence[Ref]) -> int:
        """How many of these are open."""
        found = 0
        with self.engine.begin() as connection:
            for some in _slices([str(ref) for ref in refs]):
                query = _count(tracked_objects.c.ref.in_(some) & tracked_objects.c.open)
                found += int(connection.execute(query).scalar_one())
        return found

    def get(self, refs: Sequence[Ref]) -> list[TrackedObject]:
        """What is known of these, in this order."""
        query = sa.select(tracked_objects).where(
            tracked_objects.c.ref.in_([str(ref) for ref in refs])
        )
        with self.engine.begin() as connection:
            found = {row.ref: row for row in connection.execute(query)}
        return [_known(found[str(ref)]) for ref in refs if str(ref) in found]

    def open_tasks(self, most: int) -> list[TrackedObject]:
        """Tasks that wait, due soonest first."""
        query = sa.select(tracked_objects).where(
            tracked_objects.c.kind == "task", tracked_objects.c.open
        )
        soonest = (
            tracked_objects.c.due_at.is_(None),
            tracked_objects.c.due_at,
            tracked_objects.c.ref,
        )
        return self._some(query.order_by(*soonest), most)

    def open_failures(self, most: int) -> list[TrackedObject]:
        """Runs that failed, latest first."""
        query = sa.select(tracked_objects).where(
            tracked_objects.c.kind == "instance", tracked_objects.c.open
        )
        return self._some(
            query.order_by(tracked_objects.c.open_since.desc(), tracked_objects.c.ref), most
        )

    def backlog(self, workspace: str) -> list[TrackedObject]:
        """What is open and was there before the watch began."""
        own = (
            tracked_objects.c.backlog
            & tracked_objects.c.open
            & (tracked_objects.c.workspace == workspace)
        )
        return self._some(sa.select(tracked_objects).where(own), None)

    def _some(self, query: sa.Select[Any], most: int | None) -> list[TrackedObject]:
        with self.engine.begin() as connection:
            return [_known(row) for row in connection.execute(query.limit(most))]

    # Time.

    def check_due(self, at: datetime, most: int) -> list[TrackedObject]:
        """Objects that are open and whose time has come."""
        due = tracked_objects.c.open & (tracked_objects.c.next_check_at <= to_utc(at))
        return self._some(
            sa.select(tracked_objects).where(due).order_by(tracked_objects.c.next_check_at), most
        )

    def mark_checked(
        self,
        tracked: TrackedObject,
        next_check_at: datetime | None,
        notices: Sequence[OutboxEntry],
        at: datetime,
    ) -> None:
        """Record when an object is to be checked next, and what is to be posted for it now.

        A time that was set since ``tracked`` was read stands: the object has changed meanwhile,
        or was snoozed, and ``next_check_at`` does not know of it.
        """
        unchanged = (tracked_objects.c.ref == str(tracked.ref)) & (
            tracked_objects.c.next_check_at == to_utc(tracked.next_check_at)
        )
        update = sa.update(tracked_objects).where(unchanged)
        with self.engine.begin() as connection:
            connection.execute(update.values(next_check_at=to_utc(next_check_at)))
            enqueue(connection, self._insert, notices, at)

    def reschedule_all(self, at: datetime) -> None:
        """Have everything that is open thought of again: the policy has changed."""
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(tracked_objects)
                .where(tracked_objects.c.open)
                .values(next_check_at=to_utc(at))
            )

    def snooze(self, ref: Ref, until: datetime | None, by: str, at: datetime) -> bool:
        """Leave people alone with an object until then; False if it is not known as open.

        None ends it.
        """
        told = {"snoozed_until": to_utc(until), "snoozed_by": by, "next_check_at": to_utc(at)}
        own = (tracked_objects.c.ref == str(ref)) & tracked_objects.c.open
        with self.engine.begin() as connection:
            return bool(
                connection.execute(sa.update(tracked_objects).where(own).values(**told)).rowcount
            )

    def purge(self, before: datetime) -> None:
        """Drop what was settled before then, and has been drawn since."""
        settled = sa.not_(tracked_objects.c.open | tracked_objects.c.stale) & (
            tracked_objects.c.settled_at < to_utc(before)
        )
        with self.engine.begin() as connection:
            connection.execute(sa.delete(tracked_objects).where(settled))

    # For whoever takes over.

    def open_counts(self, at: datetime, within: timedelta) -> OpenCounts:
        """Count what is open; ``within`` is how soon after ``at`` a task is due soon."""
        task, overdue = tracked_objects.c.kind == "task", tracked_objects.c.due_at < to_utc(at)
        soon = (tracked_objects.c.due_at >= to_utc(at)) & (
            tracked_objects.c.due_at < to_utc(at + within)
        )
        kinds = (task, task & overdue, task & soon, tracked_objects.c.kind == "instance")
        query = sa.select(*(sa.func.count(sa.case((kind, 1))) for kind in kinds))
        with self.engine.begin() as connection:
            counts = connection.execute(query.where(tracked_objects.c.open)).one()
        return OpenCounts(*map(int, counts))

    def settlements(self, since: datetime, until: datetime) -> list[tuple[TrackedObject, datetime]]:
        """What was settled in that time, and when."""
        within = (tracked_objects.c.settled_at >= to_utc(since)) & (
            tracked_objects.c.settled_at < to_utc(until)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(tracked_objects).where(within)).all()
        return [(_known(row), from_db(row.settled_at)) for row in rows]


def _row(each: ListedObject, at: datetime) -> dict[str, Any]:
    ref = each.ref
    return {
        "ref": str(ref),
        "kind": ref.kind,
        "workspace": ref.workspace,
        "stale": False,
        "backlog": each.backlog,
        "fingerprint": each.fingerprint,
        "open_since": at,
        "settled_at": None if _open(each.snapshot) else to_utc(at),
        "next_check_at": to_utc(each.next_check_at),
        "snoozed_until": None,
        "snoozed_by": "",
        **_facts(each.snapshot),
    }


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    """What stands in columns of their own, to be asked for."""
    told: dict[str, Any] = {"open": _open(snapshot), "snapshot": snapshot.model_dump_json()}
    if isinstance(snapshot, Task):
        times = {"created_at": to_utc(snapshot.create_time), "due_at": to_utc(snapshot.due_date)}
        return told | times | {"failure_group": ""}
    times = {"created_at": to_utc(snapshot.start_time), "due_at": None}
    return told | times | {"failure_group": failure_group(snapshot)}


def _open(snapshot: Snapshot) -> bool:
    """Whether somebody is waited for: a task that waits, a run that failed."""
    return snapshot.status in OPEN_STATUSES


def _first_at(snapshot: Snapshot, at: datetime) -> Any:
    """Since when people are waited for: what is open again is waited for anew."""
    again = sa.not_(tracked_objects.c.open) & sa.literal(_open(snapshot))
    return sa.case((again, to_utc(at)), else_=tracked_objects.c.open_since)


def _settled(snapshot: Snapshot | None, at: datetime) -> Any:
    """When somebody stopped being waited for, as SecMaster has it: the first time counts.

    A run that failed and is then terminated may keep the time at which it failed.
    """
    if snapshot and _open(snapshot):
        return None
    told = _ended(snapshot) or at
    when = sa.case((tracked_objects.c.open_since < to_utc(told), to_utc(told)), else_=to_utc(at))
    return sa.func.coalesce(tracked_objects.c.settled_at, when)


def _ended(snapshot: Snapshot | None) -> datetime | None:
    if snapshot is None:
        return None
    return snapshot.update_time if isinstance(snapshot, Task) else snapshot.end_time


def _known(row: Row) -> TrackedObject:
    ref = Ref.parse(row.ref)
    snapshot = snapshots.parse(row.kind, row.snapshot)
    if ref is None or snapshot is None:
        raise ValueError(f"the row of {row.ref} can't be read")
    return TrackedObject(
        ref=ref,
        snapshot=snapshot,
        open_since=from_db(row.open_since),
        open=row.open,
        backlog=row.backlog,
        snoozed_until=from_db_or_none(row.snoozed_until),
        snoozed_by=row.snoozed_by,
        next_check_at=from_db_or_none(row.next_check_at),
    )


def _refs(rows: Sequence[Row]) -> list[Ref]:
    return [ref for row in rows if (ref := Ref.parse(row.ref))]


def _count(which: sa.ColumnElement[bool]) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(tracked_objects).where(which)


def _slices(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
