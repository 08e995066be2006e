"""What a thread says of an operation: how it ended, who came second, what is tried again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.endings import how_ended
from bot.domain.operations import Operation, OperationState, Outcome, Runner, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor, SlackFile
from bot.domain.stages import one_stage
from bot.messages import (
    RenderContext,
    break_glass_used,
    card,
    lost,
    not_announced,
    operation_results,
    outcome,
    still_trying,
)
from bot.messages.private_cards import AskedCommand
from tests.support.rendered import button_ids, elements, read
from tests.support.samples import ENGLISH, NOW, TASK, WAITING, operation, standing_operation
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
    assert text.startswith("✅ *Comment added by <@U0ALICE>.")
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
    refused = "❌ SecMaster refused the approval by <@U0ALICE>."
    assert text.startswith(f"{refused} Error: `SecMaster.0042` “not &lt;now&gt;”.")
    assert "`r-1`" in text


def test_what_nobody_knows_is_told_as_unknown() -> None:
    result = Outcome(state=OperationState.UNKNOWN, reason_code="restarted")
    text = outcome(
        ENGLISH, operation("instance.debug", task_id="n", input_dataobject="[]"), result
    ).text
    assert text.startswith(
        "❓ *It is unknown whether the debug command by <@U0ALICE> took effect.*"
    )
    assert "Check the run in SecMaster before you try again." in text


def test_what_is_already_decided_says_by_whom() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="not_now", blocking_status="finished")
    text = outcome(
        ENGLISH,
        operation("task.terminate"),
        result,
        standing_operation("task.approve", user="U0BOB"),
    ).text
    assert (
        "❌ This task is no longer open: ✅ Finished. Already approved by <@U0BOB>, <!date^" in text
    )
    assert "The termination was not sent." in text
    text = outcome(ENGLISH, operation("task.terminate"), result).text
    assert "✅ Finished. Decided outside Slack or automatically, —." in text
    by_name = result.model_copy(update={"decided_by": "Lin <Yue>", "decided_at": NOW})
    text = outcome(ENGLISH, operation("task.terminate"), by_name).text
    assert "Decided outside Slack by Lin &lt;Yue&gt;, <!date^" in text


@pytest.mark.parametrize(
    ("status", "due_handle"), [("canceled", "INTERRUPT"), ("finished", "CONTINUE")]
)
def test_a_task_that_ran_out_is_told_as_its_card_tells_it(status: str, due_handle: str) -> None:
    update = {"status": status, "due_handle": due_handle, "due_date": NOW, "update_time": NOW}
    ended = WAITING.model_copy(update=update | {"approver": "system"})
    result = Outcome(
        state=OperationState.FAILED,
        reason_code="not_now",
        blocking_status=status,
        decided_by=ended.decider,
        decided_at=NOW,
        task_ending=how_ended(ended),
    )
    text = outcome(ENGLISH, operation("task.approve"), result).text
    [sentence] = re.findall("⌛ .* automatically by SecMaster, .*?>[.]", text)
    assert sentence in read(card(RenderContext(TASK, NOW, ENGLISH), ended, None))


def test_who_may_override_is_told_of_which_action_their_approval_is() -> None:
    request = counted(approval("U0ALICE")).model_copy(update={"action": "task.terminate"})
    result = Outcome(state=OperationState.COUNTED, approval_request=request)
    message = operation_results.may_override(ENGLISH, operation("task.terminate"), result)
    assert message.text == (
        "🗳️ *Approvals to terminate: 1 of 2.* "
        "Your approval is recorded. In an emergency you may also decide alone."
    )


def test_a_run_that_is_not_in_the_right_state_says_which_that_would_be() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="not_now", blocking_status="FINISHED")
    text = outcome(ENGLISH, operation("instance.retry"), result).text
    assert "The run is now ✅ Finished. This is possible only while it is 🔴 Failed." in text
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
    assert "`SecMaster.404` “no file”" in text
    assert "SecMaster refused" in text
    assert "No task with ID" not in text
    text = outcome(ENGLISH, operation("task.approve"), result).text
    assert "No task with ID `t-1` in this workspace. The approval was not sent." in text


def test_a_reason_that_may_have_stayed_in_secmaster_is_not_kept_quiet() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="Conflict", code="SecMaster.0042")
    stays = "If the comment that names who decided was already added, it stays in SecMaster."
    assert stays in outcome(ENGLISH, operation("task.approve", reason="known"), result).text
    assert stays not in outcome(ENGLISH, operation("task.approve"), result).text
    assert stays not in outcome(ENGLISH, operation("instance.retry", reason="known"), result).text


def test_while_secmaster_is_in_trouble_it_is_said_that_the_work_is_kept() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="Unavailable", status=503)
    text = still_trying(ENGLISH, operation("task.approve"), result, None, 3600).text
    assert text.startswith("⏳ The approval by <@U0ALICE> has not been sent yet.")
    assert "keeps trying for up to 1 hr. Don't send it again." in text
    assert "HTTP 503" in text
    doubt = Outcome(state=OperationState.UNKNOWN, reason_code="AnswerLost")
    text = still_trying(ENGLISH, operation("task.approve"), doubt, "action", 45).text
    assert "It is not known yet whether the approval by <@U0ALICE> took effect." in text
    assert "The bot keeps checking SecMaster for up to 45 sec." in text
    text = still_trying(ENGLISH, operation("task.approve"), doubt, "attribution", 45).text
    assert "not known yet whether the comment that names who decided was added." in text
    assert "The approval by <@U0ALICE> has not been sent yet." in text


def test_whoever_came_second_is_told_who_came_first() -> None:
    text = lost(
        ENGLISH, operation("task.terminate"), standing_operation("task.approve", user="U0BOB")
    ).text
    assert "Already approved by <@U0BOB>" in text
    assert "The termination was not sent." in text
    holder = standing_operation("task.approve", user="U0BOB", state=OperationState.PENDING)
    text = lost(ENGLISH, operation("task.terminate"), holder).text
    assert "<@U0BOB> is approving this task right now." in text


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("done", "Already approved by <@U0ALICE>, <!date^"),
        ("pending", "<@U0ALICE> is approving this task right now."),
    ],
)
def test_whoever_presses_twice_is_told_that_the_second_press_was_not_sent(
    state: str, expected: str
) -> None:
    text = lost(
        ENGLISH,
        operation("task.approve"),
        standing_operation("task.approve", state=OperationState(state)),
    ).text
    assert text.startswith(f"✋ {expected}")
    assert text.endswith(" Your second press was not sent.")
    text = lost(
        ENGLISH,
        operation("task.terminate"),
        standing_operation("task.approve", state=OperationState(state)),
    ).text
    assert "second press" not in text
    assert "The termination was not sent." in text


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
        (Runner.ABSENT, "It resumes when its process is back."),
        (Runner.STOPPED, "It does not resume by itself."),
    ):
        interrupted = holder.model_copy(update={"runner": runner})
        text = lost(ENGLISH, operation("task.terminate"), interrupted).text
        assert text.startswith("✋ The approval by <@U0BOB> was interrupted.")
        assert expected in text
        assert "The termination was not sent." in text
        assert f"`secmaster-bot operations show {holder.operation.reference}`" in text
        assert "right now" not in text
        closed = Outcome(
            state=OperationState.FAILED,
            reason_code=OutcomeReason.NOT_NOW,
            blocking_status="CONTINUE",
        )
        text = outcome(ENGLISH, operation("task.terminate"), closed, interrupted).text
        assert "The approval by <@U0BOB> was interrupted." in text
    done = standing_operation("task.approve", user="U0BOB")
    stopped = done.model_copy(update={"runner": Runner.STOPPED})
    assert "Already approved" in lost(ENGLISH, operation("task.terminate"), stopped).text


def test_what_a_retry_overlaps_with_may_have_been_interrupted_as_well() -> None:
    holder = standing_operation("playbook.retry", user="U0BOB", state=OperationState.PENDING)
    interrupted = holder.model_copy(update={"runner": Runner.STOPPED})
    text = lost(ENGLISH, operation("instance.retry"), interrupted).text
    assert text.startswith("✋ <@U0BOB> retried the playbook run `p-1`, ")
    assert "The retry by <@U0BOB> was interrupted. It does not resume by itself." in text
    assert f"`secmaster-bot operations show {holder.operation.reference}`" in text


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
@given(grave_operations("task"), outcomes, words, words, st.sampled_from(["", CONSOLE]))
def test_any_emergency_override_can_be_announced(
    operation: Operation, result: Outcome, name: str, workspace: str, link: str
) -> None:
    message = break_glass_used(ENGLISH, operation, result, (name, workspace), link)
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
    assert_slack_takes(operation_results.approval_change_recorded(ENGLISH, ApprovalIntent.DECLINE))
    files = [SlackFile(id="F1", name="<!channel>")]
    assert_slack_takes(operation_results.recorded_in_part(ENGLISH, files, 3))


def test_every_reason_to_fail_has_a_text() -> None:
    texts, general = (
        set(operation_results.NOT_DONE_TEXTS),
        operation_results.REFUSED_BY_SECMASTER,
    )
    particular = operation_results.PARTICULAR
    assert not texts & general
    assert not particular & (texts | general)
    assert set(OutcomeReason) == texts | general | particular


def test_an_emergency_override_is_announced_by_name_with_what_it_bypassed() -> None:
    alone = operation("task.approve", reason="Bob is asleep").model_copy(
        update={"rule": "rule 2 (pairs)"}
    )
    done, target = Outcome(state=OperationState.DONE), ("Block 203.0.113.77", "soc-east")
    text = break_glass_used(ENGLISH, alone, done, target, "https://x/a/C1").text
    assert text.splitlines()[:3] == [
        "🚨 <https://x/a/C1|Block 203.0.113.77> in soc-east: *emergency override* by <@U0ALICE>.",
        "✅ Approved by <@U0ALICE>. This bypassed rule 2 “pairs”, which requires several people.",
        "> Bob is asleep",
    ]
    failed = Outcome(state=OperationState.FAILED, reason_code="Conflict")
    assert "❌ Nothing was done." in break_glass_used(ENGLISH, alone, failed, target, "").text
    unknown = Outcome(state=OperationState.UNKNOWN, reason_code="restarted")
    assert "❓ It is unknown" in break_glass_used(ENGLISH, alone, unknown, target, "").text


def counted(*approvals: Approval) -> ApprovalRequest:
    return ApprovalRequest(
        id="abc123ffff",
        action="task.approve",
        approvals=approvals,
        stages=one_stage(2),
        expires_at=NOW,
    )


def approval(user: str, delegator: str = "") -> Approval:
    return Approval(operation_id="o", actor=Actor(id=user), at=NOW, delegator=delegator)


def test_whoever_approved_already_is_told_so_and_can_withdraw() -> None:
    result = Outcome(
        state=OperationState.FAILED,
        reason_code=OutcomeReason.ALREADY_APPROVED,
        approval_request=counted(approval("U0ALICE")),
    )
    message = outcome(ENGLISH, operation("task.approve"), result)
    assert message.text.startswith("ℹ️ You already approved this. Waiting for 1 more.")
    assert "not sent" not in message.text
    [withdraw] = elements(message)
    assert (withdraw["action_id"], withdraw["text"]["text"]) == ("withdraw", "Withdraw my approval")
    assert withdraw["value"] == f"task.approve|{TASK}"


@pytest.mark.parametrize(
    ("delegator", "earlier", "sentence"),
    [
        ("", approval("U0DAVE", "U0ALICE"), "<@U0DAVE> already approved on your behalf, so your"),
        ("U0BOB", approval("U0BOB"), "<@U0BOB> already approved this, and you would approve on"),
        ("U0BOB", approval("U0DAVE", "U0BOB"), "<@U0DAVE> already approved on behalf of <@U0BOB>"),
    ],
)
def test_a_right_that_was_used_names_who_used_it_and_what_helps(
    delegator: str, earlier: Approval, sentence: str
) -> None:
    result = Outcome(
        state=OperationState.FAILED,
        reason_code=OutcomeReason.SAME_AUTHORITY,
        approval_request=counted(earlier),
    )
    approved = operation("task.approve")
    terms = approved.terms.model_copy(update={"delegator": delegator})
    text = outcome(ENGLISH, approved.model_copy(update={"terms": terms}), result).text
    assert text.startswith(f"ℹ️ {sentence}")
    advice = f"Another approver must approve, or <@{earlier.actor.id}> withdraws their approval"
    assert advice in text


@pytest.mark.parametrize("reason", OutcomeReason)
def test_the_same_is_offered_again_only_where_nothing_was_sent_and_it_may_succeed(
    reason: OutcomeReason,
) -> None:
    for state in (OperationState.FAILED, OperationState.UNKNOWN):
        message = outcome(
            ENGLISH, operation("task.approve"), Outcome(state=state, reason_code=reason)
        )
        offered = state is OperationState.FAILED and reason in operation_results.WORTH_REPEATING
        assert ("try-again" in button_ids(message)) == offered


def test_what_is_tried_again_in_a_thread_carries_nobodys_words_and_is_asked_first() -> None:
    result = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.UNREACHABLE)

    def button(action: str, **fields: str) -> tuple[AskedCommand, bool]:
        [element] = elements(outcome(ENGLISH, operation(action, **fields), result))
        command = AskedCommand.parse(element["value"])
        assert command
        assert (command.reason, command.params, command.key) == ("", {}, "")
        return command, "confirm" in element

    two = operation("task.approve").terms.model_copy(update={"stages": one_stage(2)})
    approved = operation("task.approve").model_copy(update={"terms": two})
    [element] = elements(outcome(ENGLISH, approved, result))
    assert "Nothing is sent until 2 people" in element["confirm"]["text"]["text"]

    command, asks = button("task.approve")
    assert (command.action, command.button, command.incomplete) == (
        "task.approve",
        str(TASK),
        False,
    )
    assert asks
    for command, asks in (
        button("task.approve", reason="seen"),
        button("task.terminate"),
        button("task.comment", comment="mine"),
    ):
        assert (command.incomplete, asks) == (True, False)
    file = operation("task.attach", attachment_id="").model_copy(
        update={"file": SlackFile(id="F1")}
    )
    assert elements(outcome(ENGLISH, file, result)) == []


@pytest.mark.parametrize("reason", OutcomeReason)
def test_no_text_shows_the_names_of_its_placeholders(reason: OutcomeReason) -> None:
    result = Outcome(state=OperationState.FAILED, reason_code=reason, code="SecMaster.1")
    for action in ("task.approve", "instance.retry"):
        text = outcome(ENGLISH, operation(action), result).text
        placeholders = re.findall(r"\{\w*\}", text)
        assert not set(placeholders) - {"{date_short_pretty}", "{time}"}
