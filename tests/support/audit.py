"""Writes an audit for a test, and reads and rewrites its tables as an intruder would."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.store import audit_log, connect, migrate

START = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
AUDIT = ("number", "at", "target", "dedupe_key", "record", "hash")
Rows = list[dict[str, Any]]


def entry(number: int, **more: Any) -> dict[str, Any]:
    """What somebody did in the given hour."""
    return {
        "at": START + timedelta(hours=number),
        "operation_id": f"operation-{number}",
        "outcome": "done",
        "action": "task.approve",
        "target": f"1:task:main:t{number % 2}",
        "actor": {"id": "U0ALICE", "name": "Alice"},
        "location": {"channel": "C0SOC"},
        "params": {"action": "isolate"},
        "reason": f"because of {number}",
        "status": None,
        **more,
    }


def write(engine: sa.Engine, many: int, first: int = 1) -> None:
    with engine.begin() as connection:
        for number in range(first, first + many):
            audit_log.append(connection, entry(number))


@contextmanager
def open_audit(url: str, many: int = 0) -> Iterator[sa.Engine]:
    """A database of this version, with so many records."""
    engine = connect(url)
    try:
        migrate(engine)
        write(engine, many)
        yield engine
    finally:
        engine.dispose()


def do(engine: sa.Engine, *statements: str, **values: Any) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement), values)


def rows(engine: sa.Engine) -> Rows:
    with engine.connect() as connection:
        result = connection.execute(sa.text("SELECT * FROM audit ORDER BY number"))
        return [dict(row) for row in result.mappings()]


def rewrite(engine: sa.Engine, records: Rows, *, head: bool) -> None:
    """Put these in the place of all records, and make the head fit if told to."""
    names = ", ".join(AUDIT)
    insert = f"INSERT INTO audit ({names}) VALUES (:{', :'.join(AUDIT)})"
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit"))
        if records:
            connection.execute(sa.text(insert), records)
    if head:
        last = records[-1] if records else {"number": 0, "hash": audit_log.GENESIS}
        do(
            engine,
            "UPDATE audit_head SET number = :number, hash = :hash",
            number=last["number"],
            hash=last["hash"],
        )


def sentences(verified: audit_log.Verified) -> list[str]:
    return [sentence for _number, sentence in verified.problems]
