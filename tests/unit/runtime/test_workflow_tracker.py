"""The tracker knows which workflows work, which only wait, and whose first step may have run."""

import asyncio

import pytest

from bot.runtime.workflow_tracker import WorkflowTracker


async def test_only_the_first_step_of_a_resumed_workflow_may_have_run() -> None:
    tracker = WorkflowTracker()
    tracker.track("a", resumed=True)
    assert not tracker.may_have_run("a")
    tracker.count_step("a")
    assert tracker.may_have_run("a")
    tracker.count_step("a")
    assert not tracker.may_have_run("a")


async def test_no_step_of_a_new_workflow_may_have_run() -> None:
    tracker = WorkflowTracker()
    tracker.track("a", resumed=False)
    tracker.count_step("a")
    assert not tracker.may_have_run("a")


async def test_a_workflow_that_broke_off_here_counts_as_resumed_until_it_has_ended() -> None:
    tracker = WorkflowTracker()
    with pytest.raises(asyncio.CancelledError):
        async with tracker.run("a", resumed=False):
            raise asyncio.CancelledError
    assert tracker.broke_off.is_set()
    assert tracker.has_broken_off("a")
    async with tracker.run("a", resumed=False):
        assert tracker.is_resumed("a")
        assert not tracker.has_broken_off("a")
        tracker.count_step("a")
        assert tracker.may_have_run("a")
    assert not tracker.is_resumed("a")
    assert not tracker.has_broken_off("a")


async def test_a_workflow_that_is_handed_out_while_it_runs_waits_for_its_end() -> None:
    tracker, release, order = WorkflowTracker(), asyncio.Event(), list[str]()

    async def run(name: str) -> None:
        async with tracker.run("a", resumed=False):
            order.append(f"{name} begins")
            await release.wait()
            order.append(f"{name} ends")

    first = asyncio.create_task(run("first"))
    await asyncio.sleep(0)
    assert tracker.is_running("a")
    second = asyncio.create_task(run("second"))
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, second)
    assert order == ["first begins", "first ends", "second begins", "second ends"]
    assert not tracker.is_running("a")


async def test_a_shutdown_waits_for_work_and_not_for_what_only_waits() -> None:
    tracker, release = WorkflowTracker(), asyncio.Event()
    started = asyncio.Event()

    async def wait_for_ever() -> None:
        tracker.track("waiting", resumed=False)
        with tracker.waiting():
            started.set()
            await asyncio.Event().wait()

    async def work() -> None:
        tracker.track("working", resumed=False)
        await release.wait()

    waiting, working = asyncio.create_task(wait_for_ever()), asyncio.create_task(work())
    await started.wait()
    settling = asyncio.create_task(tracker.settle(30))
    await asyncio.sleep(0)
    assert not settling.done()
    release.set()
    await settling
    assert working.done()
    assert not waiting.done()
    await tracker.cancel_all()
    assert waiting.cancelled()


async def test_a_shutdown_does_not_wait_longer_than_it_may() -> None:
    tracker, started = WorkflowTracker(), asyncio.Event()

    async def work() -> None:
        tracker.track("working", resumed=False)
        started.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await started.wait()
    await tracker.settle(0.01)
    assert not working.done()
    await tracker.cancel_all()
    assert working.cancelled()


async def test_what_was_recorded_and_not_begun_here_is_no_first_run() -> None:
    tracker = WorkflowTracker()
    with tracker.starting("a"):
        pass
    with pytest.raises(TimeoutError), tracker.starting("b"):
        raise TimeoutError
    assert tracker.take_start("a")
    assert not tracker.take_start("a")  # it is handed out again
    assert not tracker.take_start("b")  # another replica may have run it
    async with tracker.run("a", resumed=False):
        pass
    assert not tracker.take_start("a")
