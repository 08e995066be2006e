"""What the poller records about objects: tracked objects, listed objects, followed retries."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from bot.domain.objects import Ref, Value
from bot.domain.operations import Operation
from bot.domain.snapshots import Snapshot
from bot.secmaster import Task

MAX_GROUP = 200  # characters of a workflow's id or name; what is longer is hashed


class FollowedRetry(Value):
    """A run that was retried from here and is followed to its end.

    ``retries_before`` is its retry count before; ``at`` is when it was checked last.
    """

    operation: Operation
    retries_before: int
    at: datetime


class RetryResult(Value):
    """How a run ended that was retried from Slack by ``actor_id``, after ``seconds``.

    ``node`` and ``error`` name the failed node and its message.
    """

    status: str
    name: str = ""
    actor_id: str = ""
    node: str = ""
    error: str = ""
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """An object's last snapshot, since when it is open, and until when it is snoozed by whom.

    ``backlog`` marks one that is older than the first poll; ``next_check_at`` is when a reminder or
    an escalation may be due, and what was due until ``planned_until`` is planned, None where
    nothing is: then it is still to be routed.
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

    def is_snoozed(self, at: datetime) -> bool:
        """Whether no reminders are sent of it at a time."""
        return self.snoozed_until is not None and self.snoozed_until > at


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
    """How many tasks wait, how many of them are overdue or due soon, and how many runs failed."""

    waiting: int
    overdue: int
    soon: int
    failed: int


def failure_group(snapshot: Snapshot) -> str:
    """Return what a run's failures are grouped by: its workflow's id or else name.

    "" for a task, and for a run whose workflow is not stated.
    """
    if isinstance(snapshot, Task):
        return ""
    group = snapshot.workflow.id or snapshot.workflow.name
    return group if len(group) <= MAX_GROUP else hashlib.sha256(group.encode()).hexdigest()
