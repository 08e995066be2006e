"""The database fails in the middle of an operation: it ends in one write, told once."""

import asyncio
from contextlib import suppress

import pytest

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.database_faults import Fault as DatabaseFault
from tests.support.database_faults import broken, each_fault
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)


def decided(environment: BotEnvironment) -> int:
    return len(environment.secmaster.writes("UpdateTask", TASK.id))


async def told_once(environment: BotEnvironment, ts: str) -> None:
    """Wait until the card is drawn anew: there is one reply then, and one write."""
    [reply] = await environment.replies(ts)
    assert f"*Approved* by <@{ALICE}>" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(await environment.replies(ts)) == 1
    assert decided(environment) == 1
    entries = environment.app.services.store.audit.entries(TASK)
    assert [entry["outcome"] for entry in entries] == ["allowed", "done"]


@each_fault
@pytest.mark.parametrize("endpoint", ["ShowTask", "UpdateTask", "chat.postMessage"])
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
