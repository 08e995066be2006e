"""Every kind of failure is one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.operations import OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.messages import explain, modals, text_message
from bot.messages.errors import (
    CANNOT_POST,
    FAILURE_SENTENCES,
    failure_sentence,
    quotable,
    refusal_details,
)
from bot.messages.watch import subscription_undone
from bot.secmaster import SecMasterError
from bot.secmaster.errors import (
    AnswerLost,
    Forbidden,
    NotFound,
    Unavailable,
    Unreachable,
    Unreadable,
)
from tests.support.samples import ENGLISH
from tests.support.slack_limits import assert_slack_opens, assert_slack_takes
from tests.support.strategies import FEW, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

ERRORS = (
    SecMasterError,
    NotFound,
    Forbidden,
    Unreachable,
    AnswerLost,
    Unavailable,
    Unreadable,
)


# These say what the policy, a rule of ours or SecMaster refused, and are told as that.
GENERAL_TROUBLE = frozenset(
    {
        OutcomeReason.NONE,
        OutcomeReason.NOT_ALLOWED,
        OutcomeReason.NOT_NOW,
        OutcomeReason.CHANGED,
        OutcomeReason.LOST,
        OutcomeReason.TOO_OLD,
        OutcomeReason.ALREADY_APPROVED,
        OutcomeReason.SAME_AUTHORITY,
        OutcomeReason.NOT_YOUR_TURN,
        OutcomeReason.REQUEST_OVER,
        OutcomeReason.REQUEST_LAPSED,
        OutcomeReason.NO_REQUEST,
        OutcomeReason.ALREADY_SENDING,
        OutcomeReason.CANNOT_POST,
        OutcomeReason.ATTRIBUTION_FAILED,
        OutcomeReason.FILE_UNAVAILABLE,
        OutcomeReason.FILE_TOO_LARGE,
        OutcomeReason.READ_BACK,
        OutcomeReason.REFUSED,
        OutcomeReason.INVALID,
        OutcomeReason.NOT_FOUND,
        OutcomeReason.NOT_ROUTED,
        OutcomeReason.FORBIDDEN,
        OutcomeReason.CONFLICT,
    }
)


@FEW
@given(st.sampled_from(ERRORS), words, words, words)
def test_any_error_of_a_read_can_be_told(
    kind: type[SecMasterError], message: str, code: str, request_id: str
) -> None:
    text = explain(ENGLISH, kind(message, code=code, request_id=request_id))
    assert_slack_takes(text_message(text))
    assert_slack_opens(modals.failed(ENGLISH, "Details", text))


def test_every_reason_has_a_sentence_or_the_general_one() -> None:
    assert not set(FAILURE_SENTENCES) & GENERAL_TROUBLE
    assert set(OutcomeReason) == set(FAILURE_SENTENCES) | GENERAL_TROUBLE


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("reason", [*FAILURE_SENTENCES, OutcomeReason.NONE])
def test_what_failed_is_one_sentence_with_its_status_and_code(
    reason: OutcomeReason, status: int
) -> None:
    outcome = Outcome(
        state=OperationState.FAILED, reason_code=reason, status=status, code="SecMaster.0042"
    )
    text = failure_sentence(ENGLISH, outcome)
    assert f"(`HTTP {status} SecMaster.0042`)" in text
    assert text.endswith(".")
    assert text.count(". ") == 0
    plain = failure_sentence(ENGLISH, outcome.model_copy(update={"status": None, "code": ""}))
    assert "(" not in plain


def test_what_secmaster_said_brings_no_stop_of_its_own() -> None:
    outcome = Outcome(state=OperationState.FAILED, code="SecMaster.0042", message="It is over.")
    assert refusal_details(ENGLISH, outcome) == " Error: `SecMaster.0042` “It is over”."
    error = NotFound("It is over.", code="SecMaster.0042", request_id="r1")
    assert explain(ENGLISH, error).endswith(
        "SecMaster answered: `SecMaster.0042` It is over. Request ID: `r1`."
    )
    assert quotable("已结束。", 300) == "已结束"


@pytest.mark.parametrize("error_code", [*CANNOT_POST, "another"])
def test_a_subscription_that_was_undone_says_why_in_whole_sentences(error_code: str) -> None:
    text = subscription_undone(ENGLISH, "C0SOC", error_code).text
    assert ".." not in text
    assert text.endswith(". Once that is fixed, use `watch` there again.")
