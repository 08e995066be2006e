"""Everything that is asked of the tables. Each call is one transaction."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.models import Card, Operation, Outcome, Ref, State, Verdict
from bot.store.tables import audit, cards, claims

Row = sa.Row[Any]
SPENT = timedelta(minutes=1)  # by then SecMaster shows what was done


class Store:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def claim(self, operation: Operation, key: str, at: datetime) -> Verdict | None:
        """Take ``key`` for this operation, or return the one that holds it.

        A key whose operation failed or ended unknown is free again. So is one that was done a
        while ago: whoever asks has just seen the object open again. Asking twice for the same
        operation is asking once; without a key there is nothing to lose. Either way the attempt
        is in the audit: ``allowed`` or ``lost``.
        """
        with self.engine.begin() as connection:
            holder = self._take(connection, operation, key, at) if key else None
            detail = f"to {holder.operation.actor.id}" if holder else ""
            self._note(connection, operation, "lost" if holder else "allowed", at, detail=detail)
        return holder

    def _take(
        self, connection: sa.Connection, operation: Operation, key: str, at: datetime
    ) -> Verdict | None:
        mine = {
            "ref": str(operation.ref),
            "operation_id": operation.id,
            "operation": operation.model_dump(mode="json"),
            "state": State.PENDING,
            "at": at,
        }
        over = claims.c.state.in_([State.FAILED, State.UNKNOWN])
        spent = (claims.c.state == State.DONE) & (claims.c.at < at - SPENT)
        free = sa.or_(over, spent)
        take = self._insert(claims).values(key=key, **mine)
        connection.execute(
            take.on_conflict_do_update(index_elements=["key"], set_=mine, where=free)
        )
        row = connection.execute(sa.select(claims).where(claims.c.key == key)).one()
        return None if row.operation_id == operation.id else _verdict(row)

    def refuse(self, operation: Operation, detail: str, at: datetime) -> None:
        with self.engine.begin() as connection:
            self._note(connection, operation, "refused", at, detail=detail)

    def conclude(self, operation: Operation, outcome: Outcome, at: datetime) -> None:
        """Write down how an operation ended, and free what it held unless it is done."""
        detail = " ".join(filter(None, (outcome.trouble, outcome.code, outcome.message)))
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(claims)
                .where(claims.c.operation_id == operation.id)
                .values(state=outcome.state, at=at)
            )
            self._note(
                connection,
                operation,
                outcome.state,
                at,
                detail=detail,
                status=outcome.status,
                request_id=outcome.request_id,
            )

    def _note(
        self,
        connection: sa.Connection,
        operation: Operation,
        outcome: str,
        at: datetime,
        **more: Any,
    ) -> None:
        row = {
            "at": at,
            "operation_id": operation.id,
            "outcome": outcome,
            "action": operation.action,
            "ref": str(operation.ref),
            "actor_id": operation.actor.id,
            "actor_name": operation.actor.name,
            "channel": operation.place.channel,
            "params": operation.params | (operation.file.model_dump() if operation.file else {}),
            "reason": operation.reason,
            "rule": operation.rule,
            "detail": "",
            "request_id": "",
            **more,
        }
        connection.execute(self._insert(audit).values(row).on_conflict_do_nothing())

    def standing(self, ref: Ref, *states: State) -> Verdict | None:
        """The last operation on this object that is in one of these states."""
        last = (
            sa.select(claims)
            .where(claims.c.ref == str(ref), claims.c.state.in_(states))
            .order_by(claims.c.at.desc())
            .limit(1)
        )
        with self.engine.begin() as connection:
            row = connection.execute(last).one_or_none()
        return _verdict(row) if row else None

    def add_card(self, card: Card, at: datetime) -> None:
        """Remember a card; it is followed until it is known to be settled."""
        row = card.model_dump() | {"ref": str(card.ref), "at": at, "open": True, "looked_at": at}
        with self.engine.begin() as connection:
            connection.execute(self._insert(cards).values(row).on_conflict_do_nothing())

    def forget_card(self, card: Card) -> None:
        gone = (cards.c.channel == card.channel) & (cards.c.ts == card.ts)
        with self.engine.begin() as connection:
            connection.execute(sa.delete(cards).where(gone))

    def cards_of(self, ref: Ref) -> list[Card]:
        """The cards of one object, newest first."""
        query = sa.select(cards).where(cards.c.ref == str(ref)).order_by(cards.c.at.desc())
        with self.engine.begin() as connection:
            return [card for row in connection.execute(query) if (card := _card(row))]

    def card_in(self, ref: Ref, channel: str) -> Card | None:
        """The newest card of an object in one channel."""
        return next((card for card in self.cards_of(ref) if card.channel == channel), None)

    def card_at(self, channel: str, ts: str) -> Card | None:
        query = sa.select(cards).where(cards.c.channel == channel, cards.c.ts == ts)
        with self.engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        return _card(row) if row else None

    def drawn(self, card: Card, seen: str) -> None:
        """Note what a card shows now."""
        this = (cards.c.channel == card.channel) & (cards.c.ts == card.ts)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(this).values(seen=seen))

    def looked(self, ref: Ref, at: datetime, *, open_: bool) -> None:
        """Note that an object was held against its cards, and whether it may still change."""
        own = cards.c.ref == str(ref)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(own).values(open=open_, looked_at=at))

    def unsettled(self, most: int, since: datetime) -> list[Ref]:
        """Up to so many objects with a card posted since then that may still change.

        Those not looked at for longest come first.
        """
        query = (
            sa.select(cards.c.ref)
            .where(cards.c.open, cards.c.at > since)
            .group_by(cards.c.ref)
            .order_by(sa.func.min(cards.c.looked_at))
            .limit(most)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [ref for row in rows if (ref := Ref.parse(row.ref))]

    def audit_of(self, ref: Ref) -> list[dict[str, Any]]:
        """Every attempt on one object, oldest first."""
        query = sa.select(audit).where(audit.c.ref == str(ref)).order_by(audit.c.id)
        with self.engine.begin() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _verdict(row: Row) -> Verdict:
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)  # SQLite keeps no zone
    return Verdict(operation=Operation.model_validate(row.operation), state=row.state, at=at)


def _card(row: Row) -> Card | None:
    ref = Ref.parse(row.ref)
    if ref is None:
        return None
    return Card(ref=ref, channel=row.channel, ts=row.ts, title=row.title, seen=row.seen)
