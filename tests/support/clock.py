"""Clocks for tests: one that a test sets forward, and one that runs fast."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.runtime.clock import Clock


class FakeClock(Clock):
    """The time as it is, and as far ahead as a test sets it; whoever waits for it then goes on."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        self._moved = asyncio.Event()
        self._waiting: Counter[float] = Counter()
        self._wait_began = asyncio.Event()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead.total_seconds()

    def forward(self, **by: float) -> None:
        """Set it forward, by so many hours or minutes."""
        self._set_ahead(self._ahead + timedelta(**by))

    def set(self, moment: datetime) -> None:
        """Set it to a moment, which may be in the past."""
        self._set_ahead(moment - datetime.now(UTC))

    def _set_ahead(self, ahead: timedelta) -> None:
        self._ahead = ahead
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        self._waiting[seconds] += 1
        self._wait_began.set()
        try:
            while (remaining := (until - self.now()).total_seconds()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(remaining):
                        await self._moved.wait()
        finally:
            self._waiting[seconds] -= 1

    async def until_waiting(self, seconds: float) -> None:
        """Wait until somebody waits for so long.

        Whoever begins that only after the clock was set forward waits for it in real time.
        """
        while not self._waiting[seconds]:
            self._wait_began.clear()
            await self._wait_began.wait()


@dataclass(frozen=True)
class FastClock(Clock):
    """A clock that several processes share and that runs ``speed`` times as fast as the world's.

    ``epoch`` is the moment at which it was right, in seconds of the machine's own monotonic
    clock, which is one for all its processes.
    """

    epoch: float
    speed: float

    def now(self) -> datetime:
        passed = time.monotonic() - self.epoch
        return datetime.now(UTC) + timedelta(seconds=passed * (self.speed - 1))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


class LeapingClock(FakeClock):
    """A clock that leaps ahead for whoever waits, so that no wait takes time.

    ``pauses`` are the seconds that were waited for, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.forward(seconds=seconds)
        await asyncio.sleep(0)
