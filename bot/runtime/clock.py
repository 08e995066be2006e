"""The current time, and waiting; tests hand in a clock of their own."""

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    """The system's clock."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)

    def monotonic(self) -> float:
        """Return seconds that never go back, whatever is done to the machine's clock."""
        return time.monotonic()
