"""The base of the classes that read and write a table."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


class Repository:
    """An engine, and the INSERT of its dialect, which can say what to do on a conflict.

    Each public method of a repository is one transaction, blocks for a moment, and is meant for
    a thread.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def _delete(self, table: sa.Table, condition: sa.ColumnElement[bool], limit: int) -> int:
        """Delete up to ``limit`` rows that meet a condition, and return how many."""
        key = list(table.primary_key.columns)
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(*key).where(condition).limit(limit)).all()
            if not rows:
                return 0
            chosen = sa.tuple_(*key).in_([tuple(row) for row in rows])
            # Asked again, for what somebody has changed since they were chosen.
            return connection.execute(sa.delete(table).where(chosen, condition)).rowcount
