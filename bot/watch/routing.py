"""Route new objects whose way depends on the alert or incident behind them, once that was read.

A poll never reads around what is new: it records that an object is still to be routed, and here
that is done beside the polls, a few at a time. What can't be read soon is routed without it, as the
policy's routes say, so that no object is lost or hidden; a route that asks for what is read only
later gets its card then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.notifications import planner
from bot.notifications.dispatcher import first_of
from bot.operations.around import attach_listed
from bot.services import Services
from bot.store import is_database_fault

log = logging.getLogger(__name__)

READ_AT_ONCE = 4  # objects; people's clicks need SecMaster too
ROUTED_AT_ONCE = 20  # objects between two looks at what is new
LONGEST_WAIT = timedelta(seconds=30)  # for what is read of a new object: a card must not be late


class Router:
    """Routes what a poll has left to be routed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have what is new looked at now."""
        self._woken.set()

    async def run(self, interval: float, is_leader: Callable[[], Awaitable[bool]]) -> None:
        """Route what is new whenever woken and every ``interval`` seconds, while this one leads."""
        while await is_leader():
            self._woken.clear()
            try:
                is_more = await self.route_new()
            except Exception as error:
                is_more = False
                if not is_database_fault(error):
                    log.exception("routing failed")
            if not is_more:
                await first_of(self._services.clock.sleep(interval), self._woken.wait())

    async def route_new(self) -> bool:
        """Route a few objects, open longest first; return whether there may be more."""
        services, is_more = self._services, False
        for alias in services.workspaces:
            find = services.store.tracked.unrouted
            objects = await asyncio.to_thread(find, alias, ROUTED_AT_ONCE)
            is_more = is_more or len(objects) == ROUTED_AT_ONCE
            for start in range(0, len(objects), READ_AT_ONCE):
                part = objects[start : start + READ_AT_ONCE]
                await asyncio.gather(*(route(services, tracked) for tracked in part))
            if objects:
                services.outbox_written.set()
        return is_more


async def route(services: Services, tracked: TrackedObject) -> None:
    """Read what stands around a new object, unless it waited too long, and enqueue its cards."""
    ref, in_time = tracked.ref, services.clock.now() - tracked.open_since < LONGEST_WAIT
    if in_time and not planner.is_routable(services, ref, tracked.snapshot):
        snapshot = await attach_listed(services, ref, tracked.snapshot)
        tracked = replace(tracked, snapshot=snapshot)
    now = services.clock.now()
    routes = planner.routes_of(services, tracked.ref, tracked.snapshot)
    cards = planner.routed_cards(tracked.ref, tracked.snapshot, now, routes)
    due, next_check_at = planner.due_entries(services, tracked, now)
    mark_checked = services.store.tracked.mark_checked
    await asyncio.to_thread(mark_checked, tracked, next_check_at, [*cards, *due], now)


async def route_again(services: Services, ref: Ref, snapshot: Snapshot) -> None:
    """Enqueue the cards of routes that ask for what is known by now around an open object.

    A place that has one already gets no other. What is older than the first poll is not routed.
    """
    routes = services.policy.current.routes
    if not any(route.when.needs_evidence for route in routes):
        return
    tracked = await asyncio.to_thread(services.store.tracked.get, [ref])
    if not any(each.open and not each.backlog and each.planned_until for each in tracked):
        return
    now = services.clock.now()
    matching = planner.routes_of(services, ref, snapshot)
    asking = [route for route in matching if route.when.needs_evidence]
    if entries := planner.routed_cards(ref, snapshot, now, asking):
        await asyncio.to_thread(services.store.tracked.enqueue_cards, ref, entries, now)
        services.outbox_written.set()
