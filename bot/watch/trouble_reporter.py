"""Tells people of what keeps the bot from its work: once when that lasts, and once when it is over.

What is recorded of a trouble makes it one message, whatever restarts and however many replicas
there are. Of the database's trouble nothing can be recorded: each replica tells that by itself.
"""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot import messages
from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Actor, Destination, DestinationKind
from bot.domain.troubles import DueTasks, ReportedTrouble, Trouble, TroubleKind
from bot.messages import Message
from bot.notifications.delivery import slack_channel
from bot.notifications.kinds import TroubleNotification, TroubleOverNotification
from bot.operations.reading import open_reader
from bot.services import Services
from bot.slack.directory import LookupFailed
from bot.slack.gateway import SlackFailed, call
from bot.store import is_database_fault
from bot.watch.poller import Poller
from bot.watch.troubles import OF_POLLING, check_database, due_tasks, observed_troubles

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
        self._told_of_database: Trouble | None = None

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
            if self.tells_of(trouble) and (row is None or row.ended_at):
                await self.begin(trouble, row)
        for key, row in reported.items():
            if row.ended_at is None and self.tells_of(row.trouble):
                await self.follow(row, is_seen=key in observed)

    def tells_of(self, trouble: Trouble) -> bool:
        """Whether it is this replica's to tell people of a trouble by what is recorded."""
        is_anybodys = trouble.kind is TroubleKind.WATCH_BEHIND
        return is_anybodys or (self._poller.leads and trouble.kind is not TroubleKind.DATABASE)

    async def begin(self, trouble: Trouble, last: ReportedTrouble | None) -> None:
        """Tell people of a trouble, unless somebody else has just done so.

        ``last`` is what is recorded of the same trouble before.
        """
        services, now = self._services, self._services.clock.now()
        recurring = timedelta(seconds=services.timeouts.recurring)
        recurs = bool(last and last.ended_at and now - last.ended_at < recurring)
        notifications = [
            (destination, TroubleNotification(trouble=trouble, tasks=tasks, recurs=recurs))
            for destination in self.destinations()
            for tasks in [await due_tasks_for(services, destination)]
        ]
        is_posted_by_outbox = trouble.kind not in {
            TroubleKind.WATCH_BEHIND,  # there may be nobody who posts what is in it
            TroubleKind.SLACK_TOKEN,  # nothing can be posted
        }
        entries = [
            OutboxEntry(
                dedupe_key=f"trouble:{trouble.key}:{trouble.since.isoformat()}:{destination.id}",
                destination=destination,
                notification=notification,
                not_before=now,
            )
            for destination, notification in notifications
            if is_posted_by_outbox
        ]
        begin = services.store.troubles.begin
        if not await asyncio.to_thread(begin, trouble, entries, now, recurs=recurs):
            return
        log.error("trouble", extra=_loggable(trouble))
        services.outbox_written.set()
        if trouble.kind is TroubleKind.WATCH_BEHIND:
            for destination, notification in notifications:
                await self.post(destination, notification.render(), f"trouble:{trouble.key}")

    async def follow(self, row: ReportedTrouble, *, is_seen: bool) -> None:
        """Tell people that a trouble is over once it has been well for long enough."""
        services, now, trouble = self._services, self._services.clock.now(), row.trouble
        store = services.store.troubles
        if is_seen or (trouble.kind is TroubleKind.SLACK_TOKEN and not await self.is_taken()):
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
        watch = services.policy.current.watch
        is_polled = watch.every > 0 and trouble.where in services.workspaces
        # Of what is polled no more nobody knows whether it can be read.
        destinations = self.destinations() if is_polled or trouble.kind not in OF_POLLING else []
        entries = [
            OutboxEntry(
                dedupe_key=f"over:{trouble.key}:{trouble.since.isoformat()}:{destination.id}",
                destination=destination,
                notification=TroubleOverNotification(trouble=trouble, until=well_since),
                not_before=now,
            )
            for destination in destinations
        ]
        if await asyncio.to_thread(store.end, trouble.key, entries, now):
            extra = {"kind": trouble.kind, "place": trouble.where, "until": well_since.isoformat()}
            log.warning("trouble is over", extra=extra)
            services.outbox_written.set()

    async def is_taken(self) -> bool:
        """Whether Slack takes the token: this process may not have asked since another one did."""
        with suppress(SlackFailed):
            await call(self._services.slack.client.auth_test())
            return True
        return False

    async def tell_of_database(self, trouble: Trouble | None) -> None:
        """Post straight to Slack that the database is in trouble, or that it is over."""
        services, last = self._services, self._told_of_database
        if trouble and last is None:
            self._told_of_database = trouble
            log.error("trouble", extra=_loggable(trouble))
            for destination in self.destinations():
                tasks = await due_tasks_for(services, destination)
                message = messages.troubles.began(trouble, tasks, recurs=False)
                await self.post(destination, message, f"trouble:{trouble.key}")
        elif last and (until := self.database_well_since()):
            self._told_of_database = None
            log.warning("trouble is over", extra=_loggable(last))
            for destination in self.destinations():
                await self.post(destination, messages.troubles.over(last, until), "over")

    def database_well_since(self) -> datetime | None:
        """Return when the database failed last, None unless it has been well for long enough."""
        outage, now = self._services.database_outage, self._services.clock.now()
        patience = timedelta(seconds=self._services.timeouts.recovered)
        if outage.since or outage.last_at is None or now - outage.last_at < patience:
            return None
        return outage.last_at

    async def post(self, destination: Destination, message: Message, part: str) -> None:
        """Post a message once, without the outbox; what fails is logged, and not tried again."""
        metadata = {"part": part, "operation": self._services.process_id}
        try:
            channel = await slack_channel(self._services, destination)
            await self._services.slack.post(channel, message, metadata)
        except SlackFailed as error:
            extra = {"channel": destination.id, "code": error.code}
            log.warning("nobody was told of trouble here", extra=extra)

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


def _loggable(trouble: Trouble) -> dict[str, Any]:
    """Return a trouble's facts for the log, with what to do."""
    facts = trouble.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return facts | {"sentence": messages.troubles.headline(trouble)}
