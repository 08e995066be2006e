"""Ten thousand tasks at once, their lists, and objects that are deleted."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from bot.sandbox.secmaster import Person, SecMasterSandbox, World, seed
from bot.sandbox.secmaster.listing import Listing
from bot.sandbox.secmaster.server import utc_now
from tests.support.secmaster_caller import SOC, Caller

LIN = Person("user-lin", "Lin Yue")
MANY, FAILURES = 10_000, 1_000


@pytest.fixture
async def http(secmaster: SecMasterSandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-Auth-Token": "demo-token"}
    async with httpx.AsyncClient(base_url=secmaster.url, headers=headers, timeout=5) as http:
        yield http


@pytest.fixture
def caller(http: httpx.AsyncClient) -> Caller:
    return Caller(http)


# Many at once


def test_many_arrive_as_one_change_with_names_of_their_own() -> None:
    changes = []
    world = World(
        clock=utc_now, project_id="p", workspace_id="w", changed=lambda: changes.append("changed")
    )
    world.add_many(MANY, FAILURES)
    assert changes == ["changed"]
    waiting = [one for one in world.tasks.values() if one["status"] == "waiting"]
    assert len({task["name"] for task in waiting}) == len(waiting) == MANY
    assert {task["due_handle"] for task in waiting} == {"CONTINUE", "INTERRUPT"}
    assert all(world.instance(task["action_instance_id"]) for task in waiting)


def test_many_failures_share_twenty_workflows() -> None:
    world = SecMasterSandbox().world
    before = set(world.instances)
    world.add_many(0, FAILURES)
    failed = [one for id_, one in world.instances.items() if id_ not in before]
    assert {one["status"] for one in failed} == {"FAILED"}
    assert len({one["name"] for one in failed}) == FAILURES
    by_workflow = Counter((one["workflow"]["id"], one["workflow"]["name"]) for one in failed)
    assert list(by_workflow.values()) == [50] * 20
    assert len({name for _, name in by_workflow}) == 20


async def test_a_burst_is_let_loose_over_http(caller: Caller) -> None:
    answer = await caller.control("arrivals", tasks=30, failures=3)
    assert (answer.status_code, answer.json()) == (201, {"tasks": 30, "failures": 3})
    assert (await caller.tasks(limit=1)).json()["total"] == 12 + 30
    assert (await caller.instances(status="FAILED", limit=1)).json()["count"] == 3 + 3
    assert (await caller.control("arrivals", tasks=-1)).status_code == 400
    assert (await caller.control("arrivals", tasks=10**6)).status_code == 400


# Their lists


async def test_every_task_is_on_one_page_and_the_pages_are_found_once(
    secmaster: SecMasterSandbox, caller: Caller
) -> None:
    secmaster.world.add_many(950, 0)
    pages = [(await caller.tasks(limit=100, offset=at)).json() for at in range(0, 1000, 100)]
    ids = [task["id"] for page in pages for task in page["data"]]
    assert len(ids) == len(set(ids)) == 962
    assert {page["total"] for page in pages} == {962}


def test_a_list_is_kept_until_something_changes() -> None:
    world = SecMasterSandbox().world
    listing = Listing(world)
    for offset in ("0", "3", "6"):
        listing.tasks({"limit": "3", "offset": offset})
    listing.tasks({"name": "Isolate"})
    assert len(listing.cache) == 2
    cached = listing.cache["tasks",]
    listing.tasks({"limit": "100"})
    assert listing.cache["tasks",] is cached
    world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, LIN)
    tasks = listing.tasks({"limit": "100"})["data"]
    assert listing.cache["tasks",] is not cached
    assert seed.TASK_ISOLATE not in {task["id"] for task in tasks}


def test_a_record_that_is_taken_away_behind_the_world_is_not_listed() -> None:
    world = SecMasterSandbox().world
    listing = Listing(world)
    assert listing.tasks({})["total"] == 12
    del world.tasks[seed.TASK_ISOLATE]
    assert listing.tasks({})["total"] == 11


def test_no_more_lists_are_kept_than_are_of_use() -> None:
    listing = Listing(SecMasterSandbox().world)
    for number in range(1000):
        listing.tasks({"name": str(number)})
    assert len(listing.cache) <= 64


# Deleting


async def test_a_deleted_task_is_nowhere(
    secmaster: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    gone = await http.delete(f"/_sandbox/tasks/{seed.TASK_ISOLATE}")
    assert (gone.status_code, gone.json()["name"]) == (200, "Isolate host ecs-web-07")
    response = await http.get(f"{SOC}/tasks/{seed.TASK_ISOLATE}")
    assert (response.status_code, response.json()["code"]) == (404, "SecMaster.20010004")
    assert (await caller.update(seed.TASK_ISOLATE, "CONTINUE")).status_code == 404
    listed = (await caller.tasks(limit=100)).json()
    assert (listed["total"], len(listed["data"])) == (11, 11)
    assert seed.TASK_ISOLATE not in str(listed)
    assert secmaster.world.instance(seed.INSTANCE_ISOLATE)["status"] == "RUNNING"
    again = await http.delete(f"/_sandbox/tasks/{seed.TASK_ISOLATE}")
    assert again.status_code == 404


async def test_a_deleted_run_is_nowhere(caller: Caller, http: httpx.AsyncClient) -> None:
    id_ = seed.INSTANCE_FAILED
    gone = await http.delete(f"/_sandbox/instances/{id_}")
    assert (gone.status_code, gone.json()["id"]) == (200, id_)
    assert (await caller.instance(id_)).status_code == 404
    assert (await caller.command(id_, "Retry")).status_code == 404
    listed = (await caller.instances(limit=100)).json()
    assert id_ not in {one["id"] for one in listed["instances"]}
    assert listed["count"] == 13
    assert (await http.delete(f"/_sandbox/instances/{id_}")).status_code == 404
    await http.delete(f"/_sandbox/instances/{seed.INSTANCE_ISOLATE}")
    assert (await caller.update(seed.TASK_ISOLATE, "CONTINUE")).status_code == 200


async def test_a_run_that_is_deleted_on_its_way_takes_no_further_step(
    secmaster: SecMasterSandbox,
) -> None:
    world = secmaster.world
    retry = {"command_type": "ActionInstanceRetryCommand"}
    world.update_instance(seed.INSTANCE_FAILED, retry, LIN)
    world.delete_instance(seed.INSTANCE_FAILED)
    world.update_instance(seed.INSTANCE_FAILED_SCRIPT, retry, LIN)
    await secmaster.until(
        lambda: world.instance(seed.INSTANCE_FAILED_SCRIPT)["status"] == "FINISHED"
    )
    assert seed.INSTANCE_FAILED not in world.moving


# What the console reads


async def test_the_console_is_shown_the_newest_few_and_how_many_there_are(
    secmaster: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    secmaster.world.add_many(500, 250)
    page = await state(http)
    assert (len(page["tasks"]), len(page["instances"])) == (200, 200)
    assert page["found"] == {"task": 515, "instance": 764}
    assert page["counts"]["task"] == {"waiting": 512, "finished": 2, "canceled": 1}
    assert page["counts"]["instance"]["FAILED"] == 253
    created = [one["create_time"] for one in page["tasks"]]
    rest = [one for id_, one in secmaster.world.tasks.items() if id_ not in ids(page["tasks"])]
    assert min(created) >= max(one["create_time"] for one in rest)
    assert set(page["history"]) == ids(page["tasks"]) | ids(page["instances"])


async def test_what_is_looked_for_is_found_among_all(
    secmaster: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    secmaster.world.add_many(500, 250)
    page = await state(http, noun="task", text=" ECS-WEB ")
    assert [one["id"] for one in page["tasks"]] == [seed.TASK_ISOLATE]
    assert page["found"] == {"task": 1, "instance": 764}
    failed = await state(http, noun="instance", status="FAILED", text="alert enrichment")
    assert {one["status"] for one in failed["instances"]} == {"FAILED"}
    assert failed["found"]["instance"] == len(failed["instances"]) > 0
    assert (await http.get("/_sandbox/state?noun=nonsense")).status_code == 400


async def test_what_is_open_is_shown_with_what_belongs_to_it(
    secmaster: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    secmaster.world.add_many(500, 250)
    page = await state(http, open=seed.TASK_ISOLATE)
    assert seed.TASK_ISOLATE not in ids(page["tasks"])
    assert ids(page["near"]["tasks"]) == {seed.TASK_ISOLATE}
    assert ids(page["near"]["instances"]) == {seed.INSTANCE_ISOLATE}
    assert page["history"][seed.TASK_ISOLATE][0]["what"] == "created"
    run = (await state(http, open=seed.INSTANCE_ISOLATE))["near"]
    assert (ids(run["tasks"]), ids(run["instances"])) == (
        {seed.TASK_ISOLATE},
        {seed.INSTANCE_ISOLATE},
    )
    assert (await state(http, open="nothing"))["near"] == {"tasks": [], "instances": []}


async def state(http: httpx.AsyncClient, **query: str | int) -> Any:
    return (await http.get("/_sandbox/state", params=query)).json()


def ids(objects: Iterable[dict[str, Any]]) -> set[str]:
    return {one["id"] for one in objects}
