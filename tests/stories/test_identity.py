"""Whoever created a task does not decide on it where the policy says so, nor does a nobody."""

from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.secmaster import seed
from tests.town import ALICE, BOB, SOC, Town, both_databases

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
NOT_SELF = f"""
[[rules]]
name = "four eyes"
actions = ["task.approve"]
roles = ["approver"]
self = false
{POLICY}
[identities]
"""
BY_NAME = f'{NOT_SELF}users = {{ U0ALICE = "Alice.Liddell", U0BOB = "bob.b" }}\n'
BY_EMAIL = f'{NOT_SELF}email_domain = "example.com"\n'
BY_BOTH = f'{BY_EMAIL}users = {{ U0ALICE = "bob" }}\n'
NOBODY = f'{NOT_SELF}users = {{ U0CAROL = "carol" }}\n'
REFUSED = "You created this task, and rule 1 (four eyes) leaves it to somebody else of *approver*"
UNMAPPED = "Rule 1 (four eyes) refuses whoever created the task, and nobody told me who you are"


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", BY_NAME))


def with_policy(text: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rules", [text], indirect=True, ids=["policy"])


@both_databases
async def test_who_the_policy_says_created_it_is_refused_and_somebody_else_may(town: Town):
    ts = await created_by(town, "alice.liddell")
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, REFUSED, "The approval was not sent.")
    assert decided(town) == 0
    await town.slack.press(BOB, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0BOB>" in said
    rows = audit(town)
    assert (rows[0]["outcome"], rows[0]["detail"]) == ("refused", "self")
    assert [row["terms"]["identity"] for row in rows] == ["alice.liddell", "bob.b", "bob.b"]


@pytest.mark.parametrize("field", ["creator_name", "creator_id"])
@pytest.mark.parametrize("name", ["ALICE.LIDDELL", " alice.liddell ", "alice\u200b.liddell"])
async def test_case_space_and_what_no_eye_sees_make_nobody_else_of_the_creator(
    town: Town, field: str, name: str
):
    ts = await created_by(town, "user-x", **{field: name})
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, REFUSED)
    assert decided(town) == 0


@with_policy(BY_EMAIL)
@pytest.mark.parametrize("name", ["alice", "alice@example.com", "Alice@Example.com"])
async def test_a_creator_is_known_by_the_e_mail(town: Town, name: str):
    ts = await created_by(town, name)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, REFUSED)
    await town.slack.press(BOB, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0BOB>" in said


@with_policy(BY_EMAIL)
@pytest.mark.parametrize(
    "known",
    [
        {"profile": {"email": "alice@elsewhere.example"}},
        {"profile": {"email": "alice@example.com.evil.example"}},
        {"profile": {"email": ""}},
        {"profile": {}},
        {"is_email_confirmed": False},
    ],
    ids=["another domain", "a longer domain", "empty", "none", "not confirmed"],
)
async def test_an_address_that_is_no_proof_leaves_somebody_unknown_and_refused(
    town: Town, known: dict[str, Any]
):
    town.slack.workspace.users[ALICE] |= known
    ts = await created_by(town, "somebody")
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, UNMAPPED, "The approval was not sent.")
    assert decided(town) == 0
    assert audit(town)[-1]["detail"] == "unmapped"


@with_policy(NOBODY)
async def test_whom_the_policy_does_not_name_is_refused(town: Town):
    ts = await created_by(town, "somebody")
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, UNMAPPED)
    assert decided(town) == 0


@with_policy(BY_BOTH)
async def test_a_name_that_the_policy_gives_to_somebody_else_is_not_guessed(town: Town):
    ts = await created_by(town, "somebody")
    await town.slack.press(BOB, SOC, ts, "task.approve")
    await town.whispered(BOB, UNMAPPED)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said


@with_policy(BY_BOTH)
async def test_the_name_that_the_policy_gives_is_the_one_that_counts(town: Town):
    ts = await created_by(town, "bob")
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, REFUSED)
    assert decided(town) == 0


@pytest.mark.parametrize("name", ["", "\u200b", " "])
async def test_a_task_whose_creator_nobody_can_tell_is_decided_by_nobody_here(
    town: Town, name: str
):
    ts = await created_by(town, name, creator_id="")
    for user in (ALICE, BOB):
        await town.slack.press(user, SOC, ts, "task.approve")
        await town.whispered(user, "asks for what SecMaster does not say of this task")
    assert decided(town) == 0


async def test_other_rules_do_not_ask_who_created_it(town: Town):
    ts = await created_by(town, "alice.liddell")
    await town.slack.command(ALICE, SOC, f"/task terminate {TASK.id} mine")
    [said] = await town.replies(ts)
    assert "*Terminated* by <@U0ALICE>" in said


async def created_by(town: Town, name: str, **more: str) -> str:
    """The card of a task that somebody created."""
    town.secmaster.world.task(TASK.id).update({"creator_name": name, "creator_id": "u-1"} | more)
    return await town.card("task", TASK.id)


def decided(town: Town) -> int:
    return len(town.secmaster.writes("UpdateTask", TASK.id))


def audit(town: Town) -> list[dict[str, Any]]:
    return town.app.services.store.audit_entries(TASK)
