"""Drawings of one thing, gathered: those who ask while one is under way share the next.

So a busy object costs one drawing a second at most, whoever asks waits for one that began after
they asked, and the last state is always drawn.
"""

import asyncio
from collections.abc import Awaitable, Callable

Draw = Callable[[], Awaitable[None]]


class Coalescer:
    """``pause`` is the least number of seconds between two drawings of one thing."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._next: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, asyncio.Task[None]] = {}

    async def run(self, name: str, draw: Draw) -> None:
        """Await a drawing that begins after this call; raises what it raises."""
        turn = self._next.get(name)
        if turn is None:
            turn = self._next[name] = asyncio.create_task(self._turn(name, draw))
        # Shielded: the first to ask may go away, the others still wait.
        await asyncio.shield(turn)

    async def _turn(self, name: str, draw: Draw) -> None:
        if before := self._last.get(name):
            await asyncio.wait([before])
        del self._next[name]  # whoever asks from here on needs another
        rest = asyncio.create_task(asyncio.sleep(self._pause))
        self._last[name] = rest
        rest.add_done_callback(lambda _: self._rested(name, rest))
        await draw()

    def _rested(self, name: str, rest: asyncio.Task[None]) -> None:
        if self._last.get(name) is rest:
            del self._last[name]

    async def close(self) -> None:
        """Break off what is under way: whoever waits for it does it again after the next start."""
        tasks = [*self._next.values(), *self._last.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
