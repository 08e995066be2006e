"""Several people want to decide at once: one write, and everybody else is told who was first."""

import asyncio

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.town import ALICE, BOB, CAROL, ONCALL, SOC, Town, both_databases

pytestmark = both_databases


async def test_of_two_people_deciding_at_once_one_wins_and_the_other_is_told_who(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(BOB, SOC, ts, "task.terminate")
    form = town.slack.views(BOB)[-1]
    await town.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await asyncio.gather(
        town.slack.press(ALICE, SOC, ts, "task.approve"),
        town.slack.submit(BOB, form["id"], {"reason": "false positive"}),
    )
    await town.slack.until(lambda: town.slack.ephemerals(ALICE) or town.slack.ephemerals(BOB))
    await town.secmaster.faults.clear()
    [said] = await town.replies(ts)
    winner, loser = (ALICE, BOB) if "*Approved*" in said else (BOB, ALICE)
    assert f"by <@{winner}>" in said
    told = await town.whispered(loser, f"<@{winner}>", "was not sent")
    assert told
    decisions = [
        write.body["action"]
        for write in town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
        if write.body["action"] in ("CONTINUE", "TERMINATE")
    ]
    assert len(decisions) == 1
    outcomes = [
        row["outcome"] for row in town.app.services.store.audit_entries(_task(seed.TASK_ISOLATE))
    ]
    assert sorted(outcomes) == ["allowed", "done", "lost"]


async def test_of_ten_clicks_on_one_button_one_is_sent(town: Town):
    ts = await town.card("task", seed.TASK_PLAYBOOK)
    presses = [town.slack.press(who, SOC, ts, "task.approve") for who in (ALICE, BOB) * 5]
    await asyncio.gather(*presses)
    await town.replies(ts)
    await town.slack.until(
        lambda: len(town.slack.ephemerals(ALICE)) + len(town.slack.ephemerals(BOB)) == 9
    )
    assert len(town.secmaster.writes("UpdateTask", seed.TASK_PLAYBOOK)) == 1
    assert len(await town.replies(ts)) == 1


async def test_whoever_clicks_while_the_first_is_under_way_is_told_so_at_once(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.secmaster.faults.until_held("UpdateTask")
    await town.slack.press(BOB, SOC, ts, "task.approve")
    assert "is approving this task right now" in await town.whispered(BOB, f"<@{ALICE}>")
    await town.secmaster.faults.clear()
    assert "*Approved*" in (await town.replies(ts))[0]


async def test_whoever_presses_twice_is_told_that_the_second_press_was_not_sent(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.secmaster.faults.until_held("UpdateTask")
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    told = await town.whispered(ALICE, "this second press was not sent")
    assert "Your approval is under way" in told
    await town.secmaster.faults.clear()
    assert f"*Approved* by <@{ALICE}>" in (await town.replies(ts))[0]
    assert len(town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1
    assert len(town.slack.ephemerals(ALICE)) == 1


async def test_after_a_decision_that_failed_anybody_may_decide_again(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=403, times=1))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "SecMaster refused the approval" in (await town.replies(ts))[0]
    await town.slack.press(BOB, SOC, ts, "task.approve")
    assert f"*Approved* by <@{BOB}>" in (await town.replies(ts, 2))[1]


async def test_a_retry_is_sent_once_for_each_time_that_it_failed(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED_AGAIN, user=CAROL, channel=ONCALL)
    await town.secmaster.faults.set(Fault(on="UpdateWorkflowInstance", hold=True))
    await asyncio.gather(*(town.slack.press(CAROL, ONCALL, ts, "instance.retry") for _ in range(4)))
    await town.slack.until(lambda: len(town.slack.ephemerals(CAROL)) == 3)
    await town.secmaster.faults.clear()
    await town.replies(ts, channel=ONCALL)
    assert retries(town) == 1
    run = town.secmaster.world.instance
    await town.secmaster.until(lambda: run(seed.INSTANCE_FAILED_AGAIN)["status"] == "FAILED")
    again = f"/instance retry {seed.INSTANCE_FAILED_AGAIN} again"
    await town.slack.command(CAROL, ONCALL, again)
    await town.whispered(CAROL, "Changed since you looked")
    await town.slack.until(lambda: "Failed" in town.message(ts, channel=ONCALL)["text"])
    async with town.app.services.cards.render_lock(
        Ref(kind="instance", id=seed.INSTANCE_FAILED_AGAIN)
    ):
        await town.slack.command(CAROL, ONCALL, again)
    await town.replies(ts, 2, channel=ONCALL)
    assert retries(town) == 2


def retries(town: Town) -> int:
    return len(town.secmaster.writes("UpdateWorkflowInstance", seed.INSTANCE_FAILED_AGAIN))


def _task(object_id: str) -> Ref:
    return Ref(kind="task", id=object_id)
