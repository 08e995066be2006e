"""What is counted as what: a halt is no failure, and each way to end has one name."""

from datetime import UTC, datetime

import pytest

from bot.domain.approvals import ApprovalIntent
from bot.domain.deliveries import DeliveryKind, DeliveryOutcome
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason, secmaster_reason
from bot.domain.slack import Actor, SlackLocation
from bot.metrics import Ending, Metrics, ending_of
from bot.secmaster import (
    AnswerLost,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotRouted,
    Refused,
    RequestOutcome,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
)
from bot.secmaster.measured import outcome_of
from bot.slack.error_codes import SlackErrorKind
from bot.slack.measured import CallOutcome, SlackMethod

APPROVAL = Operation(
    id="17",
    action="task.approve",
    ref=Ref(kind="task", id="t"),
    actor=Actor(id="U0ALICE"),
    location=SlackLocation(),
    accepted_at=datetime(2026, 11, 26, tzinfo=UTC),
)


def ending(reason: OutcomeReason) -> Ending:
    return ending_of(APPROVAL, Outcome(state=OperationState.FAILED, reason_code=reason))


@pytest.mark.parametrize(
    "reason",
    [
        OutcomeReason.NOT_ALLOWED,  # a rule
        OutcomeReason.LOST,  # another person, who was first
        OutcomeReason.REQUEST_OVER,
        OutcomeReason.NOT_NOW,  # the state of the task
        OutcomeReason.CHANGED,
    ],
)
def test_what_a_rule_a_person_or_the_object_stops_is_halted_and_no_alert_rings(
    reason: OutcomeReason,
) -> None:
    assert ending(reason) is Ending.HALTED


@pytest.mark.parametrize(
    "kind",
    [
        AnswerLost,
        Conflict,
        Forbidden,
        Invalid,
        NotFound,
        NotRouted,
        Refused,
        Unavailable,
        Unreachable,
        Unreadable,
    ],
)
def test_what_secmaster_keeps_from_being_done_has_failed_unless_the_object_is_the_reason(
    kind: type[SecMasterError],
) -> None:
    is_of_the_object = kind in {Conflict, NotFound}
    expected = Ending.HALTED if is_of_the_object else Ending.FAILED
    assert ending(secmaster_reason(kind(""))) is expected


@pytest.mark.parametrize("reason", [OutcomeReason.OWN_FAULT, OutcomeReason.PERSON_UNKNOWN])
def test_what_is_the_bots_or_slacks_fault_has_failed(reason: OutcomeReason) -> None:
    assert ending(reason) is Ending.FAILED


@pytest.mark.parametrize(
    ("state", "intent", "expected"),
    [
        (OperationState.DONE, ApprovalIntent.GIVE, Ending.DONE),
        (OperationState.DONE, ApprovalIntent.WITHDRAW, Ending.CHANGED),
        (OperationState.DONE, ApprovalIntent.DECLINE, Ending.CHANGED),
        (OperationState.COUNTED, ApprovalIntent.GIVE, Ending.COUNTED),
        (OperationState.UNKNOWN, ApprovalIntent.GIVE, Ending.UNKNOWN),
    ],
)
def test_the_other_ends_go_by_their_state(
    state: OperationState, intent: ApprovalIntent, expected: Ending
) -> None:
    operation = APPROVAL.model_copy(update={"intent": intent})
    assert ending_of(operation, Outcome(state=state)) is expected


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable("", status=429), RequestOutcome.THROTTLED),
        (Unavailable("", status=503), RequestOutcome.UNAVAILABLE),
        (Forbidden("", status=403), RequestOutcome.REFUSED),
        (Conflict("", status=409), RequestOutcome.REFUSED),
        (Unreachable(""), RequestOutcome.UNREACHABLE),
        (AnswerLost(""), RequestOutcome.LOST),
        (Unreadable("", status=200), RequestOutcome.UNREADABLE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_answer_of_secmaster_has_its_outcome(
    error: SecMasterError, outcome: RequestOutcome
) -> None:
    assert outcome_of(error) is outcome


def test_each_refusal_of_slack_has_its_outcome() -> None:
    outcomes = [CallOutcome.of(kind) for kind in SlackErrorKind]
    assert len(set(outcomes)) == len(SlackErrorKind)


def test_a_method_that_the_list_lacks_is_counted_as_another() -> None:
    assert SlackMethod.named("chat.postMessage") is SlackMethod.CHAT_POST_MESSAGE
    assert SlackMethod.named("chat.invented") is SlackMethod.OTHER


def test_deliveries_begin_at_zero_with_the_kinds_that_there_are() -> None:
    counted = Metrics().registry.collect()
    samples = [sample for family in counted for sample in family.samples]
    kinds = {s.labels["kind"] for s in samples if s.name == "secmaster_bot_deliveries_total"}
    assert kinds == set(DeliveryKind) - {DeliveryKind.BATCH}


def test_two_bots_in_a_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.deliver(DeliveryKind.BUTTON, DeliveryOutcome.DONE)
    labels = {"kind": "button", "outcome": "done"}
    counted = [
        metrics.registry.get_sample_value("secmaster_bot_deliveries_total", labels)
        for metrics in (first, second)
    ]
    assert counted == [1, 0]
