"""The tables are made whole or not at all, and only in a database that this version can use."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.store import UnsupportedDatabase, audit_log, connect, migrate, readable_by_others
from bot.store.tables import VERSION_TABLE, metadata
from tests.support.audit import do, entry
from tests.support.databases import both_databases


@pytest.fixture
def empty(database_url: str) -> Iterator[sa.Engine]:
    """A database without a table."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@both_databases
def test_the_tables_are_as_the_bot_expects_them(empty: sa.Engine) -> None:
    migrate(empty)

    def include(_object: Any, name: str, kind: str, *_more: Any) -> bool:
        return kind != "table" or name != VERSION_TABLE

    with empty.connect() as connection:
        options = {"include_object": include, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


@both_databases
def test_a_new_audit_has_a_head_and_no_record(empty: sa.Engine) -> None:
    migrate(empty)
    assert audit_log.verify(empty) == audit_log.Verified(0, audit_log.GENESIS, (), 0)


@both_databases
def test_tables_that_are_there_stay_as_they_are(empty: sa.Engine) -> None:
    migrate(empty)
    with empty.begin() as connection:
        audit_log.append(connection, entry(1))
    migrate(empty)
    assert audit_log.verify(empty).records == 1


@both_databases
def test_a_migration_that_fails_leaves_no_table_behind(empty: sa.Engine) -> None:
    do(empty, "CREATE TABLE audit_head (stands INTEGER)")
    with pytest.raises(sa.exc.SQLAlchemyError):
        migrate(empty)
    assert sa.inspect(empty).get_table_names() == ["audit_head"]
    do(empty, "DROP TABLE audit_head")
    migrate(empty)
    assert audit_log.verify(empty).records == 0


@both_databases
def test_a_database_from_before_the_first_release_is_refused(empty: sa.Engine) -> None:
    do(empty, "CREATE TABLE bot_schema_version (version_num VARCHAR(32))")
    with pytest.raises(UnsupportedDatabase, match="before the first release"):
        migrate(empty)
    assert sa.inspect(empty).get_table_names() == ["bot_schema_version"]


@pytest.mark.parametrize(
    "differences",
    [
        ("DROP INDEX ix_claims_failure_group", "ALTER TABLE claims DROP COLUMN failure_group"),
        ("DROP TABLE home_views",),
    ],
    ids=["without a column", "without a table"],
)
@both_databases
def test_tables_of_a_build_before_the_first_release_are_refused(
    empty: sa.Engine, differences: tuple[str, ...]
) -> None:
    migrate(empty)
    do(empty, *differences)
    with pytest.raises(UnsupportedDatabase, match="before the first release"):
        migrate(empty)


@both_databases
def test_a_database_of_a_newer_version_is_refused(empty: sa.Engine) -> None:
    migrate(empty)
    do(empty, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(UnsupportedDatabase, match="newer version"):
        migrate(empty)


@pytest.mark.parametrize("mode", [None, 0o644, 0o666, 0o400 | 0o200 | 0o040])
def test_a_database_file_is_its_owners_alone(empty: sa.Engine, mode: int | None) -> None:
    file = Path(str(empty.url.database))
    before = os.umask(0)
    try:
        if mode is not None:
            file.touch(mode)
            file.with_name(f"{file.name}-wal").touch(mode)
        assert readable_by_others(empty) == (
            [file, file.with_name(f"{file.name}-wal")] if mode is not None else []
        )
        migrate(empty)
        with empty.begin() as connection:
            audit_log.append(connection, entry(1))
            files = list(file.parent.glob(f"{file.name}*"))
            assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
            assert len(files) == 3
    finally:
        os.umask(before)
    assert readable_by_others(empty) == []
