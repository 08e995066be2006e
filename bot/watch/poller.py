"""Polling SecMaster: its lists become cards and reminders, and cards follow what changes there.

One replica at a time polls. A poll costs a handful of requests however much is open; what it has
to say goes into the outbox in the same transaction as what it has learned, so that nothing is lost
and nothing posted twice, whatever dies on the way.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import assert_never

from bot import messages
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import OBJECT_KINDS, ObjectKind
from bot.domain.reasons import ChannelRefusal, OutcomeReason
from bot.domain.slack import Destination
from bot.domain.tracking import ListedObject, TrackedObject
from bot.domain.watch_status import FailedAnswer, PollStatus
from bot.messages.catalogue import Catalogue
from bot.messages.text import without_markup
from bot.notifications import fallback, planner
from bot.notifications.dispatcher import Dispatcher, first_of
from bot.notifications.kinds import BacklogNotification
from bot.secmaster import (
    AnswerLost,
    Instance,
    PlaybookInstance,
    Refused,
    SecMasterError,
    Task,
    Unavailable,
    Unreadable,
)
from bot.services import Services
from bot.store import NameInUse, is_database_fault
from bot.watch.completion import EvidenceCollector
from bot.watch.ended_delegations import take_back_approvals
from bot.watch.endings import record_endings
from bot.watch.leader import Leader
from bot.watch.list_sync import ListDelta, ListedRow, ListSynchronizer
from bot.watch.reconcile import catch_up
from bot.watch.retention import Retention
from bot.watch.routing import Router

log = logging.getLogger(__name__)

BATCH = 100  # objects recorded in one transaction: a click must not wait for all of them
DISPATCH_INTERVAL = 30.0  # seconds, where no poll wakes the dispatcher and the subscribers
LEAD_INTERVAL = 15.0  # seconds at most until the lead is tried for again
MAX_PAUSE = 300.0  # seconds between two polls in trouble, whatever SecMaster's Retry-After says


class Poller:
    """Polls for as long as this replica ``leads``, with dispatcher and retention beside it."""

    def __init__(self, services: Services, retention_days: int = 0) -> None:
        self.dispatcher = Dispatcher(services, take_back_approvals)
        self.router = Router(services)
        self.collector = EvidenceCollector(services)
        self.retention = Retention(services, retention_days)
        self.leads = False
        self._services = services
        self._subscribers: list[Callable[[], Awaitable[None]]] = []
        self._polled = asyncio.Event()
        self._failures = 0  # workspaces that could not be polled, one after the other
        self._synchronizers = self.new_synchronizers()

    def subscribe(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have a function called after each poll, and while none ends; one that fails is logged."""
        self._subscribers.append(callback)

    async def run(self, interval: float) -> None:
        """Lead whenever no other replica does, polling every ``interval`` seconds; never ends.

        With 0 SecMaster is not polled, and only what people were promised is posted.
        """
        while True:
            try:
                async with Leader(self._services.store.engine) as leader:
                    await self.lead(interval, leader)
            except NameInUse:
                pass
            except Exception as error:
                # Without its database nothing can be polled; it will be back, and whoever watches
                # it logs that.
                if not is_database_fault(error):
                    log.exception("polling failed")
            await self._services.clock.sleep(min(interval or LEAD_INTERVAL, LEAD_INTERVAL))

    async def lead(self, interval: float, leader: Leader) -> None:
        """Poll, dispatch and purge side by side, until the lead is lost or one of them fails."""
        self._synchronizers = self.new_synchronizers()
        pause, polls = interval or DISPATCH_INTERVAL, interval > 0
        dispatching = self.dispatcher.run(pause, leader.is_leader, plans=polls)
        purging = self.retention.run(leader.is_leader)
        loops = [asyncio.create_task(dispatching), asyncio.create_task(purging)]
        if polls:
            log.info("this replica polls now")
            loops.append(asyncio.create_task(self.poll_repeatedly(interval, leader)))
            loops.append(asyncio.create_task(self.notify_repeatedly(leader)))
            loops.append(asyncio.create_task(self.router.run(pause, leader.is_leader)))
            loops.append(asyncio.create_task(self.collector.run()))
        self.leads = True
        try:
            await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.leads = False
            for loop in loops:
                loop.cancel()
            results = await asyncio.gather(*loops, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception):
                raise error

    async def poll_repeatedly(self, interval: float, leader: Leader) -> None:
        """Poll again and again for as long as no other replica may think that it leads.

        A longer pause than the interval ends when SecMaster answers somebody.
        """
        clock, answered = self._services.clock, self._services.workspaces.answered
        while await leader.is_leader():
            pause = max(interval, await self.poll())
            answered.clear()
            await first_of(clock.sleep(pause), self.until_answered(interval))

    async def until_answered(self, interval: float) -> None:
        """Wait until SecMaster has answered somebody, and for the interval in any case."""
        await self._services.clock.sleep(interval)
        await self._services.workspaces.answered.wait()

    async def notify_repeatedly(self, leader: Leader) -> None:
        """Call the subscribers after each poll, and every DISPATCH_INTERVAL while none ends.

        Beside the polls: what is due at a time does not wait for SecMaster.
        """
        while await leader.is_leader():
            await first_of(self._services.clock.sleep(DISPATCH_INTERVAL), self._polled.wait())
            self._polled.clear()
            await self.notify_subscribers()

    async def notify_subscribers(self) -> None:
        """Call every subscriber, and have posted what they have enqueued."""
        for callback in self._subscribers:
            try:
                await callback()
            except Exception:
                # Whatever is the matter with one of them, the others do their part.
                log.exception("a subscriber of the poll failed")
        self.dispatcher.wake()

    async def poll(self) -> float:
        """Poll every workspace once; return for how many seconds SecMaster is to be left alone."""
        services, pause = self._services, 0.0
        for alias in services.workspaces:
            since = services.clock.now()
            answer, retry_after = await self.poll_workspace(alias, since)
            self._failures = self._failures + 1 if answer else 0
            before = await asyncio.to_thread(self.save_status, alias, since, answer)
            log_change(alias, before, answer)
            if answer is None:
                self.collector.wake(alias)
            else:
                backoff = min(MAX_PAUSE, 2.0 ** min(self._failures, 10))
                pause = max(pause, min(MAX_PAUSE, retry_after), backoff)
        self.router.wake()
        self.dispatcher.wake()
        self._polled.set()
        return pause

    async def poll_workspace(self, alias: str, now: datetime) -> tuple[FailedAnswer | None, float]:
        """Poll one workspace; return how that failed, if it did, and how long to wait at least."""
        services = self._services
        try:
            status = await asyncio.to_thread(services.store.poll_statuses.get, alias)
            is_first = status is None or status.last_success_at is None
            await self.synchronize(self._synchronizers[alias, "task"], is_first=is_first)
            await self.synchronize(self._synchronizers[alias, "instance"], is_first=is_first)
            # They may be served only from some day on.
            was_listed = status is not None and status.playbooks_listed_at is not None
            playbooks = self._synchronizers[alias, "playbook"]
            await self.synchronize_if_served(playbooks, is_first=is_first or not was_listed)
            if is_first:
                await asyncio.to_thread(enqueue_backlog, services, alias, now)
            elif playbooks.listed_at and not was_listed:
                await asyncio.to_thread(enqueue_backlog, services, alias, now, "playbook")
            await catch_up(services)
            await record_endings(services)
        except SecMasterError as error:
            retry_after = error.retry_after if isinstance(error, Unavailable) else None
            return FailedAnswer.of(error), retry_after or 0.0
        except Exception as error:
            # Whatever is the matter with one poll, the next is to come.
            if not is_database_fault(error):
                log.exception("a poll failed")
            return FailedAnswer.of(error), 0.0
        return None, 0.0

    async def synchronize_if_served(
        self, synchronizer: ListSynchronizer, *, is_first: bool
    ) -> None:
        """Read a list that SecMaster may not have; that this fails alone holds nothing else up.

        Not every region has the runs of playbooks, and the bot's user may lack the right to them.
        Raises SecMasterError where SecMaster can't be reached, or asks to be left alone.
        """
        try:
            await self.synchronize(synchronizer, is_first=is_first)
        except (Refused, Unavailable, Unreadable, AnswerLost) as error:
            if error.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise
            if synchronizer.answer is None:
                details = {"workspace": synchronizer.workspace, "error": str(error)}
                log.warning("the runs of playbooks can't be listed", extra=details)
            synchronizer.answer = FailedAnswer.of(error)
        else:
            synchronizer.answer, synchronizer.listed_at = None, self._services.clock.now()

    async def synchronize(self, synchronizer: ListSynchronizer, *, is_first: bool) -> None:
        """Read one list, and where its count says that something is missing, find out what."""
        services = self._services
        await record(services, await synchronizer.newest(), is_first=is_first)
        if not (synchronizer.scanning or await synchronizer.count_differs()):
            return
        if not synchronizer.scanning:
            await record(services, await synchronizer.handled(), is_first=is_first)
            if not await synchronizer.count_differs(refresh=True):
                return
            # An object that is still to be read may be all that is missing.
            if await asyncio.to_thread(services.store.tracked.stale, 1):
                return
        await record(services, await synchronizer.full_scan(), is_first=is_first)

    def new_synchronizers(self) -> dict[tuple[str, ObjectKind], ListSynchronizer]:
        """Return one for each list, which knows nothing of it yet: a new leader begins anew."""
        return {
            (alias, kind): ListSynchronizer(self._services, alias, kind)
            for alias in self._services.workspaces
            for kind in OBJECT_KINDS
        }

    def save_status(
        self, alias: str, since: datetime, answer: FailedAnswer | None
    ) -> PollStatus | None:
        """Record how a poll went that began at ``since``; return how the last one went; blocks."""
        statuses = self._services.store.poll_statuses
        before = statuses.get(alias)
        last_success_at = before.last_success_at if before else None
        failing_since = before.failing_since if before else None
        now, playbooks = self._services.clock.now(), self._synchronizers[alias, "playbook"]
        listed_at = playbooks.listed_at or (before.playbooks_listed_at if before else None)
        status = PollStatus(
            workspace=alias,
            since=since,
            attempted_at=now,
            last_success_at=last_success_at if answer else now,
            failing_since=failing_since or since if answer else None,
            answer=answer,
            playbooks_listed_at=listed_at,
            playbooks_answer=playbooks.answer,
            replica=self._services.replica,
        )
        statuses.save(status)
        return before


def log_change(workspace: str, before: PollStatus | None, answer: FailedAnswer | None) -> None:
    """Log that a workspace can't be polled when that begins or has another reason, and its end.

    Not for each poll: they go on, and all say the same.
    """
    last_reason = before.failure if before else OutcomeReason.NONE
    if answer is None and before and before.failing_since:
        details = {"workspace": workspace, "since": before.failing_since.isoformat()}
        log.warning("SecMaster can be polled again", extra=details)
    elif answer and answer.reason not in {last_reason, OutcomeReason.OWN_FAULT}:
        details = answer.model_dump(mode="json", exclude_defaults=True)
        details["error"] = details.pop("message", "")  # a record of a log has one of its own
        if not answer.cause:  # which says what to do
            details["to_do"] = without_markup(messages.troubles.advice(Catalogue.english(), answer))
        log.warning("SecMaster can't be polled", extra=details | {"workspace": workspace})


async def record(services: Services, delta: ListDelta, *, is_first: bool) -> None:
    """Record what a list says, together with what is to be posted for it.

    In the first poll what is older than the policy's ``fresh`` is backlog, and gets no card.
    """
    store, now = services.store, services.clock.now()
    fresh_since = now - services.policy.current.watch.fresh
    subscriptions: list[str] = []
    if delta.added:
        subscriptions, outside = await asyncio.to_thread(planner.subscribed_channels, services)
        for channel in outside:
            destination = Destination.parse(channel)
            await fallback.report_closed(services, destination, ChannelRefusal.NOT_NAMED)
    for start in range(0, len(delta.added), BATCH):
        objects: list[ListedObject] = []
        entries: list[OutboxEntry] = []
        for row in delta.added[start : start + BATCH]:
            await asyncio.sleep(0)  # clicks come between
            ref, snapshot = row.ref, row.snapshot
            backlog = is_first and (waiting_since(row) or now) < fresh_since
            routed = backlog or planner.is_routable(services, ref, snapshot)
            check_at = planner.first_check_at(services, ref, snapshot, now, backlog=backlog)
            objects.append(
                ListedObject(
                    ref,
                    snapshot,
                    row.fingerprint,
                    backlog=backlog,
                    next_check_at=check_at if routed else None,
                    routed=routed,
                )
            )
            if not routed:  # see ``bot.watch.routing``
                entries += planner.subscribed_cards(ref, snapshot, now, subscriptions)
            elif not backlog:
                entries += planner.card_entries(services, ref, snapshot, now, subscriptions)
        await asyncio.to_thread(store.tracked.add, objects, entries, now)
    for start in range(0, len(delta.changed), BATCH):
        # Checked at once: another due date may be another reminder, and one may be due.
        objects = [
            ListedObject(row.ref, row.snapshot, row.fingerprint, next_check_at=now)
            for row in delta.changed[start : start + BATCH]
        ]
        await asyncio.to_thread(store.tracked.update_listed, objects, now)


def waiting_since(row: ListedRow) -> datetime | None:
    """Return since when people are waited for, as far as SecMaster says."""
    match snapshot := row.snapshot:
        case Task():
            return snapshot.create_time
        case Instance() | PlaybookInstance():
            return snapshot.end_time or snapshot.start_time
        case _:
            assert_never(snapshot)


def enqueue_backlog(
    services: Services, alias: str, now: datetime, kind: ObjectKind | None = None
) -> None:
    """Sum up once, wherever it would have gone, what was open before the first poll; blocks.

    Of a ``kind`` alone that could not be listed then.
    """
    by_destination = defaultdict[Destination, list[TrackedObject]](list)
    reminding = set[Destination]()
    root = services.policy.current.commands.root or "@bot"
    backlog = services.store.tracked.backlog(alias)
    for tracked in (each for each in backlog if kind in (None, each.ref.kind)):
        for route in planner.routes_of(services, tracked.ref, tracked.snapshot):
            by_destination[route.destination].append(tracked)
            if route.remind:
                reminding.add(route.destination)
    entries = [
        OutboxEntry(
            dedupe_key=f"backlog:{alias}:{kind or ''}:{destination.id}",
            destination=destination,
            notification=BacklogNotification.of(
                objects, now, root, reminds=destination in reminding
            ),
            not_before=now,
        )
        for destination, objects in by_destination.items()
    ]
    services.store.outbox.add(entries, now)
