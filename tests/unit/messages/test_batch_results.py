"""The progress of a batch, the table of its results, and messages about one of its objects."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME
from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.batches import Batch, BatchItem, SkippedItem
from bot.domain.objects import Ref
from bot.domain.operations import (
    Operation,
    OperationState,
    Outcome,
    Runner,
    StandingOperation,
)
from bot.domain.reasons import OutcomeReason, SkipReason
from bot.domain.slack import Actor, SlackLocation
from bot.domain.stages import one_stage
from bot.messages import batch_results
from bot.messages.batch_results import BatchItemResult
from tests.support.samples import ENGLISH, NOW
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import SOME, operations, outcomes, standing_operations, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TASK = Ref(kind="task", id="3e4c170e-7cc9-11f0-9216-fa163e200001")
BOB = Actor(id="U0BOB", name="Bob")


def operation(action: str = "task.approve", ref: Ref = TASK) -> Operation:
    return Operation(
        id="abc123def",
        action=action,
        ref=ref,
        actor=BOB,
        location=SlackLocation(channel="C0SOC", channel_name="soc"),
        accepted_at=NOW,
    )


def result_of(outcome: Outcome | None, earlier: StandingOperation | None = None) -> BatchItemResult:
    """Return the result of approving a task; ``earlier`` is the operation that came first."""
    return BatchItemResult(BatchItem(operation=operation(), name="Isolate host"), outcome, earlier)


def failure(reason: str, **fields: Any) -> Outcome:
    return Outcome(state=OperationState.FAILED, reason_code=OutcomeReason(reason), **fields)


@pytest.mark.parametrize(
    ("item_result", "expected"),
    [
        (result_of(Outcome(state=OperationState.DONE)), "Approved"),
        (
            result_of(Outcome(state=OperationState.UNKNOWN, reason_code="untold")),
            "Unknown: check it in SecMaster",
        ),
        (result_of(None), "Not known yet: see the thread"),
        (result_of(failure("changed")), "Not sent: changed since you looked"),
        (result_of(failure("Unavailable", code="APIG.0101")), "Not sent: SecMaster did not answer"),
        (result_of(failure("Refused", code="SecMaster.9")), "SecMaster refused: SecMaster.9"),
        (
            result_of(failure("not_now", blocking_status="finished", decided_by="Lin Yue")),
            "Already decided by Lin Yue: ✅ Finished",
        ),
        (
            result_of(failure("not_now", blocking_status="canceled")),
            "Already decided: ⛔ Cancelled",
        ),
        (
            result_of(failure("not_now", decided_by="system", task_ending="cancelled")),
            "Expired: cancelled automatically by SecMaster",
        ),
        (
            result_of(failure("not_now", blocking_status="finished", decided_by="system")),
            "Already decided: ✅ Finished",
        ),
    ],
)
def test_a_row_says_in_a_few_words_how_one_ended(
    item_result: BatchItemResult, expected: str
) -> None:
    assert batch_results.result(ENGLISH, item_result) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (OperationState.DONE, "Terminated by Bob."),
        (OperationState.PENDING, "Bob is terminating this task right now."),
    ],
)
def test_a_row_names_who_came_first(state: OperationState, expected: str) -> None:
    earlier = StandingOperation(operation=operation("task.terminate"), state=state, at=NOW)
    for outcome in (failure("lost"), failure("not_now", blocking_status="canceled")):
        assert batch_results.result(ENGLISH, result_of(outcome, earlier)) == expected


def test_a_row_says_that_nobody_carries_on_what_came_first() -> None:
    earlier = StandingOperation(
        operation=operation("task.terminate"),
        state=OperationState.PENDING,
        at=NOW,
        runner=Runner.ABSENT,
    )
    text = batch_results.result(ENGLISH, result_of(failure("lost"), earlier))
    assert text == "The termination by Bob was interrupted."


@pytest.mark.parametrize(
    ("needed", "expected"), [(2, "1 more approval needed"), (4, "3 more approvals needed")]
)
def test_a_row_says_for_how_many_people_one_waits(needed: int, expected: str) -> None:
    approval = Approval(operation_id="abc123def", actor=BOB, at=NOW)
    request = ApprovalRequest(
        id="abc123def",
        action="task.approve",
        approvals=(approval,),
        stages=one_stage(needed),
        expires_at=NOW,
    )
    assert (
        batch_results.result(
            ENGLISH, result_of(Outcome(state=OperationState.COUNTED, approval_request=request))
        )
        == expected
    )


def test_a_run_that_is_no_longer_open_is_called_by_its_state() -> None:
    run = operation("instance.retry", ref=Ref(kind="instance", id="i-1"))
    closed = BatchItemResult(
        BatchItem(operation=run, name="x"), failure("not_now", blocking_status="RUNNING")
    )
    assert batch_results.result(ENGLISH, closed) == "The run is now 🔵 Running"


def test_the_table_counts_what_is_done_and_tells_what_was_left_out() -> None:
    skipped = SkippedItem(ref=TASK, name="Grave", reason="people")
    batch = Batch(
        id="b", items=(BatchItem(operation=operation(), name="Isolate"),), skipped=(skipped,)
    )
    table = batch_results.results(ENGLISH, batch, [result_of(Outcome(state=OperationState.DONE))])
    assert table.text.splitlines() == [
        "⚠️ *<@U0BOB> approved 1 of 2 tasks.*",
        "Isolate host: Approved (abc123)",
        "Grave: Left out: requires several people (—)",
    ]
    assert (
        batch_results.progress(ENGLISH, batch, 0).text == "⏳ <@U0BOB> is approving 1 task: 0 done."
    )


@SOME
@given(operations("task"), words, outcomes, st.none() | standing_operations("task"))
def test_however_many_end_slack_takes_the_table(
    operation_: Operation, name: str, outcome: Outcome, earlier: StandingOperation | None
) -> None:
    assume(operation_.action in BY_NAME and BY_NAME[operation_.action].batchable)
    item = BatchItem(operation=operation_, name=name)
    skipped = SkippedItem(ref=operation_.ref, name=name, reason="refused")
    batch = Batch(id="b", items=(item,) * 20, skipped=(skipped,))
    assert_slack_takes(batch_results.progress(ENGLISH, batch, 7))
    assert_slack_takes(
        batch_results.results(ENGLISH, batch, [BatchItemResult(item, outcome, earlier)] * 20)
    )
    assert_slack_takes(
        batch_results.item_message(name, operation_.ref, batch_results.progress(ENGLISH, batch, 7))
    )


def test_every_reason_to_fail_has_a_label() -> None:
    labels, general = set(batch_results.FAILURE_LABELS), batch_results.REFUSED_BY_SECMASTER
    assert not labels & general
    # What stood in the way is said of the object's status, or of whoever came first.
    assert set(OutcomeReason) == {*labels, *general, OutcomeReason.NOT_NOW}


def test_every_reason_to_skip_an_object_has_a_label() -> None:
    assert set(SkipReason) == set(batch_results.SKIP_LABELS)
