"""How polling SecMaster goes: values for messages and for metrics."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.objects import ObjectKind, Value
from bot.domain.reasons import OutcomeReason


class PollStatus(Value):
    """How polling a workspace goes: since when, when it last succeeded, and why it fails now.

    ``replica`` is which replica polled last.
    """

    workspace: str
    since: datetime
    last_success_at: datetime | None = None
    failure: OutcomeReason = OutcomeReason.NONE
    replica: str = ""


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """How polling and posting go in all workspaces.

    ``interval`` is the number of seconds between polls, ``behind`` by workspace how many seconds
    ago a poll should have succeeded, ``open`` how many objects are open by workspace and kind.
    ``queued`` counts the entries of the outbox; ``closed_channels`` are the channels where
    nothing can be posted, each with Slack's error code.
    """

    interval: float
    polls: tuple[PollStatus, ...]
    behind: dict[str, float]
    open: dict[tuple[str, ObjectKind], int]
    queued: int
    closed_channels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class QueueAges:
    """For how many seconds what waits longest has waited; 0 where nothing does.

    ``outbox`` is of what is to be posted by now, ``operations`` of what was recorded and has no end
    on record.
    """

    outbox: float = 0
    operations: float = 0
