"""The one order in which people see what is open: the most urgent first.

The store's queries sort the same, in ``bot.store.tracked``, where they return only the first rows.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import assert_never

from bot.domain.snapshots import Run, Snapshot
from bot.secmaster import DueHandle, Instance, InstanceStatus, PlaybookInstance, Task

LATEST = datetime.max.replace(tzinfo=UTC)
# Of runs: what failed waits for a person, the others for SecMaster.
STATUS_ORDER = (
    InstanceStatus.FAILED,
    InstanceStatus.RETRYING,
    InstanceStatus.RUNNING,
    InstanceStatus.TERMINATING,
)

Urgency = tuple[float, bool, float, str]


def most_urgent_first(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return tasks and runs in the order in which people see them."""
    return sorted(snapshots, key=urgency)


def urgency(snapshot: Snapshot) -> Urgency:
    """Return what objects of one kind are sorted by.

    Tasks by their due dates, so that the longest overdue come first, and those without one last;
    of one due date those first that are auto-approved then, and older ones before newer ones.
    Runs by their status, what failed first, and in it the latest first: it has no due date, and
    what failed last is what people were called for.
    """
    match snapshot:
        case Task():
            due, created = snapshot.due_date or LATEST, snapshot.create_time or LATEST
            return (due.timestamp(), not auto_approves(snapshot), created.timestamp(), snapshot.id)
        case Instance() | PlaybookInstance():
            return _run_urgency(snapshot)
        case _:
            assert_never(snapshot)


def _run_urgency(snapshot: Run) -> Urgency:
    """Return what runs are sorted by: of a playbook's the statuses are the same."""
    order = (
        STATUS_ORDER.index(snapshot.status)
        if snapshot.status in STATUS_ORDER
        else len(STATUS_ORDER)
    )
    at = snapshot.end_time or snapshot.start_time
    return (order, at is None, -at.timestamp() if at else 0, snapshot.id)


def auto_approves(task: Task) -> bool:
    """Whether SecMaster approves a task at its due date if nobody decides."""
    return task.due_handle == DueHandle.CONTINUE and task.due_date is not None
