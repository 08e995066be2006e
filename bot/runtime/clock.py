"""The time, and waiting for it: tests hand in a clock of their own."""

import asyncio
from datetime import UTC, datetime


class Clock:
    """The time, and waiting for it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
