"""What the watch knows of SecMaster's tasks and instances.

One row for each object that it has come across. Knows no list and no route: whoever notes what
came says what is to be posted for it, and both are written down together or not at all.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain import snapshots
from bot.domain.actions import WAITED_FOR, Snapshot
from bot.domain.models import Noun, Ref
from bot.domain.notifications import Due
from bot.secmaster import Task
from bot.store.outbox import enqueue
from bot.store.tables import cards, known
from bot.store.times import kept, utc, utc_or_none

Row = sa.Row[Any]
AT_ONCE = 500  # rows in one statement: SQLite takes only so many values
NAMED = 200  # characters of a workflow's id or name; what is longer is hashed
CARDED = sa.exists().where(cards.c.ref == known.c.ref)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an object, since when, and whether somebody wants to be left alone by it."""

    ref: Ref
    snapshot: Snapshot
    first_at: datetime
    open: bool = True
    backlog: bool = False
    snoozed_until: datetime | None = None
    snoozed_by: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object as a list of SecMaster's has it.

    ``digest`` tells whether the list says anything new of it. ``next_at`` is when it is to be
    thought of next.
    """

    ref: Ref
    snapshot: Snapshot
    digest: str
    backlog: bool = False
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many tasks wait, how many of them are overdue or due soon; how many runs are failed."""

    waiting: int
    overdue: int
    soon: int
    failed: int


class Watched:
    """The watch's memory. Each call is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    # What came, and what changed.

    def digests(self, refs: Collection[Ref]) -> dict[str, tuple[str, bool]]:
        """For each of these objects that is known: its row's digest, and whether it is open."""
        names = [str(ref) for ref in refs]
        query = sa.select(known.c.ref, known.c.digest, known.c.open)
        with self.engine.begin() as connection:
            rows = connection.execute(query.where(known.c.ref.in_(names))).all()
        return {row.ref: (row.digest, row.open) for row in rows}

    def note(self, came: Sequence[Sighting], notices: Sequence[Due], at: datetime) -> None:
        """Remember what came, and what is to be posted for it; what is known stays as it is."""
        rows = [_row(each, at) for each in came]
        with self.engine.begin() as connection:
            if rows:  # one statement for each row: made once, and not anew for each number of rows
                connection.execute(self._insert(known).on_conflict_do_nothing(), rows)
            enqueue(connection, self._insert, notices, at)

    def changed(self, seen: Sequence[Sighting], at: datetime) -> None:
        """Take over what a list says anew; whoever has a card of it has to be shown."""
        with self.engine.begin() as connection:
            for each in seen:
                own = known.c.ref == str(each.ref)
                times = {
                    "first_at": _first_at(each.snapshot, at),
                    "settled_at": _settled(each.snapshot, at),
                }
                fresh = _facts(each.snapshot) | times
                told = fresh | {"digest": each.digest, "next_at": kept(each.next_at)}
                connection.execute(sa.update(known).where(own).values(stale=CARDED, **told))

    def looked(self, ref: Ref, snapshot: Snapshot | None, at: datetime) -> None:
        """Take over what a look showed; None is that there is no such object any more."""
        told: dict[str, Any] = {"open": False}
        if snapshot:
            told = {"first_at": _first_at(snapshot, at)} | _facts(snapshot)
        settled = _settled(snapshot, at)
        own = sa.update(known).where(known.c.ref == str(ref))
        with self.engine.begin() as connection:
            connection.execute(own.values(stale=False, settled_at=settled, **told))

    def missing(self, workspace: str, noun: Noun, found: Collection[str], before: datetime) -> int:
        """Mark what is open here, was so before then, and was not found; returns how many."""
        own = (known.c.workspace == workspace) & (known.c.noun == noun) & known.c.open
        query = sa.select(known.c.ref).where(own, known.c.first_at < before)
        with self.engine.begin() as connection:
            gone = [row.ref for row in connection.execute(query) if row.ref not in found]
            for some in _slices(gone):
                mark = sa.update(known).where(known.c.ref.in_(some))
                connection.execute(mark.values(stale=True))
        return len(gone)

    def mark(self, ref: Ref, *, stale: bool) -> None:
        """Have an object looked at again, or not."""
        own = sa.update(known).where(known.c.ref == str(ref))
        with self.engine.begin() as connection:
            connection.execute(own.values(stale=stale))

    def stale(self, most: int) -> list[Ref]:
        """Up to so many objects that were changed since they were looked at; oldest first."""
        query = sa.select(known.c.ref).where(known.c.stale).order_by(known.c.first_at).limit(most)
        with self.engine.begin() as connection:
            return _refs(connection.execute(query).all())

    # What is known.

    def count(self, workspace: str, noun: Noun) -> int:
        """How many objects are open."""
        own = (known.c.workspace == workspace) & (known.c.noun == noun) & known.c.open
        with self.engine.begin() as connection:
            return int(connection.execute(_count(own)).scalar_one())

    def knows(self, ref: Ref) -> bool:
        """Whether the watch has come across an object."""
        return bool(self.digests([ref]))

    def waiting(self, refs: Sequence[Ref]) -> int:
        """How many of these are open."""
        found = 0
        with self.engine.begin() as connection:
            for some in _slices([str(ref) for ref in refs]):
                query = _count(known.c.ref.in_(some) & known.c.open)
                found += int(connection.execute(query).scalar_one())
        return found

    def of(self, refs: Sequence[Ref]) -> list[Known]:
        """What is known of these, in this order."""
        query = sa.select(known).where(known.c.ref.in_([str(ref) for ref in refs]))
        with self.engine.begin() as connection:
            found = {row.ref: row for row in connection.execute(query)}
        return [_known(found[str(ref)]) for ref in refs if str(ref) in found]

    def open_tasks(self, most: int) -> list[Known]:
        """Tasks that wait, due soonest first."""
        query = sa.select(known).where(known.c.noun == "task", known.c.open)
        soonest = known.c.due_at.is_(None), known.c.due_at, known.c.ref
        return self._some(query.order_by(*soonest), most)

    def failures(self, most: int) -> list[Known]:
        """Runs that failed, latest first."""
        query = sa.select(known).where(known.c.noun == "instance", known.c.open)
        return self._some(query.order_by(known.c.first_at.desc(), known.c.ref), most)

    def backlog(self, workspace: str) -> list[Known]:
        """What is open and was there before the watch began."""
        own = known.c.backlog & known.c.open & (known.c.workspace == workspace)
        return self._some(sa.select(known).where(own), None)

    def _some(self, query: sa.Select[Any], most: int | None) -> list[Known]:
        with self.engine.begin() as connection:
            return [_known(row) for row in connection.execute(query.limit(most))]

    # Time.

    def to_think_of(self, at: datetime, most: int) -> list[Known]:
        """Objects that are open and whose time has come."""
        due = known.c.open & (known.c.next_at <= kept(at))
        return self._some(sa.select(known).where(due).order_by(known.c.next_at), most)

    def thought_of(
        self, next_at: Iterable[tuple[Ref, datetime | None]], notices: Sequence[Due], at: datetime
    ) -> None:
        """Write down when these are to be thought of next, and what is to be posted now."""
        with self.engine.begin() as connection:
            for ref, when in next_at:
                own = known.c.ref == str(ref)
                connection.execute(sa.update(known).where(own).values(next_at=kept(when)))
            enqueue(connection, self._insert, notices, at)

    def rethink(self, at: datetime) -> None:
        """Have everything that is open thought of again: the policy has changed."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(known).where(known.c.open).values(next_at=kept(at)))

    def snooze(self, ref: Ref, until: datetime | None, by: str, at: datetime) -> bool:
        """Leave people alone with an object until then; False if it is not known as open.

        None ends it.
        """
        told = {"snoozed_until": kept(until), "snoozed_by": by, "next_at": kept(at)}
        own = (known.c.ref == str(ref)) & known.c.open
        with self.engine.begin() as connection:
            return bool(connection.execute(sa.update(known).where(own).values(**told)).rowcount)

    def forget(self, before: datetime) -> None:
        """Drop what was settled before then, and has been drawn since."""
        settled = sa.not_(known.c.open | known.c.stale) & (known.c.settled_at < kept(before))
        with self.engine.begin() as connection:
            connection.execute(sa.delete(known).where(settled))

    # For whoever takes over.

    def tally(self, at: datetime, within: timedelta) -> Tally:
        """Count what is open; ``within`` is how soon after ``at`` a task is due soon."""
        task, overdue = known.c.noun == "task", known.c.due_at < kept(at)
        soon = (known.c.due_at >= kept(at)) & (known.c.due_at < kept(at + within))
        kinds = (task, task & overdue, task & soon, known.c.noun == "instance")
        query = sa.select(*(sa.func.count(sa.case((kind, 1))) for kind in kinds))
        with self.engine.begin() as connection:
            counts = connection.execute(query.where(known.c.open)).one()
        return Tally(*map(int, counts))

    def settlements(self, since: datetime, until: datetime) -> list[tuple[Known, datetime]]:
        """What was settled in that time, and when."""
        within = (known.c.settled_at >= kept(since)) & (known.c.settled_at < kept(until))
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(known).where(within)).all()
        return [(_known(row), utc(row.settled_at)) for row in rows]


def _row(each: Sighting, at: datetime) -> dict[str, Any]:
    ref = each.ref
    return {
        "ref": str(ref),
        "noun": ref.noun,
        "workspace": ref.workspace,
        "stale": False,
        "backlog": each.backlog,
        "digest": each.digest,
        "first_at": at,
        "settled_at": None if _open(each.snapshot) else kept(at),
        "next_at": kept(each.next_at),
        "snoozed_until": None,
        "snoozed_by": "",
        **_facts(each.snapshot),
    }


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    """What stands in columns of their own, to be asked for."""
    told: dict[str, Any] = {"open": _open(snapshot), "snapshot": snapshot.model_dump_json()}
    if isinstance(snapshot, Task):
        times = {"created_at": kept(snapshot.create_time), "due_at": kept(snapshot.due_date)}
        return told | times | {"gathers": ""}
    times = {"created_at": kept(snapshot.start_time), "due_at": None}
    return told | times | {"gathers": gathering(snapshot)}


def gathering(snapshot: Snapshot) -> str:
    """By what failures are gathered: their workflow; "" for a task, and where none is stated."""
    if isinstance(snapshot, Task):
        return ""
    named = snapshot.workflow.id or snapshot.workflow.name
    return named if len(named) <= NAMED else hashlib.sha256(named.encode()).hexdigest()


def _open(snapshot: Snapshot) -> bool:
    """Whether somebody is waited for: a task that waits, a run that failed."""
    return snapshot.status in WAITED_FOR


def _first_at(snapshot: Snapshot, at: datetime) -> Any:
    """Since when people are waited for: what is open again is waited for anew."""
    again = sa.not_(known.c.open) & sa.literal(_open(snapshot))
    return sa.case((again, kept(at)), else_=known.c.first_at)


def _settled(snapshot: Snapshot | None, at: datetime) -> Any:
    """When somebody stopped being waited for, as SecMaster has it: the first time counts.

    A run that failed and is then terminated may keep the time at which it failed.
    """
    if snapshot and _open(snapshot):
        return None
    told = _ended(snapshot) or at
    when = sa.case((known.c.first_at < kept(told), kept(told)), else_=kept(at))
    return sa.func.coalesce(known.c.settled_at, when)


def _ended(snapshot: Snapshot | None) -> datetime | None:
    if snapshot is None:
        return None
    return snapshot.update_time if isinstance(snapshot, Task) else snapshot.end_time


def _known(row: Row) -> Known:
    ref = Ref.parse(row.ref)
    snapshot = snapshots.read(row.noun, row.snapshot)
    if ref is None or snapshot is None:
        raise ValueError(f"the row of {row.ref} can't be read")
    return Known(
        ref=ref,
        snapshot=snapshot,
        first_at=utc(row.first_at),
        open=row.open,
        backlog=row.backlog,
        snoozed_until=utc_or_none(row.snoozed_until),
        snoozed_by=row.snoozed_by,
    )


def _refs(rows: Sequence[Row]) -> list[Ref]:
    return [ref for row in rows if (ref := Ref.parse(row.ref))]


def _count(which: sa.ColumnElement[bool]) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(known).where(which)


def _slices(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
