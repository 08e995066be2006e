"""Answers of a lookup, kept for a while; many who ask at once cause one lookup."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

KEPT = 60.0  # seconds


T = TypeVar("T")


class TtlCache(Generic[T]):
    """What a lookup answered, for a while; one lookup at a time for each key."""

    def __init__(
        self, look_up: Callable[[str], Awaitable[T]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._answers: dict[str, tuple[float, asyncio.Future[T]]] = {}

    async def get(self, key: str) -> T:
        asked, answer = self._answers.get(key, (0.0, None))
        if answer is None or self._clock() - asked > KEPT or _failed(answer):
            answer = asyncio.ensure_future(self._look_up(key))
            self._answers[key] = (self._clock(), answer)
        # Shielded: the first to ask may go away, the others still wait.
        return await asyncio.shield(answer)


def _failed(answer: asyncio.Future[Any]) -> bool:
    return answer.done() and (answer.cancelled() or answer.exception() is not None)
