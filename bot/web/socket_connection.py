"""One websocket of Socket Mode: a new address, the handshake, Slack's hello, and what comes then.

Slack's SDK keeps one client over many websockets. It asks for an address once and then tries the
same one again, though each is good once, and it acknowledges over whichever websocket is its
newest. So a connection here is one websocket, and is never renewed.
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, assert_never, cast

from aiohttp import (
    ClientError,
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
    WSServerHandshakeError,
)
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.messages import slack_delivery as words
from bot.runtime.timeouts import SocketTimeouts
from bot.slack.client import code_of
from bot.slack.error_codes import SlackErrorKind, kind_of
from bot.slack.session import NotConnected

log = logging.getLogger(__name__)

Json = dict[str, Any]

LINK_DISABLED = "link_disabled"  # Socket Mode was switched off in the app's settings
TOO_MANY = "too_many_websockets"
CLOSING = ClientWSTimeout(ws_close=1)  # Slack leaves the TCP connection open after its last word

# Slack does not document it; app_id() says nothing of a token in another form.
APP_TOKEN = re.compile(r"xapp-[0-9]+-([A-Z0-9]+)-")

WRONG_TOKEN_TYPE = "not_allowed_token_type"  # noqa: S105 - a code


class NotOpened(Exception):
    """No connection could be opened: why, and what to do.

    Slack may say for how many seconds it is not to be asked again (``retry_after``), which the text
    says beside the ``problem``. What ``is_final`` stays as it is until a person mends it.
    """

    def __init__(self, problem: str, *, retry_after: float = 0, is_final: bool = False) -> None:
        pause = timedelta(seconds=retry_after)
        super().__init__(words.postponed(problem, pause) if pause else problem)
        self.problem = problem
        self.retry_after = retry_after
        self.is_final = is_final


class Connection(AsyncBaseSocketModeClient):
    """An open websocket; whatever comes over it is acknowledged over it.

    ``app_connections`` is how many the app has with this one, of all its processes. ``ending`` is
    set when Slack is about to close it, with Slack's ``reason``, or when it is closed.
    ``under_way`` is how many requests that came over it are not answered yet.
    """

    def __init__(self, socket: ClientWebSocketResponse, app_connections: int) -> None:
        self.logger = logging.getLogger("bot.bolt")  # the SDK logs what Bolt answered
        self.app_connections = app_connections
        self.ending = asyncio.Event()
        self.reason = ""
        self.under_way = 0
        self._socket = socket
        self._has_logged = False  # that something can't be read

    async def messages(self) -> AsyncIterator[Json]:
        """Yield what Slack sends until the connection is closed, by whomever."""
        try:
            async for message in self._socket:
                content = _content(message.data) if message.type is WSMsgType.TEXT else {}
                if content.get("type") == "disconnect":
                    self.reason = str(content.get("reason", ""))
                    self.ending.set()
                if content:
                    yield content
        finally:
            self.ending.set()

    async def request(self, message: Json) -> SocketModeRequest | None:
        """Return the request that a message is, None for any other.

        What is no such request, and can be acknowledged, is: Slack would send it again.
        """
        if "envelope_id" not in message:
            return None
        envelope_id, kind, payload = (
            message.get(name) for name in ("envelope_id", "type", "payload")
        )
        if isinstance(envelope_id, str) and isinstance(kind, str) and isinstance(payload, dict):
            return SocketModeRequest(kind, envelope_id, payload)
        if not self._has_logged:
            log.warning(
                "Slack sent what can't be read",
                extra={"type": kind if isinstance(kind, str) else ""},
            )
        self._has_logged = True
        if isinstance(envelope_id, str):
            with suppress(ConnectionError):  # then Slack has closed it, and messages() ends
                await self.send_socket_mode_response(SocketModeResponse(envelope_id))
        return None

    async def send_message(self, message: str) -> None:
        """Send an acknowledgement; the SDK's own methods send through this one."""
        await self._socket.send_str(message)

    async def close(self) -> None:
        """Close the websocket; one that is closed stays so."""
        await self._socket.close()


def app_id(app_token: str) -> str:
    """Return the id of the app that an app-level token is of; "" where the token has none."""
    match = APP_TOKEN.match(app_token)
    return match[1] if match else ""


async def open_connection(
    client: AsyncWebClient, app_token: str, timeouts: SocketTimeouts
) -> Connection:
    """Open a websocket at a new address, and wait for Slack's hello; raises NotOpened."""
    problem = words.NO_ADDRESS
    try:
        async with asyncio.timeout(timeouts.open):
            address = await new_address(client, app_token, timeouts)
            problem = words.NO_HANDSHAKE
            session = cast("ClientSession", client.session)  # open_slack gives each client its own
            socket = await session.ws_connect(address, heartbeat=timeouts.ping, timeout=CLOSING)
            problem = words.NO_HELLO
            try:
                return await _greeted(socket)
            except BaseException:
                await socket.close()
                raise
    except TimeoutError as error:
        raise NotOpened(problem) from error
    except WSServerHandshakeError as error:
        problem = words.handshake_refused(error.status)
        raise NotOpened(problem, retry_after=_retry_after(error.headers, timeouts)) from error
    except NotOpened:
        raise
    except Exception as error:  # whatever it was, the next attempt may succeed
        raise NotOpened(_unreachable(error)) from error


async def new_address(client: AsyncWebClient, app_token: str, timeouts: SocketTimeouts) -> str:
    """Ask for an address, which is good once, and for half a minute; raises NotOpened."""
    try:
        async with asyncio.timeout(timeouts.open):
            response = await client.apps_connections_open(app_token=app_token)
            return str(response["url"])
    except SlackApiError as error:
        is_readable = isinstance(getattr(error.response, "data", None), dict)
        code = code_of(error) if is_readable else ""
        if problem := _refusal(code):
            raise NotOpened(problem, is_final=True) from error
        pause = _retry_after(error.response.headers, timeouts)
        raise NotOpened(words.address_refused(code), retry_after=pause) from error
    except TimeoutError as error:
        raise NotOpened(words.NO_ADDRESS) from error
    except (ClientError, OSError) as error:
        raise NotOpened(_unreachable(error)) from error
    except Exception as error:  # its answer is not of the shape that the SDK or we read
        raise NotOpened(words.address_refused("")) from error


def _unreachable(error: Exception) -> str:
    """Say why there is no connection, without an address: it would have a ticket in it."""
    is_sentence = isinstance(error, NotConnected)
    return str(error) if is_sentence else words.unreachable(type(error).__name__)


def _refusal(code: str) -> str:
    """Return what a person has to mend before Slack gives an address; "" where it passes."""
    kind = kind_of(code)
    match kind:
        case SlackErrorKind.PASSES:
            return ""
        case SlackErrorKind.TOKEN_REFUSED:
            return words.token_refused(code, words.REFUSAL_ADVICE.get(code, words.APP_LEVEL_ADVICE))
        case SlackErrorKind.SCOPE_MISSING:
            return words.token_refused(code, words.APP_LEVEL_ADVICE)
        case (
            SlackErrorKind.PLACE_CLOSED
            | SlackErrorKind.MESSAGE_GONE
            | SlackErrorKind.THREAD_CLOSED
            | SlackErrorKind.MESSAGE_REFUSED
            | SlackErrorKind.CALL_REFUSED
        ):
            if code == WRONG_TOKEN_TYPE:
                return words.token_refused(code, words.APP_LEVEL_ADVICE)
            return words.app_refused(code)
        case _:
            assert_never(kind)


def _retry_after(headers: Mapping[str, str] | None, timeouts: SocketTimeouts) -> float:
    """Return for how many seconds Slack is to be left alone, as it says and as long as we do."""
    text = headers.get("Retry-After", "") if headers else ""
    return min(float(text), timeouts.refused) if text.isdecimal() else 0


async def _greeted(socket: ClientWebSocketResponse) -> Connection:
    """Wait for Slack's first message; raises NotOpened where that is not its hello."""
    message = await socket.receive()
    first = _content(message.data) if message.type is WSMsgType.TEXT else {}
    if first.get("type") == "hello":
        connections = first.get("num_connections")
        return Connection(socket, connections if isinstance(connections, int) else 1)
    if first.get("reason") == LINK_DISABLED:
        raise NotOpened(words.SWITCHED_OFF, is_final=True)
    if first.get("reason") == TOO_MANY:
        raise NotOpened(words.TOO_MANY_CONNECTIONS)
    raise NotOpened(words.CLOSED_BEFORE_HELLO)


def _content(text: str) -> Json:
    """Return the JSON object that a message is; an empty one if it is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
