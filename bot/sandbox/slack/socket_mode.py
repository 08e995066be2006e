"""Socket Mode: the app's open websockets, and envelopes sent over one or another of them.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import random
import secrets
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

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
    changes: Changes
    connections: list[Connection] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    # Chance, but the same in every run.
    _chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    _opened: int = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.get(PATH, self._serve)]

    def new_path(self) -> str:
        """Where the next connection goes; good for one."""
        ticket = secrets.token_hex(12)
        self._tickets.add(ticket)
        return f"{PATH}?ticket={ticket}&app_id={APP}"

    async def send(self, kind: str, payload: Json, extra: Json) -> Any:
        """Give an envelope to any connection, and wait for what comes with its ack."""
        connection = self._chance.choice(self.connections)
        envelope_id = secrets.token_hex(16)
        envelope = {
            "type": kind,
            "envelope_id": envelope_id,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
            **extra,
        }
        acked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = acked
        try:
            if not connection.silent:
                await connection.socket.send_json(envelope)
            return await acked
        finally:
            del self._waiting[envelope_id]

    async def disconnect(self, reason: str = "refresh_requested", number: int | None = None) -> int:
        """Tell connections (or the one of this number) to go, then close them; how many."""
        leaving = [one for one in self.connections if number in (None, one.number)]
        for connection in leaving:
            self._forget(connection)
        await asyncio.gather(*(_say_goodbye(one.socket, reason) for one in leaving))
        return len(leaving)

    async def go_silent(self, number: int | None = None, *, silent: bool = True) -> int:
        """Let connections (or the one of this number) go dead while looking healthy."""
        chosen = [one for one in self.connections if number in (None, one.number)]
        for connection in chosen:
            connection.silent = silent
        self.changes.happened()
        return len(chosen)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(autoping=False, timeout=1)
        await socket.prepare(request)
        if len(self.connections) >= CONNECTIONS:
            await _say_goodbye(socket, "too_many_websockets")
            return socket
        await self._keep(socket)
        return socket

    async def _keep(self, socket: web.WebSocketResponse) -> None:
        self._opened += 1
        connection = Connection(socket, self._opened)
        self.connections.append(connection)
        try:
            await socket.send_json(_hello(len(self.connections)))
            self.changes.happened()
            async for message in socket:
                await self._receive(connection, message)
        finally:
            self._forget(connection)

    async def _receive(self, connection: Connection, message: WSMessage) -> None:
        if message.type == WSMsgType.PING and not connection.silent:
            await connection.socket.pong(message.data)
        elif message.type == WSMsgType.TEXT:
            self._acknowledge(message.data)

    def _acknowledge(self, text: str) -> None:
        try:
            ack = strict_json.loads(text)
            waiting = self._waiting.get(ack["envelope_id"])
        except (ValueError, KeyError, TypeError):
            return  # Slack ignores what is no ack
        if waiting and not waiting.done():
            waiting.set_result(ack.get("payload", ""))

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.changes.happened()


def _hello(open_now: int) -> Json:
    about = {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060}
    return {
        "type": "hello",
        "num_connections": open_now,
        "debug_info": about,
        "connection_info": {"app_id": APP},
    }


async def _say_goodbye(socket: web.WebSocketResponse, reason: str) -> None:
    goodbye = {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
    try:
        await socket.send_json(goodbye)
    except ConnectionError:
        return  # it left first
    await socket.close(code=WSCloseCode.GOING_AWAY)
