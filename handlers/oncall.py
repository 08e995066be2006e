"""Somebody takes over: who is on call, what presses, and what was done before."""

import asyncio

from bot.messages import Message, digest, oncall, text_message
from bot.messages.oncall import SOON
from bot.messages.watch import NOT_WATCHING
from bot.notifications import digests
from bot.slack.directory import LookupFailed
from handlers.context import AppContext
from handlers.errors import UserError
from handlers.requests import ShowDigest, ShowOnCall

PRESSING = 3  # tasks that are named


async def answer(app: AppContext, request: ShowDigest | ShowOnCall) -> Message:
    """Answer from what the watch knows."""
    if not app.config.watch.every:
        raise UserError(text_message(NOT_WATCHING))
    return await (hand_over if isinstance(request, ShowDigest) else waiting)(app)


async def hand_over(app: AppContext) -> Message:
    """What would be handed over now, for the length of a shift."""
    now = app.services.clock()
    since = now - app.config.watch.shift
    return digest.digest(await asyncio.to_thread(digests.collect, since, now))


async def waiting(app: AppContext) -> Message:
    """Who is on call, and what waits for them."""
    known, now = app.services.store.tracked, app.services.clock()
    tally = await asyncio.to_thread(known.open_counts, now, SOON)
    pressing = await asyncio.to_thread(known.open_tasks, PRESSING)
    unread = await asyncio.to_thread(digests.unread_since)
    return oncall.on_call(await on_call(app), tally, pressing, now, unread)


async def on_call(app: AppContext) -> tuple[str, ...] | None:
    """The people of the user groups that are on call; None where Slack could not be asked."""
    groups = app.config.watch.oncall
    try:
        found = await asyncio.gather(*map(app.services.members, groups))
    except LookupFailed:
        return None
    return tuple(sorted(frozenset().union(*found)))
