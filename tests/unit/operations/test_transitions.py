"""The table of transitions, without a server, a database or an event loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import ApprovalRequest
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor, SlackFile, SlackLocation
from bot.domain.stages import one_stage
from bot.operations import transitions
from bot.operations.step_results import (
    Preflight,
    PreflightResult,
    ResultKind,
    StepResult,
    UploadResult,
    WriteKind,
)
from bot.operations.transitions import TABLE, Effect, State, next_state
from bot.runtime.timeouts import RetrySchedule
from bot.secmaster import WriteEffect
from tests.support.strategies import SOME

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DONE = Outcome(state=OperationState.DONE)
FAILED = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.CONFLICT)
BUSY = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.UNAVAILABLE)
UNKNOWN = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.LOST_ANSWER)
NOT_VISIBLE = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.NOT_VISIBLE)
OUTCOMES = {
    ResultKind.DONE: DONE,
    ResultKind.FINAL: FAILED,
    ResultKind.RETRYABLE: BUSY,
    ResultKind.IN_DOUBT: UNKNOWN,
    ResultKind.NOT_VISIBLE: NOT_VISIBLE,
}


def operation(**fields: object) -> Operation:
    return Operation.model_validate(
        {
            "id": "0f" * 16,
            "action": "task.approve",
            "ref": Ref(kind="task", id="t1"),
            "actor": Actor(id="U0ALICE"),
            "location": SlackLocation(channel="C0SOC", card="1.0"),
            "accepted_at": START,
            **fields,
        }
    )


WITH_REASON = {"reason": "seen", "terms": PolicyTerms()}
FILE = {"action": "task.attach", "file": SlackFile(id="F1", name="a.txt")}


def result_of(
    state: State, kind: ResultKind, seconds: float = 0, outcome: Outcome | None = None
) -> StepResult:
    """Return the result of a state's effect, which took so long after its pause."""
    at = state.at + timedelta(seconds=state.pause + seconds)
    if state.effect in (Effect.CONCLUDE, Effect.REPORT, Effect.LAPSE):
        outcome = state.result.outcome  # these end nothing themselves
    facts = {"kind": kind, "outcome": outcome or OUTCOMES[kind], "at": at}
    match state.effect:
        case Effect.PREFLIGHT:
            return PreflightResult(operation=state.operation, preflight=Preflight(), **facts)
        case Effect.UPLOAD:
            return UploadResult(attachment_id="a1", **facts)
        case _:
            return StepResult(**facts)


def follow(state: State, *kinds: ResultKind) -> State:
    """Return the state after results of these kinds, none of which took any time."""
    for kind in kinds:
        state = next_state(state, result_of(state, kind))
    return state


def possible(state: State) -> list[ResultKind]:
    return [kind for effect, kind in TABLE if effect is state.effect]


# The way without trouble.


def test_an_approval_at_rest_is_read_written_recorded_and_told() -> None:
    effects, state = [], transitions.start(operation())
    while state.effect is not Effect.END:
        effects.append(state.effect)
        state = follow(state, ResultKind.DONE)
    assert effects == [Effect.PREFLIGHT, Effect.WRITE, Effect.CONCLUDE, Effect.REPORT]
    assert state.reported == frozenset()


def test_a_reason_is_left_before_the_decision_is_sent() -> None:
    state = follow(transitions.start(operation(**WITH_REASON)), ResultKind.DONE)
    assert state.effect is Effect.ATTRIBUTE
    assert follow(state, ResultKind.DONE).effect is Effect.WRITE


def test_a_file_is_brought_first_and_its_id_is_then_a_parameter() -> None:
    state = follow(transitions.start(operation(**FILE)), ResultKind.DONE)
    assert state.effect is Effect.UPLOAD
    state = follow(state, ResultKind.DONE)
    assert state.effect is Effect.WRITE
    assert state.operation.params == {"attachment_id": "a1"}


def test_what_the_preflight_found_out_goes_on_with_the_operation() -> None:
    terms, preflight = PolicyTerms(stages=one_stage(2)), Preflight(status="waiting", attempt=3)
    result = PreflightResult(
        kind=ResultKind.DONE,
        outcome=DONE,
        operation=operation(terms=terms),
        preflight=preflight,
    )
    state = next_state(transitions.start(operation()), result)
    assert (state.operation.terms, state.preflight) == (terms, preflight)


def test_who_came_second_is_told_and_nothing_is_concluded() -> None:
    state = transitions.start(operation())
    lost = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.LOST)
    state = next_state(state, result_of(state, ResultKind.FINAL, outcome=lost))
    assert state.effect is Effect.REPORT


def test_a_request_that_was_opened_lapses_once_it_has_expired() -> None:
    request = ApprovalRequest(
        id=operation().id,
        action="task.approve",
        approvals=(),
        stages=one_stage(2),
        expires_at=START + timedelta(minutes=7),
    )
    counted = Outcome(state=OperationState.COUNTED, approval_request=request)
    state = transitions.start(operation(terms=PolicyTerms(stages=one_stage(2), expires=900)))
    state = next_state(state, result_of(state, ResultKind.FINAL, outcome=counted))
    state = follow(state, ResultKind.DONE, ResultKind.DONE)
    assert (state.effect, state.pause) == (Effect.LAPSE, 420)  # the task may be due before
    assert follow(state, ResultKind.DONE).effect is Effect.END


# Trouble.


def test_what_was_not_sent_is_tried_again_and_told_once() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.RETRYABLE)
    assert (state.effect, state.pause, state.outdated) == (Effect.WRITE, 1, True)
    assert state.notice is not None
    assert state.notice.write is None
    state = follow(state, ResultKind.RETRYABLE)
    assert (state.effect, state.pause, state.notice) == (Effect.WRITE, 2, None)
    assert follow(state, ResultKind.DONE).result.outcome == DONE


def test_secmaster_is_left_alone_for_as_long_as_it_asks() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE)
    result = result_of(state, ResultKind.RETRYABLE).model_copy(update={"retry_after": 40})
    assert next_state(state, result).pause == 40


def test_the_budget_is_spent_in_time_and_then_one_attempt_was_in_vain() -> None:
    schedule = RetrySchedule(pauses=(60,), budget=150)
    state, sends = follow(transitions.start(operation(retry=schedule)), ResultKind.DONE), 0
    while state.effect is Effect.WRITE:
        sends += 1
        state = next_state(state, result_of(state, ResultKind.RETRYABLE, seconds=30))
    assert state.effect is Effect.CONCLUDE
    assert state.result.outcome == BUSY
    assert sends == 3  # after 30 s, 120 s and 180 s: the last pause ends with the budget
    assert state.elapsed == 180


def test_a_clock_that_is_set_back_spends_what_was_waited_for() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.RETRYABLE)
    early = result_of(state, ResultKind.RETRYABLE).model_copy(
        update={"at": START - timedelta(hours=1)}
    )
    assert next_state(state, early).elapsed == 1


@pytest.mark.parametrize("kind", [WriteKind.ATTRIBUTION, WriteKind.ACTION])
def test_what_is_in_doubt_is_read_at_once_and_named(kind: WriteKind) -> None:
    fields = WITH_REASON if kind is WriteKind.ATTRIBUTION else {}
    state = follow(transitions.start(operation(**fields)), ResultKind.DONE, ResultKind.IN_DOUBT)
    assert (state.effect, state.pause, state.write) == (Effect.VERIFY, 0, kind)
    assert state.notice is None  # the first read may resolve it
    state = follow(state, ResultKind.IN_DOUBT)
    assert state.notice is not None
    assert state.notice.write is kind


def test_what_follows_an_attribution_in_doubt_is_compared_once_more() -> None:
    """A crash at the comment may have been long ago, and an answer that got lost took its time."""
    start = transitions.start(operation(**WITH_REASON))
    state = follow(start, ResultKind.DONE, ResultKind.IN_DOUBT, ResultKind.DONE)
    assert (state.effect, state.outdated) == (Effect.WRITE, True)
    state = follow(start, ResultKind.DONE, ResultKind.DONE)
    assert (state.effect, state.outdated) == (Effect.WRITE, False)


@pytest.mark.parametrize(
    ("effect", "seconds"), [(WriteEffect.POSSIBLE, 60), (WriteEffect.UNREACHED, 5)]
)
def test_a_write_is_sent_again_once_it_would_show_by_now(
    effect: WriteEffect, seconds: float
) -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE)
    doubt = result_of(state, ResultKind.IN_DOUBT).model_copy(update={"write_effect": effect})
    state, since = next_state(state, doubt), doubt.at
    assert since is not None
    while state.effect is Effect.VERIFY:
        result = result_of(state, ResultKind.NOT_VISIBLE)
        state = next_state(state, result)
    assert (state.effect, state.outdated) == (Effect.WRITE, True)
    assert seconds <= (state.at - since).total_seconds() < 2 * seconds


def test_reads_that_fail_do_not_count_as_looking_in_vain() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.IN_DOUBT)
    while (state.at - START).total_seconds() < 200:
        state = follow(state, ResultKind.IN_DOUBT)
        assert state.effect is Effect.VERIFY
    assert follow(state, ResultKind.NOT_VISIBLE).effect is Effect.WRITE


def test_a_refusal_after_a_doubt_may_answer_what_was_done_already() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.IN_DOUBT)
    while state.effect is Effect.VERIFY:
        state = follow(state, ResultKind.NOT_VISIBLE)
    refused = follow(state, ResultKind.FINAL)
    assert refused.effect is Effect.VERIFY
    assert follow(refused, ResultKind.DONE).result.outcome == DONE
    assert follow(refused, ResultKind.NOT_VISIBLE).result.outcome == FAILED


def test_a_refusal_without_a_doubt_is_the_end() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.FINAL)
    assert (state.effect, state.result.outcome) == (Effect.CONCLUDE, FAILED)


@pytest.mark.parametrize("end", [ResultKind.FINAL, ResultKind.RETRYABLE])
def test_without_the_attribution_nothing_is_decided(end: ResultKind) -> None:
    state = follow(transitions.start(operation(**WITH_REASON)), ResultKind.DONE)
    while state.effect is Effect.ATTRIBUTE:
        state = follow(state, end)
    assert state.effect is Effect.CONCLUDE
    outcome = state.result.outcome
    assert (outcome.state, outcome.reason_code) == (
        OperationState.FAILED,
        OutcomeReason.ATTRIBUTION_FAILED,
    )


def test_what_cannot_be_read_back_is_never_sent_again() -> None:
    fields = {"action": "instance.debug", "ref": Ref(kind="instance", id="i1")}
    state = follow(transitions.start(operation(**fields)), ResultKind.DONE, ResultKind.IN_DOUBT)
    unreadable = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.NOT_READABLE)
    state = next_state(state, result_of(state, ResultKind.FINAL, outcome=unreadable))
    assert (state.effect, state.result.outcome) == (Effect.CONCLUDE, unreadable)


def test_what_the_process_was_down_for_is_not_spent_but_counts_as_looking() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.IN_DOUBT)
    state = follow(state, ResultKind.NOT_VISIBLE)
    result = result_of(state, ResultKind.NOT_VISIBLE, seconds=900)
    state = next_state(state, result.model_copy(update={"resumed": True}))
    assert (state.effect, state.elapsed) == (Effect.WRITE, 1)


def test_a_gateway_that_does_not_reach_secmaster_is_asked_less_and_less_often() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE)
    sent_at = []
    while state.effect in (Effect.WRITE, Effect.VERIFY):
        kind = ResultKind.NOT_VISIBLE
        if state.effect is Effect.WRITE:
            sent_at.append(state.at)
            kind = ResultKind.IN_DOUBT
        result = result_of(state, kind).model_copy(update={"write_effect": WriteEffect.UNREACHED})
        state = next_state(state, result)
    gaps = [(after - before).total_seconds() for before, after in pairwise(sent_at)]
    assert gaps == sorted(gaps)
    assert gaps[:3] == [7, 8, 15]
    assert gaps[-1] == 60


def test_while_reading_secmaster_is_left_alone_for_as_long_as_it_asks() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.IN_DOUBT)
    result = result_of(state, ResultKind.IN_DOUBT).model_copy(update={"retry_after": 40})
    assert next_state(state, result).pause == 40


def test_what_is_given_up_after_a_doubt_is_read_once_more() -> None:
    state = follow(transitions.start(operation()), ResultKind.DONE, ResultKind.IN_DOUBT)
    while state.effect is Effect.VERIFY:
        state = follow(state, ResultKind.NOT_VISIBLE)
    while state.doubt is None:
        state = follow(state, ResultKind.RETRYABLE)
    assert follow(state, ResultKind.DONE).result.outcome == DONE
    assert follow(state, ResultKind.NOT_VISIBLE).result.outcome == BUSY
    assert follow(state, ResultKind.IN_DOUBT).result.outcome == UNKNOWN


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        ((), OperationState.FAILED),
        ((ResultKind.DONE,), OperationState.UNKNOWN),
        ((ResultKind.DONE, ResultKind.IN_DOUBT), OperationState.UNKNOWN),
    ],
    ids=["before anything was sent", "while it is sent", "while it is looked for"],
)
def test_a_fault_of_our_own_is_concluded(
    kinds: Sequence[ResultKind], outcome: OperationState
) -> None:
    state = transitions.interrupted(follow(transitions.start(operation()), *kinds), "KeyError")
    assert (state.effect, state.result.outcome.state) == (Effect.CONCLUDE, outcome)


def test_a_result_that_an_effect_cannot_have_is_refused() -> None:
    with pytest.raises(KeyError):
        follow(transitions.start(operation()), ResultKind.NOT_VISIBLE)


# A SecMaster of which only the time and what it answers are known.


@dataclass
class World:
    """Answers an operation's effects: how PUT and GET fare at a moment, in seconds since the start.

    A write is ``applied`` where PUT answers DONE, or it is in doubt and ``doubt_applies``.
    """

    put: Callable[[float], ResultKind]
    get: Callable[[float], ResultKind | None] = lambda _seconds: None
    doubt_applies: bool = False
    effects: list[Effect] = field(default_factory=list)
    notices: list[WriteKind | None] = field(default_factory=list)
    applied: list[WriteKind] = field(default_factory=list)

    def run(self, state: State, seconds_each: float = 0.1) -> State:
        """Take an operation to its end; returns its last state."""
        while state.effect is not Effect.END:
            self.effects.append(state.effect)
            if state.notice:
                self.notices.append(state.notice.write)
            state = next_state(state, result_of(state, self.answer(state), seconds_each))
        return state

    def answer(self, state: State) -> ResultKind:
        at = (state.at - START).total_seconds() + state.pause
        match state.effect:
            case Effect.ATTRIBUTE | Effect.WRITE:
                kind = self.put(at)
                in_doubt = kind is ResultKind.IN_DOUBT and self.doubt_applies
                if (kind is ResultKind.DONE or in_doubt) and state.write:
                    self.applied.append(state.write)
                return kind
            case Effect.VERIFY:
                visible = state.write in self.applied
                return self.get(at) or (ResultKind.DONE if visible else ResultKind.NOT_VISIBLE)
            case _:
                return ResultKind.DONE


def test_nine_minutes_of_503_to_writes_end_in_one_write_told_once() -> None:
    nine_minutes = World(put=lambda at: ResultKind.IN_DOUBT if at < 540 else ResultKind.DONE)
    state = nine_minutes.run(transitions.start(operation()))
    assert state.result.outcome.state is OperationState.DONE
    assert nine_minutes.applied == [WriteKind.ACTION]
    assert nine_minutes.notices == [WriteKind.ACTION]
    assert nine_minutes.effects.count(Effect.WRITE) >= 8
    assert 540 <= state.elapsed <= 600 + 61


def test_more_than_ten_minutes_of_503_to_writes_end_unknown_and_not_before_ten_minutes() -> None:
    for_ever = World(put=lambda _at: ResultKind.IN_DOUBT)
    state = for_ever.run(transitions.start(operation()))
    assert state.result.outcome == NOT_VISIBLE
    assert 600 <= state.elapsed <= 661


# Any way at all.

OPERATIONS = st.sampled_from([operation(), operation(**WITH_REASON), operation(**FILE)])
SENT = (Effect.ATTRIBUTE, Effect.WRITE)


@st.composite
def paths(draw: st.DrawFn) -> tuple[Operation, list[StepResult]]:
    """An operation, and the results of its effects up to its end."""
    start = draw(OPERATIONS)
    state = transitions.start(start)
    results: list[StepResult] = []
    while state.effect is not Effect.END and len(results) < 60:
        kind = draw(st.sampled_from(possible(state)))
        effect = draw(st.sampled_from(WriteEffect))
        result = result_of(state, kind, draw(st.floats(0, 120)))
        result = result.model_copy(
            update={"write_effect": effect, "retry_after": draw(st.sampled_from([0, 30]))}
        )
        results.append(result)
        state = next_state(state, result)
    return start, results


def states_of(start: Operation, results: Sequence[StepResult]) -> list[State]:
    states = [transitions.start(start)]
    for result in results:
        states.append(next_state(states[-1], result))
    return states


@SOME
@given(paths())
def test_no_write_follows_a_write_that_may_have_happened_without_a_read_between(
    path: tuple[Operation, list[StepResult]],
) -> None:
    start, results = path
    states = states_of(start, results)
    for (state, result), after in pairwise(zip(states, [*results, None], strict=True)):
        if state.effect in SENT and result and result.kind is ResultKind.IN_DOUBT:
            assert after[0].effect is Effect.VERIFY
        if after[0].effect in SENT and state.effect is after[0].effect:
            assert result is not None
            assert result.kind is ResultKind.RETRYABLE


@SOME
@given(paths())
def test_nothing_ends_without_a_conclusion_and_nothing_is_sent_after_it(
    path: tuple[Operation, list[StepResult]],
) -> None:
    effects = [state.effect for state in states_of(*path)]
    if Effect.END not in effects:
        return
    assert effects.count(Effect.CONCLUDE) == 1
    after = effects[effects.index(Effect.CONCLUDE) :]
    assert not {*SENT, Effect.VERIFY, Effect.PREFLIGHT, Effect.UPLOAD} & set(after)


@SOME
@given(paths())
def test_a_done_attribution_or_none_stands_before_every_decision(
    path: tuple[Operation, list[StepResult]],
) -> None:
    start, results = path
    states = states_of(start, results)
    first = next((i for i, state in enumerate(states) if state.effect is Effect.WRITE), None)
    if first is None or not start.reason:
        return
    before = [
        result.kind
        for state, result in zip(states[:first], results, strict=False)
        if state.effect is Effect.ATTRIBUTE or state.effect is Effect.VERIFY
    ]
    assert before[-1] is ResultKind.DONE


@SOME
@given(paths())
def test_every_prefix_of_what_was_recorded_leads_to_the_same_states(
    path: tuple[Operation, list[StepResult]],
) -> None:
    start, results = path
    states = states_of(start, results)
    read_again = [type(each).model_validate_json(each.model_dump_json()) for each in results]
    for length in range(len(results) + 1):
        assert states_of(start, read_again[:length]) == states[: length + 1]


@SOME
@given(paths())
def test_each_trouble_is_told_once(path: tuple[Operation, list[StepResult]]) -> None:
    notices = [state.notice.write for state in states_of(*path) if state.notice]
    assert len(notices) == len(set(notices))


@pytest.mark.parametrize("effect", [effect for effect in Effect if effect is not Effect.END])
def test_every_effect_has_a_row_for_each_result_that_it_can_have(effect: Effect) -> None:
    sent = {ResultKind.DONE, ResultKind.FINAL, ResultKind.RETRYABLE, ResultKind.IN_DOUBT}
    before = {ResultKind.DONE, ResultKind.FINAL, ResultKind.RETRYABLE}
    read = {ResultKind.DONE, ResultKind.FINAL, ResultKind.IN_DOUBT, ResultKind.NOT_VISIBLE}
    kinds = {
        Effect.PREFLIGHT: before,
        Effect.UPLOAD: before,
        Effect.ATTRIBUTE: sent,
        Effect.WRITE: sent,
        Effect.VERIFY: read,
    }
    expected = kinds.get(effect, {ResultKind.DONE})
    assert {kind for row_effect, kind in TABLE if row_effect is effect} == expected
