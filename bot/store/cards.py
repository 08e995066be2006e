"""Which messages are cards, and what each of them shows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.cards import Card, CardGroup
from bot.domain.objects import Ref
from bot.domain.snapshots import StoredSnapshot
from bot.store import snapshots
from bot.store.repository import Repository
from bot.store.tables import cards, tracked_objects
from bot.store.times import from_db, from_db_or_none, to_utc

# What a card's button does not say.
POSTER_FACTS = (
    "title",
    "card_group",
    "gathers",
    "mentions",
    "intended_channel",
    "escalated_from",
    "escalated_by",
    "escalation_reason",
    "late_since",
)


def cards_of(connection: sa.Connection, ref: Ref) -> list[Card]:
    """Return the cards of an object, newest first."""
    query = sa.select(cards).where(cards.c.ref == str(ref)).order_by(cards.c.at.desc())
    return [card for row in connection.execute(query) if (card := _card(row))]


def cards_at(connection: sa.Connection, channel: str, ts: str) -> list[Card]:
    """Return the cards that a message is: of one object, or of each of its group.

    Those that are open come first, in the order of ``bot.domain.ordering``: so they stay in place
    while somebody presses a button.
    """
    is_task = tracked_objects.c.kind == "task"
    task_created_at = sa.case((is_task, tracked_objects.c.created_at))
    query = (
        sa.select(cards)
        .outerjoin(tracked_objects, tracked_objects.c.ref == cards.c.ref)
        .where(cards.c.channel == channel, cards.c.ts == ts)
        .order_by(
            sa.func.coalesce(tracked_objects.c.open, sa.false()).desc(),
            tracked_objects.c.due_at.is_(None),
            tracked_objects.c.due_at,
            sa.not_(sa.func.coalesce(tracked_objects.c.auto_approves, sa.false())),
            task_created_at.is_(None),
            task_created_at,
            tracked_objects.c.open_since.desc(),
            cards.c.ref,
        )
    )
    return [card for row in connection.execute(query) if (card := _card(row))]


class Cards(Repository):
    """The table of cards: a row for each object that a message shows."""

    def add_card(self, card: Card, at: datetime) -> None:
        """Record a card that was posted, as one whose object may still change."""
        row = _row(card, at) | {"read_at": at}
        # Somebody may have pressed its button already: what only its poster knows is added then.
        facts = {name: row[name] for name in POSTER_FACTS}
        insert = self._insert(cards).values(row)
        upsert = insert.on_conflict_do_update(index_elements=["channel", "ts", "ref"], set_=facts)
        with self.engine.begin() as connection:
            connection.execute(upsert)

    def add_unrecorded(self, ref: Ref, channel: str, ts: str, at: datetime) -> None:
        """Record a message whose button shows that it is a card; what is on record stays."""
        row = _row(Card(ref=ref, channel=channel, ts=ts), at) | {"read_at": at}
        with self.engine.begin() as connection:
            connection.execute(self._insert(cards).values(row).on_conflict_do_nothing())

    def add_to_group(
        self, joined: Sequence[tuple[Card, StoredSnapshot]], posted_at: datetime, at: datetime
    ) -> None:
        """Record a message that was posted as the card of more objects, and what these are like."""
        with self.engine.begin() as connection:
            for card, snapshot in joined:
                snapshots.save(connection, self._insert, card.ref, snapshot, at)
                row = _row(card, posted_at) | {"read_at": at}
                connection.execute(self._insert(cards).values(row).on_conflict_do_nothing())

    def forget_card(self, card: Card, *, only: Ref | None = None) -> None:
        """Forget a message as a card; with ``only``, that it is the card of this object."""
        rows = (cards.c.channel == card.channel) & (cards.c.ts == card.ts)
        rows &= cards.c.ref == str(only) if only else sa.true()
        with self.engine.begin() as connection:
            connection.execute(sa.delete(cards).where(rows))

    def cards_of(self, ref: Ref) -> list[Card]:
        """Return the cards of an object, newest first."""
        with self.engine.begin() as connection:
            return cards_of(connection, ref)

    def card_in(self, ref: Ref, channel: str) -> Card | None:
        """Return the newest card of an object in a channel."""
        return next((card for card in self.cards_of(ref) if card.channel == channel), None)

    def cards_at(self, channel: str, ts: str) -> list[Card]:
        """Return the cards that a message is: of one object, or of each of its group."""
        with self.engine.begin() as connection:
            return cards_at(connection, channel, ts)

    def card_at(self, channel: str, ts: str, ref: Ref) -> Card | None:
        """Return the card of an object that a message is; None if it is none of its cards."""
        return next((card for card in self.cards_at(channel, ts) if card.ref == ref), None)

    def group_card(
        self, group: CardGroup, since: datetime, *, most: int | None = None
    ) -> tuple[Card, datetime] | None:
        """Return the latest card of a group since a time that takes in more, and its time.

        One that shows ``most`` objects takes in none.
        """
        query = sa.select(cards).where(_of_group(group, since), cards.c.gathers)
        with self.engine.begin() as connection:
            row = connection.execute(query.order_by(cards.c.at.desc()).limit(1)).one_or_none()
            if row is None or (most and _count_at(connection, row.channel, row.ts) >= most):
                return None
        card = _card(row)
        return (card, from_db(row.at)) if card else None

    def has_group_card(self, group: CardGroup, since: datetime) -> bool:
        """Whether a group has a card since a time."""
        with self.engine.begin() as connection:
            query = sa.select(sa.exists().where(_of_group(group, since)))
            return bool(connection.execute(query).scalar())

    def mark_rendered(
        self, rendered: Sequence[Card], *, forgotten: Sequence[Card] = (), open_: bool = True
    ) -> None:
        """Record what cards show now, and whether their objects may still change.

        Messages that are ``forgotten`` are no cards any more. Cards that were added meanwhile stay
        as they are.
        """
        key = (
            (cards.c.channel == sa.bindparam("in_channel"))
            & (cards.c.ts == sa.bindparam("with_ts"))
            & (cards.c.ref == sa.bindparam("of_ref"))
        )
        rows = [
            {
                "in_channel": card.channel,
                "with_ts": card.ts,
                "of_ref": str(card.ref),
                "rendered_fingerprint": card.rendered_fingerprint,
                "decision_fingerprint": card.decision_fingerprint,
                "open": open_,
            }
            for card in rendered
        ]
        with self.engine.begin() as connection:
            if rows:
                connection.execute(sa.update(cards).where(key), rows)
            for card in forgotten:
                message = (cards.c.channel == card.channel) & (cards.c.ts == card.ts)
                connection.execute(sa.delete(cards).where(message))

    def mark_checking(self, ref: Ref, at: datetime) -> None:
        """Record when an object was last compared with its cards."""
        rows = cards.c.ref == str(ref)
        with self.engine.begin() as connection:
            connection.execute(sa.update(cards).where(rows).values(checked_at=at))

    def cards_to_check(self, limit: int, since: datetime, *, listed: bool = False) -> list[Ref]:
        """Return up to ``limit`` objects that may still change and have a card since a time.

        Only those that the lists of open objects contain (``listed``), or only the others; those
        first that were checked longest ago.
        """
        is_listed = sa.exists().where(tracked_objects.c.ref == cards.c.ref, tracked_objects.c.open)
        query = (
            sa.select(cards.c.ref)
            .where(cards.c.open, cards.c.at > since, is_listed if listed else sa.not_(is_listed))
            .group_by(cards.c.ref)
            .order_by(sa.func.min(cards.c.checked_at))
            .limit(limit)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return [ref for row in rows if (ref := Ref.parse(row.ref))]

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` cards whose objects can't change any more; return how many.

        They were read last before the given time. The rows of one message go together: without
        some of them it would be drawn as the card of fewer objects.
        """
        row = cards.alias()
        changeable = row.c.open | (row.c.checked_at >= before) | (row.c.read_at >= before)
        kept_message = sa.exists().where(
            row.c.channel == cards.c.channel, row.c.ts == cards.c.ts, changeable
        )
        old = (cards.c.checked_at < before) & sa.not_(kept_message)
        return self._delete(cards, old, limit)


def _of_group(group: CardGroup, since: datetime) -> sa.ColumnElement[bool]:
    """Select the cards of a group since a time."""
    return (
        (cards.c.channel == group.channel)
        & (cards.c.card_group == group.key)
        & (cards.c.at > to_utc(since))
        & (cards.c.intended_channel == group.intended_channel)
        & (cards.c.escalated_from == group.escalated_from)
    )


def _count_at(connection: sa.Connection, channel: str, ts: str) -> int:
    """Return how many objects a message shows."""
    query = sa.select(sa.func.count()).select_from(cards)
    return int(
        connection.execute(query.where(cards.c.channel == channel, cards.c.ts == ts)).scalar_one()
    )


def _row(card: Card, at: datetime) -> dict[str, Any]:
    """Return the row of a card that was posted at a time, but when its object was read."""
    return card.model_dump() | {
        "ref": str(card.ref),
        "at": at,
        "open": True,
        "checked_at": at,
        "mentions": " ".join(card.mentions),
        "late_since": to_utc(card.late_since),
    }


def _card(row: sa.Row[Any]) -> Card | None:
    """Return a row's card; None for a reference that this version can't read."""
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
        card_group=row.card_group,
        gathers=row.gathers,
        mentions=tuple(row.mentions.split()),
        intended_channel=row.intended_channel,
        escalated_from=row.escalated_from,
        escalated_by=row.escalated_by,
        escalation_reason=row.escalation_reason,
        late_since=from_db_or_none(row.late_since),
    )
