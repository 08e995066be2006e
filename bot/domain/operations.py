"""One action asked for by one person: as it is recorded, and how it ended."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.objects import Ref, Value
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor, SlackFile, SlackLocation
from bot.domain.snapshots import Change


class PolicyTerms(Value):
    """Under which terms a rule allows something.

    So many distinct people must ask for it within ``expires`` seconds. ``glass`` is the channel
    that is told when somebody decides alone all the same, ``lender`` who lent them the right.
    ``comment`` is whether SecMaster is to keep a comment that names who decided. More than
    ``brake`` retries of what ``gathers`` names within ``brake_within`` seconds ask for a second
    person; ``braked`` is that they did.
    """

    approvals: int = 1
    expires: float = 3600
    break_glass_allowed: bool = False
    break_glass_channel: str = ""
    delegator: str = ""
    comment: Literal["always", "reason", "never"] = "reason"
    policy: str = ""
    identity: str = ""
    failure_group: str = ""
    brake_retries: int = 0
    brake_within: float = 0
    brake_applied: bool = False


class Operation(Value):
    """One action asked for by one person, as it is recorded before it is acknowledged.

    ``id`` comes from what can happen only once (a click, a command, a modal): the same id is
    the same operation. ``rule`` is the rule that allowed it, under its ``terms``. ``launch``
    names the run of the process that accepted it: another run finding it knows that it has been
    recovered. A ``file`` is brought to SecMaster first, and its id there then is among the
    ``params``. ``seen`` is the digest of what the card showed, "" where nobody can tell;
    ``backing`` are the others whose yes it needed, ``struck`` those whose yes it found to count
    no longer, since they may not say it any more. One of many names the message that tells of
    the ``batch`` by its ts.

    A flow that is under way must take the same course after an upgrade: whatever decides about
    its course is recorded here, and the default is how it was before.
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
    intent: ApprovalIntent = ApprovalIntent.GIVE
    decision_fingerprint: str = ""
    co_approvers: tuple[Approval, ...] = ()
    revoked_approvals: tuple[Approval, ...] = ()
    batch_ts: str = ""
    accepted_at: datetime
    process_id: str = ""

    @property
    def reference(self) -> str:
        """Six characters that name this operation in comments, logs and threads."""
        return self.id[:6]


class OperationState(StrEnum):
    """How an operation ended, or that it has not.

    ``doubt`` is a write that was sent and whose fate is being looked for; ``counted`` a yes that
    waits for others.
    """

    PENDING = "pending"
    IN_DOUBT = "doubt"
    COUNTED = "counted"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(Value):
    """What became of an operation at SecMaster.

    ``failed`` means that it certainly did not happen; ``unknown`` that nobody could tell.
    ``trouble`` names the kind of failure, for whoever words it; ``code`` and ``message`` are
    SecMaster's own. ``seen`` is the status that stood in the way, ``by`` and ``at`` who brought
    it about and when, as far as SecMaster tells. ``before`` and ``after`` are the statuses
    around the write, ``sight`` the digest of what was read right before it; ``took`` is seconds
    since it was accepted. ``follow`` is the retry count of a run before it was retried, where the
    run is to be followed to its end.
    """

    state: OperationState
    reason_code: OutcomeReason = OutcomeReason.NONE
    code: str = ""
    message: str = ""
    status: int | None = None
    request_id: str = ""
    blocking_status: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    changes: tuple[Change, ...] = ()
    approval_request: ApprovalRequest | None = None
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    status_before: str = ""
    status_after: str = ""
    preflight_fingerprint: str = ""
    duration: float = 0
    retries_before: int | None = None


class StandingOperation(Value):
    """Somebody's operation that stands: shown on the card, and told to whoever came second."""

    operation: Operation
    state: OperationState
    at: datetime
