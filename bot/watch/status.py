"""How the watch fares, from what it wrote down: the same on every replica."""

import asyncio
from datetime import datetime

from bot.domain.objects import ObjectKind
from bot.domain.watch_status import PollStatus, WatchStatus
from bot.services import services

NOUNS: tuple[ObjectKind, ...] = ("task", "instance")


async def watch_status(every: float) -> WatchStatus:
    """Ask the database; ``every`` is how often a round is made, in seconds."""
    return await asyncio.to_thread(_health, every)


def _health(every: float) -> WatchStatus:
    store, now = services().store, services().clock()
    rounds = tuple(store.poll_statuses.all())
    return WatchStatus(
        interval=every,
        polls=rounds,
        behind={each.workspace: _behind(each, every, now) for each in rounds},
        open={
            (each.workspace, noun): store.tracked.count(each.workspace, noun)
            for each in rounds
            for noun in NOUNS
        },
        queued=store.outbox.count(),
        closed_channels=tuple(store.closed_channels.all()),
    )


def _behind(of: PollStatus, every: float, now: datetime) -> float:
    """Seconds since a round should have ended: one takes its time, too."""
    late = (now - (of.last_success_at or of.since)).total_seconds() - 2 * every
    return max(0.0, late)
