"""A count of everything that happened, and a way to wait for the next thing."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Changes:
    """Counts changes; whoever waits is woken by each one.

    An event that is replaced at each change stands in for a condition: state changes in plain
    functions, and a condition can only be notified by a coroutine that holds its lock.
    """

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def happened(self) -> None:
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, predicate: Callable[[], T]) -> T:
        """The first truthy value of ``predicate``, which is asked again after each change."""
        while not (found := predicate()):
            await self._next.wait()
        return found
