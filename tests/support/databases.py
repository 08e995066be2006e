"""Fresh databases for tests, and the marks that say on which of the two a test runs."""

import shutil
from collections.abc import Callable
from functools import cached_property
from itertools import count
from pathlib import Path

import psycopg
import pytest
from dbos import DBOS

from bot.operations.launch import migrate_workflows
from bot.store import close, connect, migrate

both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
"""For tests whose subject is what the database does: claims, approvals, crashes, the outbox."""

postgres_in_full = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)],
    indirect=True,
)
"""For stories whose subject is another: `make test` runs them on SQLite only."""


class Databases:
    """Makes databases: empty ones, and ones that have all tables already.

    To run all migrations takes 0.2 s on SQLite and 0.6 s on Postgres, which is most of the start
    of a bot; a copy takes a hundredth of it. ``find_postgres`` returns the address of a server.
    """

    def __init__(self, folder: Path, find_postgres: Callable[[], str]) -> None:
        self._folder = folder
        self._find_postgres = find_postgres
        self._numbers = count(1)

    def empty(self, kind: str, folder: Path) -> str:
        """Return the address of a database without tables."""
        if kind == "sqlite":
            return f"sqlite:///{folder / 'bot.db'}"
        return self._create_on_postgres("template1")

    def with_tables(self, kind: str, folder: Path) -> str:
        """Return the address of a database that a bot has been started on before."""
        if kind == "sqlite":
            shutil.copyfile(self._sqlite_template, folder / "bot.db")
            return f"sqlite:///{folder / 'bot.db'}"
        return self._create_on_postgres(self._postgres_template)

    def _create_on_postgres(self, template: str) -> str:
        server, name = self._find_postgres(), f"bot_{next(self._numbers)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return server.replace("@/postgres", f"@/{name}")

    @cached_property
    def _sqlite_template(self) -> Path:
        file = self._folder / "template.db"
        _make_tables(f"sqlite:///{file}")
        return file

    @cached_property
    def _postgres_template(self) -> str:
        url = self._create_on_postgres("template1")
        _make_tables(url)
        return url.partition("@/")[2].partition("?")[0]


def _make_tables(url: str) -> None:
    engine = connect(url)
    try:
        migrate(engine)
        migrate_workflows(engine)
    finally:
        close(engine)
    if url.startswith("sqlite"):
        DBOS.migrate(url)
