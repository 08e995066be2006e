"""The watch: SecMaster's lists become cards and reminders, and cards follow what is done elsewhere.

One replica at a time does it, round after round. A round costs a handful of requests however much
waits; what it has to say goes into the outbox together with what it has learned, so that nothing
is lost and nothing said twice, whatever dies on the way.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.notifications import Notification, NotificationKind, OutboxEntry
from bot.domain.reasons import OutcomeReason, secmaster_reason
from bot.domain.tracking import ListedObject, TrackedObject
from bot.domain.watch_status import PollStatus
from bot.notifications import planner
from bot.notifications.dispatcher import KEPT, ChannelWorkers
from bot.secmaster import SecMasterError, Task, Unavailable
from bot.services import services
from bot.store import NameInUse, hold_name
from bot.watch.list_sync import ListDelta, ListedRow, ListSynchronizer
from bot.watch.reconcile import UNASKABLE, catch_up

log = logging.getLogger(__name__)

NAME = "watch.leader"  # no replica can have it: their names have no dot
AT_ONCE = 100  # objects written down in one transaction: a click must not wait for all of them
AGAIN = timedelta(minutes=1)  # until what could not be thought of is thought of again
REMEMBERED = timedelta(days=90)  # what was settled longer ago nobody asks about
LONGEST_PAUSE = 300.0  # seconds between two rounds while SecMaster is in trouble


@dataclass(slots=True)
class Poller:
    """Rounds without end, by whichever replica holds the lead.

    ``feeds`` remember how far they are; a replica that takes the lead begins with new ones.
    """

    synchronizers: list[ListSynchronizer] = field(default_factory=list)
    workers: ChannelWorkers = field(default_factory=ChannelWorkers)
    _troubled: int = 0

    async def run(self, every: float) -> None:
        """Lead whenever nobody else does, ``every`` so many seconds, until cancelled."""
        while True:
            try:
                async with _held() as still:
                    await self._lead(every, still)
            except NameInUse:
                pass
            except Exception:
                # Without its database nothing can be watched; it will be back.
                log.exception("the watch broke off")
            await services().sleep(every)

    async def _lead(self, every: float, still: Callable[[], bool]) -> None:
        """Make round after round for as long as nobody else may think to lead."""
        self.synchronizers = [
            ListSynchronizer(workspace, noun)
            for workspace in services().secmaster
            for noun in ("task", "instance")
        ]
        log.info("this replica watches now")
        try:
            while await asyncio.to_thread(still):
                pause = await self.poll()
                await services().sleep(max(every, pause))
        finally:
            await self.workers.close()

    async def poll(self) -> float:
        """One round; returns how many seconds SecMaster wants to be left alone for."""
        pause = 0.0
        for workspace in services().secmaster:
            began = services().clock()
            trouble, wait = await self._watched(workspace, began)
            self._troubled = self._troubled + 1 if trouble else 0
            await self._note(workspace, began, trouble)
            if trouble:
                pause = max(pause, wait, min(LONGEST_PAUSE, 2.0 ** min(self._troubled, 10)))
        await self._besides()
        return pause

    async def _watched(self, workspace: str, began: datetime) -> tuple[OutcomeReason, float]:
        """Watch one workspace; returns what went wrong, and how long SecMaster asked to wait."""
        try:
            before = await asyncio.to_thread(services().store.poll_statuses.get, workspace)
            first = before is None or before.last_success_at is None
            for feed in self.synchronizers:
                if feed.workspace == workspace:
                    await _read(feed, first=first)
            if first:
                await _sum_up_backlog(workspace, began)
            await catch_up()
        except UNASKABLE as error:
            log.warning("SecMaster can't be watched", extra={"error": str(error)})
            wait = error.retry_after if isinstance(error, Unavailable) else None
            return secmaster_reason(error), wait or 0.0
        except Exception as error:
            # Whatever one round met, the next is to come.
            log.exception("a round of the watch broke off")
            failure = OutcomeReason.OWN_FAULT
            if isinstance(error, SecMasterError):
                failure = secmaster_reason(error)
            return failure, 0.0
        return OutcomeReason.NONE, 0.0

    async def _note(self, workspace: str, began: datetime, trouble: OutcomeReason) -> None:
        rounds = services().store.poll_statuses
        before = await asyncio.to_thread(rounds.get, workspace)
        ended = services().clock() if not trouble else before.last_success_at if before else None
        done = PollStatus(
            workspace=workspace,
            since=began,
            last_success_at=ended,
            failure=trouble,
            replica=services().replica,
        )
        await asyncio.to_thread(rounds.save, done)

    async def _besides(self) -> None:
        """What needs no SecMaster: what is due by now, and what is to be posted."""
        for step in (_think, _forget, *services().after_poll, self.workers.wake):
            try:
                await step()
            except Exception:
                # Whatever one of them met, the others do their part.
                log.exception("a part of the round broke off")


@asynccontextmanager
async def _held() -> AsyncIterator[Callable[[], bool]]:
    """Hold the lead; the database is asked in a thread, since it may let one wait."""
    lock = hold_name(services().store.engine, NAME)
    taking = asyncio.create_task(asyncio.to_thread(lock.__enter__))
    try:
        yield await asyncio.shield(taking)
    finally:
        # Whoever stopped waiting for it may have got it all the same.
        await asyncio.wait([taking])
        if not taking.exception():
            await asyncio.shield(asyncio.to_thread(lock.__exit__, None, None, None))


# What the lists say.


async def _read(feed: ListSynchronizer, *, first: bool) -> None:
    """Read one list, and where its count says that something is missing, find out what."""
    await _take(await feed.newest(), first=first)
    if not (feed.scanning or await feed.count_differs()):
        return
    if not feed.scanning:
        await _take(await feed.handled(), first=first)
        if not await feed.count_differs(anew=True) or await asyncio.to_thread(_looks_left):
            return
    await _take(await feed.full_scan(), first=first)


def _looks_left() -> bool:
    """Whether something is still to be looked at: it may be all that is missing."""
    return bool(services().store.tracked.stale(1))


async def _take(news: ListDelta, *, first: bool) -> None:
    """Write down what is new, with what is to be posted for it."""
    store, now = services().store.tracked, services().clock()
    fresh = now - services().policy().watch.fresh
    told = await asyncio.to_thread(services().store.subscriptions.channels) if news.added else []
    for start in range(0, len(news.added), AT_ONCE):
        seen: list[ListedObject] = []
        found: list[OutboxEntry] = []
        for row in news.added[start : start + AT_ONCE]:
            await asyncio.sleep(0)  # clicks come between
            backlog = first and (_began(row) or now) < fresh
            when = planner.first_check_at(row.ref, row.snapshot, now, backlog=backlog)
            came = ListedObject(
                row.ref, row.snapshot, row.fingerprint, backlog=backlog, next_check_at=when
            )
            seen.append(came)
            found += [] if backlog else planner.card_entries(row.ref, row.snapshot, now, told)
        await asyncio.to_thread(store.add, seen, found, now)
    for start in range(0, len(news.changed), AT_ONCE):
        rows = news.changed[start : start + AT_ONCE]
        # Thought of at once: another due date may be another reminder, and one may be due.
        again = [
            ListedObject(row.ref, row.snapshot, row.fingerprint, next_check_at=now) for row in rows
        ]
        await asyncio.to_thread(store.update_listed, again, now)


def _began(row: ListedRow) -> datetime | None:
    """When people began to be waited for, as far as SecMaster says."""
    seen = row.snapshot
    return seen.create_time if isinstance(seen, Task) else seen.end_time or seen.start_time


async def _sum_up_backlog(workspace: str, now: datetime) -> None:
    """Say once, wherever it would have gone, what was there before the watch began."""
    store, told = services().store, defaultdict[str, list[TrackedObject]](list)
    for each in await asyncio.to_thread(store.tracked.backlog, workspace):
        for route in planner.routes_of(each.ref, each.snapshot):
            told[planner.destination(route)].append(each)
    found = [
        OutboxEntry(
            dedupe_key=f"backlog:{workspace}:{channel}",
            channel=channel,
            notification=Notification(kind=NotificationKind.BACKLOG, details=_counted(there, now)),
            not_before=now,
        )
        for channel, there in told.items()
    ]
    await asyncio.to_thread(store.outbox.add, found, now)


def _counted(there: list[TrackedObject], now: datetime) -> dict[str, str]:
    tasks = [each.snapshot for each in there if isinstance(each.snapshot, Task)]
    times = [at for each in tasks if (at := each.create_time)]
    overdue = [each for each in tasks if each.due_date and each.due_date < now]
    return {
        "tasks": str(len(tasks)),
        "failed": str(len(there) - len(tasks)),
        "overdue": str(len(overdue)),
        "oldest": min(times).isoformat() if times else "",
    }


# What time says.


async def _forget() -> None:
    """Drop what was posted, and what was settled, long ago."""
    now, store = services().clock(), services().store
    await asyncio.to_thread(store.outbox.purge, now - KEPT)
    await asyncio.to_thread(store.tracked.purge, now - REMEMBERED)


async def _think() -> None:
    """Write down what is due to be said by now: reminders, escalations, the end of a snooze."""
    store, now = services().store.tracked, services().clock()
    more = True
    while more:
        due = await asyncio.to_thread(store.check_due, now, AT_ONCE)
        more = len(due) == AT_ONCE
        for known in due:
            try:
                found, upcoming = planner.due_entries(known, now)
            except Exception:
                # Whatever it is: the others do not wait for it.
                log.exception("what is due can't be said", extra={"ref": str(known.ref)})
                found, upcoming = [], now + AGAIN
            await asyncio.to_thread(store.mark_checked, [(known.ref, upcoming)], found, now)
