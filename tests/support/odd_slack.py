"""A server in Slack's place that gives each call one answer, and a websocket one greeting."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def odd_slack(
    answer: Callable[[str], web.Response], greeting: str = ""
) -> AsyncIterator[str]:
    """Serve, and yield the address; ``answer`` is given that of the websocket."""
    websockets: list[web.WebSocketResponse] = []

    async def call(_request: web.Request) -> web.Response:
        return answer(f"{url.replace('http', 'ws')}/websocket")

    async def greet(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(timeout=1)
        await websocket.prepare(request)
        websockets.append(websocket)
        await websocket.send_str(greeting)
        async for _message in websocket:
            pass
        return websocket

    application = web.Application()
    application.router.add_get("/websocket", greet)
    application.router.add_post("/api/{method}", call)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}"
    try:
        yield url
    finally:
        for websocket in websockets:
            await websocket.close()
        await runner.cleanup()
