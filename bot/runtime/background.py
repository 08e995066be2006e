"""Work that goes on after the acknowledgement and need not survive a crash: reads, and answers.

Every errand is owned: it is waited for at shutdown, and its error reaches a door.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

ErrorHandler = Callable[[Exception], Awaitable[None]]


class BackgroundTasks:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, errand: Coroutine[Any, Any, None], door: ErrorHandler) -> None:
        """Run an errand on the side; ``door`` is handed what it raises."""
        task = asyncio.create_task(_run(errand, door))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def drain(self, seconds: float = 10) -> None:
        """Wait for what is under way, then give up on the rest."""
        if not self._running:
            return
        _done, late = await asyncio.wait(self._running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _run(errand: Coroutine[Any, Any, None], door: ErrorHandler) -> None:
    try:
        await errand
    except Exception as error:  # noqa: BLE001 - the door is where every error of an errand goes
        await door(error)
