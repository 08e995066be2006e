"""What comes and what leaves is found, however it sorts and whatever hides it."""

from datetime import UTC, datetime, timedelta

from bot.domain.objects import Ref
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.wire import stamp
from bot.services import Services
from bot.watch.list_sync import PAGE
from bot.watch.poller import Poller
from tests.support.clock import FakeClock
from tests.support.watch import EVERA

LONG_AGO = stamp(datetime(2020, 1, 1, tzinfo=UTC))


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
