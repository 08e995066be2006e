"""What a round of the watch asks of SecMaster does not grow with what waits there."""

import pytest

from bot.domain.objects import Ref
from bot.sandbox.secmaster import SecMasterSandbox
from bot.watch.poller import Poller
from tests.support.environment import BotEnvironment
from tests.support.watch import EVERA

AT_REST = 3  # one page of each list: of tasks, and of runs of workflows and of playbooks
CHANGES = 4  # another page of two, what was handled, and the count once more
few_and_many = pytest.mark.parametrize("tasks", [100, 2_000])


@few_and_many
async def test_a_round_at_rest_asks_for_one_page_of_each_list(
    environment: BotEnvironment, tasks: int
) -> None:
    watch = await knowing(environment, tasks)
    assert await requests_of_polls(environment, watch) == AT_REST


@few_and_many
async def test_what_comes_and_what_is_decided_costs_a_few_requests_more(
    environment: BotEnvironment, tasks: int
) -> None:
    watch = await knowing(environment, tasks)
    world = environment.secmaster.world
    for task_id in oldest(environment.secmaster, 10):
        world.update_task(task_id, {"action": "TERMINATE"}, EVERA)
    world.add_many(10, 0)
    assert await requests_of_polls(environment, watch) <= AT_REST + CHANGES
    assert open_here(environment) == waiting(environment.secmaster)
    assert await requests_of_polls(environment, watch) == AT_REST


@few_and_many
async def test_one_deleted_task_is_found_by_one_walk_along_the_list(
    environment: BotEnvironment, tasks: int
) -> None:
    watch = await knowing(environment, tasks)
    [gone] = oldest(environment.secmaster, 1)
    environment.secmaster.world.delete_task(gone)
    pages = waiting(environment.secmaster) // 100 + 1
    assert (
        await requests_of_polls(environment, watch, rounds=3) <= 3 * AT_REST + CHANGES + pages + 1
    )
    [tracked] = environment.app.services.store.tracked.get([Ref(kind="task", id=gone)])
    assert not tracked.open
    assert await requests_of_polls(environment, watch) == AT_REST


async def knowing(environment: BotEnvironment, tasks: int) -> Poller:
    """A watch that has come across so many tasks, and is told to make its rounds."""
    environment.secmaster.world.add_many(tasks, 0)
    watch = Poller(environment.app.services)
    await watch.poll()
    assert open_here(environment) == waiting(environment.secmaster) >= tasks
    return watch


async def requests_of_polls(environment: BotEnvironment, watch: Poller, rounds: int = 1) -> int:
    """How many requests so many rounds cost."""
    before = len(environment.secmaster.requests)
    for _ in range(rounds):
        await watch.poll()
    return len(environment.secmaster.requests) - before


def open_here(environment: BotEnvironment) -> int:
    return environment.app.services.store.tracked.count("main", "task")


def waiting(secmaster: SecMasterSandbox) -> int:
    return sum(task["status"] == "waiting" for task in secmaster.world.tasks.values())


def oldest(secmaster: SecMasterSandbox, count: int) -> list[str]:
    open_ = [each for each in secmaster.world.tasks.values() if each["status"] == "waiting"]
    open_.sort(key=lambda each: each["create_time"])
    return [each["id"] for each in open_[:count]]
