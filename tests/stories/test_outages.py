"""SecMaster is in trouble: nothing is lost, nothing is written twice, and the thread says so."""

import pytest

from bot.domain.objects import Ref
from bot.runtime.timeouts import Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, seed
from tests.town import ALICE, SOC, Town, both_databases

pytestmark = both_databases

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)


def outcomes(town: Town) -> list[str]:
    return [row["outcome"] for row in town.app.services.store.audit_entries(TASK)]


def decided(town: Town) -> int:
    return len(town.secmaster.writes("UpdateTask", TASK.id))


async def test_a_write_whose_answer_was_lost_is_found_by_reading_and_not_sent_again(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert f"*Approved* by <@{ALICE}>" in said
    assert "answer was lost; reading it again showed that it is done" in said
    assert decided(town) == 1
    assert outcomes(town) == ["allowed", "done"]


@pytest.mark.parametrize(
    "trouble",
    [
        Fault(on="UpdateTask", status=502, applied=True),
        Fault(on="UpdateTask", cut=True, applied=True),
        Fault(on="UpdateTask", html=True, status=200, applied=True),
    ],
    ids=["bad gateway", "half an answer", "a page of HTML"],
)
async def test_any_unusable_answer_to_an_applied_write_ends_in_one_write(
    town: Town, trouble: Fault
):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(trouble)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved*" in said
    assert decided(town) == 1


async def test_a_comment_whose_answer_was_lost_is_there_once(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True))
    await town.slack.command(ALICE, SOC, f"/task comment {TASK.id} seen it")
    [said] = await town.replies(ts)
    assert "*Comment added*" in said
    comments = [each["message"] for each in town.secmaster.world.task(TASK.id)["comments"]]
    assert len([text for text in comments if "seen it" in text]) == 1


async def test_a_write_that_got_lost_on_its_way_is_sent_again_only_after_reading(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, times=1))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved*" in said
    assert decided(town) == 1
    puts = [each.endpoint for each in town.secmaster.requests if each.path.endswith(TASK.id)]
    assert puts.count("UpdateTask") == 2
    first, second = [at for at, endpoint in enumerate(puts) if endpoint == "UpdateTask"]
    assert puts[first + 1 : second].count("ShowTask") >= 3


async def test_while_secmaster_is_down_the_operation_is_kept_and_then_done(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.stop()
    port = int(town.secmaster.url.rpartition(":")[2])
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [waiting] = await town.replies(ts)
    assert "can't be reached" in waiting
    assert "no need to repeat it" in waiting
    await town.secmaster.start(port=port)
    said = (await town.replies(ts, 2))[1]
    assert f"*Approved* by <@{ALICE}>" in said
    assert decided(town) == 1


async def test_what_stays_unreachable_is_given_up_and_said_to_be_not_done(town: Town):
    town.app.services.timeouts = Timeouts(pauses=(0.01,) * 3)
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="*", status=503))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    said = (await town.replies(ts, 2))[1]
    assert "Given up" in said
    assert "was not done" in said
    assert decided(town) == 0
    await town.secmaster.faults.clear()
    assert outcomes(town)[-1] == "failed"


async def test_what_stays_in_doubt_is_called_unknown_and_never_a_success(town: Town):
    town.app.services.timeouts = Timeouts(pauses=(0.01,) * 3)
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="ShowTask", times=1, delay=0.0))
    await town.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True))
    await town.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, said = await town.replies(ts, 2)
    assert "reading until it is known" in waiting
    assert "Nobody can say whether this approval" in said
    assert outcomes(town) == ["allowed", "unknown"]
    assert decided(town) == 1


async def test_a_write_that_keeps_failing_while_reads_work_is_told_at_the_second_doubt(
    town: Town,
):
    town.app.services.timeouts = Timeouts(pauses=(0.01,), settle=0.01)
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=503))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, said = await town.replies(ts, 2)
    assert f"The approval by <@{ALICE}> waits." in waiting
    assert "HTTP 503" in waiting
    assert "reading until it is known" in waiting
    assert "Nobody can say whether this approval" in said
    asked = [each.endpoint for each in town.secmaster.requests]
    assert asked.count("UpdateTask") == 2
    assert decided(town) == 0
    assert outcomes(town) == ["allowed", "unknown"]


async def test_a_write_that_failed_once_is_not_called_trouble(town: Town):
    town.app.services.timeouts = Timeouts(pauses=(0.01,), settle=0.01)
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=503, times=1))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved*" in said
    await town.slack.until(lambda: not town.buttons(ts))
    assert len(await town.replies(ts)) == 1
    assert decided(town) == 1


async def test_when_secmaster_asks_to_be_left_alone_the_pause_is_as_long(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=429, retry_after=1, times=1))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, said = await town.replies(ts, 2)
    assert "SecMaster is busy" in waiting
    assert "no need to repeat it" in waiting
    assert "*Approved*" in said
    first, second = [each.at for each in town.secmaster.requests if each.endpoint == "UpdateTask"]
    assert (second - first).total_seconds() >= 1
    assert decided(town) == 1


async def test_a_refusal_is_told_with_secmasters_words_and_the_request_id(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=403))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "SecMaster refused the approval" in said
    assert "APIGW" in said
    assert "request `" in said
    assert "task.approve" in town.buttons(ts)
    assert outcomes(town) == ["allowed", "failed"]


async def test_a_reason_that_cannot_be_left_leaves_the_task_undecided(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=400, times=1))
    await town.slack.command(ALICE, SOC, f"/task approve {TASK.id} looks right")
    [said] = await town.replies(ts)
    assert "so nothing was decided" in said
    assert town.secmaster.world.task(TASK.id)["status"] == "waiting"


async def test_what_was_decided_elsewhere_during_the_outage_is_not_decided_again(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=429))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.replies(ts)
    person = Person("lin", "Lin Yue")
    town.secmaster.world.update_task(TASK.id, {"action": "TERMINATE"}, person)
    await town.secmaster.faults.clear()
    told = (await town.replies(ts, 2))[1]
    assert "was already decided" in told
    assert "Lin Yue" in told
    assert [write.body["action"] for write in town.secmaster.writes("UpdateTask", TASK.id)] == []


async def test_a_page_of_html_from_slack_delays_the_reply_and_loses_nothing(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.faults.set(Fault(on="chat.postMessage", html=True, times=1))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved*" in said
    assert decided(town) == 1


async def test_a_card_that_slack_would_not_take_is_told_as_slacks_trouble(town: Town):
    await town.slack.faults.set(Fault(on="chat.postMessage", status=500, times=1))
    await town.slack.command(ALICE, SOC, f"/task show {TASK.id}")
    assert await town.whispered(ALICE, "Slack is in trouble")


async def test_a_doubt_that_lasts_is_told_before_it_is_resolved(town: Town):
    town.app.services.timeouts = Timeouts(pauses=(0.01, 6, 0.01), settle=60)
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, said = await town.replies(ts, 2)
    assert "SecMaster's answer was lost on the way" in waiting
    assert "reading until it is known" in waiting
    assert "Nobody can say whether this approval" in said
    asked = [each.endpoint for each in town.secmaster.requests]
    assert asked.count("UpdateTask") == 1
