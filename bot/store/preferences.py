"""What people chose for themselves: how they are called for approvals."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import CallPreference
from bot.store.repository import Repository
from bot.store.tables import preferences


def save_calls(
    connection: sa.Connection,
    insert: Callable[..., Any],
    user: str,
    calls: CallPreference,
    at: datetime,
) -> None:
    """Record in the caller's transaction how a person wants to be called.

    ``insert`` is the INSERT of the connection's dialect.
    """
    values = {"calls": calls, "at": at}
    statement = insert(preferences).values(user=user, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["user"], set_=values))


class Preferences(Repository):
    """Reads the table of preferences."""

    def calls(self, user: str) -> CallPreference:
        """Return how a person wants to be called: as the rule says, unless they chose otherwise."""
        return self.calls_of([user]).get(user, CallPreference.AS_RULED)

    def calls_of(self, users: Collection[str]) -> dict[str, CallPreference]:
        """Return how each of these people wants to be called who chose that."""
        query = sa.select(preferences).where(preferences.c.user.in_(users))
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return {row.user: CallPreference(row.calls) for row in rows}
