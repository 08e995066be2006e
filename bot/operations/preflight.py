"""The step before a write: look, hold it against what was seen, and take the key or count the yes.

What may fail comes before the key is taken: a step that is tried again must not have counted
already.
"""

import asyncio

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, Snapshot, attributed, mark, mark_of
from bot.domain.models import Operation, Outcome, Say, Seen, State
from bot.operations.step_results import Answer, Prepared, Sight, settled, troubled
from bot.secmaster import Instance, NotFound, SecMasterError, Task
from bot.services import desk
from bot.slack import cards, gateway
from bot.slack.gateway import CannotPost
from bot.store import Claimed


async def prepare(operation: Operation) -> Prepared:
    """Look at the object where the action or the answer needs it, then take the key."""
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
    seen = snapshots.seen(looked) if looked else Seen()
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
    card = await cards.card_here(operation, snapshot)
    place = operation.place.model_copy(update={"card": card})
    there = operation.model_copy(update={"place": place})
    return Sight(card=card, permalink=await _permalink(there))


async def _permalink(operation: Operation) -> str:
    """Where this is talked about, for SecMaster's comment."""
    place, signs = operation.place, any(each.signed for each in BY_NAME[operation.action].needs)
    if not place.card or not (signs or attributed(operation)):
        return ""
    return await gateway.permalink(place.channel, place.card)


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
    now = snapshots.seen(snapshot)
    if not BY_NAME[operation.action].only_when or seen in ("", now.digest):
        return None
    store = desk().store
    before = snapshots.read(operation.ref.noun, await asyncio.to_thread(store.sight, seen))
    own = await asyncio.to_thread(_own_marks, operation)
    changes = snapshots.changes(before, snapshot, own) if before else ()
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


async def closed(operation: Operation, before: Sight) -> Answer | None:
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
