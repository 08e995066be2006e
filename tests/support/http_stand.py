"""Local servers for tests of a client: one that speaks HTTP, one that sends whatever bytes."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.secmaster import IamAuth, SecMaster

Handler = Callable[[web.Request], Awaitable[web.Response]]
OpenClient = Callable[..., Awaitable[SecMaster]]
OpenIamAuth = Callable[..., Awaitable[IamAuth]]
StartWire = Callable[..., Awaitable[tuple[str, list[bytes]]]]


@dataclass(frozen=True)
class RecordedRequest:
    """A request that arrived; ``peer`` is the address of its connection."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: object

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stand:
    """A server that records requests, and answers each with what ``answer`` returns."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.requests: list[RecordedRequest] = []
        self.answer: Callable[[RecordedRequest], web.Response] = lambda _: envelope()

    async def handle(self, request: web.Request) -> web.Response:
        recorded = RecordedRequest(
            request.method,
            request.raw_path,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
            request.get_extra_info("peername"),
        )
        self.requests.append(recorded)
        return self.answer(recorded)

    def says(self, body: object, status: int = 200, **headers: str) -> None:
        """Answer everything with this JSON, or with these bytes."""
        header_fields = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = lambda _: web.Response(body=content, status=status, headers=header_fields)


def envelope(**fields: object) -> web.Response:
    """SecMaster's answer to a request that succeeded."""
    return web.json_response({"code": "00000000", "message": "", "success": True, **fields})


async def serve(handler: Handler, stack: AsyncExitStack) -> str:
    """Start a server on loopback, which ``stack`` stops; return its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return "http://{}:{}".format(*runner.addresses[0])
