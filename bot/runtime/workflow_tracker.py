"""Which durable workflows run in this process, which of them only wait, and which were resumed.

A shutdown waits for those at work; a resumed one must be careful with the first step that really
runs here, since a dead process may have begun it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MAX_REMEMBERED = 10_000  # workflows whose start in this process is remembered


class WorkflowTracker:
    """Tracks the workflows of this process by their ids."""

    def __init__(self) -> None:
        self._started: dict[str, None] = {}
        self._steps_run: dict[str, int] = {}  # by resumed workflow
        self._tasks: set[asyncio.Task[object]] = set()
        self._waiting: set[asyncio.Task[object]] = set()
        self._changed = asyncio.Event()

    def track(self, workflow_id: str, *, resumed: bool) -> None:
        """Note that the current task runs this workflow.

        ``resumed``: another process began it. So did this one if it has run it before: when DBOS
        hands a workflow out again, its steps must be as careful as after a crash.
        """
        if resumed or workflow_id in self._started:
            self._steps_run[workflow_id] = 0
        self._started[workflow_id] = None
        if len(self._started) > MAX_REMEMBERED:
            del self._started[next(iter(self._started))]
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._task_done)

    def forget(self, workflow_id: str) -> None:
        """Drop what only matters while a workflow is under way."""
        self._steps_run.pop(workflow_id, None)

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
