"""What each person's Home shows, and when they opened it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.store.repository import Repository
from bot.store.tables import home_views
from bot.store.times import to_utc


def save_options(
    connection: sa.Connection,
    insert: Callable[..., Any],
    user: str,
    options: dict[str, Any],
    at: datetime,
) -> None:
    """Record in the caller's transaction the options of a Home that somebody has open.

    ``insert`` is the INSERT of the connection's dialect.
    """
    values = {"options": options, "opened_at": to_utc(at), "fingerprint": ""}
    statement = insert(home_views).values(user=user, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["user"], set_=values))


class HomeViews(Repository):
    """The table of Homes. Options are whatever it takes to render a Home again, as JSON."""

    def mark_opened(self, user: str, at: datetime) -> None:
        """Record that a person opened their Home, which is to be rendered anew."""
        # What it showed before may have been overwritten: with the notice that Slack could not be
        # asked, for example.
        values = {"opened_at": to_utc(at), "fingerprint": ""}
        insert = self._insert(home_views).values(user=user, options={}, **values)
        with self.engine.begin() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["user"], set_=values))

    def options(self, user: str) -> dict[str, Any]:
        """Return the options with which a person opened their Home last; {} if they never did."""
        query = sa.select(home_views.c.options).where(home_views.c.user == user)
        with self.engine.begin() as connection:
            return dict(connection.execute(query).scalar() or {})

    def save_fingerprint(self, user: str, fingerprint: str) -> None:
        """Record the fingerprint of what a person's Home shows now."""
        update = sa.update(home_views).where(home_views.c.user == user)
        with self.engine.begin() as connection:
            connection.execute(update.values(fingerprint=fingerprint))

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` Homes last opened before a time; return how many."""
        return self._delete(home_views, home_views.c.opened_at < to_utc(before), limit)

    def opened_since(self, since: datetime) -> list[tuple[str, dict[str, Any], str]]:
        """Return user, options and fingerprint of each Home that was opened since a time."""
        query = (
            sa.select(home_views)
            .where(home_views.c.opened_at > to_utc(since))
            .order_by(home_views.c.user)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [(row.user, dict(row.options), row.fingerprint) for row in rows]
