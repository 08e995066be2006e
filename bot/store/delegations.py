"""Delegations: who delegated their rights to whom, until when. Does not know the rights."""

from datetime import datetime

import sqlalchemy as sa

from bot.domain.delegations import Delegation
from bot.store.repository import Repository
from bot.store.tables import delegations
from bot.store.times import from_db, to_utc


def create(connection: sa.Connection, id_: str, delegation: Delegation, at: datetime) -> None:
    """Add a delegation in the caller's transaction."""
    row = {
        "id": id_,
        "delegator": delegation.delegator,
        "delegate": delegation.delegate,
        "at": at,
        "until": to_utc(delegation.until),
    }
    connection.execute(sa.insert(delegations).values(row))


def end(connection: sa.Connection, delegator: str, delegate: str, at: datetime) -> bool:
    """End a delegation now, as if it had been granted until now; False if there is none."""
    pair = (delegations.c.delegator == delegator) & (delegations.c.delegate == delegate)
    update = sa.update(delegations).where(pair, delegations.c.until > at).values(until=at)
    return bool(connection.execute(update).rowcount)


class Delegations(Repository):
    """Reads the table of delegations, and deletes what is over."""

    def received(self, delegate: str, at: datetime) -> list[Delegation]:
        """Return the delegations to a person that are in force."""
        return self._in_force(delegations.c.delegate == delegate, at)

    def granted(self, delegator: str, at: datetime) -> list[Delegation]:
        """Return the delegations by a person that are in force."""
        return self._in_force(delegations.c.delegator == delegator, at)

    def all(self, at: datetime) -> list[Delegation]:
        """Return every delegation that is in force."""
        return self._in_force(sa.true(), at)

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` delegations that ended before a time; return how many."""
        return self._delete(delegations, delegations.c.until < to_utc(before), limit)

    def _in_force(self, condition: sa.ColumnElement[bool], at: datetime) -> list[Delegation]:
        query = sa.select(delegations).where(condition, delegations.c.until > at)
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(delegations.c.at)).all()
        return [
            Delegation(delegator=row.delegator, delegate=row.delegate, until=from_db(row.until))
            for row in rows
        ]
