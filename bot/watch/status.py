"""How the watch fares, from what it wrote down: the same on every replica."""

import asyncio
from datetime import datetime

from bot.domain.models import Noun, Round
from bot.domain.watch_status import Health
from bot.services import desk

NOUNS: tuple[Noun, ...] = ("task", "instance")


async def health(every: float) -> Health:
    """Ask the database; ``every`` is how often a round is made, in seconds."""
    return await asyncio.to_thread(_health, every)


def _health(every: float) -> Health:
    store, now = desk().store, desk().clock()
    rounds = tuple(store.rounds.all())
    return Health(
        every=every,
        rounds=rounds,
        behind={each.workspace: _behind(each, every, now) for each in rounds},
        open={
            (each.workspace, noun): store.known.count(each.workspace, noun)
            for each in rounds
            for noun in NOUNS
        },
        waiting=store.outbox.waiting(),
        closed=tuple(store.outbox.all_closed()),
    )


def _behind(of: Round, every: float, now: datetime) -> float:
    """Seconds since a round should have ended: one takes its time, too."""
    late = (now - (of.ended_at or of.since)).total_seconds() - 2 * every
    return max(0.0, late)
