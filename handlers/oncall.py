"""Somebody takes over: who is on call, what presses, and what was done before."""

import asyncio

from bot.messages import Message, command_help, digest, oncall
from bot.messages.oncall import SOON
from bot.messages.watch import NOTHING_WATCHES
from bot.notifications import digests
from bot.slack.directory import LookupFailed
from handlers.context import House
from handlers.errors import Told
from handlers.requests import HandOver, OnCall

PRESSING = 3  # tasks that are named


async def answer(house: House, request: HandOver | OnCall) -> Message:
    """Answer from what the watch knows."""
    if not house.config.watch.every:
        raise Told(command_help.plain(NOTHING_WATCHES))
    return await (hand_over if isinstance(request, HandOver) else waiting)(house)


async def hand_over(house: House) -> Message:
    """What would be handed over now, for the length of a shift."""
    now = house.desk.clock()
    since = now - house.config.watch.shift
    return digest.digest(await asyncio.to_thread(digests.gathered, since, now))


async def waiting(house: House) -> Message:
    """Who is on call, and what waits for them."""
    known, now = house.desk.store.known, house.desk.clock()
    tally = await asyncio.to_thread(known.tally, now, SOON)
    pressing = await asyncio.to_thread(known.open_tasks, PRESSING)
    unread = await asyncio.to_thread(digests.unread_since)
    return oncall.answer(await on_call(house), tally, pressing, now, unread)


async def on_call(house: House) -> tuple[str, ...] | None:
    """The people of the user groups that are on call; None where Slack could not be asked."""
    groups = house.config.watch.oncall
    try:
        found = await asyncio.gather(*map(house.desk.members, groups))
    except LookupFailed:
        return None
    return tuple(sorted(frozenset().union(*found)))
