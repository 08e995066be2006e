"""Posting what stands in the outbox, each kind of notification in its own way.

Where an entry may have been posted before a crash, its message is looked for in Slack first.
Knows nothing of other entries' order or pace.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import assert_never

from bot import messages
from bot.domain.actions import OPEN_STATUSES
from bot.domain.cards import Card
from bot.domain.notifications import (
    BacklogNotification,
    CardNotification,
    ChannelClosedNotification,
    DigestNotification,
    FailureDetailsNotification,
    OutboxEntry,
    ReminderNotification,
    RetryEndedNotification,
    SnoozeEndedNotification,
)
from bot.domain.objects import Ref
from bot.domain.slack import Destination, DestinationKind
from bot.domain.snapshots import Snapshot
from bot.messages import Message
from bot.notifications import failure_details
from bot.secmaster import NotFound
from bot.services import Services
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)


async def deliver(services: Services, entries: Sequence[OutboxEntry]) -> tuple[bool, list[int]]:
    """Post entries of one channel that belong together: one, a group's, or those of quiet hours.

    Returns whether there is a new message, and the numbers of the entries that are done.
    """
    first, *others = entries
    channel = await slack_channel(services, first.destination)
    delivery = Delivery(services, first, channel)
    if others and first.notification.held_until:
        return await delivery.post_quiet_summary(entries), [entry.number for entry in entries]
    if others and isinstance(first.notification, CardNotification):
        return await delivery.post_group(first.notification, others)
    return await delivery.post(), [first.number]


async def slack_channel(services: Services, destination: Destination) -> str:
    """Return the id of a destination's channel: for a person that of our direct messages."""
    is_person = destination.kind is DestinationKind.PERSON
    return await services.slack.open_dm(destination.id) if is_person else destination.id


@dataclass(frozen=True, slots=True)
class Delivery:
    """Posts one entry of the outbox into ``channel``; an entry that was tried may be there."""

    services: Services
    entry: OutboxEntry
    channel: str

    async def post(self) -> bool:
        """Post the entry by its kind; return whether there is a new message."""
        notification, thread = self.entry.notification, ""
        match notification:
            case CardNotification():
                return await self.post_card(notification)
            case ReminderNotification():
                return await self.post_reminder(notification)
            case SnoozeEndedNotification():
                return await self.post_snooze_ended(notification)
            case FailureDetailsNotification():
                return await self.share_failure_details(notification)
            case RetryEndedNotification():
                message = messages.notifications.retry_ended(notification)
                thread = notification.thread_ts
            case BacklogNotification():
                message = messages.notifications.backlog(notification)
            case DigestNotification():
                message = messages.digest.digest(notification.summary)
            case ChannelClosedNotification():
                message = messages.notifications.channel_closed(notification)
            case _:
                assert_never(notification)
        await self.reply(message, thread)
        return True

    async def post_card(self, notification: CardNotification) -> bool:
        """Post a card, unless the channel has one, or there is nothing to decide any more."""
        services, ref, origin = self.services, notification.ref, notification.escalated_from
        snapshot = await self.read_open(ref)
        if snapshot is None:
            return False
        async with services.cards.card_lock(ref, self.channel):
            card, was_tried = await self.find_card(ref), self.entry.sending_at is not None
            # Its own card, posted before a crash, needs no word that it was escalated.
            is_own = card is not None and was_tried and card.escalated_from == origin
            if card and origin and not is_own:
                message = messages.notifications.escalated(notification, snapshot)
                await self.reply(message, card.ts)
                return True
            if card and not was_tried:
                return False
            if card:  # posted before a crash, perhaps without what belongs under it
                ts = card.ts
            else:
                posted_ts = await self.find_posted()
                if not (posted_ts or origin) and await services.cards.add_to_group(
                    self.channel, [(ref, snapshot)], notification
                ):
                    return False
                ts = await services.cards.post_notified(
                    self.channel, snapshot, notification, self.metadata, posted_ts
                )
        await failure_details.enqueue_if_long(
            services, self.entry, ref, snapshot, (self.channel, ts)
        )
        return card is None

    async def post_group(
        self, notification: CardNotification, others: Sequence[OutboxEntry]
    ) -> tuple[bool, list[int]]:
        """Post a card for the first failure of a workflow, and draw it once with all others.

        Returns whether there is a new message, and the numbers of the entries that are done.
        """
        cards, ref = self.services.cards, notification.ref
        is_posted = await self.post_card(notification)
        async with AsyncExitStack() as stack:
            runs = []
            # What was meant for another channel may be among them twice.
            refs = {entry.notification.ref for entry in others if entry.notification.ref} - {ref}
            for other_ref in sorted(refs, key=str):
                await stack.enter_async_context(cards.card_lock(other_ref, self.channel))
                run, card = await self.read_open(other_ref), await self.find_card(other_ref)
                runs += [(other_ref, run)] if run and not card else []
            is_drawn = not runs or await cards.add_to_group(self.channel, runs, notification)
        # Where the first has no card, or none that can be drawn, it is the next one's turn.
        done = [self.entry, *others] if is_drawn else [self.entry]
        return is_posted, [entry.number for entry in done]

    async def post_reminder(self, notification: ReminderNotification) -> bool:
        """Remind in the thread of the task's card; where there is none, post the card instead."""
        services, ref = self.services, notification.ref
        snapshot = await self.read_open(ref)
        if snapshot is None:
            return False
        card = await asyncio.to_thread(services.store.card_in, ref, self.channel)
        if card is None:
            return await self.post_card(notification.as_card())
        message = messages.notifications.reminder(notification, snapshot, services.clock.now())
        is_urgent = messages.notifications.auto_approves(snapshot)
        await self.reply(message, card.ts, broadcast=is_urgent)
        await services.cards.redraw(ref)
        return True

    async def post_snooze_ended(self, notification: SnoozeEndedNotification) -> bool:
        """Tell the thread of an object's card that it still waits after its snooze."""
        services, ref = self.services, notification.ref
        snapshot = await self.read_open(ref)
        card = await asyncio.to_thread(services.store.card_in, ref, self.channel)
        if snapshot is None or card is None:
            return False
        await self.reply(messages.notifications.snooze_ended(notification, snapshot), card.ts)
        await services.cards.redraw(ref)
        return True

    async def share_failure_details(self, notification: FailureDetailsNotification) -> bool:
        """Share a failed node's details; where no file can be, the card's short form has to do."""
        thread = notification.thread_ts
        if not thread:  # it belongs under a card in a channel that is closed by now
            return False
        was_tried = self.entry.sending_at is not None
        try:
            await failure_details.share(
                self.services, notification.ref, self.channel, thread, may_be_shared=was_tried
            )
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning(
                "an excerpt can't be shared",
                extra={"dedupe_key": self.entry.dedupe_key, "code": error.code},
            )
            return False
        return True

    async def post_quiet_summary(self, entries: Sequence[OutboxEntry]) -> bool:
        """Post one message for all that quiet hours held back and that is still open."""
        services = self.services
        refs = dict.fromkeys(entry.notification.ref for entry in entries if entry.notification.ref)
        objects = await asyncio.to_thread(services.store.tracked.get, list(refs))
        waiting = [tracked for tracked in objects if tracked.open]
        if not waiting:
            return False
        now = services.clock.now()
        await self.reply(messages.notifications.quiet_summary(waiting, len(objects), now))
        return True

    # What the kinds share.

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata by which the entry's message can be found again in Slack."""
        notification = self.entry.notification
        metadata = {"part": str(notification.kind), "operation": self.entry.dedupe_key}
        if isinstance(notification, CardNotification):
            metadata["ref"] = str(notification.ref)
        return metadata

    async def reply(self, message: Message, thread: str = "", *, broadcast: bool = False) -> None:
        """Post a message once, into the channel or a thread; ``broadcast`` shows a reply in both.

        In a fallback channel it names the channel that it was meant for.
        """
        intended = self.entry.notification.intended_channel
        await self.services.slack.post(
            self.channel,
            messages.notifications.with_origin(message, intended),
            self.metadata,
            thread=thread,
            posted_since=self.entry.sending_at,
            broadcast=broadcast,
        )

    async def find_posted(self) -> str:
        """Return the ts of the entry's message in the channel, "" where it has none yet."""
        since = self.entry.sending_at
        if since is None:
            return ""
        return await self.services.slack.find_posted(self.channel, "", self.metadata, since)

    async def find_card(self, ref: Ref) -> Card | None:
        """Return the card that an object has in the channel.

        A card that was to show it with others, when that broke off, shows it nowhere yet: it is
        forgotten.
        """
        store = self.services.store
        card = await asyncio.to_thread(store.card_in, ref, self.channel)
        if card and card.failure_group and not card.rendered_fingerprint:
            await asyncio.to_thread(store.forget_card, card, only=ref)
            return None
        return card

    async def read_open(self, ref: Ref) -> Snapshot | None:
        """Read and record an object; None where it is gone, or nobody is waited for any more."""
        try:
            snapshot = await self.services.cards.read_and_track(ref)
        except NotFound:
            return None
        return snapshot if snapshot.status in OPEN_STATUSES else None
