"""The steps that write: what an answer proves, what reading shows, and what is put on record.

A test's name begins with the function that it is about.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.actions import BY_NAME
from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.attribution import attribution_comment, signed_comment
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyRefusal
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.run_results import RunResult, RunStatus
from bot.domain.slack import Actor, SlackLocation
from bot.domain.stages import one_stage
from bot.operations import transitions, write
from bot.operations.step_results import (
    Preflight,
    PreflightResult,
    ResultKind,
    StepResult,
    WriteKind,
    ended,
    failed,
)
from bot.operations.steps import under_name
from bot.operations.unfinished import BrokenOff
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.secmaster import Task, WriteEffect
from tests.support.operations import LIN, RUN, TASK, OperationStage
from tests.support.people import ALICE, BOB, SOC
from tests.support.watch import EVERA

DISCUSSED = Ref(kind="task", id=seed.TASK_DISABLE_USER)  # with comments and a file
NODE_INPUT = '[{"key": "retries", "type": "String", "value": "3"}]'


CARD = SlackLocation(channel=SOC, card="17.5")
CARD_ADDRESS = "https://demo.slack.com/archives/C0SOC/p175"


async def send(
    stage: OperationStage,
    operation: Operation,
    kind: WriteKind = WriteKind.ACTION,
    *,
    stale: Preflight | None = None,
) -> StepResult:
    return await write.send(stage.services, operation, kind, stale)


def writes(stage: OperationStage, ref: Ref) -> list[dict[str, Any]]:
    """Return the bodies of the writes to an object that took effect."""
    endpoint = "UpdateTask" if ref.kind == "task" else "UpdateWorkflowInstance"
    return [request.body for request in stage.secmaster.writes(endpoint, ref.id)]


# send: what is sent.


@pytest.mark.parametrize(
    ("action", "ref", "params", "body"),
    [
        ("task.approve", TASK, {}, {"action": "CONTINUE"}),
        ("task.terminate", TASK, {}, {"action": "TERMINATE"}),
        (
            "task.uncomment",
            DISCUSSED,
            {"comment_id": seed.COMMENT_FIRST},
            {"action": "DELETE_COMMENT", "comment_id": seed.COMMENT_FIRST},
        ),
        (
            "task.attach",
            TASK,
            {"attachment_id": seed.ATTACHMENT_REPORT},
            {"action": "ADD_ATTACHMENT", "attachment_id": seed.ATTACHMENT_REPORT},
        ),
        (
            "task.detach",
            DISCUSSED,
            {"attachment_id": seed.ATTACHMENT_REPORT},
            {"action": "DELETE_ATTACHMENT", "attachment_id": seed.ATTACHMENT_REPORT},
        ),
        ("instance.retry", RUN, {}, {"command_type": "ActionInstanceRetryCommand"}),
        ("instance.terminate", RUN, {}, {"command_type": "ActionInstanceTerminateCommand"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_send_sends_the_action_once(
    stage: OperationStage, action: str, ref: Ref, params: dict[str, str], body: dict[str, str]
) -> None:
    result = await send(stage, stage.operation(action, ref=ref, params=params))
    assert (result.kind, result.outcome.state) == (ResultKind.DONE, OperationState.DONE)
    assert result.outcome.status == 200
    [sent] = writes(stage, ref)
    assert {key: value for key, value in sent.items() if value} == body
    assert len(stage.secmaster.requests) == 1


async def test_send_sends_a_nodes_parameters(stage: OperationStage) -> None:
    node = stage.record(RUN)["topology"]["audit_logs"][-1]["action_id"]
    params = {"task_id": node, "input_dataobject": NODE_INPUT}
    result = await send(stage, stage.operation("instance.debug", params=params))
    assert result.kind is ResultKind.DONE
    assert writes(stage, RUN) == [{"command_type": "ActionInstanceDebugCommand", **params}]


async def test_send_signs_a_persons_comment(stage: OperationStage) -> None:
    operation = stage.operation("task.comment", params={"comment": "wrong host"}, location=CARD)
    await send(stage, operation)
    [sent] = writes(stage, TASK)
    assert sent["comment"] == signed_comment(operation, "wrong host", CARD_ADDRESS)


async def test_send_sends_the_attribution_and_not_the_action(stage: OperationStage) -> None:
    operation = stage.operation("task.approve", reason="checked", location=CARD)
    await send(stage, operation, WriteKind.ATTRIBUTION)
    [sent] = writes(stage, TASK)
    assert sent["action"] == "ADD_COMMENT"
    assert sent["comment"] == attribution_comment(operation, "Approval from Slack", CARD_ADDRESS)
    assert stage.record(TASK)["status"] == "waiting"


async def test_send_returns_the_receipts_task_and_when_it_was_asked_for(
    stage: OperationStage,
) -> None:
    before = stage.clock.now()
    result = await send(stage, stage.operation("task.approve"))
    assert result.asked_at is not None
    assert before <= result.asked_at <= stage.secmaster.requests[-1].at
    assert Task.model_validate_json(result.snapshot) == await stage.services.workspaces.read(TASK)
    assert result.outcome.status_after == "finished"
    assert result.outcome.request_id == stage.secmaster.requests[0].request_id


async def test_send_returns_no_task_where_the_receipt_has_none(stage: OperationStage) -> None:
    result = await send(stage, stage.operation("instance.retry"))
    assert (result.snapshot, result.outcome.status_after) == ("", "")
    assert result.asked_at is not None


# send: what the answer proves.


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 400, "code": "SecMaster.1"}, OutcomeReason.INVALID),
        ({"status": 401}, OutcomeReason.FORBIDDEN),
        ({"status": 403}, OutcomeReason.FORBIDDEN),
        ({"status": 404}, OutcomeReason.NOT_ROUTED),
        ({"status": 404, "code": "SecMaster.20010004"}, OutcomeReason.NOT_FOUND),
        ({"status": 409, "code": "SecMaster.1"}, OutcomeReason.CONFLICT),
        ({"status": 413, "code": "APIGW.0201"}, OutcomeReason.REFUSED),
        ({"status": 200, "code": "SecMaster.1"}, OutcomeReason.REFUSED),
    ],
    ids=str,
)
async def test_send_ends_where_secmaster_refuses(
    stage: OperationStage, fault: dict[str, Any], reason: OutcomeReason
) -> None:
    await stage.secmaster.faults.set(Fault(on="UpdateTask", **fault))
    result = await send(stage, stage.operation("task.approve"))
    assert (result.kind, result.outcome.state) == (ResultKind.FINAL, OperationState.FAILED)
    assert (result.outcome.reason_code, result.outcome.status) == (reason, fault["status"])
    assert result.outcome.code == fault.get("code", result.outcome.code)


async def test_send_may_be_tried_again_where_the_gateway_turned_it_away(
    stage: OperationStage,
) -> None:
    await stage.secmaster.faults.set(Fault(on="UpdateTask", status=429, retry_after=7))
    result = await send(stage, stage.operation("task.approve"))
    assert (result.kind, result.retry_after) == (ResultKind.RETRYABLE, 7)
    assert result.outcome.reason_code is OutcomeReason.UNAVAILABLE


async def test_send_may_be_tried_again_where_nothing_was_sent(stage: OperationStage) -> None:
    await stage.secmaster.stop()
    result = await send(stage, stage.operation("task.approve"))
    assert (result.kind, result.retry_after) == (ResultKind.RETRYABLE, 0)
    assert result.outcome.reason_code is OutcomeReason.UNREACHABLE


@pytest.mark.parametrize(
    ("fault", "effect", "reason"),
    [
        (
            {"status": 502, "code": "APIGW.0201"},
            WriteEffect.UNREACHED,
            OutcomeReason.UNAVAILABLE,
        ),
        ({"html": True}, WriteEffect.POSSIBLE, OutcomeReason.UNAVAILABLE),
        ({"status": 500}, WriteEffect.POSSIBLE, OutcomeReason.UNAVAILABLE),
        ({"status": 503}, WriteEffect.POSSIBLE, OutcomeReason.UNAVAILABLE),
        (
            {"status": 504, "code": "APIGW.0201"},
            WriteEffect.POSSIBLE,
            OutcomeReason.UNAVAILABLE,
        ),
        ({"html": True, "status": 302}, WriteEffect.POSSIBLE, OutcomeReason.UNREADABLE),
        ({"html": True, "status": 200}, WriteEffect.POSSIBLE, OutcomeReason.UNREADABLE),
        ({"hang_up": True}, WriteEffect.POSSIBLE, OutcomeReason.LOST_ANSWER),
        ({"hang_up": True, "applied": True}, WriteEffect.POSSIBLE, OutcomeReason.LOST_ANSWER),
        ({"cut": True, "applied": True}, WriteEffect.POSSIBLE, OutcomeReason.LOST_ANSWER),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", WriteKind)
async def test_send_is_in_doubt_where_it_may_have_taken_effect(
    stage: OperationStage,
    kind: WriteKind,
    fault: dict[str, Any],
    effect: WriteEffect,
    reason: OutcomeReason,
) -> None:
    await stage.secmaster.faults.set(Fault(on="UpdateTask", **fault))
    result = await send(stage, stage.operation("task.approve"), kind)
    assert (result.kind, result.write_effect) == (ResultKind.IN_DOUBT, effect)
    assert (result.outcome.state, result.outcome.reason_code) == (OperationState.UNKNOWN, reason)
    assert result.snapshot == ""


# send: when nothing is sent.


@pytest.mark.parametrize("later_hold", [None, "another"], ids=["lost", "taken again"])
async def test_send_breaks_off_where_the_name_was_lost_while_the_object_was_read_again(
    stage: OperationStage, later_hold: str | None
) -> None:
    operation = stage.operation("instance.retry")
    before = stage.record(RUN)["retry_count"]
    services = replace(
        stage.services, name_hold=lambda: later_hold if stage.secmaster.requests else "first"
    )
    with under_name(services), pytest.raises(BrokenOff):
        await write.send(services, operation, WriteKind.ACTION, Preflight(attempt=before))
    assert [request.endpoint for request in stage.secmaster.requests] == ["ShowAopWorkflowInstance"]


async def test_send_sends_nothing_in_a_resumed_operations_first_step(
    stage: OperationStage,
) -> None:
    operation = stage.operation("task.approve", process_id="one that died")
    tracker = stage.services.tracker
    tracker.track(operation.id, resumed=stage.services.is_resumed(operation))
    tracker.count_step(operation.id)
    result = await send(stage, operation)
    assert (result.kind, result.write_effect) == (ResultKind.IN_DOUBT, WriteEffect.POSSIBLE)
    assert result.outcome == Outcome(
        state=OperationState.UNKNOWN, reason_code=OutcomeReason.RESTARTED
    )
    assert stage.secmaster.requests == []

    tracker.count_step(operation.id)
    assert (await send(stage, operation)).kind is ResultKind.DONE


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome(state=OperationState.DONE, status=200, request_id="req-1"), ResultKind.DONE),
        (failed(OutcomeReason.CHANGED), ResultKind.FINAL),
    ],
)
async def test_recorded_end_is_the_result_of_every_step_that_runs_again(
    stage: OperationStage, outcome: Outcome, kind: ResultKind
) -> None:
    operation = stage.operation("instance.debug")
    assert await write.recorded_end(stage.services, operation) is None
    stage.services.store.claims.conclude(operation, outcome, stage.clock.now())
    end = await write.recorded_end(stage.services, operation)
    assert end == outcome
    for type_ in (PreflightResult, StepResult):
        result = ended(type_, end)
        assert (type(result), result.kind, result.outcome) == (type_, kind, outcome)


async def test_recorded_end_leaves_out_what_was_lost_to_another(stage: OperationStage) -> None:
    await stage.claimed("task.approve")
    loser = stage.operation("task.terminate", BOB)
    assert (await stage.preflight(loser)).holder
    assert await write.recorded_end(stage.services, loser) is None


async def test_send_sends_at_once_what_this_process_began(stage: OperationStage) -> None:
    operation = stage.operation("task.approve")
    tracker = stage.services.tracker
    tracker.track(operation.id, resumed=stage.services.is_resumed(operation))
    tracker.count_step(operation.id)
    assert (await send(stage, operation)).kind is ResultKind.DONE


@pytest.mark.parametrize("kind", WriteKind)
async def test_send_sends_nothing_that_is_too_old(stage: OperationStage, kind: WriteKind) -> None:
    operation = stage.operation("task.approve")
    max_age = 2 * operation.retry.budget + 60
    stage.clock.forward(seconds=max_age + 1)
    result = await send(stage, operation, kind)
    assert (result.kind, result.outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.TOO_OLD)
    assert result.outcome.state is OperationState.FAILED
    assert stage.secmaster.requests == []


async def test_send_sends_what_is_nearly_too_old(stage: OperationStage) -> None:
    operation = stage.operation("task.approve")
    stage.clock.forward(seconds=2 * operation.retry.budget + 50)
    assert (await send(stage, operation)).kind is ResultKind.DONE


async def stale(stage: OperationStage, action: str = "task.approve") -> tuple[Operation, Preflight]:
    """Return an operation that passed its preflight a while ago, and what that read."""
    result = await stage.preflight(stage.operation(action))
    assert result.operation is not None
    return result.operation, result.preflight


async def test_send_reads_before_it_sends_what_was_read_a_while_ago(
    stage: OperationStage,
) -> None:
    operation, preflight = await stale(stage)
    reads = stage.requests("GET")
    assert (await send(stage, operation, stale=preflight)).kind is ResultKind.DONE
    assert stage.requests("GET") == reads + 1
    assert [sent["action"] for sent in writes(stage, TASK)] == ["CONTINUE"]


async def test_send_sends_nothing_where_somebody_decided_meanwhile(stage: OperationStage) -> None:
    operation, preflight = await stale(stage)
    stage.secmaster.world.update_task(TASK.id, {"action": "TERMINATE"}, EVERA)
    result = await send(stage, operation, stale=preflight)
    assert (result.kind, result.outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.NOT_NOW)
    assert (result.outcome.blocking_status, result.outcome.decided_by) == ("canceled", "Evera")
    assert stage.requests("PUT") == 0


async def test_send_sends_nothing_where_it_has_changed_meanwhile(stage: OperationStage) -> None:
    operation, preflight = await stale(stage)
    stage.comment("wrong host")
    result = await send(stage, operation, stale=preflight)
    assert (result.kind, result.outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.CHANGED)
    assert [change.after for change in result.outcome.changes] == ["Lin Yue: wrong host"]
    assert stage.requests("PUT") == 0


async def test_send_takes_its_own_attribution_for_no_change(stage: OperationStage) -> None:
    operation, preflight = await stale(stage)
    await send(stage, operation, WriteKind.ATTRIBUTION)
    assert (await send(stage, operation, stale=preflight)).kind is ResultKind.DONE
    assert stage.record(TASK)["status"] == "finished"


async def test_send_sends_nothing_to_a_run_that_failed_once_more(stage: OperationStage) -> None:
    operation, preflight = await stale(stage, "instance.retry")
    stage.record(RUN)["retry_count"] = 1
    result = await send(stage, operation, stale=preflight)
    assert (result.kind, result.outcome.reason_code) == (ResultKind.FINAL, OutcomeReason.NOT_NOW)
    assert stage.requests("PUT") == 0


async def test_send_is_tried_again_where_it_can_not_be_read(stage: OperationStage) -> None:
    operation, preflight = await stale(stage)
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=503))
    result = await send(stage, operation, stale=preflight)
    assert (result.kind, result.outcome.state) == (ResultKind.RETRYABLE, OperationState.FAILED)
    assert stage.requests("PUT") == 0


# verify.


@dataclass(frozen=True)
class Effect:
    """An action, and how its object looks with its effect, without it, and at another end.

    ``other_end`` is None where no other end is told from it.
    """

    action: str
    visible: dict[str, Any]
    not_visible: dict[str, Any]
    other_end: dict[str, Any] | None = None
    params: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.action


COMMENT = {"id": "c-9", "message": "hm", "user_name": "demo", "time": 0}
EFFECTS = (
    Effect("task.approve", {"status": "finished"}, {"status": "waiting"}, {"status": "canceled"}),
    Effect("task.terminate", {"status": "canceled"}, {"status": "waiting"}, {"status": "finished"}),
    Effect(
        "task.comment",
        {"comments": [COMMENT | {"message": "hm (Slack U0ALICE), ref 000001"}]},
        {"comments": [COMMENT]},
        params={"comment": "hm"},
    ),
    Effect(
        "task.uncomment", {"comments": []}, {"comments": [COMMENT]}, params={"comment_id": "c-9"}
    ),
    Effect(
        "task.attach",
        {"attachment_id_list": ["a-9"]},
        {"attachment_id_list": []},
        params={"attachment_id": "a-9"},
    ),
    Effect(
        "task.detach",
        {"attachment_id_list": []},
        {"attachment_id_list": ["a-9"]},
        params={"attachment_id": "a-9"},
    ),
    Effect(
        "instance.retry",
        {"status": "FAILED", "retry_count": 3},
        {"status": "FAILED", "retry_count": 2},
        {"status": "TERMINATED", "retry_count": 2},
    ),
    # One that finished by itself shows no termination: it is not sent to it again unread.
    Effect("instance.terminate", {"status": "TERMINATING"}, {"status": "FINISHED"}),
    Effect(
        "playbook.retry",
        {"status": "RETRYING", "end_time": ""},
        {"status": "FAILED", "end_time": "1970-01-01T00:00:00.002Z"},  # attempts are times
        {"status": "FAILED", "end_time": "1970-01-01T00:00:00.003Z"},
    ),
    Effect("playbook.terminate", {"status": "TERMINATING"}, {"status": "FINISHED"}),
)
each_effect = pytest.mark.parametrize("effect", EFFECTS, ids=str)


async def verify(
    stage: OperationStage, effect: Effect, fields: dict[str, Any] | None
) -> StepResult:
    """Look for the effect of an action on an object that has these fields by now."""
    operation = stage.operation(effect.action, params=effect.params)
    stage.record(operation.ref).update(fields or {})
    preflight = Preflight(attempt=2)
    return await write.verify(stage.services, operation, WriteKind.ACTION, preflight)


def test_verify_is_tested_for_every_action_that_can_be_read_back() -> None:
    assert {effect.action for effect in EFFECTS} == BY_NAME.keys() - {"instance.debug"}


@each_effect
async def test_verify_is_done_where_the_effect_shows(stage: OperationStage, effect: Effect) -> None:
    result = await verify(stage, effect, effect.visible)
    assert (result.kind, result.outcome.state) == (ResultKind.DONE, OperationState.DONE)
    assert result.outcome.reason_code is OutcomeReason.READ_BACK
    assert result.outcome.status_after == effect.visible.get("status", "waiting")


@each_effect
async def test_verify_says_where_the_effect_does_not_show(
    stage: OperationStage, effect: Effect
) -> None:
    result = await verify(stage, effect, effect.not_visible)
    assert (result.kind, result.outcome.state) == (
        ResultKind.NOT_VISIBLE,
        OperationState.UNKNOWN,
    )
    assert result.outcome.reason_code is OutcomeReason.NOT_VISIBLE


@pytest.mark.parametrize("effect", [each for each in EFFECTS if each.other_end], ids=str)
async def test_verify_ends_unknown_where_somebody_else_may_have_ended_it(
    stage: OperationStage, effect: Effect
) -> None:
    result = await verify(stage, effect, effect.other_end)
    assert (result.kind, result.outcome.state) == (ResultKind.FINAL, OperationState.UNKNOWN)
    assert result.outcome.reason_code is OutcomeReason.NOT_READABLE
    assert effect.other_end is not None
    assert result.outcome.blocking_status == effect.other_end["status"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 503}, OutcomeReason.UNAVAILABLE),
        ({"status": 404}, OutcomeReason.NOT_ROUTED),
        ({"hang_up": True}, OutcomeReason.LOST_ANSWER),
    ],
    ids=str,
)
@each_effect
async def test_verify_stays_in_doubt_where_it_can_not_be_read(
    stage: OperationStage, effect: Effect, fault: dict[str, Any], reason: OutcomeReason
) -> None:
    await stage.secmaster.faults.set(Fault(on="*", **fault))
    result = await verify(stage, effect, effect.visible)
    assert (result.kind, result.outcome.state) == (ResultKind.IN_DOUBT, OperationState.UNKNOWN)
    assert result.outcome.reason_code is reason


async def test_verify_stays_in_doubt_where_the_object_is_gone(stage: OperationStage) -> None:
    stage.secmaster.world.delete_task(TASK.id)
    operation = stage.operation("task.approve")
    result = await write.verify(stage.services, operation, WriteKind.ACTION, Preflight())
    assert (result.kind, result.outcome.reason_code) == (
        ResultKind.IN_DOUBT,
        OutcomeReason.NOT_FOUND,
    )


@pytest.mark.parametrize("status", ["FAILED", "RUNNING", "RETRYING", "FINISHED", "TERMINATED"])
async def test_verify_ends_unknown_for_a_nodes_parameters(
    stage: OperationStage, status: str
) -> None:
    effect = Effect("instance.debug", {}, {})
    result = await verify(stage, effect, {"status": status})
    assert (result.kind, result.outcome.state) == (ResultKind.FINAL, OperationState.UNKNOWN)
    assert result.outcome.reason_code is OutcomeReason.NOT_READABLE


async def test_verify_looks_for_the_attribution_by_its_reference(stage: OperationStage) -> None:
    operation = stage.operation("task.approve", reason="checked")
    arguments = (operation, WriteKind.ATTRIBUTION, Preflight())
    assert (await write.verify(stage.services, *arguments)).kind is ResultKind.NOT_VISIBLE
    stage.comment(
        attribution_comment(operation.model_copy(update={"id": "another"}), "Approval from Slack")
    )
    assert (await write.verify(stage.services, *arguments)).kind is ResultKind.NOT_VISIBLE
    await send(stage, operation, WriteKind.ATTRIBUTION)
    assert (await write.verify(stage.services, *arguments)).kind is ResultKind.DONE


# conclude.

DONE = Outcome(state=OperationState.DONE)


async def conclude(
    stage: OperationStage,
    operation: Operation,
    outcome: Outcome = DONE,
    preflight: Preflight | None = None,
) -> Outcome:
    state = replace(
        transitions.start(operation),
        preflight=preflight or Preflight(),
        result=StepResult(kind=ResultKind.FINAL, outcome=outcome),
    )
    return await write.conclude(stage.services, state)


def request(operation: Operation) -> ApprovalRequest:
    """Return the request that an operation opened."""
    now = operation.accepted_at
    approval = Approval(operation_id=operation.id, actor=Actor(id=ALICE), at=now)
    return ApprovalRequest(
        id=operation.id,
        action=operation.action,
        approvals=(approval,),
        stages=one_stage(2),
        expires_at=now + timedelta(hours=1),
    )


async def test_conclude_records_how_long_it_took(stage: OperationStage) -> None:
    operation = await stage.claimed("task.approve")
    stage.clock.forward(seconds=90)
    outcome = await conclude(stage, operation)
    assert 90 <= outcome.duration < 100
    [_, ended] = stage.services.store.audit.entries(TASK)
    assert (ended["outcome"], ended["duration"]) == ("done", outcome.duration)


async def test_conclude_records_no_negative_duration(stage: OperationStage) -> None:
    operation = await stage.claimed("task.approve")
    stage.clock.set(operation.accepted_at - timedelta(minutes=5))
    assert (await conclude(stage, operation)).duration == 0


@pytest.mark.parametrize(
    ("action", "retries"),
    [("instance.retry", 2), ("instance.terminate", None), ("task.approve", None)],
)
async def test_conclude_records_the_attempt_before_a_retry_alone(
    stage: OperationStage, action: str, retries: int | None
) -> None:
    outcome = await conclude(stage, stage.operation(action), preflight=Preflight(attempt=2))
    assert outcome.attempt_before == retries


async def test_conclude_records_what_the_preflight_found_out(stage: OperationStage) -> None:
    operation = stage.operation("task.approve")
    ended = request(stage.operation("task.terminate"))
    preflight = Preflight(
        status="waiting",
        decision_fingerprint="as read",
        ended_request=ended,
        outdated_approvals=ended.approvals,
    )
    outcome = await conclude(stage, operation, preflight=preflight)
    assert outcome.status_before == "waiting"
    assert outcome.preflight_fingerprint == "as read"
    assert outcome.ended_request == ended
    assert outcome.outdated_approvals == ended.approvals
    [record] = stage.services.store.audit.entries(TASK)
    assert (record["status_before"], record["preflight_fingerprint"]) == ("waiting", "as read")


async def test_conclude_keeps_what_the_outcome_says_itself(stage: OperationStage) -> None:
    first, second = (request(stage.operation("task.approve")) for _ in range(2))
    outcome = failed(OutcomeReason.CHANGED, preflight_fingerprint="changed", ended_request=first)
    preflight = Preflight(decision_fingerprint="as read", ended_request=second)
    concluded = await conclude(stage, stage.operation("task.approve"), outcome, preflight)
    assert concluded.preflight_fingerprint == "changed"
    assert concluded.ended_request == first


@pytest.mark.parametrize(
    ("state", "next_result"),
    [
        (OperationState.FAILED, ResultKind.DONE),
        (OperationState.UNKNOWN, ResultKind.DONE),
        (OperationState.DONE, ResultKind.FINAL),
    ],
)
async def test_conclude_gives_the_key_back_unless_it_is_done(
    stage: OperationStage, state: OperationState, next_result: ResultKind
) -> None:
    operation = await stage.claimed("task.approve")
    await conclude(stage, operation, Outcome(state=state))
    result = await stage.preflight(stage.operation("task.approve", BOB))
    assert result.kind is next_result
    assert (result.holder is not None) is (state is OperationState.DONE)
    assert stage.audited()[:2] == [(ALICE, "allowed"), (ALICE, state)]


async def test_conclude_records_a_refusal_with_the_policys_reason(stage: OperationStage) -> None:
    refusal = PolicyRefusal(reason=RefusalReason.SELF, rule="rule 1", roles=("approver",))
    outcome = failed(OutcomeReason.NOT_ALLOWED, refusal=refusal)
    concluded = await conclude(stage, stage.operation("task.approve"), outcome)
    assert concluded.refusal == refusal
    [record] = stage.services.store.audit.entries(TASK)
    assert (record["outcome"], record["detail"]) == ("refused", "self")


async def test_conclude_records_a_failure_with_secmasters_words(stage: OperationStage) -> None:
    await stage.secmaster.faults.set(Fault(on="UpdateTask", status=409, code="SecMaster.7"))
    operation = await stage.claimed("task.approve")
    result = await send(stage, operation)
    await conclude(stage, operation, result.outcome)
    [_, record] = stage.services.store.audit.entries(TASK)
    assert (record["outcome"], record["reason_code"], record["code"]) == (
        "failed",
        "Conflict",
        "SecMaster.7",
    )
    assert record["status"] == 409


async def test_conclude_twice_records_once(stage: OperationStage) -> None:
    operation = await stage.claimed("task.approve")
    for _ in range(2):
        await conclude(stage, operation)
    assert stage.audited() == [(ALICE, "allowed"), (ALICE, "done")]


async def test_conclude_follows_a_retry_that_was_sent(stage: OperationStage) -> None:
    operation = await stage.claimed("instance.retry")
    stage.secmaster.world.update_instance(
        RUN.id, {"command_type": "ActionInstanceRetryCommand"}, LIN
    )
    await conclude(stage, operation, preflight=Preflight(attempt=1))
    followed_operations = stage.services.store.followed_operations
    [followed] = followed_operations.under_way(limit=10)
    assert (followed.operation.id, followed.attempt_before) == (operation.id, 1)
    assert str(followed.run) == str(RUN)
    ended = RunResult(status=RunStatus.GONE, run=followed.run, at=followed.at)
    followed_operations.end(followed, ended, [], followed.at)
    await conclude(stage, operation, preflight=Preflight(attempt=1))
    assert followed_operations.under_way(limit=10) == []


@pytest.mark.parametrize(
    ("action", "state", "is_followed"),
    [
        ("task.approve", OperationState.DONE, True),
        ("task.terminate", OperationState.DONE, True),
        ("task.approve", OperationState.FAILED, False),
        ("task.approve", OperationState.UNKNOWN, False),
        ("task.comment", OperationState.DONE, False),
    ],
)
async def test_conclude_follows_the_run_that_a_decision_let_continue(
    stage: OperationStage, action: str, state: OperationState, *, is_followed: bool
) -> None:
    operation = await stage.claimed(action)
    stage.set_policy("[watch]\nresults = true\n")
    preflight = Preflight(run="1:instance:main:i-1")
    await conclude(stage, operation, Outcome(state=state), preflight=preflight)
    followed = stage.services.store.followed_operations.under_way(limit=10)
    assert [str(each.run) for each in followed] == ["1:instance:main:i-1"] * is_followed


async def test_conclude_follows_no_decision_where_the_policy_says_so(
    stage: OperationStage,
) -> None:
    operation = await stage.claimed("task.approve")
    stage.set_policy("[watch]\nresults = false\n")
    await conclude(stage, operation, preflight=Preflight(run="1:instance:main:i-1"))
    assert stage.services.store.followed_operations.under_way(limit=10) == []
