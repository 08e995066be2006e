"""What is recorded of a workflow, and what never is: a fault of the database."""

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from bot.operations.unfinished import BrokenOff, FaultlessSerializer
from bot.store import is_database_fault, may_have_committed

SERIALIZER = FaultlessSerializer()


def error_of(kind: type[sa.exc.DBAPIError], cause: Exception) -> sa.exc.DBAPIError:
    return kind("UPDATE", {}, cause)


FAULTS = [
    error_of(sa.exc.OperationalError, sqlite3.OperationalError("database or disk is full")),
    error_of(sa.exc.InternalError, psycopg.errors.ReadOnlySqlTransaction()),
    error_of(sa.exc.DatabaseError, sqlite3.DatabaseError("disk image is malformed")),
    sa.exc.TimeoutError(),
    sa.exc.PendingRollbackError(),
]
OWN = [
    error_of(sa.exc.IntegrityError, sqlite3.IntegrityError()),
    error_of(sa.exc.ProgrammingError, psycopg.errors.UndefinedTable()),
    ValueError("x"),
    TimeoutError(),
]


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_a_fault_of_the_database_is_never_recorded(error: Exception) -> None:
    assert is_database_fault(error)
    with pytest.raises(BrokenOff) as caught:
        SERIALIZER.serialize(error)
    assert caught.value.__cause__ is error
    assert not isinstance(caught.value, Exception)  # DBOS records whatever is one


@pytest.mark.parametrize("error", OWN, ids=repr)
def test_an_error_of_ours_is_recorded(error: Exception) -> None:
    assert not is_database_fault(error)
    read = SERIALIZER.deserialize(SERIALIZER.serialize(error))
    assert type(read) is type(error)


def test_a_value_is_recorded() -> None:
    value = {"kind": "done", "list": [1, None]}
    assert SERIALIZER.deserialize(SERIALIZER.serialize(value)) == value


def test_what_a_broken_connection_was_told_may_be_on_record() -> None:
    cause = psycopg.OperationalError("server closed the connection unexpectedly")
    broken = sa.exc.OperationalError("INSERT", {}, cause, connection_invalidated=True)
    assert may_have_committed(broken)
    assert not any(map(may_have_committed, FAULTS))
