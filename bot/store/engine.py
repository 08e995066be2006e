"""Open, migrate and close the database, on SQLite or Postgres.

The bot's tables and those of the durable workflows share one engine.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from bot.runtime.timeouts import DatabaseTimeouts
from bot.store import audit_log
from bot.store.audit_key import key_of
from bot.store.file_systems import network_file_system
from bot.store.tables import UNRELEASED_VERSION_TABLE, VERSION_TABLE, metadata
from bot.store.timed_connection import TimedConnection

log = logging.getLogger(__name__)

# The version of SQLite with unixepoch('subsec'); Debian 12, for one, has an older one:
# https://www.sqlite.org/releaselog/3_42_0.html
UNIXEPOCH_SUBSEC = (3, 42)
POOLER_ATTEMPTS = 3  # others use a pooler's sessions as well, and may hide it once
MIGRATIONS = Path(__file__).parent / "migrations"
# A server that is gone without a word, as after a failover, is waited for a quarter of an hour.
GIVE_UP = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
POOLED = (
    "DATABASE_URL leads through a pooler in transaction mode, such as PgBouncer's "
    "pool_mode = transaction. The bot's locks belong to a session, and would not hold: two "
    "replicas could carry out the same work. Use session mode, or the server's own address."
)
UNRELEASED = (
    "This database was made by a build from before the first release, and this version can't read "
    "it. Keep it for its records, and name a new one with DATABASE_URL."
)


class UnsupportedDatabase(Exception):
    """The database can't be used by this version; the text says why, and what to do about it."""


TIMEOUTS = "database_timeouts"  # the execution option in which an engine carries them
DEADLINE = "deadline"  # the option of a connection that is ours, and not the driver's


def connect(url: str, timeouts: DatabaseTimeouts | None = None) -> sa.Engine:
    """Open a database by its URL: ``sqlite:///file`` or ``postgresql://…``.

    Raises UnsupportedDatabase for options that its driver can't take.
    """
    timeouts = timeouts or DatabaseTimeouts()
    try:
        if url.startswith("postgresql"):
            address = sa.make_url(url).set(drivername="postgresql+psycopg")
            engine = sa.create_engine(
                address,
                hide_parameters=True,  # names of tasks and people stay out of errors and logs
                pool_size=10,
                max_overflow=7,  # two are for the locks of the replica's name and of the lead
                pool_timeout=timeouts.statement,
                pool_pre_ping=True,
                connect_args={
                    **GIVE_UP,
                    "connect_timeout": timeouts.connect,
                    DEADLINE: timeouts.statement,
                },
                execution_options={TIMEOUTS: timeouts},
            )
            sa.event.listen(engine, "do_connect", _open_postgres)
            sa.event.listen(engine, "connect", _prepare_postgres)
            return engine
        # One writer connection: with more, writers wait for each other's locks by polling, and at
        # eight starts at once the slowest took over a second.
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            pool_size=1,
            max_overflow=0,
            connect_args={"check_same_thread": False},
        )
    except (ValueError, TypeError):
        raise UnsupportedDatabase(
            "DATABASE_URL has an option after its ? that can't be used. Leave the option out."
        ) from None
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def open_read_only(url: str) -> sa.Engine:
    """Open a database for reading only; a file that does not exist is not created."""
    if url.startswith("postgresql"):
        return connect(url).execution_options(postgresql_readonly=True)
    file = f"file:{quote(str(sa.make_url(url).database))}"
    address = sa.URL.create("sqlite", database=file, query={"mode": "rw", "uri": "true"})
    engine = sa.create_engine(address, hide_parameters=True, pool_size=1)

    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA query_only=ON")

    sa.event.listen(engine, "connect", prepare)
    return engine


def check_sessions(engine: sa.Engine) -> None:
    """Check that a connection to Postgres is one session from its beginning to its end.

    Raises UnsupportedDatabase where a pooler gives the session of one that says nothing for the
    moment to another, or hands a connection another session for each statement.
    """
    if not is_postgres(engine):
        return
    query = sa.text("SELECT pg_backend_pid()")
    automatic = engine.execution_options(isolation_level="AUTOCOMMIT")
    with automatic.connect() as first, engine.connect() as second:
        for _ in range(POOLER_ATTEMPTS):
            sessions = {first.execute(query).scalar() for _ in range(2)}
            in_transaction = second.execute(query).scalar()
            # Not asked while its session is the other's: a pool of one would let it wait.
            if in_transaction not in sessions:
                sessions.add(first.execute(query).scalar())
            if in_transaction in sessions or len(sessions) > 1:
                raise UnsupportedDatabase(POOLED)
            second.rollback()


def schema_versions(engine: sa.Engine) -> tuple[str, str]:
    """Return the version of the database's tables ("" if there are none), and the newest one.

    Raises UnsupportedDatabase for tables that no release has made, or a newer version.
    """
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""
    inspector = sa.inspect(engine)
    if inspector.has_table(UNRELEASED_VERSION_TABLE):
        raise UnsupportedDatabase(UNRELEASED)
    if not inspector.has_table(VERSION_TABLE):
        return "", newest
    with engine.connect() as connection:
        version = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - our own constant
    current = str(version or "")
    if current > newest:
        raise UnsupportedDatabase(
            "This database was written by a newer version of the bot. Start that one, or name "
            "another database with DATABASE_URL."
        )
    if current == newest and not _has_all_columns(inspector):
        raise UnsupportedDatabase(UNRELEASED)
    return current, newest


def _has_all_columns(inspector: sa.Inspector) -> bool:
    """Whether all tables are as they are now: the first migration was edited until its release."""
    columns = inspector.get_multi_columns()
    return all(
        {*table.columns.keys()}
        <= {column["name"] for column in columns.get((None, table.name), ())}
        for table in metadata.sorted_tables
    )


def close(engine: sa.Engine) -> None:
    """Close every idle connection, and one in use as soon as it is returned.

    Calls of cancelled tasks go on in their threads. Whichever of them waits for a connection is
    refused in its turn; after the pool's own ``dispose`` it would wait for half a minute, and
    the process with it, and a connection in use would stay open.
    """

    def refuse(*_: Any) -> None:
        raise sa.exc.InvalidRequestError("the database was closed")

    def discard(_connection: Any, record: sa.pool.ConnectionPoolEntry) -> None:
        record.invalidate()

    if is_postgres(engine):
        sa.event.remove(engine, "do_connect", _open_postgres)  # the first to open it is the last
    sa.event.listen(engine, "do_connect", refuse)
    sa.event.listen(engine, "checkin", discard)
    idle = engine.pool.checkedin() if isinstance(engine.pool, sa.QueuePool) else 0
    for _ in range(idle):
        with suppress(sa.exc.SQLAlchemyError):
            engine.connect().close()


def timeouts_of(engine: sa.Engine) -> DatabaseTimeouts:
    """Return how long Postgres may take on this engine."""
    timeouts: DatabaseTimeouts = engine.get_execution_options()[TIMEOUTS]
    return timeouts


def driver_connection(connection: sa.Connection) -> TimedConnection:
    """Return the driver's own connection to Postgres."""
    driver = connection.connection.dbapi_connection
    if not isinstance(driver, TimedConnection):
        raise TypeError(f"{type(driver).__name__} has no deadline")
    return driver


def _open_postgres(
    _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]
) -> TimedConnection:
    """Open a connection that has a deadline, in the place of SQLAlchemy."""
    seconds = options.pop(DEADLINE)
    connection = TimedConnection.connect(*arguments, **options)
    try:
        connection.limit(seconds)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def unhurried(engine: sa.Engine) -> Iterator[None]:
    """Let a statement in this block take as long as one of a migration may."""
    if not is_postgres(engine):
        yield
        return
    seconds = timeouts_of(engine).migration

    def allow(connection: TimedConnection, _record: object, _proxy: object) -> None:
        connection.limit(seconds)

    def discard(_connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        record.invalidate()

    sa.event.listen(engine, "checkout", allow)
    sa.event.listen(engine, "checkin", discard)
    try:
        yield
    finally:
        sa.event.remove(engine, "checkout", allow)
        sa.event.remove(engine, "checkin", discard)


def _prepare_postgres(connection: Any, _record: Any) -> None:
    """Let the server notice as soon that we are gone: until then it holds our replica's name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('tcp_keepalives_idle', '10', false),"
            " set_config('tcp_keepalives_interval', '3', false),"
            " set_config('tcp_keepalives_count', '3', false)"
        )
    connection.commit()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")
    # An acknowledged click must survive a power cut too, not only a kill.
    connection.execute("PRAGMA synchronous=FULL")

    if sqlite3.sqlite_version_info < UNIXEPOCH_SUBSEC:
        # From Python 3.12 on the workflows' tables use unixepoch('subsec').
        connection.create_function("unixepoch", 1, lambda _modifier: round(time.time(), 3))


def is_postgres(engine: sa.Engine) -> bool:
    """Return whether a database is on Postgres, and not on SQLite."""
    return engine.dialect.name == "postgresql"


def readable_by_others(engine: sa.Engine) -> list[Path]:
    """Return the files of an SQLite database that not only their owner may read or write."""
    if is_postgres(engine):
        return []
    # A write-ahead log from before a crash has the mode that it was made with.
    files = [Path(f"{engine.url.database}{end}") for end in ("", "-wal", "-shm")]
    return [file for file in files if file.exists() and file.stat().st_mode & 0o077]


def _warn_of_network(engine: sa.Engine) -> None:
    """Log that an SQLite database is where it can be damaged."""
    file = Path(engine.url.database or "")
    if not is_postgres(engine) and (file_system := network_file_system(file)):
        log.warning(
            "the SQLite database is on a network file system, where its write-ahead log does not "
            "work and the file can be damaged: move it to a local disk, or use Postgres",
            extra={"file": str(file), "file_system": file_system},
        )


def _make_private(engine: sa.Engine) -> None:
    """Let only its owner read an SQLite database, from the moment that its file is there.

    SQLite gives its other files the database's mode.
    """
    if is_postgres(engine):
        return
    os.close(os.open(str(engine.url.database), os.O_RDWR | os.O_CREAT, 0o600))
    for file in readable_by_others(engine):
        try:
            file.chmod(0o600)
        except PermissionError:  # somebody else's file
            log.warning("others may read the database", extra={"file": str(file)})
        else:
            log.warning("others could read the database until now", extra={"file": str(file)})


def migrate(engine: sa.Engine) -> None:
    """Create the bot's tables, or bring them to this version; raises UnsupportedDatabase."""
    _warn_of_network(engine)
    _make_private(engine)
    schema_versions(engine)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with unhurried(engine), engine.begin() as connection:
        if is_postgres(engine):
            # Replicas may start together.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7362001)"))
        else:
            # The driver opens a transaction at the first write of rows only, and by then the
            # tables would be permanent: a half-done migration must never be.
            connection.execute(sa.text("BEGIN IMMEDIATE"))
        is_new = not sa.inspect(connection).has_table(VERSION_TABLE)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if is_new and key_of(connection):
            audit_log.sign(connection, number=0, head=audit_log.GENESIS)
