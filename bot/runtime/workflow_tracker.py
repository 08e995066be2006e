"""Which durable workflows run in this process, which of them only wait, and which were resumed.

A shutdown waits for those at work; a resumed one must be careful with the first step that really
runs here, since whoever ran it before may have begun it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from bot.runtime.locks import KeyedLocks


class WorkflowTracker:
    """Tracks the workflows of this process by their ids.

    ``broke_off`` is set when one ended before its end, for whoever takes those up.
    """

    def __init__(self) -> None:
        self.broke_off = asyncio.Event()
        self._locks = KeyedLocks()
        self._starting: set[str] = set()  # recorded by this process, and not run yet
        self._running: set[str] = set()
        self._unfinished: set[str] = set()  # begun here, and not ended here
        self._steps_run: dict[str, int] = {}  # by resumed workflow
        self._tasks: set[asyncio.Task[object]] = set()
        self._waiting: set[asyncio.Task[object]] = set()
        self._changed = asyncio.Event()

    @contextmanager
    def starting(self, workflow_id: str) -> Iterator[None]:
        """Note that this process begins a workflow in this block, unless the block fails."""
        if workflow_id not in self._unfinished:
            self._starting.add(workflow_id)
        try:
            yield
        except BaseException:
            self._starting.discard(workflow_id)
            raise

    def take_start(self, workflow_id: str) -> bool:
        """Return whether a workflow runs for the first time, as this process alone began it.

        Another replica may have run what this one recorded and did not come to run itself.
        """
        is_first = workflow_id in self._starting
        self._starting.discard(workflow_id)
        return is_first

    @asynccontextmanager
    async def run(self, workflow_id: str, *, resumed: bool) -> AsyncIterator[None]:
        """Track a workflow that the current task runs in this block.

        One that is handed out again while it still runs here waits until that has stopped: two of
        one id would each do what the other does.
        """
        async with self._locks.get(workflow_id):
            self.track(workflow_id, resumed=resumed)
            self._running.add(workflow_id)
            try:
                yield
            except BaseException:
                self.broke_off.set()
                raise
            else:
                self.forget(workflow_id)
            finally:
                self._running.discard(workflow_id)

    def track(self, workflow_id: str, *, resumed: bool) -> None:
        """Note that the current task runs this workflow.

        ``resumed``: another process began it. So did this one if it did not end it: when it runs
        again, its steps must be as careful as after a crash.
        """
        if resumed or workflow_id in self._unfinished:
            self._steps_run[workflow_id] = 0
        self._unfinished.add(workflow_id)
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._task_done)

    def forget(self, workflow_id: str) -> None:
        """Drop what only matters until a workflow has ended."""
        self._unfinished.discard(workflow_id)
        self._starting.discard(workflow_id)
        self._steps_run.pop(workflow_id, None)

    def is_running(self, workflow_id: str) -> bool:
        """Return whether a workflow runs in this process."""
        return workflow_id in self._running

    def has_broken_off(self, workflow_id: str) -> bool:
        """Return whether a workflow was begun in this process, and runs no more."""
        return workflow_id in self._unfinished and workflow_id not in self._running

    def is_resumed(self, workflow_id: str) -> bool:
        """Return whether a workflow was begun before it ran in this process, or this time."""
        return workflow_id in self._steps_run

    def count_step(self, workflow_id: str) -> None:
        """Count a step of a resumed workflow that runs here, and is not read from its record."""
        if workflow_id in self._steps_run:
            self._steps_run[workflow_id] += 1

    def may_have_run(self, workflow_id: str) -> bool:
        """Return whether the current step may have begun before: a resumed workflow's first."""
        return self._steps_run.get(workflow_id) == 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark the current workflow as only waiting: no shutdown waits for it."""
        task = asyncio.current_task()
        self._waiting |= {task} if task else set()
        self._changed.set()
        try:
            yield
        finally:
            self._waiting -= {task}

    async def settle(self, seconds: float) -> None:
        """Wait until every workflow at work has ended or only waits, for so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks - self._waiting:
                    self._changed.clear()
                    await self._changed.wait()

    async def cancel_all(self) -> None:
        """Break off all workflows: nothing more is recorded, and the next start resumes them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _task_done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        self._changed.set()
