"""Delete what is over, by its age, in small transactions; the audit never.

One replica at a time does, the leader, whether or not it polls.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from dbos import DBOS

from bot.services import Services

log = logging.getLogger(__name__)

POSTED_FOR = timedelta(days=30)  # what was posted longer ago is forgotten
TRACKED_FOR = timedelta(days=90)  # what was settled longer ago nobody asks about
HEARD_FOR = timedelta(days=1)  # older messages are not acted on: see ``handlers.commands``
FIRST_PAUSE = 60.0  # seconds: a start has other things to do
INTERVAL = 3600.0  # seconds
BATCH = 100  # rows deleted in one transaction: SQLite has one writer, and clicks wait for it
BATCH_PAUSE = 0.05  # seconds between two transactions, in which those clicks are taken
EXAMINED = 10_000  # snapshots looked at in a round: what the audit names is never deleted


class Retention:
    """Deletes for as long as this replica leads; ``days`` is how long most is kept, 0 for ever."""

    def __init__(self, services: Services, days: int) -> None:
        self._services = services
        self._age = timedelta(days=days)
        self._examined = ""  # the snapshot at which the round before ended

    async def run(self, is_leader: Callable[[], Awaitable[bool]]) -> None:
        """Purge soon after the start and every hour, until this replica leads no more."""
        clock = self._services.clock
        await clock.sleep(FIRST_PAUSE)
        while await is_leader():
            await self.purge()
            await clock.sleep(INTERVAL)

    async def purge(self) -> dict[str, int]:
        """Delete everything that is old enough; return how many rows of what."""
        store, now = self._services.store, self._services.clock.now()
        counts = {
            "outbox": await self._purge("outbox", store.outbox.purge, now - POSTED_FOR),
            "deliveries": await self._purge("deliveries", store.deliveries.purge, now - HEARD_FOR),
            "tracked": await self._purge("tracked", store.tracked.purge, now - TRACKED_FOR),
            "followed": await self._purge(
                "followed", store.followed_operations.purge, now - TRACKED_FOR
            ),
        }
        if self._age:
            before = now - self._age
            brake = self._services.policy.current.brake
            # Retries are counted by their claims.
            claims_before = min(before, now - brake.within) if brake else before
            counts |= {
                # Workflows before claims: while one is on record it may run again.
                "workflows": await self._purge("workflows", self._delete_workflows, before),
                "claims": await self._purge("claims", store.claims.purge, claims_before),
                "cards": await self._purge("cards", store.cards.purge, before),
                "homes": await self._purge("homes", store.home_views.purge, before),
                "delegations": await self._purge("delegations", store.delegations.purge, before),
                "evidence": await self._purge("evidence", store.evidence.purge, before),
                "snapshots": await self._purge_snapshots(before),
            }
        if any(counts.values()):
            log.info("what is over was deleted", extra=counts)
        return counts

    async def _purge(
        self, name: str, delete: Callable[[datetime, int], int], before: datetime
    ) -> int:
        """Delete from before a time, batch by batch; a failure is logged, and the rest waits."""
        total = 0
        try:
            while count := await asyncio.to_thread(delete, before, BATCH):
                total += count
                await self._services.clock.sleep(BATCH_PAUSE)
        except Exception as error:  # noqa: BLE001 - the next round tries it again
            log.warning("not deleted yet", extra={"rows": name, "error": str(error)})
        return total

    def _delete_workflows(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` workflows that ended before a time, with their steps; blocks."""
        ids = self._services.store.workflows.ended(before, limit)
        if ids:
            DBOS.delete_workflows(ids)
        return len(ids)

    async def _purge_snapshots(self, before: datetime) -> int:
        """Delete what nothing names of the next ``EXAMINED`` snapshots from before a time."""
        total, purge = 0, self._services.store.snapshots.purge
        try:
            for _ in range(0, EXAMINED, BATCH):
                deleted, self._examined = await asyncio.to_thread(
                    purge, before, self._examined, BATCH
                )
                total += deleted
                if not self._examined:
                    break
                await self._services.clock.sleep(BATCH_PAUSE)
        except Exception as error:  # noqa: BLE001 - the next round tries it again
            log.warning("not deleted yet", extra={"rows": "snapshots", "error": str(error)})
        return total
