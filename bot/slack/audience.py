"""Who reads a channel beside the organisation's own members: guests, and other organisations."""

from collections.abc import Collection
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.channels import is_shared_outside
from bot.slack.lookups import items

PAGE = 1000  # people that Slack lists at once


@dataclass(frozen=True, slots=True)
class Audience:
    """One channel: whether the bot can post there, and who else reads it.

    ``shared``: another organisation does; ``guests`` is how many there are.
    """

    name: str
    is_archived: bool
    is_private: bool
    is_member: bool
    shared: bool
    guests: int


async def read_audience(client: AsyncWebClient, channel: str, guests: Collection[str]) -> Audience:
    """Return the audience of a channel, of whose people these are guests; raises SlackApiError."""
    info = (await client.conversations_info(channel=channel))["channel"]
    members = items(client.conversations_members, "members", limit=PAGE, channel=channel)
    people = {member async for member in members} if guests else set()
    return Audience(
        name=str(info.get("name") or channel),
        is_archived=bool(info.get("is_archived")),
        is_private=bool(info.get("is_private")),
        is_member=bool(info.get("is_member", True)),
        shared=is_shared_outside(info),
        guests=len(people.intersection(guests)),
    )
