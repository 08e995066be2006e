"""Plays Slack: posts clicks that were made ready before, and times their acknowledgements.

A process of its own, ``python -m tests.bench.clicker``: neither the sandboxes' work nor the
bot's is in its times. A line in is one volley, ``{"id", "url", "clicks": [[headers, body], …]}``,
all of whose clicks leave at once; a line out is what became of it.
"""

import asyncio
import itertools
import json
import time
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from tests.support.child import Child, lines, say


@dataclass(frozen=True)
class Click:
    """One signed request as Slack would post it."""

    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Ack:
    """``started_at`` is in seconds of the wall clock, ``took`` in seconds until the answer came."""

    started_at: float
    took: float
    status: int


class Clicker:
    """The bench's hold on that process."""

    def __init__(self) -> None:
        self._child = Child("tests.bench.clicker")
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[list[Ack]]] = {}

    async def __aenter__(self) -> Self:
        await self._child.__aenter__()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._listening.cancel()
        await self._child.__aexit__(*exception)

    async def volley(self, url: str, clicks: list[Click]) -> list[Ack]:
        """Send the clicks at once; returns when all are acknowledged."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        posts = [[click.headers, click.body] for click in clicks]
        await self._child.tell({"id": number, "url": url, "clicks": posts})
        return await self._waiting[number]

    async def _listen(self) -> None:
        try:
            while True:
                heard = await self._child.hear()
                acks = [Ack(*each) for each in heard["acks"]]
                self._waiting.pop(heard["id"]).set_result(acks)
        except Exception as broken:  # noqa: BLE001 - whoever waits is told, whatever it was
            for future in self._waiting.values():
                future.set_exception(broken)


async def main() -> None:
    reader = await lines()
    connections = aiohttp.TCPConnector(limit=0, keepalive_timeout=300)
    async with aiohttp.ClientSession(connector=connections) as http, asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            tasks.create_task(_volley(http, json.loads(line)))


async def _volley(http: aiohttp.ClientSession, clicks: dict[str, Any]) -> None:
    posts = (_click(http, clicks["url"], *each) for each in clicks["clicks"])
    say({"id": clicks["id"], "acks": await asyncio.gather(*posts)})


async def _click(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], body: str
) -> tuple[float, float, int]:
    started_at, ticks = time.time(), time.perf_counter()
    try:
        async with http.post(url, data=body.encode(), headers=headers) as answer:
            await answer.read()
            status = answer.status
    except aiohttp.ClientError:
        status = 0
    return started_at, time.perf_counter() - ticks, status


if __name__ == "__main__":
    asyncio.run(main())
