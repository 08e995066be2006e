"""What asks for several people is sent once so many have said yes, and told to all on the way."""

import json

import pytest

from bot.demo import POLICY
from bot.sandbox.secmaster import seed
from tests.town import ALICE, BOB, CAROL, ONCALL, SOC, Town, both_databases

TWO = f"""
[[rules]]
name = "grave"
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
break_glass = ["oncall"]
{POLICY}
[break_glass]
channel = "{ONCALL}"
"""


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", TWO))


@both_databases
async def test_the_second_persons_yes_sends_it_and_both_are_named(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*1 of 2 said yes* to the approval: now <@U0ALICE>" in said
    await town.slack.until(lambda: "1 of 2 said yes" in texts(town, ts))
    assert {"withdraw", "refuse", "break-glass"} < set(town.buttons(ts))
    assert decisions(town) == []
    await town.slack.press(BOB, SOC, ts, "task.approve")
    said = (await town.replies(ts, 2))[-1]
    assert "*Approved* by <@U0BOB>, with <@U0ALICE>" in said
    assert "rule 1 (grave)" in said
    await town.slack.until(lambda: not town.buttons(ts))
    assert decisions(town) == ["CONTINUE"]


async def test_pressing_twice_is_one_yes(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.replies(ts)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "one more must say so" in await town.whispered(ALICE, "You have said yes")
    assert decisions(town) == []


async def test_a_yes_can_be_taken_back_before_the_last(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.slack.until(lambda: "withdraw" in town.buttons(ts))
    await town.slack.press(ALICE, SOC, ts, "withdraw")
    assert "<@U0ALICE> took their yes" in (await town.replies(ts, 2))[-1]
    await town.slack.until(lambda: "withdraw" not in town.buttons(ts))
    await town.slack.press(BOB, SOC, ts, "task.approve")
    assert "*1 of 2 said yes* to the approval: now <@U0BOB>" in (await town.replies(ts, 3))[-1]
    assert decisions(town) == []


async def test_breaking_the_glass_needs_a_reason_and_is_announced(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.slack.until(lambda: "break-glass" in town.buttons(ts))
    await town.slack.press(CAROL, SOC, ts, "break-glass")
    [view] = town.slack.views(CAROL)
    refused = await town.slack.submit(CAROL, view["id"], {"reason": " "})
    assert "A reason is required." in json.dumps(refused.body)
    await town.slack.submit(CAROL, view["id"], {"reason": "it spreads"})
    said = (await town.replies(ts, 2))[-1]
    assert "*Approved* by <@U0CAROL>, who broke the glass, with <@U0ALICE>" in said
    told = await town.slack.until(
        lambda: [m["text"] for m in town.slack.messages(ONCALL) if "broke the glass" in m["text"]]
    )
    assert "it spreads" in told[0]
    assert decisions(town) == ["CONTINUE"]


def decisions(town: Town) -> list[str]:
    writes = town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    return [one.body["action"] for one in writes if one.body["action"] != "ADD_COMMENT"]


def texts(town: Town, ts: str) -> str:
    return json.dumps(town.message(ts), ensure_ascii=False)
