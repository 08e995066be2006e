"""Whoever created a task does not decide on it where the policy says so, nor does a nobody."""

from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.secmaster import seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, SOC

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
REFUSED = "You created this task, so another approver must decide"
UNMAPPED = "Rule 1 (four eyes) excludes the task's creator, and the bot does not know who you are"


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", BY_NAME))


def with_policy(text: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rules", [text], indirect=True, ids=["policy"])


@postgres_in_full
async def test_who_the_policy_says_created_it_is_refused_and_somebody_else_may(
    environment: BotEnvironment,
) -> None:
    ts = await created_by(environment, "alice.liddell")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, REFUSED, "The approval was not sent.")
    assert decided(environment) == 0
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0BOB>" in reply
    rows = audit(environment)
    assert (rows[0]["outcome"], rows[0]["detail"]) == ("refused", "self")
    assert [row["terms"]["identity"] for row in rows] == ["alice.liddell", "bob.b", "bob.b"]


@pytest.mark.parametrize("field", ["creator_name", "creator_id"])
@pytest.mark.parametrize("name", ["ALICE.LIDDELL", " alice.liddell ", "alice\u200b.liddell"])
async def test_case_space_and_what_no_eye_sees_make_nobody_else_of_the_creator(
    environment: BotEnvironment, field: str, name: str
) -> None:
    ts = await created_by(environment, "user-x", **{field: name})
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, REFUSED)
    assert decided(environment) == 0


@with_policy(BY_EMAIL)
@pytest.mark.parametrize("name", ["alice", "alice@example.com", "Alice@Example.com"])
async def test_a_creator_is_known_by_the_e_mail(environment: BotEnvironment, name: str) -> None:
    ts = await created_by(environment, name)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, REFUSED)
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0BOB>" in reply


@with_policy(BY_EMAIL)
@pytest.mark.parametrize(
    "profile",
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
    environment: BotEnvironment, profile: dict[str, Any]
) -> None:
    environment.slack.workspace.users[ALICE] |= profile
    ts = await created_by(environment, "somebody")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, UNMAPPED, "The approval was not sent.")
    assert decided(environment) == 0
    assert audit(environment)[-1]["detail"] == "unmapped"


@with_policy(NOBODY)
async def test_whom_the_policy_does_not_name_is_refused(environment: BotEnvironment) -> None:
    ts = await created_by(environment, "somebody")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, UNMAPPED)
    assert decided(environment) == 0


@with_policy(BY_BOTH)
async def test_a_name_that_the_policy_gives_to_somebody_else_is_not_guessed(
    environment: BotEnvironment,
) -> None:
    ts = await created_by(environment, "somebody")
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    await environment.ephemeral(BOB, UNMAPPED)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply


@with_policy(BY_BOTH)
async def test_the_name_that_the_policy_gives_is_the_one_that_counts(
    environment: BotEnvironment,
) -> None:
    ts = await created_by(environment, "bob")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, REFUSED)
    assert decided(environment) == 0


@pytest.mark.parametrize("name", ["", "\u200b", " "])
async def test_a_task_whose_creator_nobody_can_tell_is_decided_by_nobody_here(
    environment: BotEnvironment, name: str
) -> None:
    ts = await created_by(environment, name, creator_id="")
    for user in (ALICE, BOB):
        await environment.slack.press(user, SOC, ts, "task.approve")
        await environment.ephemeral(user, "needs data that SecMaster did not return")
    assert decided(environment) == 0


async def test_other_rules_do_not_ask_who_created_it(environment: BotEnvironment) -> None:
    ts = await created_by(environment, "alice.liddell")
    await environment.slack.command(ALICE, SOC, f"/task terminate {TASK.id} mine")
    [reply] = await environment.replies(ts)
    assert "*Terminated by <@U0ALICE>" in reply


async def created_by(environment: BotEnvironment, name: str, **more: str) -> str:
    """The card of a task that somebody created."""
    environment.secmaster.world.task(TASK.id).update(
        {"creator_name": name, "creator_id": "u-1"} | more
    )
    return await environment.card("task", TASK.id)


def decided(environment: BotEnvironment) -> int:
    return len(environment.secmaster.writes("UpdateTask", TASK.id))


def audit(environment: BotEnvironment) -> list[dict[str, Any]]:
    return environment.app.services.store.audit.entries(TASK)
