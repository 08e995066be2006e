"""The sandbox's timers: instances advance, due dates pass, tasks and failures arrive."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from bot.sandbox.secmaster.arrivals import new_failure, new_task
from bot.sandbox.secmaster.world import World

SHORTEST = 0.01  # seconds between two looks at a clock that may stand still
TIMER = "secmaster-timer"  # the asyncio name of every timer


class Scheduler:
    """The timers of a sandbox; all of them end with ``stop``.

    ``pace`` is the seconds an instance takes for a step, ``rates`` the seconds from one arrival
    to the next.
    """

    def __init__(self, world: World, pace: float) -> None:
        self.rates: dict[str, float] = {"tasks_every": 0, "failures_every": 0}
        self._world = world
        self._pace = pace
        self._wakeup = asyncio.Event()
        self._main: list[asyncio.Task[None]] = []
        self._instances: dict[str, asyncio.Task[None]] = {}
        self._arrivals: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._wakeup = asyncio.Event()
        self._main = [asyncio.create_task(self._run(), name=TIMER)]

    async def stop(self) -> None:
        await _cancel([*self._main])  # first, for it starts the others
        await _cancel([*self._instances.values(), *self._arrivals.values()])
        self._main.clear()
        self._instances.clear()
        self._arrivals.clear()
        self.rates = dict.fromkeys(self.rates, 0.0)

    def wake(self) -> None:
        """Start the timers of instances that began to move, and apply what is due."""
        self._wakeup.set()

    async def set_rates(self, *, tasks_every: float, failures_every: float) -> None:
        """Let tasks and failed instances arrive, one every so many seconds; 0 for none."""
        await _cancel(list(self._arrivals.values()))
        self.rates = {"tasks_every": tasks_every, "failures_every": failures_every}
        functions = {"tasks_every": new_task, "failures_every": new_failure}
        self._arrivals = {
            rate: asyncio.create_task(self._arrive(seconds, functions[rate]), name=TIMER)
            for rate, seconds in self.rates.items()
            if seconds
        }

    async def _run(self) -> None:
        # All changes of one turn of the event loop are handled together.
        while True:
            self._wakeup.clear()
            for instance_id in self._world.moving - self._instances.keys():
                timer = asyncio.create_task(self._advance(instance_id), name=TIMER)
                self._instances[instance_id] = timer
            self._world.expire()
            due, delay = self._world.next_due, None
            if due is not None:
                delay = max(SHORTEST, (due - self._world.clock()).total_seconds())
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._wakeup.wait()

    async def _advance(self, instance_id: str) -> None:
        """Take the steps of an instance until it moves no more."""
        while instance_id in self._world.moving:
            await asyncio.sleep(self._pace)
            # It may have been deleted meanwhile.
            if instance_id in self._world.moving:
                self._world.advance(instance_id)
        del self._instances[instance_id]

    async def _arrive(self, seconds: float, add: Callable[[World, int], Any]) -> None:
        for number in count():
            await asyncio.sleep(seconds)
            add(self._world, number)


async def _cancel(timers: list[asyncio.Task[None]]) -> None:
    for timer in timers:
        timer.cancel()
    outcomes = await asyncio.gather(*timers, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    if errors:
        raise ExceptionGroup("the sandbox's timers broke", errors)
