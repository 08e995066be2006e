"""A person of an Enterprise Grid has two ids, and is one person by either."""

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, DAVE, SOC

ALICE_W, DAVE_W = "W0ALICE", "W0DAVE"
TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
OTHER = Ref(kind="task", id=seed.TASK_BLOCK_IP)
RULES = f"""
[roles.chief]
users = ["{ALICE}"]
[roles.deputy]
users = ["{DAVE_W}"]
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
[[rules]]
actions = ["task.comment"]
roles = ["chief", "deputy"]
{POLICY}
[rights]
delegate = ["approver"]
"""


@pytest.fixture
def rules() -> str:
    return RULES


@pytest.fixture
def grid(environment: BotEnvironment) -> BotEnvironment:
    environment.slack.workspace.give_enterprise_id(ALICE, ALICE_W)
    environment.slack.workspace.give_enterprise_id(DAVE, DAVE_W)
    return environment


@postgres_in_full
async def test_two_clicks_by_two_ids_are_one_approval(grid: BotEnvironment) -> None:
    ts = await grid.card("task", TASK.id)
    await grid.slack.press(ALICE, SOC, ts, "task.approve")
    [first] = await grid.replies(ts)
    assert f"*Approvals to approve: 1 of 2.* The approval by <@{ALICE_W}>" in first
    await grid.slack.press(ALICE_W, SOC, ts, "task.approve")
    second = (await grid.replies(ts, 2))[-1] if len(grid.slack.thread(SOC, ts)) > 2 else ""
    await grid.ephemeral(ALICE, "You already approved this.")
    assert second == ""
    assert grid.secmaster.writes("UpdateTask") == []
    await grid.slack.press(BOB, SOC, ts, "task.approve")
    await grid.slack.until(lambda: grid.secmaster.writes("UpdateTask"))
    assert "*Approved by" in (await grid.replies(ts, 2))[-1]
    entries = grid.app.services.store.audit.entries(TASK)
    assert {entry["actor"]["id"] for entry in entries} == {ALICE_W, BOB}
    assert entries[0]["actor"]["alias"] == ALICE


async def test_what_was_given_by_one_id_is_withdrawn_by_the_other(grid: BotEnvironment) -> None:
    ts = await grid.card("task", TASK.id)
    await grid.slack.press(ALICE_W, SOC, ts, "task.approve")
    await grid.replies(ts)
    await grid.slack.until(lambda: "withdraw" in str(grid.message(ts)))
    await grid.slack.faults.set(Fault(on="users.info", status=500))
    grid.clock.forward(minutes=11)
    await grid.slack.command(ALICE, SOC, f"/task withdraw {TASK.id}")
    await grid.ephemeral(ALICE, "Slack could not confirm who you are")
    await grid.slack.faults.clear()
    await grid.slack.press(ALICE, SOC, ts, "withdraw")
    assert f"<@{ALICE_W}> withdrew their approval. 0 of 2." in (await grid.replies(ts, 2))[-1]


@pytest.mark.parametrize("user", [ALICE, ALICE_W, DAVE, DAVE_W])
async def test_a_role_that_names_one_id_is_had_by_both(grid: BotEnvironment, user: str) -> None:
    await grid.slack.command(user, SOC, f"/task comment {OTHER.id} seen")
    await grid.slack.until(lambda: grid.secmaster.writes("UpdateTask"))
    grid.ignore_messages()


@postgres_in_full
async def test_rights_are_lent_to_a_person_and_taken_back_by_either_id(
    grid: BotEnvironment,
) -> None:
    delegations = grid.app.services.store.delegations
    await grid.slack.command(ALICE, SOC, f"/secmaster delegate <@{DAVE}|dave> for 2h", escape=False)
    await grid.ephemeral(ALICE, f"<@{DAVE_W}> has your permissions until")
    await grid.posted("D0DAVE", f"You have <@{ALICE_W}>'s permissions until")
    [delegation] = delegations.received(DAVE_W, grid.clock.now())
    assert (delegation.delegator, delegation.delegate) == (ALICE_W, DAVE_W)
    await grid.slack.command(ALICE_W, SOC, f"/secmaster delegate <@{ALICE}> for 1h", escape=False)
    await grid.ephemeral(ALICE, "You can't delegate to")
    await grid.slack.command(ALICE_W, SOC, f"/secmaster revoke <@{DAVE_W}>", escape=False)
    await grid.ephemeral(ALICE, f"<@{DAVE_W}> no longer has your permissions")
    await grid.posted("D0DAVE", f"You no longer have <@{ALICE_W}>'s permissions")
    assert delegations.received(DAVE_W, grid.clock.now()) == []
