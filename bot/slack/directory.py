"""Who is who in Slack: guests, people of other organisations, and members of user groups.

Kept for a minute. Many who ask at once cause one lookup; a lookup that fails is nobody's
membership, since a right that can't be checked is not there.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.slack import Actor
from bot.policy.config import PolicyHolder
from bot.policy.decide import Principal, identify
from bot.runtime.clock import Clock
from bot.runtime.ttl_cache import TtlCache
from bot.slack.client import code_of
from bot.slack.error_codes import NO_SUCH_GROUP, NO_SUCH_USER
from bot.slack.gateway import SlackFailed
from bot.store import Delegations

log = logging.getLogger(__name__)


class LookupFailed(Exception):
    """Slack could not be asked who somebody is, so nothing may be allowed.

    ``code`` is Slack's word for it, "" where none came.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.code = code_of(cause) if isinstance(cause, SlackApiError) else ""

    @property
    def is_temporary(self) -> bool:
        """Whether asking again may help."""
        return SlackFailed(self.code).is_temporary


def canonical_id(profile: dict[str, Any], user: str) -> str:
    """Return the one id of a person, by Slack's answer about ``user``.

    In an Enterprise Grid that is the organisation's, whichever of their ids they were asked by.

    https://docs.slack.dev/reference/objects/user-object
    """
    enterprise_user = profile.get("enterprise_user") or {}
    return str(enterprise_user.get("id") or profile.get("id") or user)


def require_identified(actor: Actor) -> None:
    """Raise LookupFailed for a person whom Slack could not name when they asked."""
    if not actor.is_identified:
        raise LookupFailed(TimeoutError("Slack did not say who this is"))


class Directory:
    """Answers who a person is now.

    ``team`` is our own Slack workspace's id; an answer may take ``within`` seconds.
    """

    def __init__(  # noqa: PLR0913 - whom it asks, and for how long
        self,
        client: AsyncWebClient,
        team: str,
        policy: PolicyHolder,
        delegations: Delegations,
        *,
        clock: Clock,
        within: float,
    ) -> None:
        self._client = client
        self._team = team
        self._policy = policy
        self._delegations = delegations
        self._clock = clock
        self._within = within
        self._users: TtlCache[dict[str, Any]] = TtlCache(self._user, clock.monotonic)
        self._groups: TtlCache[frozenset[str]] = TtlCache(self._group, clock.monotonic)

    async def identify(self, actor: Actor) -> Actor:
        """Return a person under their canonical id; raises LookupFailed."""
        id_ = await self.canonical_id(actor.id)
        if id_ == actor.id:
            return actor
        return actor.model_copy(update={"id": id_, "alias": actor.id})

    async def canonical_id(self, user: str) -> str:
        """Return the one id of a person who may have two; raises LookupFailed."""
        try:
            async with asyncio.timeout(self._within):
                return canonical_id(await self._users.get(user), user)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(error) from error

    async def principal(self, actor: Actor) -> Principal:
        """Return what the policy must know of a person; raises LookupFailed."""
        require_identified(actor)
        try:
            async with asyncio.timeout(self._within):
                profile = await self._users.get(actor.id)
                user = canonical_id(profile, actor.id)
                principal, delegators = await asyncio.gather(
                    self._principal(actor), self._delegators(user)
                )
                if profile.get("deleted"):  # nobody's rights help a closed account
                    return principal
                lookups = (self._principal(Actor(id=id_, team=self._team)) for id_ in delegators)
                # Whoever can't be looked up delegates nothing; one's own right does not need them.
                results = await asyncio.gather(*lookups, return_exceptions=True)
                principals = tuple(each for each in results if isinstance(each, Principal))
                return replace(principal, delegators=principals)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(error) from error

    async def _delegators(self, user: str) -> list[str]:
        """Return who delegates their rights to somebody now."""
        received = await asyncio.to_thread(self._delegations.received, user, self._clock.now())
        return [delegation.delegator for delegation in received]

    async def _principal(self, actor: Actor) -> Principal:
        """Look up one person, without what others delegate to them."""
        config = self._policy.current
        groups = sorted({group for role in config.roles.values() for group in role.usergroups})
        user, *members = await asyncio.gather(
            self._users.get(actor.id), *map(self._groups.get, groups)
        )
        # The policy and a user group may name either id of a person.
        id_ = canonical_id(user, actor.id)
        ids = {id_, actor.id, actor.alias, user.get("id")} - {""}
        if user.get("enterprise_user"):
            ids.update(await self._ids_in_policy(id_))
        own_groups = {
            group
            for group, people in zip(groups, members, strict=True)
            if not ids.isdisjoint(people)
        }
        roles = frozenset(
            name
            for name, role in config.roles.items()
            if own_groups.intersection(role.usergroups) or not ids.isdisjoint(role.users)
        )
        teams = {user.get("team_id") or self._team, actor.team or self._team}
        # An address that Slack has not confirmed is nobody's.
        confirmed = user.get("is_email_confirmed") is not False
        email = (user.get("profile") or {}).get("email") or ""
        mapped = sorted(ids.intersection(config.identities.users))
        address = email if confirmed else ""
        identities = tuple(identify(config.identities, one, address) for one in mapped or [id_])
        return Principal(
            id_,
            roles if not user.get("deleted") else frozenset(),
            guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            outsider=bool(user.get("is_stranger")) or teams != {self._team},
            identities=identities,
        )

    async def _ids_in_policy(self, person: str) -> set[str]:
        """Return the ids by which the policy names the person with this canonical id."""
        config = self._policy.current
        users = {*config.identities.users}.union(*(role.users for role in config.roles.values()))
        ordered = sorted(users)
        profiles = await asyncio.gather(*map(self._users.get, ordered), return_exceptions=True)
        ids = set()
        for user, profile in zip(ordered, profiles, strict=True):
            if isinstance(profile, SlackApiError) and code_of(profile) in NO_SUCH_USER:
                continue
            if isinstance(profile, BaseException):
                raise profile  # it may be this person, whom a rule by that id denies something
            if canonical_id(profile, user) == person:
                ids.add(user)
        return ids

    async def group_members(self, group: str) -> frozenset[str]:
        """Return the people of a user group now; raises LookupFailed."""
        try:
            return await self._groups.get(group)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(error) from error

    async def time_zone(self, user: str) -> tzinfo:
        """Return a person's time zone; raises LookupFailed.

        It is their offset now, without any change of the clocks, where its name is unknown here.
        """
        try:
            async with asyncio.timeout(self._within):
                profile = await self._users.get(user)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            raise LookupFailed(error) from error
        try:
            return ZoneInfo(str(profile.get("tz")))
        except (KeyError, ValueError, OSError):  # KeyError: no such zone
            return timezone(timedelta(seconds=int(profile.get("tz_offset") or 0)))

    async def name(self, user: str) -> str:
        """Return the name a person goes by; their id while Slack can't be asked."""
        try:
            profile = await self._users.get(user)
        except (SlackApiError, aiohttp.ClientError, TimeoutError):
            return user
        return str(profile.get("real_name") or profile.get("name") or user)

    async def _user(self, user: str) -> dict[str, Any]:
        profile: dict[str, Any] = (await self._client.users_info(user=user))["user"]
        return profile

    async def _group(self, group: str) -> frozenset[str]:
        try:
            response = await self._client.usergroups_users_list(usergroup=group)
        except SlackApiError as error:
            if error.response.get("error") != NO_SUCH_GROUP:
                raise
            log.warning("user group is gone", extra={"usergroup": group})
            return frozenset()  # its role is lost, and no other
        return frozenset(response["users"])
