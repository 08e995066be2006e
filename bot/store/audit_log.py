"""The audit as a chain: each record carries a hash over itself and the hash before it.

Whoever changes, removes, inserts or reorders a record breaks the chain there. Whoever rewrites
all that follows as well is found by a head that somebody wrote down elsewhere. What a record is
about is not known here: it is any JSON with a time, an operation, an outcome and a target.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot.store.tables import audit, audit_head

GENESIS = "0" * 64  # stands before the first record
PAGE = 1000
MOST_TOLD = 100

Row = sa.Row[Any]
Problem = tuple[int, str]


def append(connection: sa.Connection, entry: Mapping[str, Any]) -> None:
    """Add a record, in the caller's transaction, unless it was added before.

    An entry has at least "at" (with its zone), "operation_id", "outcome" and "target". The same
    operation and outcome again add nothing: a step played anew after a crash comes here twice.
    """
    written = dict(entry) | {"at": _utc(entry["at"])}
    head = _hold_head(connection)
    beside = _beside(written)
    known = sa.select(audit.c.number).where(audit.c.dedupe_key == beside["dedupe_key"])
    if connection.execute(known).first():
        return
    number = head.number + 1
    # ASCII only: Postgres takes neither NUL nor half a surrogate pair.
    record = json.dumps(
        written | {"number": number}, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    last = {"number": number, "hash": chained_hash(head.hash.encode(), record.encode()).decode()}
    connection.execute(sa.insert(audit).values(**beside, **last, record=record))
    connection.execute(sa.update(audit_head).where(audit_head.c.id == 1).values(last))


def is_recorded(connection: sa.Connection, operation_id: str, outcome: str) -> bool:
    """Whether there is a record of this operation with this outcome."""
    once = _beside({"operation_id": operation_id, "outcome": outcome})["dedupe_key"]
    known = sa.select(audit.c.number).where(audit.c.dedupe_key == once)
    return connection.execute(known).first() is not None


def _hold_head(connection: sa.Connection) -> Row:
    """Read the head, and keep other writers waiting until the transaction ends."""
    own = audit_head.c.id == 1
    if connection.dialect.name == "sqlite":
        # A transaction begins with the first write there, not with the first look.
        connection.execute(sa.update(audit_head).where(own).values(number=audit_head.c.number))
    return connection.execute(sa.select(audit_head).where(own).with_for_update()).one()


def chained_hash(before: bytes, record: bytes) -> bytes:
    """The hash of a record that stands after the one with this hash."""
    return hashlib.sha256(before + record).hexdigest().encode()


def _beside(record: Mapping[str, Any]) -> dict[str, str]:
    """What the columns beside a record must say."""
    return {
        "at": _fitting(str(record.get("at")), 32),
        "target": _fitting(str(record.get("target")), 255),
        "dedupe_key": _fitting(f"{record.get('operation_id')}:{record.get('outcome')}", 160),
    }


def _fitting(text: str, room: int) -> str:
    """Make text fit a column: of what is too long, the beginning and a hash of the whole."""
    plain = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if len(plain) <= room:
        return plain
    return plain[: room - 65] + ":" + hashlib.sha256(plain.encode()).hexdigest()


def _utc(at: datetime) -> str:
    """Always as many characters, so that the order of the texts is that of the times."""
    if at.tzinfo is None:
        raise ValueError("The time of an audit record has no zone.")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def entries(
    engine: sa.Engine, *, target: str = "", since: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """The records, oldest first, each with its "hash"; however many, a page at a time.

    One that is no longer JSON comes with what stands in its columns.
    """
    query = _since(_rows(engine), since)
    if target:
        query = query.where(audit.c.target == _fitting(target, 255))
    for row in _walk(engine, query):
        yield _read(row) | {"hash": _text(row.hash)}


def count(engine: sa.Engine, since: datetime | None = None) -> int:
    query = _since(sa.select(sa.func.count()).select_from(audit), since)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def _since(query: sa.Select[Any], since: datetime | None) -> sa.Select[Any]:
    return query.where(audit.c.at >= _utc(since)) if since else query


def _walk(engine: sa.Engine, query: sa.Select[Any]) -> Iterator[Row]:
    while page := _page(engine, query):
        yield from page
        query = query.where(audit.c.number > page[-1].number)


def _page(engine: sa.Engine, query: sa.Select[Any]) -> list[Row]:
    # No connection is held between two pages: SQLite has only one, for writers too.
    with engine.connect() as connection:
        return list(connection.execute(query.order_by(audit.c.number).limit(PAGE)))


def _rows(engine: sa.Engine) -> sa.Select[Any]:
    texts = [_bytes_of(engine, each) for each in audit.c if each is not audit.c.number]
    return sa.select(audit.c.number, *texts)


def _bytes_of(engine: sa.Engine, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column's own bytes: SQLite would hold anything in it, even what is no text at all."""
    if engine.dialect.name != "sqlite":
        return column
    kept = sa.case(
        (sa.func.typeof(column) == "text", sa.cast(column, sa.LargeBinary)), else_=sa.null()
    )
    return kept.label(column.name)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _text(value: Any) -> str:
    return _bytes(value).decode("utf-8", "backslashreplace")


def _read(row: Row) -> dict[str, Any]:
    kept = _parsed(row)
    if kept is None:
        names = ("at", "target", "record")
        return {"number": row.number} | {name: _text(getattr(row, name)) for name in names}
    return kept


def _parsed(row: Row) -> dict[str, Any] | None:
    try:
        kept = json.loads(_bytes(row.record))
    except (ValueError, RecursionError):
        return None
    return kept if isinstance(kept, dict) else None


@dataclass(frozen=True)
class Verified:
    """What a walk along the whole chain found.

    ``problems`` are record numbers, 0 for the head, each with a sentence; only the first hundred
    are kept, ``total`` counts all. ``head`` is the last record's hash.
    """

    records: int
    head: str
    problems: tuple[Problem, ...]
    total: int


def verify(
    engine: sa.Engine,
    *,
    noted: str = "",
    told: Callable[[int, int], None] = lambda _done, _of: None,
) -> Verified:
    """Hold every record against its hash, the one before it, its columns and the head.

    ``noted`` is a head that was written down earlier: it must still occur. Records may be added
    meanwhile. ``told`` hears after each page how many were looked at, and of how many.
    """
    walk = _Walk(noted=noted.strip().lower().encode())
    query = _rows(engine)
    while True:
        # The head first: all that it counts is there by the time the page is read.
        heads = _heads(engine)
        page = _page(engine, query)
        if not page:
            break
        for row in page:
            walk.pass_by(row)
        told(walk.records, max([walk.records, *(each.number for each in heads if _sound(each))]))
        query = _rows(engine).where(audit.c.number > page[-1].number)
    walk.arrive(heads)
    return Verified(walk.records, _text(walk.due), tuple(walk.problems), walk.total)


def _heads(engine: sa.Engine) -> list[Row]:
    query = sa.select(
        audit_head.c.id, audit_head.c.number, _bytes_of(engine, audit_head.c.hash)
    ).limit(2)
    with engine.connect() as connection:
        return list(connection.execute(query))


def _sound(head: Row) -> bool:
    return head.id == 1 and type(head.number) is int


@dataclass
class _Walk:
    """One walk along the chain.

    ``stored`` is the hash that the last record has, ``due`` the one it should have: after a
    changed one the next may be chained to either. After a gap nobody knows what was ``due``.
    """

    noted: bytes
    records: int = 0
    last: int = 0
    stored: bytes | None = GENESIS.encode()
    due: bytes = GENESIS.encode()
    noted_seen: bool = False
    problems: list[Problem] = field(default_factory=list)
    total: int = 0

    def __post_init__(self) -> None:
        self.noted_seen = self.noted in (b"", GENESIS.encode())

    def pass_by(self, row: Row) -> None:
        self.records += 1
        if row.number < 1:
            self._tell(row.number, "was inserted: the first has number 1.")
            return
        if row.number > self.last + 1:
            self._tell(self.last + 1, _missing(self.last + 1, row.number - 1))
            self.stored = None
        self._hold_against_hash(row)
        self._hold_against_columns(row)
        self.last = row.number
        self.noted_seen |= _bytes(row.hash) == self.noted

    def _hold_against_hash(self, row: Row) -> None:
        own, record = _bytes(row.hash), _bytes(row.record)
        known = self.stored is None or own in (
            chained_hash(self.stored, record),
            chained_hash(self.due, record),
        )
        if not known:
            self._tell(row.number, "was changed, or its hash was, or it does not belong here.")
        self.due = own if known else chained_hash(self.due, record)
        self.stored = own

    def _hold_against_columns(self, row: Row) -> None:
        record = _parsed(row)
        if record is None:
            self._tell(row.number, "is not JSON.")
            return
        if (own := record.get("number")) != row.number:
            says = f": it says that it is {own}" if type(own) is int else ""
            self._tell(row.number, f"was moved{says}.")
        due = _beside(record).items()
        odd = [name for name, text in due if _bytes(getattr(row, name)) != text.encode()]
        if odd:
            self._tell(row.number, f"has columns that differ from it: {', '.join(odd)}.")

    def arrive(self, heads: list[Row]) -> None:
        """Hold the head against the last record, once there are no more."""
        if len(heads) == 1 and _sound(heads[0]):
            self._hold_against_head(heads[0])
        else:
            self._tell(None, "is gone, doubled, or not what was written.")
        if not self.noted_seen:
            self._tell(
                None, "that was noted does not occur: records were replaced since, or cut off."
            )

    def _hold_against_head(self, head: Row) -> None:
        if head.number > self.last:
            self._tell(self.last + 1, _missing(self.last + 1, head.number))
        elif head.number < self.last:
            self._tell(self.last, f"stands behind the head, which says {head.number}.")
        elif _bytes(head.hash) not in (self.stored, self.due):
            self._tell(None, "does not match the last record.")

    def _tell(self, number: int | None, what: str) -> None:
        self.total += 1
        if len(self.problems) < MOST_TOLD:
            subject = "The head" if number is None else f"Record {number}"
            self.problems.append((number or 0, f"{subject} {what}"))


def _missing(first: int, last: int) -> str:
    return "is missing." if first == last else f"and all up to {last} are missing."
