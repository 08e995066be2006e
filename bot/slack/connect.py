"""Opening Slack: its client for our own calls, and Bolt for what people do."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import aiohttp
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import Settings

ErrorHandler = Callable[[Exception, dict[str, Any]], Awaitable[BoltResponse]]


class NotInTime(Exception):
    """No listener answered in time; what it was asked for may be done all the same."""


class TimelyBolt(AsyncApp):
    """Bolt with an answer for Slack within ``within`` seconds, whatever its listeners wait for.

    ``on_error`` is what answers in their place: also that they are late.
    """

    def __init__(self, *, within: float, **options: Any) -> None:
        super().__init__(**options)
        self.on_error: ErrorHandler | None = None
        self._within = within

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Return the answer to a request of Slack's."""
        try:
            async with asyncio.timeout(self._within):
                return await super().async_dispatch(req)
        except TimeoutError:
            if self.on_error is None:
                raise
            return await self.on_error(NotInTime(), req.body)


async def open_slack(settings: Settings, stack: AsyncExitStack) -> AsyncWebClient:
    """Open the client with one session for every call: without it each opens a connection.

    A proxy is read from the environment by the SDK itself. The session must not read it too:
    with a matching line in a ``.netrc`` every call would fail for its second Authorization.
    """
    session = await stack.enter_async_context(aiohttp.ClientSession())
    token = settings.slack_bot_token
    return AsyncWebClient(
        token=token.get_secret_value() if token else "",
        base_url=settings.slack_api_url,
        session=session,
        timeout=15,
        # In the place of the default, which sends again after a broken connection: that can
        # post a message twice. A 429 was not carried out and is safe to repeat.
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=5)],
    )


def open_bolt(
    slack: AsyncWebClient, settings: Settings, identity: Any, *, within: float
) -> TimelyBolt:
    """Make Bolt for one workspace: the identity is asked for once, not for each event."""
    token = settings.slack_bot_token
    authorization = AuthorizeResult.from_auth_test_response(
        bot_token=token.get_secret_value() if token else "", auth_test_response=identity
    )

    async def authorize() -> AuthorizeResult:
        return authorization

    logger = logging.getLogger("bot.bolt")  # Bolt would set its own logger's level itself
    logger.setLevel(logging.WARNING)
    with _without_environment():
        return TimelyBolt(
            within=within,
            logger=logger,
            # Without a token of its own: the one it hands to listeners comes from authorize.
            client=AsyncWebClient(
                base_url=slack.base_url,
                session=slack.session,
                timeout=slack.timeout,
                retry_handlers=slack.retry_handlers,
            ),
            authorize=authorize,
            # The response leaves when the listener returns, so it tells what has been recorded.
            process_before_response=True,
            # web/server.py has checked the raw bytes; Socket Mode carries no signature.
            request_verification_enabled=False,
            raise_error_for_unhandled_request=True,
        )


@contextmanager
def _without_environment() -> Iterator[None]:
    """Hide Slack's variables from Bolt, which reads them itself whatever it is given.

    It warns of a token there as unused, and with a client's id and secret it becomes an app that
    anybody may install.
    """
    names = [name for name in os.environ if name.startswith("SLACK_")]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(hidden)
