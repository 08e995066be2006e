"""What comes and what leaves is found, however it sorts and whatever hides it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.wire import stamp
from bot.services import Services
from bot.store.tables import outbox
from bot.watch.list_sync import PAGE
from bot.watch.poller import Poller
from tests.support.clock import FakeClock
from tests.support.watch import EVERA

ROUTE = """
[[routes]]
channel = "C0ONCALL"
playbooks = ["FAILED"]
"""
LONG_AGO = stamp(datetime(2020, 1, 1, tzinfo=UTC))


@pytest.fixture
def rules() -> str:
    return POLICY + ROUTE


async def test_what_comes_behind_the_first_page_while_another_leaves_is_found_by_a_scan(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    world, poller = secmaster.world, Poller(services)
    world.add_many(PAGE, 0)
    await poller.poll()
    # As many come as leave, so that the counts agree; the first page shows neither.
    hidden = world.add_task(name="Hidden", create_time=LONG_AGO, update_time=LONG_AGO)
    leaver = next(task for task in world.tasks.values() if task["status"] == "waiting")
    world.update_task(leaver["id"], {"action": "CONTINUE"}, EVERA)
    await poller.poll()
    refs = [Ref(kind="task", id=task["id"]) for task in (hidden, leaver)]
    assert [tracked.open for tracked in services.store.tracked.get(refs)] == [True]
    clock.forward(seconds=services.timeouts.full_scan)
    await poller.poll()
    assert [tracked.open for tracked in services.store.tracked.get(refs)] == [True, False]


async def test_a_scan_is_due_only_so_often(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    poller = Poller(services)
    await poller.poll()

    async def requests() -> int:
        before = len(secmaster.requests)
        await poller.poll()
        return len(secmaster.requests) - before

    at_rest = await requests()
    clock.forward(seconds=services.timeouts.full_scan)
    assert await requests() == at_rest + 3  # a page of each list
    assert await requests() == at_rest
    clock.set(clock.now() - timedelta(days=1))  # a clock that is set back puts nothing off
    assert await requests() == at_rest


async def test_runs_of_playbooks_that_are_listed_only_from_some_day_on_are_old_by_then(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    poller, statuses = Poller(services), services.store.poll_statuses
    refusals: tuple[dict[str, Any], ...] = (
        {"status": 404, "code": "APIGW.0101"},
        {"status": 500},
        {"status": 200, "html": True},
    )
    for refusal in refusals:
        await secmaster.faults.set(Fault(on="ListPlaybookInstances", **refusal))
        assert await poller.poll() == 0
        status = statuses.get("main")
        assert status is not None
        assert (status.answer, status.playbooks_listed_at) == (None, None)
        assert status.playbooks_answer is not None
        assert status.playbooks_answer.status == refusal["status"]
        await secmaster.faults.clear()
    old = failed_playbook_run(secmaster, clock)
    clock.forward(hours=services.policy.current.watch.fresh / timedelta(hours=1) + 1)
    poller = Poller(services)  # a bot that was started anew
    await poller.poll()
    new = failed_playbook_run(secmaster, clock)
    await poller.poll()
    refs = [Ref(kind="playbook", id=each["id"]) for each in (old, new)]
    assert [tracked.backlog for tracked in services.store.tracked.get(refs)] == [True, False]
    cards = [f"card:1:playbook:main:{each['id']}" for each in (old, new)]
    with services.store.engine.connect() as connection:
        keys = list(connection.execute(sa.select(outbox.c.dedupe_key)).scalars())
    assert [any(key.startswith(card) for key in keys) for card in cards] == [False, True]
    assert len([key for key in keys if key.startswith("backlog:main:playbook:")]) == 1


def failed_playbook_run(secmaster: SecMasterSandbox, clock: FakeClock) -> dict[str, Any]:
    now = stamp(clock.now())
    return secmaster.world.playbooks.add([seed.INSTANCE_FAILED], status="FAILED", end_time=now)
