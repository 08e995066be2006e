"""A count of everything that happened, and ways to hear of the next thing."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

T = TypeVar("T")


class Changes:
    """Counts changes; whoever waits is woken by each one.

    An event that is replaced at each change stands in for a condition: state changes in plain
    functions, and a condition can only be notified by a coroutine that holds its lock.
    """

    def __init__(self) -> None:
        self.count = 0
        self.closed = False
        self._next = asyncio.Event()

    def happened(self) -> None:
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    def open(self) -> None:
        self.closed = False

    def close(self) -> None:
        """Let every reader of the news go home."""
        self.closed = True
        self.happened()

    async def after(self, count: int) -> None:
        """Wait until more than ``count`` has happened."""
        await self.until(lambda: self.count > count)

    async def until(self, predicate: Callable[[], T]) -> T:
        """The first truthy value of ``predicate``, which is asked again after each change."""
        while not (found := predicate()):
            await self._next.wait()
        return found


def routes(changes: Changes) -> list[web.RouteDef]:
    """``GET /_sandbox/news``: the count as a stream of events, at once and after each change.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    async def news(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await stream.prepare(request)
        while not changes.closed and not _gone(request):
            told = changes.count
            await stream.write(f"data: {told}\n\n".encode())
            # Whatever else changes in this turn of the loop is the same piece of news.
            await changes.after(told)
        return stream

    return [web.get("/_sandbox/news", news)]


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
