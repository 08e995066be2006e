"""Stages of approvals in words: on the card, in the thread, in forms, and whoever comes early."""

from datetime import timedelta
from typing import Any

from bot.cli.audit_formats import COLUMNS
from bot.domain.actions import BY_NAME
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import decision_fingerprint
from bot.domain.stages import Stage
from bot.messages import approvals, operation_results, permissions
from bot.messages.blocks import RenderContext, Tally, first_of_several
from bot.policy.decide import Allowed
from tests.support.samples import ENGLISH, NOW, TASK, WAITING

APPROVE = BY_NAME["task.approve"]
STAGES = (Stage(count=1, roles=("approver",)), Stage(count=2, roles=("manager", "lead")))
BOB, DAVE = Actor(id="U0BOB", name="Bob"), Actor(id="U0DAVE", name="Dave")
TURN = "2 approvals by *manager* or *lead* are needed now."


def approval(actor: Actor, stage: int = 0) -> Approval:
    fingerprint = decision_fingerprint(WAITING)
    return Approval(
        operation_id=actor.id, actor=actor, at=NOW, stage=stage, decision_fingerprint=fingerprint
    )


def request(*given: Approval) -> ApprovalRequest:
    return ApprovalRequest(
        id="o", action=APPROVE.name, approvals=given, stages=STAGES, expires_at=NOW + HOUR
    )


HOUR = timedelta(hours=1)


def operation(actor: Actor, **fields: Any) -> Operation:
    return Operation(
        id="o" * 32,
        action=APPROVE.name,
        ref=TASK,
        actor=actor,
        location=SlackLocation(channel="C0SOC"),
        accepted_at=NOW,
        terms=PolicyTerms(stages=STAGES),
        **fields,
    )


def test_before_anybody_presses_a_card_says_who_is_needed_in_which_order() -> None:
    assert approvals.needed_line(ENGLISH, APPROVE, STAGES) == (
        "👥 *Approvals to approve: 0 of 3*\n"
        "First, 1 approval by *approver* is needed.\n"
        "Then, 2 approvals by *manager* or *lead* are needed."
    )


def test_a_request_on_the_card_stands_stage_by_stage() -> None:
    context = RenderContext(TASK, NOW, ENGLISH, "main")
    [block, _buttons] = approvals.request_blocks(context, WAITING, request(approval(BOB)))
    lines = block.to_dict()["text"]["text"].splitlines()
    assert lines[0] == "🗳️ *Approvals to approve: 1 of 3*"
    assert lines[1] == "✅ Stage 1, *approver*: 1 of 1"
    assert lines[2].startswith("✅ <@U0BOB>, ")
    assert lines[3] == "⏳ Stage 2, *manager* or *lead*: 0 of 2"
    assert lines[4] == TURN
    [block, _buttons] = approvals.request_blocks(context, WAITING, request(approval(DAVE, 1)))
    text = block.to_dict()["text"]["text"]
    assert "⏳ Stage 1, *approver*: 0 of 1" in text
    assert ": an earlier stage is open again, so it does not count" in text
    assert "1 approval by *approver* is needed now." in text


def test_the_thread_says_whose_turn_it_is_and_what_a_withdrawal_drops() -> None:
    counted = Outcome(state=OperationState.COUNTED, approval_request=request(approval(BOB)))
    assert TURN in approvals.approval_counted(ENGLISH, operation(BOB), counted)
    withdrawal = operation(BOB, intent=ApprovalIntent.WITHDRAW)
    ended = Outcome(
        state=OperationState.DONE, ended_request=request(approval(BOB), approval(DAVE, 1))
    )
    dropped = "The approval by <@U0DAVE> no longer counts: an earlier stage is open again."
    assert dropped in approvals.approval_changed(ENGLISH, withdrawal, ended)
    outcome = Outcome(state=OperationState.COUNTED, dropped_approvals=(approval(DAVE, 1),))
    assert dropped in approvals.side_effects(ENGLISH, operation(BOB), outcome)


def test_whoever_comes_early_or_late_is_told_whose_turn_it_is() -> None:
    early = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.NOT_YOUR_TURN)
    late = early.model_copy(update={"approval_request": request(approval(BOB))})
    for outcome, turn in (
        (early, "1 approval by *approver* is needed now."),
        (late, "2 approvals by *manager* or *lead* are needed now."),
    ):
        message = operation_results.outcome(ENGLISH, operation(DAVE), outcome)
        expected = f"ℹ️ It is not your turn: {turn} Your approval was not recorded."
        assert message.text.startswith(expected)


def test_a_confirmation_says_the_place_and_whose_turn_it_is() -> None:
    tally = Tally(0, STAGES, turn=0, missing=1)
    assert first_of_several(ENGLISH, tally) == (
        "You will be 1 of 3. Nothing is sent until 3 people have approved. "
        "1 approval by approver is needed now."
    )


def test_the_policys_answer_names_the_stages_in_their_order() -> None:
    text = permissions.explain_decision(ENGLISH, Allowed("rule 1", stages=STAGES))
    assert "First, 1 approval by approver is needed. Then, 2 approvals by manager or lead" in text


def test_the_audits_table_names_each_stage_that_an_approval_counted_for() -> None:
    record = operation(DAVE, stage=1, co_approvers=(approval(BOB),)).model_dump(mode="json")
    assert COLUMNS["approval_stage"](record) == "2 of 2 (manager or lead)"
    assert COLUMNS["other_approvers"](record) == "Bob (U0BOB), stage 1 of 2 (approver)"
    assert COLUMNS["approvals_needed"](record) == 3
