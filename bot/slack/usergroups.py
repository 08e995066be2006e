"""Who is in which user group of Slack.

Slack takes twenty questions a minute about groups, whatever they are: one list answers all. A group
that several workspaces list has the people of each.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.clock import Clock
from bot.slack.client import code_of
from bot.slack.error_codes import NO_SUCH_GROUP, is_of_place
from bot.slack.gateway import SlackFailed
from bot.slack.lookups import items, open_cache

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """The people of each group of a workspace, None for one that Slack does not list whole.

    ``refusal`` is the code with which Slack lists no group of this workspace, "" where it does.
    """

    groups: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    refusal: str = ""


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

        Only what the lists do not hold whole is asked for by itself. A group that is gone has
        nobody. One that no workspace lists may be in one of which Slack lists nothing, and then it
        is unknown who is in it: that raises SlackFailed.
        """
        names = sorted(set(groups))
        if not names:
            return {}
        listings = await asyncio.gather(*map(self._lists.get, self._teams()))
        refusals = [listing.refusal for listing in listings if listing.refusal]
        members: dict[str, frozenset[str]] = {}
        partial: list[str] = []
        for name in names:
            listed = [listing.groups[name] for listing in listings if name in listing.groups]
            if not listed and refusals:
                raise SlackFailed(refusals[0])
            whole_lists = [people for people in listed if people is not None]
            if listed and len(whole_lists) == len(listed):
                members[name] = frozenset().union(*whole_lists)
            else:
                partial.append(name)
        people = await asyncio.gather(*map(self._groups.get, partial))
        return members | dict(zip(partial, people, strict=True))

    async def _list(self, team: str) -> Listing:
        """Ask Slack for the people of every group of a workspace."""
        groups = items(
            self._client.usergroups_list,
            "usergroups",
            include_count=True,
            include_users=True,
            team_id=team or None,
        )
        try:
            return Listing(
                {
                    str(group["id"]): frozenset(group["users"]) if is_whole(group) else None
                    async for group in groups
                }
            )
        except SlackApiError as error:
            if not is_of_place(code_of(error)):
                raise
            # It is an answer, and kept as one: asked at each click, it would use up Slack's limit.
            details = {"team": team, "code": code_of(error)}
            log.warning("user groups of a workspace not listed", extra=details)
            return Listing(refusal=code_of(error))

    async def _group(self, group: str) -> frozenset[str]:
        """Ask Slack for the people of one group, in each workspace that may have it."""
        people: set[str] = set()
        refusals: list[str] = []
        for team in self._teams():
            members = items(
                self._client.usergroups_users_list, "users", usergroup=group, team_id=team or None
            )
            try:
                people.update([user async for user in members])
            except SlackApiError as error:
                if not is_of_place(code_of(error)):
                    raise
                refusals.append(code_of(error))
        if len(refusals) == len(self._teams()):
            if unknown := [code for code in refusals if code != NO_SUCH_GROUP]:
                raise SlackFailed(unknown[0])
            log.warning("user group is gone", extra={"usergroup": group})
        return frozenset(people)


def is_whole(group: dict[str, Any]) -> bool:
    """Whether a listed group has all of its people; Slack writes their number as a text, too."""
    people, count = group.get("users"), str(group.get("user_count") or 0)
    return isinstance(people, list) and count.isdigit() and len(people) >= int(count)
