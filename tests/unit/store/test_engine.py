"""What becomes at the end of connections, of whoever waits for one, and of locks."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.store import NameInUse, ReplicaName, close, connect, hold_name
from bot.store.locks import is_name_held
from tests.support.database_faults import end_connections
from tests.support.databases import both_databases

SOON = 10  # seconds; the pool itself would let them wait for thirty


@both_databases
def test_whoever_waits_for_a_connection_is_refused_and_none_is_left_open(database_url: str) -> None:
    engine, opened = watched(database_url)
    in_use = [engine.connect() for _ in range(1 if "sqlite" in database_url else 17)]
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(engine.connect) for _ in range(4)]
        threading.Event().wait(0.2)  # nothing says when they stand in line
        close(engine)
        for connection in in_use:
            connection.close()
        for each in waiting:
            with pytest.raises(sa.exc.InvalidRequestError, match="was closed"):
                each.result(timeout=SOON)
    assert [is_open(each) for each in opened] == [False] * len(in_use)


@both_databases
def test_what_is_idle_is_closed_and_nothing_is_opened_anew(database_url: str) -> None:
    engine, opened = watched(database_url)
    used = [engine.connect() for _ in range(1 if "sqlite" in database_url else 3)]
    for connection in used:
        connection.close()
    close(engine)
    assert [is_open(each) for each in opened] == [False] * len(used)
    with pytest.raises(sa.exc.InvalidRequestError, match="was closed"):
        engine.connect()


@both_databases
def test_a_lock_is_free_once_its_holder_has_left_by_an_error(database_url: str) -> None:
    one, other = connect(database_url), connect(database_url)
    for connection in [one.connect() for _ in range(1 if "sqlite" in database_url else 4)]:
        connection.close()
    with suppress(RuntimeError), hold_name(one, "watch.leader"):
        raise RuntimeError
    for engine in (other, one, other):
        with hold_name(engine, "watch.leader") as name:
            assert name.confirm()
    close(one)
    close(other)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_name_is_taken_again_after_the_database_let_go_of_it(database_url: str) -> None:
    one, other = connect(database_url), connect(database_url)
    name = ReplicaName(one, "main")
    name.keep()
    end_connections(one)
    assert not is_name_held(other, "main")
    name.keep()
    assert is_name_held(other, "main")
    end_connections(one)
    taken = ReplicaName(other, "main")
    for _ in range(2):
        with pytest.raises(NameInUse):
            name.keep()
    taken.release()
    name.keep()
    assert is_name_held(other, "main")
    name.release()
    assert not is_name_held(other, "main")
    close(one)
    close(other)


@both_databases
def test_a_name_is_known_to_be_held_and_is_not_taken_by_asking(database_url: str) -> None:
    engine = connect(database_url)
    assert not is_name_held(engine, "main")
    for _ in range(2):
        with hold_name(engine, "main"):
            assert is_name_held(engine, "main")
            assert not is_name_held(engine, "other")
        assert not is_name_held(engine, "main")
    close(engine)


def watched(database_url: str) -> tuple[sa.Engine, list[Any]]:
    """An engine, and every connection that it opens."""
    engine, opened = connect(database_url), []
    sa.event.listen(engine, "connect", lambda connection, _record: opened.append(connection))
    return engine, opened


def is_open(connection: Any) -> bool:
    try:
        connection.cursor()
    except (sqlite3.Error, psycopg.Error):
        return False
    return True
