"""A write's answer is lost: until somebody knows what became of it, everybody is told just that."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.runtime.timeouts import Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.town import ALICE, BOB, CAROL, SOC, Town, both_databases

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
NOT_KNOWN = "Whether the approval by <@U0ALICE> took effect is not known yet."


@pytest.fixture
def rules() -> str:
    return POLICY


@both_databases
async def test_card_and_thread_say_that_it_is_not_known_yet_until_it_is(town: Town):
    ts = await town.card("task", TASK.id)
    await lose_the_answer(town, ts)
    [waiting] = await town.replies(ts)
    assert "The approval by <@U0ALICE> waits." in waiting
    assert "reading until it is known whether it took effect" in waiting
    await town.slack.until(lambda: NOT_KNOWN in texts(town, ts))
    assert "SecMaster can't be read now" in texts(town, ts)
    assert "approved" not in texts(town, ts).lower()
    await town.secmaster.faults.clear()
    said = (await town.replies(ts, 2))[1]
    assert "*Approved* by <@U0ALICE>" in said
    assert "answer was lost; reading it again showed that it is done" in said
    await town.slack.until(lambda: "Approved by <@U0ALICE>" in texts(town, ts))
    assert NOT_KNOWN not in texts(town, ts)
    assert "can't be read now" not in texts(town, ts)
    assert decided(town) == 1
    assert outcomes(town) == ["allowed", "done"]


async def test_nobodys_second_press_is_sent_while_it_is_not_known(town: Town):
    ts = await town.card("task", TASK.id)
    await lose_the_answer(town, ts)
    await town.slack.until(lambda: NOT_KNOWN in texts(town, ts))
    for user in (BOB, ALICE):
        delivered = await town.slack.press(user, SOC, ts, "task.approve")
        assert (delivered.status, delivered.error) == (200, "")
    await town.replies(ts, 3)
    await town.secmaster.faults.clear()
    said = await town.replies(ts, 6)
    assert len([line for line in said if "*Approved*" in line]) == 1
    assert len([line for line in said if "already decided" in line]) == 2
    assert decided(town) == 1


async def test_somebody_else_is_told_who_is_at_it_while_it_is_looked_for(town: Town):
    town.app.services.timeouts = Timeouts(pauses=(0.05,) * 60, settle=60)
    ts = await town.card("task", TASK.id)
    lost = Fault(on="UpdateTask", hang_up=True)
    await town.secmaster.faults.set(lost)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.secmaster.until(lambda: asked(town, "ShowTask") > 4)
    await town.slack.press(BOB, SOC, ts, "task.approve")
    await town.whispered(BOB, "<@U0ALICE> is approving this task right now", "was not sent")
    assert "Nobody can say" in (await town.replies(ts))[-1]
    assert asked(town, "UpdateTask") == 1


async def test_what_is_never_known_is_given_up_as_unknown_and_never_called_a_success(town: Town):
    town.app.services.timeouts = Timeouts(pauses=(0.05,) * 4, settle=0.1)
    ts = await town.card("task", TASK.id)
    await lose_the_answer(town, ts)
    waiting, said = await town.replies(ts, 2)
    assert "reading until it is known" in waiting
    assert "*Nobody can say whether this approval by <@U0ALICE> took effect.*" in said
    assert "*Approved*" not in json.dumps(town.slack.thread(SOC, ts))
    assert outcomes(town) == ["allowed", "unknown"]
    assert decided(town) == 1
    await town.secmaster.faults.clear()
    await town.slack.until(lambda: "may have done this" in texts(town, ts))
    assert town.buttons(ts) == []


async def test_after_it_was_given_up_a_task_that_still_waits_can_be_decided(town: Town):
    town.app.services.timeouts = Timeouts(pauses=(0.05,) * 4, settle=0.1)
    ts = await town.card("task", TASK.id)
    await lose_the_answer(town, ts, applied=False)
    await town.replies(ts, 2)
    await town.secmaster.faults.clear()
    await town.slack.until(lambda: NOT_KNOWN not in texts(town, ts))
    await town.slack.press(BOB, SOC, ts, "task.approve")
    said = (await town.replies(ts, 3))[2]
    assert "*Approved* by <@U0BOB>" in said
    assert decided(town) == 1


async def test_a_lost_retry_is_not_known_either_and_is_sent_once(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await town.secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", times=1))
    await town.secmaster.faults.set(Fault(on="UpdateWorkflowInstance", hang_up=True, applied=True))
    await town.secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", status=503))
    await town.slack.press(CAROL, SOC, ts, "instance.retry")
    await town.slack.until(
        lambda: "Whether the retry by <@U0CAROL> took effect is not known yet" in texts(town, ts)
    )
    await town.secmaster.faults.clear()
    said = (await town.replies(ts, 2))[1]
    assert "*Retry started* by <@U0CAROL>" in said
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 1


async def test_a_secmaster_that_hangs_does_not_keep_the_doubt_from_the_card(town: Town):
    ts = await town.card("task", TASK.id)
    once = Fault(on="ShowTask", status=503, times=1)
    await lose_the_answer(town, ts, once, Fault(on="ShowTask", hold=True))
    await town.slack.until(lambda: NOT_KNOWN in texts(town, ts))
    assert "SecMaster can't be read now" in texts(town, ts)
    await town.secmaster.faults.clear()
    assert "*Approved* by <@U0ALICE>" in (await town.replies(ts, 2))[1]
    assert decided(town) == 1


async def test_every_card_shows_the_doubt_and_loses_it(town: Town):
    first = await town.card("task", TASK.id)
    second = await town.card("task", TASK.id, channel="C0ONCALL")
    await lose_the_answer(town, first)
    for ts, channel in ((first, SOC), (second, "C0ONCALL")):
        await town.slack.until(lambda ts=ts, channel=channel: NOT_KNOWN in texts(town, ts, channel))
    await town.secmaster.faults.clear()
    for ts, channel in ((first, SOC), (second, "C0ONCALL")):
        await town.slack.until(lambda ts=ts, channel=channel: not town.buttons(ts, channel=channel))


async def lose_the_answer(town: Town, ts: str, *reading: Fault, applied: bool = True) -> None:
    """Alice approves; the answer is lost, and from then on SecMaster can't be read."""
    await town.secmaster.faults.set(Fault(on="ShowTask", times=1))
    lost = Fault(on="UpdateTask", hang_up=True, applied=applied, times=1)
    await town.secmaster.faults.set(lost)
    for fault in reading or (Fault(on="ShowTask", status=503),):
        await town.secmaster.faults.set(fault)
    await town.slack.press(ALICE, SOC, ts, "task.approve")


def texts(town: Town, ts: str, channel: str = SOC) -> str:
    return json.dumps(town.message(ts, channel=channel), ensure_ascii=False)


def decided(town: Town) -> int:
    return len(town.secmaster.writes("UpdateTask", TASK.id))


def asked(town: Town, endpoint: str) -> int:
    return len([one for one in town.secmaster.requests if one.endpoint == endpoint])


def outcomes(town: Town) -> list[Any]:
    return [row["outcome"] for row in town.app.services.store.audit_entries(TASK)]
