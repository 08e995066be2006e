"""A signed head: what is cut off or rewritten together with it is found, now and later."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.store import AuditKey, audit_log, connect, use_key
from tests.support.audit import do, entry, rewrite, rows, sentences, write
from tests.support.databases import Databases, both_databases

KEY, OTHER = AuditKey("0123456789abcdef"), AuditKey("fedcba9876543210")
UNSIGNED = (
    "The head is not signed with AUDIT_KEY: records at the end were cut off or rewritten, or "
    "something was recorded without the key or with another."
)


@contextmanager
def opened(url: str, key: AuditKey | None) -> Iterator[sa.Engine]:
    engine = connect(url)
    use_key(engine, key)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    return databases.with_tables(request.param, tmp_path)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An audit that was signed from its beginning, with five records."""
    with opened(database_url, KEY) as engine:
        with engine.begin() as connection:
            assert audit_log.sign(connection, number=0, head=audit_log.GENESIS)
        write(engine, 5)
        yield engine


def cut(engine: sa.Engine) -> None:
    do(engine, "DELETE FROM audit WHERE number > 3")
    do(engine, "UPDATE audit_head SET number = 3, hash = (SELECT hash FROM audit WHERE number=3)")


def cut_with_its_old_signature_of_another_head(engine: sa.Engine) -> None:
    signature = KEY.sign(4, rows(engine)[3]["hash"])
    cut(engine)
    do(engine, "UPDATE audit_head SET signature = :signature", signature=signature)


def cut_without_signature(engine: sa.Engine) -> None:
    cut(engine)
    do(engine, "UPDATE audit_head SET signature = ''")


def rewrite_tail(engine: sa.Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    rewrite(engine, rows(engine)[:3], head=True)
    with opened(url, None) as forger:
        write(forger, 2, first=14)


def sign_with_another_key(engine: sa.Engine) -> None:
    rewrite(engine, rows(engine)[:3], head=True)
    hash_ = rows(engine)[2]["hash"]
    do(engine, "UPDATE audit_head SET signature = :signature", signature=OTHER.sign(3, hash_))


def begin_anew(engine: sa.Engine) -> None:
    do(engine, "DELETE FROM audit")
    genesis = audit_log.GENESIS
    do(engine, "UPDATE audit_head SET number = 0, hash = :hash, signature = ''", hash=genesis)


FORGERIES = (
    *(cut, cut_with_its_old_signature_of_another_head, cut_without_signature, rewrite_tail),
    *(sign_with_another_key, begin_anew),
)


@both_databases
def test_what_the_key_signed_is_whole_and_said_to_be_signed(engine: sa.Engine) -> None:
    verified = audit_log.verify(engine)
    assert (verified.records, verified.problems, verified.is_signed) == (5, (), True)
    assert audit_log.suspicions(engine) == []
    use_key(engine, None)
    verified = audit_log.verify(engine)
    assert (verified.records, verified.problems, verified.is_signed) == (5, (), False)
    assert audit_log.suspicions(engine) == []


@both_databases
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forged_end_is_found_and_never_signed_by_what_is_recorded_next(
    engine: sa.Engine, forge: Callable[[sa.Engine], None]
) -> None:
    forge(engine)
    use_key(engine, None)
    assert audit_log.verify(engine).problems == ()  # nothing else shows it
    use_key(engine, KEY)
    assert audit_log.suspicions(engine) == [UNSIGNED]
    for number in (20, 21):
        assert sentences(audit_log.verify(engine)) == [UNSIGNED]
        write(engine, 1, first=number)
    assert sentences(audit_log.verify(engine)) == [UNSIGNED]


@both_databases
def test_another_key_and_none_leave_a_head_that_the_first_did_not_sign(engine: sa.Engine) -> None:
    use_key(engine, OTHER)
    assert sentences(audit_log.verify(engine)) == [UNSIGNED]
    use_key(engine, None)
    write(engine, 1, first=6)
    use_key(engine, KEY)
    assert sentences(audit_log.verify(engine)) == [UNSIGNED]


@both_databases
def test_a_whole_audit_is_signed_anew_and_its_records_to_come_as_well(engine: sa.Engine) -> None:
    use_key(engine, OTHER)
    write(engine, 1, first=6)
    head = audit_log.verify(engine).head
    with engine.begin() as connection:
        assert not audit_log.sign(connection, number=5, head=head)
        assert not audit_log.sign(connection, number=6, head=audit_log.GENESIS)
    assert sentences(audit_log.verify(engine)) == [UNSIGNED]
    with engine.begin() as connection:
        assert audit_log.sign(connection, number=6, head=head)
    write(engine, 2, first=7)
    assert audit_log.verify(engine).is_signed
    assert audit_log.verify(engine).problems == ()


@both_databases
def test_replicas_that_write_at_once_leave_a_signed_head(
    engine: sa.Engine, database_url: str
) -> None:
    def work(writer: int) -> None:
        with opened(database_url, KEY) as replica:
            for number in range(15):
                write(replica, 1, first=100 * writer + number)

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, range(1, 5)))
    verified = audit_log.verify(engine)
    assert (verified.records, verified.problems, verified.is_signed) == (65, (), True)


@both_databases
def test_a_signature_costs_no_statement(engine: sa.Engine) -> None:
    counts = []
    for number, key in ((10, KEY), (11, None)):
        use_key(engine, key)
        statements: list[str] = []

        def count(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            statements.append(statement)  # noqa: B023 - removed before the next turn

        sa.event.listen(engine, "before_cursor_execute", count)
        with engine.begin() as connection:
            audit_log.append(connection, entry(number))
        sa.event.remove(engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_key_is_not_seen_in_what_is_printed(engine: sa.Engine) -> None:
    printed = f"{KEY!r} {engine!r} {engine.get_execution_options()}"
    assert KEY.secret not in printed


# What somebody made in the database.

QUIET = "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
ON_SQLITE = {
    "trigger hide on audit": (
        "CREATE TRIGGER hide AFTER INSERT ON audit BEGIN DELETE FROM audit WHERE number = 9; END",
    ),
    "trigger t on claims": (
        "CREATE TRIGGER t AFTER UPDATE ON claims BEGIN DELETE FROM audit WHERE number = 9; END",
    ),
}
ON_POSTGRES = {
    "trigger hide on audit": (
        QUIET,
        "CREATE TRIGGER hide BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION quiet()",
    ),
    "trigger t on claims": (
        QUIET,
        "CREATE TRIGGER t AFTER INSERT ON claims FOR EACH ROW EXECUTE FUNCTION quiet()",
    ),
    "rule hide on audit_head": ("CREATE RULE hide AS ON DELETE TO audit_head DO INSTEAD NOTHING",),
    "policy hide on audit": ("CREATE POLICY hide ON audit USING (number < 3)",),
    "table more on audit": ("CREATE TABLE more () INHERITS (audit)",),
}
IN_PLACE = (
    "ALTER TABLE audit RENAME TO hidden",
    "CREATE VIEW audit AS SELECT * FROM hidden WHERE number < 6",
)


@pytest.mark.parametrize(
    ("database_url", "place", "statements"),
    [
        *(("sqlite", *item) for item in ON_SQLITE.items()),
        *(("postgres", *item) for item in ON_POSTGRES.items()),
        *((kind, "view audit on audit", IN_PLACE) for kind in ("sqlite", "postgres")),
    ],
    indirect=["database_url"],
)
def test_what_may_change_or_hide_records_is_noticed(
    engine: sa.Engine, place: str, statements: tuple[str, ...]
) -> None:
    do(engine, *statements)
    [sentence] = audit_log.suspicions(engine)
    assert sentence.startswith(f"The database has a {place} that is not the bot's")
    assert sentence in sentences(audit_log.verify(engine))


@both_databases
def test_a_view_of_somebody_who_reads_the_audit_is_no_suspicion(engine: sa.Engine) -> None:
    do(engine, "CREATE VIEW report AS SELECT number, at FROM audit")
    assert audit_log.suspicions(engine) == []
