"""A message is one process's to answer, once; what a dead process left behind is another's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.store import DeliveryState, Store, close, connect
from bot.store.deliveries import LOST_AFTER
from tests.support.databases import Databases

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SOON, LATER = NOW + LOST_AFTER, NOW + LOST_AFTER + timedelta(seconds=1)
NEW, RETAKEN = DeliveryState.NEW, DeliveryState.RETAKEN
KNOWN, ELSEWHERE = DeliveryState.KNOWN, DeliveryState.ELSEWHERE


@pytest.fixture
def store(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Store]:
    kind = getattr(request, "param", "sqlite")
    engine = connect(databases.with_tables(kind, tmp_path))
    yield Store(engine)
    close(engine)


on_both = pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)


@on_both
def test_of_many_deliveries_at_once_one_is_new(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        states = list(
            threads.map(lambda n: store.deliveries.take("m", f"p{n % 2}", NOW), range(16))
        )
    assert states.count(NEW) == 1
    first = f"p{states.index(NEW) % 2}"
    assert states.count(KNOWN) == 7
    assert all(
        state is (KNOWN if f"p{n % 2}" == first else ELSEWHERE)
        for n, state in enumerate(states)
        if state is not NEW
    )


@on_both
def test_what_is_answered_is_known_to_every_process_for_ever(store: Store) -> None:
    assert store.deliveries.take("m", "first", NOW) is NEW
    assert store.deliveries.take("m", "second", SOON) is ELSEWHERE
    store.deliveries.mark_answered("m", NOW)
    assert store.deliveries.take("m", "second", LATER) is KNOWN
    assert store.deliveries.take("other", "second", LATER) is NEW


@on_both
def test_what_another_process_has_not_answered_is_taken_over_once(store: Store) -> None:
    assert store.deliveries.take("m", "first", NOW) is NEW
    # Its own process lives: it is at it still, or has told of its failure.
    assert store.deliveries.take("m", "first", LATER) is KNOWN
    with ThreadPoolExecutor(4) as threads:
        states = list(threads.map(lambda n: store.deliveries.take("m", f"p{n}", LATER), range(4)))
    assert sorted(states, key=lambda state: state.value) == [RETAKEN, *[ELSEWHERE] * 3]
    assert store.deliveries.take("m", "first", LATER) is ELSEWHERE


def test_a_new_message_costs_one_statement_and_its_second_delivery_two(store: Store) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    sa.event.listen(store.engine, "before_cursor_execute", note)
    store.deliveries.take("m", "first", NOW)
    store.deliveries.take("m", "second", NOW)
    assert statements == ["INSERT", "INSERT", "SELECT"]


def test_the_oldest_are_forgotten(store: Store) -> None:
    for number in range(3):
        store.deliveries.take(f"m{number}", "first", NOW + timedelta(seconds=number))
    assert store.deliveries.purge(NOW + timedelta(seconds=2), 1) == 1
    assert store.deliveries.purge(NOW + timedelta(seconds=2), 9) == 1
    assert store.deliveries.take("m2", "second", NOW) is ELSEWHERE
