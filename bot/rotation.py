"""Take over new secrets while the bot runs, and name what takes a restart.

Each secret is tried first where that can be, and one that is refused changes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.domain.slack import code_text
from bot.messages.secmaster_access import access_problem
from bot.messages.slack_delivery import token_advice
from bot.secmaster import AnswerLost, Auth, SecMaster, SecMasterError, Unavailable, Unreachable
from bot.secmaster.connect import read_first
from bot.settings import SIGN_IN_FIELDS, Settings, SettingsError, label, text_of
from bot.slack.client import SlackClient, code_of
from bot.slack.connect import address_client
from bot.web.signature import RequestVerifier
from bot.web.socket_connection import NotOpened
from bot.web.socket_mode import SocketMode

log = logging.getLogger(__name__)

# What auth.test says of a bot that stays the same whatever its token is.
IDENTITY = ("user_id", "team_id", "enterprise_id")

# Takes a group of new secrets over; returns why it does not, "" where it does.
TakeOver = Callable[[Settings], Awaitable[str]]


@dataclass
class Rotation:
    """Takes over what ``read`` finds changed of ``settings``, which are those in use.

    ``identity`` is what Slack's auth.test said at the start; ``sign_in`` makes what signs requests
    to SecMaster.
    """

    settings: Settings
    read: Callable[[], Settings]
    slack: SlackClient
    identity: Any
    verifier: RequestVerifier
    socket_mode: SocketMode | None
    secmaster: SecMaster
    sign_in: Callable[[Settings], Auth]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Read the settings again, use the secrets that are new, and log which those are."""
        async with self._lock:  # or the older one of two could be the last to be taken over
            try:
                settings = await asyncio.to_thread(self.read)
            except SettingsError as error:
                sentence = "secrets not read again, those before stay in use"
                log.error(sentence, extra={"problems": str(error)})  # noqa: TRY400 - its text
                return
            await self._take_over(settings)

    async def _take_over(self, settings: Settings) -> None:
        changed = {
            name
            for name in Settings.model_fields
            if getattr(settings, name) != getattr(self.settings, name)
        }
        accepted: set[str] = set()
        for names, take_over in self._groups(settings):
            group = changed & set(names)
            changed -= group
            if not group:
                continue
            # What is not of the group stays as it is in use: some of it needs a restart.
            update = {name: getattr(settings, name) for name in group}
            if problem := await take_over(self.settings.model_copy(update=update)):
                details = {"settings": _labels(group), "problem": problem}
                log.error("a new secret is not used, the one before is", extra=details)
            else:
                accepted |= group
        update = {name: getattr(settings, name) for name in accepted}
        self.settings = self.settings.model_copy(update=update)
        log.info("secrets read again", extra={"new": _labels(accepted)})
        if changed:
            log.warning("changed settings need a restart", extra={"settings": _labels(changed)})

    def _groups(self, settings: Settings) -> Iterable[tuple[tuple[str, ...], TakeOver]]:
        """Yield the settings that are taken over together, where they are used as before."""
        yield ("slack_bot_token",), self._take_bot_token
        if settings.socket_mode is self.settings.socket_mode:
            yield ("slack_signing_secret",), self._take_signing_secret
            yield ("slack_app_token",), self._take_app_token
        way = settings.sign_in
        if way is self.settings.sign_in:
            yield (*SIGN_IN_FIELDS[way], "security_token"), self._take_credential

    async def _take_bot_token(self, settings: Settings) -> str:
        token = text_of(settings.slack_bot_token)
        try:
            identity = await address_client(self.slack).auth_test(token=token)
        except SlackApiError as error:
            code = code_of(error)
            return f"Slack refuses it ({code_text(code)}). {token_advice(code)}"
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            return f"Slack can't be asked about it ({type(error).__name__}): try again later"
        if any(identity.get(key) != self.identity.get(key) for key in IDENTITY):
            return "it is of another app or workspace: that takes a restart and its own database"
        self.slack.use_token(token)
        return ""

    async def _take_signing_secret(self, settings: Settings) -> str:
        # Nothing can be asked about it. In Socket Mode there may be none, and it is not used.
        if secret := text_of(settings.slack_signing_secret):
            self.verifier.use_secret(secret)
        return ""

    async def _take_app_token(self, settings: Settings) -> str:
        if self.socket_mode:
            try:
                await self.socket_mode.use_token(text_of(settings.slack_app_token))
            except NotOpened as error:
                return str(error)
        return ""

    async def _take_credential(self, settings: Settings) -> str:
        try:
            auth = self.sign_in(settings)
            await read_first(self.secmaster.with_auth(auth))
        except ValueError as error:  # no header could carry it
            return str(error)
        except (Unreachable, AnswerLost, Unavailable) as error:
            # Nothing was said of it. Whoever changes a secret says that it is right, and the one
            # before may end soon.
            problem = {"problem": access_problem(error, settings)}
            log.warning("SecMaster's new credential is used untried", extra=problem)
        except SecMasterError as error:
            return access_problem(error, settings)
        self.secmaster.auth = auth
        return ""


def _labels(names: Iterable[str]) -> list[str]:
    return sorted(label(name) for name in names)
