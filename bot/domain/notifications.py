"""What the bot is to post by itself: as it is written down, and on its way."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from bot.domain.objects import Ref, Value


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


class Notification(Value):
    """One thing that the bot is to post by itself, as it is written down.

    ``mention`` are people (U…) and user groups (S…) to be called; ``route`` is why it goes there.
    ``thread`` is the ts it is posted under, where that is not the object's card. What was
    ``held_until`` the end of quiet hours is summed up then. ``meant`` is the channel it was
    for, where that is closed. ``told`` is what else its words need.
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
    """A notice on its way: what it must happen only ``once`` by, where, and when at the earliest.

    ``number`` is its place in line. ``sending_at`` is when somebody began to post it, ``tried_at``
    when that was tried last, and ``sending_by`` which process did.
    """

    dedupe_key: str
    channel: str
    notification: Notification
    not_before: datetime
    number: int = 0
    tried_at: datetime | None = None
    sending_at: datetime | None = None
    sending_by: str = ""
