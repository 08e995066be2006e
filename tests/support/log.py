"""What the bot logs, as whoever runs it reads it: JSON lines with what is bound to their work."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bot.logs import OURS, log_handler


class LogLines(io.StringIO):
    """A log in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._written = asyncio.Event()

    def write(self, text: str) -> int:
        self._loop.call_soon_threadsafe(self._written.set)  # a thread may write
        return super().write(text)

    async def until(self, event: str, count: int = 1, **facts: Any) -> list[dict[str, Any]]:
        """Wait for so many lines of an event that have these facts, and return them."""
        while len(lines := self.lines(event, **facts)) < count:
            self._written.clear()
            await self._written.wait()
        return lines

    def lines(self, event: str = "", **facts: Any) -> list[dict[str, Any]]:
        """Return the lines of an event, "" for any, that have these facts."""
        parsed = map(json.loads, self.getvalue().splitlines())
        return [
            line
            for line in parsed
            if event in ("", line["event"]) and line.items() >= facts.items()
        ]


@contextmanager
def logged() -> Iterator[LogLines]:
    """Write what is logged in this block at INFO and above."""
    written = LogLines()
    handler = log_handler(written)
    logging.getLogger().addHandler(handler)
    levels = {name: logging.getLogger(name).level for name in OURS}
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        yield written
    finally:
        logging.getLogger().removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
