"""New objects whose way depends on what is still to be read: read in time, or routed without it."""

from collections import Counter
from datetime import timedelta

import pytest

from bot.domain.mutes import Mute, mute_key, workflow_name
from bot.domain.objects import Ref
from bot.operations.around import attach_listed
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.services import Services
from bot.store import RequestedChange, RequestedChanges
from bot.watch.list_sync import ListDelta, ListedRow
from bot.watch.poller import record
from bot.watch.routing import LONGEST_WAIT, ROUTED_AT_ONCE, Router, route_again
from tests.support.clock import FakeClock

ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)
ROUTES = """
[[routes]]
name = "fatal"
channel = "C0ONCALL"
tasks = true
when = { severity = ["Fatal", "High"] }

[[routes]]
channel = "C0SOC"
tasks = true
"""


@pytest.fixture
def rules() -> str:
    return ROUTES


async def test_a_poll_reads_nothing_around_what_is_new_and_leaves_it_to_be_routed(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    await arrive(services, ISOLATE)
    assert services.store.outbox.count() == 0
    assert set(reads(secmaster)) == {"ShowTask"}
    # Neither what is due nor another policy takes it for routed.
    services.store.tracked.reschedule_all(clock.now())
    assert services.store.tracked.check_due(clock.now(), 10) == []

    assert not await Router(services).route_new()
    assert destinations(services) == {"C0ONCALL"}
    assert reads(secmaster)["ShowAlert"] == 1
    assert services.store.tracked.unrouted("main", 10) == []
    assert not await Router(services).route_new()
    assert reads(secmaster)["ShowAlert"] == 1


async def test_what_waited_for_too_long_is_routed_by_what_is_known(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    await arrive(services, ISOLATE)
    clock.forward(seconds=LONGEST_WAIT.total_seconds())
    await Router(services).route_new()
    assert destinations(services) == {"C0SOC"}
    assert reads(secmaster)["ShowAlert"] == 0


async def test_of_a_burst_some_are_routed_at_a_time_and_none_is_lost(
    services: Services, clock: FakeClock
) -> None:
    refs = [Ref(kind="task", id=f"{ISOLATE.id[:-3]}{n:03d}") for n in range(ROUTED_AT_ONCE + 5)]
    await arrive(services, *refs)
    clock.forward(seconds=LONGEST_WAIT.total_seconds())
    router = Router(services)
    assert await router.route_new()
    assert services.store.outbox.count() == ROUTED_AT_ONCE
    assert not await router.route_new()
    assert services.store.outbox.count() == len(refs)


async def test_what_is_routed_during_a_mute_comes_when_it_ends(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    secmaster.world.tasks[ISOLATE.id]["due_handle"] = "INTERRUPT"
    snapshot, now = await services.workspaces.read(ISOLATE), clock.now()
    name = workflow_name(snapshot)
    mute = Mute(
        workspace="main",
        key=mute_key(name),
        name=name,
        actor_id="U0ALICE",
        at=now,
        until=now + timedelta(hours=2),
    )
    record_ = {"at": now, "operation_id": "m", "outcome": "done", "target": "workflow:main"}
    RequestedChanges(services.store.engine).mute(mute, RequestedChange(now, record_))
    await arrive(services, ISOLATE)
    clock.forward(seconds=LONGEST_WAIT.total_seconds())
    await Router(services).route_new()  # by what is known, and again once that is more
    await route_again(services, ISOLATE, await attach_listed(services, ISOLATE, snapshot))
    assert services.store.outbox.count() == 2
    assert destinations(services) == set()
    clock.forward(hours=2)
    assert destinations(services) == {"C0ONCALL", "C0SOC"}


async def arrive(services: Services, *refs: Ref) -> None:
    """Let a poll find these tasks, each like the seeded one."""
    snapshot = await services.workspaces.read(ISOLATE)
    rows = [ListedRow(ref, snapshot.model_copy(update={"id": ref.id}), "f") for ref in refs]
    await record(services, ListDelta(added=rows), is_first=False)


def destinations(services: Services) -> set[str]:
    now = services.clock.now()
    return {each.id for each in services.store.outbox.ready_destinations(now)}


def reads(secmaster: SecMasterSandbox) -> Counter[str]:
    return Counter(request.endpoint for request in secmaster.requests)
