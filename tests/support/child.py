"""A process of our own that is spoken to in JSON, a line at a time; it ends with its input."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Self

LONGEST_LINE = 64 * 1024**2  # bytes; a burst of clicks is one line
READY_WITHIN = 30  # seconds
GONE_WITHIN = 15  # seconds
HOME = Path(__file__).parents[2]


class Child:
    """``python -m <module> <arguments>`` between ``async with`` and its end."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = (sys.executable, "-m", module, *arguments)
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, limit=LONGEST_LINE, cwd=HOME
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), GONE_WITHIN)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL: no handler, no clean-up, no last word."""
        self._process.kill()
        await self._process.wait()

    @property
    def _stdin(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None, "it was started with a pipe"
        return self._process.stdin

    @property
    def pid(self) -> int:
        return self._process.pid

    async def tell(self, message: Any) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")
        await self._stdin.drain()

    async def hear(self) -> Any:
        """What the process prints next; that it printed nothing more is an error."""
        assert self._process.stdout is not None, "it was started with a pipe"
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended unasked")
        return json.loads(line)

    async def ready(self) -> Any:
        return await asyncio.wait_for(self.hear(), READY_WITHIN)


async def lines() -> asyncio.StreamReader:
    """The child's side of it: what it is told, to be read a line at a time."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
