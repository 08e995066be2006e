"""A connection to Postgres that is given up when the server, or what lies before it, is silent.

TCP does not tell: a relay that is frozen, a load balancer or a pooler, goes on acknowledging.
"""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

RV = TypeVar("RV")


class TimedConnection(psycopg.Connection[Any]):
    """Every statement, commit and rollback has ``deadline`` seconds, and then breaks it.

    The server may carry out all the same what was sent.
    """

    deadline: float | None = None  # without end

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the server; raises OperationalError where it is silent for too long."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.deadline)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - psycopg lets its callers catch it
            # What it would answer later must not be taken for the answer to another statement.
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the server did not answer within {self.deadline:g} s"
            ) from None

    def limit(self, seconds: float) -> None:
        """Let each statement from now on take so long, by the server's clock and by ours.

        Sent as statements, since poolers refuse options at the start of a session. The server
        gives up first, and the session can be used further. A transaction whose client is
        silent would keep rows locked for everybody.
        """
        self.deadline = seconds
        milliseconds = round(seconds * 1000)
        before, self.autocommit = self.autocommit, True
        self.execute(
            "SELECT set_config('statement_timeout', %s, false),"
            " set_config('idle_in_transaction_session_timeout', %s, false)",
            [str(milliseconds * 9 // 10), str(milliseconds)],
        )
        self.autocommit = before
