"""For how long what waits longest has waited: of what is to be posted, and of operations."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.audit import AuditOutcome
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.operations import Operation
from bot.domain.slack import Actor, Destination, SlackLocation
from bot.notifications.kinds import BacklogNotification
from bot.store import Store, audit, close, connect
from bot.store.workflows import OPERATION, status_table
from tests.support.databases import Databases

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOC = Destination.parse("C0SOC")


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Store]:
    engine = connect(databases.with_tables(request.param, tmp_path))
    yield Store(engine)
    close(engine)


def test_a_message_waits_since_it_was_due_and_not_since_its_last_attempt(store: Store) -> None:
    assert store.outbox.oldest(NOW) is None
    entry = OutboxEntry(
        dedupe_key="backlog",
        destination=SOC,
        notification=BacklogNotification(),
        not_before=NOW + HOUR,  # for quiet hours
    )
    store.outbox.add([entry], NOW)
    assert store.outbox.oldest(NOW) is None
    assert (store.outbox.count_due(NOW), store.outbox.count()) == (0, 1)
    assert store.outbox.oldest(NOW + 2 * HOUR) == NOW + HOUR
    assert store.outbox.count_due(NOW + 2 * HOUR) == 1
    waiting = store.outbox.next_entry(SOC, NOW + 2 * HOUR)
    assert waiting
    store.outbox.mark_sending([waiting], "process", NOW + 2 * HOUR)
    store.outbox.postpone([waiting.number], NOW + 4 * HOUR)
    assert store.outbox.oldest(NOW + 3 * HOUR) == NOW + 2 * HOUR
    assert store.outbox.count_due(NOW + 3 * HOUR) == 1
    store.outbox.mark_done([waiting.number], NOW + 4 * HOUR)
    assert store.outbox.oldest(NOW + 5 * HOUR) is None
    assert store.outbox.count_due(NOW + 5 * HOUR) == 0


def test_an_operation_goes_on_since_it_was_recorded_and_not_while_it_waits_for_others(
    store: Store,
) -> None:
    assert store.workflows.oldest_operation() is None
    table, workflows = status_table(store.engine), dict[str, datetime]()
    for name, status, workflow in (
        ("ended", "SUCCESS", OPERATION),
        ("batch", "PENDING", "decide_batch"),
        ("counted", "PENDING", OPERATION),
        ("first", "PENDING", OPERATION),
        ("second", "PENDING", OPERATION),
    ):
        began = NOW + len(workflows) * HOUR
        workflows[name] = began
        with store.engine.begin() as connection:
            row = {"workflow_uuid": name, "status": status, "name": workflow}
            connection.execute(
                sa.insert(table).values(**row, created_at=int(began.timestamp() * 1000))
            )
    with store.engine.begin() as connection:
        audit.record(connection, operation("counted"), AuditOutcome.COUNTED, NOW)
    assert store.workflows.oldest_operation() == workflows["first"]


def operation(id_: str) -> Operation:
    return Operation(
        id=id_,
        action="task.approve",
        ref=Ref(kind="task", id="t"),
        actor=Actor(id="U0ALICE"),
        location=SlackLocation(),
        accepted_at=NOW,
    )
