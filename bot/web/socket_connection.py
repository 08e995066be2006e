"""One websocket of Socket Mode: a new address, the handshake, Slack's hello, and what comes then.

Slack's SDK keeps one client over many websockets. It asks for an address once and then tries the
same one again, though each is good once, and it acknowledges over whichever websocket is its
newest. So a connection here is one websocket, and is never renewed.
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

from aiohttp import (
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
    WSServerHandshakeError,
)
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.messages import slack_delivery as words
from bot.runtime.timeouts import SocketTimeouts

Json = dict[str, Any]

LINK_DISABLED = "link_disabled"  # Socket Mode was switched off in the app's settings
TOO_MANY = "too_many_websockets"
CLOSING = ClientWSTimeout(ws_close=1)  # Slack leaves the TCP connection open after its last word

# Refusals of the app-level token, or of the app, that only a person can mend.
FINAL_CODES = frozenset(
    {
        "access_denied",
        "account_inactive",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "forbidden_team",
        "invalid_auth",
        "invalid_app_id",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)


class NotOpened(Exception):
    """No connection could be opened: why, and what to do.

    Slack may say for how many seconds it is not to be asked again (``retry_after``). What
    ``is_final`` stays as it is until a person mends it.
    """

    def __init__(self, problem: str, *, retry_after: float = 0, is_final: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.retry_after = retry_after
        self.is_final = is_final


class Connection(AsyncBaseSocketModeClient):
    """An open websocket; whatever comes over it is acknowledged over it.

    ``app_connections`` is how many the app has with this one, of all its processes. ``ending`` is
    set when Slack is about to close it, with Slack's ``reason``, or when it is closed.
    """

    def __init__(self, socket: ClientWebSocketResponse, app_connections: int) -> None:
        self.logger = logging.getLogger("bot.bolt")  # the SDK logs what Bolt answered
        self.app_connections = app_connections
        self.ending = asyncio.Event()
        self.reason = ""
        self._socket = socket

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

    async def send_message(self, message: str) -> None:
        """Send an acknowledgement; the SDK's own methods send through this one."""
        await self._socket.send_str(message)

    async def close(self) -> None:
        """Close the websocket; one that is closed stays so."""
        await self._socket.close()


async def open_connection(
    client: AsyncWebClient, app_token: str, timeouts: SocketTimeouts
) -> Connection:
    """Open a websocket at a new address, and wait for Slack's hello; raises NotOpened."""
    problem = words.NO_ADDRESS
    try:
        async with asyncio.timeout(timeouts.open):
            address = await _new_address(client, app_token)
            problem = words.NO_HANDSHAKE
            session = cast("ClientSession", client.session)  # open_slack gives each client its own
            socket = await session.ws_connect(
                address,
                heartbeat=timeouts.ping,
                timeout=CLOSING,
                proxy=client.proxy,
                ssl=client.ssl if client.ssl is not None else True,
            )
            problem = words.NO_HELLO
            try:
                return await _greeted(socket)
            except BaseException:
                await socket.close()
                raise
    except TimeoutError as error:
        raise NotOpened(problem) from error
    except WSServerHandshakeError as error:
        retry_after = _seconds(error.headers.get("Retry-After") if error.headers else None)
        problem = words.handshake_refused(error.status)
        raise NotOpened(problem, retry_after=retry_after) from error
    except NotOpened:
        raise
    except Exception as error:  # whatever it was, the next attempt may succeed
        raise NotOpened(words.unreachable(error)) from error


async def _new_address(client: AsyncWebClient, app_token: str) -> str:
    """Ask for an address: it is good once, and for half a minute."""
    try:
        response = await client.apps_connections_open(app_token=app_token)
    except SlackApiError as error:
        data = getattr(error.response, "data", None)
        code = str(data.get("error", "")) if isinstance(data, dict) else ""
        is_final = code in FINAL_CODES
        raise NotOpened(
            words.token_refused(code) if is_final else words.address_refused(code),
            retry_after=_seconds(error.response.headers.get("Retry-After")),
            is_final=is_final,
        ) from error
    return str(response["url"])


async def _greeted(socket: ClientWebSocketResponse) -> Connection:
    """Wait for Slack's first message; raises NotOpened where that is not its hello."""
    message = await socket.receive()
    first = _content(message.data) if message.type is WSMsgType.TEXT else {}
    if first.get("type") == "hello":
        return Connection(socket, int(first.get("num_connections") or 1))
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


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() and len(text) < 6 else 0  # noqa: PLR2004
