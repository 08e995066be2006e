"""What a round of the watch costs: requests, time and memory, by how many tasks wait.

As a process of its own, ``python -m tests.bench.watching <slack> <secmaster> <database>``, it
makes a round for each line that it is told, and says how long that took and what it holds.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster import Person, SecMasterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.watch.poller import Poller
from tests.support.child import Child, lines, say
from tests.support.environment import policy, settings_for
from tests.support.people import ALICE, SOC

WAITING = (100, 1_000, 10_000)  # tasks
ROUNDS = 5  # of each kind
SETTLING = 5  # rounds: beyond what SecMaster lists at once, a walk along the list takes four
NEW = 10  # tasks that come between two rounds, and as many that are decided
FOLLOWED = 5  # runs that go on after an approval
RUNNING = 3600  # seconds to a run's next step: what is followed goes on
EVERA = Person("console-evera", "Evera")
MB = 1024**2
NOTES = f"""\
At rest: nothing has changed. Changes: {NEW} tasks have come, and {NEW} were decided elsewhere.
Followed: {FOLLOWED} tasks were approved in Slack, and their runs go on.
Median of {ROUNDS} rounds; memory is what the process holds after them. Nothing is routed: a card
costs a request to either service when it is posted, and when it follows, ten cards a round at
most."""


@dataclass(frozen=True)
class Cost:
    """One round. ``took`` is in seconds, ``held`` in bytes."""

    requests: int
    took: float
    held: int


async def measured() -> dict[int, dict[str, list[Cost]]]:
    """For each number of waiting tasks, the first round and those of either kind."""
    return {count: await _measured(count) for count in WAITING}


async def _measured(count: int) -> dict[str, list[Cost]]:
    slack, secmaster = SlackSandbox(), SecMasterSandbox(pace=RUNNING)
    await slack.start()
    await secmaster.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            database = f"sqlite:///{Path(folder) / 'bot.db'}"
            arguments = (slack.url, secmaster.url, database)
            async with Child("tests.bench.watching", *arguments) as program:
                slack.request_url = (await program.ready())["url"]
                return await _rounds(program, slack, secmaster, count)
    finally:
        await slack.stop()
        await secmaster.stop()


async def _rounds(
    program: Child, slack: SlackSandbox, secmaster: SecMasterSandbox, count: int
) -> dict[str, list[Cost]]:
    async def costs(times: int, before: Callable[[], None]) -> list[Cost]:
        costs_found = []
        for _ in range(times):
            before()
            request_count = len(secmaster.requests)
            await program.tell("round")
            heard = await program.hear()
            costs_found.append(Cost(len(secmaster.requests) - request_count, **heard))
        return costs_found

    def change() -> None:
        waiting = [one for one in secmaster.world.tasks.values() if one["status"] == "waiting"]
        for task in waiting[:NEW]:
            secmaster.world.update_task(task["id"], {"action": "TERMINATE"}, EVERA)
        secmaster.world.add_many(NEW, 0)

    async def approve() -> None:
        tasks = [secmaster.world.add_task(name=f"Followed {each}") for each in range(FOLLOWED)]
        for task in tasks:
            await slack.command(ALICE, SOC, f"/secmaster task approve {task['id']}")
        await slack.until(
            lambda: sum(card.get("reply_count", 0) for card in slack.messages(SOC)) == FOLLOWED
        )

    first = await costs(1, lambda: secmaster.world.add_many(count, 0))
    await costs(SETTLING, lambda: None)
    at_rest, changes = await costs(ROUNDS, lambda: None), await costs(ROUNDS, change)
    await approve()
    await costs(1, lambda: None)  # in which what was approved is no longer listed
    followed = await costs(ROUNDS, lambda: None)
    return {"first": first, "at rest": at_rest, "changes": changes, "followed": followed}


def show(everything: dict[int, dict[str, list[Cost]]]) -> None:
    table = Table("Tasks", "Round", "requests", "took", "memory", title="A round of the watch")
    for count, kinds in everything.items():
        for kind, costs in kinds.items():
            requests = statistics.median(cost.requests for cost in costs)
            took = statistics.median(cost.took for cost in costs) * 1000
            held = max(cost.held for cost in costs) / MB
            table.add_row(f"{count:,}", kind, f"{requests:g}", f"{took:,.0f} ms", f"{held:.0f} MB")
    console = Console(width=100)
    console.print(table)
    console.print(NOTES, highlight=False)


async def main(slack: str, secmaster: str, database: str) -> None:
    settings = settings_for(slack, secmaster, database)
    async with App(settings, policy(f"{POLICY}\n[watch]\nevery = 0\nresults = true\n")) as app:
        watch = Poller(app.services)
        say({"url": f"{app.url}/slack/events"})
        reader = await lines()
        while await reader.readline():
            started_at = time.perf_counter()
            await watch.poll()
            say({"took": time.perf_counter() - started_at, "held": _held()})


def _held() -> int:
    """The bytes of memory that this process holds, as Linux tells it; 0 elsewhere."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
