"""On call: what failed, who tried it again and how that ended; and the brake on retries."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox
from bot.sandbox.secmaster.arrivals import THROTTLED, TRACEBACK, WORKFLOWS
from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.wire import node_record, stamp
from bot.sandbox.slack import SlackSandbox
from tests.stories.test_arrivals import ROUTES, began, card_of
from tests.town import (
    ALICE,
    CAROL,
    DAVE,
    ONCALL,
    QUICK,
    SOC,
    Hands,
    Town,
    both_databases,
    policy,
    settings_for,
)

EVERA = Person("console-evera", "Evera")
RULES = POLICY.replace('usergroups = ["S0ONCALL"]', f'users = ["{CAROL}", "{DAVE}"]') + ROUTES
BRAKED = RULES + '\n[brake]\nretries = 2\nwithin = "15m"\n'
WHY = "This workflow was retried at least 2 times within 15 min, so a second person is asked for."
braked = pytest.mark.parametrize("rules", [BRAKED], ids=["braked"], indirect=True)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", RULES))


@pytest.fixture
async def secmaster(hands: Hands) -> AsyncIterator[SecMasterSandbox]:
    """One in which a run takes its next step when a story says so."""
    sandbox = SecMasterSandbox(pace=3600, clock=hands.now)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def test_a_failure_comes_with_where_how_and_what_the_node_was_given(town: Town):
    run = await failed(town, given='{"ip": "203.0.113.9"}', said='{"verdict": "unknown"}')
    shown = await card_text(town, run)
    for part in ("*Failed at* Respond", "throttling threshold", "203.0.113.9", "unknown"):
        assert part in shown
    assert "*Retries*\\n0" in shown
    ts = card_of(town, ONCALL, run["name"])
    assert "Failed at Respond: APIGW.0308" in confirmation(town, ts, run)
    assert town.slack.thread(ONCALL, ts)[1:] == []


async def test_the_card_says_how_often_it_was_tried_and_by_whom_last(town: Town):
    run = await failed(town, relapse=THROTTLED)
    ts = await retried(town, run, CAROL)
    advance(town, run, 2)
    said = f"Retry started by <@{CAROL}> from Slack"
    await town.slack.until(lambda: said in text_of(town, ts) and "🔴 Failed" in text_of(town, ts))
    assert "*Retries*\\n1" in text_of(town, ts)


@both_databases
async def test_what_no_card_has_room_for_is_one_file_in_its_thread_also_after_a_restart(
    town: Town, database_url: str
):
    run = await failed(town, error=TRACEBACK, said="y" * 3000)
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    [share] = await town.slack.until(lambda: town.slack.thread(ONCALL, ts)[1:])
    [file] = share["files"]
    assert file["title"].endswith("-0.txt")
    assert f"Error\n=====\n{TRACEBACK}\n\n" in content(town, file)
    assert f"Output\n======\n{'y' * 3000}\n" in content(town, file)
    async with again(town, database_url) as anew:
        other = await failed(anew, workflow=1)
        await town.slack.until(lambda: card_of(town, ONCALL, other["name"]))
        assert len(town.slack.thread(ONCALL, ts)) == 2


async def test_after_a_crash_in_the_middle_of_a_card_there_is_one_with_its_file(
    town: Town, database_url: str
):
    await began(town)
    posting = Fault(on="chat.postMessage", hold=True, applied=True)
    await town.slack.faults.set(posting)
    run = await failed(town, error=TRACEBACK)
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    await town.slack.faults.until_held("chat.postMessage")
    await town.app.__aexit__()
    await town.slack.faults.clear()
    async with again(town, database_url):
        town.hands.forward(minutes=2)
        [share] = await town.slack.until(lambda: town.slack.thread(ONCALL, ts)[1:])
        assert share["files"]
    assert [m["ts"] for m in town.slack.messages(ONCALL) if m["text"].startswith("Run")] == [ts]


async def test_of_a_run_that_is_gone_no_file_is_posted_and_nothing_waits_behind_it(town: Town):
    run = await failed(town, error=TRACEBACK)
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    town.secmaster.world.delete_instance(run["id"])
    other = await failed(town, workflow=1)
    await town.slack.until(lambda: card_of(town, ONCALL, other["name"]))
    assert town.slack.thread(ONCALL, ts)[1:] == []


@both_databases
async def test_failures_of_one_workflow_are_one_card_and_each_has_its_own_retry(town: Town):
    runs, ts = await three(town)
    assert len(cards(town)) == 1
    for number, run in enumerate(runs, 1):
        await town.slack.press(CAROL, ONCALL, ts, "instance.retry", block_id=row(town, ts, run))
        await town.replies(ts, 2 * number - 1, channel=ONCALL)
        advance(town, run, 2)
        ended = (await town.replies(ts, 2 * number, channel=ONCALL))[-1]
        assert f"✅ *The retry finished* after 0 min: {run['name']}." in ended
        left = f"{3 - number} of 3 runs that failed still are" if number < 3 else "None is failed"
        await town.slack.until(lambda left=left: left in text_of(town, ts))
    assert town.buttons(ts, channel=ONCALL) == []
    assert len(cards(town)) == 1


async def test_what_fails_once_the_time_to_gather_is_over_gets_a_card_of_its_own(town: Town):
    _runs, ts = await three(town)
    town.hands.forward(minutes=61)
    run = await failed(town, number=4)
    other = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    assert other != ts
    assert len(cards(town)) == 2


async def test_where_the_gathering_card_was_deleted_a_failure_gets_its_own(town: Town):
    _runs, ts = await three(town)
    town.slack.workspace.delete(ONCALL, town.slack.workspace.message(ONCALL, ts))
    run = await failed(town, number=4)
    await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))


async def test_several_is_about_the_failures_of_this_workflow(town: Town):
    runs, ts = await three(town)
    other = await failed(town, number=9, workflow=1)
    await town.slack.press(CAROL, ONCALL, ts, "several")
    names = [run["name"] for run in runs]
    form = await town.slack.until(
        lambda: [v for v in town.slack.views(CAROL) if names[0] in json.dumps(v)]
    )
    shown = json.dumps(form)
    assert all(name in shown for name in names)
    assert other["name"] not in shown


async def test_the_thread_is_told_that_a_retry_failed_again_and_why(town: Town):
    run = await failed(town, relapse="the firewall said no")
    ts = await retried(town, run, CAROL)
    advance(town, run, 2)
    said = (await town.replies(ts, 2, channel=ONCALL))[-1]
    assert said.startswith(f"<@{CAROL}> 🔴 *The retry failed again* at Respond")
    assert "the firewall said no" in said


@both_databases
async def test_the_thread_is_told_of_an_end_that_came_while_the_bot_was_down(
    town: Town, database_url: str
):
    run = await failed(town)
    ts = await retried(town, run, CAROL)
    await town.app.__aexit__()
    advance(town, run, 2)
    async with again(town, database_url) as anew:
        said = (await anew.replies(ts, 2, channel=ONCALL))[-1]
        assert "✅ *The retry finished*" in said
        await anew.rounds()
        assert len(town.slack.thread(ONCALL, ts)) == 3


async def test_the_thread_is_told_of_a_retried_run_that_the_console_terminated(town: Town):
    run = await failed(town)
    ts = await retried(town, run, CAROL)
    advance(town, run, 1)
    stop = {"command_type": "ActionInstanceTerminateCommand"}
    town.secmaster.world.update_instance(run["id"], stop, EVERA)
    advance(town, run, 1)
    said = (await town.replies(ts, 2, channel=ONCALL))[-1]
    assert "The retry ended after 0 min, ⛔ Terminated" in said


@pytest.mark.parametrize("counted", [False, True], ids=["as before", "counted already"])
async def test_a_failure_that_stands_for_a_moment_after_the_retry_is_not_its_end(
    town: Town, *, counted: bool
):
    run = await failed(town)
    stood = {key: run[key] for key in ("status", "end_time", "retry_count")}
    await town.secmaster.faults.set(Fault(on="UpdateWorkflowInstance", hold=True, applied=True))
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    await town.slack.press(CAROL, ONCALL, ts, "instance.retry")
    await town.secmaster.faults.until_held("UpdateWorkflowInstance")
    after = dict(run)
    run |= stood | ({"retry_count": 1} if counted else {})
    await town.secmaster.faults.clear()
    await town.replies(ts, 1, channel=ONCALL)
    await town.rounds()
    assert len(town.slack.thread(ONCALL, ts)) == 2
    run |= after
    advance(town, run, 2)
    assert "✅ *The retry finished*" in (await town.replies(ts, 2, channel=ONCALL))[-1]


async def test_a_failure_that_stays_though_the_retry_was_counted_is_told(town: Town):
    run = await failed(town)
    ended = run["end_time"]
    ts = await retried(town, run, CAROL)
    run |= {"status": "FAILED", "end_time": ended}
    town.hands.forward(minutes=2)
    assert "*The retry failed again*" in (await town.replies(ts, 2, channel=ONCALL))[-1]


async def test_a_run_that_is_retried_in_the_console_is_followed_to_its_end(town: Town):
    run = await failed(town)
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    retry = {"command_type": "ActionInstanceRetryCommand"}
    town.secmaster.world.update_instance(run["id"], retry, EVERA)
    await town.slack.until(lambda: "Retrying" in text_of(town, ts))
    advance(town, run, 2)
    await town.slack.until(lambda: "Finished" in text_of(town, ts))
    assert town.buttons(ts, channel=ONCALL) == []
    assert town.slack.thread(ONCALL, ts)[1:] == []


async def test_the_end_of_a_retry_is_told_though_some_tasks_can_not_be_read(town: Town):
    run = await failed(town)
    tasks = [town.secmaster.world.add_task(name=f"Odd {number}") for number in range(3)]
    for task in tasks:
        await town.slack.until(lambda task=task: card_of(town, SOC, task["name"]))
    ts = await retried(town, run, CAROL)
    await town.secmaster.faults.set(Fault(on="ShowTask", status=503))
    for task in tasks:
        comment = {"action": "ADD_COMMENT", "comment": "look again"}
        town.secmaster.world.update_task(task["id"], comment, EVERA)
    await town.secmaster.until(lambda: town.app.services.store.poll_statuses.get("main").failure)
    advance(town, run, 2)
    town.hands.forward(minutes=6)
    assert "*The retry finished*" in (await town.replies(ts, 2, channel=ONCALL))[-1]


# The brake.


@both_databases
@braked
async def test_one_retry_too_many_waits_for_a_second_person_and_says_why(town: Town):
    runs, ts = await three(town)
    await press(town, ts, runs[0], CAROL, 1)
    await press(town, ts, runs[1], CAROL, 2)
    said = await press(town, ts, runs[2], CAROL, 3)
    assert "*1 of 2 said yes* to the retry" in said
    assert WHY in said
    await town.slack.until(lambda: WHY in text_of(town, ts))
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 2
    said = await press(town, ts, runs[2], DAVE, 4)
    assert f"*Retry started* by <@{DAVE}>, with <@{CAROL}>" in said
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 3


@braked
async def test_the_brake_is_for_one_workflow_and_for_its_time(town: Town):
    runs, ts = await three(town)
    other = await failed(town, number=9, workflow=1)
    await press(town, ts, runs[0], CAROL, 1)
    await press(town, ts, runs[1], CAROL, 2)
    await retried(town, other, CAROL)
    town.hands.forward(minutes=16)
    await town.slack.until(lambda: town.buttons(ts, channel=ONCALL))
    assert "*Retry started*" in await press(town, ts, runs[2], CAROL, 3)
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 4


@both_databases
@pytest.mark.parametrize(
    "rules", [BRAKED.replace("retries = 2", "retries = 1")], ids=["one"], indirect=True
)
async def test_of_two_retries_at_once_the_brake_lets_one_through(town: Town):
    runs, ts = await three(town)
    places = [row(town, ts, run) for run in runs[:2]]
    await asyncio.gather(
        town.slack.press(CAROL, ONCALL, ts, "instance.retry", block_id=places[0]),
        town.slack.press(DAVE, ONCALL, ts, "instance.retry", block_id=places[1]),
    )
    said = await town.replies(ts, 2, channel=ONCALL)
    assert sorted("*Retry started*" in each for each in said) == [False, True]
    assert any("retried at least once within 15 min" in each for each in said)
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 1


@braked
async def test_a_yes_that_is_taken_back_is_no_retry_to_be_followed(town: Town):
    runs, ts = await three(town)
    await press(town, ts, runs[0], CAROL, 1)
    await press(town, ts, runs[1], CAROL, 2)
    await press(town, ts, runs[2], CAROL, 3)
    await town.slack.until(lambda: "withdraw" in town.buttons(ts, channel=ONCALL))
    await town.slack.press(CAROL, ONCALL, ts, "withdraw")
    await town.replies(ts, 4, channel=ONCALL)
    followed = {each.operation.ref.id for each in town.app.services.store.followed_retries.all(10)}
    assert followed == {runs[0]["id"], runs[1]["id"]}


@braked
async def test_what_names_no_workflow_is_not_braked_with_others_that_name_none(town: Town):
    await began(town)
    for number in range(3):
        run = await failed(town, number=number, workflow=None)
        ts = await town.slack.until(lambda run=run: card_of(town, ONCALL, run["name"]))
        await town.slack.press(CAROL, ONCALL, ts, "instance.retry")
        assert "*Retry started*" in (await town.replies(ts, channel=ONCALL))[-1]


# Cards stay true.


async def test_a_card_says_that_its_task_was_deleted(town: Town):
    ts = await a_task(town)
    town.secmaster.world.delete_task(ref_of(town, ts).id)
    await town.slack.until(lambda: "no longer exists in SecMaster" in text_of(town, ts, SOC))
    assert town.buttons(ts) == []


async def test_a_card_says_that_its_task_was_decided_in_the_console(town: Town):
    ts = await a_task(town)
    town.secmaster.world.update_task(ref_of(town, ts).id, {"action": "CONTINUE"}, EVERA)
    await town.slack.until(lambda: "Decided outside Slack by Evera" in text_of(town, ts, SOC))
    assert town.buttons(ts) == []


async def test_a_card_says_that_its_task_ended_by_itself(town: Town):
    due = stamp(town.hands.now() + timedelta(hours=2))
    ts = await a_task(town, due_date=due, due_handle="CONTINUE")
    town.hands.forward(hours=2, minutes=1)
    assert ref_of(town, ts).id in town.secmaster.tick()
    await town.slack.until(lambda: not town.buttons(ts))
    assert "Decided outside Slack by system" in text_of(town, ts, SOC)


async def test_many_comments_at_once_are_few_drawings_and_the_last_is_drawn(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str
):
    settings = settings_for(slack, secmaster, database_url)
    async with App(settings, policy(), replace(QUICK, render_interval=1)) as app:
        slack.request_url = f"{app.url}/slack/events"
        town = Town(slack, secmaster, app)
        task = secmaster.world.add_task(name="Isolate host y")["id"]
        ts = await town.card("task", task)
        said = [f"/task comment {task} word {number}" for number in range(20)]
        await asyncio.gather(*(slack.command(ALICE, SOC, each) for each in said))
        await town.replies(ts, 20)
        last = secmaster.world.tasks[task]["comments"][-1]["message"].partition("\n")[0]
        await slack.until(lambda: last in text_of(town, ts, SOC))
        drawn = [call for call in slack.calls if call.method == "chat.update"]
        assert 1 <= len(drawn) <= 8


async def failed(
    town: Town,
    *,
    number: int = 0,
    workflow: int | None = 0,
    error: str = THROTTLED,
    relapse: str = "",
    given: str = "[]",
    said: str = "",
) -> dict[str, Any]:
    """Let a run of a workflow fail; where that is the first of it, wait for its card."""
    await began(town)
    now = stamp(town.secmaster.world.clock())
    node = node_record(
        f"node-{number}",
        "Respond",
        status="FAILED",
        error_msg=error,
        start_time=now,
        end_time=now,
        input=given,
        output=said,
    )
    which = {} if workflow is None else {"workflow": dict(WORKFLOWS[workflow])}
    return town.secmaster.world.add_instance(
        Script(relapse=relapse),
        name=f"Run {number} of {workflow}",
        status="FAILED",
        end_time=now,
        topology={"audit_logs": [node]},
        **which,
    )


async def card_text(town: Town, run: dict[str, Any]) -> str:
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    return json.dumps(town.message(ts, channel=ONCALL), ensure_ascii=False).replace('\\"', '"')


async def retried(town: Town, run: dict[str, Any], who: str) -> str:
    """Press Retry on a run's card and wait for the word; returns the card's ts."""
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    await town.slack.press(who, ONCALL, ts, "instance.retry")
    assert "*Retry started*" in (await town.replies(ts, channel=ONCALL))[-1]
    return ts


async def three(town: Town) -> tuple[list[dict[str, Any]], str]:
    """Three failures of one workflow, on one card."""
    runs = [await failed(town, number=number) for number in range(1, 4)]
    shown = "3 of 3 runs that failed still are"
    ts = await town.slack.until(
        lambda: next((m["ts"] for m in cards(town) if shown in m["text"]), "")
    )
    return runs, ts


async def press(town: Town, ts: str, run: dict[str, Any], who: str, count: int) -> str:
    """Press a run's own Retry on a card of several; returns the so many-th reply."""
    place = row(town, ts, run)
    await town.slack.press(who, ONCALL, ts, "instance.retry", block_id=place)
    return (await town.replies(ts, count, channel=ONCALL))[count - 1]


def row(town: Town, ts: str, run: dict[str, Any]) -> str:
    """The block of a run's own buttons."""
    for block in town.message(ts, channel=ONCALL)["blocks"]:
        for element in block.get("elements", []):
            if element.get("action_id") == "instance.retry" and run["id"] in element["value"]:
                return str(block["block_id"])
    raise AssertionError(f"no button for {run['name']}")


def confirmation(town: Town, ts: str, run: dict[str, Any]) -> str:
    [block] = [
        each
        for each in town.message(ts, channel=ONCALL)["blocks"]
        if each["block_id"] == row(town, ts, run)
    ]
    [button] = [each for each in block["elements"] if each.get("action_id") == "instance.retry"]
    return str(button["confirm"]["text"]["text"])


def cards(town: Town) -> list[dict[str, Any]]:
    return [
        m for m in town.slack.messages(ONCALL) if "Enrich alert" in m["text"] or "Run" in m["text"]
    ]


def text_of(town: Town, ts: str, channel: str = ONCALL) -> str:
    return json.dumps(town.message(ts, channel=channel), ensure_ascii=False)


def advance(town: Town, run: dict[str, Any], steps: int) -> None:
    for _ in range(steps):
        town.secmaster.world.advance(run["id"])


def content(town: Town, file: dict[str, Any]) -> str:
    return town.slack.files.for_app(file["id"]).content.decode()


async def a_task(town: Town, **fields: Any) -> str:
    await began(town)
    task = town.secmaster.world.add_task(name="Isolate host x", **fields)
    return await town.slack.until(lambda: card_of(town, SOC, task["name"]))


def ref_of(town: Town, ts: str) -> Ref:
    ref = Ref.parse(town.message(ts)["metadata"]["event_payload"]["ref"])
    assert ref
    return ref


@asynccontextmanager
async def again(town: Town, database_url: str, rules: str = RULES) -> AsyncIterator[Town]:
    """The same town after the bot was stopped, if it was not yet, and started anew."""
    await town.app.__aexit__()
    # The flows leave the loop with threads of theirs, which have ended; a process would be new.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    settings = settings_for(town.slack, town.secmaster, database_url)
    async with App(settings, policy(rules), QUICK, town.hands) as app:
        town.slack.request_url = f"{app.url}/slack/events"
        yield Town(town.slack, town.secmaster, app, town.hands)
