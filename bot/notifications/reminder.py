"""Reminders of a task's due date, louder where silence approves it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from bot import messages
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.notifications.card import CardNotification
from bot.notifications.notification import Posting, RoutedNotification, ScheduledNotification
from bot.policy.routes import Route
from bot.secmaster import DueHandle, Task

JUST_POSTED = timedelta(minutes=1)


class ReminderNotification(RoutedNotification):
    """A task's due date is ``before`` seconds away; less, where it comes ``at_once``.

    Those of tasks that share a card are one message in its thread, which calls people once.
    """

    kind: Literal["reminder"] = "reminder"
    regroups: ClassVar[bool] = True
    before: int = 0
    at_once: bool = False

    @property
    def group_key(self) -> tuple[object, ...]:
        """What reminders share that one message can bring, if their tasks share a card too."""
        return (self.mentions, self.held_until, self.intended_channel, self.at_once)

    @classmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, _routes: Sequence[Route]
    ) -> list[ScheduledNotification]:
        """Return a route's reminders of a task's due date.

        One from before the task was known is left out. Where that leaves none, people are reminded
        at once; of the backlog, which is older than the first poll, they are not. Another due date
        is another reminder.
        """
        due = tracked.snapshot.due_date if isinstance(tracked.snapshot, Task) else None
        if due is None:
            return []
        snooze_end = tracked.held_until
        despite_snooze = snooze_end is not None and auto_approves_by(tracked.snapshot, snooze_end)
        items = []
        for before in route.remind:
            at = due - before
            notification = cls(
                ref=tracked.ref,
                mentions=route.mention,
                route=route.name,
                before=int(before.total_seconds()),
            )
            item = ScheduledNotification(
                at,
                route,
                notification,
                notification.timed_key(at),
                despite_snooze=despite_snooze,
                only_latest=True,
            )
            items.append(item)
        possible = [item for item in items if item.at > tracked.open_since]
        if possible or not items or tracked.backlog or due <= tracked.open_since:
            return possible
        soonest = items[-1]  # the longest time comes first
        notification = cls.model_validate(soonest.notification.model_dump() | {"at_once": True})
        key = notification.timed_key(due)
        at_once = replace(soonest, at=tracked.open_since, notification=notification, key=key)
        return [at_once]

    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Remind in the thread of the task's card; where there is none, post the card instead.

        ``posting.also_done`` are then the reminders of other tasks that are shown on this card.
        """
        services, now = posting.services, posting.services.clock.now()
        cards = services.store.cards
        card = await posting.find_card(self.ref)
        if card is None:
            return await self.as_card().post(posting, snapshot)
        rows = await asyncio.to_thread(cards.cards_at, card.channel, card.ts)
        beside = {row.ref for row in rows} - {self.ref}
        others = [entry for entry in posting.others if entry.notification.ref in beside]
        posting.also_done += [entry.number for entry in others]
        # As the list had them seconds ago: to read them all may take longer than to post may.
        refs = dict.fromkeys(entry.notification.ref for entry in others if entry.notification.ref)
        tracked_others = await asyncio.to_thread(services.store.tracked.get, list(refs))
        snapshots = [snapshot, *(other.snapshot for other in tracked_others if other.open)]
        # The card has just called these people itself, and shows when its only task is due.
        is_repeated = (
            self.at_once
            and not beside
            and bool(card.mentions or not self.mentions)
            and self.scheduled_at is not None
            and now - self.scheduled_at < JUST_POSTED
        )
        mentions = () if is_repeated else self.mentions
        if mentions and not others:
            find = services.store.claims.approval_requests
            requests = await asyncio.to_thread(find, self.ref, now)
            # Whoever has approved waits for others, who are called for that.
            approvers = {each.actor.id for request in requests for each in request.approvals}
            mentions = tuple(id_ for id_ in mentions if id_ not in approvers)
        message = messages.notifications.reminder(services.catalogue, mentions, snapshots, now)
        is_urgent = any(map(messages.notifications.auto_approves, snapshots))
        await posting.reply(message, card.ts, broadcast=is_urgent and not is_repeated)
        await posting.redraw(self.ref)
        return True

    def as_card(self) -> CardNotification:
        """Return the notification that brings the task's card where the channel has none."""
        return CardNotification(
            ref=self.ref,
            mentions=self.mentions,
            route=self.route,
            card_group=self.card_group,
            thread_ts=self.thread_ts,
            held_until=self.held_until,
            intended_channel=self.intended_channel,
            scheduled_at=self.scheduled_at,
        )


def auto_approves_by(snapshot: Snapshot, until: datetime) -> bool:
    """Return whether a task goes on by itself before ``until``, if nobody decides."""
    if not isinstance(snapshot, Task) or snapshot.due_handle != DueHandle.CONTINUE:
        return False
    return snapshot.due_date is not None and snapshot.due_date <= until
