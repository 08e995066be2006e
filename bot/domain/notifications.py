"""Notifications: what the bot posts by itself, and their entries in the outbox."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from bot.domain.objects import Ref, Value


class NotificationKind(StrEnum):
    """What a notification is about."""

    CARD = "card"
    REMINDER = "reminder"
    SNOOZE_ENDED = "snooze_ended"
    RETRY_ENDED = "retry_ended"
    FAILURE_DETAILS = "failure_details"
    BACKLOG = "backlog"
    DIGEST = "digest"
    CHANNEL_CLOSED = "channel_closed"


class Notification(Value):
    """One thing that the bot is to post by itself, as it is recorded.

    ``mentions`` are ids of people (U…) and user groups (S…); ``route`` is the title of the route
    that sends it there. ``thread_ts`` is the thread it is posted in, where that is not the
    object's card. ``held_until`` is the end of the quiet hours that hold it back; then it becomes
    part of a summary. ``intended_channel`` is the channel it was meant for, where that is closed.
    ``details`` is what else its text needs.
    """

    kind: NotificationKind
    ref: Ref | None = None
    mentions: tuple[str, ...] = ()
    route: str = ""
    failure_group: str = ""
    thread_ts: str = ""
    held_until: datetime | None = None
    intended_channel: str = ""
    details: dict[str, str] = Field({})


class OutboxEntry(Value):
    """A notification in the outbox: for which channel, and not before which time.

    Of entries with one ``dedupe_key`` only the first is posted. ``number`` is its place in line.
    ``sending_at`` is when posting it began, ``tried_at`` when that was tried last, and
    ``sending_by`` in which process.
    """

    dedupe_key: str
    channel: str
    notification: Notification
    not_before: datetime
    number: int = 0
    tried_at: datetime | None = None
    sending_at: datetime | None = None
    sending_by: str = ""
