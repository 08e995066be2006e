"""How polling SecMaster goes: values for messages and for metrics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from bot.domain.objects import ObjectKind, Value
from bot.domain.reasons import OutcomeReason, secmaster_reason
from bot.secmaster import SecMasterError, Unreachable


class FailedAnswer(Value):
    """What SecMaster said to a request that failed, or the network where there was no answer.

    ``message`` is empty where the answer gave no reason. ``cause`` is what the network says of a
    connection that did not come about, with what to do; it may name the proxy's address.
    ``unsent`` where IAM or the ECS metadata failed, so that SecMaster was not asked.
    """

    reason: OutcomeReason
    status: int | None = None
    code: str = ""
    message: str = ""
    request_id: str = ""
    cause: str = ""
    unsent: bool = False

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Return what an error says; that it is ours, of another than SecMaster's or a timeout."""
        if isinstance(error, TimeoutError):
            return cls(reason=OutcomeReason.UNAVAILABLE)
        if not isinstance(error, SecMasterError):
            return cls(reason=OutcomeReason.OWN_FAULT)
        return cls(
            reason=secmaster_reason(error),
            status=error.status,
            code=error.code,
            message="" if error.is_unexplained else error.message,
            request_id=error.request_id,
            cause=error.cause if isinstance(error, Unreachable) else "",
            unsent=error.unsent,
        )

    @property
    def is_answered(self) -> bool:
        """Whether SecMaster itself, or IAM before it, answered, and not a proxy or the network."""
        is_lost = self.reason in {OutcomeReason.UNREACHABLE, OutcomeReason.LOST_ANSWER}
        return self.status is not None and not is_lost


class PollStatus(Value):
    """How polling a workspace goes: since when, when it last succeeded, and how it fails now.

    ``attempted_at`` is when the last poll ended, however.
    ``failing_since`` is when the first poll began that failed since the last good one, ``answer``
    what was said to the last. ``playbooks_listed_at`` is when SecMaster last listed the runs of
    playbooks, None if it never did, and ``playbooks_answer`` what was said to the last request for
    that list where it alone failed. ``replica`` is which replica polled last.
    """

    workspace: str
    since: datetime
    attempted_at: datetime
    last_success_at: datetime | None = None
    failing_since: datetime | None = None
    answer: FailedAnswer | None = None
    playbooks_listed_at: datetime | None = None
    playbooks_answer: FailedAnswer | None = None
    replica: str = ""

    @property
    def failure(self) -> OutcomeReason:
        """Why polling fails now."""
        return self.answer.reason if self.answer else OutcomeReason.NONE


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """How polling and posting go in all workspaces.

    ``interval`` is the number of seconds between polls, ``behind`` by workspace how many seconds
    ago a poll should have succeeded, ``open`` how many objects are open by workspace and kind.
    ``queued`` counts what was to be posted by now and was not; ``closed_channels`` are the channels
    where nothing can be posted, each with Slack's error code.
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
