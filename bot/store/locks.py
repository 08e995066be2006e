"""Names of which one process at a time holds each: a replica's own, and the lead among replicas.

On Postgres a name is a lock of a session, which ends with that. A session can outlive what its
process can say through it, behind a relay that is frozen: so its holder confirms it all the time,
the server ends a session that is silent, and both go by clocks of their own: the holder's ends
first. On SQLite a name is a lock on a file, which ends with the process.
"""

import fcntl
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from bot.store.engine import driver_connection, is_postgres, timeouts_of

log = logging.getLogger(__name__)

IDLE_SESSION_TIMEOUT = 140_000  # the version of Postgres from which on it ends silent sessions
# A machine's sleep counts as well where the system has a clock that does not stop for it.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# A lock by one number shows as its two halves; the shift brings back its sign.
HOLDER = sa.text("""
    SELECT activity.pid, activity.backend_start
    FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    JOIN pg_stat_activity AS activity ON activity.pid = pg_locks.pid
    WHERE locktype = 'advisory' AND pg_database.datname = current_database()
    AND objsubid = 1 AND granted
    AND (classid::bigint << 32 | objid::bigint) = hashtext(:name)::bigint
""")


class NameInUse(Exception):
    """Another process holds this name."""


class NameUnconfirmed(Exception):
    """The database still holds this name for a connection of ours that is gone."""


class HeldName(Protocol):
    """A name that this process holds, or held."""

    def confirm(self) -> bool:
        """Ask the database whether it is still held; blocks, for a few seconds at most."""

    def is_certain(self) -> bool:
        """Return whether no other process can have it, by what was confirmed last.

        That holds while the server keeps the session for as long as `DatabaseTimeouts` asks. Where
        it ends one sooner, as by a restart, a failover or an administrator, another process can
        have the name at once, and this says so from the next confirmation on: usually after
        ``confirm``, after ``confirm + confirm_within`` at the latest.
        """


@dataclass(frozen=True, slots=True)
class Session:
    """One session of a Postgres server: another process may have its ``pid`` later."""

    pid: int
    started_at: datetime


class FileLock:
    """A name on SQLite, held until this process ends."""

    def confirm(self) -> bool:
        return True

    def is_certain(self) -> bool:
        return True


class SessionLock:
    """A name on Postgres, by an advisory lock of a connection that is used for nothing else."""

    def __init__(self, connection: sa.Connection, session: Session) -> None:
        self.session = session
        self._connection = connection
        self._timeouts = timeouts_of(connection.engine)
        self._statements = threading.Lock()
        self._is_over = threading.Event()
        self._confirmed_at = _now()
        self._confirming = threading.Thread(target=self._confirm_always, daemon=True)

    def start(self) -> None:
        """Have the server end the session once it is silent, and see to it that it is not."""
        driver = driver_connection(self._connection)
        if driver.info.server_version >= IDLE_SESSION_TIMEOUT:
            milliseconds = str(round(self._timeouts.session * 1000))
            timeout = sa.text("SELECT set_config('idle_session_timeout', :value, false)")
            self._connection.execute(timeout, {"value": milliseconds})
        else:
            log.warning(
                "this Postgres does not end silent sessions: version 14 or newer is needed for "
                "another replica to take over from one that a frozen relay cuts off"
            )
        driver.deadline = self._timeouts.confirm_within
        self._confirming.start()

    def confirm(self) -> bool:
        with self._statements:
            if self._is_over.is_set():  # a connection that broke would be opened anew
                return False
            sent_at = _now()
            try:
                self._connection.execute(sa.text("SELECT 1"))
            except sa.exc.SQLAlchemyError:
                self._is_over.set()
            else:
                self._confirmed_at = sent_at
        return self.is_certain()

    def is_certain(self) -> bool:
        return not self._is_over.is_set() and _now() - self._confirmed_at < self._timeouts.held

    def release(self) -> None:
        """Let another process have the name."""
        with self._statements:
            if not self._is_over.is_set():
                self._is_over.set()
                # The server takes a moment to notice that a connection is closed.
                with suppress(sa.exc.SQLAlchemyError):  # one that broke holds nothing any more
                    self._connection.execute(sa.text("SELECT pg_advisory_unlock_all()"))
            self._connection.invalidate()  # in the pool it would hold the lock for ever

    def _confirm_always(self) -> None:
        while not self._is_over.wait(self._timeouts.confirm):
            self.confirm()


@contextmanager
def hold_name(engine: sa.Engine, name: str) -> Iterator[HeldName]:
    """Hold a name in this database until the end of the block, or of the process.

    Raises NameInUse. Two processes of one name would each carry out the other's pending work.
    """
    hold = _hold_session if is_postgres(engine) else _hold_file
    with hold(engine, name) as held:
        yield held


class ReplicaName:
    """A replica's name, held from now on: taken again where the database has let go of it.

    Raises NameInUse.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine, self._name = engine, name
        self._lock = ExitStack()
        self._held = self._lock.enter_context(hold_name(engine, name))

    def hold(self) -> HeldName | None:
        """Return the lock that this process has the name by; None where it may have lost it.

        A session that the server ended by itself is noticed late: see `HeldName.is_certain`.
        After the name was lost and taken again it is another lock: another process may have had
        the name between.
        """
        held = self._held
        return held if held.is_certain() else None

    def keep(self) -> None:
        """Take the name again if it is held no more, as after a restart of the database; blocks.

        Raises NameInUse if another process has taken it meanwhile, NameUnconfirmed while the
        database has not let go of it, or what the database raises.
        """
        if self._held.confirm():
            return
        self._lock.close()
        try:
            self._held = self._lock.enter_context(hold_name(self._engine, self._name))
        except NameInUse:
            if self._end_own_session():
                raise NameUnconfirmed(self._name) from None
            raise

    def release(self) -> None:
        """Let another process have the name."""
        self._lock.close()

    def _end_own_session(self) -> bool:
        """End the session that held the name for us, if it still does; return whether it does.

        Its connection is gone, and the server may not know it.
        """
        holder = _holder(self._engine, self._name)
        if not isinstance(self._held, SessionLock) or holder != self._held.session:
            return False
        with self._engine.begin() as connection:
            end = sa.text("SELECT pg_terminate_backend(:pid)")
            connection.execute(end, {"pid": holder.pid})
        return True


def is_name_held(engine: sa.Engine, name: str) -> bool:
    """Return whether a process holds a name; it is not taken for a moment either."""
    if is_postgres(engine):
        return _holder(engine, name) is not None
    try:
        with Path(f"{engine.url.database}.{name}.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _holder(engine: sa.Engine, name: str) -> Session | None:
    """Return the session that holds a name on Postgres."""
    with engine.connect() as connection:
        row = connection.execute(HOLDER, {"name": _lock_name(name)}).first()
    return Session(row.pid, row.backend_start) if row else None


def _lock_name(name: str) -> str:
    return f"secmaster-bot {name}"


def _now() -> float:
    return time.clock_gettime(CLOCK)


@contextmanager
def _hold_session(engine: sa.Engine, name: str) -> Iterator[SessionLock]:
    take = sa.text("""
        SELECT pg_try_advisory_lock(hashtext(:name)) AS is_taken, pid, backend_start
        FROM pg_stat_activity WHERE pid = pg_backend_pid()
    """)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        row = connection.execute(take, {"name": _lock_name(name)}).one()
        if not row.is_taken:
            raise NameInUse(name)
        lock = SessionLock(connection, Session(row.pid, row.backend_start))
        try:
            lock.start()
            yield lock
        finally:
            lock.release()


@contextmanager
def _hold_file(engine: sa.Engine, name: str) -> Iterator[FileLock]:
    with Path(f"{engine.url.database}.{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NameInUse(name) from None
        yield FileLock()
