"""What an operation does next: a table from a state and the result of its effect.

Pure: it reads no clock and asks nobody. When a step ended stands in its result, and how long to go
on stands in the operation, so that an operation that is resumed over its recorded results takes
the same course again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.actions import BY_NAME, needs_attribution
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.operations.step_results import (
    Preflight,
    PreflightResult,
    ResultKind,
    StepResult,
    UploadResult,
    WriteKind,
)
from bot.secmaster import WriteEffect


class Effect(StrEnum):
    """What the runner does in a state."""

    PREFLIGHT = "preflight"  # read the object, ask the policy again, take the key
    UPLOAD = "upload"  # bring the file to SecMaster
    ATTRIBUTE = "attribute"  # leave the comment that names who decides
    WRITE = "write"  # send the action itself
    VERIFY = "verify"  # read whether a write that is in doubt took effect
    CONCLUDE = "conclude"  # record the outcome, and give back the key unless it is done
    REPORT = "report"  # answer in the thread, and redraw the cards
    LAPSE = "lapse"  # end the approval request that it opened, once that has expired
    END = "end"


WRITES = {Effect.ATTRIBUTE: WriteKind.ATTRIBUTION, Effect.WRITE: WriteKind.ACTION}
SENDS = {write: effect for effect, write in WRITES.items()}


NO_PREFLIGHT = Preflight()
NO_RESULT = StepResult(kind=ResultKind.RETRYABLE, outcome=Outcome(state=OperationState.PENDING))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A write that may have taken effect: how that came about, and the seconds spent looking.

    A ``cause`` that is final is a refusal, or the last attempt, after an earlier doubt: what was
    sent before may have got through.
    """

    write: WriteKind
    cause: StepResult
    searched: float = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """What the thread is told while the operation goes on.

    ``write`` is the one that is in doubt, None where nothing was sent.
    """

    outcome: Outcome
    write: WriteKind | None


@dataclass(frozen=True, slots=True)
class State:
    """Where an operation stands: its next ``effect``, and what was learned before it.

    The runner gives the ``notice`` and waits for ``pause`` seconds before the effect. ``elapsed``
    is how many seconds the operation has taken until ``at``, ``attempt`` the number of pauses
    since it last made progress. Time has passed since the object was compared with what was
    decided on where it is ``outdated``. ``reported`` is what the thread was told of so far, and
    ``result`` the one that is concluded and reported.
    """

    operation: Operation
    at: datetime
    effect: Effect = Effect.PREFLIGHT
    pause: float = 0
    notice: Notice | None = None
    preflight: Preflight = NO_PREFLIGHT
    elapsed: float = 0
    attempt: int = 0
    outdated: bool = False
    doubt: Doubt | None = None
    doubts: int = 0
    reported: frozenset[WriteKind | None] = frozenset()
    result: StepResult = NO_RESULT

    @property
    def is_spent(self) -> bool:
        """Whether the budget is spent: an attempt that was in vain is then the last."""
        return self.elapsed >= self.operation.retry.budget

    @property
    def write(self) -> WriteKind | None:
        """The write that is sent or looked for in this state."""
        return self.doubt.write if self.doubt else WRITES.get(self.effect)


def start(operation: Operation) -> State:
    """Return the state in which an operation begins."""
    return State(operation, operation.accepted_at)


def next_state(state: State, result: StepResult) -> State:
    """Return the state that follows from the result of a state's effect.

    Raises KeyError for a result that this effect can't have.
    """
    transition = TABLE[state.effect, result.kind]
    # A clock that is set back makes no time, but what was waited for has passed.
    passed = (result.at - state.at).total_seconds() if result.at else 0
    passed = max(state.pause, passed)
    doubt = state.doubt and replace(state.doubt, searched=state.doubt.searched + passed)
    # While the process was down nothing was tried, though SecMaster may have gone on.
    spent = state.pause if result.resumed else passed
    current = replace(
        state,
        pause=0,
        notice=None,
        at=max(state.at, result.at or state.at),
        elapsed=state.elapsed + spent,
        doubt=doubt,
    )
    return transition(current, result)


def interrupted(state: State, code: str) -> State:
    """Return the state after a fault of our own, named by ``code``, broke off the effect."""
    is_action = state.write is WriteKind.ACTION
    outcome = Outcome(
        state=OperationState.UNKNOWN if is_action else OperationState.FAILED,
        reason_code=OutcomeReason.OWN_FAULT,
        code=code,
    )
    result = StepResult(kind=ResultKind.FINAL, outcome=outcome)
    return replace(state, effect=Effect.CONCLUDE, pause=0, notice=None, result=result)


# The transitions. Each is named for what it leads to.


def begin(state: State, result: StepResult) -> State:
    """The key is taken: go on to the file, to the attribution, or to the action."""
    state = replace(_with_preflight(state, result), outdated=False)
    return _proceed(state, Effect.UPLOAD) if state.operation.file else send_first(state, result)


def send_first(state: State, result: StepResult) -> State:
    """Everything is there: send the attribution where one is needed, or else the action."""
    if isinstance(result, UploadResult):
        action = BY_NAME[state.operation.action]
        [name] = [param.name for param in action.params if param.file]
        params = state.operation.params | {name: result.attachment_id}
        operation = state.operation.model_copy(update={"params": params})
        state = replace(state, operation=operation)
    first = Effect.ATTRIBUTE if needs_attribution(state.operation) else Effect.WRITE
    return _proceed(state, first)


def write(state: State, _result: StepResult) -> State:
    """The attribution comment is left: send the action."""
    return _proceed(state, Effect.WRITE)


def retry(state: State, result: StepResult) -> State:
    """Nothing was sent: try again after a pause, or give up."""
    if state.is_spent:
        return refuse(state, result)
    return _with_notice(_paused(state, result), result.outcome, None)


def verify(state: State, result: StepResult) -> State:
    """The write may have taken effect: read at once whether it did."""
    doubt, attempt = Doubt(WRITES[state.effect], result), state.attempt
    state = replace(_proceed(state, Effect.VERIFY), doubt=doubt, doubts=state.doubts + 1)
    if result.write_effect is WriteEffect.UNREACHED:
        state = replace(state, attempt=attempt)  # the pauses go on growing
    if state.doubts == 1:
        return state
    # This is more than one answer lost on its way.
    return _with_notice(state, result.outcome, doubt.write)


def refuse(state: State, result: StepResult) -> State:
    """The write was refused, or is given up: conclude, or read what an earlier one has done."""
    if not state.doubts:
        return conclude(state, result)
    last_word = result.model_copy(update={"kind": ResultKind.FINAL})
    return replace(_proceed(state, Effect.VERIFY), doubt=Doubt(WRITES[state.effect], last_word))


def look_again(state: State, result: StepResult) -> State:
    """The object could not be read: read again after a pause, or give up."""
    if state.is_spent:
        return conclude(state, result)
    return _with_notice(_paused(state, result), result.outcome, state.write)


def look_again_or_resend(state: State, result: StepResult) -> State:
    """The write does not show: read again, send it again once it would show by now, or give up."""
    schedule, doubt = state.operation.retry, state.doubt
    if doubt is None:
        raise ValueError("nothing is in doubt")
    if doubt.cause.kind is ResultKind.FINAL:
        return conclude(state, doubt.cause)
    if state.is_spent:
        return conclude(state, result)
    unreached = doubt.cause.write_effect is WriteEffect.UNREACHED
    if doubt.searched >= (schedule.settle_unreached if unreached else schedule.settle):
        attempt = state.attempt if unreached else 0
        resend = _proceed(state, SENDS[doubt.write])
        return replace(resend, outdated=True, attempt=attempt)
    state = _paused(state, result)
    if doubt.searched < schedule.report_after:
        return state
    return _with_notice(state, doubt.cause.outcome, doubt.write)


def confirm(state: State, result: StepResult) -> State:
    """The write took effect: go on to the action after the attribution, or conclude."""
    if state.write is WriteKind.ATTRIBUTION:
        # It was in doubt for a while, or this process has just begun.
        return replace(_proceed(state, Effect.WRITE), outdated=True)
    return conclude(state, result)


def conclude(state: State, result: StepResult) -> State:
    """The outcome is known, or nobody will know it: record it."""
    state = _with_preflight(state, result)
    if result.outcome.reason_code is OutcomeReason.LOST:
        return replace(state, effect=Effect.REPORT, result=result)  # the claim is its record
    if state.write is WriteKind.ATTRIBUTION:  # without it nothing is decided
        failure = {
            "state": OperationState.FAILED,
            "reason_code": OutcomeReason.ATTRIBUTION_FAILED,
        }
        outcome = result.outcome.model_copy(update=failure)
        result = result.model_copy(update={"outcome": outcome})
    return replace(state, effect=Effect.CONCLUDE, result=result)


def report(state: State, result: StepResult) -> State:
    """The outcome is on record: report it."""
    answer = {"snapshot": state.result.snapshot, "asked_at": state.result.asked_at}
    return replace(state, effect=Effect.REPORT, result=result.model_copy(update=answer))


def lapse(state: State, _result: StepResult) -> State:
    """The outcome is reported: end, or wait until the approval request that it opened expires."""
    request = state.result.outcome.approval_request
    if request is None or request.id != state.operation.id:
        return replace(state, effect=Effect.END)
    pause = max(0.0, (request.expires_at - state.at).total_seconds())
    return replace(state, effect=Effect.LAPSE, pause=pause)


def end(state: State, _result: StepResult) -> State:
    """Nothing more is to be done."""
    return replace(state, effect=Effect.END)


TABLE: dict[tuple[Effect, ResultKind], Callable[[State, StepResult], State]] = {
    (Effect.PREFLIGHT, ResultKind.DONE): begin,
    (Effect.PREFLIGHT, ResultKind.FINAL): conclude,
    (Effect.PREFLIGHT, ResultKind.RETRYABLE): retry,
    (Effect.UPLOAD, ResultKind.DONE): send_first,
    (Effect.UPLOAD, ResultKind.FINAL): conclude,
    (Effect.UPLOAD, ResultKind.RETRYABLE): retry,
    (Effect.ATTRIBUTE, ResultKind.DONE): write,
    (Effect.ATTRIBUTE, ResultKind.FINAL): refuse,
    (Effect.ATTRIBUTE, ResultKind.RETRYABLE): retry,
    (Effect.ATTRIBUTE, ResultKind.IN_DOUBT): verify,
    (Effect.WRITE, ResultKind.DONE): conclude,
    (Effect.WRITE, ResultKind.FINAL): refuse,
    (Effect.WRITE, ResultKind.RETRYABLE): retry,
    (Effect.WRITE, ResultKind.IN_DOUBT): verify,
    (Effect.VERIFY, ResultKind.DONE): confirm,
    (Effect.VERIFY, ResultKind.FINAL): conclude,
    (Effect.VERIFY, ResultKind.IN_DOUBT): look_again,
    (Effect.VERIFY, ResultKind.NOT_VISIBLE): look_again_or_resend,
    (Effect.CONCLUDE, ResultKind.DONE): report,
    (Effect.REPORT, ResultKind.DONE): lapse,
    (Effect.LAPSE, ResultKind.DONE): end,
}


def _proceed(state: State, effect: Effect) -> State:
    """Go on to another effect: nothing is in doubt, and the pauses begin anew."""
    return replace(state, effect=effect, attempt=0, doubt=None)


def _paused(state: State, result: StepResult) -> State:
    """Wait before the same effect, longer each time, and not beyond the budget."""
    schedule = state.operation.retry
    pause = schedule.pauses[min(state.attempt, len(schedule.pauses) - 1)]
    pause = max(min(pause, schedule.budget - state.elapsed), result.retry_after)
    return replace(state, pause=pause, attempt=state.attempt + 1, outdated=True)


def _with_preflight(state: State, result: StepResult) -> State:
    """Take over what the preflight found out, if it is its result."""
    if not isinstance(result, PreflightResult) or result.operation is None:
        return state
    return replace(state, operation=result.operation, preflight=result.preflight)


def _with_notice(state: State, outcome: Outcome, write: WriteKind | None) -> State:
    """Tell the thread of trouble once, and of each write that is in doubt, even after that."""
    if write in state.reported or (write is None and state.reported):
        return state
    return replace(state, notice=Notice(outcome, write), reported=state.reported | {write})
