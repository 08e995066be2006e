"""A write's answer is lost: until somebody knows what became of it, everybody is told just that."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, SOC
from tests.support.timeouts import PATIENCE, quick_retries

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
NOT_KNOWN = "It is not known yet whether the approval by <@U0ALICE> took effect."


@pytest.fixture
def rules() -> str:
    return POLICY


@postgres_in_full
async def test_card_and_thread_say_that_it_is_not_known_yet_until_it_is(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await lose_the_answer(environment, ts)
    [waiting] = await environment.replies(ts)
    assert "It is not known yet whether the approval by <@U0ALICE> took effect." in waiting
    assert "It is not known yet whether the approval by" in waiting
    await environment.slack.until(lambda: NOT_KNOWN in texts(environment, ts))
    assert "SecMaster can't be read now" in texts(environment, ts)
    assert "approved" not in texts(environment, ts).lower()
    await environment.secmaster.faults.clear()
    reply = (await environment.replies(ts, 2))[1]
    assert "*Approved by <@U0ALICE>" in reply
    assert "answer was lost; reading it again confirmed the result" in reply
    await environment.slack.until(lambda: "Approved by <@U0ALICE>" in texts(environment, ts))
    assert NOT_KNOWN not in texts(environment, ts)
    assert "can't be read now" not in texts(environment, ts)
    assert decided(environment) == 1
    assert outcomes(environment) == ["allowed", "done"]


@pytest.mark.parametrize(
    "timeouts", [quick_retries(budget=PATIENCE)], indirect=True, ids=["patient"]
)
async def test_nobodys_second_press_is_sent_while_it_is_not_known(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await lose_the_answer(environment, ts)
    await environment.slack.until(lambda: NOT_KNOWN in texts(environment, ts))
    for user in (BOB, ALICE):
        delivered = await environment.slack.press(user, SOC, ts, "task.approve")
        assert (delivered.status, delivered.error) == (200, "")
    await environment.replies(ts, 3)
    await environment.secmaster.faults.clear()
    replies = await environment.replies(ts, 6)
    assert len([line for line in replies if "*Approved by" in line]) == 1
    assert len([line for line in replies if "no longer open" in line]) == 2
    assert decided(environment) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "timeouts",
    [quick_retries(budget=3, settle=60)],
    indirect=True,
    ids=["few"],
)
async def test_somebody_else_is_told_who_is_at_it_while_it_is_looked_for(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    lost = Fault(on="UpdateTask", hang_up=True)
    await environment.secmaster.faults.set(lost)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.until(lambda: request_count(environment, "ShowTask") > 4)
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    await environment.ephemeral(BOB, "<@U0ALICE> is approving this task right now", "was not sent")
    assert "It is unknown whether" in (await environment.replies(ts))[-1]
    assert request_count(environment, "UpdateTask") == 1


@pytest.mark.parametrize(
    "timeouts",
    [quick_retries(budget=3)],
    indirect=True,
    ids=["few"],
)
async def test_what_is_never_known_is_given_up_as_unknown_and_never_called_a_success(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await lose_the_answer(environment, ts)
    waiting, reply = await environment.replies(ts, 2)
    assert "The bot keeps checking SecMaster" in waiting
    assert "*It is unknown whether the approval by <@U0ALICE> took effect.*" in reply
    assert "*Approved by" not in json.dumps(environment.slack.thread(SOC, ts))
    assert outcomes(environment) == ["allowed", "unknown"]
    assert decided(environment) == 1
    await environment.secmaster.faults.clear()
    await environment.slack.until(lambda: "may have done this" in texts(environment, ts))
    assert environment.buttons(ts) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "timeouts",
    [quick_retries(budget=3)],
    indirect=True,
    ids=["few"],
)
async def test_after_it_was_given_up_a_task_that_still_waits_can_be_decided(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await lose_the_answer(environment, ts, applied=False)
    await environment.replies(ts, 2)
    await environment.secmaster.faults.clear()
    await environment.slack.until(lambda: NOT_KNOWN not in texts(environment, ts))
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    reply = (await environment.replies(ts, 3))[2]
    assert "*Approved by <@U0BOB>" in reply
    assert decided(environment) == 1


async def test_the_thread_names_the_comment_where_only_that_is_in_doubt(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="ShowTask", times=1))  # the first is answered
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True))
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} seen it")
    [waiting] = await environment.replies(ts)
    assert "whether the comment that names who decided was added" in waiting
    assert "whether the comment that names who decided was added" in waiting
    assert NOT_KNOWN not in texts(environment, ts)
    await environment.secmaster.faults.clear()
    assert "*Approved by <@U0ALICE>" in (await environment.replies(ts, 2))[1]
    assert NOT_KNOWN not in texts(environment, ts)
    comments = environment.secmaster.world.task(TASK.id)["comments"]
    assert len([each for each in comments if "seen it" in each["message"]]) == 1


async def test_what_nobody_can_read_back_is_never_sent_twice(environment: BotEnvironment) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await environment.secmaster.faults.set(
        Fault(on="UpdateWorkflowInstance", hang_up=True, times=1)
    )
    command = f"/instance debug {seed.INSTANCE_FAILED} node [1]"
    await environment.slack.command(CAROL, SOC, command)
    [reply] = await environment.replies(ts)
    assert "It is unknown whether" in reply
    assert request_count(environment, "UpdateWorkflowInstance") == 1


async def test_a_lost_retry_is_not_known_either_and_is_sent_once(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await environment.secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", times=1))
    await environment.secmaster.faults.set(
        Fault(on="UpdateWorkflowInstance", hang_up=True, applied=True)
    )
    await environment.secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", status=503))
    await environment.slack.press(CAROL, SOC, ts, "instance.retry")
    await environment.slack.until(
        lambda: (
            "It is not known yet whether the retry by <@U0CAROL> took effect"
            in texts(environment, ts)
        )
    )
    await environment.secmaster.faults.clear()
    reply = (await environment.replies(ts, 2))[1]
    assert "*Retry started by <@U0CAROL>" in reply
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 1


@pytest.mark.slow
async def test_a_secmaster_that_hangs_does_not_keep_the_doubt_from_the_card(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    once = Fault(on="ShowTask", status=503, times=1)
    await lose_the_answer(environment, ts, once, Fault(on="ShowTask", hold=True))
    await environment.slack.until(lambda: NOT_KNOWN in texts(environment, ts))
    assert "SecMaster can't be read now" in texts(environment, ts)
    await environment.secmaster.faults.clear()
    assert "*Approved by <@U0ALICE>" in (await environment.replies(ts, 2))[1]
    assert decided(environment) == 1


async def test_every_card_shows_the_doubt_and_loses_it(environment: BotEnvironment) -> None:
    first = await environment.card("task", TASK.id)
    second = await environment.card("task", TASK.id, channel="C0ONCALL")
    await lose_the_answer(environment, first)
    for ts, channel in ((first, SOC), (second, "C0ONCALL")):
        await environment.slack.until(
            lambda ts=ts, channel=channel: NOT_KNOWN in texts(environment, ts, channel)
        )
    await environment.secmaster.faults.clear()
    for ts, channel in ((first, SOC), (second, "C0ONCALL")):
        await environment.slack.until(
            lambda ts=ts, channel=channel: not environment.buttons(ts, channel=channel)
        )
    waiting, reply = await environment.replies(first, 2)
    assert "It is not known yet whether" in waiting
    assert "*Approved by <@U0ALICE>" in reply


async def lose_the_answer(
    environment: BotEnvironment, ts: str, *reading: Fault, applied: bool = True
) -> None:
    """Alice approves; the answer is lost, and from then on SecMaster can't be read."""
    await environment.secmaster.faults.set(Fault(on="ShowTask", times=1))
    lost = Fault(on="UpdateTask", hang_up=True, applied=applied, times=1)
    await environment.secmaster.faults.set(lost)
    for fault in reading or (Fault(on="ShowTask", status=503),):
        await environment.secmaster.faults.set(fault)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")


def texts(environment: BotEnvironment, ts: str, channel: str = SOC) -> str:
    return json.dumps(environment.message(ts, channel=channel), ensure_ascii=False)


def decided(environment: BotEnvironment) -> int:
    return len(environment.secmaster.writes("UpdateTask", TASK.id))


def request_count(environment: BotEnvironment, endpoint: str) -> int:
    return len([one for one in environment.secmaster.requests if one.endpoint == endpoint])


def outcomes(environment: BotEnvironment) -> list[Any]:
    return [row["outcome"] for row in environment.app.services.store.audit.entries(TASK)]
