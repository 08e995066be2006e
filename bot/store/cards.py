"""Which messages are cards, what each shows, and what was seen on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.domain.snapshots import StoredSnapshot
from bot.store.tables import cards, snapshots, tracked_objects
from bot.store.times import from_db, from_db_or_none


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
            "checked_at": at,
            "mentions": " ".join(card.mentions),
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
        own = sa.select(cards).outerjoin(tracked_objects, tracked_objects.c.ref == cards.c.ref)
        query = own.where(cards.c.channel == channel, cards.c.ts == ts)
        order = (
            sa.func.coalesce(tracked_objects.c.open, sa.false()).desc(),
            tracked_objects.c.open_since.desc(),
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(*order, cards.c.ref)).all()
        return [card for row in rows if (card := _card(row))]

    def card_at(self, channel: str, ts: str, ref: Ref) -> Card | None:
        """The card of an object that a message is."""
        return next((card for card in self.cards_at(channel, ts) if card.ref == ref), None)

    def group_card(
        self, channel: str, gathers: str, meant: str, since: datetime
    ) -> tuple[Card, datetime] | None:
        """The latest message in a channel that gathers these since then, and when it was posted.

        What was escalated, or ``meant`` for another channel, is not mixed with what was not.
        """
        own = (
            (cards.c.channel == channel) & (cards.c.failure_group == gathers) & (cards.c.at > since)
        )
        own &= (cards.c.intended_channel == meant) & (cards.c.escalated_from == "")
        query = sa.select(cards).where(own).order_by(cards.c.at.desc()).limit(1)
        with self.engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        card = _card(row) if row else None
        return (card, from_db(row.at)) if row and card else None

    def mark_rendered(self, card: Card, seen: str, sight: str) -> None:
        """Note what a card shows now."""
        this = (cards.c.channel == card.channel) & (cards.c.ts == card.ts)
        this &= cards.c.ref == str(card.ref)
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(cards)
                .where(this)
                .values(rendered_fingerprint=seen, decision_fingerprint=sight)
            )

    def save_snapshot(self, ref: Ref, seen: StoredSnapshot, at: datetime) -> None:
        """Remember what an object was like, for as long as somebody may ask what was seen."""
        with self.engine.begin() as connection:
            self._keep(connection, ref, seen, at)

    def snapshot_json(self, digest: str) -> str:
        """What was seen, as JSON, by its digest; "" where that is not known."""
        query = sa.select(snapshots.c.snapshot).where(snapshots.c.fingerprint == digest)
        with self.engine.begin() as connection:
            return str(connection.execute(query).scalar() or "")

    def snapshot_saved_at(self, digest: str) -> datetime | None:
        """When something was seen first, by its digest."""
        query = sa.select(snapshots.c.at).where(snapshots.c.fingerprint == digest)
        with self.engine.begin() as connection:
            return from_db_or_none(connection.execute(query).scalar())

    def mark_checking(self, ref: Ref, at: datetime) -> None:
        """Note that an object is held against its cards."""
        own = cards.c.ref == str(ref)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(own).values(checked_at=at))

    def mark_checked(self, shown: Sequence[Card], *, open_: bool) -> None:
        """Note whether what these cards show may still change; others may have come meanwhile."""
        these = [(card.channel, card.ts, str(card.ref)) for card in shown]
        own = sa.tuple_(cards.c.channel, cards.c.ts, cards.c.ref).in_(these)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(own).values(open=open_))

    def cards_to_check(self, most: int, since: datetime, *, listed: bool = False) -> list[Ref]:
        """Up to so many objects with a card posted since then that may still change.

        Those that the lists of what waits speak of, or the others; not looked at for longest
        first.
        """
        there = sa.exists().where(tracked_objects.c.ref == cards.c.ref, tracked_objects.c.open)
        which = there if listed else sa.not_(there)
        query = (
            sa.select(cards.c.ref)
            .where(cards.c.open, cards.c.at > since, which)
            .group_by(cards.c.ref)
            .order_by(sa.func.min(cards.c.checked_at))
            .limit(most)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [ref for row in rows if (ref := Ref.parse(row.ref))]

    def _keep(
        self, connection: sa.Connection, ref: Ref, seen: StoredSnapshot, at: datetime
    ) -> None:
        if seen.fingerprint:
            row = {
                "fingerprint": seen.fingerprint,
                "ref": str(ref),
                "snapshot": seen.snapshot,
                "at": at,
            }
            connection.execute(self._insert(snapshots).values(row).on_conflict_do_nothing())


def _card(row: sa.Row[Any]) -> Card | None:
    ref = Ref.parse(row.ref)
    if ref is None:
        return None
    return Card(
        ref=ref,
        channel=row.channel,
        ts=row.ts,
        title=row.title,
        rendered_fingerprint=row.rendered_fingerprint,
        decision_fingerprint=row.decision_fingerprint,
        failure_group=row.failure_group,
        mentions=tuple(row.mentions.split()),
        intended_channel=row.intended_channel,
        escalated_from=row.escalated_from,
    )
