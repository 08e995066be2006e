"""What a step of an operation learned, as it is recorded."""

from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.objects import Value
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason, secmaster_reason
from bot.secmaster import Refused, SecMasterError, Unavailable, WriteEffect

MAX_RETRY_AFTER = 60.0  # seconds, whatever Retry-After says


class WriteKind(StrEnum):
    """The writes that an operation may consist of, in their order."""

    ATTRIBUTION = "attribution"
    ACTION = "action"


class ResultKind(StrEnum):
    """What a step learned."""

    DONE = "done"  # it had its effect
    FINAL = "final"  # it will not have it: the outcome says why
    RETRYABLE = "retryable"  # nothing was sent, and it may be tried again
    IN_DOUBT = "in_doubt"  # something was sent, and nobody knows what became of it
    NOT_VISIBLE = "not_visible"  # SecMaster does not show the effect, yet


class StepResult(Value):
    """A step's result.

    ``at`` is when the step ended, None where no time is spent in it; ``resumed``: the process was
    down since the step before, and this is the first one after it. ``retry_after`` is how many
    seconds SecMaster asked to be left alone for. ``write_effect`` is what the answer proves about
    a write that is in doubt. ``snapshot`` is the object as SecMaster's answer shows it, as JSON,
    when it was asked at ``asked_at``. ``conclusion`` is the outcome as it was recorded in the same
    step, None where the operation goes on.
    """

    kind: ResultKind
    outcome: Outcome
    at: datetime | None = None
    resumed: bool = False
    retry_after: float = 0
    write_effect: WriteEffect = WriteEffect.POSSIBLE
    snapshot: str = ""
    asked_at: datetime | None = None
    conclusion: Outcome | None = None


class Preflight(Value):
    """What was read and claimed before the write, as far as a later step needs it.

    ``attempt`` is the one of a run that had failed. ``ended_request`` is what the operation put an
    end to, ``outdated_approvals`` were given to something that has changed since,
    ``dropped_approvals`` before an earlier stage was open again. ``run`` is the reference of the
    run that waits for a task. ``runs_unread`` says that nobody knows which runs a retry takes up
    again.
    """

    attempt: int = 0
    status: str = ""
    decision_fingerprint: str = ""
    run: str = ""
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    dropped_approvals: tuple[Approval, ...] = ()
    runs_unread: bool = False


class PreflightResult(StepResult):
    """What stands before a write.

    ``operation`` is the operation as it goes on, under the terms that hold now and with its card;
    None where it was not looked at. ``holder`` is who holds the key already.
    """

    operation: Operation | None = None
    preflight: Preflight = Preflight()
    holder: StandingOperation | None = None


R = TypeVar("R", bound=StepResult)


class UploadResult(StepResult):
    """The result of an upload, with the id that SecMaster gave the file."""

    attachment_id: str = ""


def ended(kind: type[R], outcome: Outcome) -> R:
    """Return the result of a step whose operation has its end on record."""
    is_done = outcome.state is OperationState.DONE
    result = ResultKind.DONE if is_done else ResultKind.FINAL
    return kind.model_validate({"kind": result, "outcome": outcome})


def failure(error: SecMasterError) -> Outcome:
    """Return the outcome of what SecMaster refused, or did not answer."""
    return Outcome(
        state=OperationState.FAILED,
        reason_code=secmaster_reason(error),
        code=error.code,
        message=error.message,
        status=error.status,
        request_id=error.request_id,
    )


def not_sent(error: SecMasterError) -> StepResult:
    """Classify an error before which nothing was sent: a refusal is final, the rest may pass."""
    if isinstance(error, Refused):
        return StepResult(kind=ResultKind.FINAL, outcome=failure(error))
    return StepResult(
        kind=ResultKind.RETRYABLE, outcome=failure(error), retry_after=_retry_after(error)
    )


def in_doubt(error: SecMasterError, effect: WriteEffect) -> StepResult:
    """Classify an error after which a write may have taken effect."""
    outcome = failure(error).model_copy(update={"state": OperationState.UNKNOWN})
    return StepResult(
        kind=ResultKind.IN_DOUBT,
        outcome=outcome,
        write_effect=effect,
        retry_after=_retry_after(error),
    )


def _retry_after(error: SecMasterError) -> float:
    seconds = error.retry_after if isinstance(error, Unavailable) else None
    return min(seconds or 0, MAX_RETRY_AFTER)


def failed(reason: OutcomeReason, **facts: object) -> Outcome:
    """Return the outcome of what certainly did not happen."""
    return Outcome.model_validate({"state": OperationState.FAILED, "reason_code": reason, **facts})
