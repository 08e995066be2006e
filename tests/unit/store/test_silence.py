"""Postgres falls silent behind a relay: nothing waits for ever, and its locks change hands."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from bot.runtime.timeouts import DatabaseTimeouts
from bot.store import NameInUse, ReplicaName, close, connect, is_database_fault, unhurried
from bot.store.faults import may_have_committed
from bot.store.locks import NameUnconfirmed
from tests.support.relay import Relay, relay_to

TIMEOUTS = DatabaseTimeouts(
    connect=2, statement=0.6, confirm=0.2, confirm_within=0.4, held=0.9, session=1.5
)
PATIENCE = 20  # seconds

pytestmark = [
    pytest.mark.deadline,
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
]


@pytest.fixture
async def relay(database_url: str) -> AsyncIterator[Relay]:
    async with relay_to(database_url) as relay:
        yield relay


@pytest.fixture
def engine(relay: Relay) -> Iterator[sa.Engine]:
    """The database by way of the relay."""
    engine = connect(relay.url, TIMEOUTS)
    yield engine
    relay.thaw()
    close(engine)


@pytest.fixture
def direct(database_url: str) -> Iterator[sa.Engine]:
    engine = connect(database_url, TIMEOUTS)
    yield engine
    close(engine)


@contextmanager
def fails_in_time(may_stand: bool) -> Iterator[None]:
    """Expect a fault of the database, of which it is known whether it may have been recorded."""
    before = time.monotonic()
    with pytest.raises(sa.exc.OperationalError) as caught:
        yield
    assert time.monotonic() - before < PATIENCE
    assert is_database_fault(caught.value)
    assert may_have_committed(caught.value) is may_stand


@pytest.mark.parametrize("silence", [Relay.freeze, Relay.forget], ids=["frozen", "dropped"])
async def test_a_statement_and_a_commit_end_and_the_next_ones_work(
    engine: sa.Engine, relay: Relay, silence: Callable[[Relay], None]
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (text TEXT)")
    with engine.connect() as other, engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES ('one')")
        silence(relay)
        with fails_in_time(may_stand=True):
            connection.commit()
        with fails_in_time(may_stand=True):
            other.exec_driver_sql("SELECT 1")
    relay.thaw()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM notes").scalar() in {0, 1}


async def test_a_connection_that_was_idle_and_a_new_one_are_given_up(
    engine: sa.Engine, relay: Relay
) -> None:
    with engine.connect():
        pass
    relay.freeze()
    for _ in range(2):
        with fails_in_time(may_stand=False):
            engine.connect()
    relay.thaw()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


async def test_the_server_gives_a_statement_up_first_and_a_migration_has_its_time(
    direct: sa.Engine,
) -> None:
    with direct.connect() as connection:
        session = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with fails_in_time(may_stand=False):
            connection.exec_driver_sql("SELECT pg_sleep(30)")
        connection.rollback()
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() == session
    with unhurried(direct), direct.connect() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.8)")
    with direct.connect() as connection, fails_in_time(may_stand=False):
        connection.exec_driver_sql("SELECT pg_sleep(30)")


async def test_what_a_silent_client_has_locked_is_free_for_others(
    engine: sa.Engine, direct: sa.Engine, relay: Relay
) -> None:
    with direct.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE head (number INTEGER)")
        connection.exec_driver_sql("INSERT INTO head VALUES (1)")
    with engine.connect() as silent:
        silent.exec_driver_sql("UPDATE head SET number = 2")
        relay.freeze()
        with unhurried(direct), direct.begin() as connection:
            connection.exec_driver_sql("UPDATE head SET number = 3")
        with fails_in_time(may_stand=True):
            silent.commit()


async def test_a_successor_has_the_name_and_its_holder_knew_before(
    engine: sa.Engine, direct: sa.Engine, relay: Relay
) -> None:
    holder = ReplicaName(engine, "main")
    holder.keep()
    relay.freeze()
    successor, was_certain = None, True
    until = time.monotonic() + PATIENCE
    while successor is None and time.monotonic() < until:
        was_certain = holder.hold() is not None
        try:
            successor = ReplicaName(direct, "main")
        except NameInUse:
            await asyncio.sleep(0.01)  # the server tells nobody that a lock is free
    assert successor
    assert not was_certain
    relay.thaw()
    with pytest.raises(NameInUse):
        holder.keep()
    assert holder.hold() is None
    successor.release()
    holder.keep()
    assert holder.hold() is not None
    holder.release()


async def test_a_name_that_a_lost_connection_of_its_own_holds_is_taken_again(relay: Relay) -> None:
    engine = connect(relay.url, replace(TIMEOUTS, session=100))  # it does not end by itself
    name = ReplicaName(engine, "main")
    before = name.hold()
    relay.forget()
    async with asyncio.timeout(PATIENCE):
        while name.hold() is not None:  # noqa: ASYNC110 - nothing tells that a lock is lost
            await asyncio.sleep(0.01)
        while name.hold() is None:
            try:
                name.keep()
            except NameUnconfirmed:
                await asyncio.sleep(0.01)  # the session takes a moment to end
    assert name.hold() is not before  # another process may have had it between
    name.release()
    close(engine)


async def test_a_name_outlives_every_deadline_while_nobody_asks(direct: sa.Engine) -> None:
    name = ReplicaName(direct, "main")
    await asyncio.sleep(1.2 * TIMEOUTS.session)
    assert name.hold() is not None
    with pytest.raises(NameInUse):
        ReplicaName(direct, "main")
    name.release()
