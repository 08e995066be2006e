"""What each person's Home shows, and when they opened it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.tables import homes
from bot.store.times import kept


class Homes:
    """``wanted`` is whatever a Home needs to be drawn the same again."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def open(self, user: str, wanted: dict[str, Any], at: datetime) -> None:
        """Note that somebody looks at their Home, and at what of it."""
        # What it showed before may be drawn over: with that Slack could not be asked, for one.
        told = {"wanted": wanted, "opened_at": kept(at), "shown": ""}
        insert = self._insert(homes).values(user=user, **told)
        with self.engine.begin() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["user"], set_=told))

    def wanted(self, user: str) -> dict[str, Any]:
        """What somebody looked at last; empty for somebody who never did."""
        query = sa.select(homes.c.wanted).where(homes.c.user == user)
        with self.engine.begin() as connection:
            return dict(connection.execute(query).scalar() or {})

    def shown(self, user: str, digest: str) -> None:
        """Note what somebody's Home shows now."""
        own = sa.update(homes).where(homes.c.user == user).values(shown=digest)
        with self.engine.begin() as connection:
            connection.execute(own)

    def looked_at(self, since: datetime) -> list[tuple[str, dict[str, Any], str]]:
        """Whose Home was opened since then: who, what they look at, and the digest of it."""
        query = sa.select(homes).where(homes.c.opened_at > kept(since)).order_by(homes.c.user)
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [(row.user, dict(row.wanted), row.shown) for row in rows]
