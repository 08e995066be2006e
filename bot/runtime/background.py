"""Run work after the acknowledgement that need not survive a crash: reads, and answers.

Every task is owned: shutdown waits for it, and its error reaches a handler.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

ErrorHandler = Callable[[Exception], Awaitable[None]]


class BackgroundTasks:
    """The tasks that run in the background of this process."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(
        self,
        work: Coroutine[Any, Any, None],
        on_error: ErrorHandler,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a coroutine in the background; ``on_error`` is awaited with what it raises.

        ``on_end`` is called at the end, however it came about.
        """

        async def run() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 - the handler is where every error goes
                await on_error(error)
            finally:
                on_end()

        task = asyncio.create_task(run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def drain(self, seconds: float = 10) -> None:
        """Wait up to so many seconds for the running tasks, then cancel the rest."""
        if not self._running:
            return
        _done, late = await asyncio.wait(self._running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
