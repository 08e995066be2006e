"""Workflows that are muted, until when, by whom and why; and what they hold back."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain import snapshots
from bot.domain.mutes import Mute, mute_of
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.ordering import auto_approves
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import ListedObject
from bot.secmaster import Task
from bot.store.repository import Repository
from bot.store.tables import mutes, outbox, tracked_objects
from bot.store.times import from_db, from_db_or_none, to_utc

KEPT_FOR = timedelta(days=2)  # so that digests tell of a mute that is over
CARD = "card:"  # begins the dedupe keys of cards, and no escalation's


def begin(connection: sa.Connection, insert: Callable[..., Any], mute: Mute) -> None:
    """Mute a workflow, or change until when it is muted, in the caller's transaction.

    One that is muted still is muted since the same time, from which arrivals are counted.
    ``insert`` is the INSERT of the connection's dialect.
    """
    connection.execute(sa.delete(mutes).where(mutes.c.until <= to_utc(mute.at - KEPT_FOR)))
    row = mute.model_dump(exclude={"held"}) | {"at": to_utc(mute.at), "until": to_utc(mute.until)}
    changed = {name: value for name, value in row.items() if name not in ("workspace", "key")}
    changed["at"] = sa.case((mutes.c.until > row["at"], mutes.c.at), else_=row["at"])
    statement = insert(mutes).values(row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["workspace", "key"], set_=changed)
    )
    table = tracked_objects.c
    query = sa.select(table.ref, table.kind, table.snapshot).where(
        table.workspace == mute.workspace, table.open
    )
    names = {
        each.ref
        for each in connection.execute(query)
        if (snapshot := snapshots.parse(each.kind, each.snapshot))
        and mute_of([mute], mute.workspace, snapshot)
    }
    _hold(connection, names, mute.key, mute.until, mute.at)


def end(connection: sa.Connection, workspace: str, key: str, at: datetime) -> bool:
    """End a mute in the caller's transaction; what it held back is due now. False for none."""
    row = (mutes.c.workspace == workspace) & (mutes.c.key == key) & (mutes.c.until > to_utc(at))
    if not connection.execute(sa.update(mutes).where(row).values(until=to_utc(at))).rowcount:
        return False
    table = tracked_objects.c
    query = sa.select(table.ref).where(
        table.workspace == workspace, table.mute_key == key, table.open
    )
    _hold(connection, {each.ref for each in connection.execute(query)}, key, at, at)
    return True


def current(connection: sa.Connection, at: datetime) -> list[Mute]:
    """Return the mutes that hold at a time."""
    query = sa.select(mutes).where(mutes.c.until > to_utc(at))
    return [_mute(row) for row in connection.execute(query)]


def locked(connection: sa.Connection, at: datetime) -> list[Mute]:
    """Return the mutes that hold at a time, and can't be ended before the transaction is over.

    Not for a transaction that holds an object's row: whoever ends a mute waits for that.
    """
    query = sa.select(mutes).where(mutes.c.until > to_utc(at)).with_for_update(read=True)
    return [_mute(row) for row in connection.execute(query)]


def columns(
    mutes_now: Sequence[Mute], workspace: str, snapshot: Snapshot, at: datetime
) -> dict[str, Any]:
    """Return what is recorded with the snapshot of an open object: which mute it falls under.

    What is open again has nothing to do with the mutes of before. A task that silence approves by
    now falls under none.
    """
    if mute := mute_of(mutes_now, workspace, snapshot):
        return {"muted_until": to_utc(mute.until), "mute_key": mute.key}
    is_exempt = isinstance(snapshot, Task) and auto_approves(snapshot)
    keys = [] if is_exempt else [each.key for each in mutes_now if each.workspace == workspace]
    table, now = tracked_objects.c, to_utc(at)
    is_over = table.mute_key.not_in(keys) & (table.muted_until > now)
    until = sa.case((is_over, now), else_=table.muted_until)
    return {
        "muted_until": sa.case((table.open, until), else_=sa.null()),
        "mute_key": sa.case((table.open, table.mute_key), else_=""),
    }


def hold_cards(
    connection: sa.Connection, ref: Ref, notifications: Sequence[OutboxEntry]
) -> list[OutboxEntry]:
    """Return notifications of a tracked object, of which its cards come when its mute ends.

    In the caller's transaction. A mute that begins or ends meanwhile waits for it, and finds them.
    """
    row = sa.select(tracked_objects.c.muted_until).where(tracked_objects.c.ref == str(ref))
    until = from_db_or_none(connection.execute(row.with_for_update()).scalar_one_or_none())
    return [
        entry.model_copy(update={"not_before": max(entry.not_before, until)})
        if until and entry.dedupe_key.startswith(CARD)
        else entry
        for entry in notifications
    ]


def hold_new(
    connection: sa.Connection,
    objects: Sequence[ListedObject],
    notifications: Sequence[OutboxEntry],
    at: datetime,
) -> tuple[dict[str, Mute], list[OutboxEntry]]:
    """Return the mutes that new objects fall under, by reference, and when their cards come.

    In the caller's transaction, for which the mutes can't be ended meanwhile.
    """
    mutes_now = locked(connection, at)
    held = {
        str(listed.ref): mute
        for listed in objects
        if (mute := mute_of(mutes_now, listed.ref.workspace, listed.snapshot))
    }
    return held, [
        entry.model_copy(update={"not_before": max(entry.not_before, mute.until)})
        if (mute := held.get(str(entry.notification.ref)))
        else entry
        for entry in notifications
    ]


def _hold(
    connection: sa.Connection, names: Collection[str], key: str, until: datetime, at: datetime
) -> None:
    """Hold back until a time what is due of these objects, and their cards that wait."""
    values = {"muted_until": to_utc(until), "mute_key": key, "next_check_at": to_utc(at)}
    for name in names:
        row = tracked_objects.c.ref == name
        connection.execute(sa.update(tracked_objects).where(row).values(**values))
    move_cards(connection, names, until)


def release_cards(connection: sa.Connection, names: Collection[str], at: datetime) -> None:
    """Have the cards posted now that a mute holds of these objects, in the caller's transaction.

    What was never muted waits for something else, and goes on waiting.
    """
    was_muted = tracked_objects.c.ref.in_(names) & (tracked_objects.c.mute_key != "")
    muted = sa.select(tracked_objects.c.ref).where(was_muted)
    if names:
        move_cards(connection, set(connection.execute(muted).scalars()), at)


def move_cards(connection: sa.Connection, names: Collection[str], until: datetime) -> None:
    """Have the cards of these objects that wait posted at a time, in the caller's transaction.

    What quiet hours hold back for longer comes when they end.
    """
    if not names:
        return
    waiting = sa.select(outbox.c.number, outbox.c.dedupe_key, outbox.c.notification).where(
        outbox.c.done_at.is_(None),
        outbox.c.sending_at.is_(None),
        outbox.c.dedupe_key.like(f"{CARD}%"),
    )
    for entry in connection.execute(waiting).all():
        name_and_place = entry.dedupe_key.removeprefix(CARD)
        if name_and_place.rpartition(":")[0] in names:
            quiet_end = entry.notification.get("held_until")
            not_before = max(until, datetime.fromisoformat(quiet_end)) if quiet_end else until
            row = outbox.c.number == entry.number
            connection.execute(sa.update(outbox).where(row).values(not_before=to_utc(not_before)))


class Mutes(Repository):
    """Reads the table of mutes."""

    def ending_after(self, at: datetime) -> list[Mute]:
        """Return the mutes that hold after a time, with how much arrived under each."""
        held = (
            sa.select(sa.func.count())
            .select_from(tracked_objects)
            .where(
                tracked_objects.c.workspace == mutes.c.workspace,
                tracked_objects.c.mute_key == mutes.c.key,
                tracked_objects.c.open_since >= mutes.c.at,
            )
            .scalar_subquery()
        )
        query = sa.select(mutes, held.label("held")).where(mutes.c.until > to_utc(at))
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(mutes.c.until, mutes.c.key)).all()
        return [_mute(row, row.held) for row in rows]


def _mute(row: sa.Row[Any], held: int = 0) -> Mute:
    return Mute(
        workspace=row.workspace,
        key=row.key,
        name=row.name,
        actor_id=row.actor_id,
        actor_name=row.actor_name,
        reason=row.reason,
        at=from_db(row.at),
        until=from_db(row.until),
        held=held,
    )
