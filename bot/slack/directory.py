"""Who is who in Slack: guests, people of other organisations, and members of user groups.

Kept for a minute. Many who ask at once cause one lookup; a lookup that fails is nobody's
membership, since a right that can't be checked is not there.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.slack import Actor
from bot.policy.config import Config
from bot.policy.decide import Identity, Principal, identify
from bot.runtime.ttl_cache import TtlCache

log = logging.getLogger(__name__)

NO_SUCH_GROUP = "no_such_subteam"


class LookupFailed(Exception):
    """Slack could not be asked who somebody is, so nothing may be allowed."""


FindDelegators = Callable[[str], Awaitable[Sequence[str]]]


class Directory:
    """Answers who a person is now.

    ``team`` is our own workspace's id, ``config`` gives the policy that stands, ``lenders``
    names who lent somebody their rights, ``within`` is how many seconds an answer may take, and
    ``clock``, in seconds, is what the age of an answer is measured by.
    """

    def __init__(  # noqa: PLR0913 - who is asked, about which workspace, by which policy and clock
        self,
        slack: AsyncWebClient,
        team: str,
        config: Callable[[], Config],
        lenders: FindDelegators,
        *,
        within: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._within = within
        self._slack = slack
        self._team = team
        self._config = config
        self._lenders = lenders
        self._users: TtlCache[dict[str, Any]] = TtlCache(self._user, clock)
        self._groups: TtlCache[frozenset[str]] = TtlCache(self._group, clock)

    async def principal(self, actor: Actor) -> Principal:
        """Return what the policy must know of a person; raises LookupFailed."""
        try:
            async with asyncio.timeout(self._within):
                own, lenders = await asyncio.gather(self._member(actor), self._lenders(actor.id))
                asked = (self._member(Actor(id=lender, team=self._team)) for lender in lenders)
                # Whoever can't be asked about lends nothing; one's own right does not need them.
                found = await asyncio.gather(*asked, return_exceptions=True)
                lent = tuple(member for member in found if isinstance(member, Principal))
                return replace(own, delegators=lent)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(str(error)) from error

    async def _member(self, actor: Actor) -> Principal:
        """Ask about one person, without what others lent them."""
        config = self._config()
        groups = sorted({group for role in config.roles.values() for group in role.usergroups})
        user, *found = await asyncio.gather(
            self._users.get(actor.id), *map(self._groups.get, groups)
        )
        inside = {group for group, people in zip(groups, found, strict=True) if actor.id in people}
        roles = frozenset(
            name
            for name, role in config.roles.items()
            if actor.id in role.users or inside.intersection(role.usergroups)
        )
        return Principal(
            actor.id,
            roles if not user.get("deleted") else frozenset(),
            guest=_guest(user),
            outsider=self._outsider(actor, user),
            identities=(_identity(config, actor.id, user),),
        )

    async def group_members(self, group: str) -> frozenset[str]:
        """The people of a user group now; raises LookupFailed."""
        try:
            return await self._groups.get(group)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(str(error)) from error

    async def time_zone(self, user: str) -> timezone:
        """A person's offset from UTC now; raises LookupFailed."""
        try:
            async with asyncio.timeout(self._within):
                profile = await self._users.get(user)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(str(error)) from error
        return timezone(timedelta(seconds=int(profile.get("tz_offset") or 0)))

    async def name(self, user: str) -> str:
        """The name a person goes by; their id while Slack can't be asked."""
        try:
            profile = await self._users.get(user)
        except (SlackApiError, aiohttp.ClientError, TimeoutError):
            return user
        return str(profile.get("real_name") or profile.get("name") or user)

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


def _identity(config: Config, user_id: str, user: dict[str, Any]) -> Identity:
    """Who this is in SecMaster; an address that Slack has not confirmed is nobody's."""
    confirmed = user.get("is_email_confirmed") is not False
    email = (user.get("profile") or {}).get("email") or ""
    return identify(config.identities, user_id, email if confirmed else "")
