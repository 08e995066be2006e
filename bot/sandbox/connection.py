"""The connections that requests come over: their state, and their end."""

import asyncio

from aiohttp import web


def is_disconnected(request: web.Request) -> bool:
    """Whether the client has closed the connection, so that no answer can reach it."""
    return request.transport is None or request.transport.is_closing()


async def stop(runner: web.AppRunner) -> None:
    """Stop a server, and hang up on whoever is connected still.

    Over TLS each connection would wait by itself for the client's farewell, for half a minute.
    """
    server = runner.server
    transports = [handler.transport for handler in server.connections] if server else []
    await runner.cleanup()
    for transport in filter(None, transports):
        transport.abort()
    await asyncio.sleep(0)  # they are closed in the loop's next turn
