"""What the outbox keeps of what the bot posts by itself, whatever its kind.

Knows neither the kinds (bot/notifications/kinds.py) nor the words of a message.
"""

from datetime import datetime
from typing import Self

from pydantic import ConfigDict

from bot.domain.objects import Ref, Value
from bot.domain.slack import Destination


class NotificationEnvelope(Value):
    """What a notification of any kind carries; the fields of its kind stay in it unread.

    ``ref`` is the object it is about, if it is about a single one. ``thread_ts`` is the message it
    is posted under, where that is not the object's card. What quiet hours hold back is posted as
    a summary when they end, at ``held_until``. ``intended_channel`` is the id of the destination
    that it was for, where that is closed to the bot. ``scheduled_at`` is when time made it due,
    None where something else did.
    """

    model_config = ConfigDict(extra="allow")

    kind: str
    ref: Ref | None = None
    thread_ts: str = ""
    held_until: datetime | None = None
    intended_channel: str = ""
    scheduled_at: datetime | None = None

    def redirected_from(self, destination: Destination) -> Self:
        """Return this notification as it is posted elsewhere, because its channel is closed."""
        intended = self.intended_channel or destination.id
        return self.model_copy(update={"intended_channel": intended, "thread_ts": ""})


class OutboxEntry(Value):
    """A notification on its way to a channel, a person, or each member of a user group.

    It is posted once for each ``dedupe_key``, and not before ``not_before``. ``number`` is its
    place in line. ``sending_at`` is when somebody first began to post it, ``tried_at`` when that
    was tried last, and ``sending_by`` which process did.
    """

    dedupe_key: str
    destination: Destination
    notification: NotificationEnvelope
    not_before: datetime
    number: int = 0
    tried_at: datetime | None = None
    sending_at: datetime | None = None
    sending_by: str = ""
