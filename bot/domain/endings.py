"""How a task ended that was not decided from here: at its due date, or by somebody elsewhere."""

from enum import StrEnum

from bot.domain.snapshots import Snapshot
from bot.secmaster import DueHandle, Task, TaskStatus

NOBODY = ("", "system")  # the names, in small letters, under which SecMaster itself decides


class TaskEnding(StrEnum):
    """How a task ended: by SecMaster at its due date, or decided by a person."""

    AUTO_APPROVED = "auto_approved"
    CANCELLED = "cancelled"
    DECIDED = "decided"


# By what SecMaster does with a task at its due date, and the status that it has then.
ENDINGS: dict[tuple[str, str], TaskEnding] = {
    (DueHandle.CONTINUE, TaskStatus.FINISHED): TaskEnding.AUTO_APPROVED,
    (DueHandle.INTERRUPT, TaskStatus.CANCELED): TaskEnding.CANCELLED,
}


def ran_out(snapshot: Snapshot) -> bool:
    """Whether an object is a task that SecMaster ended by itself at its due date."""
    return isinstance(snapshot, Task) and how_ended(snapshot) is not TaskEnding.DECIDED


def how_ended(task: Task) -> TaskEnding:
    """Return how a settled task ended, as far as SecMaster's fields tell.

    It ran out where its end is the one that its due date asks for, came not before that, and no
    person is named as its approver. Who changed it last may have only commented on it.
    """
    approver = (task.approver or task.approveuser_name).casefold()
    if task.due_date is None or task.update_time is None or approver not in NOBODY:
        return TaskEnding.DECIDED
    if task.update_time < task.due_date:
        return TaskEnding.DECIDED
    return ENDINGS.get((task.due_handle, task.status), TaskEnding.DECIDED)
