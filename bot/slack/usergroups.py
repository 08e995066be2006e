"""Who is in which user group of Slack.

Slack takes twenty questions a minute about groups, whatever they are: one list answers all.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.clock import Clock
from bot.slack.client import code_of
from bot.slack.error_codes import NO_SUCH_GROUP
from bot.slack.lookups import items, open_cache

log = logging.getLogger(__name__)


class UserGroups:
    """Answers who the members of user groups are; an answer may take ``within`` seconds.

    ``teams`` returns the Slack workspaces whose groups count.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        teams: Callable[[], Sequence[str]],
        *,
        clock: Clock,
        within: float,
    ) -> None:
        self._client = client
        self._teams = teams
        self._lists = open_cache(self._list, clock, within)
        self._groups = open_cache(self._group, clock, within)

    async def members(self, groups: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the people of each of these groups; raises what Slack's client raises.

        Only what the list does not hold whole is asked for by itself. A group that is gone has
        nobody.
        """
        names = sorted(groups)
        if not names:
            return {}
        listed: dict[str, frozenset[str]] = {}
        for groups_of_team in await asyncio.gather(*map(self._lists.get, self._teams())):
            listed |= groups_of_team
        unlisted = [name for name in names if name not in listed]
        people = await asyncio.gather(*map(self._groups.get, unlisted))
        listed |= zip(unlisted, people, strict=True)
        return {name: listed[name] for name in names}

    async def _list(self, team: str) -> dict[str, frozenset[str]]:
        """Ask Slack for the people of every group that it lists whole, by group."""
        groups = items(
            self._client.usergroups_list,
            "usergroups",
            include_count=True,
            include_users=True,
            team_id=team or None,
        )
        return {
            str(group["id"]): frozenset(group["users"]) async for group in groups if whole(group)
        }

    async def _group(self, group: str) -> frozenset[str]:
        """Ask Slack for the people of one group, in each workspace that may have it."""
        people: set[str] = set()
        is_gone = True
        for team in self._teams():
            members = items(
                self._client.usergroups_users_list, "users", usergroup=group, team_id=team or None
            )
            try:
                people.update([user async for user in members])
                is_gone = False
            except SlackApiError as error:
                if code_of(error) != NO_SUCH_GROUP:
                    raise
        if is_gone:
            log.warning("user group is gone", extra={"usergroup": group})
        return frozenset(people)


def whole(group: dict[str, Any]) -> bool:
    """Whether a listed group has all of its people; Slack writes their number as a text, too."""
    people, count = group.get("users"), str(group.get("user_count") or 0)
    return isinstance(people, list) and count.isdigit() and len(people) >= int(count)
