"""The steps that write to SecMaster: send, and read again where in doubt.

A step may run twice: the process may die after its effect and before its record. So a write
that a dead process may have sent is never sent again unread.
"""

import asyncio
from datetime import timedelta
from enum import StrEnum

from bot.domain.actions import BY_NAME, Snapshot, attribution, has_comment, signed_comment
from bot.domain.models import Operation, Outcome, State
from bot.messages.labels import words
from bot.operations.preflight import closed
from bot.operations.step_results import Answer, Kind, Sight, settled, troubled
from bot.secmaster import CommandType, Receipt, SecMasterError, TaskAction
from bot.services import desk


class Write(StrEnum):
    """The writes an operation may consist of, in their order."""

    REASON = "reason"
    ACTION = "action"


async def send(operation: Operation, write: Write, stale: Sight | None, permalink: str) -> Answer:
    """Send a write, unless it may have been sent already, or is no longer what was asked for.

    ``stale`` is what was seen before time passed: somebody may have decided meanwhile.
    """
    if desk().inherited(operation):
        return Answer(kind=Kind.DOUBT, outcome=Outcome(state=State.UNKNOWN, trouble="restarted"))
    if desk().clock() - operation.accepted_at > timedelta(seconds=2 * desk().patience.seconds + 60):
        return settled(Outcome(state=State.FAILED, trouble="too_old"))
    if stale and (no := await closed(operation, stale)):
        return no
    try:
        receipt = await _put(operation, write, permalink)
    except SecMasterError as error:
        return troubled(error, sent=error.in_doubt)
    done = Outcome(
        state=State.DONE,
        status=receipt.status,
        request_id=receipt.request_id,
        after=receipt.task.status if receipt.task else "",
    )
    return Answer(kind=Kind.SETTLED, outcome=done)


async def reread(operation: Operation, write: Write, before: Sight) -> Answer:
    """Find out by reading whether a doubtful write took effect."""
    try:
        now = await desk().look(operation.ref)
    except SecMasterError as error:
        return troubled(error, sent=True)
    happened = _happened(operation, write, now, before)
    if happened is None:
        return settled(Outcome(state=State.UNKNOWN, trouble="untold", seen=now.status))
    if happened:
        done = Outcome(state=State.DONE, trouble="read", after=now.status)
        return Answer(kind=Kind.SETTLED, outcome=done)
    unchanged = Outcome(state=State.UNKNOWN, trouble="answer_lost", seen=now.status)
    return Answer(kind=Kind.UNCHANGED, outcome=unchanged)


def _happened(operation: Operation, write: Write, now: Snapshot, before: Sight) -> bool | None:
    if write is Write.REASON:
        return has_comment(operation, now)
    return BY_NAME[operation.action].happened(operation, now, before.retry_count)


async def _put(operation: Operation, write: Write, permalink: str) -> Receipt:
    client, object_id = desk().client(operation.ref), operation.ref.id
    if write is Write.REASON:
        noun = words(BY_NAME[operation.action]).noun
        comment = attribution(operation, noun, permalink)
        return await client.update_task(object_id, action=TaskAction.ADD_COMMENT, comment=comment)
    action = BY_NAME[operation.action]
    word, params = action.word, dict(operation.params)
    for param in action.needs:
        if param.signed:
            params[param.name] = signed_comment(operation, params[param.name], permalink)
    if isinstance(word, CommandType):
        return await client.update_workflow_instance(object_id, command_type=word, **params)
    return await client.update_task(object_id, action=word, **params)


async def conclude(operation: Operation, outcome: Outcome, before: Sight) -> Outcome:
    """Write down how it ended and how long it took, and give back the key unless it is done."""
    at = desk().clock()
    told = {
        "took": max(0.0, (at - operation.accepted_at).total_seconds()),
        "before": before.status,
        "sight": outcome.sight or before.digest,
        "follow": before.retry_count if BY_NAME[operation.action].retries else None,
    }
    ended = outcome.model_copy(update=told)
    await asyncio.to_thread(desk().store.conclude, operation, ended, at)
    return ended
