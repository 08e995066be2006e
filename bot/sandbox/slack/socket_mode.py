"""Socket Mode: the app's open websockets, and the envelopes sent over them.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import random
import secrets
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from bot.sandbox import strict_json
from bot.sandbox.changes import Changes
from bot.sandbox.slack.workspace import APP, Json

CONNECTIONS = 10
PATH = "/_socket"


@dataclass(eq=False)
class Connection:
    """One websocket. A silent one looks open, but delivers nothing and answers no ping."""

    socket: web.WebSocketResponse
    number: int
    silent: bool = False


@dataclass
class SocketMode:
    """All connections of the app. An envelope goes to any of them, as with Slack."""

    changes: Changes
    connections: list[Connection] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    # Random, but the same in every run.
    _random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    _opened: int = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.get(PATH, self._serve)]

    def new_path(self) -> str:
        """Return the path for a new connection, which works once."""
        ticket = secrets.token_hex(12)
        self._tickets.add(ticket)
        return f"{PATH}?ticket={ticket}&app_id={APP}"

    async def send(self, kind: str, payload: Json, extra: Json) -> Any:
        """Send an envelope over any connection; returns the payload of its acknowledgement."""
        connection = self._random.choice(self.connections)
        envelope_id = secrets.token_hex(16)
        envelope = {
            "type": kind,
            "envelope_id": envelope_id,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
            **extra,
        }
        acknowledgement: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = acknowledgement
        try:
            if not connection.silent:
                await connection.socket.send_json(envelope)
            return await acknowledgement
        finally:
            del self._waiting[envelope_id]

    async def disconnect(self, reason: str = "refresh_requested", number: int | None = None) -> int:
        """Close all connections, or the one of this number; returns how many."""
        closing = self._numbered(number)
        for connection in closing:
            self._forget(connection)
        await asyncio.gather(*(_close(connection.socket, reason) for connection in closing))
        return len(closing)

    async def go_silent(self, number: int | None = None, *, silent: bool = True) -> int:
        """Silence all connections, or the one of this number; returns how many."""
        connections = self._numbered(number)
        for connection in connections:
            connection.silent = silent
        self.changes.happened()
        return len(connections)

    def _numbered(self, number: int | None) -> list[Connection]:
        return [item for item in self.connections if number in (None, item.number)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(autoping=False, timeout=1)
        await socket.prepare(request)
        if len(self.connections) >= CONNECTIONS:
            await _close(socket, "too_many_websockets")
            return socket
        self._opened += 1
        connection = Connection(socket, self._opened)
        self.connections.append(connection)
        hello = {
            "type": "hello",
            "num_connections": len(self.connections),
            "debug_info": {
                "host": "sandbox",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
            "connection_info": {"app_id": APP},
        }
        try:
            await socket.send_json(hello)
            self.changes.happened()
            async for message in socket:
                if message.type == WSMsgType.PING and not connection.silent:
                    await socket.pong(message.data)
                elif message.type == WSMsgType.TEXT:
                    self._acknowledge(message.data)
        finally:
            self._forget(connection)
        return socket

    def _acknowledge(self, text: str) -> None:
        """Hand the payload of an acknowledgement to the ``send`` that waits for it."""
        try:
            message = strict_json.loads(text)
            acknowledgement = self._waiting.get(message["envelope_id"])
        except (ValueError, KeyError, TypeError):
            return  # Slack ignores anything but an acknowledgement
        if acknowledgement and not acknowledgement.done():
            acknowledgement.set_result(message.get("payload", ""))

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.changes.happened()


async def _close(socket: web.WebSocketResponse, reason: str) -> None:
    """Send the disconnect message, then close the websocket."""
    message = {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
    try:
        await socket.send_json(message)
    except ConnectionError:
        return  # the app closed it first
    await socket.close(code=WSCloseCode.GOING_AWAY)
