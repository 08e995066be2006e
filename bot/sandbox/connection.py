"""The state of the connection that a request came over."""

from aiohttp import web


def is_disconnected(request: web.Request) -> bool:
    """Whether the client has closed the connection, so that no answer can reach it."""
    return request.transport is None or request.transport.is_closing()
