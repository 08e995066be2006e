"""Say why a database can't be used, of an error of its driver's.

Of a connection that Postgres refuses its client hands on no code, so the text is looked at. What is
not known there, as some servers speak another language, is repeated if it came from a server. What
a driver says of an address that it can't read is not: the password is in it.
"""

import re
import sqlite3
from dataclasses import dataclass

import psycopg
import sqlalchemy as sa

from bot.logs import hide


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a database can't be used, as a sentence, and whether that may pass by itself."""

    sentence: str
    may_pass: bool

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def _passes(sentence: str) -> Unusable:
    return Unusable(sentence, may_pass=True)


def _stays(sentence: str) -> Unusable:
    return Unusable(sentence, may_pass=False)


# What libpq, psycopg, a server and PgBouncer say, and what is to be done; the first that fits.
POSTGRES = (
    (
        r"failed to resolve host|could not translate host name",
        _passes("there is no such host: correct it"),
    ),
    (
        r"authentication failed|no password supplied|no such user",
        _stays("the user or password is wrong"),
    ),
    (
        r"database .* does not exist|no such database",
        _stays("there is no such database: make it, or correct its name"),
    ),
    (r"role .* does not exist", _stays("there is no such user: make it, or correct its name")),
    (
        r"no pg_hba\.conf entry",
        _stays("the server does not let this user in from here (pg_hba.conf)"),
    ),
    (
        r"permission denied|is not permitted to log in",
        _stays("the user lacks rights: make it the owner of the database"),
    ),
    (r"Connection refused", _passes("nothing listens at that host and port")),
    (
        r"timeout expired|Connection timed out|timed out",
        _passes("no answer in time: look at the network"),
    ),
    (r"too many (clients|connections)", _passes("it has no connection free: allow more")),
    (r"starting up|shutting down", _passes("the server is starting or stopping")),
    # Of a connection over TLS that broke, and not of the certificate.
    (
        r"SSL SYSCALL|SSL connection has been closed|server closed the connection",
        _passes("the connection broke: look at the server and the network"),
    ),
    (
        r"certificate|SSL",
        _stays("the server's certificate or TLS is not as DATABASE_URL asks"),
    ),
    (r"No such file or directory", _passes("no server listens at that socket")),
    (
        r"connection option|connection info string|^invalid \w+ value:",
        _stays("an option in the address can't be used: correct it"),
    ),
)
FROM_A_SERVER = "connection"  # what the text begins with where one was asked
# https://www.postgresql.org/docs/current/errcodes-appendix.html
PERMISSION_DENIED = "42501"
# https://www.sqlite.org/rescode.html
SQLITE = {
    "SQLITE_CANTOPEN": _stays("the file can't be opened: look at its folder and the rights to it"),
    "SQLITE_READONLY": _stays(
        "the file or its folder can't be written to: give the bot's user the right"
    ),
    "SQLITE_NOTADB": _stays("the file is no SQLite database: name another"),
    "SQLITE_CORRUPT": _stays("the file is damaged: restore the backup"),
    "SQLITE_FULL": _passes("the disk is full"),
    "SQLITE_IOERR": _passes("the disk fails to read or write"),
    "SQLITE_BUSY": _passes("another process holds it: end that one"),
    "SQLITE_PERM": _stays("the file can't be written to: give the bot's user the right"),
}
MAX_TEXT = 200
NO_CONNECTION_FREE = "no connection became free in time"
NO_REASON = "it gives no reason"
NOT_REPEATED = "the driver's reason may hold the password: check how the address is written"


def why_unusable(error: sa.exc.SQLAlchemyError) -> Unusable:
    """Return why the database can't be used in words, and where it is clear, what to do.

    What is not known may pass: a start that is tried again for nothing does less harm than one
    that is not.
    """
    cause = getattr(error, "orig", None)
    text = " ".join(str(cause).split())
    if isinstance(cause, sqlite3.Error):
        code = str(getattr(cause, "sqlite_errorname", ""))
        reasons = [reason for name, reason in SQLITE.items() if code.startswith(name)]
        return reasons[0] if reasons else _passes(code or NO_REASON)
    if not isinstance(cause, psycopg.Error):
        is_pool = isinstance(error, sa.exc.TimeoutError)
        is_of_address = isinstance(error, sa.exc.ArgumentError)
        reason = NO_CONNECTION_FREE if is_pool else NO_REASON
        return Unusable(reason, may_pass=not is_of_address)
    if cause.sqlstate == PERMISSION_DENIED:
        text = f"permission denied: {text}"
    reasons = [reason for pattern, reason in POSTGRES if re.search(pattern, text)]
    if reasons:
        return reasons[0]
    is_of_a_server = cause.sqlstate or text.startswith(FROM_A_SERVER)
    return _passes(hide(text)[:MAX_TEXT] if is_of_a_server else NOT_REPEATED)
