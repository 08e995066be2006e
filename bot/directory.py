"""Who is who in Slack: guests, people of other organisations, and members of user groups.

Kept for a minute. Many who ask at once cause one lookup; a lookup that fails is nobody's
membership, since a right that can't be checked is not there.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Role
from bot.models import Actor
from bot.policy import Member

log = logging.getLogger(__name__)

NO_SUCH_GROUP = "no_such_subteam"
KEPT = 60.0  # seconds
WITHIN = 0.8  # seconds: an acknowledgement has three, and recording needs some of them
T = TypeVar("T")


class LookupFailed(Exception):
    """Slack could not be asked who somebody is, so nothing may be allowed."""


class Kept(Generic[T]):
    """What a lookup answered, for a while; one lookup at a time for each key."""

    def __init__(
        self, look_up: Callable[[str], Awaitable[T]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._answers: dict[str, tuple[float, asyncio.Future[T]]] = {}

    async def get(self, key: str) -> T:
        asked, answer = self._answers.get(key, (0.0, None))
        if answer is None or self._clock() - asked > KEPT or _failed(answer):
            answer = asyncio.ensure_future(self._look_up(key))
            self._answers[key] = (self._clock(), answer)
        # Shielded: the first to ask may go away, the others still wait.
        return await asyncio.shield(answer)


def _failed(answer: asyncio.Future[Any]) -> bool:
    return answer.done() and (answer.cancelled() or answer.exception() is not None)


class Directory:
    """Answers who a person is now. ``team`` is our own workspace's id."""

    def __init__(self, slack: AsyncWebClient, team: str, roles: Mapping[str, Role]) -> None:
        self._slack = slack
        self._team = team
        self._roles = roles
        self._users: Kept[dict[str, Any]] = Kept(self._user)
        self._groups: Kept[frozenset[str]] = Kept(self._group)

    async def member(self, actor: Actor) -> Member:
        """Return what the policy must know of a person; raises LookupFailed."""
        try:
            async with asyncio.timeout(WITHIN):
                user, *groups = await asyncio.gather(
                    self._users.get(actor.id), *map(self._groups.get, self._all_groups())
                )
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(str(error)) from error
        inside = dict(zip(self._all_groups(), groups, strict=True))
        roles = frozenset(
            name
            for name, role in self._roles.items()
            if actor.id in role.users or any(actor.id in inside[group] for group in role.usergroups)
        )
        return Member(actor.id, roles, guest=_guest(user), outsider=self._outsider(actor, user))

    async def name(self, user: str) -> str:
        """The name a person goes by; their id while Slack can't be asked."""
        try:
            profile = await self._users.get(user)
        except (SlackApiError, aiohttp.ClientError, TimeoutError):
            return user
        return str(profile.get("real_name") or profile.get("name") or user)

    def _all_groups(self) -> list[str]:
        return sorted({group for role in self._roles.values() for group in role.usergroups})

    def _outsider(self, actor: Actor, user: dict[str, Any]) -> bool:
        teams = {user.get("team_id") or self._team, actor.team or self._team}
        return bool(user.get("is_stranger")) or teams != {self._team}

    async def _user(self, user: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self._slack.users_info(user=user))["user"]
        return found

    async def _group(self, group: str) -> frozenset[str]:
        try:
            answer = await self._slack.usergroups_users_list(usergroup=group)
        except SlackApiError as error:
            if error.response.get("error") != NO_SUCH_GROUP:
                raise
            log.warning("user group is gone", extra={"usergroup": group})
            return frozenset()  # its role is lost, and no other
        return frozenset(answer["users"])


def _guest(user: dict[str, Any]) -> bool:
    return bool(user.get("is_restricted") or user.get("is_ultra_restricted"))
