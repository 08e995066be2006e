"""Whoever runs the bot sees what it does: a line and a count for each thing, under one id."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from tests.support.batch import choose, open_from_list
from tests.support.environment import BotEnvironment, restarted
from tests.support.exposition import scrape
from tests.support.log import LogLines, logged
from tests.support.people import ALICE, BOB, DAVE, SOC
from tests.support.process import bot_process
from tests.support.slack_recorder import SlackRecorder

TASK = seed.TASK_ISOLATE


def labelled(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(labels.items())


# What the first story leaves behind.
COUNTS = {
    labelled("build_info"): 1,
    labelled("deliveries_total", kind="button", outcome="done"): 2,
    labelled("deliveries_total", kind="button", outcome="refused"): 1,
    labelled("deliveries_total", kind="command", outcome="done"): 2,
    labelled("acknowledgement_seconds_count", kind="button"): 3,
    labelled("refusals_total", reason="rule"): 1,
    labelled("refusals_total"): 1,
    labelled("operations_recorded_total", action="task.approve"): 2,
    labelled("operations_ended_total", action="task.approve", outcome="done"): 1,
    labelled("operations_ended_total", action="task.approve", outcome="halted"): 1,
    labelled("operations_ended_total", action="task.comment", outcome="failed"): 1,
    labelled("operations_ended_total"): 3,
    labelled("operation_stage_seconds_count", stage="recorded"): 3,
    labelled("operation_stage_seconds_count", stage="written"): 1,
    labelled("operation_stage_seconds_count", stage="replied"): 3,
    labelled("secmaster_requests_total", endpoint="UpdateTask", outcome="refused"): 1,
    labelled("secmaster_requests_total", endpoint="UpdateTask", outcome="ok"): 1,
    labelled("secmaster_request_seconds_count", endpoint="UpdateTask"): 2,
    labelled("slack_calls_total", method="chat.postMessage", outcome="ratelimited"): 1,
    labelled("slack_calls_total", method="chat.postMessage", outcome="ok"): 3,
    labelled("slack_call_seconds_count", method="chat.postMessage"): 3,
    labelled("slack_calls_total", method="other"): 0,
}


@pytest.fixture
async def log() -> AsyncIterator[LogLines]:
    with logged() as lines:
        yield lines


async def test_what_people_do_is_logged_and_counted_once_under_one_id(
    environment: BotEnvironment, log: LogLines
) -> None:
    """An approval, a refusal, one who comes second, a failure, and a call that is put off."""
    slack, secmaster = environment.slack, environment.secmaster
    audit = environment.app.services.store.audit
    ts = await environment.card("task", TASK)

    # Dave may not.
    await slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "can do this")
    [refused] = await log.until("request answered", outcome="refused")
    assert refused["user"] == DAVE
    assert (refused["command"], refused["reason"]) == ("task.approve", "rule")
    [attempt] = audit.entries(f"1:task:main:{TASK}")
    assert refused["operation"] == attempt["operation_id"]

    # SecMaster refuses a comment; Slack puts the answer off.
    await secmaster.faults.set(Fault(on="UpdateTask", status=400, code="SecMaster.1", times=1))
    await slack.faults.set(Fault(on="chat.postMessage", status=429, retry_after=0, times=1))
    await slack.command(ALICE, SOC, f"/task comment {TASK} a secret word")
    await environment.replies(ts)
    # Alice approves, and Bob's approval, on the card as it was before, comes too late.
    async with environment.app.services.cards.render_lock(Ref(kind="task", id=TASK)):
        await slack.press(ALICE, SOC, ts, "task.approve")
        await environment.replies(ts, 2)
        await slack.press(BOB, SOC, ts, "task.approve")
    await environment.ephemeral(BOB)
    ends = await log.until("operation ended", 3)

    assert [(end["outcome"], end.get("reason")) for end in ends] == [
        ("failed", "Invalid"),
        ("done", None),
        ("halted", "not_now"),
    ]
    failed, done, _ = ends
    assert failed["request_id"]
    assert done["attempts"] == 1
    assert done.keys() >= {"recorded_ms", "written_ms", "replied_ms", "request_id"}
    [recorded] = log.lines("operation recorded", operation=done["operation"])
    assert (
        recorded.items()
        >= {
            "action": "task.approve",
            "user": ALICE,
            "channel": SOC,
            "thread_ts": ts,
            "delivery": "button",
            "object": f"1:task:main:{TASK}",
        }.items()
    )
    assert len(log.lines("request answered", operation=done["operation"])) == 1
    outcomes = audit.outcomes([done["operation"]])
    assert outcomes[done["operation"]].outcome.request_id == done["request_id"]
    # No word of anybody's is in the log.
    assert "secret word" not in log.getvalue()
    assert "solate" not in log.getvalue()

    counts = await scrape(environment.app.url)
    assert {(name, labels): counts.value(name, **dict(labels)) for name, labels in COUNTS} == COUNTS
    assert counts.value("http_connections") >= 1


async def test_what_is_tried_again_has_its_id_on_every_line_and_is_counted(
    environment: BotEnvironment, log: LogLines
) -> None:
    """An answer that is lost is a doubt, one that never began a retry."""
    slack, secmaster = environment.slack, environment.secmaster
    ts = await environment.card("task", TASK)
    await secmaster.faults.set(Fault(on="ShowTask", status=503, times=1))
    await secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True, times=1))
    await slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts, 2)
    [end] = await log.until("operation ended")
    assert (end["outcome"], end["reason"], end["attempts"]) == ("done", "read", 2)
    counts = await scrape(environment.app.url)
    assert counts.value("operation_retries_total", reason="Unavailable") == 1
    assert counts.value("operation_doubts_total", reason="AnswerLost") == 1
    assert counts.value("secmaster_requests_total", outcome="unavailable") == 1
    assert counts.value("secmaster_requests_total", outcome="lost") == 1


async def test_a_click_that_slack_delivers_twice_ends_once(
    environment: BotEnvironment, log: LogLines
) -> None:
    slack = environment.slack
    ts = await environment.card("task", TASK)
    await slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await log.until("operation ended")
    await slack.delivery.interaction(slack.sent[-1].payload)
    await log.until("request answered", 2, command="task.approve")
    [operation] = {line["operation"] for line in log.lines("operation recorded")}
    assert len(log.lines("operation ended", operation=operation)) == 1
    assert (await scrape(environment.app.url)).value("operations_recorded_total") == 1


TWO = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = {{ name = "Isolate" }}
approvals = 2
{POLICY}
"""
BRIEF = TWO.replace("approvals = 2", 'approvals = 2\nexpires = "1s"')


@pytest.mark.parametrize("rules", [TWO], ids=["by name"])
async def test_a_command_that_secmaster_keeps_from_being_checked_is_nobodys_mistake(
    environment: BotEnvironment, log: LogLines
) -> None:
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK}")
    await environment.ephemeral(ALICE, "SecMaster is not responding properly")
    [line] = await log.until("request answered")
    assert (line["outcome"], line["reason"]) == ("unavailable", "unread")
    [attempt] = environment.app.services.store.audit.entries(f"1:task:main:{TASK}")
    assert line["operation"] == attempt["operation_id"]


@pytest.mark.parametrize("rules", [TWO], ids=["two"])
async def test_an_approval_that_still_waits_after_a_restart_is_resumed_and_has_ended_once(
    environment: BotEnvironment, log: LogLines, database_url: str
) -> None:
    slack = environment.slack
    ts = await environment.card("task", TASK)
    await slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    [first] = await log.until("operation ended")
    async with restarted(environment, database_url, TWO) as after:
        [resumed] = await log.until("operation resumed")
        await slack.press(BOB, SOC, ts, "task.approve")
        await after.replies(ts, 2)
        await log.until("operation ended", outcome="done")
        counts = await scrape(after.app.url)
    assert first["outcome"] == "counted"
    assert resumed["operation"] == first["operation"]
    assert len(log.lines("operation ended", operation=first["operation"])) == 1
    # The new process has recorded Bob's alone.
    assert counts.value("operations_recorded_total") == 1
    assert counts.value("operations_ended_total") == 1


@pytest.mark.parametrize("rules", [BRIEF], ids=["brief"])
async def test_an_approval_that_waits_has_ended_and_what_lapses_is_told_under_its_id(
    environment: BotEnvironment, log: LogLines
) -> None:
    slack = environment.slack
    ts = await environment.card("task", TASK)
    await slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts, 2)
    [lapsed] = await log.until("approval request lapsed")
    [end] = log.lines("operation ended")
    assert (end["outcome"], end["operation"]) == ("counted", lapsed["operation"])
    counts = await scrape(environment.app.url)
    assert counts.value("operations_ended_total", outcome="counted") == 1
    assert counts.value("operations_ended_total") == 1


async def test_each_of_several_at_once_has_an_id_and_a_line_of_its_own(
    environment: BotEnvironment, log: LogLines
) -> None:
    """And a view that fails after it was opened is told as that."""
    slack = environment.slack
    question = await choose(
        environment,
        ALICE,
        await open_from_list(environment, ALICE, "task"),
        "task.approve",
        [seed.TASK_ISOLATE, seed.TASK_BLOCK_IP],
    )
    await slack.submit(ALICE, question["id"], {})
    ends = await log.until("operation ended", 2)
    assert {end["outcome"] for end in ends} == {"done"}
    recorded = log.lines("operation recorded", delivery="batch")
    assert {line["operation"] for line in recorded} == {end["operation"] for end in ends}
    assert len(recorded) == 2
    assert len(log.lines("request answered", delivery="form")) == 2
    environment.ignore_messages(channel=SOC)
    await environment.secmaster.faults.set(Fault(on="*", status=503))
    await slack.shortcut(ALICE, "waiting")
    [failed] = await log.until("request answered", command="waiting")
    assert failed["outcome"] == "unavailable"


SECRETS = (
    *("xoxb-demo", "demo-signing-secret", "demo-sk", "Authorization", "Signature=", "v0="),
    *("X-Sdk-Date", "SDK-HMAC", "secret words"),
)


@pytest.mark.slow
async def test_sixty_commands_leave_a_line_each_and_no_secret_even_at_debug(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    """The process is killed in the middle: what it was doing is resumed under its id."""
    slack.ignore_messages()
    async with bot_process(
        slack, secmaster, database_url, tmp_path, settings={"LOG_LEVEL": "debug"}
    ) as bot:
        for _ in range(20):
            await slack.command(ALICE, SOC, "/task list secret words")
            await slack.command(DAVE, SOC, "/secmaster whoami")
            await slack.command(DAVE, SOC, f"/task approve {TASK}")
        await slack.command(ALICE, SOC, f"/task show {TASK}")
        [message] = await slack.until(lambda: slack.messages(SOC))
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        await slack.press(ALICE, SOC, message["ts"], "task.approve")
        await secmaster.faults.until_held("UpdateTask")
        await bot.kill()
        await secmaster.faults.clear()
        await bot.start()
        await slack.until(lambda: "Finished" in slack.thread(SOC, message["ts"])[0]["text"])
        await slack.until(lambda: slack.thread(SOC, message["ts"])[1:])
    lines = [json.loads(line) for line in bot.log]
    answered = [line for line in lines if line["event"] == "request answered"]
    assert len([line for line in answered if line["delivery"] == "command"]) >= 60
    assert len([line for line in answered if line["outcome"] == "refused"]) == 20
    [recorded] = [line for line in lines if line["event"] == "operation recorded"]
    [resumed] = [line for line in lines if line["event"] == "operation resumed"]
    [ended] = [line for line in lines if line["event"] == "operation ended"]
    assert recorded["operation"] == resumed["operation"] == ended["operation"]
    # Each call of it to the outside is told at DEBUG, in a task of DBOS's, with its id.
    calls = [line for line in lines if line.get("operation") == ended["operation"]]
    assert {"SecMaster was asked", "Slack was called"} <= {line["event"] for line in calls}
    assert {line["logger"].split(".")[0] for line in lines} <= {"bot", "handlers"}
    addresses = {sent.payload["response_url"] for sent in slack.sent}
    for secret in (*SECRETS, *addresses):
        assert not [line for line in bot.log if secret in line]
