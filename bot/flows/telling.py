"""What is said in Slack of an operation: the reply, the cards, and words for one person alone."""

import asyncio
import logging
from dataclasses import replace

from bot import messages, sight
from bot.actions import UNSETTLED, Snapshot
from bot.flows import posting
from bot.flows.desk import desk
from bot.flows.posting import SlackTrouble, whisper
from bot.messages import Message
from bot.models import Ballot, Card, Operation, Outcome, Place, Ref, State, Verdict
from bot.secmaster import NotFound, SecMasterError

log = logging.getLogger(__name__)

# Where nothing reached SecMaster there is nothing for the thread to know.
PRIVATE = ("not_now", "cannot_post", "changed", "voted", "same_right", "no_ballot", "too_late")
SHORTLY = 5.0  # seconds
VANISHED = "vanished"
# What a card tells of: what was done from here, or may have been.
ON_CARD = (State.DONE, State.UNKNOWN, State.DOUBT)


async def outcome(operation: Operation, ended: Outcome, begun: bool) -> None:  # noqa: FBT001
    """Answer in the card's thread, or to the person alone where nothing reached SecMaster.

    A thread that was told of trouble is told of the end as well: it has ``begun``.
    """
    if ended.trouble in PRIVATE and not begun:
        store = desk().store
        states = (State.DONE, State.PENDING, State.DOUBT)
        standing = await asyncio.to_thread(store.standing, operation.ref, *states)
        said = messages.outcome(operation, ended, standing)
        await _privately(operation, await _to_decide_again(operation, ended) or said)
        return
    await _in_thread(operation, "outcome", messages.outcome(operation, ended))


async def _to_decide_again(operation: Operation, ended: Outcome) -> Message | None:
    """What has changed, with a button to decide on that; None where it is not about that."""
    if ended.trouble != "changed":
        return None
    kept = await asyncio.to_thread(desk().store.sight, ended.sight)
    about = sight.read(operation.ref.noun, kept)
    return messages.changed(operation, ended, desk().frame(operation.ref), about) if about else None


async def announce(operation: Operation, ended: Outcome) -> None:
    """Tell the channel for it that somebody decided alone what asks for several people."""
    place, mark = operation.place, {"part": "announcement", "operation": operation.id}
    link = await posting.permalink(place.channel, place.card) if place.card else ""
    said = messages.glass_broken(operation, ended, desk().name(operation.ref), link)
    try:
        await posting.post((operation.terms.glass, ""), said, mark, operation)
    except SlackTrouble as error:
        if error.passes:
            raise
        log.exception("breaking the glass could not be announced")
        await _in_thread(operation, "not announced", messages.not_announced(operation, error.code))


async def lapsed(operation: Operation, ballot: Ballot) -> None:
    """Tell the thread that too few people said yes in time."""
    await _in_thread(operation, "lapsed", messages.lapsed(operation, ballot))


async def trouble(operation: Operation, ended: Outcome) -> None:
    """Say once that SecMaster is in trouble and that the operation is kept."""
    line = messages.trouble(operation, ended, desk().patience.seconds)
    try:
        async with asyncio.timeout(SHORTLY):
            doubt = ended.state is State.UNKNOWN
            await _in_thread(operation, "doubt" if doubt else "trouble", line)
            if doubt:
                await _draw_doubt(operation)
    except (SlackTrouble, TimeoutError) as error:
        # The operation matters more than the news of it, which has an ending to come.
        log.warning("trouble not told", extra={"error": str(error)})


async def _draw_doubt(operation: Operation) -> None:
    """Show on the cards that nobody knows yet what became of a write."""
    await asyncio.to_thread(desk().store.doubt, operation)
    try:
        async with asyncio.timeout(SHORTLY / 2):  # half is for memory, if there is no answer
            await redraw(operation.ref)
    except (SecMasterError, TimeoutError):
        await _draw_from_memory(operation.ref)


async def _draw_from_memory(ref: Ref) -> None:
    """Draw the cards from what was read last, while SecMaster can't be asked."""
    async with desk().drawing(ref):
        store = desk().store
        cards = await asyncio.to_thread(store.cards_of, ref)
        digests = [card.sight for card in cards if card.sight]
        kept = await asyncio.to_thread(store.sight, digests[0]) if digests else ""
        if snapshot := sight.read(ref.noun, kept):
            frame = replace(desk().frame(ref), unread=True)
            drawn = messages.card(frame, snapshot, *await _standing(ref))
            await asyncio.gather(*(posting.update(card, drawn) for card in cards))


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
        seen = sight.whole(snapshot) if snapshot else VANISHED
        behind = [card for card in cards if every or card.seen != seen]
        if behind:
            drawn = await _draw(ref, snapshot, behind[0].title)
            kept = await _keep(ref, snapshot)
            updates = (_update(card, drawn, (seen, kept)) for card in behind)
            # All end under the lock: one that came late would bring an older picture back.
            ended = await asyncio.gather(*updates, return_exceptions=True)
            for error in filter(None, ended):
                raise error
        # SecMaster's gateway can lose a task for a moment: what vanished may come back.
        open_ = snapshot is None or snapshot.status in UNSETTLED
        await asyncio.to_thread(store.looked, cards, open_=open_)
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
        async with asyncio.timeout(posting.SOON):
            return Ref.parse((await posting.own_mark(channel, ts)).get("ref", ""))
    except (SlackTrouble, TimeoutError) as error:
        log.warning("a thread can't be looked at", extra={"error": str(error)})
        return None


async def _post_card(place: Place, ref: Ref, snapshot: Snapshot, cause: Operation | None) -> str:
    """Post a card and remember it; returns its ts."""
    drawn, kept = await _draw(ref, snapshot, ""), await _keep(ref, snapshot)
    mark = {"part": "card", "operation": cause.id if cause else "", "ref": str(ref)}
    ts = await posting.post((place.channel, ""), drawn, mark, cause)
    shown = {"title": snapshot.name, "seen": sight.whole(snapshot), "sight": kept}
    card = Card(ref=ref, channel=place.channel, ts=ts, **shown)
    # Its address is asked for now, so that no decision waits for it.
    remembering = asyncio.to_thread(desk().store.add_card, card, desk().clock())
    await asyncio.gather(remembering, posting.permalink(place.channel, ts))
    return ts


async def _standing(ref: Ref) -> tuple[Verdict | None, tuple[Ballot, ...]]:
    """What was done to an object from here, and what waits for more people."""
    store = desk().store
    verdict = await asyncio.to_thread(store.standing, ref, *ON_CARD)
    return verdict, await asyncio.to_thread(store.ballots, ref, desk().clock())


async def _keep(ref: Ref, snapshot: Snapshot | None) -> str:
    """Remember what a card shows before it shows it, and return its digest."""
    if snapshot is None:
        return ""
    seen = sight.seen(snapshot)
    await asyncio.to_thread(desk().store.keep_sight, ref, seen, desk().clock())
    return seen.digest


async def _look(ref: Ref) -> Snapshot | None:
    """The object as it is now; None where SecMaster no longer knows it."""
    try:
        return await desk().look(ref)
    except NotFound:
        return None


async def _draw(ref: Ref, snapshot: Snapshot | None, title: str) -> Message:
    if snapshot is None:
        return messages.vanished(desk().frame(ref), title)
    return messages.card(desk().frame(ref), snapshot, *await _standing(ref))


async def _update(card: Card, drawn: Message, shown: tuple[str, str]) -> None:
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
    await asyncio.to_thread(store.drawn, card, *shown)


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
