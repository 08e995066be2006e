"""What a round of the watch asks of SecMaster does not grow with what waits there."""

import pytest

from bot.domain.objects import Ref
from bot.sandbox.secmaster import Person, SecMasterSandbox
from bot.watch.poller import Poller
from tests.town import Town

AT_REST = 2  # one page of either list
CHANGES = 4  # another page of either, what was handled, and the count once more
EVERA = Person("console-evera", "Evera")
few_and_many = pytest.mark.parametrize("tasks", [100, 2_000])


@few_and_many
async def test_a_round_at_rest_asks_for_one_page_of_each_list(town: Town, tasks: int):
    watch = await knowing(town, tasks)
    assert await asked(town, watch) == AT_REST


@few_and_many
async def test_what_comes_and_what_is_decided_costs_a_few_requests_more(town: Town, tasks: int):
    watch = await knowing(town, tasks)
    world = town.secmaster.world
    for task_id in oldest(town.secmaster, 10):
        world.update_task(task_id, {"action": "TERMINATE"}, EVERA)
    world.add_many(10, 0)
    assert await asked(town, watch) <= AT_REST + CHANGES
    assert open_here(town) == waiting(town.secmaster)
    assert await asked(town, watch) == AT_REST


@few_and_many
async def test_one_deleted_task_is_found_by_one_walk_along_the_list(town: Town, tasks: int):
    watch = await knowing(town, tasks)
    [gone] = oldest(town.secmaster, 1)
    town.secmaster.world.delete_task(gone)
    pages = waiting(town.secmaster) // 100 + 1
    assert await asked(town, watch, rounds=3) <= 3 * AT_REST + CHANGES + pages + 1
    [known] = town.app.services.store.tracked.get([Ref(kind="task", id=gone)])
    assert not known.open
    assert await asked(town, watch) == AT_REST


async def knowing(town: Town, tasks: int) -> Poller:
    """A watch that has come across so many tasks, and is told to make its rounds."""
    town.secmaster.world.add_many(tasks, 0)
    watch = Poller(town.app.services)
    await watch.poll()
    assert open_here(town) == waiting(town.secmaster) >= tasks
    return watch


async def asked(town: Town, watch: Poller, rounds: int = 1) -> int:
    """How many requests so many rounds cost."""
    before = len(town.secmaster.requests)
    for _ in range(rounds):
        await watch.poll()
    return len(town.secmaster.requests) - before


def open_here(town: Town) -> int:
    return town.app.services.store.tracked.count("main", "task")


def waiting(secmaster: SecMasterSandbox) -> int:
    return sum(task["status"] == "waiting" for task in secmaster.world.tasks.values())


def oldest(secmaster: SecMasterSandbox, count: int) -> list[str]:
    open_ = [each for each in secmaster.world.tasks.values() if each["status"] == "waiting"]
    open_.sort(key=lambda each: each["create_time"])
    return [each["id"] for each in open_[:count]]
