"""Operations: one action asked for by one person, as it is recorded, and its outcome."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.deliveries import DeliveryKind
from bot.domain.endings import TaskEnding
from bot.domain.objects import Ref, Value
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.run_results import RunResult
from bot.domain.slack import Actor, SlackFile, SlackLocation
from bot.domain.snapshots import Change
from bot.domain.stages import ONE, Stages, total
from bot.runtime.timeouts import RetrySchedule
from bot.secmaster import Unread


class AttributionRule(StrEnum):
    """Which decisions leave a comment in SecMaster that names who decided."""

    ALWAYS = "always"
    WITH_REASON = "reason"
    NEVER = "never"


class PolicyTerms(Value):
    """The terms under which a rule allows an operation.

    As many distinct people as its ``stages`` ask for must ask for it within ``expires`` seconds,
    stage by stage. ``roles`` are those of the rule that the person has, or the delegator.
    ``break_glass_channel`` is the channel that is notified when somebody decides alone all the
    same; "" where nobody does. ``delegator`` is whose rights are used, if not the person's own.
    More than ``brake_retries`` retries of the ``failure_group`` within ``brake_within`` seconds
    ask for a second person; ``brake_applied`` means that they did. ``policy`` is the policy's
    fingerprint and ``identity`` who the person is in SecMaster, both for the audit.
    """

    stages: Stages = ONE
    roles: tuple[str, ...] = ()
    expires: float = 3600
    break_glass_allowed: bool = False
    break_glass_channel: str = ""
    delegator: str = ""
    comment: AttributionRule = AttributionRule.WITH_REASON
    policy: str = ""
    identity: str = ""
    failure_group: str = ""
    brake_retries: int = 0
    brake_within: float = 0
    brake_applied: bool = False

    @property
    def approvals(self) -> int:
        """How many people must ask for it, in all of the stages."""
        return total(self.stages)


class Operation(Value):
    """One action asked for by one person, as it is recorded before it is acknowledged.

    ``id`` comes from what can happen only once (a click, a command, a modal): the same id is
    the same operation. ``rule`` is the title of the rule that allowed it, under its ``terms``;
    both are those of the last time that the policy was asked. ``break_glass`` asks to decide
    alone, and ``confirmed`` says that the object's name was typed: the policy is asked again.
    ``process_id`` names the run of the process that accepted it: another run that finds it knows
    that the operation was recovered. A ``file`` is uploaded to SecMaster first, and its id there
    is then among the ``params``. ``decision_fingerprint`` is that of what the card showed, ""
    where unknown. ``co_approvers`` are the other people's approvals that it needed,
    ``revoked_approvals`` those that no longer count, since those people may not approve it any
    more. ``stage`` is the number of the stage that it counted for itself, None where it was not
    counted. An operation of a batch names the message that reports on the batch by its ts.
    ``delivery`` is how it was asked for, and ``received_at`` when that reached the bot.

    A workflow that is under way must take the same course after an upgrade: whatever decides
    about its course is recorded here, as ``retry`` is, or by a step.
    """

    id: str
    action: str
    ref: Ref
    actor: Actor
    location: SlackLocation
    params: dict[str, str] = Field({})
    reason: str = ""
    file: SlackFile | None = None
    rule: str = ""
    terms: PolicyTerms = PolicyTerms()
    break_glass: bool = False
    confirmed: bool = False
    retry: RetrySchedule = RetrySchedule()
    intent: ApprovalIntent = ApprovalIntent.GIVE
    decision_fingerprint: str = ""
    co_approvers: tuple[Approval, ...] = ()
    revoked_approvals: tuple[Approval, ...] = ()
    stage: int | None = None
    batch_ts: str = ""
    delivery: DeliveryKind = DeliveryKind.OTHER
    received_at: datetime | None = None
    accepted_at: datetime
    process_id: str = ""

    @property
    def reference(self) -> str:
        """Six characters that name this operation in comments, logs and threads."""
        return self.id[:6]


class OperationState(StrEnum):
    """How an operation ended, or that it has not.

    IN_DOUBT: a write was sent, and its effect is being looked for. COUNTED: an approval that
    waits for others.
    """

    PENDING = "pending"
    IN_DOUBT = "doubt"
    COUNTED = "counted"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


UNDER_WAY = (OperationState.PENDING, OperationState.IN_DOUBT)


class Runner(StrEnum):
    """Who carries out an operation that has not ended.

    ALIVE: a process does, or takes it up by itself. ABSENT: its process is gone, and goes on with
    it once it is back. STOPPED: nobody does, unless an operator has it carried on.
    """

    ALIVE = "alive"
    ABSENT = "absent"
    STOPPED = "stopped"


class PolicyRefusal(Value):
    """Why the policy refused, by which rule, and which roles it would allow it to.

    ``letters`` of the object's names look like others, or ``unread`` could not be read around it,
    where that is why.
    """

    reason: RefusalReason
    rule: str = ""
    roles: tuple[str, ...] = ()
    letters: str = ""
    unread: Unread | None = None


class Outcome(Value):
    """What became of an operation at SecMaster.

    FAILED means that it certainly did not happen, UNKNOWN that nobody could tell. ``reason_code``
    is why, and ``refusal`` what the policy said where it is NOT_ALLOWED; ``code``, ``message``,
    ``status`` (HTTP) and ``request_id`` are SecMaster's own.
    ``blocking_status`` is the status that did not allow it, ``decided_by`` and ``decided_at`` who
    brought that about and when, as far as SecMaster tells, and ``task_ending`` whether a task's
    due date did. ``status_before`` and ``status_after`` are those around the write,
    ``preflight_fingerprint`` is the decision fingerprint that was read right before it;
    ``duration`` is in seconds since the operation was accepted.
    ``attempt_before`` is the attempt of a run that had failed before it was retried,
    where the run is to be followed to its end; ``followed_run`` is the reference of the run that a
    decision let continue, "" where there is none. ``runs_unread`` says of a retried playbook
    instance that nobody knows which runs it takes up again.
    """

    state: OperationState
    reason_code: OutcomeReason = OutcomeReason.NONE
    refusal: PolicyRefusal | None = None
    code: str = ""
    message: str = ""
    status: int | None = None
    request_id: str = ""
    blocking_status: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    task_ending: TaskEnding | None = None
    changes: tuple[Change, ...] = ()
    approval_request: ApprovalRequest | None = None
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    dropped_approvals: tuple[Approval, ...] = ()
    status_before: str = ""
    status_after: str = ""
    preflight_fingerprint: str = ""
    duration: float = 0
    attempt_before: int | None = None
    followed_run: str = ""
    runs_unread: bool = False


class StandingOperation(Value):
    """The operation that holds a decision: shown on the card, and told to whoever comes second.

    ``runner`` is who carries out one that is under way; it is asked for where people are told.
    ``attempt_before`` is the attempt of a run that was retried, None for any other action.
    ``result`` is what came of a decision afterwards, where a card is drawn and that is known.
    """

    operation: Operation
    state: OperationState
    at: datetime
    runner: Runner = Runner.ALIVE
    attempt_before: int | None = None
    result: RunResult | None = None

    @property
    def is_interrupted(self) -> bool:
        """Whether it has not ended, and nobody carries it on now."""
        return self.state in UNDER_WAY and self.runner is not Runner.ALIVE
