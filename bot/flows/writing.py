"""The steps that touch SecMaster: look, send, and read again where in doubt.

A step may run twice: the process may die after its effect and before its record. So a write
that a dead process may have sent is never sent again unread.
"""

import asyncio
from datetime import timedelta
from enum import StrEnum

from bot.actions import BY_NAME, Snapshot, has_comment, signed_comment
from bot.flows import telling
from bot.flows.desk import desk
from bot.flows.posting import CannotPost
from bot.models import Operation, Outcome, State, Value, Verdict
from bot.secmaster import (
    CommandType,
    Instance,
    Receipt,
    Refused,
    SecMasterError,
    Task,
    TaskAction,
    Unavailable,
)

LONGEST_WAIT = 60.0  # seconds, whatever Retry-After says


class Write(StrEnum):
    """The writes an operation may consist of, in their order."""

    REASON = "reason"
    ACTION = "action"


class Kind(StrEnum):
    """What a step learned.

    ``SETTLED`` is final either way. ``TROUBLE`` means that nothing was sent and that it may be
    tried again; ``DOUBT`` that something was sent and nobody knows what became of it;
    ``UNCHANGED`` that SecMaster does not show it, yet.
    """

    SETTLED = "settled"
    TROUBLE = "trouble"
    DOUBT = "doubt"
    UNCHANGED = "unchanged"


class Answer(Value):
    """``wait`` is how many seconds SecMaster asked to be left alone."""

    kind: Kind
    outcome: Outcome
    wait: float = 0


class Sight(Value):
    """What the look before the write showed, in as far as a later step needs it."""

    retry_count: int = 0
    card: str = ""


class Prepared(Value):
    """What stands before a write: the ``sight``, or an ``answer`` why it can't be sent now.

    ``holder`` is who has taken the key before.
    """

    answer: Answer | None = None
    sight: Sight = Sight()
    holder: Verdict | None = None


async def prepare(operation: Operation) -> Prepared:
    """Look at the object where the action or the answer needs it, then take the key."""
    action, card = BY_NAME[operation.action], operation.place.card
    snapshot, retries = None, 0
    if action.only_when or not card:
        try:
            snapshot = await desk().look(operation.ref)
        except SecMasterError as error:
            return Prepared(answer=troubled(error, sent=False))
        if not possible(operation, snapshot):
            return Prepared(answer=_not_now(snapshot))
        retries = snapshot.retry_count if isinstance(snapshot, Instance) else 0
    key = f"{operation.ref}:{action.once}:{retries}" if action.once else ""
    store, at = desk().store, desk().clock()
    if holder := await asyncio.to_thread(store.claim, operation, key, at):
        lost = Outcome(state=State.FAILED, trouble="lost")
        return Prepared(answer=settled(lost), holder=holder)
    if snapshot and not card:
        try:
            card = await telling.card_here(operation, snapshot)
        except CannotPost as error:
            closed = Outcome(state=State.FAILED, trouble="cannot_post", code=error.code)
            return Prepared(answer=settled(closed))
    return Prepared(sight=Sight(retry_count=retries, card=card))


async def conclude(operation: Operation, outcome: Outcome) -> None:
    """Write down how it ended, and give back the key unless it is done."""
    await asyncio.to_thread(desk().store.conclude, operation, outcome, desk().clock())


async def _closed(operation: Operation, before: Sight) -> Answer | None:
    """Why the object is no longer as open to this as it was when it was looked at, if so."""
    if not BY_NAME[operation.action].only_when:
        return None
    try:
        snapshot = await desk().look(operation.ref)
    except SecMasterError as error:
        return troubled(error, sent=False)
    again = isinstance(snapshot, Instance) and snapshot.retry_count != before.retry_count
    return _not_now(snapshot) if again or not possible(operation, snapshot) else None


def _not_now(snapshot: Snapshot) -> Answer:
    """The refusal of what the object is not open to, with who brought that about."""
    seen = Outcome(state=State.FAILED, trouble="not_now", seen=snapshot.status)
    if isinstance(snapshot, Task):
        told = {"by": snapshot.decider, "at": snapshot.update_time}
        seen = seen.model_copy(update=told)
    return settled(seen)


def possible(operation: Operation, snapshot: Snapshot) -> bool:
    only_when = BY_NAME[operation.action].only_when
    return not only_when or snapshot.status in only_when


async def send(operation: Operation, write: Write, stale: Sight | None) -> Answer:
    """Send a write, unless it may have been sent already, or is no longer what was asked for.

    ``stale`` is what was seen before time passed: somebody may have decided meanwhile.
    """
    if desk().inherited(operation):
        return Answer(kind=Kind.DOUBT, outcome=Outcome(state=State.UNKNOWN, trouble="restarted"))
    if desk().clock() - operation.accepted_at > timedelta(seconds=2 * desk().patience.seconds + 60):
        return settled(Outcome(state=State.FAILED, trouble="too_old"))
    if stale and (closed := await _closed(operation, stale)):
        return closed
    try:
        receipt = await _put(operation, write)
    except SecMasterError as error:
        return troubled(error, sent=error.in_doubt)
    done = Outcome(state=State.DONE, status=receipt.status, request_id=receipt.request_id)
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
        return Answer(kind=Kind.SETTLED, outcome=Outcome(state=State.DONE, trouble="read"))
    unchanged = Outcome(state=State.UNKNOWN, trouble="answer_lost", seen=now.status)
    return Answer(kind=Kind.UNCHANGED, outcome=unchanged)


def _happened(operation: Operation, write: Write, now: Snapshot, before: Sight) -> bool | None:
    if write is Write.REASON:
        return has_comment(operation, now)
    return BY_NAME[operation.action].happened(operation, now, before.retry_count)


async def _put(operation: Operation, write: Write) -> Receipt:
    client, object_id = desk().client(operation.ref), operation.ref.id
    if write is Write.REASON:
        comment = signed_comment(operation, operation.reason)
        return await client.update_task(object_id, action=TaskAction.ADD_COMMENT, comment=comment)
    action = BY_NAME[operation.action]
    word, params = action.word, dict(operation.params)
    for param in action.needs:
        if param.signed:
            params[param.name] = signed_comment(operation, params[param.name])
    if isinstance(word, CommandType):
        return await client.update_workflow_instance(object_id, command_type=word, **params)
    return await client.update_task(object_id, action=word, **params)


def troubled(error: SecMasterError, *, sent: bool) -> Answer:
    """Sort an error: a no is final, anything else passes, and ``sent`` leaves a doubt."""
    outcome = Outcome(
        state=State.FAILED,
        trouble=type(error).__name__,
        code=error.code,
        message=error.message,
        status=error.status,
        request_id=error.request_id,
    )
    if sent:
        doubt = outcome.model_copy(update={"state": State.UNKNOWN})
        return Answer(kind=Kind.DOUBT, outcome=doubt)
    if isinstance(error, Refused):
        return settled(outcome)
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return Answer(kind=Kind.TROUBLE, outcome=outcome, wait=min(wait or 0, LONGEST_WAIT))


def settled(outcome: Outcome) -> Answer:
    return Answer(kind=Kind.SETTLED, outcome=outcome)
