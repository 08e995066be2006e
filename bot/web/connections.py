"""The connections to a port: how many are open at once, and how long each may wait.

aiohttp bounds neither: it waits an hour for a request's headers, for its body without end, and
accepts connections until no file descriptor is left for the database and for calls to others.
Knows nothing of what a request means.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.metrics import Metrics

log = logging.getLogger(__name__)

LINGERING = 1.0  # seconds that a body may still come of which nothing is wanted any more


class Phase(StrEnum):
    """What a connection waits for."""

    HEADERS = "headers"
    BODY = "body"
    ANSWER = "answer"
    IDLE = "idle"  # the next request on a connection that stays open


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections may be open at once, and how many seconds each phase may take.

    ``idle`` is longer than proxies keep a connection (Envoy's hour): one that we close first may
    carry a request already. Where there is no room an idle one is closed before.
    """

    connections: int = 500
    headers: float = 5
    body: float = 5
    answer: float = 60
    idle: float = 3630

    def seconds(self, phase: Phase) -> float:
        """Return how long a connection may stay in a phase."""
        match phase:
            case Phase.HEADERS:
                return self.headers
            case Phase.BODY:
                return self.body
            case Phase.ANSWER:
                return self.answer
            case Phase.IDLE:
                return self.idle
            case _:
                assert_never(phase)

    @property
    def room(self) -> int:
        """How many connections leave half of the process's file descriptors for all else."""
        descriptors, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if descriptors == resource.RLIM_INFINITY:
            return self.connections
        return min(self.connections, descriptors // 2)


class Connections:
    """All connections to one port, those that wait longest first.

    Where there is no room for a new one, the one that has owed a whole request for longest makes
    room, and where none does, one that is idle. One whose request is being answered never does.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._room = limits.room
        self._open: dict[web.RequestHandler, Connection] = {}

    def count(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def enter(self, connection: "Connection", phase: Phase) -> None:
        """Begin a phase of a connection, and with it its deadline, unless it was closed."""
        if not connection.is_open:
            return
        self._open.pop(connection.handler, None)
        self._open[connection.handler] = connection
        connection.begin(phase, self._limits.seconds(phase))

    def admit(self, connection: "Connection") -> None:
        """Take a new connection up, and close another, or this one, where there is no room."""
        self.enter(connection, Phase.HEADERS)
        if len(self._open) <= self._room:
            return
        others = [other for other in self._open.values() if other is not connection]
        incomplete = (other for other in others if other.phase in (Phase.HEADERS, Phase.BODY))
        idle = (other for other in others if other.phase is Phase.IDLE)
        late = next(incomplete, None) or next(idle, connection)
        log.warning("too many connections, one was closed", extra={"waited_for": late.phase})
        late.close()

    def forget(self, connection: "Connection") -> None:
        """Drop a connection that is closed."""
        self._open.pop(connection.handler, None)

    @web.middleware
    async def receive_whole(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the whole body before the request is answered, and note when it is."""
        connection = self._open.get(request.protocol)
        if connection is None:  # closed in the meantime
            raise web.HTTPRequestTimeout
        self.enter(connection, Phase.BODY)
        try:
            await request.read()  # answers 413 by itself beyond the application's limit
        except ConnectionError:
            raise web.HTTPRequestTimeout from None  # nobody reads it any more
        except web.RequestPayloadError:
            raise web.HTTPBadRequest from None
        self.enter(connection, Phase.ANSWER)
        try:
            return await handler(request)
        finally:
            self.enter(connection, Phase.IDLE)


class Connection(asyncio.Protocol):
    """Stands between a transport and aiohttp's handler, and closes the one at a deadline."""

    phase = Phase.HEADERS

    def __init__(self, handler: web.RequestHandler, connections: Connections) -> None:
        self.handler = handler
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether the connection is neither closed nor being closed."""
        return self._transport is not None

    def begin(self, phase: Phase, seconds: float) -> None:
        """Note what is waited for, and until when."""
        self.phase = phase
        if self._deadline:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self.phase is not Phase.IDLE:
            log.warning("a connection was too slow, and closed", extra={"waited_for": self.phase})
        self.close()

    def close(self) -> None:
        """Close the connection at once; what was not sent yet is lost."""
        self._connections.forget(self)
        if self._transport:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.handler.connection_made(transport)
        self._connections.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.forget(self)
        if self._deadline:
            self._deadline.cancel()
        self.handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.phase is Phase.IDLE:
            self._connections.enter(self, Phase.HEADERS)
        self.handler.data_received(data)

    def eof_received(self) -> None:
        self.handler.eof_received()

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()


@asynccontextmanager
async def serve(
    application: web.Application,
    listener: socket.socket,
    limits: ConnectionLimits = ConnectionLimits(),
    metrics: Metrics | None = None,
) -> AsyncIterator[str]:
    """Serve an application on a listening socket; yields its address."""
    connections = Connections(limits)
    if metrics:
        metrics.watch_http(connections.count)
    application.middlewares.append(connections.receive_whole)
    runner = web.AppRunner(
        application, access_log=None, handle_signals=False, lingering_time=LINGERING
    )
    await runner.setup()
    make_handler = cast("web.Server", runner.server)  # there is one from the setup on
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(make_handler(), connections), sock=listener
    )
    host, port = listener.getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        await runner.cleanup()
