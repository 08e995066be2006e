"""Share runs of the same work: calls that arrive while one run is under way wait for the next.

A busy object's cards are rendered once an interval at most, every caller waits for a run that
began after its call, and the last state is always rendered.
"""

import asyncio
from collections.abc import Awaitable, Callable

Call = Callable[[], Awaitable[None]]


class Coalescer:
    """Runs of work by key, at least ``interval`` seconds between the starts of two with one key."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next: dict[str, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._pauses: dict[str, asyncio.Task[None]] = {}

    async def run(self, key: str, call: Call) -> None:
        """Await a run that begins after this call; raises what that run raises.

        Of callers that share a run, the first one's ``call`` is made.
        """
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._run_after_pause(key, call))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        # Shielded: the first caller may be cancelled while others wait for the same run.
        await asyncio.shield(task)

    async def _run_after_pause(self, key: str, call: Call) -> None:
        if pause := self._pauses.get(key):
            await asyncio.wait([pause])
        del self._next[key]  # what is called from now on needs another run

        def forget(pause: asyncio.Task[None]) -> None:
            if self._pauses.get(key) is pause:
                del self._pauses[key]

        next_pause = asyncio.create_task(asyncio.sleep(self._interval))
        self._pauses[key] = next_pause
        next_pause.add_done_callback(forget)
        await call()

    async def drain(self, seconds: float = 2) -> None:
        """Wait up to so many seconds for what runs, though nobody may wait for it any more.

        What takes longer is cancelled.
        """
        if self._running:
            _done, late = await asyncio.wait(self._running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def close(self) -> None:
        """Cancel what has not begun: whoever waits for it does it again after the next start."""
        tasks = [*self._next.values(), *self._pauses.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
