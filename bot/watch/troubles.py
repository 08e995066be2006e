"""Which troubles keep the bot from its work now, as recorded and as this process meets them.

Health, metrics, ``/secmaster status`` and the messages all ask here, so that they agree.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import assert_never

import sqlalchemy as sa

from bot.domain.cards import Card
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Destination, DestinationKind
from bot.domain.tracking import TrackedObject
from bot.domain.troubles import DUE_WITHIN, DueTask, DueTasks, Expiring, Trouble, TroubleKind
from bot.domain.watch_status import FailedAnswer, PollStatus
from bot.notifications.reminder import auto_approves_by
from bot.secmaster import SecMasterError, Task
from bot.services import Services
from bot.slack.gateway import SlackFailed, call
from bot.store import why_unusable
from bot.watch.poller import MAX_PAUSE

ENDS_WITHIN = timedelta(days=7)
OF_POLLING = (TroubleKind.SECMASTER, TroubleKind.WATCH_BEHIND)
ASKED_WITHIN = 2.0  # seconds for SecMaster to answer somebody who asks how the bot is
PROBE_TIMEOUT = 2.0  # seconds for the database to take a write, or to answer
NO_ANSWER = "no answer in time"
NAMED = 5  # tasks that are approved by themselves soon


async def current_troubles(services: Services) -> list[Trouble]:
    """Return the troubles that have lasted for as long as people are told after.

    While the database does not answer, what is recorded of SecMaster is not among them.
    """
    now, lasting = services.clock.now(), timedelta(seconds=services.timeouts.trouble)
    troubles = await observed_troubles(services)
    return [trouble for trouble in troubles if now - trouble.since >= lasting]


async def observed_troubles(services: Services) -> list[Trouble]:
    """Return all troubles, however short they have lasted."""
    troubles = own_troubles(services)
    if services.database_outage.since:
        return troubles
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            statuses = await asyncio.to_thread(services.store.poll_statuses.all)
    except (TimeoutError, sa.exc.SQLAlchemyError):
        return troubles
    return troubles + watch_troubles(services, statuses)


async def troubles_as_asked(services: Services) -> list[Trouble]:
    """Return all troubles, however short, for whoever asks now.

    Where SecMaster was in trouble when it was polled last, or is not polled, it is asked afresh.
    """
    observed = await observed_troubles(services)
    polling = [each for each in observed if each.kind in OF_POLLING]
    if services.poll_interval and not polling:
        return observed
    began = {each.where: each.since for each in polling}
    troubles = [each for each in observed if each.kind is not TroubleKind.SECMASTER]
    for alias in services.workspaces:
        if answer := await ask_afresh(services, alias):
            since = began.get(alias, services.clock.now())
            troubles.append(
                Trouble(kind=TroubleKind.SECMASTER, since=since, where=alias, answer=answer)
            )
    return troubles


async def ask_afresh(services: Services, alias: str) -> FailedAnswer | None:
    """Ask SecMaster for a task of a workspace; return how that failed, None where it answered."""
    try:
        async with asyncio.timeout(ASKED_WITHIN):
            await services.workspaces.client(alias).list_tasks(limit=1)
    except (SecMasterError, TimeoutError) as error:
        return FailedAnswer.of(error)
    services.workspaces.answered.set()
    return None


def own_troubles(services: Services) -> list[Trouble]:
    """Return the troubles that this process meets itself."""
    troubles, now = [], services.clock.now()
    outage, token = services.database_outage, services.slack.token
    if outage.since:
        kind, replica = TroubleKind.DATABASE, services.replica
        troubles.append(Trouble(kind=kind, since=outage.since, where=replica, code=outage.problem))
    if token.outage.since:
        kind = TroubleKind.SLACK_TOKEN
        troubles.append(Trouble(kind=kind, since=token.outage.since, code=token.outage.problem))
    for expiring, ends_at in sorted(services.expiries().items()):
        began_at = ends_at - ENDS_WITHIN
        if began_at <= now:
            troubles.append(
                Trouble(kind=TroubleKind.EXPIRY, since=began_at, where=expiring, ends_at=ends_at)
            )
    return troubles


def watch_troubles(services: Services, statuses: list[PollStatus]) -> list[Trouble]:
    """Return the troubles of polling; there are none where SecMaster is not polled.

    A poll that fails by a fault of ours says nothing of SecMaster: the watch is behind then. So it
    is where the last poll failed by SecMaster, and none was tried since.
    """
    if not services.poll_interval:
        return []
    troubles, now = [], services.clock.now()
    for status in statuses:
        if status.workspace not in services.workspaces:
            continue
        late_since = _late_since(services, status)
        if status.failing_since and _fails_by_secmaster(status) and late_since > now:
            kind, since = TroubleKind.SECMASTER, status.failing_since
            troubles.append(
                Trouble(kind=kind, since=since, where=status.workspace, answer=status.answer)
            )
        elif late_since <= now:
            kind = TroubleKind.WATCH_BEHIND
            troubles.append(Trouble(kind=kind, since=late_since, where=status.workspace))
    return troubles


def _fails_by_secmaster(status: PollStatus) -> bool:
    return status.failure not in {OutcomeReason.NONE, OutcomeReason.OWN_FAULT}


def _late_since(services: Services, status: PollStatus) -> datetime:
    """Return since when a poll is late: a good one, or after one that failed by SecMaster any.

    A poll takes its time. Perhaps nobody could before this process began, or without the database.
    """
    last, patience = status.last_success_at or status.since, 2 * services.poll_interval
    if _fails_by_secmaster(status):
        last, patience = status.attempted_at, patience + MAX_PAUSE
    excuses = (services.started_at, services.database_outage.last_at)
    return max(last, *filter(None, excuses)) + timedelta(seconds=patience)


async def is_over(services: Services, trouble: Trouble) -> bool:
    """Return whether what is no longer seen of a trouble proves that it is over.

    That it is not known any more proves nothing: of what ends before a connection has shown it, of
    SecMaster while nobody polls it, of the token since another process has asked.
    """
    match trouble.kind:
        case TroubleKind.EXPIRY:
            ends_at = services.expiries().get(Expiring(trouble.where))
            return ends_at is not None and ends_at - ENDS_WITHIN > services.clock.now()
        case TroubleKind.SECMASTER:
            if not services.poll_interval or trouble.where not in services.workspaces:
                return True
            get = services.store.poll_statuses.get
            status = await asyncio.to_thread(get, trouble.where)
            return status is None or status.failing_since is None
        case TroubleKind.SLACK_TOKEN:
            with suppress(SlackFailed):
                await call(services.slack.client.auth_test())
                return True
            return False
        case TroubleKind.WATCH_BEHIND | TroubleKind.DATABASE:
            return True
        case _:
            assert_never(trouble.kind)


async def check_database(services: Services) -> str:
    """Try to write to the database; return "" or why that is not possible, and note that."""
    problem = ""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            now = services.clock.monotonic()
            await asyncio.to_thread(services.store.write_probe.check, now)
    except TimeoutError:
        problem = NO_ANSWER
    except sa.exc.SQLAlchemyError as error:
        problem = why_unusable(error).sentence
    services.database_outage.note(problem, services.clock.now())
    return problem


async def due_tasks(services: Services, may_read: Callable[[TrackedObject], bool]) -> DueTasks:
    """Return the tasks that SecMaster approves by itself soon, if nobody decides them there.

    A few are named, of those that ``may_read`` accepts.
    """
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            return await asyncio.to_thread(_load_due_tasks, services, may_read)
    except (TimeoutError, sa.exc.SQLAlchemyError):
        return DueTasks(is_known=False)


def _load_due_tasks(services: Services, may_read: Callable[[TrackedObject], bool]) -> DueTasks:
    store, now = services.store, services.clock.now()
    until = now + DUE_WITHIN
    tasks = [
        tracked
        for tracked in store.tracked.due_between(now, until)
        if auto_approves_by(tracked.snapshot, until)
    ]
    named: list[DueTask] = []
    for tracked in filter(may_read, tasks):
        if len(named) == NAMED or not isinstance(tracked.snapshot, Task):
            break
        # A card in somebody's direct messages can't be opened by anybody else.
        card = next((each for each in store.cards.cards_of(tracked.ref) if _is_shared(each)), None)
        link = services.slack.permalink(card.channel, card.ts) if card else ""
        name, due = tracked.snapshot.name, tracked.snapshot.due_date
        if due:
            named.append(DueTask(ref=tracked.ref, name=name, due=due, link=link))
    return DueTasks(named=tuple(named), others=len(tasks) - len(named))


def _is_shared(card: Card) -> bool:
    """Whether a card stands in a channel."""
    return Destination.parse(card.channel).kind is DestinationKind.CHANNEL
