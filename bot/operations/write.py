"""The steps that write to SecMaster: send, and read again where in doubt.

A step may run twice: the process may die after its effect and before its record. So a write
that a dead process may have sent is never sent again unread.
"""

import asyncio
from datetime import timedelta
from enum import StrEnum

from bot.domain.actions import BY_NAME
from bot.domain.attribution import attribution_comment, has_comment, signed_comment
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.domain.snapshots import Snapshot
from bot.messages.labels import labels
from bot.operations.preflight import recheck
from bot.operations.step_results import Preflight, ResultKind, StepResult, failed, final
from bot.secmaster import CommandType, Receipt, SecMasterError, TaskAction
from bot.services import services


class WriteKind(StrEnum):
    """The writes an operation may consist of, in their order."""

    ATTRIBUTION = "reason"
    ACTION = "action"


async def send(
    operation: Operation, write: WriteKind, stale: Preflight | None, permalink: str
) -> StepResult:
    """Send a write, unless it may have been sent already, or is no longer what was asked for.

    ``stale`` is what was seen before time passed: somebody may have decided meanwhile.
    """
    if services().may_have_run(operation):
        return StepResult(
            kind=ResultKind.IN_DOUBT,
            outcome=Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.RESTARTED),
        )
    if services().clock() - operation.accepted_at > timedelta(
        seconds=2 * services().timeouts.seconds + 60
    ):
        return final(Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.TOO_OLD))
    if stale and (no := await recheck(operation, stale)):
        return no
    try:
        receipt = await _put(operation, write, permalink)
    except SecMasterError as error:
        return failed(error, sent=error.in_doubt)
    done = Outcome(
        state=OperationState.DONE,
        status=receipt.status,
        request_id=receipt.request_id,
        status_after=receipt.task.status if receipt.task else "",
    )
    return StepResult(kind=ResultKind.FINAL, outcome=done)


async def verify(operation: Operation, write: WriteKind, before: Preflight) -> StepResult:
    """Find out by reading whether a doubtful write took effect."""
    try:
        now = await services().read(operation.ref)
    except SecMasterError as error:
        return failed(error, sent=True)
    happened = _happened(operation, write, now, before)
    if happened is None:
        return final(
            Outcome(
                state=OperationState.UNKNOWN,
                reason_code=OutcomeReason.NOT_READABLE,
                blocking_status=now.status,
            )
        )
    if happened:
        done = Outcome(
            state=OperationState.DONE, reason_code=OutcomeReason.READ_BACK, status_after=now.status
        )
        return StepResult(kind=ResultKind.FINAL, outcome=done)
    unchanged = Outcome(
        state=OperationState.UNKNOWN,
        reason_code=OutcomeReason.NOT_VISIBLE,
        blocking_status=now.status,
    )
    return StepResult(kind=ResultKind.NOT_VISIBLE, outcome=unchanged)


def _happened(
    operation: Operation, write: WriteKind, now: Snapshot, before: Preflight
) -> bool | None:
    if write is WriteKind.ATTRIBUTION:
        return has_comment(operation, now)
    return BY_NAME[operation.action].took_effect(operation, now, before.retry_count)


async def _put(operation: Operation, write: WriteKind, permalink: str) -> Receipt:
    client, object_id = services().client(operation.ref), operation.ref.id
    if write is WriteKind.ATTRIBUTION:
        noun = labels(BY_NAME[operation.action]).noun
        comment = attribution_comment(operation, noun, permalink)
        return await client.update_task(object_id, action=TaskAction.ADD_COMMENT, comment=comment)
    action = BY_NAME[operation.action]
    word, params = action.command, dict(operation.params)
    for param in action.params:
        if param.signed:
            params[param.name] = signed_comment(operation, params[param.name], permalink)
    if isinstance(word, CommandType):
        return await client.update_workflow_instance(object_id, command_type=word, **params)
    return await client.update_task(object_id, action=word, **params)


async def conclude(operation: Operation, outcome: Outcome, before: Preflight) -> Outcome:
    """Write down how it ended and how long it took, and give back the key unless it is done."""
    at = services().clock()
    told = {
        "duration": max(0.0, (at - operation.accepted_at).total_seconds()),
        "status_before": before.status,
        "preflight_fingerprint": outcome.preflight_fingerprint or before.decision_fingerprint,
        "retries_before": before.retry_count if BY_NAME[operation.action].is_retry else None,
    }
    ended = outcome.model_copy(update=told)
    await asyncio.to_thread(services().store.conclude, operation, ended, at)
    return ended
