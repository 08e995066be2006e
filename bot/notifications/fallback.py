"""Channels that take no message any more: who is told, and where their cards go meanwhile."""

import asyncio
import logging
from datetime import timedelta

from bot.domain.notifications import Due, Notice, NoticeKind
from bot.services import desk

log = logging.getLogger(__name__)

TRIED_AGAIN = timedelta(hours=1)  # until a closed channel is tried again
ASKED_AGAIN = timedelta(minutes=1)  # until a group that was empty is: people come with each shift


async def elsewhere(channel: str) -> bool:
    """Whether a channel is known as closed; what waits for it then goes to the fallback."""
    outbox, now = desk().store.outbox, desk().clock()
    again = ASKED_AGAIN if channel[0] == "S" else TRIED_AGAIN
    if not await asyncio.to_thread(outbox.is_closed, channel, now, again):
        return False
    await _to_fallback(channel)
    return True


async def _to_fallback(channel: str) -> None:
    fallback = desk().policy().watch.fallback
    if fallback and fallback != channel:
        await asyncio.to_thread(desk().store.outbox.readdress, channel, fallback)


async def closed(channel: str, code: str) -> None:
    """Report once to the admins that a channel is closed, and use the fallback."""
    outbox, now = desk().store.outbox, desk().clock()
    log.warning("a channel is closed to us", extra={"channel": channel, "code": code})
    if await asyncio.to_thread(outbox.close, channel, code, now):
        notice = Notice(kind=NoticeKind.CLOSED, told={"channel": channel, "code": code})
        admins = desk().policy().watch.admins
        reports = [
            Due(once=f"closed:{channel}:{now}:{who}", channel=who, notice=notice, not_before=now)
            for who in admins
            if who != channel
        ]
        await asyncio.to_thread(outbox.add, reports, now)
    await _to_fallback(channel)
