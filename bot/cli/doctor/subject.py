"""The installation that the doctor examines: its settings, and what several checks need of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.cli.doctor.results import CheckFailed, NotChecked
from bot.cli.doctor.slack_access import SlackAccess, ask_identity, calls_of_slack
from bot.domain.slack import DestinationKind
from bot.messages.secmaster_access import access_problem
from bot.policy.config import Config, ConfigError
from bot.policy.config import load as load_policy
from bot.policy.references import people_and_groups
from bot.runtime.clock import Clock
from bot.secmaster import Forbidden, SecMaster, SecMasterError, Task
from bot.secmaster.connect import open_secmaster, read_first
from bot.settings import Settings
from bot.slack.gateway import SlackFailed
from bot.slack.roster import Group, Roster, read_groups

T = TypeVar("T")
SECMASTER_UNREAD = "SecMaster can't be read"
NO_RIGHT = 403


@dataclass(frozen=True, slots=True)
class SecMasterAccess:
    """A client that SecMaster answers, and its first page of tasks.

    ``refusal`` says that it takes the credentials, and does not let them list tasks; "" else.
    """

    client: SecMaster
    tasks: tuple[Task, ...] = ()
    total: int = 0
    refusal: str = ""


class PolicyRefused(CheckFailed):
    """The policy can't be read, for these problems."""

    def __init__(self, error: ConfigError) -> None:
        super().__init__(str(error))
        self.problems = error.problems


class Shared(Generic[T]):
    """What several checks need, read once. One of them says why it can't be read.

    ``read`` raises CheckFailed; the other checks are not made then, for ``reason``.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], reason: str) -> None:
        self._read = read
        self._reason = reason
        self._reading: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """Return it, for the check that says what is wrong with it; raises CheckFailed."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        return await self._reading

    async def need(self) -> T:
        """Return it, for every other check; raises NotChecked."""
        try:
            return await self.get()
        except CheckFailed:
            raise NotChecked(self._reason) from None


class Subject:
    """What the checks look at; ``stack`` closes what they open."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.stack = stack
        self.policy: Shared[Config] = Shared(self._read_policy, "the policy can't be read")
        self.slack: Shared[SlackAccess] = Shared(
            lambda: ask_identity(settings, stack), "Slack can't be asked"
        )
        self.people: Shared[Roster] = Shared(self._list_people, "people can't be listed")
        self.groups: Shared[dict[str, Group]] = Shared(
            self._list_groups, "user groups can't be listed"
        )
        self.secmaster: Shared[SecMasterAccess] = Shared(self._open_secmaster, SECMASTER_UNREAD)

    async def _read_policy(self) -> Config:
        try:
            return load_policy(self.settings.bot_config, required=True)
        except ConfigError as error:
            raise PolicyRefused(error) from error

    async def policy_or_none(self) -> Config:
        """Return the policy, and an empty one where it can't be read: names are looked up then."""
        try:
            return await self.policy.get()
        except CheckFailed:
            return Config()

    async def _list_people(self) -> Roster:
        access, config = await self.slack.need(), await self.policy_or_none()
        roster = Roster(access.client, access.installation, config.organisation.workspaces)
        with calls_of_slack(self.settings):
            await roster.read()
        return roster

    async def _list_groups(self) -> dict[str, Group]:
        access, config = await self.slack.need(), await self.policy_or_none()
        teams = access.installation.teams(config.organisation.workspaces)
        references = people_and_groups(config)
        group_ids = {ref.id for ref in references if ref.kind is DestinationKind.USERGROUP}
        with calls_of_slack(self.settings):
            try:
                return await read_groups(access.client, teams, group_ids)
            except SlackFailed as error:  # the workspace that refuses it is told of by itself
                raise NotChecked(f"user groups can't be listed ({error.code})") from error

    async def _open_secmaster(self) -> SecMasterAccess:
        settings = self.settings
        try:
            client = await open_secmaster(settings, self.stack, Clock().now)
            page = await read_first(client)
        except SecMasterError as error:
            problem = access_problem(error, settings)
            if isinstance(error, Forbidden) and error.status == NO_RIGHT and not error.unsent:
                return SecMasterAccess(client, refusal=problem)
            raise CheckFailed(problem) from error
        except ValueError as error:
            raise CheckFailed(f"{settings.endpoint} can't be read: {error}") from error
        return SecMasterAccess(client, page.tasks, page.total)
