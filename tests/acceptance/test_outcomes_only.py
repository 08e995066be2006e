"""A route whose threads are told how things ended; and an escalation that counts approvals."""

import json

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, ONCALL, SOC
from tests.support.watch import card_of, first_poll_finished, snooze

ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
thread = "outcomes"
escalate = { after = "1h", to = "leads" }

[[routes]]
name = "leads"
channel = "C0ONCALL"
tasks = true
when = { name = "never by itself" }
"""
TWO = """
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
expires = "4h"
"""


@pytest.fixture
def rules() -> str:
    return POLICY.replace("[[rules]]", f"{TWO}\n[[rules]]", 1) + ROUTES


async def test_a_thread_gets_the_outcome_and_not_what_the_card_shows(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="Isolate x")
    ts = await environment.slack.until(lambda: card_of(environment, SOC, "Isolate x"))
    await snooze(environment, ALICE, ts)
    await environment.slack.until(
        lambda: "😴 Snoozed by" in json.dumps(environment.message(ts), ensure_ascii=False)
    )
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, "1 of 2")
    assert environment.slack.thread(SOC, ts)[1:] == []

    # Escalated, it says how many have approved.
    environment.clock.forward(minutes=61)
    other = await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate x"))
    text = json.dumps(environment.message(other, channel=ONCALL), ensure_ascii=False)
    assert "Escalated from <#C0SOC>: no decision after 1 hr (1 of 2 approvals)." in text

    # A doubt is told, and how it ended.
    lost = Fault(on="UpdateTask", hang_up=True, applied=True, times=1)
    await environment.secmaster.faults.set(lost)
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    replies = await environment.replies(ts, 2)
    assert "Snooze over" in replies[0]
    assert f"<@{BOB}>" in replies[-1]
    assert f"<@{ALICE}>" in replies[-1]
