"""The installation that the doctor examines: its settings, and what several checks need of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Generic, TypeVar

from bot.cli.doctor.results import CheckFailed, NotChecked
from bot.cli.doctor.slack_access import SlackAccess, ask_identity
from bot.policy.config import Config, ConfigError
from bot.policy.config import load as load_policy
from bot.settings import Settings

T = TypeVar("T")


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

    async def _read_policy(self) -> Config:
        try:
            return load_policy(self.settings.bot_config)
        except ConfigError as error:
            raise CheckFailed(str(error)) from error
