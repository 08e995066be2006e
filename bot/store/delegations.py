"""Delegations: who delegated their rights to whom, until when. Does not know the rights."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.delegations import Delegation
from bot.store import audit_log
from bot.store.repository import Repository
from bot.store.tables import delegations
from bot.store.times import from_db, to_utc


class Delegations(Repository):
    """The table of delegations."""

    def create(self, id_: str, delegation: Delegation, at: datetime, entry: dict[str, Any]) -> None:
        """Record a delegation, in the place of an earlier one between the same two people.

        ``entry`` is its audit record. The same id again adds nothing.
        """
        existing = sa.select(delegations.c.id).where(delegations.c.id == id_)
        with self.engine.begin() as connection:
            if connection.execute(existing).first():
                return
            self._end(connection, delegation.delegator, delegation.delegate, at)
            row = {
                "id": id_,
                "delegator": delegation.delegator,
                "delegate": delegation.delegate,
                "at": at,
                "until": to_utc(delegation.until),
            }
            connection.execute(sa.insert(delegations).values(row))
            audit_log.append(connection, entry)

    def revoke(self, delegator: str, delegate: str, at: datetime, entry: dict[str, Any]) -> bool:
        """End a delegation and record ``entry`` in the audit; False if there is none."""
        with self.engine.begin() as connection:
            ended = self._end(connection, delegator, delegate, at)
            if ended:
                audit_log.append(connection, entry)
        return ended

    def received(self, delegate: str, at: datetime) -> list[Delegation]:
        """Return the delegations to a person that are in force."""
        return self._in_force(delegations.c.delegate == delegate, at)

    def granted(self, delegator: str, at: datetime) -> list[Delegation]:
        """Return the delegations by a person that are in force."""
        return self._in_force(delegations.c.delegator == delegator, at)

    def _end(self, connection: sa.Connection, delegator: str, delegate: str, at: datetime) -> bool:
        """End a delegation now, as if it had been granted until now; False if there is none."""
        pair = (delegations.c.delegator == delegator) & (delegations.c.delegate == delegate)
        update = sa.update(delegations).where(pair, delegations.c.until > at).values(until=at)
        return bool(connection.execute(update).rowcount)

    def _in_force(self, condition: sa.ColumnElement[bool], at: datetime) -> list[Delegation]:
        query = sa.select(delegations).where(condition, delegations.c.until > at)
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(delegations.c.at)).all()
        return [
            Delegation(delegator=row.delegator, delegate=row.delegate, until=from_db(row.until))
            for row in rows
        ]
