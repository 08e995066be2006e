"""On call: what failed, who tried it again and how that ended; and the brake on retries."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.arrivals import THROTTLED, TRACEBACK
from bot.sandbox.secmaster.wire import stamp
from tests.support.databases import both_databases, postgres_in_full
from tests.support.environment import BotEnvironment, policy, restarted, settings_for
from tests.support.people import ALICE, CAROL, DAVE, ONCALL, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import EVERA, ROUTES, add_failure, card_of, first_poll_finished

RULES = POLICY.replace('usergroups = ["S0ONCALL"]', f'users = ["{CAROL}", "{DAVE}"]') + ROUTES
BRAKED = RULES + '\n[brake]\nretries = 2\nwithin = "15m"\n'
WHY = "This workflow was retried at least 2 times within 15 min, so a second approval is needed."
braked = pytest.mark.parametrize("rules", [BRAKED], ids=["braked"], indirect=True)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", RULES))


@pytest.fixture
def pace() -> float:
    """A run takes its next step when a story says so."""
    return 3600


async def test_a_failure_comes_with_where_how_and_what_the_node_was_given(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(
        environment, node_input='{"ip": "203.0.113.9"}', node_output='{"verdict": "unknown"}'
    )
    text = await card_text(environment, run)
    for part in ("*Failed at* Respond", "throttling threshold", "203.0.113.9", "unknown"):
        assert part in text
    assert "*Retries* 0" in text
    ts = card_of(environment, ONCALL, run["name"])
    assert "Failed at Respond: APIGW.0308" in confirmation(environment, ts, run)
    assert environment.slack.thread(ONCALL, ts)[1:] == []


async def test_the_card_says_how_often_it_was_tried_and_by_whom_last(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(environment, relapse=THROTTLED)
    ts = await retried(environment, run, CAROL)
    advance(environment, run, 2)
    last_retry = f"🔴 *Failed again after the retry by <@{CAROL}>, <!date"
    await environment.slack.until(
        lambda: last_retry in text_of(environment, ts) and "🔴 Failed" in text_of(environment, ts)
    )
    assert "*Retries* 1" in text_of(environment, ts)


@postgres_in_full
async def test_what_no_card_has_room_for_is_one_file_in_its_thread_also_after_a_restart(
    environment: BotEnvironment, database_url: str
) -> None:
    run = await add_failure(environment, error=TRACEBACK, node_output="y" * 3000)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    [share] = await environment.slack.until(lambda: environment.slack.thread(ONCALL, ts)[1:])
    [file] = share["files"]
    assert file["title"].endswith("-0.txt")
    assert f"Error\n=====\n{TRACEBACK}\n\n" in content(environment, file)
    assert f"Output\n======\n{'y' * 3000}\n" in content(environment, file)
    async with restarted(environment, database_url, RULES) as anew:
        other = await add_failure(anew, workflow=1)
        await environment.slack.until(lambda: card_of(environment, ONCALL, other["name"]))
        assert len(environment.slack.thread(ONCALL, ts)) == 2


async def test_after_a_crash_in_the_middle_of_a_card_there_is_one_with_its_file(
    environment: BotEnvironment, database_url: str
) -> None:
    await first_poll_finished(environment)
    posting = Fault(on="chat.postMessage", hold=True, applied=True)
    await environment.slack.faults.set(posting)
    run = await add_failure(environment, error=TRACEBACK)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    await environment.slack.faults.until_held("chat.postMessage")
    await environment.app.__aexit__()
    await environment.slack.faults.clear()
    async with restarted(environment, database_url, RULES):
        environment.clock.forward(minutes=2)
        [share] = await environment.slack.until(lambda: environment.slack.thread(ONCALL, ts)[1:])
        assert share["files"]
    assert [m["ts"] for m in environment.slack.messages(ONCALL) if m["text"].startswith("Run")] == [
        ts
    ]


async def test_of_a_run_that_is_gone_no_file_is_posted_and_nothing_waits_behind_it(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(environment, error=TRACEBACK)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    environment.secmaster.world.delete_instance(run["id"])
    other = await add_failure(environment, workflow=1)
    await environment.slack.until(lambda: card_of(environment, ONCALL, other["name"]))
    assert environment.slack.thread(ONCALL, ts)[1:] == []


@postgres_in_full
async def test_failures_of_one_workflow_are_one_card_and_each_has_its_own_retry(
    environment: BotEnvironment,
) -> None:
    runs, ts = await three(environment)
    assert len(cards(environment)) == 1
    for number, run in enumerate(runs, 1):
        await environment.slack.press(
            CAROL, ONCALL, ts, "instance.retry", block_id=row(environment, ts, run)
        )
        await environment.replies(ts, 2 * number - 1, channel=ONCALL)
        advance(environment, run, 2)
        ended = (await environment.replies(ts, 2 * number, channel=ONCALL))[-1]
        assert "✅ *Retry finished* after " in ended
        assert ended.endswith(f" sec: {run['name']}.")
        left = f"{3 - number} of 3 runs" if number < 3 else "No run is failed any more."
        await environment.slack.until(lambda left=left: left in text_of(environment, ts))
    assert environment.buttons(ts, channel=ONCALL) == []
    assert len(cards(environment)) == 1


async def test_what_fails_once_the_time_to_gather_is_over_gets_a_card_of_its_own(
    environment: BotEnvironment,
) -> None:
    _runs, ts = await three(environment)
    environment.clock.forward(minutes=61)
    run = await add_failure(environment, number=4)
    other = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    assert other != ts
    assert len(cards(environment)) == 2


async def test_where_the_gathering_card_was_deleted_a_failure_gets_its_own(
    environment: BotEnvironment,
) -> None:
    _runs, ts = await three(environment)
    environment.slack.workspace.delete(ONCALL, environment.slack.stored(ONCALL, ts))
    run = await add_failure(environment, number=4)
    await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))


async def test_several_is_about_the_failures_of_this_workflow(environment: BotEnvironment) -> None:
    runs, ts = await three(environment)
    other = await add_failure(environment, number=9, workflow=1)
    await environment.posted(ONCALL, other["name"])
    await environment.slack.press(CAROL, ONCALL, ts, "several")
    names = [run["name"] for run in runs]
    form = await environment.slack.until(
        lambda: [v for v in environment.slack.views(CAROL) if names[0] in json.dumps(v)]
    )
    text = json.dumps(form)
    assert all(name in text for name in names)
    assert other["name"] not in text


async def test_the_thread_is_told_that_a_retry_failed_again_and_why(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(environment, relapse="the firewall said no")
    ts = await retried(environment, run, CAROL)
    advance(environment, run, 2)
    reply = (await environment.replies(ts, 2, channel=ONCALL))[-1]
    assert reply.startswith(f"<@{CAROL}> 🔴 *Retry failed again* at Respond")
    assert "the firewall said no" in reply


@postgres_in_full
async def test_the_thread_is_told_of_an_end_that_came_while_the_bot_was_down(
    environment: BotEnvironment, database_url: str
) -> None:
    run = await add_failure(environment)
    ts = await retried(environment, run, CAROL)
    await environment.app.__aexit__()
    advance(environment, run, 2)
    async with restarted(environment, database_url, RULES) as anew:
        reply = (await anew.replies(ts, 2, channel=ONCALL))[-1]
        assert "✅ *Retry finished*" in reply
        await anew.polls()
        assert len(environment.slack.thread(ONCALL, ts)) == 3


async def test_the_thread_is_told_of_a_retried_run_that_the_console_terminated(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(environment)
    ts = await retried(environment, run, CAROL)
    advance(environment, run, 1)
    stop = {"command_type": "ActionInstanceTerminateCommand"}
    environment.secmaster.world.update_instance(run["id"], stop, EVERA)
    advance(environment, run, 1)
    reply = (await environment.replies(ts, 2, channel=ONCALL))[-1]
    assert "⛔ The run was terminated " in reply
    assert reply.endswith(f" after the retry: {run['name']}.")


@pytest.mark.parametrize("counted", [False, True], ids=["as before", "counted already"])
async def test_a_failure_that_stands_for_a_moment_after_the_retry_is_not_its_end(
    environment: BotEnvironment, *, counted: bool
) -> None:
    run = await add_failure(environment)
    stood = {key: run[key] for key in ("status", "end_time", "retry_count")}
    await environment.secmaster.faults.set(
        Fault(on="UpdateWorkflowInstance", hold=True, applied=True)
    )
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    await environment.slack.press(CAROL, ONCALL, ts, "instance.retry")
    await environment.secmaster.faults.until_held("UpdateWorkflowInstance")
    after = dict(run)
    run |= stood | ({"retry_count": 1} if counted else {})
    await environment.secmaster.faults.clear()
    await environment.replies(ts, 1, channel=ONCALL)
    await environment.polls()
    assert len(environment.slack.thread(ONCALL, ts)) == 2
    run |= after
    advance(environment, run, 2)
    assert "✅ *Retry finished*" in (await environment.replies(ts, 2, channel=ONCALL))[-1]


@pytest.mark.slow
async def test_a_failure_that_stays_though_the_retry_was_counted_is_told(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(environment)
    ended = run["end_time"]
    ts = await retried(environment, run, CAROL)
    run |= {"status": "FAILED", "end_time": ended}
    environment.clock.forward(minutes=2)
    assert "*Retry failed again*" in (await environment.replies(ts, 2, channel=ONCALL))[-1]


async def test_a_run_that_is_retried_in_the_console_is_followed_to_its_end(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(environment)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    retry = {"command_type": "ActionInstanceRetryCommand"}
    environment.secmaster.world.update_instance(run["id"], retry, EVERA)
    await environment.slack.until(lambda: "Retrying" in text_of(environment, ts))
    advance(environment, run, 2)
    await environment.slack.until(lambda: "Finished" in text_of(environment, ts))
    assert environment.buttons(ts, channel=ONCALL) == []
    assert environment.slack.thread(ONCALL, ts)[1:] == []


@pytest.mark.slow
async def test_the_end_of_a_retry_is_told_though_some_tasks_can_not_be_read(
    environment: BotEnvironment,
) -> None:
    run = await add_failure(environment)
    tasks = [environment.secmaster.world.add_task(name=f"Odd {number}") for number in range(3)]
    for task in tasks:
        await environment.slack.until(lambda task=task: card_of(environment, SOC, task["name"]))
    ts = await retried(environment, run, CAROL)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    for task in tasks:
        comment = {"action": "ADD_COMMENT", "comment": "look again"}
        environment.secmaster.world.update_task(task["id"], comment, EVERA)
    await environment.secmaster.until(
        lambda: (s := environment.app.services.store.poll_statuses.get("main")) and s.failure
    )
    advance(environment, run, 2)
    environment.clock.forward(minutes=6)
    assert "*Retry finished*" in (await environment.replies(ts, 2, channel=ONCALL))[-1]


# The brake.


@postgres_in_full
@braked
async def test_one_retry_too_many_waits_for_a_second_person_and_says_why(
    environment: BotEnvironment,
) -> None:
    runs, ts = await three(environment)
    await press(environment, ts, runs[0], CAROL, 1)
    await press(environment, ts, runs[1], CAROL, 2)
    reply = await press(environment, ts, runs[2], CAROL, 3)
    assert "*Approvals to retry: 1 of 2.*" in reply
    assert WHY in reply
    await environment.slack.until(lambda: WHY in text_of(environment, ts))
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 2
    reply = await press(environment, ts, runs[2], DAVE, 4)
    assert f"*Retry started by <@{DAVE}> and <@{CAROL}>" in reply
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 3


@braked
async def test_the_brake_is_for_one_workflow_and_for_its_time(environment: BotEnvironment) -> None:
    runs, ts = await three(environment)
    other = await add_failure(environment, number=9, workflow=1)
    await press(environment, ts, runs[0], CAROL, 1)
    await press(environment, ts, runs[1], CAROL, 2)
    await retried(environment, other, CAROL)
    environment.clock.forward(minutes=16)
    await environment.slack.until(lambda: environment.buttons(ts, channel=ONCALL))
    assert "*Retry started by" in await press(environment, ts, runs[2], CAROL, 3)
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 4


@both_databases
@pytest.mark.parametrize(
    "rules", [BRAKED.replace("retries = 2", "retries = 1")], ids=["one"], indirect=True
)
async def test_of_two_retries_at_once_the_brake_lets_one_through(
    environment: BotEnvironment,
) -> None:
    runs, ts = await three(environment)
    places = [row(environment, ts, run) for run in runs[:2]]
    await asyncio.gather(
        environment.slack.press(CAROL, ONCALL, ts, "instance.retry", block_id=places[0]),
        environment.slack.press(DAVE, ONCALL, ts, "instance.retry", block_id=places[1]),
    )
    replies = await environment.replies(ts, 2, channel=ONCALL)
    assert sorted("*Retry started by" in each for each in replies) == [False, True]
    assert any("retried at least once within 15 min" in each for each in replies)
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 1


@braked
async def test_a_yes_that_is_taken_back_is_no_retry_to_be_followed(
    environment: BotEnvironment,
) -> None:
    runs, ts = await three(environment)
    await press(environment, ts, runs[0], CAROL, 1)
    await press(environment, ts, runs[1], CAROL, 2)
    await press(environment, ts, runs[2], CAROL, 3)
    await environment.slack.until(lambda: "withdraw" in environment.buttons(ts, channel=ONCALL))
    await environment.slack.press(CAROL, ONCALL, ts, "withdraw")
    await environment.replies(ts, 4, channel=ONCALL)
    followed = {
        each.operation.ref.id
        for each in environment.app.services.store.followed_operations.under_way(10)
    }
    assert followed == {runs[0]["id"], runs[1]["id"]}


@braked
async def test_what_names_no_workflow_is_not_braked_with_others_that_name_none(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    for number in range(3):
        run = await add_failure(environment, number=number, workflow=None)
        ts = await environment.slack.until(
            lambda run=run: card_of(environment, ONCALL, run["name"])
        )
        await environment.slack.press(CAROL, ONCALL, ts, "instance.retry")
        assert "*Retry started by" in (await environment.replies(ts, channel=ONCALL))[-1]


# Cards stay true.


async def test_a_card_says_that_its_task_was_deleted(environment: BotEnvironment) -> None:
    ts = await a_task(environment)
    environment.secmaster.world.delete_task(ref_of(environment, ts).id)
    await environment.slack.until(
        lambda: "no longer exists in SecMaster" in text_of(environment, ts, SOC)
    )
    assert environment.buttons(ts) == []


async def test_a_card_says_that_its_task_was_decided_in_the_console(
    environment: BotEnvironment,
) -> None:
    ts = await a_task(environment)
    environment.secmaster.world.update_task(
        ref_of(environment, ts).id, {"action": "CONTINUE"}, EVERA
    )
    await environment.slack.until(
        lambda: "Decided outside Slack by Evera" in text_of(environment, ts, SOC)
    )
    assert environment.buttons(ts) == []


async def test_a_card_says_that_its_task_ended_by_itself(environment: BotEnvironment) -> None:
    due = stamp(environment.clock.now() + timedelta(hours=2))
    ts = await a_task(environment, due_date=due, due_handle="CONTINUE")
    environment.clock.forward(hours=2, minutes=1)
    assert ref_of(environment, ts).id in environment.secmaster.tick()
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert "⌛ Nobody decided: approved automatically by SecMaster" in text_of(environment, ts, SOC)


async def test_many_comments_at_once_are_few_drawings_and_the_last_is_drawn(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str
) -> None:
    slack.ignore_messages("📝", user=ALICE)  # twenty, and which command each answers is not told
    settings = settings_for(slack.url, secmaster.url, database_url)
    async with App(settings, policy(), replace(QUICK_TIMEOUTS, render_interval=1)) as app:
        slack.request_url = f"{app.url}/slack/events"
        environment = BotEnvironment(slack, secmaster, app)
        task = secmaster.world.add_task(name="Isolate host y")["id"]
        ts = await environment.card("task", task)
        commands = [f"/task comment {task} word {number}" for number in range(20)]
        await asyncio.gather(*(slack.command(ALICE, SOC, each) for each in commands))
        await environment.replies(ts, 20)
        last = secmaster.world.tasks[task]["comments"][-1]["message"].partition("\n")[0]
        await slack.until(lambda: last in text_of(environment, ts, SOC))
        drawn = [call for call in slack.calls if call.method == "chat.update"]
        assert 1 <= len(drawn) <= 8


async def card_text(environment: BotEnvironment, run: dict[str, Any]) -> str:
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    return json.dumps(environment.message(ts, channel=ONCALL), ensure_ascii=False).replace(
        '\\"', '"'
    )


async def retried(environment: BotEnvironment, run: dict[str, Any], who: str) -> str:
    """Press Retry on a run's card and wait for the word; returns the card's ts."""
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    await environment.slack.press(who, ONCALL, ts, "instance.retry")
    assert "*Retry started by" in (await environment.replies(ts, channel=ONCALL))[-1]
    return ts


async def three(environment: BotEnvironment) -> tuple[list[dict[str, Any]], str]:
    """Three failures of one workflow, on one card."""
    runs = [await add_failure(environment, number=number) for number in range(1, 4)]
    summary = "3 of 3 runs"
    ts = await environment.slack.until(
        lambda: next((m["ts"] for m in cards(environment) if summary in m["text"]), "")
    )
    return runs, ts


async def press(
    environment: BotEnvironment, ts: str, run: dict[str, Any], who: str, count: int
) -> str:
    """Press a run's own Retry on a card of several; returns the so many-th reply."""
    place = row(environment, ts, run)
    await environment.slack.press(who, ONCALL, ts, "instance.retry", block_id=place)
    return (await environment.replies(ts, count, channel=ONCALL))[count - 1]


def row(environment: BotEnvironment, ts: str, run: dict[str, Any]) -> str:
    """The block of a run's own buttons."""
    for block in environment.message(ts, channel=ONCALL)["blocks"]:
        for element in block.get("elements", []):
            if element.get("action_id") == "instance.retry" and run["id"] in element["value"]:
                return str(block["block_id"])
    raise AssertionError(f"no button for {run['name']}")


def confirmation(environment: BotEnvironment, ts: str, run: dict[str, Any]) -> str:
    [block] = [
        each
        for each in environment.message(ts, channel=ONCALL)["blocks"]
        if each["block_id"] == row(environment, ts, run)
    ]
    [button] = [each for each in block["elements"] if each.get("action_id") == "instance.retry"]
    return str(button["confirm"]["text"]["text"])


def cards(environment: BotEnvironment) -> list[dict[str, Any]]:
    return [
        m
        for m in environment.slack.messages(ONCALL)
        if "Enrich alert" in m["text"] or "Run" in m["text"]
    ]


def text_of(environment: BotEnvironment, ts: str, channel: str = ONCALL) -> str:
    return json.dumps(environment.message(ts, channel=channel), ensure_ascii=False)


def advance(environment: BotEnvironment, run: dict[str, Any], steps: int) -> None:
    for _ in range(steps):
        environment.secmaster.world.advance(run["id"])


def content(environment: BotEnvironment, file: dict[str, Any]) -> str:
    return environment.slack.files.for_app(file["id"]).content.decode()


async def a_task(environment: BotEnvironment, **fields: Any) -> str:
    await first_poll_finished(environment)
    task = environment.secmaster.world.add_task(name="Isolate host x", **fields)
    return await environment.slack.until(lambda: card_of(environment, SOC, task["name"]))


def ref_of(environment: BotEnvironment, ts: str) -> Ref:
    ref = Ref.parse(environment.message(ts)["metadata"]["event_payload"]["ref"])
    assert ref
    return ref
