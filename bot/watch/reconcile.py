"""Cards follow SecMaster, whoever changes it and wherever.

They are drawn again. Each poll looks at a few objects, so that its cost does not grow with their
number; what one poll misses, the next sees.
"""

import asyncio
import logging
from datetime import timedelta

from bot.domain.objects import Ref
from bot.secmaster import Refused, SecMasterError, Unreadable
from bot.services import Services
from bot.slack.cards import IncompleteCards
from bot.slack.gateway import SlackFailed
from bot.watch.completion import complete_unfinished
from bot.watch.following import SECMASTER_DOWN, follow_runs

log = logging.getLogger(__name__)

MAX_STALE = 20  # objects a poll that have changed or left a list
MAX_DRAWN = 10  # cards a poll: Slack takes fifty updates a minute, and decisions need some of them
UNLISTED = 5  # objects a poll that no list speaks of
LISTED = 2  # and that the lists speak of
FAILURES_IN_A_ROW = 3  # objects that can't be read one after the other
CHECKED_FOR = timedelta(days=30)  # a run that failed and that nobody retries stays failed for ever


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
    # However much changes: whoever retried or decided waits to be told.
    remaining -= await follow_runs(services)
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
