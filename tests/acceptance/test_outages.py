"""SecMaster is in trouble: nothing is lost, nothing is written twice, and the thread says so."""

import pytest

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, buttons
from tests.support.people import ALICE, BOB, SOC
from tests.support.timeouts import quick_retries

pytestmark = postgres_in_full

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)


def outcomes(environment: BotEnvironment) -> list[str]:
    return [row["outcome"] for row in environment.app.services.store.audit.entries(TASK)]


def sends(environment: BotEnvironment) -> int:
    return sum(each.endpoint == "UpdateTask" for each in environment.secmaster.requests)


def decided(environment: BotEnvironment) -> int:
    return len(environment.secmaster.writes("UpdateTask", TASK.id))


async def test_a_write_whose_answer_was_lost_is_found_by_reading_and_not_sent_again(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert f"*Approved by <@{ALICE}>" in reply
    assert "answer was lost; reading it again confirmed the result" in reply
    assert decided(environment) == 1
    assert outcomes(environment) == ["allowed", "done"]


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
    environment: BotEnvironment, trouble: Fault
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(trouble)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by" in reply
    assert decided(environment) == 1


async def test_a_comment_whose_answer_was_lost_is_there_once(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True))
    await environment.slack.command(ALICE, SOC, f"/task comment {TASK.id} seen it")
    [reply] = await environment.replies(ts)
    assert "*Comment added by" in reply
    comments = [each["message"] for each in environment.secmaster.world.task(TASK.id)["comments"]]
    assert len([text for text in comments if "seen it" in text]) == 1


async def test_a_write_that_got_lost_on_its_way_is_sent_again_only_after_reading(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, times=1))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by" in reply
    assert decided(environment) == 1
    puts = [each.endpoint for each in environment.secmaster.requests if each.path.endswith(TASK.id)]
    assert puts.count("UpdateTask") == 2
    first, second = [at for at, endpoint in enumerate(puts) if endpoint == "UpdateTask"]
    assert "ShowTask" in puts[first + 1 : second]


async def test_while_secmaster_is_down_the_operation_is_kept_and_then_done(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.stop()
    port = int(environment.secmaster.url.rpartition(":")[2])
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [waiting] = await environment.replies(ts)
    assert "can't be reached" in waiting
    assert "Don't send it again." in waiting
    await environment.secmaster.start(port=port)
    reply = (await environment.replies(ts, 2))[1]
    assert f"*Approved by <@{ALICE}>" in reply
    assert decided(environment) == 1


@pytest.mark.parametrize("timeouts", [quick_retries(budget=3)], indirect=True, ids=["few"])
async def test_what_stays_unreachable_is_given_up_and_said_to_be_not_done(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="*", status=503))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    reply = (await environment.replies(ts, 2))[1]
    assert "The approval was not sent." in reply
    assert decided(environment) == 0
    await environment.secmaster.faults.clear()
    assert outcomes(environment)[-1] == "failed"
    # Whoever sees that may have it tried again, in their own name, under the same card.
    failed = environment.slack.thread(SOC, ts)[2]
    assert buttons(failed) == ["try-again"]
    await environment.slack.press(BOB, SOC, failed["ts"], "try-again")
    assert f"*Approved by <@{BOB}>" in (await environment.replies(ts, 3))[2]
    assert buttons(environment.slack.thread(SOC, ts)[2]) == ["try-again"]
    assert decided(environment) == 1


@pytest.mark.parametrize("timeouts", [quick_retries(budget=3)], indirect=True, ids=["few"])
async def test_what_stays_in_doubt_is_called_unknown_and_never_a_success(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="ShowTask", times=1, delay=0.0))
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True))
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, reply = await environment.replies(ts, 2)
    assert "The bot keeps checking SecMaster" in waiting
    assert "It is unknown whether the approval" in reply
    assert outcomes(environment) == ["allowed", "unknown"]
    assert decided(environment) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "timeouts", [quick_retries(budget=3, settle=0.01)], indirect=True, ids=["few"]
)
async def test_a_write_that_keeps_failing_while_reads_work_is_told_at_the_second_doubt(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=503))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, reply = await environment.replies(ts, 2)
    assert f"It is not known yet whether the approval by <@{ALICE}> took effect." in waiting
    assert "HTTP 503" in waiting
    assert "The bot keeps checking SecMaster" in waiting
    assert "It is unknown whether the approval" in reply
    endpoints = [each.endpoint for each in environment.secmaster.requests]
    assert endpoints.count("UpdateTask") >= 2
    assert decided(environment) == 0
    assert outcomes(environment) == ["allowed", "unknown"]


@pytest.mark.parametrize(
    "timeouts", [quick_retries(budget=20, settle=0.05)], indirect=True, ids=["patient"]
)
async def test_writes_that_fail_for_long_while_reads_work_end_in_one_write_told_once(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=503))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.until(lambda: sends(environment) >= 8)
    await environment.secmaster.faults.clear()
    waiting, reply = await environment.replies(ts, 2)
    assert "It is not known yet whether the approval by" in waiting
    assert "*Approved by" in reply
    assert len(await environment.replies(ts, 2)) == 2
    assert decided(environment) == 1
    assert outcomes(environment) == ["allowed", "done"]


@pytest.mark.parametrize(
    "timeouts", [quick_retries(budget=3, settle=0.01)], indirect=True, ids=["few"]
)
async def test_a_write_that_failed_once_is_not_called_trouble(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=503, times=1))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(await environment.replies(ts)) == 1
    assert decided(environment) == 1


async def test_when_secmaster_asks_to_be_left_alone_the_pause_is_as_long(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(
        Fault(on="UpdateTask", status=429, retry_after=1, times=1)
    )
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, reply = await environment.replies(ts, 2)
    assert "SecMaster limits the bot's requests" in waiting
    assert "Don't send it again." in waiting
    assert "*Approved by" in reply
    first, second = [
        each.at for each in environment.secmaster.requests if each.endpoint == "UpdateTask"
    ]
    assert (second - first).total_seconds() >= 1
    assert decided(environment) == 1


async def test_a_refusal_is_told_with_secmasters_words_and_the_request_id(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=403))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "SecMaster refused the approval" in reply
    assert "APIGW" in reply
    assert "request `" in reply
    assert "task.approve" in environment.buttons(ts)
    assert outcomes(environment) == ["allowed", "failed"]


async def test_a_reason_that_cannot_be_left_leaves_the_task_undecided(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=400, times=1))
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} looks right")
    [reply] = await environment.replies(ts)
    assert "Nothing was decided" in reply
    assert environment.secmaster.world.task(TASK.id)["status"] == "waiting"


async def test_what_was_decided_elsewhere_during_the_outage_is_not_decided_again(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=429))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    person = Person("lin", "Lin Yue")
    environment.secmaster.world.update_task(TASK.id, {"action": "TERMINATE"}, person)
    await environment.secmaster.faults.clear()
    reply = (await environment.replies(ts, 2))[1]
    assert "no longer open" in reply
    assert "Lin Yue" in reply
    assert [
        write.body["action"] for write in environment.secmaster.writes("UpdateTask", TASK.id)
    ] == []


async def test_a_page_of_html_from_slack_delays_the_reply_and_loses_nothing(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.faults.set(Fault(on="chat.postMessage", html=True, times=1))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by" in reply
    assert decided(environment) == 1


async def test_a_card_that_slack_would_not_take_is_told_as_slacks_trouble(
    environment: BotEnvironment,
) -> None:
    await environment.slack.faults.set(Fault(on="chat.postMessage", status=500, times=1))
    await environment.slack.command(ALICE, SOC, f"/task show {TASK.id}")
    assert await environment.ephemeral(ALICE, "Slack has a problem")


@pytest.mark.slow
@pytest.mark.parametrize(
    "timeouts",
    [quick_retries(budget=3, settle=60, report_after=0.2)],
    indirect=True,
    ids=["few"],
)
async def test_a_doubt_that_lasts_is_told_before_it_is_resolved(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    waiting, reply = await environment.replies(ts, 2)
    assert "SecMaster's answer was lost on the way" in waiting
    assert "The bot keeps checking SecMaster" in waiting
    assert "It is unknown whether the approval" in reply
    endpoints = [each.endpoint for each in environment.secmaster.requests]
    assert endpoints.count("UpdateTask") == 1
