"""What the outbox keeps of a notification: the envelope, and the fields of its kind unread."""

from datetime import UTC, datetime

from bot.domain.notifications import NotificationEnvelope
from bot.domain.slack import Destination

STORED = {"kind": "parade", "thread_ts": "1.2", "floats": 7}
CLOSED, FALLBACK = Destination.parse("C0CLOSED"), Destination.parse("C0FALLBACK")


def test_the_fields_of_a_kind_that_is_not_known_here_are_kept() -> None:
    envelope = NotificationEnvelope.model_validate(STORED)
    assert STORED.items() <= envelope.model_dump(mode="json").items()


def test_what_is_redirected_keeps_its_first_destination_and_leaves_its_thread() -> None:
    envelope = NotificationEnvelope.model_validate(STORED)
    held_until = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    held = envelope.model_copy(update={"held_until": held_until})
    redirected = held.redirected_from(CLOSED).redirected_from(FALLBACK)
    assert (redirected.intended_channel, redirected.thread_ts) == ("C0CLOSED", "")
    assert redirected.held_until == held_until
    assert redirected.model_dump()["floats"] == 7
