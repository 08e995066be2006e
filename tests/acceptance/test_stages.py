"""Approvals in stages, over the wires: whose turn it is, who is called, and what is sent when."""

import asyncio
import json

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.secmaster import seed
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, DAVE, SOC

pytestmark = both_databases
TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
STAGED = f"""
[roles.manager]
users = ["{CAROL}", "{DAVE}"]

[[rules]]
name = "grave"
actions = ["task.approve"]
roles = ["approver", "manager"]
call = "mention"
approvals = [{{ role = "approver", count = 1 }}, {{ role = "manager", count = 1 }}]
{POLICY}
"""


@pytest.fixture
def rules() -> str:
    return STAGED


def decisions(environment: BotEnvironment) -> list[str]:
    writes = environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    actions = [write.body["action"] for write in writes]
    return [action for action in actions if action in ("CONTINUE", "TERMINATE")]


def card(environment: BotEnvironment, ts: str) -> str:
    """The texts of the card's blocks."""
    return json.dumps(environment.message(ts)["blocks"], ensure_ascii=False)


async def test_an_approver_and_then_a_manager_approve_and_each_is_asked_in_their_turn(
    environment: BotEnvironment,
) -> None:
    slack, claims = environment.slack, environment.app.services.store.claims
    ts = await environment.card("task", seed.TASK_ISOLATE)
    shown = card(environment, ts)
    assert "First, 1 approval by *approver* is needed." in shown
    assert "Then, 1 approval by *manager* is needed." in shown

    await slack.press(DAVE, SOC, ts, "task.approve")
    refusal = await environment.ephemeral(DAVE, "It is not your turn")
    assert "1 approval by *approver* is needed now. Your approval was not recorded." in refusal
    assert claims.approval_requests(TASK, environment.clock.now()) == ()

    await slack.press(BOB, SOC, ts, "task.approve")
    # Who is next is called while the approval is answered.
    call, reply = sorted(await environment.replies(ts, 2))
    assert "1 approval by *manager* is needed now." in reply
    assert call.startswith(f"<@{CAROL}> <@{DAVE}> 🗳️ 1 more approval needed")
    assert "Stage 1, *approver*: 1 of 1" in card(environment, ts)
    assert "Stage 2, *manager*: 0 of 1" in card(environment, ts)
    assert decisions(environment) == []

    await slack.press(DAVE, SOC, ts, "task.approve")
    await environment.replies(ts, 3)
    assert decisions(environment) == ["CONTINUE"]
    counted, allowed = [
        entry
        for entry in environment.app.services.store.audit.entries(TASK)
        if entry["outcome"] in ("counted", "allowed")
    ]
    assert (counted["stage"], allowed["stage"]) == (0, 1)


async def test_of_two_approvers_at_once_one_fills_the_stage_and_the_other_is_told(
    environment: BotEnvironment,
) -> None:
    slack, claims = environment.slack, environment.app.services.store.claims
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await asyncio.gather(
        slack.press(ALICE, SOC, ts, "task.approve"), slack.press(BOB, SOC, ts, "task.approve")
    )
    await slack.until(lambda: slack.ephemerals(ALICE) or slack.ephemerals(BOB))
    [request] = claims.approval_requests(TASK, environment.clock.now())
    [approval] = request.approvals
    loser = BOB if approval.actor.id == ALICE else ALICE
    text = await environment.ephemeral(loser, "It is not your turn")
    assert "1 approval by *manager* is needed now." in text
    assert decisions(environment) == []
    # A withdrawn approval opens the stage again: it is the other approver's turn.
    await environment.replies(ts, 2)
    await slack.press(approval.actor.id, SOC, ts, "withdraw")
    await environment.replies(ts, 3)
    await slack.press(loser, SOC, ts, "task.approve")
    await environment.replies(ts, 5)
    [request] = claims.approval_requests(TASK, environment.clock.now())
    assert [(each.actor.id, each.stage) for each in request.approvals] == [(loser, 0)]
    assert decisions(environment) == []
