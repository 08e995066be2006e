"""How polling is going, from what was recorded of it: the same on every replica."""

import asyncio

from bot.domain.objects import OBJECT_KINDS
from bot.domain.watch_status import QueueAges, WatchStatus
from bot.services import Services


async def watch_status(services: Services, interval: float) -> WatchStatus:
    """Return how polling is going; ``interval`` is how often SecMaster is polled, in seconds."""
    return await asyncio.to_thread(load_status, services, interval)


def load_status(services: Services, interval: float) -> WatchStatus:
    """Load the status from the database; blocks."""
    store, now = services.store, services.clock.now()
    polls = tuple(store.poll_statuses.all())
    since_success = {
        poll.workspace: (now - (poll.last_success_at or poll.since)).total_seconds()
        for poll in polls
    }
    return WatchStatus(
        interval=interval,
        polls=polls,
        # A poll takes its time, too: it is late when the next one should have ended.
        behind={alias: max(0.0, age - 2 * interval) for alias, age in since_success.items()},
        open={
            (poll.workspace, kind): store.tracked.count(poll.workspace, kind)
            for poll in polls
            for kind in OBJECT_KINDS
        },
        queued=store.outbox.count_due(now),
        closed_channels=tuple(store.closed_channels.all()),
    )


async def queue_ages(services: Services) -> QueueAges:
    """Return for how long what waits longest has waited, on all replicas."""

    def load() -> QueueAges:
        store, now = services.store, services.clock.now()
        begins = store.outbox.oldest(now), store.workflows.oldest_operation()
        seconds = [max(0.0, (now - begin).total_seconds()) if begin else 0.0 for begin in begins]
        return QueueAges(*seconds)

    return await asyncio.to_thread(load)
