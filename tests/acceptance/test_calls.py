"""What an approval asks of SecMaster and of Slack: read, comment, decide; answer, redraw."""

import asyncio
from collections import Counter

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC

BURST = 20


@pytest.fixture
def rules() -> str:
    return POLICY + "[attribution]\n[watch]\nevery = 0\n"


@pytest.mark.parametrize("count", [1, BURST], ids=["at-rest", "burst"])
async def test_an_approval_takes_five_calls(environment: BotEnvironment, count: int) -> None:
    cards = []
    for number in range(count + 1):
        task = environment.secmaster.world.add_task(name=f"Task {number}")
        cards.append((Ref(kind="task", id=task["id"]), await environment.card("task", task["id"])))
    (_, first), *others = cards
    await environment.slack.press(ALICE, SOC, first, "task.approve")  # who she is, is asked once
    await settled(environment, first)
    asked, called = len(environment.secmaster.requests), len(environment.slack.calls)
    await asyncio.gather(
        *(environment.slack.press(ALICE, SOC, ts, "task.approve") for _ref, ts in others)
    )
    for _ref, ts in others:
        await settled(environment, ts)
    requests = Counter(each.endpoint for each in environment.secmaster.requests[asked:])
    calls = Counter(each.method for each in environment.slack.calls[called:])
    assert requests == {"ShowTask": count, "UpdateTask": 2 * count}
    assert calls == {"chat.postMessage": count, "chat.update": count}


async def settled(environment: BotEnvironment, ts: str) -> None:
    """Wait until a card's thread has its answer, and the card shows no button any more."""
    assert "*Approved by" in (await environment.replies(ts))[0]
    await environment.slack.until(lambda: not environment.buttons(ts))
