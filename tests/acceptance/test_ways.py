"""An approval and a new task take the ways that docs/architecture.md tells of."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.arrivals import new_task
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC
from tests.support.timeouts import COMPLETING_TIMEOUTS, PATIENCE
from tests.support.watch import ROUTES, card_of, first_poll_finished
from tests.support.ways import WAYS, Stop, traced_calls

APPROVE, NEW_TASK = WAYS["The way of one Approve"], WAYS["The way of one new task"]
REPORT = Stop(
    "bot/operations/steps.py", "run_side_by_side"
)  # from here on two things happen side by side
COMMENTED = """
[attribution]
comment = "always"
"""


@pytest.fixture
def calls() -> Iterator[dict[Stop, None]]:
    """The functions of ours that are called, in all of the bot's threads."""
    with traced_calls() as calls:
        yield calls


@pytest.mark.parametrize("rules", [POLICY + COMMENTED])
async def test_an_approval_calls_at_every_stop_in_their_order(
    calls: dict[Stop, None], environment: BotEnvironment
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.app.services.background.drain()  # its card was posted there
    calls.clear()
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await environment.app.services.tracker.settle(PATIENCE)
    assert not [stop for stop in APPROVE if stop not in calls]
    in_order = list(dict.fromkeys(APPROVE[: APPROVE.index(REPORT)]))
    assert [stop for stop in calls if stop in in_order] == in_order


@pytest.mark.parametrize("rules", [POLICY + ROUTES])
@pytest.mark.parametrize("timeouts", [COMPLETING_TIMEOUTS], indirect=True, ids=["completing"])
async def test_a_new_task_calls_at_every_stop(
    calls: dict[Stop, None], environment: BotEnvironment
) -> None:
    await first_poll_finished(environment)
    calls.clear()
    task = new_task(environment.secmaster.world, 0)
    await environment.slack.until(lambda: card_of(environment, SOC, task["name"]))
    with suppress(TimeoutError):  # whatever is missing then is to be named
        async with asyncio.timeout(PATIENCE):
            await environment.secmaster.until(lambda: calls.keys() >= set(NEW_TASK))
    assert not [stop for stop in NEW_TASK if stop not in calls]
