"""Posting what the bot says by itself: a line for each channel, in order, at Slack's pace.

What was about to be posted when a process died is looked for in Slack before it is posted.
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot import messages
from bot.domain.actions import OPEN_STATUSES
from bot.domain.cards import Card
from bot.domain.notifications import NotificationKind, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.messages import Message
from bot.notifications import failure_details, fallback
from bot.secmaster import NotFound, Refused, SecMasterError, Unreadable
from bot.services import services
from bot.slack import cards, gateway
from bot.slack.gateway import CannotPost, SlackFailed

log = logging.getLogger(__name__)

TROUBLED = 5.0  # seconds to wait before Slack or SecMaster is asked again
ITS_PLACE = timedelta(minutes=1)  # for which one that trouble keeps waiting stays first in line
LATER = timedelta(minutes=2)  # until it is tried again: many such must not starve a channel
DRAWN = 50  # failures that wait for one drawing of their card
NOBODY = "no_members"  # our word for a user group that is empty or gone
KEPT = timedelta(days=30)  # what was posted longer ago is forgotten


@dataclass(slots=True)
class ChannelWorkers:
    """A line for each channel; each ends when there is nothing left to post in it now."""

    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def wake(self) -> None:
        """See to it that whatever is ready is being posted."""
        ready = await asyncio.to_thread(services().store.outbox.ready_channels, services().clock())
        for channel in ready:
            if channel not in self._running:
                self._running[channel] = asyncio.create_task(self._run(channel))

    async def _run(self, channel: str) -> None:
        try:
            await _lane(channel)
        finally:
            del self._running[channel]

    async def close(self) -> None:
        lanes = list(self._running.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)


async def _lane(channel: str) -> None:
    """Post what is ready in one channel, in order."""
    outbox = services().store.outbox
    if await fallback.redirect_if_closed(channel):
        return
    while due := await asyncio.to_thread(outbox.next_entry, channel, services().clock()):
        try:
            posted = await _post(due)
        except CannotPost as error:
            if error.code in gateway.MESSAGE_GONE_CODES:
                await _without_its_card(due)
                continue
            await fallback.report_closed(channel, error.code)
            return
        except Exception as error:
            waited = services().clock() - (due.sending_at or services().clock())
            if _passes(error) and waited < ITS_PLACE:
                log.warning(
                    "a notice waits", extra={"dedupe_key": due.dedupe_key, "error": str(error)}
                )
                await services().sleep(TROUBLED)
                continue
            # One that can't be posted, for whatever reason, must not stand before all others.
            log.warning(
                "a notice is left for later", exc_info=error, extra={"dedupe_key": due.dedupe_key}
            )
            await asyncio.to_thread(outbox.postpone, [due.number], services().clock() + LATER)
            continue
        if posted:
            await services().sleep(services().timeouts.post_interval)


async def _without_its_card(due: OutboxEntry) -> None:
    """Somebody deleted the message that this belongs under: a card is posted anew, or nothing."""
    outbox, ref = services().store.outbox, due.notification.ref
    place = await _place(due.channel)
    for card in await asyncio.to_thread(services().store.cards_of, ref) if ref else []:
        if card.channel == place:
            await asyncio.to_thread(services().store.forget_card, card)
    if due.notification.thread_ts:
        log.warning("a thread is gone", extra={"dedupe_key": due.dedupe_key})
        await asyncio.to_thread(outbox.mark_done, [due.number], services().clock())


def _passes(error: Exception) -> bool:
    """Whether the same may go well in a moment; what can't be read or is refused does not."""
    if isinstance(error, SlackFailed):
        return error.is_temporary
    if isinstance(error, SecMasterError):
        return not isinstance(error, Refused | Unreadable)
    return isinstance(error, TimeoutError)


async def _post(due: OutboxEntry) -> bool:
    """Post what is first in line, with whatever quiet hours held back beside it.

    Returns whether there is a new message in the channel.
    """
    outbox, held = services().store.outbox, [due]
    if due.channel[0] == "S":
        return await _to_each(due)
    if due.notification.held_until:
        held = await asyncio.to_thread(
            outbox.held_entries, due.channel, due.notification.held_until, services().clock()
        )
    elif _may_gather(due):
        held = await asyncio.to_thread(outbox.group_entries, due, services().clock(), DRAWN)
    if not await _in_hand(due, held):
        return False
    # Slack may ask to wait for so long that another process takes over meanwhile.
    async with asyncio.timeout(services().timeouts.post):
        posted, through = await _posted(held)
    opens = due.channel if posted else ""
    await asyncio.to_thread(outbox.mark_done, through, services().clock(), opens=opens)
    return posted


async def _posted(held: list[OutboxEntry]) -> tuple[bool, list[int]]:
    """Whether there is a new message now, and the numbers of those that are through."""
    first, numbers = held[0], [each.number for each in held]
    since, place = first.sending_at, await _place(first.channel)
    if len(held) == 1:
        return await POSTING[first.notification.kind](first, place, since), numbers
    if first.notification.held_until:
        return await _summed_up(held, place, since), numbers
    return await _together(held, place)


async def _to_each(due: OutboxEntry) -> bool:
    """Hand what is for a user group on to each of its members, as they are now."""
    outbox, now = services().store.outbox, services().clock()
    members = sorted(await services().members(due.channel))
    if not members:
        raise CannotPost(NOBODY)
    each = [
        due.model_copy(
            update={"dedupe_key": f"{due.dedupe_key}:{user}", "channel": user, "not_before": now}
        )
        for user in members
    ]
    await asyncio.to_thread(outbox.add, each, now)
    await asyncio.to_thread(outbox.mark_done, [due.number], now, opens=due.channel)
    return False


def _may_gather(due: OutboxEntry) -> bool:
    """Whether it is a failure that came, and that nobody can have posted before."""
    notice = due.notification
    came = notice.kind is NotificationKind.CARD and not notice.details
    return came and bool(notice.failure_group) and due.sending_at is None


async def _in_hand(due: OutboxEntry, held: list[OutboxEntry]) -> bool:
    """Take what is first in line in hand; False if another process may still be at it.

    One that lost the lead without knowing may be posting for as long as a call to Slack lasts.
    """
    mine, now = services().process_id, services().clock()
    if due.sending_at is None or due.sending_by == mine:
        return await asyncio.to_thread(services().store.outbox.mark_sending, held, mine, now)
    left = services().timeouts.takeover - (now - (due.tried_at or due.sending_at)).total_seconds()
    if left > 0:
        await services().sleep(left)
        return False
    return await asyncio.to_thread(services().store.outbox.mark_sending, held, mine, now)


async def _place(channel: str) -> str:
    """A channel's id; for a person that of our chat with them."""
    return await gateway.open_dm(channel) if channel[0] in "UW" else channel


# What there is to post, each by its kind; all return whether there is a new message.


async def _card(due: OutboxEntry, place: str, since: datetime | None) -> bool:
    """A card, unless the channel has one, or there is nothing to decide any more."""
    ref, notice = _about(due), due.notification
    snapshot = await _look(ref)
    if snapshot is None or snapshot.status not in OPEN_STATUSES:
        return False
    origin = notice.details.get("from", "")
    async with services().card_lock(ref, place):
        here = await _card_here(ref, place)
        # Its own card, posted before a crash, needs no word that it was escalated.
        own = here is not None and since is not None and here.escalated_from == origin
        if here and origin and not own:
            await _reply(
                due, place, here.ts, messages.notifications.escalated(notice, snapshot), since
            )
            return True
        if here and not since:
            return False
        if here:  # posted before a crash, perhaps without what belongs under it
            ts = here.ts
        else:
            found = await _found(due, place, "", since)
            if not (found or origin) and await cards.add_to_group(place, [(ref, snapshot)], notice):
                return False
            ts = await cards.post_notified(place, snapshot, notice, _mark(due), found)
    await failure_details.enqueue_if_long(due, snapshot, place, ts)
    return here is None


async def _card_here(ref: Ref, place: str) -> Card | None:
    """The card that an object has in a channel.

    One that was to be drawn with others when that broke off is shown nowhere yet: it has none.
    """
    store = services().store
    card = await asyncio.to_thread(store.card_in, ref, place)
    if card and card.failure_group and not card.rendered_fingerprint:
        await asyncio.to_thread(store.forget_card, card, only=ref)
        return None
    return card


async def _together(these: list[OutboxEntry], place: str) -> tuple[bool, list[int]]:
    """Failures of one workflow: a card for the first, and one drawing of it with all others.

    Returns whether there is a new message, and the numbers of those that are through.
    """
    first, *others = these
    posted = await _card(first, place, None)
    async with AsyncExitStack() as places:
        failed = []
        # What was meant for another channel may be here twice.
        for ref in sorted({_about(each) for each in others} - {_about(first)}, key=str):
            await places.enter_async_context(services().card_lock(ref, place))
            run = await _look(ref)
            here = await _card_here(ref, place)
            failed += [(ref, run)] if run and run.status in OPEN_STATUSES and not here else []
        gathered = not failed or await cards.add_to_group(place, failed, first.notification)
    # The first may have no card any more, or none that can be drawn: then it is the next's turn.
    return posted, [each.number for each in (these if gathered else [first])]


async def _reminder(due: OutboxEntry, place: str, since: datetime | None) -> bool:
    """A word in the thread of the object's card; where there is none, the card is the word."""
    ref, notice = _about(due), due.notification
    snapshot = await _look(ref)
    if snapshot is None or snapshot.status not in OPEN_STATUSES:
        return False
    here = await asyncio.to_thread(services().store.card_in, ref, place)
    if here is None:
        return await _card(due, place, since)
    said = messages.notifications.reminder(notice, snapshot, services().clock())
    loud = messages.notifications.auto_approves(snapshot)
    await _reply(due, place, here.ts, said, since, loud=loud)
    await cards.redraw(ref)
    return True


async def _awake(due: OutboxEntry, place: str, since: datetime | None) -> bool:
    ref = _about(due)
    snapshot = await _look(ref)
    here = await asyncio.to_thread(services().store.card_in, ref, place)
    if snapshot is None or here is None or snapshot.status not in OPEN_STATUSES:
        return False
    await _reply(
        due, place, here.ts, messages.notifications.snooze_ended(due.notification, snapshot), since
    )
    await cards.redraw(ref)
    return True


async def _ended(due: OutboxEntry, place: str, since: datetime | None) -> bool:
    await _reply(
        due,
        place,
        due.notification.thread_ts,
        messages.notifications.retry_ended(due.notification),
        since,
    )
    return True


async def _plain(due: OutboxEntry, place: str, since: datetime | None) -> bool:
    await _reply(due, place, "", messages.notifications.standalone(due.notification), since)
    return True


async def _excerpt(due: OutboxEntry, place: str, since: datetime | None) -> bool:
    """The card says the same in short: where no file can be shared, it has to be enough."""
    again, thread = since is not None, due.notification.thread_ts
    if not thread:  # it belongs under a card in a channel that is closed by now
        return False
    try:
        await failure_details.share(_about(due), place, thread, perhaps_again=again)
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.warning(
            "an excerpt can't be shared", extra={"dedupe_key": due.dedupe_key, "code": error.code}
        )
        return False
    return True


POSTING = {
    NotificationKind.CARD: _card,
    NotificationKind.REMINDER: _reminder,
    NotificationKind.SNOOZE_ENDED: _awake,
    NotificationKind.RETRY_ENDED: _ended,
    NotificationKind.FAILURE_DETAILS: _excerpt,
    NotificationKind.BACKLOG: _plain,
    NotificationKind.DIGEST: _plain,
    NotificationKind.CHANNEL_CLOSED: _plain,
}


async def _summed_up(held: list[OutboxEntry], place: str, since: datetime | None) -> bool:
    """One message for all that quiet hours held back and that still waits."""
    refs = [each.notification.ref for each in held if each.notification.ref]
    known = await asyncio.to_thread(services().store.tracked.get, list(dict.fromkeys(refs)))
    if waiting := [each for each in known if each.open]:
        said = messages.notifications.quiet_summary(waiting, len(known), services().clock())
        await _reply(held[0], place, "", said, since)
    return bool(waiting)


async def _reply(  # noqa: PLR0913 - where, what, and whether it was said before
    due: OutboxEntry,
    place: str,
    thread: str,
    said: Message,
    since: datetime | None,
    *,
    loud: bool = False,
) -> None:
    """Post once; ``loud`` shows it in the channel as well."""
    if not await _found(due, place, thread, since):
        message = messages.notifications.with_origin(said, due.notification.intended_channel)
        await gateway.post((place, thread), message, _mark(due), None, loud=loud)


async def _found(due: OutboxEntry, place: str, thread: str, since: datetime | None) -> str:
    """The ts of this notice if it was posted before a crash."""
    return await gateway.find_posted((place, thread), _mark(due), since) if since else ""


def _mark(due: OutboxEntry) -> dict[str, str]:
    ref = (
        {"ref": str(due.notification.ref)} if due.notification.kind is NotificationKind.CARD else {}
    )
    return {"part": due.notification.kind, "operation": due.dedupe_key} | ref


def _about(due: OutboxEntry) -> Ref:
    if due.notification.ref is None:
        raise ValueError(f"{due.dedupe_key} is about nothing")
    return due.notification.ref


async def _look(ref: Ref) -> Snapshot | None:
    """The object as it is now, which the watch then knows as well; None where there is none."""
    try:
        return await cards.read_and_track(ref)
    except NotFound:
        return None
