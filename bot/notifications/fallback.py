"""Channels that take no message any more: who is told, and where their cards go meanwhile."""

import asyncio
import logging
from datetime import timedelta

from bot.domain.notifications import Notification, NotificationKind, OutboxEntry
from bot.services import services

log = logging.getLogger(__name__)

TRIED_AGAIN = timedelta(hours=1)  # until a closed channel is tried again
ASKED_AGAIN = timedelta(minutes=1)  # until a group that was empty is: people come with each shift


async def redirect_if_closed(channel: str) -> bool:
    """Whether a channel is known as closed; what waits for it then goes to the fallback."""
    closed_channels, now = services().store.closed_channels, services().clock()
    again = ASKED_AGAIN if channel[0] == "S" else TRIED_AGAIN
    if not await asyncio.to_thread(closed_channels.is_closed, channel, now, again):
        return False
    await _to_fallback(channel)
    return True


async def _to_fallback(channel: str) -> None:
    fallback = services().policy().watch.fallback
    if fallback and fallback != channel:
        await asyncio.to_thread(services().store.outbox.redirect, channel, fallback)


async def report_closed(channel: str, code: str) -> None:
    """Report once to the admins that a channel is closed, and use the fallback."""
    store, now = services().store, services().clock()
    log.warning("a channel is closed to us", extra={"channel": channel, "code": code})
    if await asyncio.to_thread(store.closed_channels.mark_closed, channel, code, now):
        notice = Notification(
            kind=NotificationKind.CHANNEL_CLOSED, details={"channel": channel, "code": code}
        )
        admins = services().policy().watch.admins
        reports = [
            OutboxEntry(
                dedupe_key=f"closed:{channel}:{now}:{who}",
                channel=who,
                notification=notice,
                not_before=now,
            )
            for who in admins
            if who != channel
        ]
        await asyncio.to_thread(store.outbox.add, reports, now)
    await _to_fallback(channel)
