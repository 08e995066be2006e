"""Cards and retried runs follow SecMaster, whoever changes it and wherever.

Cards are drawn again, and a thread is told how a retry ended. Each poll looks at a few objects, so
that its cost does not grow with their number; what one poll misses, the next sees.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from bot.domain.objects import Ref
from bot.domain.tracking import FollowedRetry
from bot.notifications.kinds import RetryEndedNotification
from bot.secmaster import (
    AnswerLost,
    Instance,
    InstanceStatus,
    NotFound,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
)
from bot.services import Services
from bot.slack.cards import IncompleteCards
from bot.slack.gateway import SlackFailed
from bot.watch.completion import complete_unfinished

log = logging.getLogger(__name__)

SECMASTER_DOWN = (AnswerLost, Unavailable, Unreachable)
MAX_STALE = 20  # objects a poll that have changed or left a list
MAX_DRAWN = 10  # cards a poll: Slack takes fifty updates a minute, and decisions need some of them
UNLISTED = 5  # objects a poll that no list speaks of
LISTED = 2  # and that the lists speak of
FAILURES_IN_A_ROW = 3  # objects that can't be read one after the other
CHECKED_FOR = timedelta(days=30)  # a run that failed and that nobody retries stays failed for ever
FOLLOWED_FOR = timedelta(days=1)  # a run that was retried and does not end
SETTLED_AFTER = timedelta(minutes=1)  # a failure for so long after a retry is a new one
FINAL_STATUSES = (InstanceStatus.FINISHED, InstanceStatus.TERMINATED)


async def catch_up(services: Services) -> None:
    """Bring the cards up to what the lists said, and check a few that no list speaks of.

    Raises one of SECMASTER_DOWN.
    """
    if services.slack.token.refusal:
        return  # nothing can be drawn, and nobody be told
    await complete_unfinished(services)
    store, remaining, failures = services.store, MAX_DRAWN, 0
    trouble: SecMasterError | None = None
    for ref in await asyncio.to_thread(store.tracked.stale, MAX_STALE):
        try:
            remaining -= await redraw(services, ref)
            failures = 0
        except SECMASTER_DOWN as error:
            # One that can't be read is not SecMaster's trouble; several are.
            failures += 1
            trouble = error if failures == FAILURES_IN_A_ROW else None
        if trouble or remaining <= 0:
            break
    # However much changes: whoever retried waits to be told.
    for retry in await asyncio.to_thread(store.followed_retries.all, MAX_STALE):
        remaining -= await follow_retry(services, retry)
    if trouble:
        raise trouble
    if remaining > 0:
        await check_unlisted(services, remaining)


async def check_unlisted(services: Services, limit: int = MAX_DRAWN) -> None:
    """Compare objects that have cards with SecMaster, the one checked longest ago first.

    Most are those that no list speaks of; a few others are among them, since a list may not tell
    of every change. Ends when ``limit`` cards were drawn.
    """
    store, now = services.store, services.clock.now()
    since = now - CHECKED_FOR
    refs = await asyncio.to_thread(store.cards.cards_to_check, UNLISTED, since)
    refs += await asyncio.to_thread(store.cards.cards_to_check, LISTED, since, listed=True)
    for ref in refs:
        # Recorded before it is read, or one that can't be read would stand before all others.
        await asyncio.to_thread(store.cards.mark_checking, ref, now)
        limit -= await redraw(services, ref)
        if limit <= 0:
            return


async def redraw(services: Services, ref: Ref) -> int:
    """Draw an object's outdated cards; return how many. Raises one of SECMASTER_DOWN."""
    try:
        drawn = await services.cards.redraw_outdated(ref)
    except (Refused, Unreadable, SlackFailed) as error:
        log.warning("card not refreshed", extra={"ref": str(ref), "error": str(error)})
        # What Slack did not take is tried again; what can't be read must not stand before others.
        is_stale = isinstance(error, SlackFailed)
        await asyncio.to_thread(services.store.tracked.mark_stale, ref, stale=is_stale)
        return int(is_stale)  # an update that Slack did not take was one as well
    if drawn:  # the object has changed: so may have what is around it
        services.cards.incomplete.put_nowait(IncompleteCards(ref))
    return drawn


async def follow_retry(services: Services, retry: FollowedRetry) -> int:
    """Look at a retried run, and enqueue how it ended; return how many cards were drawn.

    Raises one of SECMASTER_DOWN.
    """
    retries, now, ref = services.store.followed_retries, services.clock.now(), retry.operation.ref
    await asyncio.to_thread(retries.mark_checked, retry, now)
    drawn = await redraw(services, ref)
    try:
        run = await services.cards.read_and_track(ref)
    except NotFound:
        await asyncio.to_thread(retries.finish, retry, (), now)
        return drawn
    except SECMASTER_DOWN:
        raise
    except SecMasterError:
        return drawn
    if isinstance(run, Instance) and retry_has_ended(run, retry, now):
        entry = RetryEndedNotification.entry(run, retry, now)
        await asyncio.to_thread(retries.finish, retry, [entry], now)
    elif now - retry.operation.accepted_at > FOLLOWED_FOR:
        await asyncio.to_thread(retries.finish, retry, (), now)
    return drawn


def retry_has_ended(run: Instance, retry: FollowedRetry, now: datetime) -> bool:
    """Return whether the retry is over: a failure that was there before it is not its end.

    A retry may count before the failure is gone, and SecMaster's clock may be behind ours.
    """
    if run.status != InstanceStatus.FAILED:
        return run.status in FINAL_STATUSES
    accepted_at = retry.operation.accepted_at
    if run.end_time is not None and run.end_time > accepted_at:
        return True
    return run.retry_count > retry.retries_before and now - accepted_at > SETTLED_AFTER
