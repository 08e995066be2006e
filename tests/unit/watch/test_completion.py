"""What has no card is read around after polls: a few at a time, once, and behind what has one."""

from collections import Counter
from datetime import timedelta

import pytest

from bot.domain.objects import Ref
from bot.runtime.timeouts import Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.services import Services
from bot.slack.cards import IncompleteCards
from bot.watch.completion import COLLECTED, EvidenceCollector
from bot.watch.poller import Poller
from tests.support.clock import FakeClock
from tests.support.timeouts import COMPLETING_TIMEOUTS, QUICK_TIMEOUTS

ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)
RETRY = COMPLETING_TIMEOUTS.evidence.retry


@pytest.fixture
def timeouts(request: pytest.FixtureRequest) -> Timeouts:
    chosen: Timeouts = getattr(request, "param", COMPLETING_TIMEOUTS)
    return chosen


async def test_all_is_read_once_a_few_after_each_poll_and_nothing_more_at_rest(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    collector, total = await first_polled(services), missing(services)
    assert total > COLLECTED
    rounds = 0
    while count := missing(services):
        await collector.collect("main")
        rounds += 1
        assert missing(services) == max(0, count - COLLECTED)
    assert rounds == -(-total // COLLECTED)
    counts = reads(secmaster)
    task = services.store.evidence.get(ISOLATE)
    assert task
    assert task.finding
    # What a list leaves out of a run is read, and the alert with it.
    failures = services.store.tracked.open_failures("instance", 10)
    assert any(each.snapshot.evidence and each.snapshot.evidence.finding for each in failures)
    await collector.collect("main")
    clock.forward(seconds=RETRY + 1)
    await collector.collect("main")
    assert reads(secmaster) == counts


async def test_what_can_not_be_read_is_tried_again_later_and_behind_the_others(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    collector, total = await first_polled(services), missing(services)
    await secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", status=503))
    while missing(services):
        await collector.collect("main")
    before = reads(secmaster)
    await collector.collect("main")
    assert reads(secmaster) == before
    await secmaster.faults.clear()
    clock.forward(seconds=RETRY + 1)
    assert 0 < (unread := missing(services)) < total
    while missing(services):
        await collector.collect("main")
    assert services.store.evidence.get(ISOLATE)
    assert unread >= COLLECTED


async def test_no_card_that_waits_for_its_completion_waits_for_what_has_none(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    collector, total = await first_polled(services), missing(services)
    before = reads(secmaster)
    services.cards.incomplete.put_nowait(IncompleteCards(ISOLATE))
    await collector.collect("main")
    assert missing(services) == total
    assert reads(secmaster) == before


@pytest.mark.parametrize("timeouts", [QUICK_TIMEOUTS], indirect=True, ids=["off"])
async def test_nothing_is_read_where_no_card_is_completed(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    collector, before = await first_polled(services), reads(secmaster)
    await collector.collect("main")
    assert reads(secmaster) == before


async def first_polled(services: Services) -> EvidenceCollector:
    """Let a first poll find what is open, and return what reads around it."""
    poller = Poller(services)
    await poller.poll()
    return poller.collector


def missing(services: Services) -> int:
    """Return how many objects without a card are to be read around now."""
    now = services.clock.now()
    tried_before = now - timedelta(seconds=RETRY)
    return len(services.store.tracked.without_evidence("main", now, tried_before, 1000))


def reads(secmaster: SecMasterSandbox) -> Counter[str]:
    """Return how often each endpoint was asked that no poll asks."""
    counts = Counter(request.endpoint for request in secmaster.requests)
    return Counter({name: n for name, n in counts.items() if not name.startswith("List")})
