"""Thousands of tasks and failures at once: each is brought once, in order, at Slack's pace."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from _pytest.mark import ParameterSet

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.workspace import BOT_USER, Channel
from bot.store import Store, close, connect
from bot.store.tables import cards
from tests.support.child import Child
from tests.support.clock import FastClock
from tests.support.people import ONCALL

pytestmark = pytest.mark.longest(400)
# Tasks go to ten channels, by the last digit of their names; some go to another one as well.
DIGITS = [f"C0DIGIT{digit}" for digit in range(10)]
TWICE = "C0TWICE"
TASK_ROUTE = """
[[routes]]
channel = "{channel}"
tasks = true
group = "none"
when = {{ name = '.*{digits}[^0-9]*$' }}
continue = {go_on}
"""
FAILURES = f"""
[[routes]]
channel = "{ONCALL}"
instances = ["FAILED"]
"""


def larger(*values: object) -> ParameterSet:
    """A burst that takes most of a minute: `make test-all`."""
    return pytest.param(*values, marks=pytest.mark.slow)


def in_full(*values: object) -> ParameterSet:
    """A burst that takes minutes: `make burst`."""
    return pytest.param(*values, marks=[pytest.mark.slow, pytest.mark.burst])


@dataclass
class Burst:
    """Both services and the bot that watches them, in a process of its own."""

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

    async def next_list(self) -> None:
        """Wait until the watch asks SecMaster for tasks once more."""
        requests = self.secmaster.requests
        count = len(requests)
        await self.secmaster.until(
            lambda: any(one.endpoint == "ListTasks" for one in requests[count:])
        )

    async def begun(self) -> None:
        """Wait until the first round is through: what is there by then is no news."""
        while (
            first := self.store.poll_statuses.get("main")
        ) is None or first.last_success_at is None:
            await self.next_list()
        await self.through()

    async def through(self) -> None:
        """Wait until all that waits is known, and all that is to be posted is."""
        open_tasks, failed = len(self._waiting()), len(self._failed())
        tracked, outbox = self.store.tracked, self.store.outbox
        while tracked.count("main", "task") < open_tasks:
            await self.next_list()
        while tracked.count("main", "instance") < failed or outbox.count():
            await self.next_list()

    def _waiting(self) -> list[dict[str, Any]]:
        return [each for each in self.secmaster.world.tasks.values() if each["status"] == "waiting"]

    def _failed(self) -> list[dict[str, Any]]:
        runs = self.secmaster.world.instances.values()
        return [each for each in runs if each["status"] == "FAILED"]

    def arrive(self, tasks: int, failures: int) -> tuple[list[str], list[str]]:
        """Let so many come at once; returns their ids, tasks in the order in which they came."""
        before = {*self.secmaster.world.tasks, *self.secmaster.world.instances}
        self.secmaster.world.add_many(tasks, failures)
        new_tasks = [each for each in self._waiting() if each["id"] not in before]
        new_tasks.sort(key=lambda each: (each["create_time"], each["id"]))
        runs = [each["id"] for each in self._failed() if each["id"] not in before]
        return [each["id"] for each in new_tasks], runs

    def brought(self, channel: str) -> list[str]:
        """The ids of the objects whose cards stand in a channel, by what the cards carry."""
        messages = self.slack.workspace.in_channel(channel)
        refs = [each["metadata"]["event_payload"].get("ref") for each in messages.top]
        return [ref.id for each in refs if each and (ref := Ref.parse(each))]

    def gathered(self) -> Counter[tuple[str, str]]:
        """For each failure and message, how often the one is known to stand in the other."""
        query = sa.select(cards.c.ref, cards.c.ts).where(cards.c.channel == ONCALL)
        with self.store.engine.connect() as connection:
            return Counter((row.ref, row.ts) for row in connection.execute(query))

    def refused(self) -> Counter[str]:
        """How often Slack said that it was asked too often, by method."""
        return Counter(call.method for call in self.slack.calls if call.error == "ratelimited")


@pytest.mark.parametrize(("tasks", "failures"), [(100, 20), in_full(10_000, 1_000)])
async def test_tasks_and_failures_that_come_at_once_are_brought_once_in_order(
    tmp_path: Path, tasks: int, failures: int
) -> None:
    async with running_burst(tmp_path, speed=16.0) as burst:
        task_ids, run_ids = burst.arrive(tasks, failures)
        await burst.through()
        all_is_brought_once(burst, task_ids, run_ids)
        assert not burst.refused()


@pytest.mark.slow
async def test_no_channel_is_brought_more_than_slack_takes(tmp_path: Path) -> None:
    async with running_burst(tmp_path, speed=2.0) as burst:
        task_ids, run_ids = burst.arrive(60, 20)
        await burst.through()
        all_is_brought_once(burst, task_ids, run_ids)
        assert not burst.refused()


@pytest.mark.parametrize(
    ("tasks", "failures", "kill_at"),
    [larger(400, 80, (1, 60, 200, 350)), in_full(1_000, 200, (1, 100, 350, 700, 1_000))],
    ids=["larger", "full"],
)
async def test_killed_time_and_again_in_a_burst_it_loses_nothing_and_says_nothing_twice(
    tmp_path: Path, tasks: int, failures: int, kill_at: tuple[int, ...]
) -> None:
    async with running_burst(tmp_path, speed=40.0) as burst:
        task_ids, run_ids = burst.arrive(tasks, failures)
        await burst.next_list()
        await burst.kill_and_start()  # while it is being written down
        for count in kill_at:
            await burst.slack.until(lambda enough=count: burst.posted() >= enough)
            await burst.kill_and_start()
        await burst.through()
        all_is_brought_once(burst, task_ids, run_ids)


def all_is_brought_once(burst: Burst, tasks: list[str], runs: list[str]) -> None:
    names = {each: burst.secmaster.world.tasks[each]["name"] for each in tasks}
    last = {each: "".join(filter(str.isdigit, names[each]))[-2:] for each in tasks}
    for digit, channel in enumerate(DIGITS):
        assert burst.brought(channel) == [each for each in tasks if last[each][-1] == str(digit)]
    assert burst.brought(TWICE) == [each for each in tasks if last[each] == "77"]
    gathered = burst.gathered()
    assert set(gathered.values()) == {1}
    assert Counter(ref for ref, _ts in gathered) == Counter(
        f"1:instance:main:{id_}" for id_ in runs
    )
    assert {ts for _ref, ts in gathered} == set(shown_failures(burst))


def shown_failures(burst: Burst) -> Iterator[str]:
    """The ts of each message that is a card of failures."""
    for message in burst.slack.workspace.in_channel(ONCALL).top:
        if "ref" in message["metadata"]["event_payload"]:
            yield message["ts"]


def rules(every: float) -> str:
    lanes = [(TWICE, "77", "true"), *((each, each[-1], "false") for each in DIGITS)]
    routes = [TASK_ROUTE.format(channel=lane, digits=at, go_on=on) for lane, at, on in lanes]
    return "".join([POLICY, f"[watch]\nevery = {every}\n", *routes, FAILURES])


@asynccontextmanager
async def running_burst(folder: Path, speed: float) -> AsyncIterator[Burst]:
    """Both services and the bot by one clock, with Slack's limits in force."""
    fast, database = FastClock(time.monotonic(), speed), f"sqlite:///{folder / 'bot.db'}"
    slack = SlackSandbox(clock=lambda: fast.now().timestamp())
    secmaster = SecMasterSandbox(pace=0, clock=fast.now)
    policy = folder / "policy.toml"
    policy.write_text(rules(every=speed))  # a round a second of ours
    for channel in [*DIGITS, TWICE]:
        slack.workspace.channels[channel] = Channel(channel, channel.lower(), [BOT_USER])
    slack.limits.on = True
    async with AsyncExitStack() as stack:
        for sandbox in (slack, secmaster):
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
        engine = connect(database)
        stack.callback(close, engine)
        arguments = (slack.url, secmaster.url, database, str(policy), str(fast.epoch), str(speed))
        burst = Burst(slack, secmaster, Store(engine), ("tests.support.burst_process", *arguments))
        await stack.enter_async_context(burst.stack)
        await burst.start()
        await burst.begun()
        yield burst
