"""A count of all changes to a sandbox, and ways to wait for the next one."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from bot.sandbox.connection import is_disconnected

T = TypeVar("T")


class Changes:
    """Counts changes, and wakes those who wait at each one.

    An event that is replaced at each change stands in for a condition: state changes in plain
    functions, and a condition can only be notified by a coroutine that holds its lock.
    """

    def __init__(self) -> None:
        self.count = 0
        self.closed = False
        self._next = asyncio.Event()

    def happened(self) -> None:
        """Count a change, and wake everybody who waits for one."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    def open(self) -> None:
        self.closed = False

    def close(self) -> None:
        """End every stream of changes."""
        self.closed = True
        self.happened()

    async def after(self, count: int) -> None:
        """Wait until there have been more than ``count`` changes."""
        await self.until(lambda: self.count > count)

    async def until(self, predicate: Callable[[], T]) -> T:
        """Return the first truthy value of ``predicate``, called again after each change."""
        while not (value := predicate()):
            await self._next.wait()
        return value


def routes(changes: Changes) -> list[web.RouteDef]:
    """Build ``GET /_sandbox/news``, which streams the count, at once and after each change.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    async def news(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await stream.prepare(request)
        while not changes.closed and not is_disconnected(request):
            count = changes.count
            await stream.write(f"data: {count}\n\n".encode())
            # All changes of one turn of the event loop are sent as one.
            await changes.after(count)
        return stream

    return [web.get("/_sandbox/news", news)]
