"""Tells people of what keeps the bot from its work: once when that lasts, and once when it is over.

What is recorded of a trouble makes it one message, whatever restarts and however many replicas
there are. Of the database's trouble nothing can be recorded: each replica tells that by itself.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot import messages
from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Actor, Destination, DestinationKind
from bot.domain.troubles import DueTasks, ReportedTrouble, Trouble, TroubleKind
from bot.messages import Message
from bot.messages.catalogue import Catalogue
from bot.messages.text import without_markup
from bot.notifications.delivery import slack_channel
from bot.notifications.kinds import TroubleNotification, TroubleOverNotification
from bot.operations.reading import open_reader
from bot.services import Services
from bot.slack.directory import LookupFailed
from bot.slack.gateway import SlackFailed
from bot.store import is_database_fault
from bot.watch.poller import Poller
from bot.watch.troubles import (
    OF_POLLING,
    check_database,
    due_tasks,
    is_over,
    observed_troubles,
)

log = logging.getLogger(__name__)

MIN_LOOKS = 6  # at which a trouble is there, one after the other, before anybody is told
LOOKED_UP_WITHIN = 5.0  # seconds for what an admin may read, which Slack and the database know


class TroubleReporter:
    """Looks for troubles on each replica; the one that leads tells people of most of them.

    That nobody polls is told by any replica, since there may be none that leads.
    """

    def __init__(self, services: Services, poller: Poller) -> None:
        self._services = services
        self._poller = poller
        # How often in a row a trouble was seen, by its key and since when it lasts.
        self._looks = Counter[tuple[str, datetime]]()
        # What this replica tells of its database, and who was told.
        self._database_trouble: Trouble | None = None
        self._database_destinations: list[Destination] = []
        # Slack's code of each message that could not be posted, by the trouble's key and where to.
        self._failed_posts: dict[tuple[str, Destination], str] = {}

    async def run(self) -> None:
        """Look for troubles at regular times; never ends."""
        while True:
            try:
                await self.report()
            except Exception as error:
                if is_database_fault(error):  # the next look notes it
                    log.warning("troubles are not recorded", extra={"error": str(error)})
                else:
                    log.exception("troubles are not looked for")
            await self._services.clock.sleep(self._services.timeouts.trouble_check)

    async def report(self) -> None:
        """Look once, and tell people what is new."""
        services = self._services
        before = services.database_outage.since
        problem = await check_database(services)
        if problem and not before:
            log.error("the database takes no writes", extra={"problem": problem})
        if before and not problem:
            log.warning("the database takes writes again", extra={"since": before.isoformat()})
        observed = {trouble.key: trouble for trouble in await observed_troubles(services)}
        now, lasting = services.clock.now(), timedelta(seconds=services.timeouts.trouble)
        occurrences = ((trouble.key, trouble.since) for trouble in observed.values())
        self._looks = Counter({each: self._looks[each] + 1 for each in occurrences})
        # Where the clock leaps, as of a machine that was asleep, a poll has its time to end.
        confirmed = [
            trouble
            for trouble in observed.values()
            if now - trouble.since >= lasting
            and self._looks[trouble.key, trouble.since] >= MIN_LOOKS
        ]
        database = next((each for each in confirmed if each.kind is TroubleKind.DATABASE), None)
        await self.tell_of_database(database)
        if problem:
            return
        reported = await asyncio.to_thread(services.store.troubles.all)
        for trouble in confirmed:
            row = reported.get(trouble.key)
            if not self.tells_of(trouble):
                continue
            if row is None or row.ended_at:
                row = await self.begin(trouble, row)
            if row:
                await self.tell(trouble, row)
        for key, row in reported.items():
            if row.ended_at is None and self.tells_of(row.trouble):
                await self.follow(row, is_seen=key in observed)

    def tells_of(self, trouble: Trouble) -> bool:
        """Whether it is this replica's to tell people of a trouble by what is recorded."""
        is_anybodys = trouble.kind is TroubleKind.WATCH_BEHIND
        return is_anybodys or (self._poller.leads and trouble.kind is not TroubleKind.DATABASE)

    async def begin(self, trouble: Trouble, last: ReportedTrouble | None) -> ReportedTrouble | None:
        """Record a trouble; return what is recorded, None if somebody else has just done so.

        ``last`` is what is recorded of the same trouble before.
        """
        services, now = self._services, self._services.clock.now()
        recurring = timedelta(seconds=services.timeouts.recurring)
        # What expires does so once.
        may_recur = trouble.kind is not TroubleKind.EXPIRY
        is_soon = bool(last and last.ended_at and now - last.ended_at < recurring)
        recurs = may_recur and is_soon
        begin = services.store.troubles.begin
        if not await asyncio.to_thread(begin, trouble, recurs=recurs):
            return None
        log.error("trouble", extra=_loggable(trouble))
        return ReportedTrouble(trouble=trouble, recurs=recurs)

    async def tell(self, trouble: Trouble, row: ReportedTrouble) -> None:
        """Tell whoever was not told of a trouble yet, of which ``row`` is recorded."""
        if trouble.kind is TroubleKind.SLACK_TOKEN:
            return  # nothing can be posted: its end says all
        services, now = self._services, self._services.clock.now()
        destinations = [each for each in self.destinations() if each not in row.destinations]
        notifications = {
            destination: TroubleNotification(
                trouble=trouble,
                tasks=await due_tasks_for(services, destination),
                recurs=row.recurs,
            )
            for destination in destinations
        }
        if trouble.kind is TroubleKind.WATCH_BEHIND:  # there may be nobody who posts the outbox
            for destination, notification in notifications.items():
                await self.tell_directly(
                    row.trouble, destination, notification.render(self._services.catalogue)
                )
        elif destinations:
            since = row.trouble.since.isoformat()
            entries = [
                OutboxEntry(
                    dedupe_key=f"trouble:{trouble.key}:{since}:{destination.id}",
                    destination=destination,
                    notification=notification,
                    not_before=now,
                )
                for destination, notification in notifications.items()
            ]
            add = services.store.troubles.add_destinations
            await asyncio.to_thread(add, trouble.key, destinations, now, entries)
            services.outbox_written.set()

    async def tell_directly(
        self, trouble: Trouble, destination: Destination, message: Message
    ) -> None:
        """Post a message without the outbox, unless another replica does; it is recorded first."""
        store, now = self._services.store.troubles, self._services.clock.now()
        if not await asyncio.to_thread(store.add_destinations, trouble.key, [destination], now):
            return
        is_posted = False
        try:
            is_posted = await self.post(trouble, destination, message)
        finally:
            if not is_posted:
                await asyncio.to_thread(store.remove_destination, trouble.key, destination)

    async def follow(self, row: ReportedTrouble, *, is_seen: bool) -> None:
        """Tell people that a trouble is over once it has been well for long enough."""
        services, now, trouble = self._services, self._services.clock.now(), row.trouble
        store = services.store.troubles
        if is_seen or not await is_over(services, trouble):
            if row.well_since:
                await asyncio.to_thread(store.mark_well, trouble.key, None)
            return
        if row.well_since is None:
            await asyncio.to_thread(store.mark_well, trouble.key, now)
        well_since = row.well_since or now
        timeouts = services.timeouts
        patience = timeouts.recurring if row.recurs else timeouts.recovered
        if trouble.kind is TroubleKind.SLACK_TOKEN or trouble.kind is TroubleKind.EXPIRY:
            patience = 0  # neither comes and goes
        if (now - well_since).total_seconds() < patience:
            return
        is_polled = services.poll_interval > 0 and trouble.where in services.workspaces
        destinations: Sequence[Destination] = row.destinations
        if trouble.kind is TroubleKind.SLACK_TOKEN:
            destinations = self.destinations()
        elif trouble.kind in OF_POLLING and not is_polled:
            destinations = ()  # nobody knows whether it can be read
        entries = _end_entries(trouble, destinations, well_since, now)
        if await asyncio.to_thread(store.end, trouble.key, entries, now):
            log.warning("trouble is over", extra=_loggable(trouble, well_since))
            services.outbox_written.set()

    async def tell_of_database(self, trouble: Trouble | None) -> None:
        """Post to Slack that the database is in trouble; the outbox takes that it is over.

        Who can't be told is tried again at the next look, and who was not is not told of the end.
        """
        services, last = self._services, self._database_trouble
        if trouble:
            if last is None:
                self._database_trouble = last = trouble
                log.error("trouble", extra=_loggable(trouble))
            for destination in self.destinations():
                if destination not in self._database_destinations:
                    tasks = await due_tasks_for(services, destination)
                    message = messages.troubles.began(
                        services.catalogue, trouble, tasks, recurs=False
                    )
                    if await self.post(last, destination, message):
                        self._database_destinations.append(destination)
        elif last and (until := self.database_well_since()):
            now = services.clock.now()
            entries = _end_entries(last, self._database_destinations, until, now)
            await asyncio.to_thread(services.store.outbox.add, entries, now)
            log.warning("trouble is over", extra=_loggable(last, until))
            self._database_trouble, self._database_destinations = None, []
            services.outbox_written.set()

    def database_well_since(self) -> datetime | None:
        """Return when the database failed last, None unless it has been well for long enough."""
        outage, now = self._services.database_outage, self._services.clock.now()
        patience = timedelta(seconds=self._services.timeouts.recovered)
        if outage.since or outage.last_at is None or now - outage.last_at < patience:
            return None
        return outage.last_at

    async def post(self, trouble: Trouble, destination: Destination, message: Message) -> bool:
        """Post a message without the outbox; return whether it is there. A failure is logged once.

        One that failed before is looked for first, as it may be there all the same.
        """
        place = trouble.key, destination
        metadata = {"part": f"trouble:{trouble.key}", "operation": trouble.since.isoformat()}
        posted_since = trouble.since if place in self._failed_posts else None
        try:
            channel = await slack_channel(self._services, destination)
            slack = self._services.slack
            await slack.post(channel, message, metadata, posted_since=posted_since)
        except SlackFailed as error:
            if self._failed_posts.get(place) != error.code:
                extra = {"channel": destination.id, "code": error.code}
                log.warning("nobody was told of trouble here", extra=extra)
            self._failed_posts[place] = error.code
            return False
        self._failed_posts.pop(place, None)
        return True

    def destinations(self) -> list[Destination]:
        """Return whom the policy has told of what keeps the bot from its work."""
        watch = self._services.policy.current.watch
        ids = dict.fromkeys((*watch.admins, watch.fallback))
        return [Destination.parse(id_) for id_ in ids if id_]


async def due_tasks_for(services: Services, destination: Destination) -> DueTasks:
    """Return the tasks that SecMaster approves by itself soon, for somebody or for a channel.

    A person is given the names of those alone that they may read, and the number of the others.
    """
    if destination.kind is not DestinationKind.PERSON:
        return await due_tasks(services, lambda _tracked: True)
    try:
        async with asyncio.timeout(LOOKED_UP_WITHIN):
            reader = await open_reader(services, Actor(id=destination.id))
    except (LookupFailed, TimeoutError, sa.exc.SQLAlchemyError):
        return await due_tasks(services, lambda _tracked: False)
    return await due_tasks(services, lambda tracked: reader.may_read(tracked.ref, tracked.snapshot))


def _end_entries(
    trouble: Trouble, destinations: Sequence[Destination], until: datetime, now: datetime
) -> list[OutboxEntry]:
    """Return the messages that a trouble is over."""
    return [
        OutboxEntry(
            dedupe_key=f"over:{trouble.key}:{trouble.since.isoformat()}:{destination.id}",
            destination=destination,
            notification=TroubleOverNotification(trouble=trouble, until=until),
            not_before=now,
        )
        for destination in destinations
    ]


def _loggable(trouble: Trouble, until: datetime | None = None) -> dict[str, Any]:
    """Return a trouble's facts for the log, and what to do until it is over."""
    return {
        "kind": trouble.kind,
        "where": trouble.where,
        "since": trouble.since.isoformat(),
        "until": until.isoformat() if until else None,
        "sentence": messages.troubles.headline(Catalogue.english(), trouble),
        "to_do": None
        if until
        else without_markup(messages.troubles.to_do(Catalogue.english(), trouble)),
    }
