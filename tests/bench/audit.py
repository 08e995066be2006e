"""How fast the audit is written and verified, on SQLite in a file."""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from bot.store import audit_log, connect, migrate

RECORDS = 10_000


def measured() -> dict[str, float]:
    """The seconds that each took, for all records."""
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{Path(folder) / 'bot.db'}")
        migrate(engine)
        begun = time.perf_counter()
        _write(engine)
        written = time.perf_counter()
        result = audit_log.verify(engine)
        verified = time.perf_counter()
        engine.dispose()
    if result.total or result.records != RECORDS:
        raise RuntimeError(f"the audit is not whole: {result}")
    return {"written, each for itself": written - begun, "verified": verified - written}


def _write(engine: sa.Engine) -> None:
    for number in range(RECORDS):
        with engine.begin() as connection:
            audit_log.append(connection, _entry(number))


def _entry(number: int) -> dict[str, object]:
    return {
        "at": datetime.now(UTC),
        "operation_id": f"{number:032x}",
        "outcome": "done",
        "action": "task.approve",
        "target": f"1:task:main:{number:032x}",
        "actor": {"id": "U0ALICE", "name": "Alice"},
        "location": {"channel": "C0SOC"},
        "params": {},
        "reason": "isolated, no business impact",
        "rule": "analysts decide on tasks",
    }


def show(took: dict[str, float]) -> None:
    table = Table(f"{RECORDS} audit records", "seconds", "records/s", title="The audit")
    for what, seconds in took.items():
        table.add_row(what, f"{seconds:.2f}", f"{RECORDS / seconds:.0f}")
    Console().print(table)
