"""Fixtures for what speaks to a server: a stack that closes it, and one that sends any bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest

from tests.support.http_stand import StartWire


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def wire(stack: AsyncExitStack) -> StartWire:
    """Start a server that reads one request, sends these bytes, and hangs up or waits."""

    async def start(answer: bytes, *, hang_up: bool = True) -> tuple[str, list[bytes]]:
        requests: list[bytes] = []

        handlers: list[asyncio.Task[None] | None] = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handlers.append(asyncio.current_task())
            # Who begins with TLS sends no such line, and hangs up at some time.
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                requests.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                if not hang_up:
                    await reader.read()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)

        async def end() -> None:
            server.close()
            await asyncio.gather(*filter(None, handlers))

        stack.push_async_callback(end)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests

    return start
