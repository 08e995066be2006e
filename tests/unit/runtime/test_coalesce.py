"""Runs of the same work are shared, spaced out, and never skipped."""

import asyncio

import pytest

from bot.runtime.coalesce import Coalescer

INTERVAL = 0.05  # seconds


class Work:
    """Counts its runs, and announces each start; each waits until ``release`` is set."""

    def __init__(self) -> None:
        self.started = 0
        self.starts: asyncio.Queue[int] = asyncio.Queue()
        self.release = asyncio.Event()

    async def __call__(self) -> None:
        self.started += 1
        self.starts.put_nowait(self.started)
        await self.release.wait()


async def test_calls_before_a_run_begins_share_it() -> None:
    coalescer, work = Coalescer(0), Work()
    work.release.set()
    await asyncio.gather(*(coalescer.run("card", work) for _ in range(5)))
    assert work.started == 1


async def test_calls_while_a_run_is_under_way_share_the_next() -> None:
    coalescer, work = Coalescer(0), Work()
    first = asyncio.create_task(coalescer.run("card", work))
    await work.starts.get()
    others = [asyncio.create_task(coalescer.run("card", work)) for _ in range(5)]
    await work.starts.get()
    work.release.set()
    await asyncio.gather(first, *others)
    assert work.started == 2


async def test_runs_of_one_key_are_spaced_out_and_those_of_another_are_not() -> None:
    coalescer, work = Coalescer(INTERVAL), Work()
    work.release.set()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await coalescer.run("card", work)
    await coalescer.run("other", work)
    assert loop.time() - began < INTERVAL
    await coalescer.run("card", work)
    # The loop's clock may be a few milliseconds coarse.
    assert loop.time() - began > INTERVAL * 0.9
    await coalescer.close()


async def test_an_error_reaches_every_caller_of_the_run_and_not_the_next() -> None:
    coalescer, work = Coalescer(0), Work()
    work.release.set()

    async def fail() -> None:
        raise ValueError("broken")

    results = await asyncio.gather(
        *(coalescer.run("card", fail) for _ in range(3)), return_exceptions=True
    )
    assert [str(result) for result in results] == ["broken"] * 3
    await coalescer.run("card", work)
    assert work.started == 1


async def test_a_caller_that_is_cancelled_leaves_the_run_to_the_others() -> None:
    coalescer, work = Coalescer(0), Work()
    first = asyncio.create_task(coalescer.run("card", work))
    second = asyncio.create_task(coalescer.run("card", work))
    await asyncio.sleep(0)
    first.cancel()
    work.release.set()
    await second
    assert first.cancelled()
    assert work.started == 1


async def test_closing_cancels_whoever_waits_for_a_run() -> None:
    coalescer, work = Coalescer(60), Work()
    work.release.set()
    await coalescer.run("card", work)
    waiting = asyncio.create_task(coalescer.run("card", work))
    await asyncio.sleep(0)
    await coalescer.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.started == 1


async def test_what_nobody_waits_for_any_more_is_waited_for_before_the_end() -> None:
    coalescer, work = Coalescer(0), Work()
    caller = asyncio.create_task(coalescer.run("card", work))
    await work.starts.get()
    caller.cancel()
    draining = asyncio.create_task(coalescer.drain())
    await asyncio.wait([caller])
    assert not draining.done()
    work.release.set()
    await draining
    await coalescer.close()


async def test_what_takes_too_long_at_the_end_is_broken_off() -> None:
    coalescer, work = Coalescer(0), Work()
    caller = asyncio.create_task(coalescer.run("card", work))
    await work.starts.get()
    await coalescer.drain(seconds=0)
    with pytest.raises(asyncio.CancelledError):
        await caller
    await coalescer.close()
