"""Reminders of a task's due date, louder where silence approves it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bot import messages
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.messages import Message
from bot.messages.catalogue import Catalogue
from bot.notifications.card import CardNotification
from bot.notifications.notification import Posting, RoutedNotification, ScheduledNotification
from bot.policy.routes import Route
from bot.secmaster import DueHandle, Task


class ReminderNotification(RoutedNotification):
    """A task's due date is ``before`` seconds away."""

    kind: Literal["reminder"] = "reminder"
    before: int = 0

    @classmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, _routes: Sequence[Route]
    ) -> list[ScheduledNotification]:
        """Return a route's reminders of a task's due date.

        One from before the task was known is left out: the card itself says as much. Another due
        date is another reminder.
        """
        due = tracked.snapshot.due_date if isinstance(tracked.snapshot, Task) else None
        if due is None:
            return []
        snooze_end = tracked.snoozed_until
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
        return [item for item in items if item.at > tracked.open_since]

    def render(self, catalogue: Catalogue, snapshot: Snapshot, now: datetime) -> Message:
        """Return the message for the thread of the task's card."""
        return messages.notifications.reminder(catalogue, self.mentions, snapshot, now)

    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Remind in the thread of the task's card; where there is none, post the card instead."""
        services = posting.services
        card = await posting.find_card(self.ref)
        if card is None:
            return await self.as_card().post(posting, snapshot)
        is_urgent = messages.notifications.auto_approves(snapshot)
        message = self.render(services.catalogue, snapshot, services.clock.now())
        await posting.reply(message, card.ts, broadcast=is_urgent)
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
