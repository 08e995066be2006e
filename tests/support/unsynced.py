"""SQLite that does not wait for the disk: what tests kill is a process, never the machine."""

import sqlite3
from typing import Any

import sqlalchemy as sa


def write_without_sync() -> None:
    """Have every SQLite database of this process leave its writes to the system.

    The bot has each commit synced, which takes 1.6 ms of a fast disk and 10 of a busy one, some
    fifty times in a story. What the system has survives the process that wrote it, killed or not.
    """
    if not sa.event.contains(sa.pool.Pool, "checkout", _leave_to_system):
        sa.event.listen(sa.pool.Pool, "checkout", _leave_to_system)


def _leave_to_system(connection: Any, record: sa.pool.ConnectionPoolEntry, _proxy: Any) -> None:
    # Once for each connection, and not at its opening, at which the bot itself has its say last.
    if isinstance(connection, sqlite3.Connection) and "unsynced" not in record.info:
        connection.execute("PRAGMA synchronous=OFF")
        record.info["unsynced"] = True
