"""Every kind of notification: ``KINDS`` is their only list, and the shorter ones stand here.

The outbox stores a notification as JSON, and `read` returns it as its own kind.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bot import messages
from bot.domain.notifications import NotificationEnvelope, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.operations import Operation, Outcome
from bot.domain.shift_digest import ShiftSummary
from bot.domain.slack import Destination
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import FollowedRetry, RetryResult, TrackedObject, failure_group
from bot.messages import Message
from bot.notifications.card import CardNotification
from bot.notifications.failure_details import FailureDetailsNotification
from bot.notifications.notification import (
    Announcement,
    Notification,
    Posting,
    RoutedNotification,
    ScheduledNotification,
)
from bot.notifications.reminder import ReminderNotification
from bot.policy.routes import Route
from bot.secmaster import Instance, Task


class SnoozeEndedNotification(RoutedNotification):
    """A snooze is over and the object still waits; ``snoozed_by`` is a Slack user id."""

    kind: Literal["snooze_ended"] = "snooze_ended"
    snoozed_by: str = ""

    @classmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, _routes: Sequence[Route]
    ) -> list[ScheduledNotification]:
        """Return the end of a snooze, on each route of the object."""
        at = tracked.snoozed_until
        if at is None:
            return []
        notification = cls(
            ref=tracked.ref,
            mentions=route.mention,
            route=route.name,
            failure_group=failure_group(tracked.snapshot),
            snoozed_by=tracked.snoozed_by,
        )
        return [ScheduledNotification(at, route, notification, notification.timed_key(at))]

    def render(self, snapshot: Snapshot) -> Message:
        """Return the message for the thread of the object's card."""
        return messages.notifications.snooze_ended(self.snoozed_by, snapshot)

    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Tell the thread of the object's card, if the channel has one."""
        card = await posting.find_card(self.ref)
        if card is None:
            return False
        await posting.reply(self.render(snapshot), card.ts)
        await posting.services.cards.redraw(self.ref)
        return True


class RetryEndedNotification(Announcement):
    """How a run ended that was retried from Slack."""

    kind: Literal["retry_ended"] = "retry_ended"
    ref: Ref
    result: RetryResult

    @classmethod
    def entry(cls, run: Instance, retry: FollowedRetry, now: datetime) -> OutboxEntry:
        """Return the entry that tells the thread of a retry how it ended."""
        operation, node = retry.operation, run.failed_node
        duration = (run.end_time or now) - operation.accepted_at
        result = RetryResult(
            status=run.status,
            name=run.name,
            actor_id=operation.actor.id,
            node=(node.action_name or node.action_id) if node else "",
            error=node.error_msg if node else "",
            seconds=max(0, int(duration.total_seconds())),
        )
        thread = operation.location.card or operation.location.thread
        return OutboxEntry(
            dedupe_key=f"ended:{operation.id}",
            destination=Destination.parse(operation.location.channel),
            notification=cls(ref=operation.ref, thread_ts=thread, result=result),
            not_before=now,
        )

    def render(self) -> Message:
        """Return the message for the thread in which the run was retried."""
        return messages.notifications.retry_ended(self.result)


class GivenUpNotification(Announcement):
    """An operation that was interrupted, and that an operator gave up."""

    kind: Literal["given_up"] = "given_up"
    ref: Ref
    operation: Operation
    outcome: Outcome

    @classmethod
    def entry(cls, operation: Operation, outcome: Outcome, now: datetime) -> OutboxEntry:
        """Return the entry that tells the thread of an operation that it was given up."""
        location = operation.location
        return OutboxEntry(
            dedupe_key=f"given_up:{operation.id}",
            destination=Destination.parse(location.channel),
            notification=cls(
                ref=operation.ref,
                thread_ts=location.card or location.thread,
                operation=operation,
                outcome=outcome,
            ),
            not_before=now,
        )

    def render(self) -> Message:
        """Return the message for the thread of the operation."""
        return messages.outcome(self.operation, self.outcome)

    async def deliver(self, posting: Posting) -> bool:
        """Post the message, and draw the cards of the object, which nobody decides on any more."""
        await super().deliver(posting)
        await posting.services.cards.redraw(self.ref)
        return True


class BacklogNotification(Announcement):
    """How many objects were open before the first poll, and since when the oldest task waits."""

    kind: Literal["backlog"] = "backlog"
    tasks: int = 0
    failed: int = 0
    overdue: int = 0
    oldest: datetime | None = None

    @classmethod
    def of(cls, objects: Sequence[TrackedObject], now: datetime) -> "BacklogNotification":
        """Sum up the objects of one destination."""
        tasks = [item.snapshot for item in objects if isinstance(item.snapshot, Task)]
        return cls(
            tasks=len(tasks),
            failed=len(objects) - len(tasks),
            overdue=sum(task.due_date is not None and task.due_date < now for task in tasks),
            oldest=min((task.create_time for task in tasks if task.create_time), default=None),
        )

    def render(self) -> Message:
        """Return the message."""
        return messages.notifications.backlog(
            tasks=self.tasks, failed=self.failed, overdue=self.overdue, oldest=self.oldest
        )


class DigestNotification(Announcement):
    """The report of a shift, as it was when its time came."""

    kind: Literal["digest"] = "digest"
    summary: ShiftSummary

    def render(self) -> Message:
        """Return the message."""
        return messages.digest.digest(self.summary)


class ChannelClosedNotification(Announcement):
    """Nothing can be posted in ``channel``; ``code`` is Slack's word for why, or ours."""

    kind: Literal["channel_closed"] = "channel_closed"
    channel: str
    code: str

    def render(self) -> Message:
        """Return the message to an admin."""
        return messages.notifications.channel_closed(Destination.parse(self.channel), self.code)


# Those that time makes due are planned, and so posted, in this order.
KINDS: tuple[type[Notification], ...] = (
    ReminderNotification,
    CardNotification,
    SnoozeEndedNotification,
    RetryEndedNotification,
    GivenUpNotification,
    FailureDetailsNotification,
    BacklogNotification,
    DigestNotification,
    ChannelClosedNotification,
)
BY_NAME = {str(kind.model_fields["kind"].default): kind for kind in KINDS}


def read(envelope: NotificationEnvelope) -> Notification:
    """Return a notification from the outbox as its own kind; raises ValueError for none of ours."""
    if envelope.kind not in BY_NAME:
        raise ValueError(f"{envelope.kind!r} is no kind of notification")
    return BY_NAME[envelope.kind].model_validate(envelope.model_dump())
