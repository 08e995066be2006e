"""The steps that write to SecMaster: send, and read again where in doubt.

A step may run twice: the process may die after its effect and before its record. So a write
that a dead process may have sent is never sent again unread.
"""

import asyncio
from datetime import timedelta
from functools import partial
from typing import assert_never

from bot.domain.actions import BY_NAME
from bot.domain.attribution import attribution_comment, has_comment, signed_comment
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.messages.labels import labels
from bot.operations.preflight import recheck
from bot.operations.step_results import (
    Preflight,
    ResultKind,
    StepResult,
    WriteKind,
    failed,
    in_doubt,
    not_sent,
)
from bot.operations.steps import check_name
from bot.operations.transitions import State
from bot.secmaster import (
    CommandType,
    PlaybookOperation,
    PlaybookReceipt,
    Receipt,
    SecMasterError,
    TaskAction,
    WriteEffect,
)
from bot.services import Services


async def send(
    services: Services, operation: Operation, kind: WriteKind, stale: Preflight | None
) -> StepResult:
    """Send a write, unless it may have been sent already, or is no longer what was asked for.

    ``stale`` is what was read before time passed: somebody may have decided meanwhile.
    Raises BrokenOff where another process may carry the operation out by the time it would be sent.
    """
    if services.tracker.may_have_run(operation.id):
        unknown = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.RESTARTED)
        return StepResult(kind=ResultKind.IN_DOUBT, outcome=unknown)
    max_age = timedelta(seconds=2 * operation.retry.budget + 60)
    if services.clock.now() - operation.accepted_at > max_age:
        return StepResult(kind=ResultKind.FINAL, outcome=failed(OutcomeReason.TOO_OLD))
    if stale and (refusal := await recheck(services, operation, stale)):
        return refusal
    asked_at = services.clock.now()
    try:
        receipt = await _put(services, operation, kind)
    except SecMasterError as error:
        if error.write_effect is WriteEffect.NONE:
            return not_sent(error)
        return in_doubt(error, error.write_effect)
    answer = receipt.task if isinstance(receipt, Receipt) else receipt.instance
    outcome = Outcome(
        state=OperationState.DONE,
        status=receipt.status,
        request_id=receipt.request_id,
        status_after=answer.status if answer else "",
    )
    snapshot = answer.model_dump_json() if answer else ""
    return StepResult(kind=ResultKind.DONE, outcome=outcome, snapshot=snapshot, asked_at=asked_at)


async def recorded_end(services: Services, operation: Operation) -> Outcome | None:
    """Return how an operation ended that was broken off right after that; None if it has not.

    An approval that was counted, or lost to another operation, may be tried again.
    """
    outcomes = await asyncio.to_thread(services.store.audit.outcomes, [operation.id])
    recorded = outcomes.get(operation.id)
    if recorded is None or recorded.holder or recorded.outcome.state is OperationState.COUNTED:
        return None
    return recorded.outcome


async def verify(
    services: Services, operation: Operation, kind: WriteKind, preflight: Preflight
) -> StepResult:
    """Find out by reading whether a write that is in doubt took effect."""
    try:
        snapshot = await services.workspaces.read(operation.ref)
    except SecMasterError as error:
        return in_doubt(error, WriteEffect.POSSIBLE)
    if kind is WriteKind.ATTRIBUTION:
        took_effect: bool | None = has_comment(operation, snapshot)
    else:
        action = BY_NAME[operation.action]
        took_effect = action.took_effect(operation, snapshot, preflight.attempt)
    if took_effect:
        done = Outcome(
            state=OperationState.DONE,
            reason_code=OutcomeReason.READ_BACK,
            status_after=snapshot.status,
        )
        return StepResult(kind=ResultKind.DONE, outcome=done)
    unreadable = took_effect is None
    unknown = Outcome(
        state=OperationState.UNKNOWN,
        reason_code=OutcomeReason.NOT_READABLE if unreadable else OutcomeReason.NOT_VISIBLE,
        blocking_status=snapshot.status,
    )
    kind_of_result = ResultKind.FINAL if unreadable else ResultKind.NOT_VISIBLE
    return StepResult(kind=kind_of_result, outcome=unknown)


async def _put(
    services: Services, operation: Operation, kind: WriteKind
) -> Receipt | PlaybookReceipt:
    """Send one write; raises SecMasterError, or BrokenOff."""
    # Reading and waiting for a connection and a credential may have taken minutes by then.
    before_send = partial(check_name, services)
    location = operation.location
    permalink = services.slack.permalink(location.channel, location.card) if location.card else ""
    client, object_id = services.workspaces.client(operation.ref.workspace), operation.ref.id
    action = BY_NAME[operation.action]
    if kind is WriteKind.ATTRIBUTION:
        comment = attribution_comment(operation, labels(action).attribution, permalink)
        return await client.update_task(
            object_id, action=TaskAction.ADD_COMMENT, comment=comment, before_send=before_send
        )
    params = dict(operation.params)
    for param in action.params:
        if param.signed:
            params[param.name] = signed_comment(operation, params[param.name], permalink)
    match action.command:
        case TaskAction():
            return await client.update_task(
                object_id, action=action.command, **params, before_send=before_send
            )
        case CommandType():
            return await client.update_workflow_instance(
                object_id, command_type=action.command, **params, before_send=before_send
            )
        case PlaybookOperation():
            return await client.operate_playbook_instance(
                object_id, operation=action.command, before_send=before_send
            )
        case _:
            assert_never(action.command)


async def conclude(services: Services, state: State) -> Outcome:
    """Record how it ended and how long it took, and give back the key unless it is done."""
    operation, outcome, preflight = state.operation, state.result.outcome, state.preflight
    now, action = services.clock.now(), BY_NAME[operation.action]
    watch = services.policy.current.watch
    facts = {
        "duration": max(0.0, (now - operation.accepted_at).total_seconds()),
        "status_before": preflight.status,
        "preflight_fingerprint": outcome.preflight_fingerprint or preflight.decision_fingerprint,
        "attempt_before": preflight.attempt if action.is_retry else None,
        "followed_run": preflight.run if action.is_decision and watch.results else "",
        "runs_unread": preflight.runs_unread,
        "ended_request": outcome.ended_request or preflight.ended_request,
        "outdated_approvals": preflight.outdated_approvals,
        "dropped_approvals": outcome.dropped_approvals or preflight.dropped_approvals,
    }
    concluded = outcome.model_copy(update=facts)
    await asyncio.to_thread(services.store.claims.conclude, operation, concluded, now)
    return concluded
