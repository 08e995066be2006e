"""Who lent their rights to whom, until when. Knows nothing of what the rights are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.delegations import Delegation
from bot.store import audit_log
from bot.store.tables import delegations
from bot.store.times import from_db, to_utc


class Delegations:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def create(self, id_: str, loan: Delegation, at: datetime, entry: dict[str, Any]) -> None:
        """Lend, in the place of what the lender lent the same person before.

        The same id again is the same loan; ``entry`` is what the audit keeps of it.
        """
        until = to_utc(loan.until)
        row = {"id": id_, "delegator": loan.delegator, "delegate": loan.delegate, "at": at}
        known = sa.select(delegations.c.id).where(delegations.c.id == id_)
        with self.engine.begin() as connection:
            if connection.execute(known).first():
                return
            self._end(connection, loan.delegator, loan.delegate, at)
            connection.execute(sa.insert(delegations).values(**row, until=until))
            audit_log.append(connection, entry)

    def revoke(self, lender: str, borrower: str, at: datetime, entry: dict[str, Any]) -> bool:
        """End what was lent to somebody; False if nothing is."""
        with self.engine.begin() as connection:
            ended = self._end(connection, lender, borrower, at)
            if ended:
                audit_log.append(connection, entry)
        return ended

    def received(self, borrower: str, at: datetime) -> list[Delegation]:
        """What somebody was lent and still has."""
        return self._standing(delegations.c.delegate == borrower, at)

    def granted(self, lender: str, at: datetime) -> list[Delegation]:
        """What somebody lent and is still lent."""
        return self._standing(delegations.c.delegator == lender, at)

    def _end(self, connection: sa.Connection, lender: str, borrower: str, at: datetime) -> bool:
        """Let a loan end now, as if it had been lent until now."""
        own = (delegations.c.delegator == lender) & (delegations.c.delegate == borrower)
        ending = sa.update(delegations).where(own, delegations.c.until > at).values(until=at)
        return bool(connection.execute(ending).rowcount)

    def _standing(self, which: sa.ColumnElement[bool], at: datetime) -> list[Delegation]:
        query = sa.select(delegations).where(which, delegations.c.until > at)
        with self.engine.begin() as connection:
            return _loans(connection.execute(query.order_by(delegations.c.at)).all())


def _loans(rows: Sequence[sa.Row[Any]]) -> list[Delegation]:
    return [
        Delegation(delegator=row.delegator, delegate=row.delegate, until=from_db(row.until))
        for row in rows
    ]
