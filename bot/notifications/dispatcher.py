"""The loop that posts what the bot says by itself: in order in each channel, at Slack's pace.

Runs beside polling, so that a reminder never waits for SecMaster's lists. What was being posted
when a process died is taken over by the next one, which looks for it in Slack first.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Destination, DestinationKind
from bot.notifications import approval_calls, fallback, planner
from bot.notifications.delivery import (
    deliver,
    entries_together,
    slack_channel,
    snoozed_for,
    snoozed_until,
)
from bot.runtime.clock import Clock
from bot.secmaster import Refused, SecMasterError, Unreadable
from bot.services import Services
from bot.slack.directory import LookupFailed
from bot.slack.error_codes import SlackErrorKind
from bot.slack.gateway import CannotPost, SlackFailed

log = logging.getLogger(__name__)

RETRY_PAUSES = (5.0, 10.0, 20.0, 40.0, 60.0)  # seconds before Slack is asked again
BETWEEN_RETRIES = 3.0  # seconds, of all destinations together
KEEPS_PLACE = timedelta(minutes=1)  # for which an entry in trouble stays first in line
POSTPONED_BY = timedelta(minutes=2)  # then the others have their turn: it must not starve them
POSTPONED_AT_MOST = timedelta(minutes=10)  # where it is no trouble that passes by itself
NO_MEMBERS = "no_members"  # our code for a user group that is empty or gone
PLANNED_AT_ONCE = 100  # objects read from the database at a time
REPLAN_AFTER = timedelta(minutes=1)  # for an object that could not be planned


class Dispatcher:
    """Plans what time makes due and has it posted, whenever it is woken and at regular times.

    The ``checks`` are made before that: what they find may be news, or take something from it.
    """

    def __init__(self, services: Services, *checks: Callable[[Services], Awaitable[None]]) -> None:
        self.workers = ChannelWorkers(services)
        self._services = services
        self._checks = checks

    def wake(self) -> None:
        """Have the outbox looked at now: something was written into it, or became due."""
        self._services.outbox_written.set()

    async def run(
        self, interval: float, is_leader: Callable[[], Awaitable[bool]], *, plans: bool = True
    ) -> None:
        """Dispatch whenever woken and every ``interval`` seconds, for as long as this one leads.

        Where SecMaster is not polled, nothing is planned: what is known may be over.
        """
        woken = self._services.outbox_written
        try:
            while await is_leader():
                woken.clear()
                await self.dispatch(plans=plans)
                await first_of(self._services.clock.sleep(interval), woken.wait())
        finally:
            await self.workers.close()

    async def dispatch(self, *, plans: bool = True) -> None:
        """Plan what is due by now, and have what is ready posted in the background.

        Who is called for an approval does not depend on what is polled.
        """
        steps: list[Callable[[], Awaitable[None]]] = [
            *(partial(check, self._services) for check in self._checks),
            *([self.enqueue_due] if plans else []),
            self.enqueue_calls,
            self.workers.start_ready,
        ]
        for step in steps:
            try:
                await step()
            except Exception:
                # Planning must not keep back what is ready, nor one failure end the loop.
                log.exception("dispatching failed in part")

    async def enqueue_calls(self) -> None:
        """Enqueue the calls for approvals of requests that were opened since."""
        entries = await asyncio.to_thread(approval_calls.new_entries, self._services)
        if entries:
            now = self._services.clock.now()
            await asyncio.to_thread(self._services.store.outbox.add, entries, now)

    async def enqueue_due(self) -> None:
        """Enqueue reminders, escalations and ends of snoozes that are due by now."""
        services, now = self._services, self._services.clock.now()
        tracked_objects = services.store.tracked
        is_more = True
        while is_more:
            due = await asyncio.to_thread(tracked_objects.check_due, now, PLANNED_AT_ONCE)
            is_more = len(due) == PLANNED_AT_ONCE
            for tracked in due:
                try:
                    entries, next_check_at = planner.due_entries(services, tracked, now)
                except Exception:
                    # Whatever is the matter with it, the other objects do not wait for it.
                    log.exception("due notifications not planned", extra={"ref": str(tracked.ref)})
                    entries, next_check_at = [], now + REPLAN_AFTER
                await asyncio.to_thread(
                    tracked_objects.mark_checked, tracked, next_check_at, entries, now
                )


class ChannelWorkers:
    """One worker for each channel, for as long as something is ready to be posted there."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pace = RetryPace(services.clock)
        self._running: dict[Destination, asyncio.Task[None]] = {}

    async def start_ready(self) -> None:
        """Start a worker for each destination that something is ready for, unless one runs.

        While Slack refuses our token nothing is begun: it stays in the outbox, in order.
        """
        if self._services.slack.token.refusal:
            return
        outbox, now = self._services.store.outbox, self._services.clock.now()
        for destination in await asyncio.to_thread(outbox.ready_destinations, now):
            if destination not in self._running:
                self._running[destination] = asyncio.create_task(self._run(destination))

    async def close(self) -> None:
        """Break off all workers: whoever leads next takes over what they were posting."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, destination: Destination) -> None:
        try:
            await ChannelWorker(self._services, destination, self._pace).run()
        finally:
            del self._running[destination]


class RetryPace:
    """When what could not be posted is tried again: ever later, and one after the other.

    The pauses of a destination grow until something is posted there. However many are in trouble,
    all together try again ``BETWEEN_RETRIES`` apart; at once where something was posted meanwhile.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: Counter[Destination] = Counter()
        self._line = asyncio.Lock()
        self._next_at = clock.now()
        self._posted = asyncio.Event()

    async def wait(self, destination: Destination) -> None:
        """Wait until a destination may be tried again after trouble that may pass."""
        failures = self._failures[destination]
        self._failures[destination] = min(failures + 1, len(RETRY_PAUSES) - 1)
        await self._clock.sleep(RETRY_PAUSES[failures])
        await self.wait_in_line()

    async def wait_in_line(self) -> None:
        """Wait for a turn among all that failed, first come, first served."""
        async with self._line:
            remaining = (self._next_at - self._clock.now()).total_seconds()
            if remaining > 0 and not self._posted.is_set():
                await first_of(self._clock.sleep(remaining), self._posted.wait())
            self._posted.clear()
            self._next_at = self._clock.now() + timedelta(seconds=BETWEEN_RETRIES)

    def posted(self, destination: Destination) -> None:
        """Record that a destination takes messages, and with it that Slack does."""
        self.recovered(destination)
        self._posted.set()

    def recovered(self, destination: Destination) -> None:
        """Record that the trouble of a destination is over: its pauses begin anew."""
        self._failures.pop(destination, None)


@dataclass(frozen=True, slots=True)
class ChannelWorker:
    """Posts what is ready for one destination, and ends when there is nothing left."""

    services: Services
    destination: Destination
    pace: RetryPace

    async def run(self) -> None:
        """Post the entries that are ready, in order."""
        services, outbox = self.services, self.services.store.outbox
        if await fallback.redirect_if_closed(services, self.destination):
            return
        while not services.slack.token.refusal and (
            entry := await asyncio.to_thread(
                outbox.next_entry, self.destination, services.clock.now()
            )
        ):
            try:
                is_posted = await self.process(entry)
            except CannotPost as error:
                if error.kind is SlackErrorKind.PLACE_CLOSED:
                    await fallback.report_closed(services, self.destination, error.code)
                    return
                is_gone = error.kind is SlackErrorKind.MESSAGE_GONE
                if not (is_gone and await self.forget_deleted_message(entry)):
                    await self.wait_or_postpone(entry, error)
            except Exception as error:  # noqa: BLE001 - it is logged, and the others go on
                await self.wait_or_postpone(entry, error)
            else:
                if is_posted:
                    self.pace.posted(self.destination)
                    await services.clock.sleep(services.timeouts.post_interval)

    async def process(self, entry: OutboxEntry) -> bool:
        """Post the first entry in line together with those that belong to it.

        Returns whether there is a new message in the channel.
        """
        services, outbox = self.services, self.services.store.outbox
        if self.destination.kind is DestinationKind.USERGROUP:
            await self.hand_to_members(entry)
            return False
        snoozed = await asyncio.to_thread(snoozed_for, services, self.destination)
        if until := snoozed_until(entry, snoozed):
            await asyncio.to_thread(outbox.postpone, [entry.number], until)
            return False
        entries = await asyncio.to_thread(entries_together, services, entry, snoozed)
        if not await self.take(entry, entries):
            return False
        # Slack may ask to wait for so long that another process takes over meanwhile.
        async with asyncio.timeout(services.timeouts.post):
            is_posted, numbers = await deliver(services, entries)
        open_destination = self.destination if is_posted else None
        now = services.clock.now()
        await asyncio.to_thread(outbox.mark_done, numbers, now, opens=open_destination)
        return is_posted

    async def take(self, entry: OutboxEntry, entries: list[OutboxEntry]) -> bool:
        """Record that this process posts these entries; False if another may still be posting.

        A process that lost the lead without knowing may go on for as long as a call to Slack
        lasts.
        """
        services, now = self.services, self.services.clock.now()
        if entry.sending_at is not None and entry.sending_by != services.process_id:
            tried_at = entry.tried_at or entry.sending_at
            remaining = services.timeouts.takeover - (now - tried_at).total_seconds()
            if remaining > 0:
                await services.clock.sleep(remaining)
                return False
        mark_sending = services.store.outbox.mark_sending
        return await asyncio.to_thread(mark_sending, entries, services.process_id, now)

    async def hand_to_members(self, entry: OutboxEntry) -> None:
        """Enqueue what is for a user group for each of its present members; raises CannotPost."""
        outbox, now = self.services.store.outbox, self.services.clock.now()
        members = sorted(await self.services.directory.group_members(self.destination.id))
        if not members:
            raise CannotPost(NO_MEMBERS)
        personal = [
            entry.model_copy(
                update={
                    "dedupe_key": f"{entry.dedupe_key}:{user}",
                    "destination": Destination.parse(user),
                    "not_before": now,
                }
            )
            for user in members
        ]
        await asyncio.to_thread(outbox.add, personal, now)
        await asyncio.to_thread(outbox.mark_done, [entry.number], now, opens=self.destination)
        self.pace.recovered(self.destination)  # nothing is ever posted to a group itself

    async def forget_deleted_message(self, entry: OutboxEntry) -> bool:
        """Forget the message that an entry belongs under, which somebody deleted.

        The next attempt is made under an older card of the object, or posts one anew; what belongs
        into a thread is dropped. Returns whether there was anything to forget.
        """
        store, notification = self.services.store, entry.notification
        channel = await slack_channel(self.services, self.destination)
        cards = (
            await asyncio.to_thread(store.cards.cards_of, notification.ref)
            if notification.ref
            else []
        )
        thread = notification.thread_ts
        # The newest is the one that was tried. The others may stand, and would never be drawn.
        card = next(
            (card for card in cards if card.channel == channel and thread in ("", card.ts)), None
        )
        if card:
            await asyncio.to_thread(store.cards.forget_card, card)
        if thread:
            log.warning("a thread is gone", extra={"dedupe_key": entry.dedupe_key})
            now = self.services.clock.now()
            await asyncio.to_thread(store.outbox.mark_done, [entry.number], now)
        return bool(card or thread)

    async def wait_or_postpone(self, entry: OutboxEntry, error: Exception) -> None:
        """Wait where trouble may pass soon, else leave the entry for later.

        One that can't be posted, for whatever reason, must not stand before all others. What
        somebody has to mend first is left for ever longer.
        """
        services, details = self.services, {"dedupe_key": entry.dedupe_key, "error": str(error)}
        if services.slack.token.refusal:
            return  # the entry stays as it is, and whoever watches the token says why
        tried_for = services.clock.now() - (entry.sending_at or services.clock.now())
        may_pass = is_temporary(error)
        if may_pass and tried_for < KEEPS_PLACE:
            log.warning("notification waits", extra=details)
            await self.pace.wait(self.destination)
            return
        is_refusal = isinstance(error, SlackFailed | LookupFailed | SecMasterError | TimeoutError)
        log.warning("notification postponed", exc_info=None if is_refusal else error, extra=details)
        longest = POSTPONED_BY if may_pass else POSTPONED_AT_MOST
        until = services.clock.now() + min(max(POSTPONED_BY, tried_for), longest)
        await asyncio.to_thread(services.store.outbox.postpone, [entry.number], until)
        # What was refused for itself holds up nothing; and where it is SecMaster that does not
        # answer, nobody waits behind the channels that Slack does not answer.
        if may_pass and isinstance(error, SecMasterError):
            await services.clock.sleep(services.timeouts.post_interval)
        elif may_pass:
            await self.pace.wait_in_line()


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until the first of these is over, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def is_temporary(error: Exception) -> bool:
    """Return whether posting may go well in a moment; what is refused or unreadable won't."""
    if isinstance(error, SlackFailed | LookupFailed):
        return error.is_temporary
    if isinstance(error, SecMasterError):
        return not isinstance(error, Refused | Unreadable)
    return isinstance(error, TimeoutError)
