"""Cache the answers of a lookup, and share a lookup among those who wait for it.

While who is asked is slow or in trouble, the last answer is used for a while, and a lookup goes on
behind it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

TTL = 60.0  # seconds for which an answer is as good as a new one
# Seconds after which no answer is used: long enough for Slack's limits and most of its troubles,
# and short enough that whoever lost a right meanwhile does not keep it for long.
MAX_AGE = 600.0
PAUSE = 5.0  # seconds from a lookup that failed to the next, where the last answer is used
MAX_ENTRIES = 10_000  # people and user groups of a large workspace; beyond it the oldest go

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Answer(Generic[T]):
    """An answer, and when it was asked for."""

    value: T
    asked_at: float


@dataclass(slots=True)
class Entry(Generic[T]):
    """What is known under a key, the lookup that is under way, and what the last one raised.

    ``started_at`` is the loop's time at which the lookup began; before ``retry_at`` none begins.
    """

    answer: Answer[T] | None = None
    lookup: "asyncio.Task[T] | None" = None
    started_at: float = 0.0
    error: Exception | None = None
    retry_at: float = 0.0


class TtlCache(Generic[T]):
    """Answers of ``look_up`` by key, fresh for ``ttl`` seconds; at most one lookup a key at once.

    An older answer is looked up anew. It is used up to MAX_AGE where that takes longer than
    ``patience`` seconds, or fails in a way that may pass. ``retry_after`` says of a failure how
    many seconds to wait for the next lookup at least; or None where it is an answer itself, which
    ends the one before. ``clock`` returns seconds.
    """

    def __init__(
        self,
        look_up: Callable[[str], Awaitable[T]],
        clock: Callable[[], float] = time.monotonic,
        *,
        retry_after: Callable[[Exception], float | None] = lambda _error: None,
        patience: float | None = None,
        ttl: float = TTL,
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._retry_after = retry_after
        self._patience = patience
        self._ttl = ttl
        self._entries: dict[str, Entry[T]] = {}

    async def get(self, key: str, *, fresh: bool = False) -> T:
        """Return the answer for a key; raises what the lookup raises.

        A ``fresh`` one is of a lookup that is under way or begins now, never of one that is over.
        """
        entry = self._entries.get(key) or Entry()
        age = self._clock() - entry.answer.asked_at if entry.answer else MAX_AGE + 1
        if fresh:
            return await asyncio.shield(entry.lookup or self._start(key, entry))
        if entry.answer and age <= self._ttl:
            return entry.answer.value
        last = entry.answer if age <= MAX_AGE else None
        if entry.lookup is None and entry.error and self._clock() < entry.retry_at:
            if last is None:
                raise entry.error
            return last.value
        lookup = entry.lookup or self._start(key, entry)
        if last is None:
            # Shielded: the first caller may be cancelled while others wait for the same lookup.
            return await asyncio.shield(lookup)
        return await self._refreshed(entry, lookup, last)

    def _start(self, key: str, entry: Entry[T]) -> "asyncio.Task[T]":
        """Begin a lookup, which goes on whoever waits for it."""
        entry.started_at = asyncio.get_running_loop().time()
        entry.lookup = lookup = asyncio.create_task(self._record(key, entry))
        # Nobody may be left to hear of its error.
        lookup.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._entries.pop(key, None)  # a key that is looked up anew is the youngest
        self._entries[key] = entry
        if len(self._entries) > MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
        return lookup

    async def _record(self, key: str, entry: Entry[T]) -> T:
        """Look a key up, and record the answer or the failure."""
        asked_at = self._clock()
        try:
            value = await self._look_up(key)
        except Exception as error:
            pause = self._retry_after(error)
            if pause is None:
                entry.answer, entry.error = None, None
            else:
                is_usable = entry.answer and asked_at - entry.answer.asked_at <= MAX_AGE
                entry.error = error
                entry.retry_at = self._clock() + max(pause, PAUSE if is_usable else 0)
                if is_usable:
                    extra = {"key": key, "error": type(error).__name__}
                    log.warning("not looked up anew, the last answer is used", extra=extra)
            raise
        else:
            entry.answer, entry.error = Answer(value, asked_at), None
            return value
        finally:
            entry.lookup = None

    async def _refreshed(self, entry: Entry[T], lookup: "asyncio.Task[T]", last: Answer[T]) -> T:
        """Return what a lookup answers in time, and otherwise the last answer."""
        timeout = None
        if self._patience is not None:
            waited = asyncio.get_running_loop().time() - entry.started_at
            timeout = max(0.0, self._patience - waited)
        await asyncio.wait([lookup], timeout=timeout)
        if not lookup.done():
            return last.value
        error = None if lookup.cancelled() else lookup.exception()
        if isinstance(error, Exception) and self._retry_after(error) is not None:
            return last.value
        return lookup.result()
