"""The steps that touch SecMaster: look, send, and read again where in doubt.

A step may run twice: the process may die after its effect and before its record. So a write
that a dead process may have sent is never sent again unread.
"""

import asyncio
from datetime import timedelta
from enum import StrEnum

from bot import sight
from bot.actions import (
    BY_NAME,
    Snapshot,
    attributed,
    attribution,
    has_comment,
    mark,
    mark_of,
    signed_comment,
)
from bot.flows import posting, telling
from bot.flows.desk import desk
from bot.flows.posting import CannotPost
from bot.messages.words import words
from bot.models import Ballot, Operation, Outcome, Say, Seen, State, Value, Verdict, Vote
from bot.secmaster import (
    CommandType,
    Instance,
    NotFound,
    Receipt,
    Refused,
    SecMasterError,
    Task,
    TaskAction,
    Unavailable,
)
from bot.store import Claimed

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
    permalink: str = ""
    status: str = ""
    digest: str = ""


class Prepared(Value):
    """What stands before a write: the ``sight``, or an ``answer`` why it can't be sent now.

    ``holder`` is who has taken the key before, ``backing`` are the others whose yes it needed;
    ``ended`` is what it put an end to, ``outdated`` who said yes to something that has changed.
    """

    answer: Answer | None = None
    sight: Sight = Sight()
    holder: Verdict | None = None
    backing: tuple[Vote, ...] = ()
    ended: Ballot | None = None
    outdated: tuple[Vote, ...] = ()


async def prepare(operation: Operation) -> Prepared:
    """Look at the object where the action or the answer needs it, then take the key.

    What may fail comes before the key is taken: a step that is tried again must not have
    counted already.
    """
    if operation.say is not Say.YES:
        return Prepared(answer=settled(await _take_back(operation)))
    looked, permalink = await asyncio.gather(_look(operation), _permalink(operation))
    if isinstance(looked, Answer):
        return Prepared(answer=looked)
    found = Sight(card=operation.place.card, permalink=permalink)
    if looked and not found.card:
        try:
            found = await _with_card(operation, looked)
        except CannotPost as error:
            closed = Outcome(state=State.FAILED, trouble="cannot_post", code=error.code)
            return Prepared(answer=settled(closed))
    return await _claim(operation, looked, found)


async def _claim(operation: Operation, looked: Snapshot | None, found: Sight) -> Prepared:
    """Take the key, or let the yes count where more people are needed."""
    retries = looked.retry_count if isinstance(looked, Instance) else 0
    seen = sight.seen(looked) if looked else Seen()
    once = BY_NAME[operation.action].once
    key = f"{operation.ref}:{once}:{retries}" if once else ""
    claimed = await asyncio.to_thread(desk().store.claim, operation, key, desk().clock(), seen)
    poll = claimed.poll
    saw = {"retry_count": retries, "status": looked.status if looked else "", "digest": seen.digest}
    return Prepared(
        answer=_answer(claimed),
        holder=claimed.holder,
        sight=found.model_copy(update=saw),
        backing=poll.backing,
        ended=poll.ended,
        outdated=poll.outdated,
    )


def _answer(claimed: Claimed) -> Answer | None:
    """Why nothing is to be sent now; None where the key was taken."""
    poll = claimed.poll
    if claimed.holder:
        return settled(Outcome(state=State.FAILED, trouble="lost"))
    if poll.trouble and poll.trouble != "over":
        return settled(Outcome(state=State.FAILED, trouble=poll.trouble, ballot=poll.ballot))
    return None if poll.enough else settled(Outcome(state=State.COUNTED, ballot=poll.ballot))


async def _look(operation: Operation) -> Snapshot | Answer | None:
    """The object, where the action or the answer needs it, or why this can't be done now."""
    if not BY_NAME[operation.action].only_when and operation.place.card:
        return None
    try:
        snapshot = await desk().look(operation.ref)
    except SecMasterError as error:
        return troubled(error, sent=False)
    return await _not_open(operation, snapshot, operation.seen) or snapshot


async def _with_card(operation: Operation, snapshot: Snapshot) -> Sight:
    """Where the answer goes; raises CannotPost."""
    card = await telling.card_here(operation, snapshot)
    place = operation.place.model_copy(update={"card": card})
    there = operation.model_copy(update={"place": place})
    return Sight(card=card, permalink=await _permalink(there))


async def _permalink(operation: Operation) -> str:
    """Where this is talked about, for SecMaster's comment."""
    place, signs = operation.place, any(each.signed for each in BY_NAME[operation.action].needs)
    if not place.card or not (signs or attributed(operation)):
        return ""
    return await posting.permalink(place.channel, place.card)


async def _take_back(operation: Operation) -> Outcome:
    """Withdraw one's yes, or refuse what waits for more."""
    poll = await asyncio.to_thread(desk().store.withdraw, operation, desk().clock())
    if poll is None or poll.trouble:
        return Outcome(state=State.FAILED, trouble=poll.trouble if poll else "no_ballot")
    return Outcome(state=State.DONE, ballot=poll.ballot, ended=poll.ended)


async def _not_open(operation: Operation, snapshot: Snapshot, seen: str) -> Answer | None:
    """Why this can't be done now: the object is in another state, or not what was seen."""
    if not possible(operation, snapshot):
        return _not_now(snapshot)
    now = sight.seen(snapshot)
    if not BY_NAME[operation.action].only_when or seen in ("", now.digest):
        return None
    store = desk().store
    before = sight.read(operation.ref.noun, await asyncio.to_thread(store.sight, seen))
    own = await asyncio.to_thread(_own_marks, operation)
    changes = sight.changes(before, snapshot, own) if before else ()
    if before and not changes:
        return None
    await asyncio.to_thread(store.keep_sight, operation.ref, now, desk().clock())
    changed = Outcome(state=State.FAILED, trouble="changed", changes=changes, sight=now.digest)
    return settled(changed)


def _own_marks(operation: Operation) -> set[str]:
    """What marks the comments that this person left from here, by what is on record."""
    actor = operation.actor.id
    entries = desk().store.audit_of(operation.ref)
    theirs = [each for each in entries if (each.get("actor") or {}).get("id") == actor]
    return {mark(operation), *(mark_of(actor, each["operation_id"][:6]) for each in theirs)}


async def lapse(operation: Operation) -> Outcome:
    """End the ballot that this opened, if its time is over and it still waits.

    What was settled elsewhere meanwhile needs nobody to ask again, and nobody is told.
    """
    lapsed = await asyncio.to_thread(desk().store.lapse, operation, desk().clock())
    if lapsed and await _still_open(operation):
        return Outcome(state=State.FAILED, trouble="lapsed", ended=lapsed)
    return Outcome(state=State.DONE)


async def _still_open(operation: Operation) -> bool:
    try:
        return possible(operation, await desk().look(operation.ref))
    except NotFound:
        return False
    except SecMasterError:
        return True


async def conclude(operation: Operation, outcome: Outcome, before: Sight) -> Outcome:
    """Write down how it ended and how long it took, and give back the key unless it is done."""
    at = desk().clock()
    told = {
        "took": max(0.0, (at - operation.accepted_at).total_seconds()),
        "before": before.status,
        "sight": outcome.sight or before.digest,
    }
    ended = outcome.model_copy(update=told)
    await asyncio.to_thread(desk().store.conclude, operation, ended, at)
    return ended


async def _closed(operation: Operation, before: Sight) -> Answer | None:
    """Why the object is no longer as open to this as it was when it was looked at, if so."""
    if not BY_NAME[operation.action].only_when:
        return None
    try:
        snapshot = await desk().look(operation.ref)
    except SecMasterError as error:
        return troubled(error, sent=False)
    if isinstance(snapshot, Instance) and snapshot.retry_count != before.retry_count:
        return _not_now(snapshot)
    return await _not_open(operation, snapshot, before.digest)


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


async def send(operation: Operation, write: Write, stale: Sight | None, permalink: str) -> Answer:
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
