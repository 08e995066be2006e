"""Open, lock, migrate and close the database, on SQLite or Postgres.

The bot's tables and those of the durable workflows share one engine.
"""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from bot.store import audit_log
from bot.store.audit_key import key_of
from bot.store.tables import UNRELEASED_VERSION_TABLE, VERSION_TABLE, metadata

log = logging.getLogger(__name__)

# The version of SQLite with unixepoch('subsec'); Debian 12, for one, has an older one:
# https://www.sqlite.org/releaselog/3_42_0.html
UNIXEPOCH_SUBSEC = (3, 42)
MIGRATIONS = Path(__file__).parent / "migrations"
# A server that is gone without a word, as after a failover, is waited for a quarter of an hour.
GIVE_UP = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
UNRELEASED = (
    "This database was made by a build from before the first release, and this version can't read "
    "it. Keep it for its records, and name a new one with DATABASE_URL."
)


class UnsupportedDatabase(Exception):
    """The database can't be used by this version; the text says why, and what to do about it."""


class NameInUse(Exception):
    """Another process holds this replica's name."""


def connect(url: str) -> sa.Engine:
    """Open a database by its URL: ``sqlite:///file`` or ``postgresql://…``.

    Raises UnsupportedDatabase for options that its driver can't take.
    """
    try:
        if url.startswith("postgresql"):
            address = sa.make_url(url).set(drivername="postgresql+psycopg")
            engine = sa.create_engine(
                address, pool_size=10, max_overflow=5, pool_pre_ping=True, connect_args=GIVE_UP
            )
            sa.event.listen(engine, "connect", _prepare_postgres)
            return engine
        # One writer connection: with more, writers wait for each other's locks by polling, and at
        # eight starts at once the slowest took over a second.
        engine = sa.create_engine(
            url, pool_size=1, max_overflow=0, connect_args={"check_same_thread": False}
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
    engine = sa.create_engine(address, pool_size=1)

    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA query_only=ON")

    sa.event.listen(engine, "connect", prepare)
    return engine


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

    sa.event.listen(engine, "do_connect", refuse)
    sa.event.listen(engine, "checkin", discard)
    idle = engine.pool.checkedin() if isinstance(engine.pool, sa.QueuePool) else 0
    for _ in range(idle):
        with suppress(sa.exc.SQLAlchemyError):
            engine.connect().close()


def _prepare_postgres(connection: Any, _record: Any) -> None:
    """Let the server notice as soon that we are gone: until then it holds our replica's name."""
    with connection.cursor() as cursor:
        cursor.execute("SET tcp_keepalives_idle = 10")
        cursor.execute("SET tcp_keepalives_interval = 3")
        cursor.execute("SET tcp_keepalives_count = 3")
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


@contextmanager
def hold_name(engine: sa.Engine, name: str) -> Iterator[Callable[[], bool]]:
    """Hold a replica's name in this database until the end of the block, or of the process.

    Yields a function that tells whether it is still held: a connection that broke has released
    it. Raises NameInUse. Two processes of one name would each carry out the other's pending work.
    The lock ends with the process, however it ends.
    """
    lock = _postgres_lock if _is_postgres(engine) else _file_lock
    with lock(engine, name) as is_held:
        yield is_held


class ReplicaName:
    """A replica's name, held from now on: taken again where the database has let go of it.

    Raises NameInUse.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine, self._name = engine, name
        self._lock = ExitStack()
        self._is_held = self._lock.enter_context(hold_name(engine, name))

    def keep(self) -> None:
        """Take the name again if it is held no more, as after a restart of the database; blocks.

        Raises NameInUse if another process has taken it meanwhile, or what the database raises.
        """
        if not self._is_held():
            self._lock.close()
            self._is_held = self._lock.enter_context(hold_name(self._engine, self._name))

    def release(self) -> None:
        """Let another process have the name."""
        self._lock.close()


def is_name_held(engine: sa.Engine, name: str) -> bool:
    """Return whether a process holds a replica's name; it is not taken for a moment either."""
    if not _is_postgres(engine):
        try:
            with Path(f"{engine.url.database}.{name}.lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False
    # A lock by one number shows as its two halves; the shift brings back its sign.
    query = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE locktype = 'advisory' AND datname = current_database() AND objsubid = 1 AND granted
        AND (classid::bigint << 32 | objid::bigint) = hashtext(:name)::bigint
    """
    with engine.connect() as connection:
        return bool(connection.execute(sa.text(query), {"name": _lock_name(name)}).scalar())


def _lock_name(name: str) -> str:
    return f"secmaster-bot {name}"


@contextmanager
def _postgres_lock(engine: sa.Engine, name: str) -> Iterator[Callable[[], bool]]:
    query = sa.text("SELECT pg_try_advisory_lock(hashtext(:name))")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(query, {"name": _lock_name(name)}).scalar():
            raise NameInUse(name)
        try:
            yield lambda: _is_alive(connection)
        finally:
            # The server takes a moment to notice that a connection is closed.
            with suppress(sa.exc.SQLAlchemyError):  # one that broke holds nothing any more
                connection.execute(sa.text("SELECT pg_advisory_unlock_all()"))
            connection.invalidate()  # in the pool it would hold the lock for ever


def _is_alive(connection: sa.Connection) -> bool:
    try:
        connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        return False
    return True


@contextmanager
def _file_lock(engine: sa.Engine, name: str) -> Iterator[Callable[[], bool]]:
    with Path(f"{engine.url.database}.{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NameInUse(name) from None
        yield lambda: True


def _is_postgres(engine: sa.Engine) -> bool:
    return engine.dialect.name == "postgresql"


def readable_by_others(engine: sa.Engine) -> list[Path]:
    """Return the files of an SQLite database that not only their owner may read or write."""
    if _is_postgres(engine):
        return []
    # A write-ahead log from before a crash has the mode that it was made with.
    files = [Path(f"{engine.url.database}{end}") for end in ("", "-wal", "-shm")]
    return [file for file in files if file.exists() and file.stat().st_mode & 0o077]


def _make_private(engine: sa.Engine) -> None:
    """Let only its owner read an SQLite database, from the moment that its file is there.

    SQLite gives its other files the database's mode.
    """
    if _is_postgres(engine):
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
    _make_private(engine)
    schema_versions(engine)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        if _is_postgres(engine):
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
