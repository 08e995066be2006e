"""The audit becomes a chain: each record carries the hash of the one before.

What was written before is chained as it stood. How a record is written and hashed stands here
once more on purpose: it must stay as it was on the day of the change.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

GENESIS = "0" * 64
PAGE = 1000
COUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")

before = sa.table(
    "audit_before",
    sa.column("id", sa.Integer),
    sa.column("at", sa.DateTime(timezone=True)),
    *(sa.column(name, sa.Text) for name in ("operation_id", "outcome", "action", "ref")),
    *(sa.column(name, sa.Text) for name in ("actor_id", "actor_name", "channel")),
    sa.column("params", sa.JSON),
    *(sa.column(name, sa.Text) for name in ("reason", "rule", "detail", "request_id")),
    sa.column("status", sa.Integer),
)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        # SQLite opens a transaction at the first write only, and by then the tables would be
        # changed for good: half of this must never stand.
        connection.execute(sa.text("UPDATE bot_schema_version SET version_num = version_num"))
    op.rename_table("audit", "audit_before")
    audit, audit_head = _made()
    number, last = 0, GENESIS
    for page in _pages(connection):
        rows = []
        for number, old in enumerate(page, start=number + 1):  # noqa: B020 - counts on
            rows.append(_chained(number, last, old))
            last = rows[-1]["hash"]
        connection.execute(sa.insert(audit), rows)
    connection.execute(sa.insert(audit_head).values(id=1, number=number, hash=last))
    op.drop_table("audit_before")


def _made() -> tuple[sa.Table, sa.Table]:
    audit = op.create_table(
        "audit",
        sa.Column("number", COUNT, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("target", sa.String(255), nullable=False, index=True),
        sa.Column("once", sa.String(160), nullable=False, index=True, unique=True),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    audit_head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", COUNT, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    return audit, audit_head


def _pages(connection: sa.Connection) -> Iterator[list[sa.Row[Any]]]:
    query = sa.select(before).order_by(before.c.id).limit(PAGE)
    page = list(connection.execute(query))
    while page:
        yield page
        page = list(connection.execute(query.where(before.c.id > page[-1].id)))


def _chained(number: int, last: str, old: sa.Row[Any]) -> dict[str, Any]:
    entry = _entry(number, old)
    record = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    return {
        "number": number,
        "at": entry["at"],
        "target": entry["target"],
        "once": f"{old.operation_id}:{old.outcome}",
        "record": record,
        "hash": hashlib.sha256((last + record).encode()).hexdigest(),
    }


def _entry(number: int, old: sa.Row[Any]) -> dict[str, Any]:
    return {
        "number": number,
        "at": _utc(old.at),
        "target": old.ref,
        "actor": {"id": old.actor_id, "name": old.actor_name},
        "place": {"channel": old.channel},
        **{name: getattr(old, name) for name in ("operation_id", "outcome", "action", "params")},
        **{name: getattr(old, name) for name in ("reason", "rule", "detail", "status")},
        "request_id": old.request_id,
    }


def _utc(at: datetime) -> str:
    known = at if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite keeps no zone: it is UTC
    return known.astimezone(UTC).isoformat(timespec="microseconds")
