"""The due dates at which waiting tasks end by themselves.

It reads no clock and changes no task.
"""

import heapq
from collections.abc import Iterator
from datetime import datetime

from bot.sandbox.secmaster.wire import Record, read_stamp

# The end of a task by its ``due_handle``: its status, and the words of its history.
ENDINGS = {
    "CONTINUE": ("finished", "continued by itself at its due date"),
    "INTERRUPT": ("canceled", "interrupted by itself at its due date"),
}


class DueDates:
    """The future due dates, the next one first."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []

    def watch(self, task: Record, now: datetime) -> None:
        """Add a new task's due date, unless it is past, missing, or ends nothing."""
        try:
            due = read_stamp(task["due_date"])
        except (TypeError, ValueError):
            return
        if due > now and task.get("due_handle") in ENDINGS:
            heapq.heappush(self._heap, (due, task["id"]))

    def next(self) -> datetime | None:
        """Return the next due date; its task may have been decided by then."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: datetime) -> Iterator[str]:
        """Remove the due dates up to ``now``; yields their tasks' ids."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[1]
