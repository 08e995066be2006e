"""Thousands of tasks and failures at once: each is brought once, in order, as fast as Slack lets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
import time

import sqlalchemy as sa

from bot.demo import POLICY
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.workspace import BOT_USER, Channel
from bot.store import Store, close, connect
from bot.store.tables import cards
from tests.bench.child import Child
from tests.fast import Fast
from tests.town import ONCALL

# By the last digit of their names tasks go to ten channels, and those that end in 7 to another
# one as well.
DIGITS = [f"C0DIGIT{digit}" for digit in range(10)]
TWICE = "C0TWICE"
TASK_ROUTE = """
[[routes]]
channel = "{channel}"
tasks = true
when = {{ name = '.*{digit}[^0-9]*$' }}
continue = {go_on}
"""
FAILURES = f"""
[[routes]]
channel = "{ONCALL}"
instances = ["FAILED"]
"""


def rules() -> str:
    """The policy of the burst: rounds every fifteen seconds, and whither things go."""
    lanes = [(TWICE, 77, "true"), *((channel, at, "false") for at, channel in enumerate(DIGITS))]
    routes = [TASK_ROUTE.format(channel=lane, digit=at, go_on=on) for lane, at, on in lanes]
    return "".join([POLICY, *routes, FAILURES])


@dataclass
class Burst:
    """Both services and the bot that watches, in a process of its own."""

    slack: SlackSandbox
    secmaster: SecMasterSandbox
    store: Store
    command: tuple[str, ...]
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        self.child = await self.stack.enter_async_context(Child(*self.command))
        await self.child.ready()

    async def kill_and_start(self) -> None:
        await self.child.kill()
        await self.start()

    def posted(self) -> int:
        return sum(len(self.slack.workspace.in_channel(each)) for each in [*DIGITS, TWICE, ONCALL])

    async def a_round(self) -> None:
        """Wait until the watch asks SecMaster for a list once more."""
        requests = self.secmaster.requests
        there = len(requests)
        await self.secmaster.until(
            lambda: any(one.endpoint == "ListTasks" for one in islice(requests, there, None))
        )

    async def begun(self) -> None:
        while (first := self.store.known.round("main")) is None or first.ended_at is None:
            await self.a_round()
        await self.through()

    async def through(self) -> None:
        """Wait until all that came is known, and all that is to be posted is."""
        world = self.secmaster.world
        waiting = sum(task["status"] == "waiting" for task in world.tasks.values())
        while self.store.known.count("main", "task") < waiting or self.store.outbox.waiting():
            await self.a_round()


@asynccontextmanager
async def burst(folder: Path, speed: float) -> AsyncIterator[Burst]:
    fast, url = Fast(time.monotonic(), speed), f"sqlite:///{folder / 'bot.db'}"
    slack = SlackSandbox(clock=lambda: fast.now().timestamp())
    secmaster = SecMasterSandbox(pace=0, clock=fast.now)
    (folder / "policy.toml").write_text(rules())
    for channel in [*DIGITS, TWICE]:
        slack.workspace.channels[channel] = Channel(channel, channel.lower(), [BOT_USER])
    slack.limits.on = True
    engine = connect(url)
    async with AsyncExitStack() as stack:
        stack.callback(close, engine)
        for sandbox in (slack, secmaster):
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
        given = (slack.url, secmaster.url, url, str(folder / "policy.toml"))
        clock = (str(fast.epoch), str(fast.speed))
        command = ("tests.stories.burst_child", *given, *clock)
        burst = Burst(slack, secmaster, Store(engine), command)
        await stack.enter_async_context(burst.stack)
        await burst.start()
        await burst.begun()
        yield burst


def test_try(tmp_path: Path):
    asyncio.run(run(tmp_path, *map(int, __import__("os").environ["TRY"].split())))


async def run(folder, tasks, failures, speed):
    async with burst(folder, speed) as here:
        n = len(here.slack.calls)
        r = len(here.secmaster.requests)
        t = time.time()
        here.secmaster.world.add_many(tasks, failures)
        print("added", time.time() - t)
        await here.through()
        took = time.time() - t
        print("through", took, here.posted(), here.posted() / took)
        print(Counter((c.method, c.error) for c in here.slack.calls[n:]))
        print(Counter(c.endpoint for c in here.secmaster.requests[r:]))
        import os

        ticks = open(f"/proc/{here.child.pid}/stat").read().split()
        print("child cpu", (int(ticks[13]) + int(ticks[14])) / 100, "own", sum(os.times()[:2]))
        print(open(f"/proc/{here.child.pid}/status").read().split("VmRSS")[1][:20])
