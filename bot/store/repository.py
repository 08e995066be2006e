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
