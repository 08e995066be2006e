"""One replica of a database leads at a time, and knows when it no longer does."""

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bot.store import NameInUse, close, connect
from bot.watch.leader import Leader

both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = connect(database_url)
    yield engine
    close(engine)


async def can_lead(engine: sa.Engine) -> bool:
    """Return whether a successor leads soon: Postgres notices a closed connection in a moment."""
    for _ in range(200):
        try:
            async with Leader(engine) as successor:
                return await successor.is_leader()
        except NameInUse:
            await asyncio.sleep(0.02)
    return False


@both_databases
async def test_one_leads_and_another_once_it_has_ended(engine: sa.Engine) -> None:
    async with Leader(engine) as leader:
        assert await leader.is_leader()
        with pytest.raises(NameInUse):
            async with Leader(engine):
                pass
    assert await can_lead(engine)


@both_databases
async def test_an_error_while_leading_ends_the_lead(engine: sa.Engine) -> None:
    with pytest.raises(RuntimeError):
        async with Leader(engine):
            raise RuntimeError
    assert await can_lead(engine)


@both_databases
async def test_who_stops_waiting_for_the_lead_does_not_keep_it(engine: sa.Engine) -> None:
    entering = asyncio.create_task(Leader(engine).__aenter__())
    await asyncio.sleep(0)  # it asks the database by now
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert await can_lead(engine)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_broken_connection_has_lost_the_lead(engine: sa.Engine) -> None:
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    async with Leader(engine) as leader:
        with engine.connect() as connection:
            connection.execute(sa.text(f"{others} AND datname = current_database()"))
        assert not await leader.is_leader()
        assert await can_lead(engine)
