"""Complete cards with what SecMaster knows around their objects, after they were posted.

A card is posted at once, from what is known, and edited when the alert behind it was read. Each
process completes what it posted; what a crash left, and what could not be read, the leader has
completed in later polls. Objects without cards are read around as well, when no card waits for
that: lists and searches show it.
"""

import asyncio
import logging
from datetime import timedelta

from bot.domain.actions import OPEN_STATUSES
from bot.operations.around import attach_listed, is_recent
from bot.secmaster import SecMasterError
from bot.services import Services
from bot.slack.cards import IncompleteCards
from bot.slack.gateway import SlackFailed
from bot.store import is_database_fault
from bot.watch.routing import route_again

log = logging.getLogger(__name__)

UNFINISHED = 3  # objects a poll whose evidence is missing or incomplete
COLLECTED = 3  # and of those that have no card


class CardCompletion:
    """Completes cards, a few at a time and at a pace: clicks need SecMaster and Slack too."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._paid_until = 0.0  # by the monotonic clock: each completion costs an interval

    async def run(self) -> None:
        """Complete what was posted; never ends."""
        workers = [
            asyncio.create_task(self._work())
            for _ in range(self._services.timeouts.evidence.at_once)
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        incomplete = self._services.cards.incomplete
        while True:
            cards = await incomplete.get()
            await self._wait_for_turn()
            try:
                await complete(self._services, cards)
            except Exception as error:
                # Whatever is the matter with one, the others are completed; the leader comes back.
                extra = {"ref": str(cards.ref), "error": str(error)}
                if isinstance(error, SlackFailed | SecMasterError) or is_database_fault(error):
                    log.warning("card not completed", extra=extra)
                else:
                    log.exception("card not completed", extra=extra)

    async def _wait_for_turn(self) -> None:
        clock, timeouts = self._services.clock, self._services.timeouts.evidence
        now = clock.monotonic()
        self._paid_until = max(self._paid_until, now) + timeouts.interval
        await clock.sleep(max(0.0, self._paid_until - timeouts.burst * timeouts.interval - now))


async def complete(services: Services, cards: IncompleteCards) -> None:
    """Read what stands around an object, unless that is known, and draw its cards where it matters.

    What has ended is read around once. Raises SlackFailed for what may pass, or SecMasterError.
    """
    store, ref, now = services.store, cards.ref, services.clock.now()
    state = await asyncio.to_thread(store.card_states.load_stored, ref, now)
    snapshot = state.snapshot
    if snapshot is None:
        return
    is_due = snapshot.evidence is None or snapshot.status in OPEN_STATUSES
    if is_due and not is_recent(services, snapshot):
        evidence = await services.evidence.read(ref.workspace, snapshot)
        saved = await asyncio.to_thread(store.evidence.save, ref, evidence, now)
        snapshot = snapshot.model_copy(update={"evidence": saved.evidence})
    await route_again(services, ref, snapshot)
    if cards.outdated:
        await services.cards.redraw_outdated(ref)
    else:
        await services.cards.redraw_completed(ref)


async def complete_unfinished(services: Services) -> None:
    """Have a few cards completed that are not yet: after a crash, or since something was unread.

    They are drawn from what SecMaster says now: what is stored may be old.
    """
    timeouts = services.timeouts.evidence
    if not timeouts.at_once or not services.cards.incomplete.empty():
        return
    tried_before = services.clock.now() - timedelta(seconds=timeouts.retry)
    refs = await asyncio.to_thread(services.store.evidence.unfinished, tried_before, UNFINISHED)
    for ref in refs:
        services.cards.incomplete.put_nowait(IncompleteCards(ref, outdated=True))


class EvidenceCollector:
    """Reads what stands around open objects without cards, beside the polls of the leader.

    A few after each poll that went well, one after another, until all is read: most were open
    before the first poll.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._polled: set[str] = set()  # workspaces
        self._woken = asyncio.Event()

    def wake(self, workspace: str) -> None:
        """Have a few objects of a workspace read around: SecMaster answers there."""
        self._polled.add(workspace)
        self._woken.set()

    async def run(self) -> None:
        """Read whenever woken; never ends."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            polled, self._polled = self._polled, set()
            try:
                for workspace in sorted(polled):
                    await self.collect(workspace)
            except Exception as error:
                # Whatever is the matter with one object, the next poll is to come.
                if not is_database_fault(error):
                    log.exception("evidence not collected")

    async def collect(self, workspace: str) -> None:
        """Read around a few objects of a workspace, while no card waits to be completed."""
        services, timeouts = self._services, self._services.timeouts.evidence
        if not timeouts.at_once:
            return
        now = services.clock.now()
        tried_before = now - timedelta(seconds=timeouts.retry)
        find = services.store.tracked.without_evidence
        for tracked in await asyncio.to_thread(find, workspace, now, tried_before, COLLECTED):
            if not services.cards.incomplete.empty():
                return
            await attach_listed(services, tracked.ref, tracked.snapshot)
