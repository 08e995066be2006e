"""What has changed since somebody looked."""

import pytest
from hypothesis import given

from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.snapshots import Change
from bot.messages import RenderContext, changed_object, outcome
from bot.secmaster import Task
from tests.support.samples import ENGLISH, NOW, TASK, operation
from tests.support.slack_limits import assert_slack_takes, markup_in
from tests.support.strategies import SOME, change_lists, grave_operations, render_contexts, tasks

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@SOME
@given(grave_operations("task"), change_lists, render_contexts("task"), tasks)
def test_any_difference_can_be_told_with_a_button_to_decide_on_it(
    operation: Operation, changes: tuple[Change, ...], render_context: RenderContext, task: Task
) -> None:
    result = Outcome(state=OperationState.FAILED, reason_code="changed", changes=changes)
    message = changed_object(operation, result, render_context, task)
    assert_slack_takes(message)
    [button] = [
        element
        for block in message.payload["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    ]
    assert button["action_id"] == operation.action
    assert len(button["value"]) <= 2000
    assert_slack_takes(outcome(ENGLISH, operation, result))


def test_a_dozen_differences_are_all_told() -> None:
    changes = tuple(
        Change(label=f"field {n}", before="a" * 500, after="b" * 500) for n in range(14)
    )
    approval = operation("task.approve")
    result = Outcome(state=OperationState.FAILED, reason_code="changed", changes=changes)
    text = "".join(
        markup_in(
            changed_object(approval, result, RenderContext(TASK, NOW, ENGLISH), Task()).payload[
                "blocks"
            ]
        )
    )
    assert "field 11" in text
    assert "and 2 more" in text
