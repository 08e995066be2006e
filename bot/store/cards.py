"""Which messages are cards, what each shows, and what was seen on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.models import Card, Ref, Seen
from bot.store.tables import cards, known, sights
from bot.store.times import utc, utc_or_none


class Cards:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def add_card(self, card: Card, at: datetime) -> None:
        """Remember a card; it is followed until it is known to be settled."""
        row = card.model_dump() | {
            "ref": str(card.ref),
            "at": at,
            "open": True,
            "looked_at": at,
            "mention": " ".join(card.mention),
        }
        with self.engine.begin() as connection:
            connection.execute(self._insert(cards).values(row).on_conflict_do_nothing())

    def forget_card(self, card: Card, *, only: Ref | None = None) -> None:
        """Forget a message that is no more, or that it shows ``only`` this object."""
        gone = (cards.c.channel == card.channel) & (cards.c.ts == card.ts)
        gone &= cards.c.ref == str(only) if only else sa.true()
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

    def cards_at(self, channel: str, ts: str) -> list[Card]:
        """What a message is the card of: one object, or the failures that it gathers.

        Those that are failed come first, what failed last before the others: so they stand still
        under somebody's finger.
        """
        own = sa.select(cards).outerjoin(known, known.c.ref == cards.c.ref)
        query = own.where(cards.c.channel == channel, cards.c.ts == ts)
        order = sa.func.coalesce(known.c.open, sa.false()).desc(), known.c.first_at.desc()
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(*order, cards.c.ref)).all()
        return [card for row in rows if (card := _card(row))]

    def card_at(self, channel: str, ts: str, ref: Ref) -> Card | None:
        """The card of an object that a message is."""
        return next((card for card in self.cards_at(channel, ts) if card.ref == ref), None)

    def gathering(
        self, channel: str, gathers: str, meant: str, since: datetime
    ) -> tuple[Card, datetime] | None:
        """The latest message in a channel that gathers these since then, and when it was posted.

        What was escalated, or ``meant`` for another channel, is not mixed with what was not.
        """
        own = (cards.c.channel == channel) & (cards.c.gathers == gathers) & (cards.c.at > since)
        own &= (cards.c.meant == meant) & (cards.c.origin == "")
        query = sa.select(cards).where(own).order_by(cards.c.at.desc()).limit(1)
        with self.engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        card = _card(row) if row else None
        return (card, utc(row.at)) if row and card else None

    def drawn(self, card: Card, seen: str, sight: str) -> None:
        """Note what a card shows now."""
        this = (cards.c.channel == card.channel) & (cards.c.ts == card.ts)
        this &= cards.c.ref == str(card.ref)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(this).values(seen=seen, sight=sight))

    def keep_sight(self, ref: Ref, seen: Seen, at: datetime) -> None:
        """Remember what an object was like, for as long as somebody may ask what was seen."""
        with self.engine.begin() as connection:
            self._keep(connection, ref, seen, at)

    def sight(self, digest: str) -> str:
        """What was seen, as JSON, by its digest; "" where that is not known."""
        query = sa.select(sights.c.snapshot).where(sights.c.digest == digest)
        with self.engine.begin() as connection:
            return str(connection.execute(query).scalar() or "")

    def seen_at(self, digest: str) -> datetime | None:
        """When something was seen first, by its digest."""
        query = sa.select(sights.c.at).where(sights.c.digest == digest)
        with self.engine.begin() as connection:
            return utc_or_none(connection.execute(query).scalar())

    def looking(self, ref: Ref, at: datetime) -> None:
        """Note that an object is held against its cards."""
        own = cards.c.ref == str(ref)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(own).values(looked_at=at))

    def looked(self, shown: Sequence[Card], *, open_: bool) -> None:
        """Note whether what these cards show may still change; others may have come meanwhile."""
        these = [(card.channel, card.ts, str(card.ref)) for card in shown]
        own = sa.tuple_(cards.c.channel, cards.c.ts, cards.c.ref).in_(these)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(own).values(open=open_))

    def unsettled(self, most: int, since: datetime, *, listed: bool = False) -> list[Ref]:
        """Up to so many objects with a card posted since then that may still change.

        Those that the lists of what waits speak of, or the others; not looked at for longest
        first.
        """
        there = sa.exists().where(known.c.ref == cards.c.ref, known.c.open)
        which = there if listed else sa.not_(there)
        query = (
            sa.select(cards.c.ref)
            .where(cards.c.open, cards.c.at > since, which)
            .group_by(cards.c.ref)
            .order_by(sa.func.min(cards.c.looked_at))
            .limit(most)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [ref for row in rows if (ref := Ref.parse(row.ref))]

    def _keep(self, connection: sa.Connection, ref: Ref, seen: Seen, at: datetime) -> None:
        if seen.digest:
            row = {"digest": seen.digest, "ref": str(ref), "snapshot": seen.snapshot, "at": at}
            connection.execute(self._insert(sights).values(row).on_conflict_do_nothing())


def _card(row: sa.Row[Any]) -> Card | None:
    ref = Ref.parse(row.ref)
    if ref is None:
        return None
    return Card(
        ref=ref,
        channel=row.channel,
        ts=row.ts,
        title=row.title,
        seen=row.seen,
        sight=row.sight,
        gathers=row.gathers,
        mention=tuple(row.mention.split()),
        meant=row.meant,
        origin=row.origin,
    )
