"""The step before a write: what it reads, compares and asks, and whether it takes the key.

A test's name begins with the function that it is about.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import snapshots
from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalIntent
from bot.domain.attribution import attribution_comment, signed_comment
from bot.domain.claims import Taken
from bot.domain.endings import TaskEnding
from bot.domain.objects import Ref
from bot.domain.operations import OperationState, Outcome, PolicyRefusal
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.slack import SlackLocation
from bot.domain.snapshots import Change, StoredSnapshot
from bot.messages import approvals
from bot.operations import preflight, write
from bot.operations.step_results import (
    MAX_RETRY_AFTER,
    Preflight,
    PreflightResult,
    ResultKind,
    WriteKind,
)
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import stamp
from bot.slack.gateway import SlackFailed
from tests.support.operations import (
    ALLOW_ALL,
    LIN,
    PLAYBOOK_RUN,
    RUN,
    SAME_WORKFLOW_RUN,
    TASK,
    TASK_NAME,
    OperationStage,
    rule,
)
from tests.support.people import ALICE, BOB, CAROL, DAVE, SOC
from tests.support.samples import ENGLISH
from tests.support.watch import EVERA

TWO_APPROVERS = rule("task.*", roles=("approver", "oncall"), more="approvals = 2").replace(
    "['task.*']", "['task.approve', 'task.terminate']"
)
SELF = '[identities]\nemail_domain = "example.com"\n'
BRAKE = '[brake]\nretries = 1\nwithin = "1h"\n'
RUNNING = Ref(kind="instance", id=seed.INSTANCE_RUNNING)


def is_free(stage: OperationStage, ref: Ref = TASK) -> bool:
    """Whether nobody has the key of a decision on an object; whoever asks has it from then on."""
    action = "task.approve" if ref.kind == "task" else "instance.retry"
    group = BY_NAME[action].claim_group
    claim = stage.services.store.claims.claim(
        stage.operation(action, DAVE, ref=ref),
        f"{ref}:{group}:0",
        stage.clock.now(),
        StoredSnapshot(),
    )
    return isinstance(claim, Taken)


def is_untouched(stage: OperationStage, ref: Ref = TASK) -> bool:
    """Whether a preflight left no record and no claim."""
    return stage.audited(ref) == [] and is_free(stage, ref)


def refusal(result: PreflightResult) -> PolicyRefusal:
    """Return why the policy refused; the result must be nothing else."""
    assert result.kind is ResultKind.FINAL
    assert result.outcome.state is OperationState.FAILED
    assert result.outcome.reason_code is OutcomeReason.NOT_ALLOWED
    assert result.outcome.refusal is not None
    return result.outcome.refusal


# The key.


async def test_run_takes_the_key_of_what_was_decided_on(stage: OperationStage) -> None:
    operation = await stage.pressed("task.approve")
    result = await stage.preflight(operation)
    assert result.kind is ResultKind.DONE
    assert result.preflight.status == "waiting"
    assert result.preflight.decision_fingerprint == operation.decision_fingerprint
    assert stage.audited() == [(ALICE, "allowed")]
    assert not is_free(stage)


async def test_run_twice_for_one_operation_takes_the_key_once(stage: OperationStage) -> None:
    operation = stage.operation("task.approve")
    results = [await stage.preflight(operation) for _ in range(2)]
    assert [result.kind for result in results] == [ResultKind.DONE, ResultKind.DONE]
    assert stage.audited() == [(ALICE, "allowed")]


async def test_run_has_lost_where_another_operation_holds_the_key(stage: OperationStage) -> None:
    first = await stage.claimed("task.approve")
    result = await stage.preflight(stage.operation("task.terminate", BOB))
    assert (result.kind, result.outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.LOST)
    assert result.holder is not None
    assert result.holder.operation.id == first.id
    assert result.holder.operation.action == "task.approve"
    assert result.holder.state is OperationState.PENDING
    assert stage.audited() == [(ALICE, "allowed"), (BOB, "lost")]


async def test_run_takes_a_key_for_each_time_that_a_run_failed(stage: OperationStage) -> None:
    first = await stage.preflight(stage.operation("instance.retry"))
    stage.record(RUN)["retry_count"] = 1
    second = await stage.preflight(stage.operation("instance.retry", BOB))
    assert [result.kind for result in (first, second)] == [ResultKind.DONE] * 2
    assert [result.preflight.attempt for result in (first, second)] == [0, 1]


async def test_run_needs_no_key_for_a_comment(stage: OperationStage) -> None:
    for user in (ALICE, BOB):
        operation = stage.operation("task.comment", user, params={"comment": "hm"})
        assert (await stage.preflight(operation)).kind is ResultKind.DONE
    assert is_free(stage)


# What SecMaster says.


async def test_run_refuses_what_is_decided_already_and_says_by_whom(
    stage: OperationStage,
) -> None:
    operation = await stage.pressed("task.approve")
    stage.secmaster.world.update_task(TASK.id, {"action": "TERMINATE"}, EVERA)
    result = await stage.preflight(operation)
    outcome = result.outcome
    assert (result.kind, outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.NOT_NOW)
    assert (outcome.blocking_status, outcome.decided_by) == ("canceled", "Evera")
    assert outcome.decided_at is not None
    assert abs(stage.clock.now() - outcome.decided_at) < timedelta(minutes=1)
    assert is_untouched(stage)


async def test_run_says_of_what_has_run_out_that_nobody_decided(stage: OperationStage) -> None:
    operation = await stage.pressed("task.approve")
    task = stage.secmaster.world.tasks[TASK.id]
    task["due_date"] = stamp(stage.clock.now() + timedelta(hours=1))
    task["due_handle"] = "INTERRUPT"
    stage.clock.forward(hours=2)
    assert TASK.id in stage.secmaster.tick()
    outcome = (await stage.preflight(operation)).outcome
    assert outcome.task_ending is TaskEnding.CANCELLED
    assert is_untouched(stage)


async def test_run_refuses_to_retry_what_has_not_failed(stage: OperationStage) -> None:
    result = await stage.preflight(stage.operation("instance.retry", ref=RUNNING))
    outcome = result.outcome
    assert (result.kind, outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.NOT_NOW)
    assert (outcome.blocking_status, outcome.decided_by) == ("RUNNING", "")
    assert is_untouched(stage, RUNNING)


async def test_run_refuses_what_has_changed_with_the_differences_and_saves_what_it_read(
    stage: OperationStage,
) -> None:
    operation = await stage.pressed("task.approve")
    stage.record(TASK)["related_object"] = "Server containment"
    stage.comment("wrong host")
    result = await stage.preflight(operation)
    outcome = result.outcome
    assert (result.kind, outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.CHANGED)
    assert outcome.changes == (
        Change(label="related_object", before="Host containment", after="Server containment"),
        Change(label=snapshots.COMMENT, after="Lin Yue: wrong host"),
    )
    saved = stage.services.store.snapshots.as_json(outcome.preflight_fingerprint)
    current = await stage.services.workspaces.read(TASK)
    assert snapshots.parse("task", saved) == current
    assert is_untouched(stage)


async def test_run_refuses_what_nobody_can_compare_without_differences(
    stage: OperationStage,
) -> None:
    result = await stage.preflight(
        stage.operation("task.approve", decision_fingerprint="of-what-nobody-saved")
    )
    assert result.outcome.reason_code is OutcomeReason.CHANGED
    assert result.outcome.changes == ()
    assert is_untouched(stage)


async def test_run_does_not_mind_what_matters_to_no_decision(stage: OperationStage) -> None:
    operation = await stage.pressed("task.approve")
    stage.record(TASK)["review_comments"] = "Looks fine."
    assert (await stage.preflight(operation)).kind is ResultKind.DONE


async def test_run_takes_a_persons_own_comments_for_no_change(stage: OperationStage) -> None:
    fingerprint = await stage.shown(TASK)
    comment = await stage.claimed("task.comment", params={"comment": "checked"})
    await write.send(stage.services, comment, WriteKind.ACTION, None)
    operation = stage.operation("task.approve", decision_fingerprint=fingerprint)
    # It may have left its attribution before a crash.
    stage.comment(attribution_comment(operation, "Approval from Slack"))
    assert (await stage.preflight(operation)).kind is ResultKind.DONE


async def test_run_takes_anybody_elses_comment_for_a_change(stage: OperationStage) -> None:
    fingerprint = await stage.shown(TASK)
    comment = await stage.claimed("task.comment", BOB, params={"comment": "checked"})
    await write.send(stage.services, comment, WriteKind.ACTION, None)
    operation = stage.operation("task.approve", decision_fingerprint=fingerprint)
    [change] = (await stage.preflight(operation)).outcome.changes
    assert change.label == snapshots.COMMENT
    assert "checked" in change.after


async def test_run_takes_a_copy_of_a_persons_own_comment_for_a_change(
    stage: OperationStage,
) -> None:
    fingerprint = await stage.shown(TASK)
    comment = await stage.claimed("task.comment", params={"comment": "checked"})
    await write.send(stage.services, comment, WriteKind.ACTION, None)
    stage.comment("Don't! " + signed_comment(comment, "checked"))
    operation = stage.operation("task.approve", decision_fingerprint=fingerprint)
    [change] = (await stage.preflight(operation)).outcome.changes
    assert change.after.startswith("Lin Yue: Don't!")


@pytest.mark.parametrize(("asked_for", "waits"), [(7, 7), (3600, MAX_RETRY_AFTER), (None, 0)])
async def test_run_is_tried_again_while_secmaster_is_down(
    stage: OperationStage, asked_for: int | None, waits: float
) -> None:
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=503, retry_after=asked_for))
    result = await stage.preflight(stage.operation("task.approve"))
    assert (result.kind, result.retry_after) == (ResultKind.RETRYABLE, waits)
    assert result.outcome.reason_code is OutcomeReason.UNAVAILABLE
    assert is_untouched(stage)


async def test_run_takes_the_gateways_404_for_no_word_about_the_task(
    stage: OperationStage,
) -> None:
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=404))
    result = await stage.preflight(stage.operation("task.approve"))
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.FINAL,
        OutcomeReason.NOT_ROUTED,
    )
    assert is_untouched(stage)


async def test_run_ends_where_the_task_is_gone(stage: OperationStage) -> None:
    stage.secmaster.world.delete_task(TASK.id)
    result = await stage.preflight(stage.operation("task.approve"))
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.FINAL,
        OutcomeReason.NOT_FOUND,
    )
    assert is_untouched(stage)


async def test_run_reads_nothing_where_nothing_depends_on_it(stage: OperationStage) -> None:
    location = {"channel": SOC, "card": "17.000200"}
    operation = stage.operation("task.comment", location=location, params={"comment": "hm"})
    assert (await stage.preflight(operation)).kind is ResultKind.DONE
    assert stage.requests("GET") == 0


# The card.


async def test_run_posts_the_card_where_there_is_none(stage: OperationStage) -> None:
    operation = await stage.claimed("task.approve")
    [message] = stage.slack.messages(SOC)
    assert operation.location.card == message["ts"]
    assert message["text"].startswith(TASK_NAME)


async def test_run_goes_on_with_the_card_that_is_there(stage: OperationStage) -> None:
    first = await stage.claimed("task.approve")
    result = await stage.preflight(stage.operation("task.comment", params={"comment": "hm"}))
    assert result.operation is not None
    assert result.operation.location.card == first.location.card
    assert len(stage.slack.messages(SOC)) == 1


async def test_run_ends_where_the_card_can_not_be_posted(stage: OperationStage) -> None:
    stage.slack.archive(SOC)
    result = await stage.preflight(stage.operation("task.approve"))
    outcome = result.outcome
    assert (result.kind, outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.CANNOT_POST)
    assert outcome.code == "is_archived"
    assert is_untouched(stage)


async def test_run_posts_no_card_for_what_the_policy_refuses(stage: OperationStage) -> None:
    await stage.preflight(stage.operation("task.approve", DAVE))
    assert stage.slack.messages(SOC) == []


async def test_run_posts_the_card_once_though_its_process_died_after_it(
    stage: OperationStage,
) -> None:
    operation = stage.operation("task.approve", process_id="one that died")
    lost = Fault(on="chat.postMessage", hang_up=True, applied=True, times=1)
    await stage.slack.faults.set(lost)
    with pytest.raises(SlackFailed):
        await stage.preflight(operation)
    assert (await stage.preflight(operation)).kind is ResultKind.DONE
    assert len(stage.slack.messages(SOC)) == 1


# Approvals.


async def test_run_counts_an_approval_that_waits_for_another_one(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    result = await stage.preflight(stage.operation("task.approve"))
    outcome = result.outcome
    assert (result.kind, outcome.state) == (ResultKind.FINAL, OperationState.COUNTED)
    assert outcome.approval_request is not None
    assert outcome.approval_request.needed == 2
    assert [approval.actor.id for approval in outcome.approval_request.approvals] == [ALICE]
    assert stage.audited() == [(ALICE, "counted")]


async def test_run_takes_the_key_with_enough_approvals_and_names_the_others(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve", reason="checked the host"))
    result = await stage.preflight(stage.operation("task.approve", BOB))
    assert result.kind is ResultKind.DONE
    assert result.operation is not None
    [approval] = result.operation.co_approvers
    assert (approval.actor.id, approval.reason) == (ALICE, "checked the host")
    assert stage.audited() == [(ALICE, "counted"), (BOB, "allowed")]


async def test_run_counts_nobody_twice(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve"))
    result = await stage.preflight(stage.operation("task.approve"))
    outcome = result.outcome
    assert (result.kind, outcome.state) == (ResultKind.FINAL, OperationState.FAILED)
    assert outcome.reason_code is OutcomeReason.ALREADY_APPROVED
    assert outcome.approval_request is not None
    assert len(outcome.approval_request.approvals) == 1


async def test_run_counts_no_right_twice_whoever_uses_it(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    stage.delegate(ALICE, DAVE)
    await stage.preflight(stage.operation("task.approve"))
    result = await stage.preflight(stage.operation("task.approve", DAVE))
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.FINAL,
        OutcomeReason.SAME_AUTHORITY,
    )


async def test_run_ends_the_request_for_the_other_decision(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    first = stage.operation("task.approve")
    await stage.preflight(first)
    result = await stage.preflight(stage.operation("task.terminate", BOB))
    assert result.outcome.state is OperationState.COUNTED
    assert result.preflight.ended_request is not None
    assert result.preflight.ended_request.id == first.id


async def test_run_does_not_count_approvals_of_what_has_changed_since(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(await stage.pressed("task.approve"))
    stage.comment("wrong host")
    result = await stage.preflight(await stage.pressed("task.approve", BOB))
    assert result.outcome.state is OperationState.COUNTED
    assert [approval.actor.id for approval in result.preflight.outdated_approvals] == [ALICE]


async def test_run_after_a_crash_ends_where_its_request_is_over(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    counted = stage.operation("task.approve")
    await stage.preflight(counted)
    await stage.preflight(stage.operation("task.approve", intent=ApprovalIntent.WITHDRAW))
    result = await stage.preflight(counted)
    assert (result.kind, result.outcome.state) == (ResultKind.FINAL, OperationState.COUNTED)
    assert result.outcome.approval_request is None


async def test_run_is_tried_again_while_slack_does_not_tell_who_approved_before(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve"))
    stage.clock.forward(minutes=9, seconds=50)
    operation = await stage.pressed("task.approve", BOB)
    stage.clock.forward(seconds=30)  # what Slack said of Alice is too old, of Bob it is not
    await stage.close_directory()
    result = await stage.preflight(operation)
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.RETRYABLE,
        OutcomeReason.PERSON_UNKNOWN,
    )
    assert stage.audited() == [(ALICE, "counted")]


async def test_run_does_not_count_whoever_may_not_approve_any_more(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve", CAROL))
    stage.set_policy(rule("task.approve", more="approvals = 2"))
    result = await stage.preflight(stage.operation("task.approve", BOB))
    assert result.outcome.approval_request is not None
    assert [each.actor.id for each in result.outcome.approval_request.approvals] == [BOB]
    assert result.operation is not None
    assert [each.actor.id for each in result.operation.revoked_approvals] == [CAROL]
    assert stage.audited() == [(CAROL, "counted"), (CAROL, "struck"), (BOB, "counted")]


async def test_run_does_not_count_an_approval_that_would_have_expired_by_now(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    operation = stage.operation("task.approve")
    stage.clock.forward(minutes=61)
    result = await stage.preflight(operation)
    assert (result.kind, result.outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.TOO_OLD)
    assert is_untouched(stage)


# Withdrawing and declining.


async def test_run_withdraws_an_approval_without_asking_anybody(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    first = stage.operation("task.approve")
    await stage.preflight(first)
    stage.set_policy()  # allows nothing
    await stage.close_directory()
    reads, lookups = stage.requests("GET"), stage.calls("users.info")
    operation = stage.operation("task.approve", intent=ApprovalIntent.WITHDRAW)
    result = await stage.preflight(operation)
    assert (result.kind, result.outcome.state) == (ResultKind.FINAL, OperationState.DONE)
    assert result.outcome.ended_request is not None
    assert result.outcome.ended_request.id == first.id
    assert (stage.requests("GET"), stage.calls("users.info")) == (reads, lookups)


async def test_run_withdraws_one_approval_of_several(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS.replace("approvals = 2", "approvals = 3"))
    for user in (ALICE, BOB):
        await stage.preflight(stage.operation("task.approve", user))
    operation = stage.operation("task.approve", intent=ApprovalIntent.WITHDRAW)
    result = await stage.preflight(operation)
    assert result.outcome.state is OperationState.DONE
    assert result.outcome.approval_request is not None
    assert [each.actor.id for each in result.outcome.approval_request.approvals] == [BOB]


async def test_run_withdraws_nothing_from_what_is_being_sent(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    for user in (ALICE, BOB):
        await stage.preflight(stage.operation("task.approve", user))
    operation = stage.operation("task.approve", intent=ApprovalIntent.WITHDRAW)
    result = await stage.preflight(operation)
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.FINAL,
        OutcomeReason.ALREADY_SENDING,
    )


async def test_run_declines_what_waits_if_the_policy_allows_the_action(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    first = stage.operation("task.approve")
    await stage.preflight(first)
    refused = stage.operation("task.approve", DAVE, intent=ApprovalIntent.DECLINE)
    assert refusal(await stage.preflight(refused)).reason is RefusalReason.RULE
    now = stage.clock.now()
    assert len(stage.services.store.claims.approval_requests(TASK, now)) == 1

    declined = stage.operation("task.approve", CAROL, intent=ApprovalIntent.DECLINE)
    result = await stage.preflight(declined)
    assert result.outcome.state is OperationState.DONE
    assert result.outcome.ended_request is not None
    assert result.outcome.ended_request.id == first.id
    assert stage.audited() == [(ALICE, "counted"), (CAROL, "refuse")]


async def test_run_declines_also_what_has_changed_since(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    fingerprint = await stage.shown(TASK)
    await stage.preflight(stage.operation("task.approve"))
    stage.comment("wrong host")
    declined = stage.operation(
        "task.approve", BOB, intent=ApprovalIntent.DECLINE, decision_fingerprint=fingerprint
    )
    assert (await stage.preflight(declined)).outcome.state is OperationState.DONE


@pytest.mark.parametrize("intent", [ApprovalIntent.WITHDRAW, ApprovalIntent.DECLINE])
async def test_run_changes_nothing_where_nothing_waits(
    stage: OperationStage, intent: ApprovalIntent
) -> None:
    result = await stage.preflight(stage.operation("task.approve", intent=intent))
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.FINAL,
        OutcomeReason.NO_REQUEST,
    )


# The policy.


async def test_run_is_tried_again_while_slack_can_not_be_asked_who_somebody_is(
    stage: OperationStage,
) -> None:
    await stage.close_directory()
    result = await stage.preflight(stage.operation("task.approve"))
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.RETRYABLE,
        OutcomeReason.PERSON_UNKNOWN,
    )
    assert is_untouched(stage)


async def test_run_refuses_what_the_policy_refuses_on_what_is_read(stage: OperationStage) -> None:
    stage.set_policy(
        rule("task.approve", roles=("oncall",), more="name = 'hosts'\nwhen = {name = 'Isolate'}"),
        ALLOW_ALL,
    )
    result = await stage.preflight(stage.operation("task.approve"))
    assert refusal(result) == PolicyRefusal(
        reason=RefusalReason.RULE, rule="rule 1 (hosts)", roles=("oncall",)
    )
    assert is_untouched(stage)


async def test_run_returns_the_terms_of_the_rule_that_covers_what_is_read(
    stage: OperationStage,
) -> None:
    operation = await stage.pressed("task.approve")
    stage.set_policy(
        rule(
            "task.approve",
            more="name = 'hosts'\nwhen = {name = 'Isolate'}\napprovals = 2\nexpires = '30m'",
        ),
        ALLOW_ALL,
    )
    result = await stage.preflight(operation)
    assert result.operation is not None
    assert result.operation.rule == "rule 1 (hosts)"
    assert (result.operation.terms.approvals, result.operation.terms.expires) == (2, 1800)
    assert result.operation.terms.policy == stage.services.policy.current.fingerprint
    assert result.outcome.state is OperationState.COUNTED


async def test_run_reads_what_is_around_the_object_for_the_policy_that_is_asked(
    stage: OperationStage,
) -> None:
    asking = rule("task.approve", more="when = { severity = ['High'] }")
    stage.set_policy(asking)
    operation = stage.operation("task.approve")
    await stage.secmaster.faults.set(Fault(on="ShowAlert", hold=True))
    running = asyncio.create_task(stage.preflight(operation))
    await stage.secmaster.faults.until_held("ShowAlert")
    stage.set_policy(asking.replace("High", "Fatal"))
    await stage.secmaster.faults.clear()
    assert refusal(await running).reason is RefusalReason.NO_RULE
    assert sum("/soc/alerts/" in request.path for request in stage.secmaster.requests) == 2


# One read, for the comparison and for the policy: of two, a rule could allow one and the other be
# written to.


async def change_after_one_read(stage: OperationStage, **fields: str) -> None:
    """Change the task as soon as SecMaster has been asked about it once more."""
    reads = stage.requests("GET")
    await stage.secmaster.until(lambda: stage.requests("GET") > reads)
    stage.record(TASK).update(fields)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("Isolate host", "Delete host"), OutcomeReason.CHANGED),
        (("Delete host", "Isolate host"), OutcomeReason.NOT_ALLOWED),
    ],
    ids=["allowed first", "as decided on first"],
)
async def test_run_asks_the_policy_about_the_read_that_it_compares(
    stage: OperationStage, names: tuple[str, str], reason: OutcomeReason
) -> None:
    stage.set_policy(rule("task.approve", more="when = {name = 'Isolate'}"))
    stage.record(TASK)["name"] = "Delete host"
    operation = stage.operation("task.approve", decision_fingerprint=await stage.shown(TASK))
    stage.record(TASK)["name"] = names[0]
    change = asyncio.create_task(change_after_one_read(stage, name=names[1]))
    result = await stage.preflight(operation)
    await change
    assert (result.kind, result.outcome.reason_code) == (ResultKind.FINAL, reason)
    assert stage.requests("GET") == 2  # for the card, and for the preflight
    assert is_untouched(stage)


async def test_run_asks_a_rules_condition_about_what_it_reads(stage: OperationStage) -> None:
    stage.set_policy(rule("task.comment", more="when = {name = 'Isolate'}"))
    operation = await stage.pressed("task.comment", params={"comment": "hm"})
    stage.record(TASK)["name"] = "Delete host"
    denial = refusal(await stage.preflight(operation))
    assert denial.reason is RefusalReason.NO_RULE
    assert is_untouched(stage)


async def test_run_refuses_the_creator_that_it_reads(stage: OperationStage) -> None:
    stage.set_policy(SELF, rule("task.approve", more="self = false"))
    stage.record(TASK)["creator_name"] = "alice"
    operation = stage.operation("task.approve")
    denial = refusal(await stage.preflight(operation))
    assert denial.reason is RefusalReason.SELF
    assert is_untouched(stage)


async def test_run_refuses_what_has_become_overdue(stage: OperationStage) -> None:
    # Written past SecMaster, which would end the task at that time.
    stage.record(TASK)["due_date"] = stamp(stage.clock.now() + timedelta(minutes=1))
    stage.set_policy(
        rule("task.approve", roles=("oncall",), more="when = {overdue = true}"), ALLOW_ALL
    )
    operation = await stage.pressed("task.approve")
    assert operation.rule == "rule 2"
    stage.clock.forward(minutes=2)
    denial = refusal(await stage.preflight(operation))
    assert (denial.reason, denial.rule) == (RefusalReason.RULE, "rule 1")
    assert is_untouched(stage)


async def test_run_refuses_a_delegate_whose_delegation_was_revoked(stage: OperationStage) -> None:
    stage.delegate(ALICE, DAVE)
    operation = await stage.pressed("task.approve", DAVE)
    assert operation.terms.delegator == ALICE
    stage.revoke_delegation(ALICE, DAVE)
    denial = refusal(await stage.preflight(operation))
    assert denial.reason is RefusalReason.RULE
    assert is_untouched(stage)


async def test_run_counts_a_retry_of_a_workflow_that_was_retried_too_often(
    stage: OperationStage,
) -> None:
    second = await stage.pressed("instance.retry", BOB, ref=SAME_WORKFLOW_RUN)
    stage.set_policy(BRAKE, ALLOW_ALL)  # since the click
    first = await stage.preflight(stage.operation("instance.retry"))
    assert first.kind is ResultKind.DONE
    result = await stage.preflight(second)
    assert (result.kind, result.outcome.state) == (ResultKind.FINAL, OperationState.COUNTED)
    assert result.outcome.approval_request is not None
    assert result.outcome.approval_request.brake_applied
    assert result.operation is not None
    assert result.operation.terms.failure_group == seed.WORKFLOW_ENRICHMENT


async def test_run_counts_a_retry_by_the_workflow_that_it_reads(stage: OperationStage) -> None:
    stage.set_policy(BRAKE, ALLOW_ALL)
    assert (await stage.preflight(stage.operation("instance.retry"))).kind is ResultKind.DONE
    workflow = stage.record(SAME_WORKFLOW_RUN)["workflow"]
    read_later = dict(workflow)
    workflow["id"] = "another"  # no card tells of that as of a change
    operation = await stage.pressed("instance.retry", BOB, ref=SAME_WORKFLOW_RUN)
    workflow.update(read_later)
    assert operation.terms.failure_group == "another"
    assert (await stage.preflight(operation)).outcome.state is OperationState.COUNTED


# Once more, after time has passed.


async def test_recheck_finds_nothing_to_say_about_what_is_as_it_was(
    stage: OperationStage,
) -> None:
    result = await stage.preflight(stage.operation("task.approve"))
    assert result.operation is not None
    assert await preflight.recheck(stage.services, result.operation, result.preflight) is None


async def test_recheck_reads_nothing_for_what_may_be_sent_in_any_status(
    stage: OperationStage,
) -> None:
    stage.secmaster.world.delete_task(TASK.id)
    operation = stage.operation("task.comment", params={"comment": "hm"})
    assert await preflight.recheck(stage.services, operation, Preflight()) is None
    assert stage.requests("GET") == 0


async def test_recheck_refuses_a_run_that_failed_once_more(stage: OperationStage) -> None:
    result = await stage.preflight(stage.operation("instance.retry"))
    assert result.operation is not None
    stage.record(RUN)["retry_count"] = 1
    rechecked = await preflight.recheck(stage.services, result.operation, result.preflight)
    assert rechecked is not None
    assert (rechecked.kind, rechecked.outcome.reason_code) == (
        ResultKind.FINAL,
        OutcomeReason.NOT_NOW,
    )


# Requests that expire.


def ends_in_the_console(stage: OperationStage) -> None:
    stage.secmaster.world.update_task(TASK.id, {"action": "CONTINUE"}, LIN)


def vanishes(stage: OperationStage) -> None:
    stage.secmaster.world.delete_task(TASK.id)


def stays(_stage: OperationStage) -> None:
    pass


async def expired_request(stage: OperationStage) -> str:
    """Let a request for approvals expire; return its id."""
    stage.set_policy(TWO_APPROVERS)
    operation = stage.operation("task.approve")
    await stage.preflight(operation)
    stage.clock.forward(minutes=61)
    return operation.id


@pytest.mark.parametrize(
    ("happens", "is_told"), [(stays, True), (ends_in_the_console, False), (vanishes, False)]
)
async def test_lapse_ends_an_expired_request_and_tells_of_it_only_while_the_task_waits(
    stage: OperationStage, happens: Callable[[OperationStage], None], *, is_told: bool
) -> None:
    id_ = await expired_request(stage)
    happens(stage)
    outcome = await preflight.lapse(stage.services, stage.operation("task.approve", id=id_))
    assert (outcome.ended_request is not None) is is_told
    reason = OutcomeReason.REQUEST_LAPSED if is_told else OutcomeReason.NONE
    assert outcome.reason_code is reason
    assert stage.audited() == [(ALICE, "counted"), (ALICE, "lapsed")]


async def test_lapse_tells_of_it_also_while_secmaster_can_not_be_read(
    stage: OperationStage,
) -> None:
    id_ = await expired_request(stage)
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=404))
    outcome = await preflight.lapse(stage.services, stage.operation("task.approve", id=id_))
    assert outcome.reason_code is OutcomeReason.REQUEST_LAPSED


async def request_that_ends_when_due(stage: OperationStage, due_handle: str) -> str:
    """Let a task come due whose termination one of two has asked for; return the request's id."""
    stage.set_policy(TWO_APPROVERS)
    due = stage.clock.now() + timedelta(minutes=20)
    stage.record(TASK).update(due_date=stamp(due), due_handle=due_handle)
    result = await stage.preflight(operation := stage.operation("task.terminate"))
    request = result.outcome.approval_request
    assert request is not None
    assert abs(request.expires_at - due) < timedelta(seconds=1)
    assert request.due_handle == due_handle
    stage.clock.forward(minutes=20.1)
    return operation.id


@pytest.mark.parametrize(
    ("due_handle", "status", "happens"),
    [
        ("CONTINUE", "waiting", "approves it automatically"),
        ("INTERRUPT", "waiting", "cancels it automatically"),
        ("CONTINUE", "finished", "approves it automatically"),
        ("INTERRUPT", "canceled", ""),
    ],
)
async def test_lapse_ends_a_request_with_its_task_and_says_what_silence_does(
    stage: OperationStage, due_handle: str, status: str, happens: str
) -> None:
    id_ = await request_that_ends_when_due(stage, due_handle)
    stage.record(TASK).update(status=status, update_time=stamp(stage.clock.now()))
    outcome = await preflight.lapse(stage.services, stage.operation("task.terminate", id=id_))
    request = outcome.ended_request
    assert bool(request) is bool(happens)
    assert happens in (approvals.lapsed(ENGLISH, request) if request else "")


async def test_lapse_says_nothing_of_a_due_date_that_was_moved_and_of_what_somebody_decided(
    stage: OperationStage,
) -> None:
    for fields in (
        {"due_date": stamp(stage.clock.now() + timedelta(days=1))},
        {"status": "finished", "update_time": stamp(stage.clock.now())},
    ):
        stage.record(TASK).update(status="waiting")
        id_ = await request_that_ends_when_due(stage, "CONTINUE")
        stage.record(TASK).update(fields)
        outcome = await preflight.lapse(stage.services, stage.operation("task.terminate", id=id_))
        text = approvals.lapsed(ENGLISH, outcome.ended_request) if outcome.ended_request else ""
        assert "automatically" not in text


@pytest.mark.parametrize(
    "fields",
    [{"due_handle": ""}, {"due_date": None}, {"due_in": 90}, {"due_in": -5}],
    ids=str,
)
async def test_a_request_expires_by_its_rule_where_its_task_does_not_end_before(
    stage: OperationStage, fields: dict[str, Any]
) -> None:
    stage.set_policy(TWO_APPROVERS)
    minutes = fields.pop("due_in", 20)
    due = stamp(stage.clock.now() + timedelta(minutes=minutes))
    stage.record(TASK).update({"due_date": due, "due_handle": "CONTINUE"} | fields)
    result = await stage.preflight(stage.operation("task.terminate"))
    request = result.outcome.approval_request
    assert request is not None
    assert request.due_handle is None
    assert request.expires_at > stage.clock.now() + timedelta(minutes=59)


async def test_lapse_leaves_a_request_alone_that_has_not_expired(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    operation = stage.operation("task.approve")
    await stage.preflight(operation)
    outcome = await preflight.lapse(stage.services, operation)
    assert outcome == Outcome(state=OperationState.DONE)
    assert stage.audited() == [(ALICE, "counted")]


async def test_run_reads_again_where_slack_lets_the_card_wait(stage: OperationStage) -> None:
    """Somebody else may have decided by then, and the key of what settled is free again."""
    await stage.slack.faults.set(Fault(on="chat.postMessage", hold=True))
    late = asyncio.create_task(stage.preflight(stage.operation("task.terminate", BOB)))
    await stage.slack.faults.until_held("chat.postMessage")
    card = SlackLocation(channel=SOC, card="1.1")
    first = await stage.preflight(stage.operation("task.approve", ALICE, location=card))
    assert first.operation
    sent = await write.send(stage.services, first.operation, WriteKind.ACTION, None)
    conclude = stage.services.store.claims.conclude
    conclude(first.operation, sent.outcome, stage.clock.now())
    stage.clock.forward(seconds=61)
    await stage.slack.faults.clear()
    result = await late
    assert result.kind is ResultKind.FINAL
    assert result.outcome.reason_code is OutcomeReason.NOT_NOW


async def test_run_lets_no_right_count_twice_that_was_delegated_in_turn(
    stage: OperationStage,
) -> None:
    """Dave approved by the right of Alice; that of Bob, who delegates to Dave too, is another."""
    stage.set_policy(rule("task.approve", more="approvals = 2"))
    stage.delegate(ALICE, DAVE)
    counted = await stage.preflight(await stage.pressed("task.approve", DAVE))
    assert counted.outcome.state is OperationState.COUNTED
    stage.delegate(BOB, DAVE)
    stage.revoke_delegation(ALICE, DAVE)
    result = await stage.preflight(await stage.pressed("task.approve", BOB))
    assert result.outcome.state is OperationState.COUNTED
    request = result.outcome.approval_request
    assert request
    assert [approval.actor.id for approval in request.approvals] == [BOB]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(503, ResultKind.RETRYABLE), (403, ResultKind.DONE), (404, ResultKind.DONE)],
)
async def test_run_retries_a_playbook_run_once_it_is_known_what_that_takes_up_again(
    stage: OperationStage, status: int, kind: ResultKind
) -> None:
    """What may pass is waited for; where the right or the region is missing, nothing is held up."""
    await stage.secmaster.faults.set(Fault(on="ShowPlaybookTopology", status=status))
    card = SlackLocation(channel=SOC, card="1.1")
    operation = stage.operation("playbook.retry", ALICE, ref=PLAYBOOK_RUN, location=card)
    result = await stage.preflight(operation)
    assert result.kind is kind
    assert result.preflight.runs_unread is (kind is ResultKind.DONE)
