"""The database fails in the middle of an operation: it ends in one write, told once."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.database_faults import Fault as DatabaseFault
from tests.support.database_faults import (
    broken,
    each_fault,
    each_lock,
    end_connections,
    end_waiting_connections,
    postgres_locked,
    sqlite_read_only,
    waits_for_name,
)
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC
from tests.support.timeouts import QUICK_TIMEOUTS

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)


def decided(environment: BotEnvironment) -> int:
    return len(environment.secmaster.writes("UpdateTask", TASK.id))


async def told_once(environment: BotEnvironment, ts: str) -> None:
    """Wait until the card is drawn anew: there is one reply then, and one write."""
    [reply] = await environment.replies(ts)
    assert f"*Approved by <@{ALICE}>" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(await environment.replies(ts)) == 1
    assert decided(environment) == 1
    entries = environment.app.services.store.audit.entries(TASK)
    assert [entry["outcome"] for entry in entries] == ["allowed", "done"]


@each_fault
@pytest.mark.parametrize(
    "endpoint",
    [
        "UpdateTask",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("ShowTask", "chat.postMessage")),
    ],
)
async def test_a_fault_in_the_middle_ends_in_one_write_that_is_told_once(
    environment: BotEnvironment, fault: DatabaseFault, endpoint: str
) -> None:
    ts = await environment.card("task", TASK.id)
    service = environment.slack if endpoint.startswith("chat") else environment.secmaster
    await service.faults.set(Fault(on=endpoint, hold=True, applied=True, times=1))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await service.faults.until_held(endpoint)
    async with broken(fault, environment.app.engine) as met:
        await service.faults.clear()
        with suppress(TimeoutError):  # a full file has room for the last small record
            await asyncio.wait_for(met.wait(), 2)
    await told_once(environment, ts)


@each_fault
async def test_a_click_that_can_not_be_recorded_is_refused_in_words_and_works_afterwards(
    environment: BotEnvironment, fault: DatabaseFault
) -> None:
    ts = await environment.card("task", TASK.id)
    async with broken(fault, environment.app.engine):
        # Longer than a page, since a file that is full may have room for a short one.
        answer = await environment.answer(ALICE, f"/task approve {TASK.id} {'长' * 1000}")
        assert "not recorded and not done" in answer
        environment.clock.forward(seconds=4)  # a write that was possible is good for three
        state = (await environment.app.readiness.parts())["database"]
        assert state != "ok"
        assert "Error" not in state  # said in words
    assert environment.secmaster.writes("UpdateTask", TASK.id) == []
    assert (await environment.app.readiness.parts())["database"] == "ok"
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await told_once(environment, ts)


@pytest.mark.parametrize("timeouts", [replace(QUICK_TIMEOUTS, answer=0.5)], indirect=True, ids=[""])
@each_lock
async def test_a_click_on_a_locked_database_is_answered_in_time_and_its_end_is_told(
    environment: BotEnvironment, fault: DatabaseFault
) -> None:
    ts = await environment.card("task", TASK.id)
    async with broken(fault, environment.app.engine):
        answer = await environment.slack.press(ALICE, SOC, ts, "task.approve")
        assert answer.status == 200
        text = await environment.ephemeral(ALICE, "recorded")
    if "not recorded and not done" in text:  # something else had the only connection to SQLite
        assert decided(environment) == 0
        await environment.slack.press(ALICE, SOC, ts, "task.approve")
    else:
        assert "this is not recorded yet" in text
        await environment.ephemeral(ALICE, "Your request is recorded now.")
    await told_once(environment, ts)


async def test_a_message_that_was_taken_and_can_not_be_recorded_is_told_so_once(
    environment: BotEnvironment,
) -> None:
    slack = environment.slack
    await slack.faults.set(Fault(on="conversations.info", hold=True))
    saying = asyncio.create_task(slack.say(ALICE, SOC, f"@secmaster task comment {TASK.id} seen"))
    await slack.faults.until_held("conversations.info")
    async with broken(sqlite_read_only, environment.app.engine):
        await slack.faults.clear()
        await saying
        await environment.ephemeral(ALICE, "not recorded and not done")
        await environment.app.services.background.drain()
    assert len(slack.ephemerals(ALICE)) == 1
    assert environment.secmaster.writes("UpdateTask", TASK.id) == []


@pytest.mark.parametrize("timeouts", [replace(QUICK_TIMEOUTS, answer=0.5)], indirect=True, ids=[""])
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_click_whose_connection_breaks_in_the_middle_is_recorded_all_the_same(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    async with broken(postgres_locked, environment.app.engine):
        await environment.slack.press(ALICE, SOC, ts, "task.approve")
        await environment.ephemeral(ALICE, "this is not recorded yet")
        assert end_waiting_connections(environment.app.engine) >= 1
    await environment.ephemeral(ALICE, "Your request is recorded now.")
    await told_once(environment, ts)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_bot_whose_name_was_taken_while_the_database_restarted_takes_no_more_work(
    environment: BotEnvironment,
) -> None:
    engine = environment.app.engine
    with waits_for_name(engine, "main"):
        end_connections(engine)
        await environment.app.stopped.wait()
    assert environment.app.lost_name
