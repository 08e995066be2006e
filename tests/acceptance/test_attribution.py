"""SecMaster knows only the bot: a comment there names who decided, and every receipt adds up."""

import re
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, SOC
from tests.support.timeouts import quick_retries

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
ALWAYS = POLICY + '[attribution]\ncomment = "always"\n'
REASON = POLICY + '[attribution]\ncomment = "reason"\n'
NEVER = POLICY + '[attribution]\ncomment = "never"\n'
TWO = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
{ALWAYS}"""
SIGNED = r"— Alice \(Slack U0ALICE\), ref [0-9a-f]{6}, in #soc \(C0SOC\), https://\S+/archives/C0SOC/p\d+"
RECEIPT = r"ref [0-9a-f]{6} · rule \d+ · HTTP 200 · request `[\w-]+` · [0-9.]+ m?s"


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", ALWAYS))


def with_policy(text: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rules", [text], indirect=True, ids=["policy"])


@postgres_in_full
async def test_a_decision_leaves_who_made_it_where_and_the_way_there(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    [left] = comments(environment)
    assert re.fullmatch(rf"Approval from Slack\.\n{SIGNED}", left)
    assert f"/archives/C0SOC/p{ts.replace('.', '')}" in left
    assert "".join(re.findall(r"ref ([0-9a-f]{6})", left)) in reply
    assert words(environment) == ["ADD_COMMENT", "CONTINUE"]


async def test_the_reason_is_left_with_it(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy,\nas Bob said"})
    await environment.replies(ts)
    [left] = comments(environment)
    assert re.fullmatch(rf"Termination from Slack\. Reason:\na decoy,\nas Bob said\n{SIGNED}", left)


@with_policy(REASON)
async def test_only_where_a_reason_is_given_if_the_policy_says_so(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    assert words(environment) == ["CONTINUE"]
    other = await environment.card("task", seed.TASK_BLOCK_IP)
    await environment.slack.command(ALICE, SOC, f"/task approve {seed.TASK_BLOCK_IP} seen it")
    await environment.replies(other)
    assert words(environment, seed.TASK_BLOCK_IP) == ["ADD_COMMENT", "CONTINUE"]


@with_policy(NEVER)
async def test_never_leaves_nothing_even_with_a_reason(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} seen it")
    [reply] = await environment.replies(ts)
    assert "> seen it" in reply
    assert words(environment) == ["CONTINUE"]


async def test_a_comment_names_its_author_and_the_way_to_the_thread(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.command(ALICE, SOC, f"/task comment {TASK.id} drained")
    await environment.replies(ts)
    [left] = comments(environment)
    assert re.fullmatch(rf"drained\n{SIGNED}", left)
    assert words(environment) == ["ADD_COMMENT"]


async def test_a_decision_without_a_card_is_signed_with_the_card_it_gets(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id}")
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    await environment.replies(ts)
    client = environment.app.services.slack.client
    address = await client.chat_getPermalink(channel=SOC, message_ts=ts)
    assert address["permalink"] in comments(environment)[0]


async def test_a_run_has_no_comments_and_is_retried_without(environment: BotEnvironment) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await environment.slack.press(CAROL, SOC, ts, "instance.retry")
    [reply] = await environment.replies(ts)
    assert re.search(RECEIPT, reply)


@with_policy(TWO)
async def test_all_who_said_yes_are_named_with_their_reasons(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} the shells are real")
    await environment.replies(ts)
    assert comments(environment) == []
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    await environment.replies(ts, 2)
    [left] = comments(environment)
    assert "\nWith Alice (Slack U0ALICE): the shells are real\n" in left
    assert left.splitlines()[-1].startswith("— Bob (Slack U0BOB), ref ")


async def test_a_comment_that_cannot_be_left_leaves_the_task_undecided(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=400, times=1))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "Nothing was decided" in reply
    assert environment.secmaster.world.task(TASK.id)["status"] == "waiting"


async def test_a_comment_whose_answer_was_lost_is_left_once(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    lost = Fault(on="UpdateTask", hang_up=True, applied=True, times=1)
    await environment.secmaster.faults.set(lost)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    assert len(comments(environment)) == 1
    assert words(environment) == ["ADD_COMMENT", "CONTINUE"]


# Receipts.


async def test_what_was_done_has_its_receipt(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.command(ALICE, SOC, f"/task comment {TASK.id} drained")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    for replies in await environment.replies(ts, 2):
        assert re.search(RECEIPT, replies.splitlines()[-1])


async def test_what_secmaster_refused_has_its_receipt(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=403))
    await environment.slack.command(ALICE, SOC, f"/task comment {TASK.id} drained")
    [reply] = await environment.replies(ts)
    last = reply.splitlines()[-1]
    assert re.search(r"ref [0-9a-f]{6} · rule 2 · HTTP 403 · request `", last)


@pytest.mark.slow
@pytest.mark.parametrize("timeouts", [quick_retries(budget=2)], indirect=True, ids=["few"])
async def test_what_was_given_up_has_its_receipt(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="*", status=503))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    reply = (await environment.replies(ts, 2))[1]
    assert "was not sent." in reply
    assert re.search(r"ref [0-9a-f]{6} · rule 1 · HTTP 503 · .*[0-9.]+ m?s", reply.splitlines()[-1])


@with_policy(TWO)
async def test_a_yes_its_withdrawal_and_a_refusal_have_their_receipts(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await environment.slack.until(lambda: "withdraw" in environment.buttons(ts))
    await environment.slack.press(ALICE, SOC, ts, "withdraw")
    await environment.replies(ts, 2)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts, 3)
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.decline(BOB, ts)
    replies = await environment.replies(ts, 4)
    for line in replies:
        assert re.search(r"ref [0-9a-f]{6}", line.splitlines()[-1]), line
    for line in (replies[0], replies[2], replies[3]):
        assert "rule 1" in line.splitlines()[-1]


def comments(environment: BotEnvironment) -> list[str]:
    return [each["message"] for each in environment.secmaster.world.task(TASK.id)["comments"] or []]


def words(environment: BotEnvironment, task: str = TASK.id) -> list[Any]:
    return [one.body["action"] for one in environment.secmaster.writes("UpdateTask", task)]
