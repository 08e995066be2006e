"""The time, and waiting for it: tests hand in a clock of their own."""

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    """The time, and waiting for it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only differences of mean something; they never run back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
