"""Polling and dispatching run side by side under one lead, and neither waits for the other."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.objects import Ref
from bot.domain.tracking import ListedObject
from bot.domain.watch_status import FailedAnswer
from bot.domain.workspaces import Workspaces
from bot.policy.config import PolicyHolder, parse
from bot.runtime.clock import Clock
from bot.runtime.timeouts import Timeouts
from bot.secmaster import Forbidden, Task
from bot.secmaster.replies import SECMASTER
from bot.services import Services
from bot.store import Store, close, connect, migrate
from bot.watch.leader import Leader
from bot.watch.poller import Poller, log_change
from tests.support.clock import LeapingClock
from tests.support.samples import ENGLISH

POLICY = "[[routes]]\nchannel = 'C0CLOSED'\ntasks = true\nremind = ['1h']\n"
TASK = Ref(kind="task", id="t1")


class HangingSecMaster:
    """Answers no list, ever."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def list_tasks(self, **_query: Any) -> None:
        self.asked.set()
        await asyncio.Event().wait()


class ObservedClock(Clock):
    """The system's clock; ``pauses`` are the seconds that were waited for, in order."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await super().sleep(seconds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine = connect(f"sqlite:///{tmp_path / 'bot.db'}")
    migrate(engine)
    yield Store(engine)
    close(engine)


def services(store: Store, clients: dict[str, Any]) -> Services:
    nothing: Any = None  # in the place of what these tests never call
    return Services(
        catalogue=ENGLISH,
        workspaces=Workspaces(clients, {}),
        evidence=nothing,
        slack=nothing,
        cards=nothing,
        directory=nothing,
        store=store,
        policy=PolicyHolder(parse(POLICY), Path("none.toml")),
        clock=Clock(),
        timeouts=Timeouts(),
        process_id="p",
    )


def track_task_due_soon(store: Store) -> None:
    """Track a task whose reminder is due by now, for a channel that takes no message."""
    now = datetime.now(UTC)
    store.closed_channels.mark_closed("C0CLOSED", "is_archived", now)
    task = Task(id="t1", name="Isolate", status="waiting", due_date=now + timedelta(minutes=30))
    listed = ListedObject(TASK, task, "f", next_check_at=now)
    store.tracked.add([listed], [], now - timedelta(hours=2))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.01)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reminder_does_not_wait_for_secmaster(store: Store) -> None:
    secmaster = HangingSecMaster()
    running = asyncio.create_task(Poller(services(store, {"main": secmaster})).run(0.02))
    await secmaster.asked.wait()
    track_task_due_soon(store)
    await until(lambda: store.outbox.count() == 1)
    assert not running.done()
    await stop(running)


async def test_the_dispatcher_is_woken_before_its_interval_is_over(store: Store) -> None:
    clock = ObservedClock()
    poller = Poller(replace(services(store, {}), clock=clock))
    is_leading = True

    async def is_leader() -> bool:
        return is_leading

    running = asyncio.create_task(poller.dispatcher.run(3600, is_leader))
    await until(lambda: 3600 in clock.pauses)
    track_task_due_soon(store)
    poller.dispatcher.wake()
    await until(lambda: store.outbox.count() == 1)
    is_leading = False
    poller.dispatcher.wake()
    await asyncio.wait_for(running, 10)


class DroppedLeader(Leader):
    """A leader whose connection is gone once a test says so."""

    dropped = False

    async def is_leader(self) -> bool:
        return not self.dropped and await super().is_leader()


async def test_polling_and_dispatching_end_together_when_the_lead_is_lost(store: Store) -> None:
    secmaster = HangingSecMaster()
    poller = Poller(services(store, {"main": secmaster}))
    async with DroppedLeader(store.engine) as leader:
        leading = asyncio.create_task(poller.lead(0.02, leader))
        await secmaster.asked.wait()
        leader.dropped = True
        await asyncio.wait_for(leading, 10)


async def test_another_replica_takes_over_when_the_leader_ends(store: Store) -> None:
    first, second = HangingSecMaster(), HangingSecMaster()
    leading = asyncio.create_task(Poller(services(store, {"main": first})).run(0.02))
    await first.asked.wait()
    clock = ObservedClock()
    refused = Poller(replace(services(store, {"main": second}), clock=clock))
    waiting = asyncio.create_task(refused.run(0.02))
    await until(lambda: len(clock.pauses) > 1)  # after each attempt to lead it sleeps
    assert not second.asked.is_set()
    await stop(leading)
    await asyncio.wait_for(second.asked.wait(), 10)
    await stop(waiting)


async def test_the_lead_is_tried_for_often_however_rarely_there_is_a_poll(store: Store) -> None:
    clock = LeapingClock()
    poller = Poller(replace(services(store, {}), clock=clock))
    async with Leader(store.engine):
        trying = asyncio.create_task(poller.run(3600))
        await until(lambda: len(clock.pauses) > 1)
        await stop(trying)
    assert set(clock.pauses) == {15}


async def test_after_a_poll_each_is_called_whatever_another_meets(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    called = []

    async def fail() -> None:
        raise RuntimeError("parade")

    async def note() -> None:
        called.append("note")

    poller = Poller(services(store, {}))
    poller.subscribe(fail)
    poller.subscribe(note)
    assert await poller.poll() == 0
    await poller.notify_subscribers()
    assert called == ["note"]
    assert "parade" in caplog.text


def test_the_log_of_a_failed_poll_says_once_and_in_plain_text_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cause = SECMASTER.unreachable("nothing listens there: correct the port")
    for error in (Forbidden("no", status=403), cause):
        log_change("main", None, FailedAnswer.of(error))
    refused, unreachable = caplog.records
    assert "secmaster-bot doctor names it" in vars(refused)["to_do"]
    assert "to_do" not in vars(unreachable)
    assert vars(unreachable)["cause"] == "nothing listens there: correct the port"
