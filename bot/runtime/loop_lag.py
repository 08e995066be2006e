"""Measure how late the event loop is: what blocks it, every click waits for."""

import asyncio
from collections.abc import Callable

INTERVAL = 0.5  # seconds


async def watch_loop(on_lag: Callable[[float], None]) -> None:
    """Tell how many seconds late the loop was, twice a second; never ends."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + INTERVAL
        await asyncio.sleep(INTERVAL)
        on_lag(max(0.0, loop.time() - due))
