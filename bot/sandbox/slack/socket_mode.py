"""Socket Mode: the app's open websockets, and the envelopes sent over them.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from bot.sandbox import strict_json
from bot.sandbox.changes import Changes
from bot.sandbox.faults import Fault, Faults
from bot.sandbox.slack.workspace import APP, Json

CONNECTIONS = 10
PATH = "/_socket"
HANDSHAKE = "socket"  # what faults call the handshake of a connection
TICKET_SECONDS = 30.0


@dataclass(eq=False)
class Connection:
    """One websocket. A silent one looks open, but delivers nothing and answers no ping."""

    socket: web.WebSocketResponse
    number: int
    silent: bool = False


@dataclass
class SocketMode:
    """All connections of the app. An envelope goes to any of them, as with Slack.

    Faults on ``socket`` refuse handshakes or leave them unanswered. Where it does not greet,
    connections open and no hello comes. Where it is not enabled, as after the switch in the app's
    settings, each is told so and closed.
    """

    changes: Changes
    faults: Faults
    clock: Callable[[], float]
    greets: bool = True
    is_enabled: bool = True
    connections: list[Connection] = field(default_factory=list)
    ungreeted: set[web.WebSocketResponse] = field(default_factory=set)
    _tickets: dict[str, float] = field(default_factory=dict)  # when each was issued
    _waiting: dict[str, tuple[Connection, asyncio.Future[Any]]] = field(default_factory=dict)
    # Random, but the same in every run.
    _random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    _opened: int = 0

    def routes(self) -> list[web.RouteDef]:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self.faults.meet(HANDSHAKE, request, self._serve, _refusal)

        return [web.get(PATH, serve)]

    def new_path(self) -> str:
        """Return the path for a new connection, which works once, and for half a minute."""
        ticket = secrets.token_hex(12)
        self._tickets[ticket] = self.clock()
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
        self._waiting[envelope_id] = connection, acknowledgement
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

    async def warn(self, number: int | None = None) -> int:
        """Announce that connections will be closed soon; they go on meanwhile. Returns how many."""
        closing = self._numbered(number)
        for connection in closing:
            await connection.socket.send_json(_goodbye("warning"))
        return len(closing)

    async def close(self) -> None:
        """Hang up on everybody, greeted or not."""
        await self.disconnect()
        await asyncio.gather(*(socket.close() for socket in self.ungreeted))

    async def go_silent(self, number: int | None = None, *, silent: bool = True) -> int:
        """Silence all connections, or the one of this number; returns how many."""
        connections = self._numbered(number)
        for connection in connections:
            connection.silent = silent
        self.changes.happened()
        return len(connections)

    async def greet(self, *, greets: bool) -> None:
        """Have new connections greeted with a hello, or left waiting for it."""
        self.greets = greets

    async def enable(self, *, is_enabled: bool) -> None:
        """Switch Socket Mode on or off in the app's settings; off closes all connections."""
        self.is_enabled = is_enabled
        if not is_enabled:
            await self.disconnect("link_disabled")

    def _numbered(self, number: int | None) -> list[Connection]:
        return [item for item in self.connections if number in (None, item.number)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        issued = self._tickets.pop(ticket, None)
        if issued is None or self.clock() - issued > TICKET_SECONDS:
            return web.Response(status=403)
        socket = web.WebSocketResponse(autoping=False, timeout=1)
        await socket.prepare(request)
        if not self.is_enabled or len(self.connections) >= CONNECTIONS:
            await _close(socket, "too_many_websockets" if self.is_enabled else "link_disabled")
            return socket
        if not self.greets:
            return await self._leave_waiting(socket)
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
                    self._acknowledge(connection, message.data)
        finally:
            self._forget(connection)
        return socket

    async def _leave_waiting(self, socket: web.WebSocketResponse) -> web.WebSocketResponse:
        """Answer pings and nothing else, until the app closes the connection."""
        self.ungreeted.add(socket)
        self.changes.happened()
        try:
            async for message in socket:
                if message.type == WSMsgType.PING:
                    await socket.pong(message.data)
        finally:
            self.ungreeted.discard(socket)
            self.changes.happened()
        return socket

    def _acknowledge(self, connection: Connection, text: str) -> None:
        """Hand the payload of an acknowledgement to the ``send`` that waits for it.

        It counts on the connection that its envelope came over.
        """
        try:
            message = strict_json.loads(text)
            carrier, acknowledgement = self._waiting[message["envelope_id"]]
        except (ValueError, KeyError, TypeError):
            return  # Slack ignores anything but an acknowledgement
        if carrier is connection and not acknowledgement.done():
            acknowledgement.set_result(message.get("payload", ""))

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.changes.happened()


def _goodbye(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}


def _refusal(fault: Fault) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.Response(status=fault.status or 500, headers=headers)


async def _close(socket: web.WebSocketResponse, reason: str) -> None:
    """Send the disconnect message, then close the websocket."""
    try:
        await socket.send_json(_goodbye(reason))
    except ConnectionError:
        return  # the app closed it first
    await socket.close(code=WSCloseCode.GOING_AWAY)
