"""What cards are drawn from, over several tables: recorded when it was read, loaded as one state.

A state is loaded in one transaction that sees one moment, so that no card shows half of a change.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from bot.domain.actions import BY_NAME
from bot.domain.cards import Card, CardState, DecidedTask, GroupState
from bot.domain.objects import Ref
from bot.domain.operations import OperationState
from bot.domain.run_results import RunResult, waiting_kind
from bot.domain.snapshots import (
    Reading,
    Snapshot,
    parse,
    stored,
    with_evidence,
    without_evidence,
)
from bot.secmaster import Task
from bot.store import (
    approvals,
    evidence,
    followed_operations,
    object_records,
    snapshots,
    tracked,
)
from bot.store.cards import cards_at, cards_of
from bot.store.claims import standing_operation
from bot.store.repository import Repository
from bot.store.tables import approvals as approvals_table
from bot.store.tables import cards, tracked_objects
from bot.store.tables import snapshots as snapshots_table
from bot.store.times import to_utc

# What a card tells of: what was done from here, or may have been.
STANDING_STATES = (OperationState.DONE, OperationState.UNKNOWN, OperationState.IN_DOUBT)
GROUP_ROWS = 200  # objects that are read to draw a card of several


class CardStates(Repository):
    """What the cards of objects are drawn from."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        # On Postgres each statement of a transaction would see a moment of its own. SQLite has one
        # connection here, and nobody else uses it meanwhile.
        self._one_moment = (
            engine.execution_options(isolation_level="REPEATABLE READ")
            if engine.dialect.name == "postgresql"
            else engine
        )

    def is_followed(self, ref: Ref) -> bool:
        """Whether an object has a card or is tracked."""
        has_card = sa.exists().where(cards.c.ref == str(ref))
        is_tracked = sa.exists().where(tracked_objects.c.ref == str(ref))
        with self.engine.begin() as connection:
            return bool(connection.execute(sa.select(has_card | is_tracked)).scalar())

    def record(self, ref: Ref, reading: Reading) -> None:
        """Record what an object is like, before a card shows it."""
        with self.engine.begin() as connection:
            self._record(connection, ref, reading)

    def record_if_newest(self, ref: Ref, reading: Reading) -> bool:
        """Record what an object is like, unless something newer may be known; return whether.

        It may be where a card shows an answer that came after this was asked for, or where the
        object changed in a list and was not read since.
        """
        newer_card = (cards.c.ref == str(ref)) & (cards.c.read_at > to_utc(reading.asked_at))
        changed = (tracked_objects.c.ref == str(ref)) & tracked_objects.c.stale
        with self.engine.begin() as connection:
            # Locked, so that a list's news can't come in between and be taken for what is drawn.
            row = sa.select(tracked_objects.c.stale).where(tracked_objects.c.ref == str(ref))
            connection.execute(row.with_for_update())
            query = sa.select(sa.exists().where(newer_card) | sa.exists().where(changed))
            if connection.execute(query).scalar():
                return False
            self._record(connection, ref, reading)
            return True

    def _record(self, connection: sa.Connection, ref: Ref, reading: Reading) -> None:
        tracked.update_read(connection, ref, reading.snapshot, reading.asked_at)
        # Noted before anything is drawn, since a drawing may be broken off and show it already.
        at = to_utc(reading.answered_at)
        read_at = sa.case((cards.c.read_at < at, at), else_=cards.c.read_at)
        update = sa.update(cards).where(cards.c.ref == str(ref)).values(read_at=read_at)
        # Only what a card shows is decided on, and compared then with what it has become.
        if connection.execute(update).rowcount and reading.snapshot:
            snapshot = stored(with_evidence(reading.snapshot, evidence.of(connection, ref)))
            snapshots.save(connection, self._insert, ref, snapshot, reading.answered_at)

    def load(self, ref: Ref, snapshot: Snapshot | None, at: datetime) -> CardState:
        """Return what an object's cards are drawn from at a time, with this snapshot of it."""
        with self._one_moment.begin() as connection:
            return _state(connection, ref, snapshot, at)

    def load_stored(self, ref: Ref, at: datetime) -> CardState:
        """Return what an object's cards are drawn from, with the snapshot that they show already.

        The snapshot is None where none is stored.
        """
        with self._one_moment.begin() as connection:
            state = _state(connection, ref, None, at)
            fingerprints = (card.decision_fingerprint for card in state.cards)
            query = sa.select(snapshots_table.c.snapshot).where(
                snapshots_table.c.fingerprint == next(filter(None, fingerprints), "")
            )
            snapshot = parse(ref.kind, connection.execute(query).scalar() or "")
            if snapshot and (around := evidence.of(connection, ref)):
                snapshot = with_evidence(without_evidence(snapshot), around)
            names = dict(state.names) | _run_name(connection, ref, snapshot)
        return replace(state, snapshot=snapshot, names=names, stale=True)

    def load_group(self, channel: str, ts: str, at: datetime) -> GroupState:
        """Return what a message is drawn from that shows several objects."""
        with self._one_moment.begin() as connection:
            return _group(connection, channel, ts, at)


def _state(
    connection: sa.Connection, ref: Ref, snapshot: Snapshot | None, at: datetime
) -> CardState:
    if snapshot:
        snapshot = with_evidence(snapshot, evidence.of(connection, ref))
    cards = cards_of(connection, ref)
    records = object_records.records(connection, ref)
    standing = standing_operation(connection, ref, STANDING_STATES)
    if standing and BY_NAME[standing.operation.action].is_decision:
        result = followed_operations.result_of(connection, standing.operation)
        standing = standing.model_copy(update={"result": result})
    state = CardState(
        ref,
        snapshot,
        cards=tuple(cards),
        standing_operation=standing,
        requests=approvals.open_requests(connection, ref, at),
        request_news=object_records.request_news(records),
        names=object_records.file_names(records) | _run_name(connection, ref, snapshot),
        decision=_decision(connection, ref),
        linked_cards=_linked_cards(connection, standing.result if standing else None),
        groups={
            (card.channel, card.ts): group
            for card in cards
            if card.card_group
            and len((group := _group(connection, card.channel, card.ts, at)).refs) > 1
        },
    )
    row = next(iter(tracked.get(connection, [ref])), None)
    if row is None:
        return state
    if row.is_snoozed(at):
        state = replace(state, snoozed_until=row.snoozed_until, snoozed_by=row.snoozed_by)
    return replace(state, assignment=row.assignment_at(at))


def _decision(connection: sa.Connection, ref: Ref) -> DecidedTask | None:
    """Return the last decision that let a run continue; None where its task has no card."""
    if ref.kind == "task":
        return None
    operation = followed_operations.decision_about(connection, ref)
    task_cards = cards_of(connection, operation.ref) if operation else []
    return DecidedTask(operation, tuple(task_cards)) if operation and task_cards else None


def _linked_cards(
    connection: sa.Connection, result: RunResult | None
) -> Mapping[str, tuple[Card, ...]]:
    """Return the cards of the run, or the task, that came of a decision, by their references."""
    if result is None:
        return {}
    refs = (result.next_task, result.run)
    return {str(ref): tuple(cards_of(connection, ref)) for ref in refs if ref}


def _run_name(connection: sa.Connection, ref: Ref, snapshot: Snapshot | None) -> dict[str, str]:
    """Return the name of the run that waits for a task, by its id; {} where it is not known."""
    if not isinstance(snapshot, Task):
        return {}
    id_, kind = snapshot.action_instance_id, waiting_kind(snapshot)
    run_ref = Ref.parse(f"1:{kind}:{ref.workspace}:{id_}")
    if run_ref is None:
        return {}
    query = sa.select(snapshots_table.c.snapshot).where(snapshots_table.c.ref == str(run_ref))
    text = connection.execute(query.order_by(snapshots_table.c.at.desc()).limit(1)).scalar()
    run = parse(kind, text or "")
    return {id_: run.name} if run else {}


def _group(connection: sa.Connection, channel: str, ts: str, at: datetime) -> GroupState:
    refs = [card.ref for card in cards_at(connection, channel, ts)]
    objects = tracked.get(connection, refs[:GROUP_ROWS])
    names = [str(tracked_object.ref) for tracked_object in objects]
    query = sa.select(approvals_table.c.ref).where(approvals_table.c.ref.in_(names)).distinct()
    requested = {row.ref for row in connection.execute(query)}
    return GroupState(
        refs=tuple(refs),
        open=tracked.count_open(connection, refs),
        objects=tuple(objects),
        requests={
            ref: approvals.open_requests(connection, ref, at)
            for ref in refs[:GROUP_ROWS]
            if str(ref) in requested
        },
    )
