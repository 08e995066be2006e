"""Several people want to decide at once: one write, and everybody else is told who was first."""

import asyncio

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, ONCALL, SOC

pytestmark = both_databases


async def test_of_two_people_deciding_at_once_one_wins_and_the_other_is_told_who(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(BOB, SOC, ts, "task.terminate")
    form = environment.slack.views(BOB)[-1]
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await asyncio.gather(
        environment.slack.press(ALICE, SOC, ts, "task.approve"),
        environment.slack.submit(BOB, form["id"], {"reason": "false positive"}),
    )
    await environment.slack.until(
        lambda: environment.slack.ephemerals(ALICE) or environment.slack.ephemerals(BOB)
    )
    await environment.secmaster.faults.clear()
    [reply] = await environment.replies(ts)
    winner, loser = (ALICE, BOB) if "*Approved by" in reply else (BOB, ALICE)
    assert f"by <@{winner}>" in reply
    text = await environment.ephemeral(loser, f"<@{winner}>", "was not sent")
    assert text
    decisions = [
        write.body["action"]
        for write in environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
        if write.body["action"] in ("CONTINUE", "TERMINATE")
    ]
    assert len(decisions) == 1
    outcomes = [
        row["outcome"]
        for row in environment.app.services.store.audit.entries(_task(seed.TASK_ISOLATE))
    ]
    assert sorted(outcomes) == ["allowed", "done", "lost"]


async def test_of_ten_clicks_on_one_button_one_is_sent(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_PLAYBOOK)
    presses = [environment.slack.press(who, SOC, ts, "task.approve") for who in (ALICE, BOB) * 5]
    await asyncio.gather(*presses)
    await environment.replies(ts)
    await environment.slack.until(
        lambda: (
            len(environment.slack.ephemerals(ALICE)) + len(environment.slack.ephemerals(BOB)) == 9
        )
    )
    assert len(environment.secmaster.writes("UpdateTask", seed.TASK_PLAYBOOK)) == 1
    assert len(await environment.replies(ts)) == 1
    for user in (ALICE, BOB):
        assert all(message["text"][0] in "✋❌" for message in environment.slack.ephemerals(user))


async def test_whoever_clicks_while_the_first_is_under_way_is_told_so_at_once(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.faults.until_held("UpdateTask")
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert "is approving this task right now" in await environment.ephemeral(BOB, f"<@{ALICE}>")
    await environment.secmaster.faults.clear()
    assert "*Approved by" in (await environment.replies(ts))[0]


async def test_whoever_presses_twice_is_told_that_the_second_press_was_not_sent(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.faults.until_held("UpdateTask")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    text = await environment.ephemeral(ALICE, "Your second press was not sent")
    assert "<@U0ALICE> is approving this task right now." in text
    await environment.secmaster.faults.clear()
    assert f"*Approved by <@{ALICE}>" in (await environment.replies(ts))[0]
    assert len(environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1
    assert len(environment.slack.ephemerals(ALICE)) == 1


async def test_after_a_decision_that_failed_anybody_may_decide_again(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=403, times=1))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "SecMaster refused the approval" in (await environment.replies(ts))[0]
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert f"*Approved by <@{BOB}>" in (await environment.replies(ts, 2))[1]


async def test_a_retry_is_sent_once_for_each_time_that_it_failed(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED_AGAIN, user=CAROL, channel=ONCALL)
    await environment.secmaster.faults.set(Fault(on="UpdateWorkflowInstance", hold=True))
    await asyncio.gather(
        *(environment.slack.press(CAROL, ONCALL, ts, "instance.retry") for _ in range(4))
    )
    await environment.slack.until(lambda: len(environment.slack.ephemerals(CAROL)) == 3)
    ref = Ref(kind="instance", id=seed.INSTANCE_FAILED_AGAIN)
    run, lock = environment.secmaster.world.instance, environment.app.services.cards.render_lock
    again = f"/instance retry {ref.id} again"
    async with lock(ref):  # or the card might say that it failed again before the command comes
        await environment.secmaster.faults.clear()
        await environment.replies(ts, channel=ONCALL)
        assert retries(environment) == 1
        await environment.secmaster.until(lambda: run(ref.id)["status"] == "FAILED")
        await environment.slack.command(CAROL, ONCALL, again)
        await environment.ephemeral(CAROL, "Changed since you looked")
    await environment.slack.until(
        lambda: "Failed again" in str(environment.message(ts, channel=ONCALL)["blocks"])
    )
    async with lock(ref):
        await environment.slack.command(CAROL, ONCALL, again)
    await environment.replies(ts, 2, channel=ONCALL)
    assert retries(environment) == 2
    for _ in range(3):
        await environment.ephemeral(CAROL, "<@U0CAROL> is retrying this run right now.")


def retries(environment: BotEnvironment) -> int:
    return len(environment.secmaster.writes("UpdateWorkflowInstance", seed.INSTANCE_FAILED_AGAIN))


def _task(object_id: str) -> Ref:
    return Ref(kind="task", id=object_id)
