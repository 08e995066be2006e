"""What a step that touches SecMaster or Slack learned, as it is recorded."""

from enum import StrEnum

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.objects import Value
from bot.domain.operations import OperationState, Outcome, StandingOperation
from bot.domain.reasons import secmaster_reason
from bot.secmaster import Refused, SecMasterError, Unavailable

MAX_RETRY_AFTER = 60.0  # seconds, whatever Retry-After says


class ResultKind(StrEnum):
    """What a step learned.

    ``SETTLED`` is final either way. ``TROUBLE`` means that nothing was sent and that it may be
    tried again; ``DOUBT`` that something was sent and nobody knows what became of it;
    ``UNCHANGED`` that SecMaster does not show it, yet.
    """

    FINAL = "settled"
    RETRYABLE = "trouble"
    IN_DOUBT = "doubt"
    NOT_VISIBLE = "unchanged"


class StepResult(Value):
    """``wait`` is how many seconds SecMaster asked to be left alone."""

    kind: ResultKind
    outcome: Outcome
    retry_after: float = 0


class Preflight(Value):
    """What the look before the write showed, in as far as a later step needs it."""

    retry_count: int = 0
    card_ts: str = ""
    permalink: str = ""
    status: str = ""
    decision_fingerprint: str = ""


class PreflightResult(Value):
    """What stands before a write: the ``sight``, or an ``answer`` why it can't be sent now.

    ``holder`` is who has taken the key before, ``backing`` are the others whose yes it needed;
    ``ended`` is what it put an end to, ``outdated`` who said yes to something that has changed.
    """

    result: StepResult | None = None
    preflight: Preflight = Preflight()
    holder: StandingOperation | None = None
    co_approvers: tuple[Approval, ...] = ()
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()


def failed(error: SecMasterError, *, sent: bool) -> StepResult:
    """Sort an error: a no is final, anything else passes, and ``sent`` leaves a doubt."""
    outcome = Outcome(
        state=OperationState.FAILED,
        reason_code=secmaster_reason(error),
        code=error.code,
        message=error.message,
        status=error.status,
        request_id=error.request_id,
    )
    if sent:
        doubt = outcome.model_copy(update={"state": OperationState.UNKNOWN})
        return StepResult(kind=ResultKind.IN_DOUBT, outcome=doubt)
    if isinstance(error, Refused):
        return final(outcome)
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return StepResult(
        kind=ResultKind.RETRYABLE, outcome=outcome, retry_after=min(wait or 0, MAX_RETRY_AFTER)
    )


def final(outcome: Outcome) -> StepResult:
    return StepResult(kind=ResultKind.FINAL, outcome=outcome)
