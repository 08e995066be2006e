"""The people and user groups of Slack as somebody sees them who looks at all of them at once.

One list, a page for a thousand people, answers for all; only whom it does not have is asked for one
by one. For what the policy names, not for who may do what: that is `bot.slack.directory`.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.clock import Clock
from bot.slack.client import code_of
from bot.slack.error_codes import NO_SUCH_USER, is_of_place
from bot.slack.gateway import SlackFailed
from bot.slack.installation import Installation
from bot.slack.lookups import items
from bot.slack.person_ids import AT_ONCE, canonical_id
from bot.slack.usergroups import UserGroups

PAGE = 1000  # people that Slack lists at once
MAX_PEOPLE = 10_000  # Slack takes twenty lists a minute
WITHIN = 60.0  # seconds that the members of all groups may take
SLACKBOT = "USLACKBOT"  # it is no bot by its profile


class PersonState(StrEnum):
    """Whether somebody may act: a MEMBER may, if the policy lets them; nobody else ever may."""

    MEMBER = "member"
    UNKNOWN = "unknown"
    DEACTIVATED = "deactivated"
    BOT = "bot"
    GUEST = "guest"
    OUTSIDER = "outsider"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of Slack under their canonical id; ``labels`` are all that they may be called by."""

    id: str
    state: PersonState
    name: str = ""
    labels: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


@dataclass(frozen=True, slots=True)
class Group:
    """A user group of Slack: its handle and name, whether it is disabled, and its people."""

    id: str
    labels: tuple[str, ...]
    is_disabled: bool
    people: frozenset[str]

    def __str__(self) -> str:
        return f"@{self.labels[0]} ({self.id})"


@dataclass
class Roster:
    """Everybody whom Slack lists, by each of their ids.

    ``is_partial`` where there are more people than are looked at, or a workspace is closed.
    """

    client: AsyncWebClient
    installation: Installation
    workspaces: Collection[str]
    people: dict[str, Person] = field(default_factory=dict)
    is_partial: bool = False
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self) -> None:
        """List the people of the workspaces that count; raises what Slack's client raises."""
        for team in self.installation.teams(self.workspaces):
            profiles = items(self.client.users_list, "members", limit=PAGE, team_id=team or None)
            try:
                async for profile in profiles:
                    if len(self.people) >= MAX_PEOPLE:
                        self.is_partial = True
                        return
                    self._learn(profile, str(profile.get("id") or ""))
            except SlackApiError as error:
                if not is_of_place(code_of(error)):
                    raise
                self.is_partial = True

    async def find(self, ids: Iterable[str]) -> list[Person]:
        """Return the person of each of these ids; who is not listed is asked for, a few at once."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(id_: str) -> None:
            async with slots:
                await self._ask(id_)

        ids = list(ids)
        async with self._asking:  # whoever asks for the same person meanwhile finds them known
            await asyncio.gather(*map(ask, {id_ for id_ in ids if id_ not in self.people}))
        return [self.people[id_] for id_ in ids]

    @property
    def guests(self) -> frozenset[str]:
        """The ids of all who are listed and read as guests; people of others count as such."""
        states = {PersonState.GUEST, PersonState.OUTSIDER}
        return frozenset(id_ for id_, person in self.people.items() if person.state in states)

    async def _ask(self, id_: str) -> None:
        try:
            self._learn((await self.client.users_info(user=id_))["user"], id_)
        except SlackApiError as error:
            if code_of(error) not in NO_SUCH_USER:
                raise
            self.people[id_] = Person(id_, PersonState.UNKNOWN)

    def _learn(self, profile: Mapping[str, Any], id_: str) -> None:
        details = profile.get("profile") or {}
        labels = {
            str(text)
            for text in (
                profile.get("name"),
                profile.get("real_name"),
                details.get("display_name"),
                details.get("email"),
            )
            if text
        }
        person = Person(
            canonical_id(profile, id_),
            self._state(profile),
            name=str(profile.get("real_name") or profile.get("name") or ""),
            labels=frozenset(labels),
        )
        self.people |= dict.fromkeys({id_, person.id}, person)

    def _state(self, profile: Mapping[str, Any]) -> PersonState:
        if profile.get("deleted"):
            return PersonState.DEACTIVATED
        if profile.get("is_bot") or profile.get("id") == SLACKBOT:
            return PersonState.BOT
        if not self.installation.includes(profile, "", self.workspaces):
            return PersonState.OUTSIDER
        if profile.get("is_restricted") or profile.get("is_ultra_restricted"):
            return PersonState.GUEST
        return PersonState.MEMBER


async def read_groups(
    client: AsyncWebClient, teams: Collection[str], named: Collection[str]
) -> dict[str, Group]:
    """Return every user group of these workspaces by id, and the people of those that are named.

    Raises what Slack's client raises, and SlackFailed where a group that is named may be of a
    workspace that does not list its groups.
    """
    listed: dict[str, Mapping[str, Any]] = {}
    refusals: list[str] = []
    for team in teams:
        groups = items(
            client.usergroups_list, "usergroups", include_disabled=True, team_id=team or None
        )
        try:
            async for group in groups:
                listed.setdefault(str(group["id"]), group)
        except SlackApiError as error:
            if not is_of_place(code_of(error)):
                raise
            refusals.append(code_of(error))
    if refusals and not listed.keys() >= set(named):
        raise SlackFailed(refusals[0])
    disabled = {id_ for id_, group in listed.items() if group.get("date_delete")}
    lookup = UserGroups(client, lambda: tuple(teams), clock=Clock(), within=WITHIN)
    members = await lookup.members(id_ for id_ in named if id_ in listed.keys() - disabled)
    return {
        id_: Group(
            id_,
            labels=(str(group.get("handle") or id_), str(group.get("name") or "")),
            is_disabled=id_ in disabled,
            people=members.get(id_, frozenset()),
        )
        for id_, group in listed.items()
    }
