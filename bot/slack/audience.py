"""Who reads a channel beside the organisation's own members: guests, and other organisations."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.channels import is_shared_outside
from bot.slack.client import code_of
from bot.slack.error_codes import is_of_place

PAGE = 1000  # people that Slack lists at once
MAX_PAGES = 10  # Slack takes twenty such calls a minute


@dataclass(frozen=True, slots=True)
class Audience:
    """One channel: its ``name``, whether another organisation shares it, and how many guests."""

    name: str
    shared: bool
    guests: int


class AudienceReader:
    """Reads the audiences of channels; the guests of ``teams`` are listed once for all of them.

    These are Slack workspaces: an app of a whole enterprise has to name them. ``is_partial`` once
    there were more people than it looks at, or one of these is closed to it. Raises SlackApiError.
    """

    def __init__(self, client: AsyncWebClient, teams: Collection[str]) -> None:
        self._client = client
        self._teams = teams
        self._guests: frozenset[str] | None = None
        self.is_partial = False

    async def read(self, channel: str) -> Audience:
        """Return the audience of a channel; people of other organisations count as guests."""
        info = (await self._client.conversations_info(channel=channel))["channel"]
        members = await self._pages(self._client.conversations_members, "members", channel=channel)
        guests = len((await self._all_guests()).intersection(members))
        return Audience(str(info.get("name") or channel), is_shared_outside(info), guests)

    async def _all_guests(self) -> frozenset[str]:
        if self._guests is None:
            people = []
            for team in self._teams:
                try:
                    people += await self._pages(self._client.users_list, "members", team_id=team)
                except SlackApiError as error:
                    if not is_of_place(code_of(error)):
                        raise
                    self.is_partial = True
            self._guests = frozenset(person["id"] for person in people if _is_guest(person))
        return self._guests

    async def _pages(
        self, method: Callable[..., Awaitable[Any]], key: str, **arguments: str
    ) -> list[Any]:
        """Return the items of a paged method, up to some number."""
        items: list[Any] = []
        cursor = ""
        for _ in range(MAX_PAGES):
            response = await method(limit=PAGE, cursor=cursor or None, **arguments)
            items += response[key]
            cursor = (response.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return items
        self.is_partial = True
        return items


def _is_guest(person: dict[str, Any]) -> bool:
    traits = ("is_restricted", "is_ultra_restricted", "is_stranger")
    return not person.get("deleted") and any(person.get(trait) for trait in traits)
