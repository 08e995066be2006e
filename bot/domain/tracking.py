"""What the poller knows of an object."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from bot.domain.objects import Ref, Value
from bot.domain.operations import Operation
from bot.domain.snapshots import Snapshot
from bot.secmaster import Task


class FollowedRetry(Value):
    """A run that was retried from here, to be followed to its end.

    ``retries`` is its retry count before; ``at`` is when it was looked at last.
    """

    operation: Operation
    retries_before: int
    at: datetime


NAMED = 200  # characters of a workflow's id or name; what is longer is hashed


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """What is known of an object, since when, and whether somebody wants to be left alone by it.

    ``next_check_at`` is when its reminders and escalations are to be looked through next.
    """

    ref: Ref
    snapshot: Snapshot
    open_since: datetime
    open: bool = True
    backlog: bool = False
    snoozed_until: datetime | None = None
    snoozed_by: str = ""
    next_check_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a list of SecMaster's has it.

    ``digest`` tells whether the list says anything new of it. ``next_at`` is when it is to be
    thought of next.
    """

    ref: Ref
    snapshot: Snapshot
    fingerprint: str
    backlog: bool = False
    next_check_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenCounts:
    """How many tasks wait, how many of them are overdue or due soon; how many runs are failed."""

    waiting: int
    overdue: int
    soon: int
    failed: int


def failure_group(snapshot: Snapshot) -> str:
    """By what failures are gathered: their workflow; "" for a task, and where none is stated."""
    if isinstance(snapshot, Task):
        return ""
    named = snapshot.workflow.id or snapshot.workflow.name
    return named if len(named) <= NAMED else hashlib.sha256(named.encode()).hexdigest()
