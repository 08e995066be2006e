"""Cache the answers of a lookup for a while, and share a lookup among those who wait for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

TTL = 60.0  # seconds
MAX_ENTRIES = 10_000  # people and user groups of a large workspace; beyond it the oldest go


T = TypeVar("T")


class TtlCache(Generic[T]):
    """Answers of ``look_up`` by key, each valid for TTL seconds; at most one lookup a key at once.

    A lookup that failed is not cached: the next call for its key looks up anew. ``clock`` returns
    seconds.
    """

    def __init__(
        self, look_up: Callable[[str], Awaitable[T]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._answers: dict[str, tuple[float, asyncio.Future[T]]] = {}

    async def get(self, key: str) -> T:
        """Return the cached answer for a key, or look it up; raises what the lookup raises."""
        started, answer = self._answers.get(key, (0.0, None))
        failed = (
            answer is not None
            and answer.done()
            and (answer.cancelled() or answer.exception() is not None)
        )
        if answer is None or failed or self._clock() - started > TTL:
            answer = asyncio.ensure_future(self._look_up(key))
            self._answers.pop(key, None)  # a key that is set anew is the youngest
            self._answers[key] = (self._clock(), answer)
            if len(self._answers) > MAX_ENTRIES:
                del self._answers[next(iter(self._answers))]
        # Shielded: the first caller may be cancelled while others wait for the same lookup.
        return await asyncio.shield(answer)
