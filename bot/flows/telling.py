"""What is said in Slack of an operation: the reply, the cards, and words for one person alone."""

import asyncio
import logging

from bot import messages
from bot.actions import UNSETTLED, Snapshot, digest
from bot.flows import posting
from bot.flows.desk import desk
from bot.flows.posting import SlackTrouble, whisper
from bot.messages import Message
from bot.models import Card, Operation, Outcome, Place, Ref, State, Verdict
from bot.secmaster import NotFound

log = logging.getLogger(__name__)

# Where nothing reached SecMaster there is nothing for the thread to know.
PRIVATE = ("not_now", "cannot_post")
SHORTLY = 5.0  # seconds
VANISHED = "vanished"
SOON = 0.5  # seconds; what is asked before the acknowledgement has three in all
# What a card tells of: what was done from here, or may have been.
ON_CARD = (State.DONE, State.UNKNOWN)


async def outcome(operation: Operation, ended: Outcome, begun: bool) -> None:  # noqa: FBT001
    """Answer in the card's thread, or to the person alone where nothing reached SecMaster.

    A thread that was told of trouble is told of the end as well: it has ``begun``.
    """
    if ended.trouble in PRIVATE and not begun:
        store = desk().store
        states = (State.DONE, State.PENDING)
        standing = await asyncio.to_thread(store.standing, operation.ref, *states)
        await _privately(operation, messages.outcome(operation, ended, standing))
        return
    await _in_thread(operation, "outcome", messages.outcome(operation, ended))


async def trouble(operation: Operation, ended: Outcome) -> None:
    """Say once that SecMaster is in trouble and that the operation is kept."""
    line = messages.trouble(operation, ended, desk().patience.seconds)
    try:
        async with asyncio.timeout(SHORTLY):
            await _in_thread(operation, "trouble", line)
    except (SlackTrouble, TimeoutError) as error:
        # The operation matters more than the news of it, which has an ending to come.
        log.warning("trouble not told", extra={"error": str(error)})


async def lost(operation: Operation, holder: Verdict) -> None:
    """Tell whoever came second who came first."""
    await _privately(operation, messages.lost(operation, holder))


async def redraw(ref: Ref) -> None:
    """Draw every card of an object anew, from what SecMaster says now."""
    await _draw_cards(ref, every=True)


async def follow(ref: Ref) -> int:
    """Draw those cards of an object that show something else than is so; returns how many."""
    return await _draw_cards(ref, every=False)


async def _draw_cards(ref: Ref, *, every: bool) -> int:
    async with desk().drawing(ref):
        store = desk().store
        cards = await asyncio.to_thread(store.cards_of, ref)
        if not cards:
            return 0
        snapshot = await _look(ref)
        sight = digest(snapshot) if snapshot else VANISHED
        behind = [card for card in cards if every or card.seen != sight]
        if behind:
            drawn = await _draw(ref, snapshot, behind[0].title)
            updates = (_update(card, drawn, sight) for card in behind)
            # All end under the lock: one that came late would bring an older picture back.
            ended = await asyncio.gather(*updates, return_exceptions=True)
            for error in filter(None, ended):
                raise error
        # SecMaster's gateway can lose a task for a moment: what vanished may come back.
        open_ = snapshot is None or snapshot.status in UNSETTLED
        await asyncio.to_thread(store.looked, ref, desk().clock(), open_=open_)
        return len(behind)


async def card_here(operation: Operation, snapshot: Snapshot) -> str:
    """The ts of the object's card in the channel, posting one where there is none."""
    place, ref = operation.place, operation.ref
    async with desk().placing(ref, place.channel):  # two who ask at once get one card
        here = await asyncio.to_thread(desk().store.card_in, ref, place.channel)
        return here.ts if here else await _post_card(place, ref, snapshot, operation)


async def show(place: Place, ref: Ref, snapshot: Snapshot) -> None:
    """Post a new card into the channel; whoever looks for one meanwhile waits and finds it."""
    async with desk().placing(ref, place.channel):
        await _post_card(place, ref, snapshot, None)


async def object_of(channel: str, ts: str) -> Ref | None:
    """The object whose card a message is, if it is one.

    A card that Slack shows already and we have not remembered yet, or that a crash kept from
    being remembered, says it itself.
    """
    card = await asyncio.to_thread(desk().store.card_at, channel, ts)
    if card:
        return card.ref
    try:
        async with asyncio.timeout(SOON):
            return Ref.parse((await posting.own_mark(channel, ts)).get("ref", ""))
    except (SlackTrouble, TimeoutError) as error:
        log.warning("a thread can't be looked at", extra={"error": str(error)})
        return None


async def _post_card(place: Place, ref: Ref, snapshot: Snapshot, cause: Operation | None) -> str:
    """Post a card and remember it; returns its ts."""
    verdict = await asyncio.to_thread(desk().store.standing, ref, *ON_CARD)
    drawn = messages.card(desk().frame(ref), snapshot, verdict)
    mark = {"part": "card", "operation": cause.id if cause else "", "ref": str(ref)}
    ts = await posting.post((place.channel, ""), drawn, mark, cause)
    seen = digest(snapshot)
    card = Card(ref=ref, channel=place.channel, ts=ts, title=snapshot.name, seen=seen)
    await asyncio.to_thread(desk().store.add_card, card, desk().clock())
    return ts


async def _look(ref: Ref) -> Snapshot | None:
    """The object as it is now; None where SecMaster no longer knows it."""
    try:
        return await desk().look(ref)
    except NotFound:
        return None


async def _draw(ref: Ref, snapshot: Snapshot | None, title: str) -> Message:
    if snapshot is None:
        return messages.vanished(desk().frame(ref), title)
    verdict = await asyncio.to_thread(desk().store.standing, ref, *ON_CARD)
    return messages.card(desk().frame(ref), snapshot, verdict)


async def _update(card: Card, drawn: Message, sight: str) -> None:
    """Draw one card; raises only what may pass, for then it is drawn later."""
    store = desk().store
    try:
        await posting.update(card, drawn)
    except SlackTrouble as error:
        if error.passes:
            raise
        log.warning("card not redrawn", extra={"ref": str(card.ref), "code": error.code})
        if error.code == "message_not_found":  # somebody deleted it
            await asyncio.to_thread(store.forget_card, card)
            return
    await asyncio.to_thread(store.drawn, card, sight)


async def _in_thread(operation: Operation, part: str, message: Message) -> None:
    """Reply under the card once; to the person alone where there is no thread to reply in."""
    place, mark = operation.place, {"part": part, "operation": operation.id}
    try:
        if place.card:
            await posting.post((place.channel, place.card), message, mark, operation)
            return
    except SlackTrouble as error:
        if error.passes:
            raise
        log.warning("thread closed to us", extra={"code": error.code})
    await _privately(operation, message)


async def _privately(operation: Operation, message: Message) -> None:
    await whisper(operation.place, operation.actor.id, message)
