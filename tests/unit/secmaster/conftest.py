"""Real local servers: one that speaks HTTP as told, one that sends whatever bytes it is given."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
from aiohttp import web

from bot.secmaster import SecMaster, TokenAuth


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Stand:
    """Remembers what it was asked, and answers what ``answer`` says."""

    def __init__(self):
        self.asked = []
        self.answer = lambda _: envelope()

    async def handle(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.raw_path, headers, await request.read())
        self.asked.append(asked)
        return self.answer(asked)

    def says(self, body, status=200, **headers):
        """Answer everything with this JSON, or with these bytes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = lambda _: web.Response(body=content, status=status, headers=named)


def envelope(**fields):
    return web.json_response({"code": "00000000", "message": "", "success": True, **fields})


async def serve(handler, stack):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return "http://{}:{}".format(*runner.addresses[0])


@pytest.fixture
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def stand(stack):
    stand = Stand()
    stand.url = await serve(stand.handle, stack)
    return stand


@pytest.fixture
async def iam(stack):
    """A second server, to give tokens."""
    iam = Stand()
    iam.url = await serve(iam.handle, stack)
    return iam


@pytest.fixture
def client_for(stack):
    """Open a client that is closed when the test ends."""

    async def client_for(url, auth=None, wait=5.0):
        auth = auth or TokenAuth("given-token")
        client = SecMaster(
            endpoint=url,
            project_id="p1",
            workspace_id="w1",
            auth=auth,
            timeout=httpx.Timeout(wait),
        )
        return await stack.enter_async_context(client)

    return client_for


@pytest.fixture
async def client(client_for, stand):
    return await client_for(stand.url)


@pytest.fixture
def wire(stack):
    """Start a server that reads one request, sends these bytes, and hangs up or waits."""

    async def start(answer, *, hang_up=True):
        requests = []

        async def handle(reader, writer):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            if not hang_up:
                await reader.read()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        await stack.enter_async_context(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests

    return start
