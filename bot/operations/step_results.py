"""What a step that asks SecMaster or Slack learned, as it is recorded."""

from enum import StrEnum

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.objects import Value
from bot.domain.operations import OperationState, Outcome, StandingOperation
from bot.domain.reasons import secmaster_reason
from bot.secmaster import Refused, SecMasterError, Unavailable

MAX_RETRY_AFTER = 60.0  # seconds, whatever Retry-After says


class ResultKind(StrEnum):
    """What a step learned."""

    FINAL = "final"  # the outcome is known, either way
    RETRYABLE = "retryable"  # nothing was sent, and it may be tried again
    IN_DOUBT = "in_doubt"  # something was sent, and nobody knows what became of it
    NOT_VISIBLE = "not_visible"  # SecMaster does not show the effect, yet


class StepResult(Value):
    """A step's result, and how many seconds SecMaster asked to be left alone for."""

    kind: ResultKind
    outcome: Outcome
    retry_after: float = 0


class Preflight(Value):
    """What was read before the write, as far as a later step needs it.

    ``card_ts`` and ``permalink`` say where the operation is talked about.
    """

    retry_count: int = 0
    card_ts: str = ""
    permalink: str = ""
    status: str = ""
    decision_fingerprint: str = ""


class PreflightResult(Value):
    """What stands before a write: the ``preflight``, or a ``result`` why it can't be sent.

    ``holder`` is who holds the key already, ``co_approvers`` gave the other approvals that it
    needed, ``ended_request`` is what it put an end to, ``outdated_approvals`` were given to
    something that has changed since.
    """

    result: StepResult | None = None
    preflight: Preflight = Preflight()
    holder: StandingOperation | None = None
    co_approvers: tuple[Approval, ...] = ()
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()


def failed(error: SecMasterError, *, sent: bool) -> StepResult:
    """Classify an error: a refusal is final, anything else may pass; ``sent`` leaves a doubt."""
    outcome = Outcome(
        state=OperationState.FAILED,
        reason_code=secmaster_reason(error),
        code=error.code,
        message=error.message,
        status=error.status,
        request_id=error.request_id,
    )
    if sent:
        unknown = outcome.model_copy(update={"state": OperationState.UNKNOWN})
        return StepResult(kind=ResultKind.IN_DOUBT, outcome=unknown)
    if isinstance(error, Refused):
        return final(outcome)
    seconds = error.retry_after if isinstance(error, Unavailable) else None
    retry_after = min(seconds or 0, MAX_RETRY_AFTER)
    return StepResult(kind=ResultKind.RETRYABLE, outcome=outcome, retry_after=retry_after)


def final(outcome: Outcome) -> StepResult:
    return StepResult(kind=ResultKind.FINAL, outcome=outcome)
