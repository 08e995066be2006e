"""Whose the ids of people are: on an Enterprise Grid one person may have several.

Whose an id is never changes, so it is kept. All ids of a workspace's people come with a list, which
takes a call for a thousand of them; what no list has is asked one by one, a few at once.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.clock import Clock
from bot.slack.client import code_of
from bot.slack.error_codes import is_of_place
from bot.slack.lookups import items, lookup_code

log = logging.getLogger(__name__)

PAGE = 1000  # people that Slack lists at once, at most
RETRY_INTERVAL = 60.0  # seconds from a list that could not be read to the next attempt
FEW = 20  # ids for which no list is read
AT_ONCE = 5  # Slack takes a hundred such questions a minute, and clicks need them
# Seconds for which an id is nobody's other id where Slack knows nobody by it, or nobody of an
# enterprise. They end apart from each other, at half of it or later: no click asks for all again.
ABSENT_FOR = 3600.0


def canonical_id(profile: Mapping[str, Any], user: str) -> str:
    """Return the one id of a person, by Slack's answer about ``user``.

    In an Enterprise Grid that is the organisation's, whichever of their ids they were asked by.

    https://docs.slack.dev/reference/objects/user-object
    """
    enterprise_user = profile.get("enterprise_user") or {}
    return str(enterprise_user.get("id") or profile.get("id") or user)


class PersonIds:
    """Answers which ids are one person's.

    ``look_up`` returns the profile of a person by an id, empty where there is nobody, and has
    ``learn`` called for it; ``teams`` returns the workspaces whose people are listed.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        look_up: Callable[[str], Awaitable[Mapping[str, Any]]],
        teams: Callable[[], Sequence[str]],
        *,
        clock: Clock,
    ) -> None:
        self._client = client
        self._look_up = look_up
        self._teams = teams
        self._clock = clock
        self._people: dict[str, str] = {}  # the canonical id of a person by each of their ids
        self._absent_until: dict[str, float] = {}
        self._read_teams: set[str] = set()
        self._reading: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._learned = asyncio.Event()  # set, and replaced, whenever something is learned
        self._slots = asyncio.Semaphore(AT_ONCE)

    def learn(self, profile: Mapping[str, Any], user: str) -> None:
        """Remember whose id somebody of an enterprise was met by."""
        if profile.get("enterprise_user"):
            person = canonical_id(profile, user)
            ids = {user, person, str(profile.get("id") or "")} - {""}
            self._people |= dict.fromkeys(ids, person)

    async def read_lists(self) -> None:
        """Learn all ids of the people of our workspaces; tried again until it has succeeded."""
        while self._unread_teams():
            if reading := self._start_reading():
                await reading
            if self._unread_teams():
                await self._clock.sleep(RETRY_INTERVAL)

    async def among(self, ids: Collection[str], person: str) -> set[str]:
        """Return which of these ids are those of the person with this canonical id.

        Where Slack can't say whose an id is, this raises: it may be this person, whom a rule by
        that id denies something.
        """
        if len(self._unknown(ids)) > FEW:
            self._start_reading()
            while self._reading and len(self._unknown(ids)) > FEW:
                await self._learned.wait()
        lookups = [asyncio.create_task(self._ask(id_)) for id_ in self._unknown(ids)]
        try:
            await asyncio.gather(*lookups)
        finally:  # after one that fails the others would be asked in vain
            for lookup in lookups:
                lookup.cancel()
        return {id_ for id_ in ids if self._people.get(id_) == person}

    def _unknown(self, ids: Collection[str]) -> list[str]:
        now = self._clock.monotonic()
        unknown = set(ids) - self._people.keys()
        return sorted(id_ for id_ in unknown if self._absent_until.get(id_, 0.0) <= now)

    async def _ask(self, id_: str) -> None:
        """Ask Slack whose an id is, unless somebody else has done so meanwhile."""
        async with self._slots:
            if self._unknown([id_]):
                await self._look_up(id_)
                self._note_absent(id_)

    def _note_absent(self, id_: str) -> None:
        if id_ not in self._people:
            share = random.uniform(0.5, 1)  # noqa: S311 - no secret
            self._absent_until[id_] = self._clock.monotonic() + ABSENT_FOR * share

    def _unread_teams(self) -> list[str]:
        return [team for team in self._teams() if team not in self._read_teams]

    def _start_reading(self) -> asyncio.Task[None] | None:
        """Return the task that reads the lists that are not read yet; None before the next try."""
        teams = self._unread_teams()
        if self._reading is None and teams and self._clock.monotonic() >= self._retry_at:
            self._reading = asyncio.create_task(self._read(teams))
        return self._reading

    async def _read(self, teams: Sequence[str]) -> None:
        self._retry_at = self._clock.monotonic() + RETRY_INTERVAL
        try:
            for team in teams:
                await self._read_team(team)
                self._read_teams.add(team)
            self._retry_at = 0.0
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
            log.warning("people not listed yet", extra={"code": lookup_code(error)})
        finally:
            self._reading = None
            self._note_learned()

    async def _read_team(self, team: str) -> None:
        people = items(self._client.users_list, "members", limit=PAGE, team_id=team or None)
        try:
            async for profile in people:
                id_ = str(profile.get("id") or "")
                self.learn(profile, id_)
                self._note_absent(id_)
                self._note_learned()
        except SlackApiError as error:
            if not is_of_place(code_of(error)):
                raise
            # Its people are asked about one by one, where somebody names them.
            details = {"team": team, "code": code_of(error)}
            log.warning("people of a workspace not listed", extra=details)

    def _note_learned(self) -> None:
        self._learned.set()
        self._learned = asyncio.Event()
