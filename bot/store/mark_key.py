"""The secret that our messages in Slack are marked with: made with the tables, never changed."""

import sqlalchemy as sa

from bot.store.repository import Repository
from bot.store.tables import mark_key


class MarkKey(Repository):
    """The table of one row."""

    def get(self) -> bytes:
        """Return the key, which is the same for every process on this database."""
        with self.engine.begin() as connection:
            return bytes.fromhex(connection.execute(sa.select(mark_key.c.key)).scalar_one())
