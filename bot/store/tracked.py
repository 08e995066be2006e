"""What the poller knows of SecMaster's tasks and runs: one row for each that it has met.

Knows no list and no route: whoever records an object says which notifications there are to be of
it, and both are recorded together or not at all.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa

from bot.domain import snapshots
from bot.domain.actions import OPEN_STATUSES
from bot.domain.endings import ran_out
from bot.domain.mutes import Mute
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import OBJECT_KINDS, RUN_KINDS, ObjectKind, Ref
from bot.domain.ordering import auto_approves, urgency
from bot.domain.run_results import run_of
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import (
    Assignment,
    ListedObject,
    OpenCounts,
    TrackedObject,
    failure_group,
)
from bot.secmaster import Instance, PlaybookInstance, Task
from bot.store import audit_log, evidence, mutes
from bot.store.outbox import enqueue
from bot.store.repository import Repository
from bot.store.tables import cards, tracked_objects
from bot.store.tables import evidence as evidence_table
from bot.store.times import from_db, from_db_or_none, to_utc

Row = sa.Row[Any]
UNASSIGNED: dict[str, Any] = {"assigned_until": None, "assignee": "", "assignee_name": ""}
BATCH_SIZE = 500  # rows in one statement: SQLite takes only so many values
# The order of ``bot.domain.ordering``, for queries that return only the first rows.
MOST_URGENT_TASKS = (
    tracked_objects.c.due_at.is_(None),
    tracked_objects.c.due_at,
    sa.not_(tracked_objects.c.auto_approves),
    tracked_objects.c.created_at.is_(None),
    tracked_objects.c.created_at,
    tracked_objects.c.ref,
)
LATEST_FAILURES = (tracked_objects.c.open_since.desc(), tracked_objects.c.ref)
# Each object with what is stored around it.
TRACKED = sa.select(tracked_objects, evidence_table.c.evidence).select_from(
    tracked_objects.outerjoin(evidence_table, evidence_table.c.ref == tracked_objects.c.ref)
)
HAS_CARD = sa.exists().where(cards.c.ref == tracked_objects.c.ref)


def get(connection: sa.Connection, refs: Sequence[Ref]) -> list[TrackedObject]:
    """Return those of these objects that are tracked, in this order."""
    query = TRACKED.where(tracked_objects.c.ref.in_([str(ref) for ref in refs]))
    rows = {row.ref: row for row in connection.execute(query)}
    return [_tracked(rows[str(ref)]) for ref in refs if str(ref) in rows]


def count_open(connection: sa.Connection, refs: Sequence[Ref]) -> int:
    """Return how many of these objects are open."""
    total = 0
    for names in _slices([str(ref) for ref in refs]):
        query = _count(tracked_objects.c.ref.in_(names) & tracked_objects.c.open)
        total += int(connection.execute(query).scalar_one())
    return total


def update_read(
    connection: sa.Connection, ref: Ref, snapshot: Snapshot | None, at: datetime
) -> None:
    """Record an object as it was read; None if it does not exist any more."""
    values: dict[str, Any] = {"open": False, **UNASSIGNED}
    if snapshot:
        mutes_now = mutes.current(connection, at) if _is_open(snapshot) else []
        values = {
            "open_since": _open_since(snapshot, at),
            "ending_unrecorded": _ending_unrecorded(snapshot),
            **_snapshot_columns(ref, snapshot),
            **_silence_columns(mutes_now, ref, snapshot, at),
        }
    settled_at = _settled_at(snapshot, at)
    update = sa.update(tracked_objects).where(tracked_objects.c.ref == str(ref))
    connection.execute(update.values(stale=False, settled_at=settled_at, **values))


def snooze(
    connection: sa.Connection, ref: Ref, until: datetime | None, by: str, at: datetime
) -> bool:
    """Send no reminders of an object until a time; False if it is not tracked as open.

    None ends the snooze. In the caller's transaction.
    """
    row = (tracked_objects.c.ref == str(ref)) & tracked_objects.c.open
    update = sa.update(tracked_objects).where(row)
    values = {"snoozed_until": to_utc(until), "snoozed_by": by, "next_check_at": to_utc(at)}
    return bool(connection.execute(update.values(**values)).rowcount)


def assign(
    connection: sa.Connection,
    ref: Ref,
    assignment: Assignment | None,
    assignee_before: str,
    at: datetime,
) -> bool:
    """Record who claims an object, None for nobody; False if it is not tracked as open.

    False as well where somebody else than ``assignee_before`` ("" for nobody) has it by now. In
    the caller's transaction.
    """
    is_claimed = tracked_objects.c.assigned_until > to_utc(at)
    unchanged = (
        is_claimed & (tracked_objects.c.assignee == assignee_before)
        if assignee_before
        else tracked_objects.c.assigned_until.is_(None) | sa.not_(is_claimed)
    )
    row = (tracked_objects.c.ref == str(ref)) & tracked_objects.c.open & unchanged
    values = dict(UNASSIGNED)
    if assignment:
        values = {
            "assigned_until": to_utc(assignment.until),
            "assignee": assignment.assignee,
            "assignee_name": assignment.name,
        }
    update = sa.update(tracked_objects).where(row)
    return bool(connection.execute(update.values(next_check_at=to_utc(at), **values)).rowcount)


class TrackedObjects(Repository):
    """The table of tracked objects.

    An object is open while it waits for a person: a task that waits, a run that failed.
    """

    # What arrived, and what changed.

    def fingerprints(self, refs: Collection[Ref]) -> dict[str, tuple[str, bool]]:
        """Return, by reference, the fingerprint and whether it is open of each tracked object."""
        names = [str(ref) for ref in refs]
        query = sa.select(
            tracked_objects.c.ref, tracked_objects.c.fingerprint, tracked_objects.c.open
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query.where(tracked_objects.c.ref.in_(names))).all()
        return {row.ref: (row.fingerprint, row.open) for row in rows}

    def add(
        self,
        objects: Sequence[ListedObject],
        notifications: Sequence[OutboxEntry],
        at: datetime,
    ) -> None:
        """Track new objects, and enqueue their notifications; tracked ones stay as they are.

        Those of a muted workflow come when its mute ends.
        """
        rows: list[dict[str, Any]] = [
            {
                "ref": str(listed.ref),
                "kind": listed.ref.kind,
                "workspace": listed.ref.workspace,
                "stale": False,
                "backlog": listed.backlog,
                "fingerprint": listed.fingerprint,
                "open_since": at,
                "settled_at": None if _is_open(listed.snapshot) else to_utc(at),
                "next_check_at": to_utc(listed.next_check_at),
                "planned_until": to_utc(at) if listed.routed else None,
                "snoozed_until": None,
                "snoozed_by": "",
                **UNASSIGNED,
                "muted_until": None,
                "mute_key": "",
                **_snapshot_columns(listed.ref, listed.snapshot),
            }
            for listed in objects
        ]
        with self.engine.begin() as connection:
            muted, notifications = mutes.hold_new(connection, objects, notifications, at)
            for row in rows:
                if mute := muted.get(row["ref"]):
                    row |= {"muted_until": to_utc(mute.until), "mute_key": mute.key}
            if rows:  # one statement executed for each row: compiled once for any number of rows
                connection.execute(self._insert(tracked_objects).on_conflict_do_nothing(), rows)
            enqueue(connection, self._insert, notifications, at)

    def update_listed(self, objects: Sequence[ListedObject], at: datetime) -> None:
        """Record what a list says of tracked objects; those with a card become stale.

        The cards of a task that silence approves by now wait for no mute's end.
        """
        with self.engine.begin() as connection:
            mutes_now = mutes.locked(connection, at)
            for listed in objects:
                update = sa.update(tracked_objects).where(tracked_objects.c.ref == str(listed.ref))
                connection.execute(
                    update.values(
                        stale=HAS_CARD,
                        open_since=_open_since(listed.snapshot, at),
                        settled_at=_settled_at(listed.snapshot, at),
                        ending_unrecorded=_ending_unrecorded(listed.snapshot),
                        fingerprint=listed.fingerprint,
                        next_check_at=to_utc(listed.next_check_at),
                        **_snapshot_columns(listed.ref, listed.snapshot),
                        **_silence_columns(mutes_now, listed.ref, listed.snapshot, at),
                    )
                )
            exempt = [str(each.ref) for each in objects if _auto_approves(each.snapshot)]
            mutes.release_cards(connection, exempt, at)

    def update_read(self, ref: Ref, snapshot: Snapshot | None, at: datetime) -> None:
        """Record an object as it was read; None if it does not exist any more."""
        with self.engine.begin() as connection:
            update_read(connection, ref, snapshot, at)

    def mark_missing(
        self, workspace: str, kind: ObjectKind, listed: Collection[str], before: datetime
    ) -> int:
        """Mark open objects as stale that a full list does not contain; return how many.

        ``listed`` are the references in the list. Objects that are open only since ``before`` or
        later are left out: the list may be older than that.
        """
        query = sa.select(tracked_objects.c.ref).where(
            _open_of(workspace, kind), tracked_objects.c.open_since < before
        )
        with self.engine.begin() as connection:
            missing = [row.ref for row in connection.execute(query) if row.ref not in listed]
            for refs in _slices(missing):
                update = sa.update(tracked_objects).where(tracked_objects.c.ref.in_(refs))
                connection.execute(update.values(stale=True))
        return len(missing)

    def mark_stale(self, ref: Ref, *, stale: bool) -> None:
        """Record whether an object must be read again."""
        update = sa.update(tracked_objects).where(tracked_objects.c.ref == str(ref))
        with self.engine.begin() as connection:
            connection.execute(update.values(stale=stale))

    def stale(self, limit: int) -> list[Ref]:
        """Return up to ``limit`` objects that must be read again, open longest first."""
        query = (
            sa.select(tracked_objects.c.ref)
            .where(tracked_objects.c.stale)
            .order_by(tracked_objects.c.open_since)
            .limit(limit)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [ref for row in rows if (ref := Ref.parse(row.ref))]

    # What is tracked.

    def count(self, workspace: str, kind: ObjectKind) -> int:
        """Return how many objects of a kind are open in a workspace."""
        with self.engine.begin() as connection:
            return int(connection.execute(_count(_open_of(workspace, kind))).scalar_one())

    def contains(self, ref: Ref) -> bool:
        """Whether an object is tracked."""
        return bool(self.fingerprints([ref]))

    def get(self, refs: Sequence[Ref]) -> list[TrackedObject]:
        """Return those of these objects that are tracked, in this order."""
        with self.engine.begin() as connection:
            return get(connection, refs)

    def open_tasks(self, limit: int) -> list[TrackedObject]:
        """Return up to ``limit`` tasks that wait, most urgent first."""
        query = TRACKED.where(tracked_objects.c.kind == "task", tracked_objects.c.open)
        return _most_urgent_first(self._fetch(query.order_by(*MOST_URGENT_TASKS), limit))

    def open_in(self, workspace: str, kind: ObjectKind, limit: int) -> list[TrackedObject]:
        """Return up to ``limit`` open objects of a kind in a workspace, most urgent first."""
        query = TRACKED.where(_open_of(workspace, kind))
        order = MOST_URGENT_TASKS if kind == "task" else LATEST_FAILURES
        return _most_urgent_first(self._fetch(query.order_by(*order), limit))

    def waiting_for(self, runs: Sequence[Ref]) -> list[TrackedObject]:
        """Return the tasks that any of these runs waits for, newest first."""
        run = tracked_objects.c.run
        query = TRACKED.where(run.in_(list(map(str, runs))), tracked_objects.c.open)
        order = tracked_objects.c.created_at.desc(), tracked_objects.c.ref
        return self._fetch(query.order_by(*order), None)

    def due_between(self, start: datetime, end: datetime) -> list[TrackedObject]:
        """Return the tasks that wait and are due in that time, due soonest first."""
        due_at = tracked_objects.c.due_at
        query = TRACKED.where(
            tracked_objects.c.kind == "task",
            tracked_objects.c.open,
            due_at >= to_utc(start),
            due_at <= to_utc(end),
        )
        return self._fetch(query.order_by(due_at, tracked_objects.c.ref), None)

    def open_failures(self, kind: ObjectKind, limit: int) -> list[TrackedObject]:
        """Return up to ``limit`` runs of a kind that failed, latest first."""
        query = TRACKED.where(tracked_objects.c.kind == kind, tracked_objects.c.open)
        return _most_urgent_first(self._fetch(query.order_by(*LATEST_FAILURES), limit))

    def assigned(self, at: datetime) -> list[TrackedObject]:
        """Return the open objects that somebody has claimed, the claim that ends first first."""
        until = tracked_objects.c.assigned_until
        query = TRACKED.where(tracked_objects.c.open, until > to_utc(at))
        return self._fetch(query.order_by(until, tracked_objects.c.ref), None)

    def assignments(self, at: datetime) -> dict[Ref, Assignment]:
        """Return the claims of open objects that hold at a time."""
        return {each.ref: each.assignment for each in self.assigned(at) if each.assignment}

    def backlog(self, workspace: str) -> list[TrackedObject]:
        """Return the open objects of a workspace that are older than the first poll."""
        condition = (
            tracked_objects.c.backlog
            & tracked_objects.c.open
            & (tracked_objects.c.workspace == workspace)
        )
        return self._fetch(TRACKED.where(condition), None)

    def _fetch(self, query: sa.Select[Any], limit: int | None) -> list[TrackedObject]:
        with self.engine.begin() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [_tracked(row) for row in rows]  # no click waits for the connection meanwhile

    # Reminders, escalations, snoozes.

    def check_due(self, at: datetime, limit: int) -> list[TrackedObject]:
        """Return up to ``limit`` open objects whose next check is due, longest due first."""
        due = (
            tracked_objects.c.open
            & (tracked_objects.c.next_check_at <= to_utc(at))
            & tracked_objects.c.planned_until.is_not(None)
        )
        query = TRACKED.where(due)
        return self._fetch(query.order_by(tracked_objects.c.next_check_at), limit)

    def unrouted(self, workspace: str, limit: int) -> list[TrackedObject]:
        """Return up to ``limit`` open objects that are still to be routed, open longest first."""
        # By kind, as the index has it.
        kinds = sa.or_(*(_open_of(workspace, kind) for kind in OBJECT_KINDS))
        query = TRACKED.where(kinds & tracked_objects.c.planned_until.is_(None))
        return self._fetch(query.order_by(tracked_objects.c.open_since), limit)

    def without_evidence(
        self, workspace: str, at: datetime, tried_before: datetime, limit: int
    ) -> list[TrackedObject]:
        """Return up to ``limit`` open objects that have no card and no whole evidence.

        Those that nobody has read around yet come before those that were tried, which is tried
        again where it was before ``tried_before``; of each those that are due soonest, and then the
        newest. What is new may get a card yet, and has time until then.
        """
        missing = evidence_table.c.ref.is_(None)
        failed = sa.not_(evidence_table.c.complete) & (evidence_table.c.at < to_utc(tried_before))
        settled = tracked_objects.c.backlog | (tracked_objects.c.open_since < to_utc(tried_before))
        kinds = sa.or_(*(_open_of(workspace, kind) for kind in OBJECT_KINDS))
        due_at, created_at = tracked_objects.c.due_at, tracked_objects.c.created_at
        to_come = due_at >= to_utc(at)
        query = TRACKED.where(kinds & settled & (missing | failed) & sa.not_(HAS_CARD)).order_by(
            sa.case((missing, 0), else_=1),
            sa.case((to_come, 0), else_=1),
            sa.case((to_come, due_at)),
            sa.case((created_at.is_(None), 1), else_=0),
            created_at.desc(),
            tracked_objects.c.ref,
        )
        return self._fetch(query, limit)

    def mark_checked(
        self,
        tracked: TrackedObject,
        next_check_at: datetime | None,
        notifications: Sequence[OutboxEntry],
        at: datetime,
    ) -> None:
        """Record when an object is to be checked next, and enqueue what is due of it by now.

        A time that was set since ``tracked`` was read stands: the object has changed meanwhile,
        or was snoozed, and ``next_check_at`` does not take that into account.
        """
        unchanged = (tracked_objects.c.ref == str(tracked.ref)) & (
            tracked_objects.c.next_check_at == to_utc(tracked.next_check_at)
        )
        update = sa.update(tracked_objects).where(unchanged)
        with self.engine.begin() as connection:
            times = {"next_check_at": to_utc(next_check_at), "planned_until": to_utc(at)}
            connection.execute(update.values(**times))
            held = mutes.hold_cards(connection, tracked.ref, notifications)
            enqueue(connection, self._insert, held, at)

    def enqueue_cards(self, ref: Ref, cards: Sequence[OutboxEntry], at: datetime) -> None:
        """Enqueue cards of an object; those of a muted workflow come when its mute ends."""
        with self.engine.begin() as connection:
            enqueue(connection, self._insert, mutes.hold_cards(connection, ref, cards), at)

    def reschedule_all(self, at: datetime) -> None:
        """Have every open object checked at a time, since the policy has changed.

        It asks for nothing from before.
        """
        update = sa.update(tracked_objects).where(tracked_objects.c.open)
        planned_until = tracked_objects.c.planned_until
        times = {
            "next_check_at": to_utc(at),
            "planned_until": sa.case((planned_until.is_not(None), to_utc(at)), else_=None),
        }
        with self.engine.begin() as connection:
            connection.execute(update.values(**times))

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` rows settled before a time and not stale; return how many."""
        settled = sa.not_(tracked_objects.c.open | tracked_objects.c.stale) & (
            tracked_objects.c.settled_at < to_utc(before)
        )
        return self._delete(tracked_objects, settled, limit)

    # Tasks that ran out.

    def unrecorded_endings(self, limit: int) -> list[TrackedObject]:
        """Return up to ``limit`` tasks that ran out, were read since, and are on no record yet."""
        condition = tracked_objects.c.ending_unrecorded & sa.not_(
            tracked_objects.c.stale | tracked_objects.c.open
        )
        query = TRACKED.where(condition)
        return self._fetch(query.order_by(tracked_objects.c.due_at, tracked_objects.c.ref), limit)

    def record_endings(
        self,
        refs: Sequence[Ref],
        records: Sequence[Mapping[str, Any]],
        notifications: Sequence[OutboxEntry],
        at: datetime,
    ) -> None:
        """Record how tasks ended, and enqueue what is said of it, all or nothing."""
        rows = tracked_objects.c.ref.in_([str(ref) for ref in refs])
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(tracked_objects).where(rows).values(ending_unrecorded=False)
            )
            for record in records:
                audit_log.append(connection, record)
            enqueue(connection, self._insert, notifications, at)

    # For digests.

    def open_counts(self, at: datetime, within: timedelta) -> OpenCounts:
        """Count what is open; ``within`` is how soon after ``at`` a task is due soon."""
        task, overdue = tracked_objects.c.kind == "task", tracked_objects.c.due_at < to_utc(at)
        soon = (tracked_objects.c.due_at >= to_utc(at)) & (
            tracked_objects.c.due_at < to_utc(at + within)
        )
        failed = (tracked_objects.c.kind == kind for kind in RUN_KINDS)
        conditions = (task, task & overdue, task & soon, *failed)
        query = sa.select(*(sa.func.count(sa.case((each, 1))) for each in conditions))
        with self.engine.begin() as connection:
            counts = connection.execute(query.where(tracked_objects.c.open)).one()
        return OpenCounts(*map(int, counts))

    def settlements(self, since: datetime, until: datetime) -> list[tuple[TrackedObject, datetime]]:
        """Return what was settled from ``since`` until before ``until``, each with its time."""
        within = (tracked_objects.c.settled_at >= to_utc(since)) & (
            tracked_objects.c.settled_at < to_utc(until)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(TRACKED.where(within)).all()
        return [(_tracked(row), from_db(row.settled_at)) for row in rows]


def _snapshot_columns(ref: Ref, snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot, and the columns that repeat parts of it for queries."""
    match snapshot:
        case Task():
            created_at, due_at = snapshot.create_time, snapshot.due_date
            run = run_of(ref, snapshot)
        case Instance() | PlaybookInstance():
            created_at, due_at, run = snapshot.start_time, None, None
        case _:
            assert_never(snapshot)
    return {
        "open": _is_open(snapshot),
        "snapshot": snapshots.without_evidence(snapshot).model_dump_json(),
        "created_at": to_utc(created_at),
        "due_at": to_utc(due_at),
        "auto_approves": _auto_approves(snapshot),
        "failure_group": failure_group(snapshot),
        "run": str(run or ""),
    }


def _silence_columns(
    mutes_now: Sequence[Mute], ref: Ref, snapshot: Snapshot, at: datetime
) -> dict[str, Any]:
    """Return the columns that say until when nobody, or only one person, is called for an object.

    A claim ends with what it was for.
    """
    if not _is_open(snapshot):
        return UNASSIGNED
    return mutes.columns(mutes_now, ref.workspace, snapshot, at)


def _is_open(snapshot: Snapshot) -> bool:
    """Whether an object waits for a person: a task that waits, a run that failed."""
    return snapshot.status in OPEN_STATUSES


def _auto_approves(snapshot: Snapshot) -> bool:
    """Whether an object is a task that silence approves."""
    return isinstance(snapshot, Task) and auto_approves(snapshot)


def _open_since(snapshot: Snapshot, at: datetime) -> sa.ColumnElement[Any]:
    """Return the new value of ``open_since``: an object that is open again is so since now."""
    reopened = sa.not_(tracked_objects.c.open) & sa.literal(_is_open(snapshot))
    return sa.case((reopened, to_utc(at)), else_=tracked_objects.c.open_since)


def _ending_unrecorded(snapshot: Snapshot) -> sa.ColumnElement[bool]:
    """Return the new value of ``ending_unrecorded``: a task that was open until now ran out.

    Somebody may be named as its approver only when it is read after it was listed.
    """
    unrecorded = tracked_objects.c.open | tracked_objects.c.ending_unrecorded
    return sa.and_(sa.literal(ran_out(snapshot)), unrecorded)


def _settled_at(
    snapshot: Snapshot | None, at: datetime
) -> sa.ColumnElement[datetime | None] | None:
    """Return the new value of ``settled_at``: when SecMaster says that it ended, the first time.

    A run that failed and is then terminated may keep the time at which it failed: a time that is
    not after ``open_since`` does not count.
    """
    if snapshot and _is_open(snapshot):
        return None
    ended_at = None
    if snapshot:
        ended_at = snapshot.update_time if isinstance(snapshot, Task) else snapshot.end_time
    ended = to_utc(ended_at or at)
    settled = sa.case((tracked_objects.c.open_since < ended, ended), else_=to_utc(at))
    return sa.func.coalesce(tracked_objects.c.settled_at, settled)


def _most_urgent_first(objects: list[TrackedObject]) -> list[TrackedObject]:
    return sorted(objects, key=lambda tracked: (urgency(tracked.snapshot), str(tracked.ref)))


def _tracked(row: Row) -> TrackedObject:
    ref = Ref.parse(row.ref)
    snapshot = snapshots.parse(row.kind, row.snapshot)
    if ref is None or snapshot is None:
        raise ValueError(f"the row of {row.ref} can't be read")
    return TrackedObject(
        ref=ref,
        snapshot=snapshots.with_evidence(snapshot, evidence.parse(row.evidence)),
        open_since=from_db(row.open_since),
        open=row.open,
        backlog=row.backlog,
        snoozed_until=from_db_or_none(row.snoozed_until),
        snoozed_by=row.snoozed_by,
        next_check_at=from_db_or_none(row.next_check_at),
        planned_until=from_db_or_none(row.planned_until),
        assignment=_assignment(row),
        muted_until=from_db_or_none(row.muted_until),
    )


def _assignment(row: Row) -> Assignment | None:
    """Return the last claim of an object, which may be over; None where nobody has it."""
    until = from_db_or_none(row.assigned_until)
    if until is None:
        return None
    return Assignment(assignee=row.assignee, name=row.assignee_name, until=until)


def _open_of(workspace: str, kind: ObjectKind) -> sa.ColumnElement[bool]:
    """Select the open objects of a kind in a workspace."""
    return (
        (tracked_objects.c.workspace == workspace)
        & (tracked_objects.c.kind == kind)
        & tracked_objects.c.open
    )


def _count(condition: sa.ColumnElement[bool]) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(tracked_objects).where(condition)


def _slices(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Yield the rows in slices that fit one statement."""
    return (rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE))
