"""The cards of an object: posted once where they belong, and drawn from what SecMaster says."""

import asyncio
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot import messages
from bot.domain import snapshots
from bot.domain.actions import UNSETTLED, Snapshot
from bot.domain.models import Ballot, Card, Operation, Place, Ref, State, Verdict
from bot.domain.notifications import Notice
from bot.messages import Frame, Message
from bot.secmaster import NotFound
from bot.services import desk
from bot.slack import gateway
from bot.slack.gateway import SlackTrouble
from bot.store import Known

log = logging.getLogger(__name__)

VANISHED = "vanished"
# What a card tells of: what was done from here, or may have been.
ON_CARD = (State.DONE, State.UNKNOWN, State.DOUBT)
GATHERED = 200  # failures of one workflow whose rows are read to draw one card
Standing = tuple[Verdict | None, tuple[Ballot, ...]]


@dataclass(frozen=True, slots=True)
class Picture:
    """What the cards of an object are drawn from; ``snapshot`` is None where there is none."""

    ref: Ref
    snapshot: Snapshot | None
    standing: Standing
    snoozed: tuple[datetime, str] | None = None
    unread: bool = False

    @property
    def seen(self) -> str:
        return snapshots.whole(self.snapshot) if self.snapshot else VANISHED


async def redraw(ref: Ref) -> None:
    """Draw every card of an object anew, from what SecMaster says now.

    Those who ask while that is being done share the next drawing.
    """
    await desk().redraws.share(str(ref), lambda: draw(ref))


async def draw(ref: Ref) -> None:
    """The same for the caller alone, who may break it off."""
    await _draw_cards(ref, every=True)


async def follow(ref: Ref) -> int:
    """Draw those cards of an object that show something else than is so; returns how many."""
    return await _draw_cards(ref, every=False)


async def look(ref: Ref) -> Snapshot:
    """Read an object, and let the watch know what it is like now; raises NotFound."""
    known, now = desk().store.known, desk().clock()
    try:
        snapshot = await desk().look(ref)
    except NotFound:
        await asyncio.to_thread(known.looked, ref, None, now)
        raise
    await asyncio.to_thread(known.looked, ref, snapshot, now)
    return snapshot


async def _draw_cards(ref: Ref, *, every: bool) -> int:
    async with desk().drawing(ref):
        store = desk().store
        cards = await asyncio.to_thread(store.cards_of, ref)
        if not cards and not await asyncio.to_thread(store.known.knows, ref):
            return 0
        picture = await _picture(ref, await _look(ref))
        behind = [card for card in cards if every or card.seen != picture.seen]
        if behind:
            kept = await _keep(ref, picture.snapshot)
            updates = (_update(card, picture, kept) for card in behind)
            # All end under the lock: one that came late would bring an older picture back.
            ended = await asyncio.gather(*updates, return_exceptions=True)
            for error in filter(None, ended):
                raise error
        # SecMaster's gateway can lose a task for a moment: what vanished may come back.
        open_ = picture.snapshot is None or picture.snapshot.status in UNSETTLED
        await asyncio.to_thread(store.looked, cards, open_=open_)
        return len(behind)


async def redraw_from_memory(ref: Ref) -> None:
    """Draw the cards from what was read last, while SecMaster can't be asked."""
    async with desk().drawing(ref):
        store = desk().store
        cards = await asyncio.to_thread(store.cards_of, ref)
        digests = [card.sight for card in cards if card.sight]
        kept = await asyncio.to_thread(store.sight, digests[0]) if digests else ""
        if snapshot := snapshots.read(ref.noun, kept):
            picture = replace(await _picture(ref, snapshot), unread=True)
            await asyncio.gather(*(_draw(card, picture) for card in cards))


async def card_here(operation: Operation, snapshot: Snapshot) -> str:
    """The ts of the object's card in the channel, posting one where there is none."""
    place, ref = operation.place, operation.ref
    async with desk().placing(ref, place.channel):  # two who ask at once get one card
        here = await asyncio.to_thread(desk().store.card_in, ref, place.channel)
        if here:
            return here.ts
        card = Card(ref=ref, channel=place.channel, ts="", title=snapshot.name)
        mark = {"part": "card", "operation": operation.id, "ref": str(ref)}
        return await _post(card, snapshot, mark, operation)


async def show(place: Place, ref: Ref, snapshot: Snapshot) -> None:
    """Post a new card into the channel; whoever looks for one meanwhile waits and finds it."""
    async with desk().placing(ref, place.channel):
        card = Card(ref=ref, channel=place.channel, ts="", title=snapshot.name)
        await _post(card, snapshot, {"part": "card", "operation": "", "ref": str(ref)}, None)


async def bring(
    channel: str, snapshot: Snapshot, notice: Notice, mark: dict[str, str], posted: str
) -> str:
    """Post the card of what has come, unless it was ``posted``; returns its ts.

    The caller holds the object's place in the channel.
    """
    if notice.ref is None:
        raise ValueError("a card is of something")
    card = Card(
        ref=notice.ref,
        channel=channel,
        ts=posted,
        title=snapshot.name,
        gathers=notice.gathers,
        mention=notice.mention,
        meant=notice.meant,
        origin=notice.told.get("from", ""),
    )
    return await _post(card, snapshot, mark, None, brought=True)


async def gather(channel: str, runs: Sequence[tuple[Ref, Snapshot]], notice: Notice) -> bool:
    """Let a card of the same workflow's failures show these too; False if none can."""
    store, gathers = desk().store, notice.gathers
    since = desk().clock() - desk().policy().watch.gather
    which = (channel, gathers, notice.meant, since)
    found = await asyncio.to_thread(store.gathering, *which) if gathers else None
    if found is None or not runs:
        return found is not None
    joined = [await _join(*found, *run) for run in runs]
    card, picture = joined[-1]
    try:
        # Many may come at once: they share a drawing.
        drawing = functools.partial(_draw, card, picture)
        await desk().redraws.share(f"{card.channel} {card.ts}", drawing)
    except SlackTrouble as error:
        if error.passes:
            raise
        # What can't be drawn there must not be hidden there: it has a card of its own.
        log.warning("a card can't gather", extra={"ref": str(card.ref), "code": error.code})
        for card, _ in joined:
            await asyncio.to_thread(store.forget_card, card, only=card.ref)
        return False
    for card, picture in joined:
        await asyncio.to_thread(store.drawn, card, picture.seen, card.sight)
    return True


async def _join(message: Card, at: datetime, ref: Ref, snapshot: Snapshot) -> tuple[Card, Picture]:
    """Remember that a message is the card of this one too, though it does not show it yet."""
    kept, picture = await _kept_picture(ref, snapshot)
    shown = {"ref": ref, "title": snapshot.name, "seen": "", "sight": kept}
    card = message.model_copy(update=shown)
    await asyncio.to_thread(desk().store.add_card, card, at)
    return card, picture


async def object_of(channel: str, ts: str) -> Ref | None:
    """The object whose card a message is, if it is one.

    A card that Slack shows already and we have not remembered yet, or that a crash kept from
    being remembered, says it itself. Of one that gathers several nobody can tell.
    """
    cards = await asyncio.to_thread(desk().store.cards_at, channel, ts)
    if cards:
        return cards[0].ref if len(cards) == 1 else None
    try:
        async with asyncio.timeout(desk().patience.aside):
            return Ref.parse((await gateway.own_mark(channel, ts)).get("ref", ""))
    except (SlackTrouble, TimeoutError) as error:
        log.warning("a thread can't be looked at", extra={"error": str(error)})
        return None


async def _post(
    card: Card,
    snapshot: Snapshot,
    mark: dict[str, str],
    cause: Operation | None,
    *,
    brought: bool = False,
) -> str:
    """Post a card, unless it has a ts, and remember it; returns its ts."""
    kept, picture = await _kept_picture(card.ref, snapshot)
    ts = card.ts
    if not ts:
        ts = await gateway.post((card.channel, ""), _drawn(card, picture), mark, cause)
    shown = {"ts": ts, "seen": picture.seen, "sight": kept}
    remembered = card.model_copy(update=shown)
    remembering = asyncio.to_thread(desk().store.add_card, remembered, desk().clock())
    # Its address is asked for now, so that no decision waits for it; but not for what the watch
    # brings: Slack tells five a second, of all that come only few are decided on here.
    asking = [] if brought else [gateway.permalink(card.channel, ts)]
    await asyncio.gather(remembering, *asking)
    return ts


async def _picture(ref: Ref, snapshot: Snapshot | None) -> Picture:
    """What was done to an object from here, what waits for more people, and who snoozed it."""
    return await asyncio.to_thread(_read, ref, snapshot, desk().clock())


async def _kept_picture(ref: Ref, snapshot: Snapshot) -> tuple[str, Picture]:
    """The same, with what the card shows remembered: each trip to a thread is a wait."""

    def both() -> tuple[str, Picture]:
        seen, now = snapshots.seen(snapshot), desk().clock()
        desk().store.keep_sight(ref, seen, now)
        return seen.digest, _read(ref, snapshot, now)

    return await asyncio.to_thread(both)


def _read(ref: Ref, snapshot: Snapshot | None, now: datetime) -> Picture:
    store = desk().store
    standing = (store.standing(ref, *ON_CARD), store.ballots(ref, now))
    known = store.known.of([ref])
    snoozed = _snoozed(known[0], now) if known else None
    return Picture(ref, snapshot, standing, snoozed)


def _snoozed(known: Known, now: datetime) -> tuple[datetime, str] | None:
    until = known.snoozed_until
    return (until, known.snoozed_by) if until and until > now else None


async def _keep(ref: Ref, snapshot: Snapshot | None) -> str:
    """Remember what a card shows before it shows it, and return its digest."""
    if snapshot is None:
        return ""
    seen = snapshots.seen(snapshot)
    await asyncio.to_thread(desk().store.keep_sight, ref, seen, desk().clock())
    return seen.digest


async def _look(ref: Ref) -> Snapshot | None:
    """The object as it is now; None where SecMaster no longer knows it."""
    try:
        return await look(ref)
    except NotFound:
        return None


async def _draw(card: Card, picture: Picture) -> None:
    """Draw one card; one that gathers several is drawn from what is known of all of them."""
    together = await asyncio.to_thread(desk().store.cards_at, card.channel, card.ts)
    if len(together) < 2:  # noqa: PLR2004 - one is no gathering
        await gateway.update(card, _drawn(card, picture))
        return
    frame, shown = replace(desk().frame(card.ref), mention=card.mention), None
    drawn = await _gathered(card, frame)
    while drawn.payload != shown:  # another of them may have changed, and been drawn before
        await gateway.update(card, drawn)
        shown, drawn = drawn.payload, await _gathered(card, frame)


async def _gathered(card: Card, frame: Frame) -> Message:
    """All that a card gathers, as it is known now."""
    store = desk().store
    refs = [each.ref for each in await asyncio.to_thread(store.cards_at, card.channel, card.ts)]
    known = await asyncio.to_thread(store.known.of, refs[:GATHERED])
    failed = await asyncio.to_thread(store.known.waiting, refs)
    waiting = {
        each.ref: await asyncio.to_thread(store.ballots, each.ref, frame.now)
        for each in messages.failure_groups.shown(known)
    }
    drawn = messages.failure_groups.card(frame, known, (failed, len(refs)), waiting)
    return messages.notifications.placed(drawn, card.meant, card.origin)


def _drawn(card: Card, picture: Picture) -> Message:
    frame = _frame(card, picture)
    if picture.snapshot is None:
        drawn = messages.vanished(frame, card.title)
    else:
        drawn = messages.card(frame, picture.snapshot, *picture.standing)
    return messages.notifications.placed(drawn, card.meant, card.origin)


def _frame(card: Card, picture: Picture) -> Frame:
    until, by = picture.snoozed or (None, "")
    return replace(
        desk().frame(card.ref),
        unread=picture.unread,
        mention=card.mention,
        snoozed_until=until,
        snoozed_by=by,
    )


async def _update(card: Card, picture: Picture, kept: str) -> None:
    """Draw one card; raises only what may pass, for then it is drawn later."""
    store = desk().store
    try:
        await _draw(card, picture)
    except SlackTrouble as error:
        if error.passes:
            raise
        log.warning("card not redrawn", extra={"ref": str(card.ref), "code": error.code})
        if error.code == "message_not_found":  # somebody deleted it
            await asyncio.to_thread(store.forget_card, card)
            return
    await asyncio.to_thread(store.drawn, card, picture.seen, kept)
