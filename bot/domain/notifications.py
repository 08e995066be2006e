"""What the bot is to post by itself: as it is written down, and on its way."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from bot.domain.models import Ref, Value


class NoticeKind(StrEnum):
    """What the bot posts by itself."""

    CARD = "card"
    REMINDER = "reminder"
    AWAKE = "awake"
    ENDED = "ended"
    EXCERPT = "excerpt"
    BACKLOG = "backlog"
    DIGEST = "digest"
    CLOSED = "closed"


class Notice(Value):
    """One thing that the bot is to post by itself, as it is written down.

    ``mention`` are people (U…) and user groups (S…) to be called; ``route`` is why it goes there.
    ``thread`` is the ts it is posted under, where that is not the object's card. What was
    ``held_until`` the end of quiet hours is summed up then. ``meant`` is the channel it was
    for, where that is closed. ``told`` is what else its words need.
    """

    kind: NoticeKind
    ref: Ref | None = None
    mention: tuple[str, ...] = ()
    route: str = ""
    gathers: str = ""
    thread: str = ""
    held_until: datetime | None = None
    meant: str = ""
    told: dict[str, str] = Field({})


class Due(Value):
    """A notice on its way: what it must happen only ``once`` by, where, and when at the earliest.

    ``number`` is its place in line. ``sending_at`` is when somebody began to post it, ``tried_at``
    when that was tried last, and ``sending_by`` which process did.
    """

    once: str
    channel: str
    notice: Notice
    not_before: datetime
    number: int = 0
    tried_at: datetime | None = None
    sending_at: datetime | None = None
    sending_by: str = ""
