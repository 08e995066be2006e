"""What Slack is told of an operation does not depend on whether its object can be read."""

from typing import Any

import pytest

from bot.domain.tracking import ListedObject
from bot.operations import replies
from bot.operations.step_results import ResultKind, StepResult
from bot.sandbox.faults import Fault
from bot.secmaster import PlaybookInstance
from bot.watch import reconcile
from tests.support.operations import ALLOW_ALL, PLAYBOOK_RUN, RUN, TASK, OperationStage, rule
from tests.support.people import ALICE, CAROL, SOC
from tests.support.rendered import button_ids, read

TWO_APPROVERS = rule("task.approve", more="approvals = 2")


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 403},
        {"status": 404},
        {"status": 503},
        {"status": 403, "html": True},
        {"hang_up": True},
    ],
    ids=str,
)
async def test_cards_that_can_not_be_read_are_drawn_from_what_is_stored_and_later_anew(
    stage: OperationStage, fault: dict[str, Any]
) -> None:
    stage.set_policy(TWO_APPROVERS)
    operation = stage.operation("task.approve")
    outcome = (await stage.preflight(operation)).outcome
    await stage.secmaster.faults.set(Fault(on="ShowTask", **fault))
    result = StepResult(kind=ResultKind.DONE, outcome=outcome)
    await replies.redraw(stage.services, operation, result)
    [card] = stage.slack.messages(SOC)
    assert "Approvals to approve: 1 of 2" in read(card)
    assert "SecMaster can't be read now" in read(card)
    assert "withdraw" in button_ids(card)
    await stage.secmaster.faults.clear()
    await reconcile.catch_up(stage.services)
    [card] = stage.slack.messages(SOC)
    assert "SecMaster can't be read now" not in read(card)
    assert stage.requests("PUT") == 0


async def test_a_card_that_was_deleted_is_no_reason_to_break_off(stage: OperationStage) -> None:
    operation = stage.operation("task.approve")
    result = await stage.preflight(operation)
    [card] = stage.slack.messages(SOC)
    stage.slack.workspace.delete(SOC, stage.slack.stored(SOC, card["ts"]))
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=403))
    await replies.redraw(stage.services, operation, result)
    assert stage.services.store.cards.cards_of(TASK) == []


async def test_the_card_of_a_playbook_run_that_ended_at_once_still_lists_the_runs_within(
    stage: OperationStage,
) -> None:
    stage.set_policy(ALLOW_ALL)
    operation = stage.operation("playbook.terminate")
    outcome = (await stage.preflight(operation)).outcome
    run = stage.record(PLAYBOOK_RUN) | {"status": "TERMINATED"}
    stage.record(PLAYBOOK_RUN).update(run)
    answer = PlaybookInstance.model_validate(run).model_dump_json()
    result = StepResult(
        kind=ResultKind.DONE, outcome=outcome, snapshot=answer, asked_at=stage.clock.now()
    )
    await replies.redraw(stage.services, operation, result)
    [card] = stage.slack.messages(SOC)
    assert "Terminated" in read(card)
    assert RUN.id in read(card)


async def test_what_a_retry_overlaps_with_is_named_only_to_whoever_may_read_it(
    stage: OperationStage,
) -> None:
    stage.set_policy(ALLOW_ALL)
    run = await stage.services.workspaces.read(RUN)
    stage.services.store.tracked.add([ListedObject(RUN, run, "1")], [], stage.clock.now())
    await stage.claimed("instance.retry", CAROL)
    held = await stage.preflight(stage.operation("playbook.retry"))
    assert held.operation is not None
    assert held.holder is not None
    texts = []
    for role in ("oncall", "approver"):  # Alice is an approver
        stage.set_policy(ALLOW_ALL, rule("instance.read", roles=(role,)))
        await replies.lost(stage.services, held.operation, held.holder)
        texts.append(read(stage.slack.ephemerals(ALICE)[-1]))
    assert all(f"`{RUN.id}`" in text for text in texts)
    assert [run.name in text for text in texts] == [False, True]
