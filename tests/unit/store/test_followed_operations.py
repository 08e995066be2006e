"""Followed operations: the one checked longest ago comes first, and its end is told once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.audit import AuditOutcome
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.run_results import RunResult, RunStatus
from bot.domain.slack import Actor, Destination, SlackLocation
from bot.domain.tracking import FollowedOperation
from bot.notifications.kinds import RunResultNotification
from bot.store import Store, close, connect
from bot.store.followed_operations import decision_about, result_of
from bot.store.tables import followed_operations
from tests.support.databases import Databases, both_databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = Ref(kind="instance", id="i-1")


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    return databases.with_tables(getattr(request, "param", "sqlite"), tmp_path)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    engine = connect(database_url)
    yield Store(engine)
    close(engine)


def followed_operation(store: Store, number: int, action: str = "task.approve") -> Operation:
    """Conclude an operation whose run is to be followed."""
    operation = Operation(
        id=f"operation-{number}",
        action=action,
        ref=Ref(kind="task", id=f"t{number}") if action.startswith("task.") else RUN,
        actor=Actor(id="U0ALICE"),
        location=SlackLocation(channel="C0SOC", card="1.2"),
        accepted_at=NOW,
    )
    facts = {"followed_run": str(RUN)} if action.startswith("task.") else {"attempt_before": 0}
    outcome = Outcome.model_validate({"state": OperationState.DONE, **facts})
    store.claims.conclude(operation, outcome, NOW + timedelta(seconds=number))
    return operation


def ended(followed: FollowedOperation, status: RunStatus) -> tuple[RunResult, list[OutboxEntry]]:
    result = RunResult(status=status, run=followed.run, name="Contain", at=NOW)
    return result, [RunResultNotification.entry(followed, result, NOW)]


@both_databases
def test_what_came_of_it_is_recorded_and_told_once_whoever_finds_it_out(store: Store) -> None:
    operation = followed_operation(store, 1)
    [followed] = store.followed_operations.under_way(9)
    [at_another_replica] = store.followed_operations.under_way(9)
    result, entries = ended(followed, RunStatus.FAILED)
    store.followed_operations.end(followed, result, entries, NOW)
    other, later = ended(at_another_replica, RunStatus.FINISHED)
    store.followed_operations.end(at_another_replica, other, later, NOW)
    assert store.followed_operations.under_way(9) == []
    records = store.audit.entries(operation.ref)
    assert [record["outcome"] for record in records] == [AuditOutcome.DONE, AuditOutcome.RESULT]
    assert RunResult.model_validate(records[-1]["run_result"]) == result
    entry = store.outbox.next_entry(Destination.parse("C0SOC"), NOW)
    assert entry
    assert (entry.dedupe_key, store.outbox.count()) == (f"ended:{operation.id}", 1)
    with store.engine.begin() as connection:
        assert result_of(connection, operation) == result
        assert decision_about(connection, RUN) == operation


def test_the_one_checked_longest_ago_comes_first_and_what_takes_long_is_reported_once(
    store: Store,
) -> None:
    operations = [followed_operation(store, number) for number in range(3)]
    first, second = store.followed_operations.under_way(2)
    assert [first.operation, second.operation] == operations[:2]
    store.followed_operations.mark_checked(first, NOW + timedelta(minutes=1))
    [now_first] = store.followed_operations.under_way(1)
    assert now_first.operation == operations[1]
    for _ in range(2):
        _, entries = ended(first, RunStatus.STILL_RUNNING)
        store.followed_operations.report(first, entries, NOW)
    assert store.outbox.count() == 1
    assert [each.is_reported for each in store.followed_operations.under_way(9)] == [
        False,
        False,
        True,
    ]


@both_databases
def test_decisions_whose_run_failed_are_counted_by_when_that_was_known(store: Store) -> None:
    followed_operation(store, 1)
    followed_operation(store, 2)
    followed_operation(store, 3, "instance.retry")
    statuses = [RunStatus.FAILED, RunStatus.FINISHED, RunStatus.FAILED]
    for followed, status in zip(store.followed_operations.under_way(9), statuses, strict=True):
        result, entries = ended(followed, status)
        store.followed_operations.end(followed, result, entries, NOW + timedelta(hours=1))
    count = store.followed_operations.count_failed_decisions
    assert count(NOW, NOW + timedelta(hours=2)) == 1
    assert count(NOW, NOW + timedelta(hours=1)) == 0


@both_databases
def test_rows_go_at_their_age_whether_or_not_their_run_has_ended(store: Store) -> None:
    for number in range(2):
        followed_operation(store, number)
    followed = store.followed_operations.under_way(1)[0]
    store.followed_operations.end(followed, *ended(followed, RunStatus.FINISHED), NOW)
    assert store.followed_operations.purge(NOW, 9) == 0
    assert store.followed_operations.purge(NOW + timedelta(minutes=1), 9) == 2
    with store.engine.begin() as connection:
        assert connection.execute(sa.select(followed_operations)).all() == []
