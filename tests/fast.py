"""A clock that several processes share and that runs so many times as fast as the world's."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.runtime.clock import Clock


@dataclass(frozen=True)
class Fast(Clock):
    """``epoch`` is the moment at which it was right, in seconds of the machine's own clock.

    A machine's monotonic clock is one for all its processes.
    """

    epoch: float
    speed: float

    def now(self) -> datetime:
        passed = time.monotonic() - self.epoch
        return datetime.now(UTC) + timedelta(seconds=passed * (self.speed - 1))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)
