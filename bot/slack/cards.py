"""The cards of an object: posted once where they belong, and drawn from what SecMaster says."""

import asyncio
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot import messages
from bot.domain import snapshots
from bot.domain.actions import CHANGEABLE_STATUSES
from bot.domain.approvals import ApprovalRequest
from bot.domain.cards import Card
from bot.domain.notifications import Notification
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, StandingOperation
from bot.domain.slack import SlackLocation
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.messages import Message, RenderContext
from bot.secmaster import NotFound
from bot.services import services
from bot.slack import gateway
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)

VANISHED = "vanished"
# What a card tells of: what was done from here, or may have been.
ON_CARD = (OperationState.DONE, OperationState.UNKNOWN, OperationState.IN_DOUBT)
GATHERED = 200  # failures of one workflow whose rows are read to draw one card
Standing = tuple[StandingOperation | None, tuple[ApprovalRequest, ...]]


@dataclass(frozen=True, slots=True)
class CardState:
    """What the cards of an object are drawn from; ``snapshot`` is None where there is none."""

    ref: Ref
    snapshot: Snapshot | None
    standing: Standing
    snoozed: tuple[datetime, str] | None = None
    unread: bool = False

    @property
    def seen(self) -> str:
        return snapshots.rendered_fingerprint(self.snapshot) if self.snapshot else VANISHED


async def redraw(ref: Ref) -> None:
    """Draw every card of an object anew, from what SecMaster says now.

    Those who ask while that is being done share the next drawing.
    """
    await services().renders.run(str(ref), lambda: draw(ref))


async def draw(ref: Ref) -> None:
    """The same for the caller alone, who may break it off."""
    await _draw_cards(ref, every=True)


async def redraw_outdated(ref: Ref) -> int:
    """Draw those cards of an object that show something else than is so; returns how many."""
    return await _draw_cards(ref, every=False)


async def read_and_track(ref: Ref) -> Snapshot:
    """Read an object, and let the watch know what it is like now; raises NotFound."""
    known, now = services().store.tracked, services().clock()
    try:
        snapshot = await services().read(ref)
    except NotFound:
        await asyncio.to_thread(known.update_read, ref, None, now)
        raise
    await asyncio.to_thread(known.update_read, ref, snapshot, now)
    return snapshot


async def _draw_cards(ref: Ref, *, every: bool) -> int:
    async with services().render_lock(ref):
        store = services().store
        cards = await asyncio.to_thread(store.cards_of, ref)
        if not cards and not await asyncio.to_thread(store.tracked.contains, ref):
            return 0
        picture = await _picture(ref, await _look(ref))
        behind = [card for card in cards if every or card.rendered_fingerprint != picture.seen]
        if behind:
            kept = await _keep(ref, picture.snapshot)
            updates = (_update(card, picture, kept) for card in behind)
            # All end under the lock: one that came late would bring an older picture back.
            ended = await asyncio.gather(*updates, return_exceptions=True)
            for error in filter(None, ended):
                raise error
        # SecMaster's gateway can lose a task for a moment: what vanished may come back.
        open_ = picture.snapshot is None or picture.snapshot.status in CHANGEABLE_STATUSES
        await asyncio.to_thread(store.mark_checked, cards, open_=open_)
        return len(behind)


async def redraw_from_stored(ref: Ref) -> None:
    """Draw the cards from what was read last, while SecMaster can't be asked."""
    async with services().render_lock(ref):
        store = services().store
        cards = await asyncio.to_thread(store.cards_of, ref)
        digests = [card.decision_fingerprint for card in cards if card.decision_fingerprint]
        kept = await asyncio.to_thread(store.snapshot_json, digests[0]) if digests else ""
        if snapshot := snapshots.parse(ref.kind, kept):
            picture = replace(await _picture(ref, snapshot), unread=True)
            await asyncio.gather(*(_draw(card, picture) for card in cards))


async def find_or_post(operation: Operation, snapshot: Snapshot) -> str:
    """The ts of the object's card in the channel, posting one where there is none."""
    place, ref = operation.location, operation.ref
    async with services().card_lock(ref, place.channel):  # two who ask at once get one card
        here = await asyncio.to_thread(services().store.card_in, ref, place.channel)
        if here:
            return here.ts
        card = Card(ref=ref, channel=place.channel, ts="", title=snapshot.name)
        mark = {"part": "card", "operation": operation.id, "ref": str(ref)}
        return await _post(card, snapshot, mark, operation)


async def post_new(place: SlackLocation, ref: Ref, snapshot: Snapshot) -> None:
    """Post a new card into the channel; whoever looks for one meanwhile waits and finds it."""
    async with services().card_lock(ref, place.channel):
        card = Card(ref=ref, channel=place.channel, ts="", title=snapshot.name)
        await _post(card, snapshot, {"part": "card", "operation": "", "ref": str(ref)}, None)


async def post_notified(
    channel: str, snapshot: Snapshot, notice: Notification, mark: dict[str, str], posted: str
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
        failure_group=notice.failure_group,
        mentions=notice.mentions,
        intended_channel=notice.intended_channel,
        escalated_from=notice.details.get("from", ""),
    )
    return await _post(card, snapshot, mark, None, brought=True)


async def add_to_group(
    channel: str, runs: Sequence[tuple[Ref, Snapshot]], notice: Notification
) -> bool:
    """Let a card of the same workflow's failures show these too; False if none can."""
    store, gathers = services().store, notice.failure_group
    since = services().clock() - services().policy().watch.gather
    which = (channel, gathers, notice.intended_channel, since)
    found = await asyncio.to_thread(store.group_card, *which) if gathers else None
    if found is None or not runs:
        return found is not None
    joined = [await _join(*found, *run) for run in runs]
    card, picture = joined[-1]
    try:
        # Many may come at once: they share a drawing.
        drawing = functools.partial(_draw, card, picture)
        await services().renders.run(f"{card.channel} {card.ts}", drawing)
    except SlackFailed as error:
        if error.is_temporary:
            raise
        # What can't be drawn there must not be hidden there: it has a card of its own.
        log.warning("a card can't gather", extra={"ref": str(card.ref), "code": error.code})
        for card, _ in joined:
            await asyncio.to_thread(store.forget_card, card, only=card.ref)
        return False
    for card, picture in joined:
        await asyncio.to_thread(store.mark_rendered, card, picture.seen, card.decision_fingerprint)
    return True


async def _join(
    message: Card, at: datetime, ref: Ref, snapshot: Snapshot
) -> tuple[Card, CardState]:
    """Remember that a message is the card of this one too, though it does not show it yet."""
    kept, picture = await _kept_picture(ref, snapshot)
    shown = {
        "ref": ref,
        "title": snapshot.name,
        "rendered_fingerprint": "",
        "decision_fingerprint": kept,
    }
    card = message.model_copy(update=shown)
    await asyncio.to_thread(services().store.add_card, card, at)
    return card, picture


async def object_of(channel: str, ts: str) -> Ref | None:
    """The object whose card a message is, if it is one.

    A card that Slack shows already and we have not remembered yet, or that a crash kept from
    being remembered, says it itself. Of one that gathers several nobody can tell.
    """
    cards = await asyncio.to_thread(services().store.cards_at, channel, ts)
    if cards:
        return cards[0].ref if len(cards) == 1 else None
    try:
        async with asyncio.timeout(services().timeouts.optional):
            return Ref.parse((await gateway.own_metadata(channel, ts)).get("ref", ""))
    except (SlackFailed, TimeoutError) as error:
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
    shown = {"ts": ts, "rendered_fingerprint": picture.seen, "decision_fingerprint": kept}
    remembered = card.model_copy(update=shown)
    remembering = asyncio.to_thread(services().store.add_card, remembered, services().clock())
    # Its address is asked for now, so that no decision waits for it; but not for what the watch
    # brings: Slack tells five a second, of all that come only few are decided on here.
    asking = [] if brought else [gateway.permalink(card.channel, ts)]
    await asyncio.gather(remembering, *asking)
    return ts


async def _picture(ref: Ref, snapshot: Snapshot | None) -> CardState:
    """What was done to an object from here, what waits for more people, and who snoozed it."""
    return await asyncio.to_thread(_read, ref, snapshot, services().clock())


async def _kept_picture(ref: Ref, snapshot: Snapshot) -> tuple[str, CardState]:
    """The same, with what the card shows remembered: each trip to a thread is a wait."""

    def both() -> tuple[str, CardState]:
        seen, now = snapshots.stored(snapshot), services().clock()
        services().store.save_snapshot(ref, seen, now)
        return seen.fingerprint, _read(ref, snapshot, now)

    return await asyncio.to_thread(both)


def _read(ref: Ref, snapshot: Snapshot | None, now: datetime) -> CardState:
    store = services().store
    standing = (store.standing_operation(ref, *ON_CARD), store.approval_requests(ref, now))
    known = store.tracked.get([ref])
    snoozed = _snoozed(known[0], now) if known else None
    return CardState(ref, snapshot, standing, snoozed)


def _snoozed(known: TrackedObject, now: datetime) -> tuple[datetime, str] | None:
    until = known.snoozed_until
    return (until, known.snoozed_by) if until and until > now else None


async def _keep(ref: Ref, snapshot: Snapshot | None) -> str:
    """Remember what a card shows before it shows it, and return its digest."""
    if snapshot is None:
        return ""
    seen = snapshots.stored(snapshot)
    await asyncio.to_thread(services().store.save_snapshot, ref, seen, services().clock())
    return seen.fingerprint


async def _look(ref: Ref) -> Snapshot | None:
    """The object as it is now; None where SecMaster no longer knows it."""
    try:
        return await read_and_track(ref)
    except NotFound:
        return None


async def _draw(card: Card, picture: CardState) -> None:
    """Draw one card; one that gathers several is drawn from what is known of all of them."""
    together = await asyncio.to_thread(services().store.cards_at, card.channel, card.ts)
    if len(together) < 2:  # noqa: PLR2004 - one is no gathering
        await gateway.update(card, _drawn(card, picture))
        return
    frame, shown = replace(services().render_context(card.ref), mentions=card.mentions), None
    drawn = await _gathered(card, frame)
    while drawn.payload != shown:  # another of them may have changed, and been drawn before
        await gateway.update(card, drawn)
        shown, drawn = drawn.payload, await _gathered(card, frame)


async def _gathered(card: Card, frame: RenderContext) -> Message:
    """All that a card gathers, as it is known now."""
    store = services().store
    refs = [each.ref for each in await asyncio.to_thread(store.cards_at, card.channel, card.ts)]
    known = await asyncio.to_thread(store.tracked.get, refs[:GATHERED])
    failed = await asyncio.to_thread(store.tracked.count_open, refs)
    waiting = {
        each.ref: await asyncio.to_thread(store.approval_requests, each.ref, frame.now)
        for each in messages.failure_groups.visible_rows(known)
    }
    drawn = messages.failure_groups.card(frame, known, (failed, len(refs)), waiting)
    return messages.notifications.with_origin(drawn, card.intended_channel, card.escalated_from)


def _drawn(card: Card, picture: CardState) -> Message:
    frame = _frame(card, picture)
    if picture.snapshot is None:
        drawn = messages.vanished_card(frame, card.title)
    else:
        drawn = messages.card(frame, picture.snapshot, *picture.standing)
    return messages.notifications.with_origin(drawn, card.intended_channel, card.escalated_from)


def _frame(card: Card, picture: CardState) -> RenderContext:
    until, by = picture.snoozed or (None, "")
    return replace(
        services().render_context(card.ref),
        stale=picture.unread,
        mentions=card.mentions,
        snoozed_until=until,
        snoozed_by=by,
    )


async def _update(card: Card, picture: CardState, kept: str) -> None:
    """Draw one card; raises only what may pass, for then it is drawn later."""
    store = services().store
    try:
        await _draw(card, picture)
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.warning("card not redrawn", extra={"ref": str(card.ref), "code": error.code})
        if error.code == "message_not_found":  # somebody deleted it
            await asyncio.to_thread(store.forget_card, card)
            return
    await asyncio.to_thread(store.mark_rendered, card, picture.seen, kept)
