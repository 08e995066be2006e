"""What was in the audit before it was a chain is in the chain."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from bot.store import audit_log, connect, migrate
from bot.store.engine import MIGRATIONS
from bot.store.tables import metadata
from tests.store.ledger import do, entry
from tests.town import both_databases

AT = datetime(2026, 10, 31, 23, 59, 58, 123456, tzinfo=UTC)
COLUMNS = (
    *("at", "operation_id", "outcome", "action", "ref", "actor_id", "actor_name", "channel"),
    *("params", "reason", "rule", "detail", "status", "request_id"),
)
INSERT = f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES (:{', :'.join(COLUMNS)})"


@pytest.fixture
def before(database_url: str) -> Iterator[sa.Engine]:
    """A database as the version before left it."""
    engine = connect(database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    yield engine
    engine.dispose()


def old(number: int, **more: Any) -> dict[str, Any]:
    return {
        "at": AT + timedelta(minutes=number),
        "operation_id": f"operation-{number}",
        "outcome": "done",
        "action": "task.approve",
        "ref": "1:task:main:t1",
        "actor_id": "U0ALICE",
        "actor_name": "Alicé 审批 🛡️",
        "channel": "C0SOC",
        "params": json.dumps({"action": "isolate"}),
        "reason": 'because "so"\n',
        "rule": "first rule",
        "detail": "",
        "status": 200,
        "request_id": "r1",
        **more,
    }


def keep(engine: sa.Engine, *rows: dict[str, Any]) -> None:
    with engine.begin() as connection:
        kept = [row | {"at": _at(engine, row["at"])} for row in rows]
        connection.execute(sa.text(INSERT), kept)


def _at(engine: sa.Engine, at: datetime) -> Any:
    """A time as the version before wrote it: into SQLite without its zone."""
    return at if engine.dialect.name == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S.%f}"


@both_databases
def test_old_records_are_chained_with_all_they_said(before: sa.Engine):
    keep(before, old(1), old(2, outcome="failed", status=None, params="{}"))
    migrate(before)
    first, second = audit_log.entries(before)
    assert len(first.pop("hash")) == 64
    assert first == {
        "number": 1,
        "at": "2026-11-01T00:00:58.123456+00:00",
        "operation_id": "operation-1",
        "outcome": "done",
        "action": "task.approve",
        "target": "1:task:main:t1",
        "actor": {"id": "U0ALICE", "name": "Alicé 审批 🛡️"},
        "place": {"channel": "C0SOC"},
        "params": {"action": "isolate"},
        "reason": 'because "so"\n',
        "rule": "first rule",
        "detail": "",
        "status": 200,
        "request_id": "r1",
    }
    assert (second["outcome"], second["status"], second["params"]) == ("failed", None, {})
    assert audit_log.verify(before) == audit_log.Verified(2, second["hash"], (), 0)


@both_databases
def test_the_chain_goes_on_after_the_old_records(before: sa.Engine):
    keep(before, *(old(number) for number in range(1, 2 * audit_log.PAGE + 2)))
    migrate(before)
    with before.begin() as connection:
        audit_log.append(connection, entry(1))  # was written by the version before
        audit_log.append(connection, entry(9999))
    found = list(audit_log.entries(before, target="1:task:main:t1"))
    numbers = list(range(1, 2 * audit_log.PAGE + 3))
    assert [record["number"] for record in found] == numbers
    assert [record["operation_id"] for record in found][-2:] == ["operation-2001", "operation-9999"]
    assert audit_log.verify(before).problems == ()


@both_databases
def test_a_database_without_records_is_changed_too(before: sa.Engine):
    migrate(before)
    assert audit_log.verify(before) == audit_log.Verified(0, audit_log.GENESIS, (), 0)


@both_databases
def test_the_tables_are_as_the_bot_expects_them(before: sa.Engine):
    migrate(before)

    def ours(name: str | None, kind: str, parents: dict[str, Any]) -> bool:
        table = name if kind == "table" else parents.get("table_name")
        return kind == "schema" or str(table).startswith("audit")

    def own(_thing: Any, name: str, kind: str, *_more: Any) -> bool:
        return kind != "table" or name.startswith("audit")

    with before.connect() as connection:
        options = {"include_name": ours, "include_object": own, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        tables = sa.inspect(connection).get_table_names()
    assert [name for name in tables if name.startswith("audit")] == ["audit", "audit_head"]


@both_databases
def test_a_change_that_fails_leaves_the_old_audit_as_it_was(before: sa.Engine):
    keep(before, old(1), old(2))
    do(before, "CREATE TABLE audit_head (stands INTEGER)")
    with pytest.raises(sa.exc.SQLAlchemyError):
        migrate(before)
    with before.connect() as connection:
        kept = connection.execute(sa.text("SELECT operation_id, ref FROM audit ORDER BY id")).all()
    assert [tuple(row) for row in kept] == [
        ("operation-1", "1:task:main:t1"),
        ("operation-2", "1:task:main:t1"),
    ]
    do(before, "DROP TABLE audit_head")
    migrate(before)
    assert audit_log.verify(before).records == 2
