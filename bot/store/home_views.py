"""What each person's Home shows, and when they opened it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.tables import home_views
from bot.store.times import to_utc


class HomeViews:
    """``wanted`` is whatever a Home needs to be drawn the same again."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def save_options(self, user: str, wanted: dict[str, Any], at: datetime) -> None:
        """Note that somebody looks at their Home, and at what of it."""
        # What it showed before may be drawn over: with that Slack could not be asked, for one.
        told = {"options": wanted, "opened_at": to_utc(at), "fingerprint": ""}
        insert = self._insert(home_views).values(user=user, **told)
        with self.engine.begin() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["user"], set_=told))

    def options(self, user: str) -> dict[str, Any]:
        """What somebody looked at last; empty for somebody who never did."""
        query = sa.select(home_views.c.options).where(home_views.c.user == user)
        with self.engine.begin() as connection:
            return dict(connection.execute(query).scalar() or {})

    def save_fingerprint(self, user: str, digest: str) -> None:
        """Note what somebody's Home shows now."""
        own = sa.update(home_views).where(home_views.c.user == user).values(fingerprint=digest)
        with self.engine.begin() as connection:
            connection.execute(own)

    def opened_since(self, since: datetime) -> list[tuple[str, dict[str, Any], str]]:
        """Whose Home was opened since then: who, what they look at, and the digest of it."""
        query = (
            sa.select(home_views)
            .where(home_views.c.opened_at > to_utc(since))
            .order_by(home_views.c.user)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [(row.user, dict(row.options), row.fingerprint) for row in rows]
