"""What happens by itself: runs take their steps, due dates pass, tasks and failures arrive."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from bot.sandbox.secmaster.arrivals import new_failure, new_task
from bot.sandbox.secmaster.world import World

SHORTEST = 0.01  # seconds between two looks at a clock that may stand still


class Clockwork:
    """The timers of a sandbox; all of them end with ``stop``."""

    def __init__(self, world: World, pace: float) -> None:
        self.rates: dict[str, float] = {"tasks_every": 0, "failures_every": 0}
        self._world = world
        self._pace = pace
        self._changed = asyncio.Event()
        self._tending: list[asyncio.Task[None]] = []
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._arrivals: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._changed = asyncio.Event()
        self._tending = [asyncio.create_task(self._tend())]

    async def stop(self) -> None:
        await _end([*self._tending])  # first, for it starts the others
        await _end([*self._runs.values(), *self._arrivals.values()])
        self._tending.clear()
        self._runs.clear()
        self._arrivals.clear()
        self.rates = dict.fromkeys(self.rates, 0.0)

    def tend(self) -> None:
        """See to it that every moving run has its timer, and that what is due is done."""
        self._changed.set()

    async def _tend(self) -> None:
        # All that changes in one turn of the loop is tended to once.
        while True:
            self._changed.clear()
            for instance_id in self._world.moving - self._runs.keys():
                self._runs[instance_id] = asyncio.create_task(self._run(instance_id))
            self._world.expire()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._changed.wait()

    def _until_due(self) -> float | None:
        """Real seconds until the next due date, by the world's clock as it is now."""
        due = self._world.next_due
        if due is None:
            return None
        return max(SHORTEST, (due - self._world.clock()).total_seconds())

    async def set_rates(self, *, tasks_every: float, failures_every: float) -> None:
        """Let new tasks and failed runs arrive, each every so many seconds; 0 for never."""
        await _end(list(self._arrivals.values()))
        self.rates = {"tasks_every": tasks_every, "failures_every": failures_every}
        arrive = {"tasks_every": new_task, "failures_every": new_failure}
        self._arrivals = {
            rate: asyncio.create_task(self._every(seconds, arrive[rate]))
            for rate, seconds in self.rates.items()
            if seconds
        }

    async def _run(self, instance_id: str) -> None:
        while instance_id in self._world.moving:
            await asyncio.sleep(self._pace)
            self._step(instance_id)
        del self._runs[instance_id]

    def _step(self, instance_id: str) -> None:
        # It may have been deleted meanwhile.
        if instance_id in self._world.moving:
            self._world.advance(instance_id)

    async def _every(self, seconds: float, arrive: Callable[[World, int], Any]) -> None:
        for number in count():
            await asyncio.sleep(seconds)
            arrive(self._world, number)


async def _end(timers: list[asyncio.Task[None]]) -> None:
    for timer in timers:
        timer.cancel()
    outcomes = await asyncio.gather(*timers, return_exceptions=True)
    wrong = [one for one in outcomes if isinstance(one, Exception)]
    if wrong:
        raise ExceptionGroup("the sandbox's timers broke", wrong)
