"""Waiting tasks whose due date passes: they end by themselves as their ``due_handle`` says."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.sandbox.secmaster.wire import stamp
from bot.sandbox.secmaster.world import World
from tests.support.secmaster_caller import Caller

LIN = Person("user-lin", "Lin Yue")
HOUR = timedelta(hours=1)


class Clock:
    """Real time, plus whatever a test lets pass."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.passed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def secmaster(clock: Clock) -> AsyncIterator[SecMasterSandbox]:
    sandbox = SecMasterSandbox(clock=clock, pace=0)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def world(secmaster: SecMasterSandbox) -> World:
    return secmaster.world


async def test_a_task_that_continues_by_itself_is_finished_and_its_run_goes_on(
    secmaster: SecMasterSandbox, world: World, clock: Clock
) -> None:
    task = due(world, "CONTINUE", name="Block IP")
    clock.passed += 2 * HOUR
    assert task["id"] in secmaster.tick()
    assert (task["status"], task["approver"], task["modifier_name"]) == ("finished", "", "system")
    assert happened(world, task["id"]) == [
        ("created", "system"),
        ("continued by itself at its due date", ""),
    ]
    run = world.instance(task["action_instance_id"])
    await secmaster.until(lambda: run["status"] == "FINISHED")
    assert [what for what, _ in happened(world, run["id"])][1:] == ["reached Block IP", "finished"]


async def test_a_task_that_is_interrupted_by_itself_is_canceled_and_its_run_stops(
    secmaster: SecMasterSandbox, world: World, clock: Clock
) -> None:
    task = due(world, "INTERRUPT")
    clock.passed += 2 * HOUR
    secmaster.tick()
    assert (task["status"], task["approver"], task["modifier_name"]) == ("canceled", "", "system")
    assert happened(world, task["id"])[-1] == ("interrupted by itself at its due date", "")
    assert world.instance(task["action_instance_id"])["status"] == "TERMINATED"
    assert task["update_time"] > task["due_date"]


async def test_nothing_ends_before_its_time_nor_without_a_due_handle(
    secmaster: SecMasterSandbox, world: World, clock: Clock
) -> None:
    later, without = due(world, "CONTINUE", hours=3), due(world, "")
    clock.passed += 2 * HOUR
    ended = secmaster.tick()
    assert (later["status"], without["status"]) == ("waiting", "waiting")
    clock.passed += 2 * HOUR
    assert secmaster.tick() == [later["id"]]
    assert without["status"] == "waiting"
    assert later["id"] not in ended


async def test_a_task_that_was_overdue_when_it_came_goes_on_waiting(
    secmaster: SecMasterSandbox, world: World, clock: Clock
) -> None:
    late = due(world, "INTERRUPT", hours=-1)
    clock.passed += 400 * HOUR
    ended = secmaster.tick()
    assert late["status"] == "waiting"
    assert world.task(seed.TASK_CHINESE)["status"] == "waiting"
    assert set(ended) == {
        seed.TASK_ISOLATE,
        seed.TASK_BLOCK_IP,
        seed.TASK_DISABLE_USER,
        seed.TASK_PLAYBOOK,
        seed.TASK_PUBLISH_WORKFLOW_SOON,
    }


async def test_a_decision_before_the_due_date_stands(
    secmaster: SecMasterSandbox, world: World, clock: Clock
) -> None:
    decided, deleted = due(world, "INTERRUPT"), due(world, "INTERRUPT")
    world.update_task(decided["id"], {"action": "CONTINUE"}, LIN)
    world.delete_task(deleted["id"])
    clock.passed += 2 * HOUR
    secmaster.tick()
    assert (decided["status"], decided["approver"]) == ("finished", "Lin Yue")
    assert happened(world, decided["id"])[-1] == ("continued", "Lin Yue")


async def test_what_was_due_ends_once_as_one_change(
    secmaster: SecMasterSandbox, world: World, clock: Clock
) -> None:
    for handle in ("CONTINUE", "INTERRUPT", "CONTINUE"):
        due(world, handle)
    clock.passed += 2 * HOUR
    before = world.changes
    assert len(secmaster.tick()) == 3 + 3  # three seeded tasks are due by then as well
    assert world.changes == before + 1
    assert secmaster.tick() == []
    assert world.changes == before + 1


async def test_a_timer_ends_what_is_due_in_real_time(
    secmaster: SecMasterSandbox, world: World
) -> None:
    later = due(world, "CONTINUE", hours=5)
    soon = due(world, "INTERRUPT", seconds=0.05)
    await secmaster.until(lambda: soon["status"] == "canceled")
    assert later["status"] == "waiting"


async def test_any_change_lets_the_timer_see_a_clock_that_was_set_forward(
    secmaster: SecMasterSandbox, world: World, clock: Clock
) -> None:
    task = due(world, "CONTINUE")
    clock.passed += 2 * HOUR
    assert task["status"] == "waiting"
    world.add_instance(name="Something else")
    await secmaster.until(lambda: task["status"] == "finished")


async def test_a_stopped_sandbox_ends_nothing_and_one_that_starts_again_catches_up(
    clock: Clock,
) -> None:
    sandbox = SecMasterSandbox(clock=clock, pace=0)
    task = due(sandbox.world, "CONTINUE")
    await sandbox.start()
    await sandbox.stop()
    clock.passed += 2 * HOUR
    sandbox.world.add_instance(name="Something else")
    assert task["status"] == "waiting"
    await sandbox.start()
    await sandbox.until(lambda: task["status"] == "finished")
    await sandbox.stop()


async def test_a_due_date_that_is_no_time_is_never_reached(
    secmaster: SecMasterSandbox, clock: Clock
) -> None:
    async with httpx.AsyncClient(base_url=secmaster.url) as http:
        made = await Caller(http).control("tasks", due_date="some day", due_handle="CONTINUE")
    clock.passed += 1000 * HOUR
    assert made.json()["id"] not in secmaster.tick()


def due(
    world: World, handle: str, *, hours: float = 1, seconds: float = 0, **fields: Any
) -> dict[str, Any]:
    at = world.clock() + timedelta(hours=0 if seconds else hours, seconds=seconds)
    return world.add_task(due_handle=handle, due_date=stamp(at), **{"name": "Look", **fields})


def happened(world: World, id_: str) -> list[tuple[str, str]]:
    return [(event.what, event.by) for event in world.history.events[id_]]
