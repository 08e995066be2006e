"""The card of an object, where it is new or escalated; failures of one workflow share one."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Literal

from bot import messages
from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject, failure_group
from bot.notifications import failure_details
from bot.notifications.notification import Posting, RoutedNotification, ScheduledNotification
from bot.policy.routes import Route


class CardNotification(RoutedNotification):
    """The card of an object; ``escalated_from`` names the route on which nobody acted in time."""

    kind: Literal["card"] = "card"
    escalated_from: str = ""

    @property
    def group_key(self) -> tuple[object, ...] | None:
        """What failures share that one card shows."""
        if not self.failure_group or self.escalated_from:
            return None
        return (self.failure_group, self.mentions, self.held_until, self.intended_channel)

    @classmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, routes: Sequence[Route]
    ) -> list[ScheduledNotification]:
        """Return the cards on the routes that ``route`` escalates to, each after its own time.

        A snooze puts an escalation off until it ends; the backlog escalates to nobody.
        """
        if tracked.backlog:
            return []
        by_name = {candidate.name: candidate for candidate in routes if candidate.name}
        # However often an object is checked, it escalates once for each time that it is open.
        key = f"escalated:{tracked.ref}:{tracked.open_since.isoformat(timespec='seconds')}"
        items, at, origin = [], tracked.open_since, route
        while origin.escalate:
            at += origin.escalate.after
            at = max(at, tracked.snoozed_until or at)
            target = by_name[origin.escalate.to]
            notification = cls(
                ref=tracked.ref,
                mentions=target.mention,
                route=target.name,
                failure_group=failure_group(tracked.snapshot),
                escalated_from=origin.name,
            )
            items.append(ScheduledNotification(at, target, notification, key))
            origin = target
        return items

    def metadata(self, dedupe_key: str) -> dict[str, str]:
        """Return its metadata, which name the object as well: a card says whose it is."""
        return super().metadata(dedupe_key) | {"ref": str(self.ref)}

    async def deliver(self, posting: Posting) -> bool:
        """Post the card, and draw it once with all other failures of its group.

        ``posting.also_done`` are then those others, unless none of them can be drawn there.
        """
        is_posted = await super().deliver(posting)
        if posting.others and await self.show_group(posting):
            posting.also_done += [entry.number for entry in posting.others]
        return is_posted

    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Post the card, unless the channel has one, or a card of its group shows it."""
        cards, ref, origin = posting.services.cards, self.ref, self.escalated_from
        async with cards.card_lock(ref, posting.channel):
            card = await find_finished_card(posting, ref)
            # Its own card, posted before a crash, needs no word that it was escalated.
            is_own = card is not None and posting.was_tried and card.escalated_from == origin
            if card and origin and not is_own:
                message = messages.notifications.escalated(
                    posting.services.catalogue, origin, self.mentions, snapshot
                )
                await posting.reply(message, card.ts)
                return True
            if card and not posting.was_tried:
                return False
            if card:  # posted before a crash, perhaps without what belongs under it
                ts = card.ts
            else:
                posted_ts = await posting.find_posted()
                if not (posted_ts or origin) and await self.add_to_group(
                    posting, [(ref, snapshot)]
                ):
                    return False
                new_card = Card(
                    ref=ref,
                    channel=posting.channel,
                    ts=posted_ts,
                    title=snapshot.name,
                    failure_group=self.failure_group,
                    mentions=self.mentions,
                    intended_channel=self.intended_channel,
                    escalated_from=origin,
                    late_since=posting.late_since,
                )
                ts = await cards.post_notified(new_card, snapshot, posting.metadata)
        if posting.is_unread:
            await posting.redraw(ref)  # it says so, and is drawn again once it can be read
        await failure_details.enqueue_if_long(posting, ref, snapshot, ts)
        return card is None

    async def show_group(self, posting: Posting) -> bool:
        """Let the group's card show the other failures that still wait and have no card.

        False where the first has no card, or none that can be drawn: it is the next one's turn.
        """
        async with AsyncExitStack() as stack:
            runs = []
            # What was meant for another channel may be among them twice.
            refs = {entry.notification.ref for entry in posting.others if entry.notification.ref}
            for ref in sorted(refs - {self.ref}, key=str):
                lock = posting.services.cards.card_lock(ref, posting.channel)
                await stack.enter_async_context(lock)
                run, card = await posting.read_open(ref), await find_finished_card(posting, ref)
                runs += [(ref, run)] if run and not card else []
            return not runs or await self.add_to_group(posting, runs)

    async def add_to_group(self, posting: Posting, runs: Sequence[tuple[Ref, Snapshot]]) -> bool:
        """Let the card of its group show these failures too; False if there is none."""
        return await posting.services.cards.add_to_group(
            posting.channel, self.failure_group, runs, intended_channel=self.intended_channel
        )


async def find_finished_card(posting: Posting, ref: Ref) -> Card | None:
    """Return the card that an object has in the channel.

    A card that was to show it with others, when that broke off, shows it nowhere yet: it is
    forgotten.
    """
    card = await posting.find_card(ref)
    if card and card.failure_group and not card.rendered_fingerprint:
        await asyncio.to_thread(posting.services.store.cards.forget_card, card, only=ref)
        return None
    return card
