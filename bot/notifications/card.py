"""The card of an object, where it is new or escalated; those of one group share one."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Literal

from bot import messages
from bot.domain.cards import Card, CardGroup
from bot.domain.objects import RUN_KINDS, Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.notifications import failure_details
from bot.notifications.grouping import MOST_TASKS, card_group
from bot.notifications.notification import Posting, RoutedNotification, ScheduledNotification
from bot.policy.routes import Route, escalation_steps

READ_AT_ONCE = 5  # objects of a group; people's clicks need SecMaster too


class CardNotification(RoutedNotification):
    """The card of an object; ``escalated_from`` names the route on which nobody acted in time.

    ``escalated_by`` is who had it escalated before that, for a reason; "" for nobody.
    Tasks of one group that come within ``group_window`` of one another: the first has a card of
    its own, which calls people, and the others share one. Failures of one workflow all share one.
    """

    kind: Literal["card"] = "card"
    escalated_from: str = ""
    escalated_by: str = ""
    escalation_reason: str = ""
    group_window: timedelta = Route.model_fields["group_window"].default

    @property
    def group_key(self) -> tuple[object, ...] | None:
        """What objects share that one card shows."""
        if not self.card_group:
            return None
        origin = (self.intended_channel, self.escalated_from)
        return (self.card_group, self.mentions, self.held_until, *origin)

    @classmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, routes: Sequence[Route]
    ) -> list[ScheduledNotification]:
        """Return the cards on the routes that ``route`` escalates to, each after its own time.

        A snooze or a claim puts an escalation off until it ends; the backlog escalates to nobody.
        """
        if tracked.backlog:
            return []
        # Whoever gets the card when a mute ends has the route's time to act.
        items, at = [], max(tracked.open_since, tracked.muted_until or tracked.open_since)
        for origin, target in escalation_steps(route, routes):
            at += origin.escalate.after if origin.escalate else timedelta()
            at = max(at, tracked.snoozed_until or at)
            holding = tracked.holding_assignment(at)
            at = holding.until if holding else at
            notification = cls(
                ref=tracked.ref,
                mentions=target.mention,
                route=target.name,
                card_group=card_group(target, tracked.ref, tracked.snapshot),
                group_window=target.group_window,
                escalated_from=origin.name,
            )
            items.append(ScheduledNotification(at, target, notification, escalation_key(tracked)))
        return items

    def metadata(self, dedupe_key: str) -> dict[str, str]:
        """Return its metadata, which name the object as well: a card says whose it is."""
        return super().metadata(dedupe_key) | {"ref": str(self.ref)}

    async def deliver(self, posting: Posting) -> bool:
        """Post the card, and draw the card of its group once with all the others of the group.

        ``posting.also_done`` are then those others, unless none of them can be drawn there.
        """
        is_posted = await super().deliver(posting)
        if posting.others:
            posting.also_done += await self.show_group(posting)
        return is_posted

    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Post the card, unless the channel has one, or a card of its group shows it."""
        cards, ref, origin = posting.services.cards, self.ref, self.escalated_from
        async with cards.card_lock(ref, posting.channel):
            card = await find_finished_card(posting, ref)
            # Its own card, posted before a crash, needs no word that it was escalated.
            is_own = card is not None and posting.was_tried and card.escalated_from == origin
            if card and origin and not is_own:
                cause = await cards.escalation_cause(self.new_card(posting), snapshot)
                message = messages.notifications.escalated(
                    posting.services.catalogue, cause, self.mentions, snapshot
                )
                await posting.reply(message, card.ts)
                return True
            if card and not posting.was_tried:
                return False
            if card:  # posted before a crash, perhaps without what belongs under it
                ts = card.ts
            else:
                posted_ts = await posting.find_posted()
                if not posted_ts and await self.add_to_group(posting, [(ref, snapshot)]):
                    return False
                follows = await self.follows_another(posting)
                new_card = self.new_card(posting).model_copy(
                    update={
                        "ts": posted_ts,
                        "title": snapshot.name,
                        "gathers": follows or ref.kind in RUN_KINDS,
                        "mentions": () if follows else self.mentions,
                    }
                )
                ts = await cards.post_notified(new_card, snapshot, posting.metadata)
        if posting.is_unread:
            await posting.redraw(ref)  # it says so, and is drawn again once it can be read
        await failure_details.enqueue_if_long(posting, ref, snapshot, ts)
        return card is None

    def new_card(self, posting: Posting) -> Card:
        """Return the card in the channel, before it is posted."""
        return Card(
            ref=self.ref,
            channel=posting.channel,
            ts="",
            card_group=self.card_group,
            intended_channel=self.intended_channel,
            escalated_from=self.escalated_from,
            escalated_by=self.escalated_by,
            escalation_reason=self.escalation_reason,
            late_since=posting.late_since,
        )

    async def show_group(self, posting: Posting) -> list[int]:
        """Let the group's card show the others that still wait and have no card.

        Returns the numbers of the entries that are done. Where the group has no card that takes
        them in, or none that can be drawn, the next one posts a card when its turn comes.
        """
        # What was meant for another channel may be among them twice.
        refs = {entry.notification.ref for entry in posting.others if entry.notification.ref}
        waiting, undone = [], {self.ref}
        async with AsyncExitStack() as stack:
            ordered = sorted(refs - {self.ref}, key=str)
            for ref in ordered:
                lock = posting.services.cards.card_lock(ref, posting.channel)
                await stack.enter_async_context(lock)
            for start in range(0, len(ordered), READ_AT_ONCE):
                part = ordered[start : start + READ_AT_ONCE]
                snapshots = await asyncio.gather(*map(posting.read_open, part))
                for ref, snapshot in zip(part, snapshots, strict=True):
                    card = await find_finished_card(posting, ref)
                    if snapshot and card and self.escalated_from:
                        undone.add(ref)  # that it was escalated is told in its card's thread
                    elif snapshot and not card:
                        waiting.append((ref, snapshot))
            if waiting and not await self.add_to_group(posting, waiting):
                undone.update(ref for ref, _ in waiting)
        return [entry.number for entry in posting.others if entry.notification.ref not in undone]

    async def add_to_group(self, posting: Posting, objects: Sequence[tuple[Ref, Snapshot]]) -> bool:
        """Let the card of its group show these objects too; False if there is none."""
        most = MOST_TASKS if self.ref.kind == "task" else None
        return await posting.services.cards.add_to_group(
            self.group(posting), objects, self.group_since(posting), most=most
        )

    async def follows_another(self, posting: Posting) -> bool:
        """Whether people were called for another task of its group just before."""
        if self.ref.kind in RUN_KINDS or not self.card_group:
            return False
        has_card = posting.services.store.cards.has_group_card
        return await asyncio.to_thread(has_card, self.group(posting), self.group_since(posting))

    def group(self, posting: Posting) -> CardGroup:
        """Return the group whose cards it may share in the channel."""
        return CardGroup(
            posting.channel, self.card_group, self.intended_channel, self.escalated_from
        )

    def group_since(self, posting: Posting) -> datetime:
        """Return since when a card of its group must be there to be shared."""
        services = posting.services
        gather = services.policy.current.watch.gather
        return services.clock.now() - (self.group_window if self.ref.kind == "task" else gather)


def escalation_key(tracked: TrackedObject) -> str:
    """Return what begins the dedupe keys of an object's escalations.

    However often it is checked, it escalates once for each time that it is open.
    """
    return f"escalated:{tracked.ref}:{tracked.open_since.isoformat(timespec='seconds')}"


async def find_finished_card(posting: Posting, ref: Ref) -> Card | None:
    """Return the card that an object has in the channel.

    A card that was to show it with others, when that broke off, shows it nowhere yet: it is
    forgotten.
    """
    card = await posting.find_card(ref)
    if card and card.card_group and not card.rendered_fingerprint:
        await asyncio.to_thread(posting.services.store.cards.forget_card, card, only=ref)
        return None
    return card
