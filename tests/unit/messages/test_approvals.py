"""Approval requests: on cards, in the thread, and why a second person is needed."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.slack import Actor, SlackLocation
from bot.domain.stages import one_stage
from bot.messages import RenderContext, approvals, card, lapsed, outcome
from bot.messages.blocks import Tally
from bot.messages.text import date_token
from bot.secmaster import Instance, InstanceStatus, Task, TaskStatus
from tests.support import strategies
from tests.support.samples import ENGLISH, NOW
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import (
    SOME,
    approval_requests,
    grave_operations,
    render_contexts,
    runs,
    standing_operations,
    states,
    tasks,
)

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

REF = Ref(kind="instance", id="r1")
CAROL = Actor(id="U0CAROL", team="T0DEMO")


def retry() -> Operation:
    return Operation(
        id="o" * 32,
        action="instance.retry",
        ref=REF,
        actor=CAROL,
        location=SlackLocation(channel="C0SOC"),
        accepted_at=NOW,
    )


def retry_request(**fields: Any) -> ApprovalRequest:
    return ApprovalRequest(
        id="b",
        action="instance.retry",
        approvals=(Approval(operation_id="o" * 32, actor=CAROL, at=NOW),),
        stages=one_stage(2),
        expires_at=NOW + timedelta(hours=1),
        **fields,
    )


@pytest.mark.parametrize(("retries", "times"), [(1, "once"), (3, "3 times")])
def test_a_braked_retry_says_why_in_the_thread_and_on_the_card(retries: int, times: str) -> None:
    cause = (
        f"This workflow was retried at least {times} within 15 min, so a second approval is needed."
    )
    request = retry_request(brake_applied=True, brake_retries=retries, brake_within=900)
    outcome = Outcome(state=OperationState.COUNTED, approval_request=request)
    assert cause in approvals.approval_counted(ENGLISH, retry(), outcome)
    assert approvals.approval_counted(ENGLISH, retry(), outcome).endswith(
        "Nothing was sent to SecMaster yet."
    )
    [text_block, _buttons] = approvals.request_blocks(
        RenderContext(REF, NOW, ENGLISH, "main"),
        Instance(id="r1", name="Run r1", status="FAILED", end_time=NOW),
        request,
    )
    assert cause in text_block.to_dict()["text"]["text"]


def test_what_a_rule_asks_several_people_for_blames_no_brake() -> None:
    outcome = Outcome(state=OperationState.COUNTED, approval_request=retry_request())
    assert "retried" not in approvals.approval_counted(ENGLISH, retry(), outcome)


@pytest.mark.parametrize(
    ("due_in", "due_handle", "open_for", "warning"),
    [
        (30, "CONTINUE", 30, "SecMaster approves the task automatically."),
        (30, "INTERRUPT", 30, ""),
        (30, "", 60, ""),
        (90, "CONTINUE", 60, ""),
    ],
)
def test_a_card_says_when_its_task_ends_by_itself_otherwise_than_is_asked_for(
    due_in: int, due_handle: str, open_for: int, warning: str
) -> None:
    due = NOW + timedelta(minutes=due_in)
    task = Task(id="t1", name="x", status="waiting", due_date=due, due_handle=due_handle)
    request = retry_request().model_copy(update={"action": "task.terminate"})
    context = RenderContext(Ref(kind="task", id="t1"), NOW, ENGLISH, "main")
    [text_block, _buttons] = approvals.request_blocks(context, task, request)
    text = text_block.to_dict()["text"]["text"]
    assert f"The request expires {date_token(NOW + timedelta(minutes=open_for))} (" in text
    assert ("If approvals are missing at" in text) is bool(warning)
    assert warning in text


@SOME
@given(
    render_contexts("task"),
    tasks,
    st.none() | standing_operations("task"),
    approval_requests("task"),
)
def test_a_task_that_waits_for_several_makes_a_card_that_slack_takes(
    render_context: RenderContext,
    task: Task,
    standing: StandingOperation | None,
    request: ApprovalRequest,
) -> None:
    waiting_task = task.model_copy(update={"status": TaskStatus.WAITING})
    message = card(render_context, waiting_task, standing, (request,))
    assert_slack_takes(message)
    assert '"refuse"' in json.dumps(message.payload)


@SOME
@given(render_contexts("instance"), runs, approval_requests("instance"))
def test_a_run_that_waits_for_several_makes_a_card_that_slack_takes(
    render_context: RenderContext, run: Instance, request: ApprovalRequest
) -> None:
    failed = run.model_copy(update={"status": InstanceStatus.FAILED})
    assert_slack_takes(card(render_context, failed, None, (request, request)))


@SOME
@given(
    grave_operations("task") | grave_operations("instance"),
    states,
    st.none() | approval_requests("task"),
    st.none() | approval_requests("task"),
    st.lists(strategies.approvals, max_size=8).map(tuple),
)
def test_whatever_several_people_decide_can_be_told(
    operation: Operation,
    state: OperationState,
    open_request: ApprovalRequest | None,
    ended_request: ApprovalRequest | None,
    outdated: tuple[Approval, ...],
) -> None:
    result = Outcome(
        state=state,
        approval_request=open_request,
        ended_request=ended_request,
        outdated_approvals=outdated,
        duration=1e6,
    )
    for reason in ("", "voted", "same_right", "not_your_turn", "no_ballot", "too_late", "read"):
        message = outcome(ENGLISH, operation, result.model_copy(update={"reason_code": reason}))
        assert_slack_takes(message)
    if open_request:
        assert_slack_takes(lapsed(ENGLISH, operation, open_request))


def test_whose_right_was_used_is_not_asked_for_another_approval() -> None:
    tally = Tally(count=1, stages=one_stage(2), approvers=("U0ALICE", "U0BOB", "U0CAROL"))
    render_context = RenderContext(REF, NOW, ENGLISH, tallies={"instance.retry": tally})
    request = retry_request()
    [approval] = request.approvals
    on_behalf = approval.model_copy(update={"delegator": "U0BOB"})
    request = request.model_copy(update={"approvals": (on_behalf,)})
    run = Instance(id=REF.id, name="Run", status=InstanceStatus.FAILED)
    text = str(
        [block.to_dict() for block in approvals.request_blocks(render_context, run, request)]
    )
    assert "1 more approval needed: <@U0ALICE>" in text
    assert "<@U0ALICE>, <@U0BOB>" not in text


def test_the_reason_of_a_declined_request_is_said_once() -> None:
    declined = retry().model_copy(
        update={"intent": ApprovalIntent.DECLINE, "reason": "Not during the freeze"}
    )
    done = Outcome(state=OperationState.DONE, ended_request=retry_request())
    text = outcome(ENGLISH, declined, done).text
    assert text.count("> Not during the freeze") == 1
    assert text.count("Nothing was sent to SecMaster.") == 1
