"""Approvals of an action that needs several people, and the request that collects them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.objects import Value
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor


class ApprovalIntent(StrEnum):
    """What a person does with an action that needs several approvals."""

    GIVE = "yes"
    WITHDRAW = "withdraw"
    DECLINE = "refuse"


class Approval(Value):
    """One person's approval: the operation that gave it, when and why.

    ``delegator`` is whose right was used, "" for the person's own; ``decision_fingerprint`` is
    that of the snapshot that they approved.
    """

    operation_id: str
    actor: Actor
    at: datetime
    reason: str = ""
    delegator: str = ""
    decision_fingerprint: str = ""

    @property
    def authority(self) -> str:
        """The id of the person whose right was used: it counts once, whoever uses it."""
        return self.delegator or self.actor.id


class ApprovalRequest(Value):
    """An action that waits for more approvals: those given, how many are needed, and until when.

    ``id`` is the operation that opened it. ``brake_applied`` means that only the retry brake asks
    for it, after ``brake_retries`` retries of the workflow within ``brake_within`` seconds.
    """

    id: str
    action: str
    approvals: tuple[Approval, ...]
    needed: int
    expires_at: datetime
    break_glass_allowed: bool = False
    brake_applied: bool = False
    brake_retries: int = 0
    brake_within: float = 0


@dataclass(frozen=True, slots=True)
class ApprovalResult:
    """What became of an approval.

    Either the action has ``enough`` to be sent, and ``co_approvers`` are the other people's
    approvals of it; or ``request`` is what it waits in. ``ended_request`` is the request for
    another action that this ended, ``outdated_approvals`` are those of a snapshot that has
    changed since. ``reason`` says why the approval does not count: ALREADY_APPROVED by this
    person, SAME_AUTHORITY (the right they use was used), TOO_OLD (it would have expired by now),
    REQUEST_OVER (it was counted before, in a request that is over), ALREADY_SENDING.
    """

    enough: bool = False
    co_approvers: tuple[Approval, ...] = ()
    request: ApprovalRequest | None = None
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    reason: OutcomeReason = OutcomeReason.NONE
