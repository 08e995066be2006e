"""Which channels the bot may post in: those that the policy names, unless others share them.

https://docs.slack.dev/reference/objects/conversation-object
"""

import asyncio
import logging

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.reasons import ChannelRefusal
from bot.domain.slack import Destination, DestinationKind
from bot.policy.channels import may_show_objects
from bot.policy.config import PolicyHolder
from bot.runtime.clock import Clock
from bot.runtime.ttl_cache import TtlCache

log = logging.getLogger(__name__)

TIMEOUT = 5.0  # seconds that Slack may take to tell what a channel is


def is_shared_outside(channel: dict[str, object]) -> bool:
    """Return whether people of another organisation read a channel, by Slack's conversation object.

    An invitation that waits counts: whoever accepts it reads all that was posted before. Several
    workspaces of one organisation are no other one.
    """
    if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"):
        return True
    return bool(channel.get("is_shared")) and not channel.get("is_org_shared")


class Channels:
    """Answers where the bot may post; what Slack says of a channel is kept for a minute."""

    def __init__(self, client: AsyncWebClient, policy: PolicyHolder, clock: Clock) -> None:
        self._client = client
        self._policy = policy
        self._shared: TtlCache[bool] = TtlCache(self._look_up, clock.monotonic)
        self._last_answers: dict[str, bool] = {}  # of channels that the policy names

    async def refusal(self, channel: str) -> ChannelRefusal | None:
        """Return why nothing about objects may be posted in a channel; None where it may be."""
        config, destination = self._policy.current, Destination.parse(channel)
        if not may_show_objects(config, destination):
            return ChannelRefusal.NOT_NAMED
        if destination.kind is not DestinationKind.CHANNEL or config.channels.shared:
            return None
        return ChannelRefusal.SHARED if await self._shared.get(channel) else None

    async def _look_up(self, channel: str) -> bool:
        """Return whether Slack says that a channel is shared with another organisation.

        The policy names the channel. Where Slack can't tell, what it said last holds, and else the
        policy's word: a card that is not posted may be a host that nobody isolates.
        """
        try:
            async with asyncio.timeout(TIMEOUT):
                response = await self._client.conversations_info(channel=channel)
                shared = is_shared_outside(response["channel"])
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            log.warning(
                "whether a channel is shared is not known",
                extra={"channel": channel, "error": type(error).__name__},
            )
            return self._last_answers.get(channel, False)
        self._last_answers[channel] = shared
        return shared
