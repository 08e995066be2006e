"""Approvals of an action that needs several people, and the request that collects them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from bot.domain.objects import Ref, Value
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import Snapshot, decision_fingerprint, due_end
from bot.domain.stages import Stage, Stages, stage_at, total
from bot.secmaster import DueHandle


class ApprovalIntent(StrEnum):
    """What a person does with an action that needs several approvals."""

    GIVE = "yes"
    WITHDRAW = "withdraw"
    DECLINE = "refuse"


class Approval(Value):
    """One person's approval: the operation that gave it, when and why.

    ``delegator`` is whose right was used, "" for the person's own; ``decision_fingerprint`` is
    that of the snapshot that they approved. ``stage`` is the number of the stage, from 0, that it
    counted for.
    """

    operation_id: str
    actor: Actor
    at: datetime
    reason: str = ""
    delegator: str = ""
    stage: int = 0
    decision_fingerprint: str = ""

    @property
    def authority(self) -> str:
        """The id of the person whose right was used: it counts once, whoever uses it."""
        return self.delegator or self.actor.id


def turn_of(stages: Stages, approvals: Sequence[Approval]) -> int:
    """Return the number of the first stage that lacks approvals; where none does, one too high."""
    for number, stage in enumerate(stages):
        if sum(approval.stage == number for approval in approvals) < stage.count:
            return number
    return len(stages)


def missing_in_turn(stages: Stages, approvals: Sequence[Approval]) -> int:
    """Return how many approvals the stage whose turn it is lacks; 0 where all are full."""
    turn = turn_of(stages, approvals)
    if turn == len(stages):
        return 0
    return stages[turn].count - sum(approval.stage == turn for approval in approvals)


def standing(stages: Stages, approvals: Sequence[Approval]) -> tuple[Approval, ...]:
    """Return the approvals that count: none of a stage before which another one lacks approvals.

    Whoever approves in a later stage relies on those before: without them it must be given anew.
    """
    turn = turn_of(stages, approvals)
    return tuple(approval for approval in approvals if approval.stage <= turn)


class ApprovalRequest(Value):
    """An action that waits for more approvals: those given, those needed by stage, and until when.

    ``id`` is the operation that opened it. Where it ends at its task's due date, ``due_handle`` is
    what SecMaster does then by itself. ``brake_applied`` means that only the retry brake asks
    for it, after ``brake_retries`` retries of the workflow within ``brake_within`` seconds.
    ``reopenings`` is how often a stage that was full lacked approvals again.
    """

    id: str
    action: str
    approvals: tuple[Approval, ...]
    stages: Stages
    expires_at: datetime
    due_handle: DueHandle | None = None
    break_glass_allowed: bool = False
    brake_applied: bool = False
    brake_retries: int = 0
    brake_within: float = 0
    reopenings: int = 0

    @property
    def turn_key(self) -> str:
        """What names the turn of its stage among all requests; another one if that opens again."""
        if not (self.turn or self.reopenings):
            return self.id
        return f"{self.id}:{self.turn}:{self.reopenings}"

    @property
    def needed(self) -> int:
        """How many approvals it needs, of all of its stages."""
        return total(self.stages)

    @property
    def missing(self) -> int:
        """How many approvals it still needs."""
        return self.needed - len(self.approvals)

    @property
    def turn(self) -> int:
        """The number of the stage whose turn it is; that of no stage where all are full."""
        return turn_of(self.stages, self.approvals)

    @property
    def current_stage(self) -> Stage:
        """The stage whose turn it is; the last one where all are full."""
        return stage_at(self.stages, self.turn)

    @property
    def missing_now(self) -> int:
        """How many approvals the stage whose turn it is still needs."""
        return missing_in_turn(self.stages, self.approvals)

    def approvals_in(self, number: int) -> tuple[Approval, ...]:
        """Return the approvals that counted for the stage of this number."""
        return tuple(approval for approval in self.approvals if approval.stage == number)

    def approval_by(self, authority: str) -> Approval | None:
        """Return the approval that used the right of this ``authority``; None if none did."""
        return next((each for each in self.approvals if each.authority == authority), None)

    def has_approval_of(self, user: str, authority: str) -> bool:
        """Whether a person approved, or the right of this ``authority`` was used."""
        return any(
            approval.actor.id == user or approval.authority == authority
            for approval in self.approvals
        )

    def approvals_of(self, decision_fingerprint: str) -> tuple[Approval, ...]:
        """Return the approvals that count for an object with this fingerprint."""
        return tuple(
            approval
            for approval in self.approvals
            if approval.decision_fingerprint in ("", decision_fingerprint)
        )

    def counted_for(self, snapshot: Snapshot) -> "ApprovalRequest":
        """Return the request with those approvals alone that were given to this snapshot."""
        approvals = standing(self.stages, self.approvals_of(decision_fingerprint(snapshot)))
        return self.model_copy(update={"approvals": approvals})

    def deadline(self, snapshot: Snapshot, now: datetime) -> tuple[datetime, DueHandle | None]:
        """Return when it ends: when it expires, or when its task is due where that is earlier.

        With it, what SecMaster does then by itself. The due date may have been moved since the
        request was opened.
        """
        return earlier_end(snapshot, now, self.expires_at)


def earlier_end(
    snapshot: Snapshot | None, now: datetime, expires_at: datetime
) -> tuple[datetime, DueHandle | None]:
    """Return when a request ends that expires then, and what SecMaster does at that moment.

    That is when its task is due where SecMaster ends the task by itself, and not later.
    """
    end = due_end(snapshot, now)
    return end if end and end[0] <= expires_at else (expires_at, None)


class RequestNews(Value):
    """What last happened to the requests about an object, if somebody withdrew or declined.

    ``needed`` is how many approvals the request needs, ``count`` how many were left.
    """

    action: str
    intent: Literal[ApprovalIntent.WITHDRAW, ApprovalIntent.DECLINE]
    actor: Actor
    at: datetime
    needed: int
    count: int = 0
    reason: str = ""


class CallPreference(StrEnum):
    """How a person is called for approvals: as the rule says, in a direct message, or not."""

    AS_RULED = "rule"
    DIRECT = "direct"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that waits for approvals, about which object, and where in Slack it was opened.

    ``batch_ts`` is the message of the batch that opened it, "" for one that was opened alone.
    """

    ref: Ref
    request: ApprovalRequest
    location: SlackLocation
    batch_ts: str = ""


@dataclass(frozen=True, slots=True)
class RequestRemains:
    """An approval was withdrawn, and others still wait in its ``request``.

    ``dropped_approvals`` are those of later stages, which don't count any more.
    """

    request: ApprovalRequest
    dropped_approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """The ``request``, as it was, is over: it was declined, or lost its only approval."""

    request: ApprovalRequest


@dataclass(frozen=True, slots=True)
class NotChanged:
    """There was nothing to withdraw or decline, or what was approved is being sent already."""

    reason: Literal[OutcomeReason.NO_REQUEST, OutcomeReason.ALREADY_SENDING]


ApprovalChange = RequestRemains | RequestEnded | NotChanged
