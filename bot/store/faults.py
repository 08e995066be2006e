"""Which errors are the database's own trouble, and whether what failed may stand all the same."""

import sqlalchemy as sa

# Errors of a statement of ours: the database is well, and would answer the same again.
OWN_ERRORS = (
    sa.exc.DataError,
    sa.exc.IntegrityError,
    sa.exc.NotSupportedError,
    sa.exc.ProgrammingError,
)


def is_database_fault(error: BaseException) -> bool:
    """Return whether the database could not do what it was asked for, and may be able to later.

    It is read-only, full, locked, gone or restarting, or has no connection to spare.
    """
    if isinstance(error, sa.exc.DBAPIError):
        return not isinstance(error, OWN_ERRORS)
    return isinstance(error, sa.exc.TimeoutError | sa.exc.PendingRollbackError)


def may_have_committed(error: BaseException) -> bool:
    """Return whether what failed with a fault may be recorded: a connection broke in the middle."""
    return isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
