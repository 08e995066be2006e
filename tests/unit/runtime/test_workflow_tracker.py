"""The tracker knows which workflows work, which only wait, and whose first step may have run."""

import asyncio

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


async def test_a_workflow_that_is_handed_out_again_counts_as_resumed() -> None:
    tracker = WorkflowTracker()
    tracker.track("a", resumed=False)
    tracker.forget("a")
    tracker.track("a", resumed=False)
    tracker.count_step("a")
    assert tracker.may_have_run("a")


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
