"""Background tasks are waited for, their errors are handled, and late ones are cancelled."""

import asyncio

from bot.runtime.background import BackgroundTasks


async def unexpected(error: Exception) -> None:
    raise AssertionError from error


async def test_what_runs_in_the_background_is_waited_for() -> None:
    tasks, finished = BackgroundTasks(), []

    async def work() -> None:
        await asyncio.sleep(0)
        finished.append("work")

    tasks.start(work(), unexpected)
    assert finished == []
    await tasks.drain()
    assert finished == ["work"]


async def test_an_error_reaches_the_handler_and_nobody_else() -> None:
    tasks, errors = BackgroundTasks(), []

    async def fail() -> None:
        raise ValueError("broken")

    async def keep(error: Exception) -> None:
        errors.append(str(error))

    tasks.start(fail(), keep)
    await tasks.drain()
    assert errors == ["broken"]


async def test_what_lasts_too_long_is_cancelled_and_the_handler_is_not_called() -> None:
    tasks, ended = BackgroundTasks(), []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    tasks.start(hang(), unexpected)
    await tasks.drain(0.01)
    assert ended == ["cancelled"]


async def test_without_tasks_there_is_nothing_to_wait_for() -> None:
    await BackgroundTasks().drain(60)
