"""Say why a database can't be used, of an error of its driver's.

Of a connection that Postgres refuses its client hands on no code, so the text is looked at. What is
not known there, as some servers speak another language, is repeated if it came from a server. What
a driver says of an address that it can't read is not: the password is in it.
"""

import re
import sqlite3

import psycopg
import sqlalchemy as sa

from bot.logs import hide

# What libpq, psycopg and a server say, and what is to be done.
POSTGRES = (
    (r"failed to resolve host|could not translate host name", "there is no such host: correct it"),
    (r"password authentication failed|no password supplied", "the user or password is wrong"),
    (r"database .* does not exist", "there is no such database: make it, or correct its name"),
    (r"role .* does not exist", "there is no such user: make it, or correct its name"),
    (r"no pg_hba\.conf entry", "the server does not let this user in from here (pg_hba.conf)"),
    (r"permission denied", "the user lacks rights: make it the owner of the database"),
    (r"Connection refused", "nothing listens at that host and port"),
    (r"timeout expired|Connection timed out|timed out", "no answer in time: look at the network"),
    (r"too many (clients|connections)", "it has no connection free: allow more"),
    (r"No such file or directory", "no server listens at that socket"),
    (r"certificate|SSL", "the server's certificate or TLS is not as DATABASE_URL asks"),
)
FROM_A_SERVER = "connection"  # what the text begins with where one was asked
# https://www.postgresql.org/docs/current/errcodes-appendix.html
PERMISSION_DENIED = "42501"
# https://www.sqlite.org/rescode.html
SQLITE = {
    "SQLITE_CANTOPEN": "the file can't be opened: look at its folder and the rights to it",
    "SQLITE_READONLY": "the file or its folder can't be written to: give the bot's user the right",
    "SQLITE_NOTADB": "the file is no SQLite database: name another",
    "SQLITE_CORRUPT": "the file is damaged: restore the backup",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk fails to read or write",
    "SQLITE_BUSY": "another process holds it: end that one",
    "SQLITE_PERM": "the file can't be written to: give the bot's user the right",
}
MAX_TEXT = 200
NO_CONNECTION_FREE = "no connection became free in time"
NO_REASON = "it gives no reason"
NOT_REPEATED = "the driver's reason may hold the password: check how the address is written"


def why_unusable(error: sa.exc.SQLAlchemyError) -> str:
    """Return why the database can't be used in words, and where it is clear, what to do."""
    cause = getattr(error, "orig", None)
    text = " ".join(str(cause).split())
    if isinstance(cause, sqlite3.Error):
        code = str(getattr(cause, "sqlite_errorname", ""))
        sentences = [words for name, words in SQLITE.items() if code.startswith(name)]
        return sentences[0] if sentences else code or NO_REASON
    if not isinstance(cause, psycopg.Error):
        is_pool = isinstance(error, sa.exc.TimeoutError)
        return NO_CONNECTION_FREE if is_pool else NO_REASON
    if cause.sqlstate == PERMISSION_DENIED:
        text = f"permission denied: {text}"
    sentences = [words for pattern, words in POSTGRES if re.search(pattern, text)]
    if sentences:
        return sentences[0]
    is_of_a_server = cause.sqlstate or text.startswith(FROM_A_SERVER)
    return hide(text)[:MAX_TEXT] if is_of_a_server else NOT_REPEATED
