"""What the poller records about objects: tracked objects, listed objects, followed operations."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from bot.domain.objects import Ref, Value
from bot.domain.operations import Operation
from bot.domain.snapshots import Snapshot
from bot.secmaster import DueHandle, Instance, PlaybookInstance, Task

MAX_GROUP = 200  # characters of a workflow's id or name; what is longer is hashed


class FollowedOperation(Value):
    """An operation that retried a run, or let one continue, which is followed to its end.

    ``attempt_before`` is the attempt of a retried run that had failed; ``at`` is when it was
    checked last, and ``is_reported`` whether it was said that it takes long.
    """

    operation: Operation
    run: Ref
    attempt_before: int = 0
    is_reported: bool = False
    at: datetime


class RanOutTask(Value):
    """A task that SecMaster ended by itself at its due date: approved, or else cancelled."""

    name: str
    is_approved: bool
    at: datetime


class ObjectChange(StrEnum):
    """What people change about an object in the bot itself, by the names that the audit has."""

    CLAIM = "claim"
    RELEASE = "unclaim"
    ESCALATE = "escalate"
    SNOOZE = "snooze"
    WAKE = "wake"


class Assignment(Value):
    """Who claimed an object, by their Slack id and name, and until when others are not called."""

    assignee: str
    name: str = ""
    until: datetime


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """An object's last snapshot, since when it is open, and until when it is snoozed by whom.

    ``assignment`` is its claim, ``muted_until`` the end of its workflow's mute. ``backlog`` marks
    one that is older than the first poll; ``next_check_at`` is when a reminder or an escalation may
    be due, and what was due until ``planned_until`` is planned, None where nothing is: then it is
    still to be routed.
    """

    ref: Ref
    snapshot: Snapshot
    open_since: datetime
    open: bool = True
    backlog: bool = False
    snoozed_until: datetime | None = None
    snoozed_by: str = ""
    next_check_at: datetime | None = None
    planned_until: datetime | None = None
    assignment: Assignment | None = None
    muted_until: datetime | None = None

    @property
    def held_until(self) -> datetime | None:
        """Until when a snooze of the object or a mute of its workflow holds back what is due."""
        return max(filter(None, (self.snoozed_until, self.muted_until)), default=None)

    def is_snoozed(self, at: datetime) -> bool:
        """Whether no reminders are sent of it at a time."""
        return self.snoozed_until is not None and self.snoozed_until > at

    def assignment_at(self, at: datetime) -> Assignment | None:
        """Return the claim of the object that holds at a time."""
        assignment = self.assignment
        return assignment if assignment and assignment.until > at else None

    def holding_assignment(self, at: datetime) -> Assignment | None:
        """Return the claim that keeps others from being called at a time.

        None where the task would be approved by itself before that ends: its due date may have
        changed since it was claimed.
        """
        assignment, task = self.assignment_at(at), self.snapshot
        if assignment is None or not isinstance(task, Task):
            return assignment
        if task.due_handle != DueHandle.CONTINUE or task.due_date is None:
            return assignment
        return assignment if task.due_date > assignment.until else None


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a row of SecMaster's lists states it.

    ``fingerprint`` is that of the row: where it differs, the list has news of the object.
    ``next_check_at`` is when a reminder or an escalation may be due. One that is not ``routed`` has
    no cards yet, as where they go depends on what is still to be read.
    """

    ref: Ref
    snapshot: Snapshot
    fingerprint: str
    backlog: bool = False
    next_check_at: datetime | None = None
    routed: bool = True


@dataclass(frozen=True, slots=True)
class OpenCounts:
    """How many tasks wait, how many of them are overdue or due soon, and how many runs failed.

    ``failed`` are runs of workflows, ``failed_playbooks`` those of playbooks.
    """

    waiting: int
    overdue: int
    soon: int
    failed: int
    failed_playbooks: int = 0


def failure_group(snapshot: Snapshot) -> str:
    """Return what a run's failures are grouped by: its workflow's or playbook's id or else name.

    "" for a task, and for a run whose workflow or playbook is not stated.
    """
    match snapshot:
        case Task():
            return ""
        case Instance():
            group = snapshot.workflow.id or snapshot.workflow.name
        case PlaybookInstance():
            # No workflow's id begins so: the failures of the two are never counted together.
            name = snapshot.playbook.id or snapshot.playbook.name
            group = f"playbook:{name}" if name else ""
        case _:
            assert_never(snapshot)
    return group if len(group) <= MAX_GROUP else hashlib.sha256(group.encode()).hexdigest()
