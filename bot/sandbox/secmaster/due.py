"""Which waiting tasks end by themselves, and when. It reads no clock and changes no task."""

import heapq
from collections.abc import Iterator
from datetime import datetime

from bot.sandbox.secmaster.wire import Record, read_stamp

# What a task's ``due_handle`` makes of it: its status, and the words of its history.
ENDINGS = {
    "CONTINUE": ("finished", "continued by itself at its due date"),
    "INTERRUPT": ("canceled", "interrupted by itself at its due date"),
}


class DueDates:
    """The due dates that are still to come, the next one first."""

    def __init__(self) -> None:
        self._coming: list[tuple[datetime, str]] = []

    def watch(self, task: Record, now: datetime) -> None:
        """Wait for a new task's due date; one that is past already has nothing to wait for."""
        due = _due(task)
        if due is not None and due > now and task.get("due_handle") in ENDINGS:
            heapq.heappush(self._coming, (due, task["id"]))

    def next(self) -> datetime | None:
        """When to look again; the task may have been decided by then."""
        return self._coming[0][0] if self._coming else None

    def passed(self, now: datetime) -> Iterator[str]:
        """The ids of the tasks whose due date is now or before, each told once."""
        while self._coming and self._coming[0][0] <= now:
            yield heapq.heappop(self._coming)[1]


def _due(task: Record) -> datetime | None:
    try:
        return read_stamp(task["due_date"])
    except (TypeError, ValueError):
        return None
