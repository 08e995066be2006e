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
from bot.messages.labels import labels
from bot.operations.preflight import recheck
from bot.operations.step_results import Preflight, ResultKind, StepResult, failed, final
from bot.secmaster import CommandType, Receipt, SecMasterError, TaskAction
from bot.services import Services


class WriteKind(StrEnum):
    """The writes that an operation may consist of, in their order."""

    ATTRIBUTION = "attribution"
    ACTION = "action"


async def send(
    services: Services,
    operation: Operation,
    kind: WriteKind,
    stale: Preflight | None,
    permalink: str,
) -> StepResult:
    """Send a write, unless it may have been sent already, or is no longer what was asked for.

    ``stale`` is what was read before time passed: somebody may have decided meanwhile.
    """
    if services.tracker.may_have_run(operation.id):
        unknown = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.RESTARTED)
        return StepResult(kind=ResultKind.IN_DOUBT, outcome=unknown)
    max_age = timedelta(seconds=2 * services.timeouts.seconds + 60)
    if services.clock.now() - operation.accepted_at > max_age:
        too_old = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.TOO_OLD)
        return final(too_old)
    if stale and (refusal := await recheck(services, operation, stale)):
        return refusal
    try:
        receipt = await _put(services, operation, kind, permalink)
    except SecMasterError as error:
        return failed(error, sent=error.in_doubt)
    outcome = Outcome(
        state=OperationState.DONE,
        status=receipt.status,
        request_id=receipt.request_id,
        status_after=receipt.task.status if receipt.task else "",
    )
    return final(outcome)


async def verify(
    services: Services, operation: Operation, kind: WriteKind, preflight: Preflight
) -> StepResult:
    """Find out by reading whether a write that is in doubt took effect."""
    try:
        snapshot = await services.workspaces.read(operation.ref)
    except SecMasterError as error:
        return failed(error, sent=True)
    if kind is WriteKind.ATTRIBUTION:
        took_effect: bool | None = has_comment(operation, snapshot)
    else:
        action = BY_NAME[operation.action]
        took_effect = action.took_effect(operation, snapshot, preflight.retry_count)
    if took_effect is None:
        not_readable = Outcome(
            state=OperationState.UNKNOWN,
            reason_code=OutcomeReason.NOT_READABLE,
            blocking_status=snapshot.status,
        )
        return final(not_readable)
    if took_effect:
        done = Outcome(
            state=OperationState.DONE,
            reason_code=OutcomeReason.READ_BACK,
            status_after=snapshot.status,
        )
        return final(done)
    not_visible = Outcome(
        state=OperationState.UNKNOWN,
        reason_code=OutcomeReason.NOT_VISIBLE,
        blocking_status=snapshot.status,
    )
    return StepResult(kind=ResultKind.NOT_VISIBLE, outcome=not_visible)


async def _put(
    services: Services, operation: Operation, kind: WriteKind, permalink: str
) -> Receipt:
    """Send one write; raises SecMasterError."""
    client, object_id = services.workspaces.client(operation.ref.workspace), operation.ref.id
    action = BY_NAME[operation.action]
    if kind is WriteKind.ATTRIBUTION:
        comment = attribution_comment(operation, labels(action).noun, permalink)
        return await client.update_task(object_id, action=TaskAction.ADD_COMMENT, comment=comment)
    params = dict(operation.params)
    for param in action.params:
        if param.signed:
            params[param.name] = signed_comment(operation, params[param.name], permalink)
    if isinstance(action.command, CommandType):
        return await client.update_workflow_instance(
            object_id, command_type=action.command, **params
        )
    return await client.update_task(object_id, action=action.command, **params)


async def conclude(
    services: Services, operation: Operation, outcome: Outcome, preflight: Preflight
) -> Outcome:
    """Record how it ended and how long it took, and give back the key unless it is done."""
    now = services.clock.now()
    facts = {
        "duration": max(0.0, (now - operation.accepted_at).total_seconds()),
        "status_before": preflight.status,
        "preflight_fingerprint": outcome.preflight_fingerprint or preflight.decision_fingerprint,
        "retries_before": preflight.retry_count if BY_NAME[operation.action].is_retry else None,
    }
    concluded = outcome.model_copy(update=facts)
    await asyncio.to_thread(services.store.claims.conclude, operation, concluded, now)
    return concluded
