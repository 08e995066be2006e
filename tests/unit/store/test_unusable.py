"""Why a database can't be used is said in words, and never with the password in its address."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from bot.store import connect, why_unusable
from tests.support.databases import Databases

SECRET = "so-secret"
TO_SERVER = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: FATAL:  '


def reason(url: str) -> str:
    """Return why nothing can be written to the database of this address."""
    engine = connect(url)
    with pytest.raises(sa.exc.SQLAlchemyError) as caught, engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (a INTEGER)"))
    engine.dispose()
    assert SECRET not in repr(why_unusable(caught.value))
    return str(why_unusable(caught.value))


def test_what_a_postgres_server_refuses_is_said(databases: Databases, tmp_path: Path) -> None:
    url = databases.empty("postgres", tmp_path)
    address = sa.make_url(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    try:
        wrong = address.set(database="nothing_here", password=SECRET)
        assert reason(wrong.render_as_string(hide_password=False)) == (
            "there is no such database: make it, or correct its name"
        )
        wrong = address.set(username="nobody_here", password=SECRET)
        assert reason(wrong.render_as_string(hide_password=False)) == (
            "there is no such user: make it, or correct its name"
        )
        assert reason(address.set(username="reader").render_as_string()) == (
            "the user lacks rights: make it the owner of the database"
        )
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE reader")


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("nohost.invalid", "there is no such host: correct it"),
        ("127.0.0.1:9", "nothing listens at that host and port"),
    ],
)
def test_a_server_that_is_not_there_is_said(host: str, sentence: str) -> None:
    assert reason(f"postgresql://bot:{SECRET}@{host}/bot") == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f'{TO_SERVER}password authentication failed for user "bot"',
            "the user or password is wrong",
        ),
        (
            f'{TO_SERVER}no pg_hba.conf entry for host "10.0.0.2", user "bot"',
            "the server does not let this user in from here (pg_hba.conf)",
        ),
        (
            "connection failed: la connexion a échoué",
            "connection failed: la connexion a échoué",
        ),
        (
            f'invalid integer value "{SECRET}" for connection option "port"',
            "an option in the address can't be used: correct it",
        ),
        (
            f"what no server says of {SECRET}",
            "the driver's reason may hold the password: check how the address is written",
        ),
    ],
)
def test_what_libpq_says_is_put_into_words_and_else_repeated_if_a_server_said_it(
    text: str, sentence: str
) -> None:
    error = sa.exc.OperationalError("", {}, psycopg.OperationalError(text))
    assert str(why_unusable(error)) == sentence


@pytest.mark.parametrize(
    "text",
    [
        f'{TO_SERVER}password authentication failed for user "bot"',
        f'{TO_SERVER}database "bot" does not exist',
        f'{TO_SERVER}role "bot" does not exist',
        f'{TO_SERVER}role "bot" is not permitted to log in',
        f'{TO_SERVER}no pg_hba.conf entry for host "10.0.0.2", user "bot", SSL encryption',
        f"{TO_SERVER}no such database: bot",
        "connection failed: server does not support SSL, but SSL was required",
        'invalid sslmode value: "of course"',
    ],
)
def test_what_somebody_has_to_mend_does_not_pass(text: str) -> None:
    error = sa.exc.OperationalError("", {}, psycopg.OperationalError(text))
    assert not why_unusable(error).may_pass


@pytest.mark.parametrize(
    "text",
    [
        "failed to resolve host 'db.example': [Errno -3] Temporary failure in name resolution",
        'connection failed: connection to server at "10.0.0.1" failed: Connection refused',
        "connection timeout expired",
        f"{TO_SERVER}the database system is starting up",
        f"{TO_SERVER}sorry, too many clients already",
        "SSL connection has been closed unexpectedly",
        "connection failed: la connexion a échoué",
    ],
)
def test_what_passes_by_itself_may_pass_and_so_may_what_is_not_known(text: str) -> None:
    error = sa.exc.OperationalError("", {}, psycopg.OperationalError(text))
    assert why_unusable(error).may_pass


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (sa.exc.TimeoutError(), "no connection became free in time"),
        (sa.exc.OperationalError("", {}, Exception()), "it gives no reason"),
        (
            sa.exc.OperationalError("", {}, sqlite3.OperationalError()),
            "it gives no reason",
        ),
    ],
)
def test_no_class_of_an_error_is_said(error: sa.exc.SQLAlchemyError, sentence: str) -> None:
    assert str(why_unusable(error)) == sentence


def test_what_is_wrong_with_a_file_of_sqlite_is_said(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no database at all, and long enough to be read as one" * 20)
    assert reason(f"sqlite:///{other}") == "the file is no SQLite database: name another"
    assert reason(f"sqlite:///{tmp_path}") == (
        "the file can't be opened: look at its folder and the rights to it"
    )
