"""Who is who in Slack: guests, people of other organisations, and members of user groups.

What Slack answers is fresh for a minute; while it is slow or in trouble, its last answer is used up
to ten. Many who ask at once cause one lookup; a lookup that fails is nobody's membership, since a
right that can't be checked is not there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import timedelta, timezone, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.slack import Actor
from bot.policy.config import Config, PolicyHolder
from bot.policy.decide import Principal, identify
from bot.policy.rules import Role
from bot.runtime.clock import Clock
from bot.slack.client import code_of
from bot.slack.error_codes import NO_SUCH_USER
from bot.slack.gateway import SlackFailed
from bot.slack.installation import Installation
from bot.slack.lookups import UNANSWERED, lookup_code, open_cache
from bot.slack.person_ids import PersonIds, canonical_id
from bot.slack.usergroups import UserGroups
from bot.store import Delegations

log = logging.getLogger(__name__)
T = TypeVar("T")


class LookupFailed(Exception):
    """Slack could not be asked who somebody is, so nothing may be allowed.

    ``code`` is Slack's word for it, "" where none came.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.code = lookup_code(cause)

    @property
    def is_temporary(self) -> bool:
        """Whether asking again may help."""
        return SlackFailed(self.code).is_temporary

    @property
    def is_nobody(self) -> bool:
        """Whether Slack says for certain that there is no such person, or none that we may see."""
        return self.code in NO_SUCH_USER


def require_identified(actor: Actor) -> None:
    """Raise LookupFailed for a person whom Slack could not name when they asked."""
    if not actor.is_identified:
        raise LookupFailed(TimeoutError("Slack did not say who this is"))


class Directory:
    """Answers who a person is now.

    ``installation`` is where in Slack we are; an answer may take ``within`` seconds.
    """

    def __init__(  # noqa: PLR0913 - whom it asks, and for how long
        self,
        client: AsyncWebClient,
        installation: Installation,
        policy: PolicyHolder,
        delegations: Delegations,
        *,
        clock: Clock,
        within: float,
    ) -> None:
        self._client = client
        self._installation = installation
        self._policy = policy
        self._delegations = delegations
        self._clock = clock
        self._within = within
        self._users = open_cache(self._user, clock, within)
        self._groups = UserGroups(client, lambda: self._teams, clock=clock, within=within)
        self._ids = PersonIds(client, self._users.get, lambda: self._teams, clock=clock)

    @property
    def _teams(self) -> tuple[str, ...]:
        """The workspaces whose lists of people and user groups count."""
        return self._installation.teams(self._policy.current.organisation.workspaces)

    async def warm_up(self) -> None:
        """Look the user groups of all roles up, and on a Grid who the people are by all their ids.

        So the first click of the day does not wait for that. What Slack does not answer now is
        asked when it is needed; the lists of people are tried again until they are read.
        """
        config = self._policy.current
        groups = {group for role in config.roles.values() for group in role.usergroups}
        try:
            members = await self._groups.members(groups)
        except UNANSWERED as error:
            log.warning("user groups not looked up yet", extra={"code": lookup_code(error)})
            members = {}
        people = _named_people(config, config.roles, members)
        if not self._installation.enterprise or not (people or groups):
            return
        await self._ids.read_lists()
        try:
            await self._ids.among(people, "")
        except UNANSWERED as error:
            log.warning("people not looked up yet", extra={"code": lookup_code(error)})

    async def identify(self, actor: Actor) -> Actor:
        """Return a person under their canonical id; raises LookupFailed."""
        id_ = await self.canonical_id(actor.id)
        if id_ == actor.id:
            return actor
        return actor.model_copy(update={"id": id_, "alias": actor.id})

    async def canonical_id(self, user: str) -> str:
        """Return the one id of a person who may have two; raises LookupFailed."""
        return canonical_id(await self._answer(self._profile(user)), user)

    async def principal(self, actor: Actor, roles: Mapping[str, Role]) -> Principal:
        """Return what the policy must know of a person who may have these roles.

        Only their user groups are asked for. Raises LookupFailed.
        """
        require_identified(actor)
        return await self._answer(self._principal_with_delegators(actor, roles))

    async def _answer(self, lookup: Awaitable[T]) -> T:
        """Await a lookup for as long as an answer may take; raises LookupFailed."""
        try:
            async with asyncio.timeout(self._within):
                return await lookup
        except UNANSWERED as error:
            raise LookupFailed(error) from error

    async def _principal_with_delegators(
        self, actor: Actor, roles: Mapping[str, Role]
    ) -> Principal:
        profile, members = await asyncio.gather(
            self._profile(actor.id),
            self._groups.members({group for role in roles.values() for group in role.usergroups}),
        )
        user = canonical_id(profile, actor.id)
        principal, delegators = await asyncio.gather(
            self._principal(actor, roles, members), self._delegators(user)
        )
        if profile.get("deleted"):  # nobody's rights help a closed account
            return principal
        lookups = (self._principal(Actor(id=id_), roles, members) for id_ in delegators)
        # Whoever can't be looked up delegates nothing; one's own right does not need them.
        results = await asyncio.gather(*lookups, return_exceptions=True)
        principals = tuple(each for each in results if isinstance(each, Principal))
        return replace(principal, delegators=principals)

    async def _delegators(self, user: str) -> list[str]:
        """Return who delegates their rights to somebody now."""
        received = await asyncio.to_thread(self._delegations.received, user, self._clock.now())
        return [delegation.delegator for delegation in received]

    async def _principal(
        self, actor: Actor, roles: Mapping[str, Role], members: Mapping[str, frozenset[str]]
    ) -> Principal:
        """Look up one person, without what others delegate to them.

        ``members`` are the people of each user group of the roles.
        """
        config = self._policy.current
        user = await self._profile(actor.id)
        # The policy and a user group may name either id of a person.
        id_ = canonical_id(user, actor.id)
        ids = {id_, actor.id, actor.alias, str(user.get("id") or "")} - {""}
        if user.get("enterprise_user"):
            ids |= await self._ids.among(_named_people(config, roles, members), id_)
        own_groups = {group for group, people in members.items() if not ids.isdisjoint(people)}
        role_names = frozenset(
            name
            for name, role in roles.items()
            if own_groups.intersection(role.usergroups) or not ids.isdisjoint(role.users)
        )
        # An address that Slack has not confirmed is nobody's.
        confirmed = user.get("is_email_confirmed") is not False
        email = (user.get("profile") or {}).get("email") or ""
        mapped = sorted(ids.intersection(config.identities.users))
        address = email if confirmed else ""
        identities = tuple(identify(config.identities, one, address) for one in mapped or [id_])
        workspaces = config.organisation.workspaces
        return Principal(
            id_,
            role_names if not user.get("deleted") else frozenset(),
            guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            outsider=not self._installation.includes(user, actor.team, workspaces),
            identities=identities,
        )

    async def group_members(self, group: str) -> frozenset[str]:
        """Return the people of a user group now; raises LookupFailed."""
        try:
            return (await self._groups.members({group}))[group]
        except UNANSWERED as error:
            raise LookupFailed(error) from error

    async def time_zone(self, user: str) -> tzinfo:
        """Return a person's time zone; raises LookupFailed.

        It is their offset now, without any change of the clocks, where its name is unknown here.
        """
        profile = await self._answer(self._profile(user))
        try:
            return ZoneInfo(str(profile.get("tz")))
        except (KeyError, ValueError, OSError):  # KeyError: no such zone
            return timezone(timedelta(seconds=int(profile.get("tz_offset") or 0)))

    async def name(self, user: str) -> str:
        """Return the name a person goes by; their id while Slack can't be asked."""
        try:
            profile = await self._profile(user)
        except UNANSWERED:
            return user
        return str(profile.get("real_name") or profile.get("name") or user)

    async def _profile(self, user: str) -> dict[str, Any]:
        """Return Slack's profile of a person; raises SlackFailed where there is nobody."""
        profile = await self._users.get(user)
        if not profile:
            raise SlackFailed("user_not_found")
        return profile

    async def _user(self, user: str) -> dict[str, Any]:
        """Ask Slack for a profile; it is empty where there is no such person."""
        try:
            profile: dict[str, Any] = (await self._client.users_info(user=user))["user"]
        except SlackApiError as error:
            if code_of(error) not in NO_SUCH_USER:
                raise
            return {}
        self._ids.learn(profile, user)
        return profile


def _named_people(
    config: Config, roles: Mapping[str, Role], members: Mapping[str, frozenset[str]]
) -> set[str]:
    """Return the ids by which the policy names people who may have these roles.

    ``members`` are the people of each user group of the roles.
    """
    by_role = (role.users for role in roles.values())
    return {*config.identities.users}.union(*by_role, *members.values())
