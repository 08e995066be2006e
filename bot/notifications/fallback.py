"""Channels that are closed to the bot: who is told, and where their notifications go meanwhile."""

import asyncio
import logging
from datetime import timedelta

from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Destination, DestinationKind
from bot.notifications.kinds import ChannelClosedNotification
from bot.services import Services

log = logging.getLogger(__name__)

RETRY_CHANNEL_AFTER = timedelta(hours=1)
RETRY_GROUP_AFTER = timedelta(minutes=1)  # a user group was empty: people come with each shift


async def redirect_if_closed(services: Services, destination: Destination) -> bool:
    """Return whether a destination is closed by the policy, or recorded as closed by Slack.

    What waits for it is redirected then.
    """
    closed_channels, now = services.store.closed_channels, services.clock.now()
    is_group = destination.kind is DestinationKind.USERGROUP
    if not is_group and (refusal := await services.slack.channels.refusal(destination.id)):
        await report_closed(services, destination, refusal)
        return True
    retry_after = RETRY_GROUP_AFTER if is_group else RETRY_CHANNEL_AFTER
    if not await asyncio.to_thread(closed_channels.is_closed, destination.id, now, retry_after):
        return False
    await redirect(services, destination)
    return True


async def redirect(services: Services, destination: Destination) -> None:
    """Have what waits for it posted in the fallback channel, where the policy names one."""
    fallback = services.policy.current.watch.fallback
    if fallback and fallback != destination.id:
        target = Destination.parse(fallback)
        await asyncio.to_thread(services.store.outbox.redirect, destination, target)


async def report_closed(services: Services, destination: Destination, code: str) -> None:
    """Record that a destination is closed, tell the admins where that is news, and redirect."""
    store, now, channel = services.store, services.clock.now(), destination.id
    if await asyncio.to_thread(store.closed_channels.mark_closed, channel, code, now):
        log.warning("channel is closed to the bot", extra={"channel": channel, "code": code})
        reports = [
            OutboxEntry(
                dedupe_key=f"closed:{channel}:{now}:{admin}",
                destination=Destination.parse(admin),
                notification=ChannelClosedNotification(channel=channel, code=code),
                not_before=now,
            )
            for admin in services.policy.current.watch.admins
            if admin != channel
        ]
        await asyncio.to_thread(store.outbox.add, reports, now)
    await redirect(services, destination)
