"""The audit as a chain: each record has a hash over itself and the hash of the record before it.

Whoever changes, removes, inserts or reorders a record breaks the chain there. Whoever rewrites
all that follows as well is found by a head that somebody wrote down elsewhere. The content of a
record is not known here: it is any JSON with a time, an operation, an outcome and a target.

With a key the head is signed. A head that the key did not sign is never built upon with a
signature: a tail that was rewritten would otherwise be signed with the next record.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot.store.audit_key import key_of
from bot.store.foreign_objects import foreign_objects
from bot.store.tables import audit, audit_head

log = logging.getLogger(__name__)

GENESIS = "0" * 64  # the hash "before" the first record
PAGE = 1000  # records read at once
MAX_PROBLEMS = 100
UNSIGNED = (
    "is not signed with AUDIT_KEY: records at the end were cut off or rewritten, or something was "
    "recorded without the key or with another."
)

Row = sa.Row[Any]
Problem = tuple[int, str]


def append(connection: sa.Connection, entry: Mapping[str, Any]) -> bool:
    """Add a record, in the caller's transaction; False if it was added before.

    An entry has at least "at" (with its zone), "operation_id", "outcome" and "target". The same
    operation and outcome again add nothing: a step that is replayed after a crash adds them twice.
    """
    record = dict(entry) | {"at": _utc_text(entry["at"])}
    head = _lock_head(connection)
    columns = _columns(record)
    existing = sa.select(audit.c.number).where(audit.c.dedupe_key == columns["dedupe_key"])
    if connection.execute(existing).first():
        return False
    number = head.number + 1
    # ASCII only: Postgres takes neither NUL nor half a surrogate pair.
    text = json.dumps(
        record | {"number": number}, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    record_hash = chained_hash(head.hash.encode(), text.encode()).decode()
    row = columns | {"number": number, "hash": record_hash, "record": text}
    connection.execute(sa.insert(audit).values(row))
    is_signed = _is_signed(connection, head)
    if head.signature and key_of(connection) and not is_signed:
        log.error("the audit's head was not signed with AUDIT_KEY", extra={"record": head.number})
    _write_head(connection, number, record_hash, is_signed=is_signed)
    return True


def _write_head(
    connection: sa.Connection, number: int, record_hash: str, *, is_signed: bool
) -> None:
    """Write the head, with its signature where it is to be signed and there is a key."""
    key = key_of(connection)
    signature = key.sign(number, record_hash) if key and is_signed else ""
    head = {"number": number, "hash": record_hash, "signature": signature}
    connection.execute(sa.update(audit_head).where(audit_head.c.id == 1).values(head))


def _is_signed(source: sa.Engine | sa.Connection, head: Row) -> bool:
    """Return whether the key has signed this head; without a key none is signed."""
    key = key_of(source)
    return bool(key and key.has_signed(head.number, _text(head.hash), _text(head.signature)))


def sign(connection: sa.Connection, *, number: int, head: str) -> bool:
    """Sign the head if it is this one, and return whether it is; there must be a key.

    To be called for an audit that is new, or was verified.
    """
    row = _lock_head(connection)
    if (row.number, row.hash) != (number, head):
        return False
    _write_head(connection, number, head, is_signed=True)
    return True


def find(
    connection: sa.Connection, operation_ids: Iterable[str], *outcomes: str
) -> list[dict[str, Any]]:
    """Return the records of these operations with one of these outcomes, oldest first."""
    dedupe_keys = [
        _columns({"operation_id": operation_id, "outcome": outcome})["dedupe_key"]
        for operation_id in operation_ids
        for outcome in outcomes
    ]
    query = sa.select(audit.c.record).where(audit.c.dedupe_key.in_(dedupe_keys))
    texts = connection.execute(query.order_by(audit.c.number)).scalars()
    return [json.loads(text) for text in texts]


def latest(connection: sa.Connection, target: str, limit: int) -> list[dict[str, Any]]:
    """Return the last records about a target, newest first, without any that is no JSON."""
    query = sa.select(audit.c.record).where(audit.c.target == _fit(target, 255))
    rows = connection.execute(query.order_by(audit.c.number.desc()).limit(limit)).all()
    return [record for row in rows if (record := _parse(row)) is not None]


def about(connection: sa.Connection, targets: Collection[str]) -> list[dict[str, Any]]:
    """Return the records about these targets, oldest first, without any that is no JSON."""
    condition = audit.c.target.in_([_fit(target, 255) for target in targets])
    rows = connection.execute(sa.select(audit.c.record).where(condition).order_by(audit.c.number))
    return [record for row in rows if (record := _parse(row)) is not None]


def head(engine: sa.Engine) -> tuple[int, str]:
    """Return the number and the hash of the last record, as the head has them."""
    rows = _heads(engine)
    return (rows[0].number, _text(rows[0].hash)) if rows else (0, GENESIS)


def _lock_head(connection: sa.Connection) -> Row:
    """Read the head, and keep other writers waiting until the transaction ends."""
    row = audit_head.c.id == 1
    if connection.dialect.name == "sqlite":
        # A transaction begins with the first write there, not with the first read.
        connection.execute(sa.update(audit_head).where(row).values(number=audit_head.c.number))
    return connection.execute(sa.select(audit_head).where(row).with_for_update()).one()


def chained_hash(previous: bytes, record: bytes) -> bytes:
    """Return the hash of a record that follows the one with the previous hash."""
    return hashlib.sha256(previous + record).hexdigest().encode()


def _columns(record: Mapping[str, Any]) -> dict[str, str]:
    """Return what the columns beside a record must contain."""
    return {
        "at": _fit(str(record.get("at")), 32),
        "target": _fit(str(record.get("target")), 255),
        "dedupe_key": _fit(f"{record.get('operation_id')}:{record.get('outcome')}", 160),
    }


def _fit(text: str, length: int) -> str:
    """Make text fit a column: of what is too long, the beginning and a hash of the whole."""
    plain = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if len(plain) <= length:
        return plain
    return plain[: length - 65] + ":" + hashlib.sha256(plain.encode()).hexdigest()


def _utc_text(at: datetime) -> str:
    """Return a time as text of one length, so that the order of texts is that of times."""
    if at.tzinfo is None:
        raise ValueError("The time of an audit record has no zone.")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def entries(  # noqa: PLR0913 - which records, and in which order
    engine: sa.Engine,
    *,
    target: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    latest_first: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield the records, oldest first unless asked otherwise, each with its "hash".

    ``until`` is the first moment that is too late, ``before`` the first number that is too high. A
    page is read at a time. A record that is no longer JSON is yielded as what its columns contain.
    """
    query = _between(_records(engine), since, until)
    if target:
        query = query.where(audit.c.target == _fit(target, 255))
    if before is not None:
        query = query.where(audit.c.number < before)
    order = audit.c.number.desc() if latest_first else audit.c.number
    page_query = query
    while page := _page(engine, page_query.order_by(order)):
        for row in page:
            record = _parse(row)
            if record is None:
                names = ("at", "target", "record")
                record = {"number": row.number} | {n: _text(getattr(row, n)) for n in names}
            yield record | {"hash": _text(row.hash)}
        last = page[-1].number
        page_query = query.where(audit.c.number < last if latest_first else audit.c.number > last)


def count(engine: sa.Engine, since: datetime | None = None, until: datetime | None = None) -> int:
    """Return how many records there are since a time and until another, or at all."""
    query = _between(sa.select(sa.func.count()).select_from(audit), since, until)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def _between(
    query: sa.Select[Any], since: datetime | None, until: datetime | None
) -> sa.Select[Any]:
    if since:
        query = query.where(audit.c.at >= _utc_text(since))
    return query.where(audit.c.at < _utc_text(until)) if until else query


def _page(engine: sa.Engine, query: sa.Select[Any]) -> list[Row]:
    # No connection is held between two pages: SQLite has only one, for writers too.
    with engine.connect() as connection:
        return list(connection.execute(query.limit(PAGE)))


def _records(engine: sa.Engine) -> sa.Select[Any]:
    """Select all records, their texts as bytes."""
    texts = [_as_bytes(engine, column) for column in audit.c if column is not audit.c.number]
    return sa.select(audit.c.number, *texts)


def _as_bytes(engine: sa.Engine, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Select a column's own bytes: SQLite stores anything in it, even what is no text."""
    if engine.dialect.name != "sqlite":
        return column
    content = sa.case(
        (sa.func.typeof(column) == "text", sa.cast(column, sa.LargeBinary)), else_=sa.null()
    )
    return content.label(column.name)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _text(value: Any) -> str:
    return _bytes(value).decode("utf-8", "backslashreplace")


def _parse(row: Row) -> dict[str, Any] | None:
    """Return a row's record; None if it is not a JSON object."""
    try:
        record = json.loads(_bytes(row.record))
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


@dataclass(frozen=True)
class Verified:
    """The result of verifying the whole chain.

    ``problems`` are record numbers, 0 for the head and the database, each with a sentence; only
    the first hundred are listed, ``total`` counts all. ``head`` is the last record's hash,
    ``is_signed`` whether the key has signed it: without one nothing shows that the last records
    were cut off or rewritten together with the head.
    """

    records: int
    head: str
    problems: tuple[Problem, ...]
    total: int
    is_signed: bool = False


def verify(
    engine: sa.Engine,
    *,
    expected_head: str = "",
    on_progress: Callable[[int, int], None] = lambda _verified, _total: None,
) -> Verified:
    """Check every record against its hash, the record before it, its columns and the head.

    ``expected_head`` is a head that was written down earlier: it must still occur. Records may
    be added meanwhile. ``on_progress`` is called after each page with the number of verified
    records and their total.
    """
    chain = _ChainCheck(expected_head=expected_head.strip().lower().encode())
    query = _records(engine)
    while True:
        # The head first: all that it counts is there by the time the page is read.
        heads = _heads(engine)
        page = _page(engine, query.order_by(audit.c.number))
        if not page:
            break
        for row in page:
            chain.check_record(row)
        total = max([chain.records, *(head.number for head in heads if _is_valid_head(head))])
        on_progress(chain.records, total)
        query = _records(engine).where(audit.c.number > page[-1].number)
    is_signed = any(_is_signed(engine, head) for head in heads)
    chain.check_heads(heads, unsigned=key_of(engine) is not None and not is_signed)
    for sentence in foreign_objects(engine):
        chain.report(0, sentence)
    return Verified(
        chain.records,
        _text(chain.computed_hash),
        tuple(chain.problems),
        chain.total_problems,
        is_signed,
    )


def suspicions(engine: sa.Engine) -> list[str]:
    """Return a sentence for all that can be found amiss without reading the records."""
    sentences = foreign_objects(engine)
    is_signed = any(_is_signed(engine, head) for head in _heads(engine))
    if key_of(engine) is not None and not is_signed:
        sentences.append(f"The head {UNSIGNED}")
    return sentences


def _heads(engine: sa.Engine) -> list[Row]:
    """Return the rows of the head's table, two at most; there should be one."""
    query = sa.select(
        audit_head.c.id,
        audit_head.c.number,
        _as_bytes(engine, audit_head.c.hash),
        _as_bytes(engine, audit_head.c.signature),
    ).limit(2)
    with engine.connect() as connection:
        return list(connection.execute(query))


def _is_valid_head(head: Row) -> bool:
    return head.id == 1 and type(head.number) is int


@dataclass
class _ChainCheck:
    """The state of checking the chain, record by record.

    ``stored_hash`` is the hash that the last record has, ``computed_hash`` the one that it should
    have: after a record that was changed the next may be chained to either. After a gap the
    former is None, since nobody knows what the hash before should have been.
    """

    expected_head: bytes
    records: int = 0
    last_number: int = 0
    stored_hash: bytes | None = GENESIS.encode()
    computed_hash: bytes = GENESIS.encode()
    expected_head_occurs: bool = False
    problems: list[Problem] = field(default_factory=list)
    total_problems: int = 0

    def __post_init__(self) -> None:
        self.expected_head_occurs = self.expected_head in (b"", GENESIS.encode())

    def check_record(self, row: Row) -> None:
        """Check the next record: its number, its hash, and the columns beside it."""
        self.records += 1
        if row.number < 1:
            self._report(row.number, "was inserted: the first has number 1.")
            return
        if row.number > self.last_number + 1:
            self._report_missing(self.last_number + 1, row.number - 1)
            self.stored_hash = None
        self._check_hash(row)
        self._check_columns(row)
        self.last_number = row.number
        self.expected_head_occurs |= _bytes(row.hash) == self.expected_head

    def _check_hash(self, row: Row) -> None:
        row_hash, record = _bytes(row.hash), _bytes(row.record)
        chained = self.stored_hash is None or row_hash in (
            chained_hash(self.stored_hash, record),
            chained_hash(self.computed_hash, record),
        )
        if not chained:
            self._report(row.number, "was changed, or its hash was, or it does not belong here.")
        self.computed_hash = row_hash if chained else chained_hash(self.computed_hash, record)
        self.stored_hash = row_hash

    def _check_columns(self, row: Row) -> None:
        record = _parse(row)
        if record is None:
            self._report(row.number, "is not JSON.")
            return
        if (number := record.get("number")) != row.number:
            claim = f": it says that it is {number}" if type(number) is int else ""
            self._report(row.number, f"was moved{claim}.")
        different = [
            name
            for name, text in _columns(record).items()
            if _bytes(getattr(row, name)) != text.encode()
        ]
        if different:
            self._report(row.number, f"has columns that differ from it: {', '.join(different)}.")

    def check_heads(self, heads: list[Row], *, unsigned: bool) -> None:
        """Check the head against the last record, after all records."""
        if len(heads) != 1 or not _is_valid_head(heads[0]):
            self._report(None, "is gone, doubled, or not what was written.")
        elif heads[0].number > self.last_number:
            self._report_missing(self.last_number + 1, heads[0].number)
        elif heads[0].number < self.last_number:
            self._report(self.last_number, f"stands behind the head, which says {heads[0].number}.")
        elif _bytes(heads[0].hash) not in (self.stored_hash, self.computed_hash):
            self._report(None, "does not match the last record.")
        if unsigned:
            self._report(None, UNSIGNED)
        if not self.expected_head_occurs:
            self._report(
                None, "that was noted does not occur: records were replaced since, or cut off."
            )

    def _report_missing(self, first: int, last: int) -> None:
        problem = "is missing." if first == last else f"and all up to {last} are missing."
        self._report(first, problem)

    def _report(self, number: int | None, problem: str) -> None:
        """Add a problem with a record, or with the head."""
        subject = "The head" if number is None else f"Record {number}"
        self.report(number or 0, f"{subject} {problem}")

    def report(self, number: int, sentence: str) -> None:
        """Add a problem, which is counted even where there are too many to be listed."""
        self.total_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append((number, sentence))
