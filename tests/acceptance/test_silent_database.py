"""Postgres falls silent behind a relay that is frozen: every click has its answer, all goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.demo_story import POLICY
from bot.runtime.timeouts import DatabaseTimeouts, Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.journal import Received
from bot.sandbox.slack.permits import PATIENCE as SLACK_PATIENCE
from tests.support.database_faults import end_holder, waits_for_name
from tests.support.databases import Databases
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, SOC
from tests.support.process import BotProcess, bot_process, post_card
from tests.support.relay import Relay, relay_to
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import PATIENCE, QUICK_TIMEOUTS

pytestmark = pytest.mark.deadline

DATABASE = DatabaseTimeouts(
    connect=2, statement=2, confirm=0.3, confirm_within=1, held=2, session=3, take_over=10
)
# Both stand-ins and the bot share a core here: the bot's own deadline leaves them more than usual.
QUICK = replace(QUICK_TIMEOUTS, answer=1.5, database=DATABASE)
TASK, COMMENTED = seed.TASK_ISOLATE, seed.TASK_BLOCK_IP
NOT_DONE = ("not recorded and not done",)
OPEN = "not recorded yet"
ENDS = ("is recorded now", "not recorded and not done", "not known whether this was recorded")
WATCHED = POLICY + "[watch]\nevery = 0.2\n"


@pytest.fixture
def direct_url(databases: Databases, tmp_path: Path) -> str:
    return databases.with_tables("postgres", tmp_path)


@pytest.fixture
async def relay(direct_url: str) -> AsyncIterator[Relay]:
    async with relay_to(direct_url) as relay:
        yield relay
        relay.thaw()


@pytest.fixture
def database_url(relay: Relay) -> str:
    return relay.url


@pytest.fixture
def timeouts(request: pytest.FixtureRequest) -> Timeouts:
    return getattr(request, "param", QUICK)


@pytest.mark.slow
async def test_each_of_a_hundred_clicks_is_answered_in_time_with_the_truth_and_work_goes_on(
    environment: BotEnvironment, relay: Relay
) -> None:
    slack, background = environment.slack, environment.app.services.background
    ts = await environment.card("task", TASK)
    slack.workspace.permits.patience = slack.delivery.patience = SLACK_PATIENCE
    slack.ignore_messages()
    relay.freeze()
    presses = [slack.press(ALICE, SOC, ts, "task.approve") for _ in range(50)]
    comments = [
        slack.command(ALICE, SOC, f"/task comment {COMMENTED} number {number}.")
        for number in range(50)
    ]
    answers = await asyncio.gather(*presses, *comments)
    assert [answer.error for answer in answers if answer.error] == []
    bodies = [json.dumps(answer.body) for answer in answers[50:]]
    assert [body for body in bodies if not any(text in body for text in (*NOT_DONE, OPEN))] == []
    assert (await environment.app.readiness.parts())["database"] != "ok"
    relay.thaw()
    await background.drain(30)
    # What was said to be refused is not done later, what was open was told how it ended.
    refused = [n for n, body in enumerate(bodies) if any(text in body for text in NOT_DONE)]
    comments_left = json.dumps([each.body for each in writes(environment, COMMENTED)])
    assert [number for number in refused if f"number {number}." in comments_left] == []
    texts = [message["text"] for message in slack.ephemerals(ALICE)]
    ends = [text for text in texts if any(end in text for end in ENDS)]
    assert len(ends) >= sum(OPEN in text for text in texts)
    await slack.press(ALICE, SOC, ts, "task.approve")
    await slack.until(lambda: not environment.buttons(ts))
    assert len(writes(environment, TASK)) == 1


async def test_an_operation_that_silence_breaks_off_ends_in_one_write_under_the_name_taken_again(
    environment: BotEnvironment, relay: Relay
) -> None:
    ts = await environment.card("task", TASK)
    hold = Fault(on="UpdateTask", hold=True, applied=True, times=1)
    await environment.secmaster.faults.set(hold)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.faults.until_held("UpdateTask")
    relay.freeze()
    holds_name = environment.app.services.holds_name
    await environment.slack.command(BOB, SOC, "/task list")
    await environment.ephemeral(BOB, "database does not respond at the moment")
    await lost(holds_name)
    await environment.secmaster.faults.clear()
    relay.thaw()
    [reply] = await environment.replies(ts)
    assert f"*Approved by <@{ALICE}>" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(writes(environment, TASK)) == 1
    assert holds_name()


@pytest.mark.parametrize("timeouts", [replace(QUICK, sweep=60)], indirect=True, ids=[""])
async def test_nothing_more_is_sent_under_a_name_that_another_process_has_taken(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    await environment.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.faults.until_held("ShowTask")
    with waits_for_name(environment.app.engine, "main"):
        end_holder(environment.app.engine, "main")
        await lost(environment.app.services.holds_name)
        await environment.secmaster.faults.clear()
        await environment.app.stopped.wait()
    assert environment.app.lost_name
    assert writes(environment, TASK) == []


@pytest.mark.parametrize("timeouts", [replace(QUICK, sweep=60)], indirect=True, ids=[""])
async def test_a_write_that_waits_is_not_sent_under_a_name_that_another_process_has_taken(
    environment: BotEnvironment,
) -> None:
    await put_off(environment)
    with waits_for_name(environment.app.engine, "main"):
        end_holder(environment.app.engine, "main")
        await lost(environment.app.services.holds_name)
        await environment.secmaster.faults.clear()
        await environment.app.stopped.wait()
    assert environment.app.lost_name
    assert [request.status for request in retries(environment)] == [429]


async def test_a_write_that_waits_is_broken_off_under_a_name_that_was_lost_and_taken_again(
    environment: BotEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    await put_off(environment)
    name_hold = environment.app.services.name_hold
    before = name_hold()
    end_holder(environment.app.engine, "main")
    async with asyncio.timeout(PATIENCE):
        while name_hold() in {None, before}:  # noqa: ASYNC110 - nothing tells of a lock
            await asyncio.sleep(0.05)
    await environment.secmaster.faults.clear()
    async with asyncio.timeout(PATIENCE):
        while "a workflow is broken off" not in caplog.text:  # noqa: ASYNC110 - nor of the log
            await asyncio.sleep(0.05)
    assert [request.status for request in retries(environment)] == [429]


@pytest.mark.slow
async def test_a_successor_takes_name_and_lead_and_ends_what_its_frozen_predecessor_began_once(
    slack: SlackRecorder, secmaster: SecMasterSandbox, relay: Relay, direct_url: str, tmp_path: Path
) -> None:
    def replica(name: str, url: str, folder: str) -> AbstractAsyncContextManager[BotProcess]:
        (tmp_path / folder).mkdir()
        return bot_process(
            slack, secmaster, url, tmp_path / folder, rules=WATCHED, replica=name, timeouts=QUICK
        )

    slack.ignore_messages()
    async with replica("one", relay.url, "first") as frozen:
        await frozen.log_line("this replica polls now")
        first_url, ts = slack.request_url, await post_card(slack)
        async with replica("two", direct_url, "second") as other:
            slack.request_url = first_url
            await secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True, times=1))
            await slack.press(ALICE, SOC, ts, "task.approve")
            await secmaster.faults.until_held("UpdateTask")
            relay.freeze()
            await other.log_line("this replica polls now")
            async with replica("one", direct_url, "third"):
                await secmaster.faults.clear()
                await slack.until(lambda: "*Approved by" in json.dumps(slack.thread(SOC, ts)))
                relay.thaw()
                await frozen.log_line("another process has taken this replica's name")
                with pytest.raises(AssertionError, match="NameInUse"):
                    await frozen.log_line("nothing more of it")
    assert len(secmaster.writes("UpdateTask", TASK)) == 1
    assert len(slack.thread(SOC, ts)) == 2


async def lost(holds_name: Callable[[], bool]) -> None:
    """Wait until a name is not certain any more."""
    while holds_name():  # noqa: ASYNC110 - nothing tells that a lock is lost
        await asyncio.sleep(0.05)


def writes(environment: BotEnvironment, task: str) -> list[Received]:
    return environment.secmaster.writes("UpdateTask", task)


async def put_off(environment: BotEnvironment) -> None:
    """Retry an instance; SecMaster puts it off, and does not answer when it is read again."""
    faults, instance = environment.secmaster.faults, seed.INSTANCE_FAILED_AGAIN
    environment.slack.ignore_messages()
    await faults.set(Fault(on="UpdateWorkflowInstance", status=429, delay=0.3, times=1))
    await environment.slack.command(CAROL, SOC, f"/instance retry {instance}")
    while faults.listed():  # noqa: ASYNC110 - nothing tells that a fault was met
        await asyncio.sleep(0.02)
    await faults.set(Fault(on="ShowAopWorkflowInstance", hold=True))
    await faults.until_held("ShowAopWorkflowInstance")


def retries(environment: BotEnvironment) -> list[Received]:
    requests = environment.secmaster.requests
    return [request for request in requests if request.endpoint == "UpdateWorkflowInstance"]
