"""The cards of what is not settled follow SecMaster, whoever changes it and wherever.

Each round reads a few objects, those not looked at for longest first, so that its cost does not
grow with their number. It only ever draws: what it misses, the next round sees.
"""

import asyncio
import logging
from datetime import timedelta

from bot.flows import telling
from bot.flows.desk import desk
from bot.flows.posting import SlackTrouble
from bot.secmaster import AnswerLost, Refused, Unavailable, Unreachable, Unreadable

log = logging.getLogger(__name__)

UNASKABLE = (AnswerLost, Unavailable, Unreachable)
MOST = 20  # objects a round
DRAWN = 10  # cards a round: Slack takes fifty updates a minute, and decisions need some of them
FOLLOWED = timedelta(days=30)  # a run that failed and that nobody retries stays failed for ever


async def keep_watch(every: float) -> None:
    """Look again and again, ``every`` so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(every)
        try:
            await look_once()
        except UNASKABLE as error:
            log.warning("cards can't follow", extra={"error": str(error)})
        except Exception:
            # Whatever one round met, the next is to come.
            log.exception("a round of the watch broke off")


async def look_once() -> None:
    """One round: draw the cards of what has changed; raises what every object would meet."""
    store, now, left = desk().store, desk().clock(), DRAWN
    for ref in await asyncio.to_thread(store.unsettled, MOST, now - FOLLOWED):
        # Before it is looked at, or one that can't be read would stand before all others.
        await asyncio.to_thread(store.looking, ref, now)
        try:
            left -= await telling.follow(ref)
        except (Refused, Unreadable, SlackTrouble) as error:
            log.warning("a card can't follow", extra={"ref": str(ref), "error": str(error)})
        if left <= 0:
            return
