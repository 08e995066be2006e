"""What becomes of a claim to the key of an action that may be sent only once."""

from dataclasses import dataclass
from typing import Literal

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.operations import Operation, StandingOperation
from bot.domain.reasons import OutcomeReason


@dataclass(frozen=True, slots=True)
class Taken:
    """The operation holds the key, or needs none: it may be sent.

    ``operation`` is the operation as it goes on: with its co-approvers. ``ended_request`` is the
    request for another action that this ended, ``outdated_approvals`` were given to a snapshot
    that has changed since, or under a rule with another number of stages, and
    ``dropped_approvals`` in a stage before which another one is open again.
    """

    operation: Operation
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    dropped_approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldBy:
    """Another operation holds the key: it came first."""

    holder: StandingOperation


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """The operation counts as an approval, in a request that waits for more of them.

    ``ended_request``, ``outdated_approvals`` and ``dropped_approvals`` are those of `Taken`.
    """

    request: ApprovalRequest
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    dropped_approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class NotCounted:
    """The operation does not count as an approval.

    ALREADY_APPROVED by this person in the ``request``; SAME_AUTHORITY: the right that they use
    was used in it; NOT_YOUR_TURN: another stage needs approvals now, and no ``request`` means that
    it is the first one; TOO_OLD: it would have expired by now. ``ended_request``,
    ``outdated_approvals`` and ``dropped_approvals`` are those of `Taken`.
    """

    reason: Literal[
        OutcomeReason.ALREADY_APPROVED,
        OutcomeReason.SAME_AUTHORITY,
        OutcomeReason.NOT_YOUR_TURN,
        OutcomeReason.TOO_OLD,
    ]
    request: ApprovalRequest | None = None
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    dropped_approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestOver:
    """The operation was counted before, in a request that is over by now, however it ended."""


AddedApproval = Taken | WaitingFor | NotCounted
Claim = AddedApproval | HeldBy | RequestOver
