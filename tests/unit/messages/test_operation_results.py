"""What a thread says of an operation: how it ended, who came second, what is tried again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.operations import Operation, OperationState, Outcome, Runner, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import SlackFile
from bot.messages import (
    break_glass_used,
    lost,
    not_announced,
    operation_results,
    outcome,
    still_trying,
)
from tests.support.samples import ENGLISH, NOW, operation, standing_operation
from tests.support.slack_limits import CONSOLE, assert_slack_takes, markup_in
from tests.support.strategies import (
    FEW,
    SOME,
    grave_operations,
    operations,
    outcomes,
    standing_operations,
    words,
)

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def test_what_is_done_names_who_with_what_and_the_request() -> None:
    result = Outcome(state=OperationState.DONE, request_id="r-1")
    text = outcome(ENGLISH, operation("task.comment", comment="two\nlines"), result).text
    assert text.startswith("✅ *Comment added* by <@U0ALICE>.")
    assert "> two\n> lines" in text
    assert "ref abc123 · request `r-1`" in text


def test_what_secmaster_refused_has_its_code_and_words_and_what_was_not_done() -> None:
    result = Outcome(
        state=OperationState.FAILED,
        reason_code="Conflict",
        code="SecMaster.0042",
        message="not <now>",
        request_id="r-1",
    )
    text = outcome(ENGLISH, operation("task.approve"), result).text
    assert "`SecMaster.0042`: not &lt;now&gt;" in text
    assert "refused the approval by <@U0ALICE>" in text
    assert "so it was not done." in text
    assert "`r-1`" in text


def test_what_nobody_knows_is_told_as_unknown() -> None:
    result = Outcome(state=OperationState.UNKNOWN, reason_code="restarted")
    text = outcome(
        ENGLISH, operation("instance.debug", task_id="n", input_dataobject="[]"), result
    ).text
    assert "Nobody can say whether this debug command" in text
    assert "before you try again" in text


def test_what_is_already_decided_says_by_whom() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="not_now", blocking_status="finished")
    text = outcome(
        ENGLISH,
        operation("task.terminate"),
        result,
        standing_operation("task.approve", user="U0BOB"),
    ).text
    assert "✅ Finished, approved by <@U0BOB>" in text
    assert "The termination was not sent." in text
    text = outcome(ENGLISH, operation("task.terminate"), result).text
    assert "already decided: ✅ Finished, outside Slack or by itself" in text
    by_name = result.model_copy(update={"decided_by": "Lin <Yue>", "decided_at": NOW})
    text = outcome(ENGLISH, operation("task.terminate"), by_name).text
    assert "outside Slack by Lin &lt;Yue&gt;, <!date^" in text


def test_a_run_that_is_not_in_the_right_state_says_which_that_would_be() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="not_now", blocking_status="FINISHED")
    text = outcome(ENGLISH, operation("instance.retry"), result).text
    assert "A retry is for an instance that is failed; this one is ✅ Finished." in text
    assert "The retry was not sent." in text


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("task.attach", {"attachment_id": "a-9"}),
        ("task.detach", {"attachment_id": "a-9"}),
        ("task.uncomment", {"comment_id": "c-9"}),
    ],
)
def test_where_the_file_or_the_comment_may_be_unknown_the_task_is_not_called_so(
    name: str, params: dict[str, str]
) -> None:
    result = Outcome(
        state=OperationState.FAILED, reason_code="NotFound", code="SecMaster.404", message="no file"
    )
    text = outcome(ENGLISH, operation(name, **params), result).text
    assert "`SecMaster.404`: no file" in text
    assert "was not done" in text
    assert "knows no task" not in text
    text = outcome(ENGLISH, operation("task.approve"), result).text
    assert "SecMaster knows no task `t-1` here." in text


def test_a_reason_that_may_have_stayed_in_secmaster_is_not_kept_quiet() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="Conflict", code="SecMaster.0042")
    stays = "A comment on it that reached SecMaster stays there."
    assert stays in outcome(ENGLISH, operation("task.approve", reason="known"), result).text
    assert stays not in outcome(ENGLISH, operation("task.approve"), result).text
    assert stays not in outcome(ENGLISH, operation("instance.retry", reason="known"), result).text


def test_while_secmaster_is_in_trouble_it_is_said_that_the_work_is_kept() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="Unavailable", status=503)
    text = still_trying(ENGLISH, operation("task.approve"), result, None, 3600).text
    assert "tried again for 60 min" in text
    assert "HTTP 503" in text
    doubt = Outcome(state=OperationState.UNKNOWN, reason_code="AnswerLost")
    text = still_trying(ENGLISH, operation("task.approve"), doubt, "action", 45).text
    assert "reading until it is known whether the approval took effect" in text
    text = still_trying(ENGLISH, operation("task.approve"), doubt, "attribution", 45).text
    assert "whether the comment that names who decided was left" in text
    assert "The approval itself has not been sent yet." in text


def test_whoever_came_second_is_told_who_came_first() -> None:
    text = lost(
        ENGLISH, operation("task.terminate"), standing_operation("task.approve", user="U0BOB")
    ).text
    assert "Already approved by <@U0BOB>" in text
    assert "Your termination was not sent." in text
    holder = standing_operation("task.approve", user="U0BOB", state=OperationState.PENDING)
    text = lost(ENGLISH, operation("task.terminate"), holder).text
    assert "<@U0BOB> is approving this task right now." in text


@pytest.mark.parametrize(
    ("state", "expected"), [("done", "done already"), ("pending", "under way")]
)
def test_whoever_presses_twice_is_told_that_the_second_press_was_not_sent(
    state: str, expected: str
) -> None:
    text = lost(
        ENGLISH,
        operation("task.approve"),
        standing_operation("task.approve", state=OperationState(state)),
    ).text
    assert text == f"✋ Your approval is {expected}; this second press was not sent."
    text = lost(
        ENGLISH,
        operation("task.terminate"),
        standing_operation("task.approve", state=OperationState(state)),
    ).text
    assert "second press" not in text
    assert "Your termination was not sent." in text


@SOME
@given(operations(), outcomes, st.none() | standing_operations())
def test_however_an_operation_ends_slack_takes_the_news(
    operation: Operation, result: Outcome, standing: StandingOperation | None
) -> None:
    assert_slack_takes(outcome(ENGLISH, operation, result, standing))


@FEW
@given(
    operations(),
    outcomes,
    st.sampled_from([None, "attribution", "action"]),
    st.floats(0, 10**6),
)
def test_any_trouble_can_be_told(
    operation: Operation, result: Outcome, write: str | None, budget: float
) -> None:
    assert_slack_takes(still_trying(ENGLISH, operation, result, write, budget))


def test_what_holds_an_object_without_being_carried_on_is_not_said_to_be_under_way() -> None:
    holder = standing_operation("task.approve", user="U0BOB", state=OperationState.PENDING)
    for runner, expected in (
        (Runner.ABSENT, "waits for its process to come back."),
        (Runner.STOPPED, "nothing carries it on."),
    ):
        interrupted = holder.model_copy(update={"runner": runner})
        text = lost(ENGLISH, operation("task.terminate"), interrupted).text
        assert "The approval of this task by <@U0BOB> was interrupted, and" in text
        assert expected in text
        assert "Your termination was not sent." in text
        assert f"`secmaster-bot operations show {holder.operation.reference}`" in text
        assert "right now" not in text
        closed = Outcome(
            state=OperationState.FAILED,
            reason_code=OutcomeReason.NOT_NOW,
            blocking_status="CONTINUE",
        )
        text = outcome(ENGLISH, operation("task.terminate"), closed, interrupted).text
        assert ", and the approval by <@U0BOB> was interrupted" in text
    done = standing_operation("task.approve", user="U0BOB")
    stopped = done.model_copy(update={"runner": Runner.STOPPED})
    assert "Already approved" in lost(ENGLISH, operation("task.terminate"), stopped).text


@FEW
@given(operations(), standing_operations(), st.sampled_from(Runner))
def test_whoever_came_second_can_be_told(
    operation: Operation, holder: StandingOperation, runner: Runner
) -> None:
    assert_slack_takes(lost(ENGLISH, operation, holder.model_copy(update={"runner": runner})))


@pytest.mark.parametrize(
    "comment",
    ["a\n" * 1500, "&\n" * 1500, "a" + "\n" * 990 + "b" * 2000, "a" + "\u2028" * 990 + "&" * 2000],
    ids=["short lines", "entities", "empty lines", "other ends"],
)
def test_a_comment_of_many_lines_loses_neither_its_mark_nor_the_reference_below(
    comment: str,
) -> None:
    commented = operation("task.comment", comment=comment)
    message = outcome(ENGLISH, commented, Outcome(state=OperationState.DONE, request_id="r-1"))
    assert_slack_takes(message)
    text = "".join(markup_in(message.payload["blocks"]))
    assert "ref abc123 · request `r-1`" in text


@SOME
@given(grave_operations("task"), outcomes, words, st.sampled_from(["", CONSOLE]))
def test_any_broken_glass_can_be_announced(
    operation: Operation, result: Outcome, workspace: str, link: str
) -> None:
    message = break_glass_used(ENGLISH, operation, result, workspace, link)
    assert_slack_takes(message)
    assert_slack_takes(not_announced(ENGLISH, operation, "channel_not_found"))


@SOME
@given(grave_operations("task"), outcomes)
def test_no_line_of_somebodys_poses_as_a_receipt(operation: Operation, result: Outcome) -> None:
    forged = "ok\n_ref 123456 · rule 1 · HTTP 200_\r_ref 123456_\u2028_ref 123456_"
    signed = operation.model_copy(update={"reason": forged, "intent": ApprovalIntent.GIVE})
    answer = result.model_copy(
        update={"message": forged, "decided_by": forged, "blocking_status": forged}
    )
    lines = outcome(ENGLISH, signed, answer).text.splitlines()
    assert [line for line in lines if line.startswith("_ref")] == lines[-1:]
    assert lines[-1].startswith(f"_ref {operation.id[:6]}")


@pytest.mark.parametrize("action", TABLE, ids=list(BY_NAME))
def test_what_is_recorded_is_acknowledged_in_words_that_slack_takes(action: Action) -> None:
    assert_slack_takes(operation_results.recorded(ENGLISH, action))
    assert_slack_takes(operation_results.approval_change_recorded(ENGLISH))
    files = [SlackFile(id="F1", name="<!channel>")]
    assert_slack_takes(operation_results.recorded_in_part(ENGLISH, files, 3))


def test_every_reason_to_fail_has_a_text() -> None:
    texts, general = (
        set(operation_results.NOT_DONE_TEXTS),
        operation_results.REFUSED_BY_SECMASTER,
    )
    assert not texts & general
    assert set(OutcomeReason) == texts | general


@pytest.mark.parametrize("reason", OutcomeReason)
def test_no_text_shows_the_names_of_its_placeholders(reason: OutcomeReason) -> None:
    result = Outcome(state=OperationState.FAILED, reason_code=reason, code="SecMaster.1")
    for action in ("task.approve", "instance.retry"):
        text = outcome(ENGLISH, operation(action), result).text
        placeholders = re.findall(r"\{\w*\}", text)
        assert not set(placeholders) - {"{date_short_pretty}", "{time}"}
