"""Opening Slack: its client for our own calls, and Bolt for what people do.

Knows no shape of Slack's payloads: what reads them is handed in.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import Settings, text_of
from bot.slack.client import MAX_RETRY_AFTER, SlackClient
from bot.slack.measured import OnCall, ThrottleWatch, ignore
from bot.slack.session import open_session

MAX_DIGITS = 10  # of a Retry-After: Python refuses to read a number of thousands


class RateLimitRetryHandler(AsyncRateLimitErrorRetryHandler):
    """Sends a call again when Slack says, unless that is later than MAX_RETRY_AFTER.

    Then the call fails, and its caller goes by pauses of its own: an hour that Slack or a proxy
    names must not hold up what waits behind it.
    """

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        return (
            await super()._can_retry_async(
                state=state, request=request, response=response, error=error
            )
            and response is not None
            and _is_bearable(response)
        )


def _is_bearable(response: HttpResponse) -> bool:
    """Whether a refusal's Retry-After, if there is one, is a number of seconds to be waited for."""
    headers = {name.lower(): values for name, values in response.headers.items()}
    seconds = (headers.get("retry-after") or ["0"])[0]
    is_number = seconds.isdecimal() and len(seconds) <= MAX_DIGITS
    return is_number and int(seconds) <= MAX_RETRY_AFTER


class Routed(Protocol):
    """Something that Slack sent; by its ``route`` Bolt finds the listener."""

    @property
    def route(self) -> dict[str, Any]: ...


P = TypeVar("P", bound=Routed)


class NotInTime(Exception):
    """No listener answered in time; what it was asked for may be done all the same."""


@dataclass(frozen=True, slots=True)
class PayloadDoor(Generic[P]):
    """What stands before and behind the listeners.

    ``read`` returns the payload in what Slack sent, None for one that is not served, and may
    raise; ``on_error`` answers in the place of the listener, given the payload if it was read.
    ``on_answered`` is told of each answer: to what, after which error that no listener raised, and
    how many seconds it took.
    """

    read: Callable[[object], P | None]
    on_error: Callable[[Exception, P | None], Awaitable[BoltResponse]]
    on_answered: Callable[[P | None, Exception | None, float], None]


class TimelyBolt(AsyncApp, Generic[P]):
    """Bolt with an answer for Slack within ``within`` seconds, whatever its listeners wait for.

    They are given what was read as ``slack_payload``. Bolt itself sees nothing of Slack's: it
    breaks on many a shape that Slack sends.
    """

    def __init__(self, door: PayloadDoor[P], *, within: float, **options: Any) -> None:
        super().__init__(**options)
        self._door = door
        self._within = within
        self.error(self._on_listener_error)

    async def answer(self, content: object) -> BoltResponse:
        """Return the answer to what Slack sent: the JSON of a payload, or the fields of a form."""
        began = time.monotonic()
        payload: P | None = None
        failure: Exception | None = None
        try:
            payload = self._door.read(content)
            if payload is None:
                return BoltResponse(status=200)
            request = AsyncBoltRequest(
                body=payload.route, mode="socket_mode", context={"slack_payload": payload}
            )
            async with asyncio.timeout(self._within):
                return await self.async_dispatch(request)
        except TimeoutError:
            return await self._door.on_error(NotInTime(), payload)
        except Exception as error:  # noqa: BLE001 - whatever it was, Slack gets an answer
            failure = error
            return await self._door.on_error(error, payload)
        finally:
            self._door.on_answered(payload, failure, time.monotonic() - began)

    async def _on_listener_error(self, error: Exception, slack_payload: P) -> BoltResponse:
        return await self._door.on_error(error, slack_payload)


async def open_slack(
    settings: Settings, stack: AsyncExitStack, on_call: OnCall = ignore
) -> SlackClient:
    """Open the client with one session for every call: without it each opens a connection.

    ``on_call`` is told how each call ended.
    """
    session = await stack.enter_async_context(open_session(settings.slack_network))
    return SlackClient(
        on_call,
        token=text_of(settings.slack_bot_token),
        base_url=settings.slack_api_url,
        session=session,
        timeout=15,
        # In the place of the default, which sends again after a broken connection: that can
        # post a message twice. A 429 was not carried out and is safe to repeat.
        retry_handlers=[ThrottleWatch(on_call), RateLimitRetryHandler(max_retry_count=5)],
    )


def address_client(slack: AsyncWebClient) -> AsyncWebClient:
    """Return a client without a token of its own, which leaves pauses to its caller.

    It asks for Socket Mode's addresses, and what a token is.
    """
    client = AsyncWebClient(
        base_url=slack.base_url, session=slack.session, timeout=slack.timeout, retry_handlers=[]
    )
    client.proxy = None  # which it reads from the environment, and the session chooses
    return client


def open_bolt(
    slack: AsyncWebClient, identity: Any, door: PayloadDoor[P], *, within: float
) -> TimelyBolt[P]:
    """Make Bolt for one workspace: the identity is asked for once, not for each event."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult.from_auth_test_response(
            bot_token=slack.token or "", auth_test_response=identity
        )

    logger = logging.getLogger("bot.bolt")  # Bolt would set its own logger's level itself
    logger.setLevel(logging.WARNING)
    with _without_environment():
        return TimelyBolt(
            door,
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
