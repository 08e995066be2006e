"""Cards and retried runs follow SecMaster, whoever changes it and wherever.

It draws, and tells how a retry ended. Each round looks at a few objects, so that its cost does
not grow with their number; what one round misses, the next sees.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from bot.domain.notifications import Notification, NotificationKind, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.tracking import FollowedRetry
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
from bot.services import services
from bot.slack import cards
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)

UNASKABLE = (AnswerLost, Unavailable, Unreachable)
LOOKS = 20  # objects a round that have changed or left a list
DRAWN = 10  # cards a round: Slack takes fifty updates a minute, and decisions need some of them
ROLLING = 5  # objects a round that no list speaks of
LISTED = 2  # and that the lists speak of
IN_A_ROW = 3  # objects that can't be read one after the other
FOLLOWED = timedelta(days=30)  # a run that failed and that nobody retries stays failed for ever
GIVEN_UP = timedelta(days=1)  # a run that was retried and does not end
STANDS = timedelta(minutes=1)  # a failure for so long after a retry is a new one
ENDS = (InstanceStatus.FINISHED, InstanceStatus.TERMINATED)


async def catch_up() -> None:
    """Bring the cards up to what the lists said, and look at what no list speaks of."""
    known, left, failing = services().store.tracked, DRAWN, 0
    trouble: SecMasterError | None = None
    for ref in await asyncio.to_thread(known.stale, LOOKS):
        try:
            left -= await _follow(ref)
            failing = 0
        except UNASKABLE as error:
            # One that can't be read is not SecMaster's trouble; several are.
            failing += 1
            trouble = error if failing == IN_A_ROW else None
        if trouble or left <= 0:
            break
    # However much changes: whoever retried waits to be told.
    for follow in await asyncio.to_thread(services().store.followed_retries.all, LOOKS):
        left -= await _follow_run(follow)
    if trouble:
        raise trouble
    if left > 0:
        await check_unlisted(left)


async def check_unlisted(most: int = DRAWN) -> None:
    """Hold against SecMaster what has cards, longest ago first.

    Most of it no list speaks of; a few others, since a list may not tell of every change.
    """
    store, now = services().store, services().clock()
    refs = await asyncio.to_thread(store.cards_to_check, ROLLING, now - FOLLOWED)
    refs += await asyncio.to_thread(store.cards_to_check, LISTED, now - FOLLOWED, listed=True)
    for ref in refs:
        # Before it is looked at, or one that can't be read would stand before all others.
        await asyncio.to_thread(store.mark_checking, ref, now)
        most -= await _follow(ref)
        if most <= 0:
            return


async def _follow(ref: Ref) -> int:
    try:
        return await cards.redraw_outdated(ref)
    except (Refused, Unreadable, SlackFailed) as error:
        log.warning("a card can't follow", extra={"ref": str(ref), "error": str(error)})
        # What Slack did not take is tried again; what can't be read must not stand before others.
        again = isinstance(error, SlackFailed)
        await asyncio.to_thread(services().store.tracked.mark_stale, ref, stale=again)
        return 0


async def _follow_run(follow: FollowedRetry) -> int:
    """Look at a run that was retried from here; its end is told in the thread."""
    store, now, asked = services().store, services().clock(), follow.operation
    await asyncio.to_thread(store.followed_retries.mark_checked, follow, now)
    drawn = await _follow(asked.ref)
    try:
        run = await cards.read_and_track(asked.ref)
    except NotFound:
        await asyncio.to_thread(store.followed_retries.finish, follow, (), now)
        return drawn
    except SecMasterError as error:
        if isinstance(error, UNASKABLE):
            raise
        return drawn
    ended = isinstance(run, Instance) and _has_ended(run, follow, now)
    if ended or now - asked.accepted_at > GIVEN_UP:
        said = [_end(follow, run, now)] if ended and isinstance(run, Instance) else []
        await asyncio.to_thread(store.followed_retries.finish, follow, said, now)
    return drawn


def _has_ended(run: Instance, follow: FollowedRetry, now: datetime) -> bool:
    """Whether the retry is over: a failure that was there before it is not its end.

    A retry may count before the failure is gone, and SecMaster's clock may be behind ours.
    """
    if run.status != InstanceStatus.FAILED:
        return run.status in ENDS
    asked = follow.operation.accepted_at
    if run.end_time is not None and run.end_time > asked:
        return True
    return run.retry_count > follow.retries_before and now - asked > STANDS


def _end(follow: FollowedRetry, run: Instance, now: datetime) -> OutboxEntry:
    asked, node = follow.operation, run.failed_node
    took = (run.end_time or now) - asked.accepted_at
    told = {
        "status": run.status,
        "name": run.name,
        "by": asked.actor.id,
        "node": (node.action_name or node.action_id) if node else "",
        "error": node.error_msg if node else "",
        "seconds": str(max(0, int(took.total_seconds()))),
        "retries": str(run.retry_count),
    }
    thread = asked.location.card or asked.location.thread
    notice = Notification(
        kind=NotificationKind.RETRY_ENDED, ref=asked.ref, thread_ts=thread, details=told
    )
    channel = asked.location.channel
    return OutboxEntry(
        dedupe_key=f"ended:{asked.id}", channel=channel, notification=notice, not_before=now
    )
