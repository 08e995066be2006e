"""Nothing that was written into the audit can be changed unseen."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from bot.store import audit_log, connect, open_read_only
from tests.support.audit import (
    AUDIT,
    START,
    do,
    entry,
    open_audit,
    rewrite,
    rows,
    sentences,
    write,
)
from tests.support.databases import both_databases
from tests.support.examples import examples

SEVERAL = 8
numbers = count(1)

any_text = st.text(st.characters(exclude_categories=()), max_size=300)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    with open_audit(database_url) as engine:
        yield engine


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with several records, to be copied."""
    file = tmp_path_factory.mktemp("audit") / "bot.db"
    with open_audit(f"sqlite:///{file}", SEVERAL):
        pass
    return file


@contextmanager
def copied(file: Path) -> Iterator[sa.Engine]:
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{shutil.copy(file, folder)}")
        try:
            yield engine
        finally:
            engine.dispose()


@both_databases
def test_records_come_back_in_their_order_each_with_its_hash(engine: sa.Engine) -> None:
    write(engine, 3)
    records = list(audit_log.entries(engine))
    assert [record["number"] for record in records] == [1, 2, 3]
    assert [record["reason"] for record in records] == [f"because of {n}" for n in (1, 2, 3)]
    assert records[0]["at"] == "2026-11-01T11:00:00.000000+00:00"
    whole = audit_log.verify(engine, expected_head=records[1]["hash"].upper() + "\n")
    assert whole == audit_log.Verified(records=3, head=records[-1]["hash"], problems=(), total=0)


@both_databases
def test_an_audit_without_records_is_whole(engine: sa.Engine) -> None:
    assert audit_log.verify(engine, expected_head=audit_log.GENESIS) == audit_log.Verified(
        0, audit_log.GENESIS, (), 0
    )
    assert list(audit_log.entries(engine)) == []


@both_databases
def test_the_same_outcome_of_the_same_operation_is_written_once(engine: sa.Engine) -> None:
    write(engine, 2)
    write(engine, 3)
    with engine.begin() as connection:
        audit_log.append(connection, entry(1, reason="another"))
        audit_log.append(connection, entry(1, outcome="failed"))
    assert [record["operation_id"] for record in audit_log.entries(engine)] == [
        *("operation-1", "operation-2", "operation-3", "operation-1")
    ]
    assert audit_log.verify(engine).total == 0


@both_databases
def test_what_is_rolled_back_leaves_no_gap(engine: sa.Engine) -> None:
    write(engine, 1)
    with engine.connect() as connection:
        audit_log.append(connection, entry(2))
        connection.rollback()
    write(engine, 1, first=3)
    assert [record["reason"] for record in audit_log.entries(engine)] == [
        "because of 1",
        "because of 3",
    ]
    assert audit_log.verify(engine).total == 0


@both_databases
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(more=st.dictionaries(any_text, any_json, max_size=3), target=any_text)
def test_any_text_comes_back_as_it_was(
    engine: sa.Engine, more: dict[str, Any], target: str
) -> None:
    written = more | entry(next(numbers), target=target)
    with engine.begin() as connection:
        audit_log.append(connection, written)
    record = list(audit_log.entries(engine, target=target))[-1]
    assert record | {"at": written["at"]} == written | {
        "number": record["number"],
        "hash": record["hash"],
    }
    assert audit_log.verify(engine).total == 0


def test_a_time_without_a_zone_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(ValueError, match="no zone"), engine.begin() as connection:
        audit_log.append(connection, entry(1, at=START.replace(tzinfo=None)))
    assert audit_log.verify(engine).records == 0


@both_databases
def test_more_records_than_a_page_are_read_and_chosen_from(engine: sa.Engine) -> None:
    many = 2 * audit_log.PAGE + 5
    write(engine, many)
    numbers_read = [record["number"] for record in audit_log.entries(engine)]
    assert numbers_read == list(range(1, many + 1))
    odd = [record["number"] for record in audit_log.entries(engine, target="1:task:main:t1")]
    assert odd == numbers_read[::2]
    since = START + timedelta(hours=many - 2)
    assert [record["number"] for record in audit_log.entries(engine, since=since)] == numbers_read[
        -3:
    ]
    assert audit_log.count(engine, since) == 3
    assert audit_log.count(engine) == many


def test_records_written_while_it_is_verified_are_no_problem(engine: sa.Engine) -> None:
    write(engine, audit_log.PAGE)
    progress = []

    def write_more(done: int, of: int) -> None:
        progress.append((done, of))
        if len(progress) < 3:
            write(engine, 2, first=done + 1)

    verified = audit_log.verify(engine, on_progress=write_more)
    assert (verified.records, verified.problems) == (audit_log.PAGE + 4, ())
    assert progress == [(audit_log.PAGE + more, audit_log.PAGE + more) for more in (0, 2, 4)]


@examples(300)
@given(choice=st.data())
def test_any_changed_byte_is_found(written: Path, choice: st.DataObject) -> None:
    table, row, column = choice.draw(
        st.tuples(st.just("audit"), st.integers(1, SEVERAL), st.sampled_from(AUDIT[1:]))
        | st.just(("audit_head", SEVERAL, "hash"))
    )
    where = f"FROM {table} WHERE number = {row}"
    with copied(written) as engine:
        with engine.connect() as connection:
            text = connection.execute(sa.text(f"SELECT {column} {where}")).scalar_one().encode()
        at = choice.draw(st.integers(0, len(text) - 1), "position")
        # Never the dedupe key of another record: such a change is refused, and so none is made.
        keys = {record["dedupe_key"].encode() for record in rows(engine)}
        replacements = [b"", *(bytes([byte]) for byte in range(256) if byte != text[at])]
        changed = choice.draw(
            st.sampled_from([text[:at] + each + text[at + 1 :] for each in replacements]).filter(
                lambda raw: raw not in keys
            ),
            "text",
        )
        kind = choice.draw(st.sampled_from(["TEXT", "BLOB"]))
        change = f"UPDATE {table} SET {column} = CAST(:raw AS {kind}) WHERE number = {row}"
        do(engine, change, raw=changed)
        verified = audit_log.verify(engine)
        assert verified.total
        assert {number for number, _ in verified.problems} == {row if table == "audit" else 0}
        assert len(list(audit_log.entries(engine))) == SEVERAL


@examples(60)
@given(
    column=st.sampled_from(["audit.number", "audit_head.number", "audit_head.id"]),
    row=st.integers(1, SEVERAL),
    replacement=st.integers(-(2**63), 2**63 - 1),
)
def test_any_changed_number_is_found(
    written: Path, column: str, row: int, replacement: int
) -> None:
    table, _, name = column.partition(".")
    assume(replacement not in range(1, SEVERAL + 1))
    where = f"WHERE number = {row}" if table == "audit" else ""
    with copied(written) as engine:
        do(engine, f"UPDATE {table} SET {name} = :instead {where}", instead=replacement)
        assert audit_log.verify(engine).total


@pytest.mark.parametrize("column", [*(f"audit.{name}" for name in AUDIT[1:]), "audit_head.hash"])
def test_text_that_is_text_no_longer_is_found(written: Path, column: str) -> None:
    table, _, name = column.partition(".")
    with copied(written) as engine:
        do(engine, f"UPDATE {table} SET {name} = CAST({name} AS BLOB) WHERE number = {SEVERAL}")
        assert audit_log.verify(engine).total


@pytest.mark.parametrize("replacement", ["'x'", "8.5", "CAST('8' AS BLOB)"])
def test_a_head_that_counts_nothing_is_found(written: Path, replacement: str) -> None:
    with copied(written) as engine:
        do(engine, f"UPDATE audit_head SET number = {replacement}")
        assert sentences(audit_log.verify(engine)) == [
            "The head is gone, doubled, or not what was written."
        ]


@examples(150)
@given(choice=st.data())
def test_whatever_is_removed_inserted_or_reordered_is_found(
    written: Path, choice: st.DataObject
) -> None:
    with copied(written) as engine:
        before = rows(engine)
        head = audit_log.verify(engine).head
        after = _rearranged(before, choice)
        if choice.draw(st.booleans(), "number anew"):
            after = [row | {"number": number} for number, row in enumerate(after, start=1)]
        assume(after != before)
        fit = choice.draw(st.booleans(), "make the head fit")
        rewrite(engine, after, head=fit)
        only_cut = after == before[: len(after)]
        assert audit_log.verify(engine).total or (fit and only_cut)
        assert audit_log.verify(engine, expected_head=head).total


def _rearranged(before: list[dict[str, Any]], choice: st.DataObject) -> list[dict[str, Any]]:
    one, other = choice.draw(
        st.lists(st.integers(0, len(before) - 1), min_size=2, max_size=2, unique=True)
    )
    after = list(before)
    match choice.draw(st.sampled_from(["remove", "swap", "insert", "cut"])):
        case "remove":
            del after[one]
        case "swap":
            after[one] = before[other] | {"number": one + 1}
            after[other] = before[one] | {"number": other + 1}
        case "insert":
            made = before[one] | {
                "dedupe_key": "made:up",
                "number": choice.draw(st.integers(-9, 0)),
            }
            after.insert(other, made)
        case "cut":
            del after[max(one, other) :]
    return after


@both_databases
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "UPDATE audit SET record = replace(record, 'Alice', 'Mallory') WHERE number = 2",
            ["Record 2 was changed, or its hash was, or it does not belong here."],
        ),
        (
            "UPDATE audit SET hash = replace(hash, substr(hash, 9, 1), 'x') WHERE number = 2",
            ["Record 2 was changed, or its hash was, or it does not belong here."],
        ),
        (
            "UPDATE audit SET at = '2020', dedupe_key = 'x', target = 'y' WHERE number = 2",
            ["Record 2 has columns that differ from it: at, target, dedupe_key."],
        ),
        (
            "UPDATE audit SET record = '[]' WHERE number = 2",
            [
                "Record 2 was changed, or its hash was, or it does not belong here.",
                "Record 2 is not JSON.",
            ],
        ),
        ("DELETE FROM audit WHERE number = 2", ["Record 2 is missing."]),
        ("DELETE FROM audit WHERE number IN (2, 3)", ["Record 2 and all up to 3 are missing."]),
        ("DELETE FROM audit WHERE number > 4", ["Record 5 and all up to 8 are missing."]),
        ("DELETE FROM audit", ["Record 1 and all up to 8 are missing."]),
        (
            "UPDATE audit_head SET number = 7",
            ["Record 8 stands behind the head, which says 7."],
        ),
        ("UPDATE audit_head SET hash = 'x'", ["The head does not match the last record."]),
        ("DELETE FROM audit_head", ["The head is gone, doubled, or not what was written."]),
        (
            "INSERT INTO audit_head SELECT 2, number, hash, signature FROM audit_head",
            ["The head is gone, doubled, or not what was written."],
        ),
        (
            "UPDATE audit SET number = 0 WHERE number = 8",
            ["Record 0 was inserted: the first has number 1.", "Record 8 is missing."],
        ),
    ],
)
def test_what_was_done_to_the_audit_is_said(
    engine: sa.Engine, change: str, expected: list[str]
) -> None:
    write(engine, SEVERAL)
    do(engine, change)
    assert sentences(audit_log.verify(engine)) == expected


def test_each_bad_record_is_named_and_no_other(engine: sa.Engine) -> None:
    write(engine, 6)
    do(engine, "UPDATE audit SET hash = 'x' WHERE number IN (2, 3)")
    do(engine, "UPDATE audit SET record = replace(record, 'Alice', 'Bob') WHERE number = 5")
    assert [number for number, _ in audit_log.verify(engine).problems] == [2, 3, 5]


@both_databases
@pytest.mark.parametrize(
    "record",
    [
        '{"at": "\\ud800", "target": "\\ud800", "operation_id": "\\u0000", "number": 2}',
        '{"at": [], "target": {}, "number": "2"}',
        "{}",
        "null",
        "",
        "[" * 100_000,
        "9" * 5000,
    ],
    ids=lambda record: record[:20],
)
def test_whatever_stands_there_instead_of_a_record_is_found(engine: sa.Engine, record: str) -> None:
    write(engine, 3)
    do(engine, "UPDATE audit SET record = :record WHERE number = 2", record=record)
    assert {number for number, _ in audit_log.verify(engine).problems} == {2}
    assert len(list(audit_log.entries(engine))) == 3


def test_of_many_problems_the_first_hundred_are_told_and_all_are_counted(engine: sa.Engine) -> None:
    write(engine, 250)
    do(engine, "UPDATE audit SET target = 'nobody'")
    verified = audit_log.verify(engine)
    assert [number for number, _ in verified.problems] == list(range(1, 101))
    assert verified.total == 250


@both_databases
def test_a_tail_that_was_written_anew_is_found_by_a_noted_head(engine: sa.Engine) -> None:
    write(engine, 5)
    head = audit_log.verify(engine).head
    rewrite(engine, rows(engine)[:3], head=True)
    write(engine, 2, first=14)
    assert audit_log.verify(engine).problems == ()
    assert sentences(audit_log.verify(engine, expected_head=head)) == [
        "The head that was noted does not occur: records were replaced since, or cut off."
    ]


@both_databases
def test_writers_at_once_make_one_unbroken_chain(engine: sa.Engine, database_url: str) -> None:
    def work(writer: int) -> None:
        engine = connect(database_url)
        for number in range(20):
            with engine.begin() as connection:
                audit_log.append(connection, entry(number))
            with engine.begin() as connection:
                audit_log.append(connection, entry(100 * writer + number))
        engine.dispose()

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, range(1, 7)))
    verified = audit_log.verify(engine)
    assert (verified.records, verified.problems) == (20 + 6 * 20, ())


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_role_that_may_only_add_can_write_and_not_change(
    engine: sa.Engine, database_url: str
) -> None:
    name = f"clerk_{engine.url.database}"
    do(
        engine,
        f"CREATE ROLE {name} LOGIN",
        f"GRANT SELECT, INSERT ON audit TO {name}",
        f"GRANT SELECT, UPDATE ON audit_head TO {name}",
    )
    url = sa.make_url(database_url).set(username=name).render_as_string(hide_password=False)
    clerk = connect(url)
    try:
        write(clerk, 3)
        for change in ("UPDATE audit SET record = ''", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                do(clerk, change)
        verified = audit_log.verify(clerk)
    finally:
        clerk.dispose()
    assert (verified.records, verified.problems) == (3, ())


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
def test_who_looks_into_the_audit_cannot_change_it(engine: sa.Engine, database_url: str) -> None:
    write(engine, 3)
    auditor = open_read_only(database_url)
    try:
        assert audit_log.verify(auditor).records == 3
        with pytest.raises(sa.exc.SQLAlchemyError, match=r"read-?only"):
            write(auditor, 1, first=4)
    finally:
        auditor.dispose()
    assert audit_log.verify(engine).records == 3
