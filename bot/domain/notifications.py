"""What the bot posts by itself: one model for each kind, and its entry in the outbox.

Knows neither the words of a message nor how it is posted.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field

from bot.domain.objects import Ref, Value
from bot.domain.shift_digest import ShiftSummary
from bot.domain.slack import Destination


class NotificationKind(StrEnum):
    """What the bot posts by itself."""

    CARD = "card"
    REMINDER = "reminder"
    SNOOZE_ENDED = "snooze_ended"
    RETRY_ENDED = "retry_ended"
    FAILURE_DETAILS = "failure_details"
    BACKLOG = "backlog"
    DIGEST = "digest"
    CHANNEL_CLOSED = "channel_closed"


class NotificationBase(Value):
    """What a notification of any kind may carry.

    ``ref`` is the object it is about, if it is about a single one. ``thread_ts`` is the message it
    is posted under, where that is not the object's card. What quiet hours hold back is posted as
    a summary when they end, at ``held_until``. ``intended_channel`` is the channel or person that
    it was for, where that is closed to the bot.
    """

    ref: Ref | None = None
    thread_ts: str = ""
    held_until: datetime | None = None
    intended_channel: str = ""

    def redirected_from(self, destination: Destination) -> Self:
        """Return this notification as it is posted elsewhere, because its channel is closed."""
        intended = self.intended_channel or destination.id
        return self.model_copy(update={"intended_channel": intended, "thread_ts": ""})


class RoutedNotification(NotificationBase):
    """About an object, posted where a route of the policy leads.

    ``mentions`` are the ids of people and user groups to be called; ``route`` is the route's name,
    "" for a subscription; ``failure_group`` names the failures that may share its card.
    """

    ref: Ref
    mentions: tuple[str, ...] = ()
    route: str = ""
    failure_group: str = ""


class CardNotification(RoutedNotification):
    """The card of an object; ``escalated_from`` names the route on which nobody acted in time."""

    kind: Literal[NotificationKind.CARD] = NotificationKind.CARD
    escalated_from: str = ""


class ReminderNotification(RoutedNotification):
    """A task's due date is ``before`` seconds away."""

    kind: Literal[NotificationKind.REMINDER] = NotificationKind.REMINDER
    before: int = 0

    def as_card(self) -> CardNotification:
        """Return the notification that brings the task's card where the channel has none."""
        return CardNotification(
            ref=self.ref,
            mentions=self.mentions,
            route=self.route,
            failure_group=self.failure_group,
            thread_ts=self.thread_ts,
            held_until=self.held_until,
            intended_channel=self.intended_channel,
        )


class SnoozeEndedNotification(RoutedNotification):
    """A snooze is over and the object still waits; ``snoozed_by`` is a Slack user id."""

    kind: Literal[NotificationKind.SNOOZE_ENDED] = NotificationKind.SNOOZE_ENDED
    snoozed_by: str = ""


class RetryEndedNotification(NotificationBase):
    """How a run ended that was retried from Slack by ``actor_id``, after ``seconds``.

    ``node`` and ``error`` name the failed node and its message; ``retries`` is the run's count.
    """

    kind: Literal[NotificationKind.RETRY_ENDED] = NotificationKind.RETRY_ENDED
    ref: Ref
    status: str
    name: str = ""
    actor_id: str = ""
    node: str = ""
    error: str = ""
    seconds: int = 0
    retries: int = 0


class FailureDetailsNotification(NotificationBase):
    """The input and the error of a failed node as a file, for which the card has no room."""

    kind: Literal[NotificationKind.FAILURE_DETAILS] = NotificationKind.FAILURE_DETAILS
    ref: Ref


class BacklogNotification(NotificationBase):
    """How many objects were open before the first poll, and since when the oldest task waits."""

    kind: Literal[NotificationKind.BACKLOG] = NotificationKind.BACKLOG
    tasks: int = 0
    failed: int = 0
    overdue: int = 0
    oldest: datetime | None = None


class DigestNotification(NotificationBase):
    """The report of a shift, as it was when its time came."""

    kind: Literal[NotificationKind.DIGEST] = NotificationKind.DIGEST
    summary: ShiftSummary


class ChannelClosedNotification(NotificationBase):
    """Nothing can be posted in ``channel``; ``code`` is Slack's word for why, or ours."""

    kind: Literal[NotificationKind.CHANNEL_CLOSED] = NotificationKind.CHANNEL_CLOSED
    channel: str
    code: str


Notification = Annotated[
    CardNotification
    | ReminderNotification
    | SnoozeEndedNotification
    | RetryEndedNotification
    | FailureDetailsNotification
    | BacklogNotification
    | DigestNotification
    | ChannelClosedNotification,
    Field(discriminator="kind"),
]


class OutboxEntry(Value):
    """A notification on its way to a channel, a person, or each member of a user group.

    It is posted once for each ``dedupe_key``, and not before ``not_before``. ``number`` is its
    place in line. ``sending_at`` is when somebody first began to post it, ``tried_at`` when that
    was tried last, and ``sending_by`` which process did.
    """

    dedupe_key: str
    destination: Destination
    notification: Notification
    not_before: datetime
    number: int = 0
    tried_at: datetime | None = None
    sending_at: datetime | None = None
    sending_by: str = ""
