"""Notifications survive the way into the outbox and back, each as its own kind."""

import json
from datetime import UTC, datetime
from typing import get_args

import pytest
from pydantic import ValidationError

from bot.domain.notifications import (
    BacklogNotification,
    CardNotification,
    ChannelClosedNotification,
    DigestNotification,
    FailureDetailsNotification,
    Notification,
    NotificationBase,
    NotificationKind,
    OutboxEntry,
    ReminderNotification,
    RetryEndedNotification,
    SnoozeEndedNotification,
)
from bot.domain.objects import Ref
from bot.domain.shift_digest import DeciderCounts, ShiftSummary
from bot.domain.slack import Destination

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REF = Ref(kind="task", id="t1")
CLOSED, FALLBACK = Destination.parse("C0CLOSED"), Destination.parse("C0FALLBACK")
ROUTED = {"ref": REF, "mentions": ("U0DAVE",), "route": "soc", "failure_group": "w1"}
EXAMPLES: list[Notification] = [
    CardNotification(**ROUTED, escalated_from="first", held_until=NOW),
    ReminderNotification(**ROUTED, before=3600, intended_channel="C0SOC"),
    SnoozeEndedNotification(**ROUTED, snoozed_by="U0ALICE"),
    RetryEndedNotification(
        ref=REF,
        thread_ts="1.2",
        status="FAILED",
        name="Enrich",
        actor_id="U0CAROL",
        node="Respond",
        error="no route",
        seconds=130,
        retries=2,
    ),
    FailureDetailsNotification(ref=REF, thread_ts="1.2"),
    BacklogNotification(tasks=3, failed=1, overdue=2, oldest=NOW),
    DigestNotification(
        summary=ShiftSummary(
            since=NOW, until=NOW, deciders=(DeciderCounts(name="Bob", approved=1),)
        )
    ),
    ChannelClosedNotification(channel="C0SOC", code="is_archived"),
]


def stored_and_read(notification: NotificationBase) -> NotificationBase:
    """Return what the outbox gives back for a notification that was written into it."""
    written = json.dumps(notification.model_dump(mode="json"))
    entry = {"dedupe_key": "k", "destination": Destination.parse("C0SOC"), "not_before": NOW}
    return OutboxEntry.model_validate(entry | {"notification": json.loads(written)}).notification


def test_there_is_an_example_of_each_kind() -> None:
    union = get_args(get_args(Notification)[0])
    assert [type(example) for example in EXAMPLES] == list(union)
    assert [example.kind for example in EXAMPLES] == list(NotificationKind)


@pytest.mark.parametrize("notification", EXAMPLES, ids=lambda example: example.kind)
def test_each_kind_survives_the_round_trip_through_json(notification: NotificationBase) -> None:
    assert stored_and_read(notification) == notification


def test_a_notification_of_an_unknown_kind_is_refused() -> None:
    entry = {"dedupe_key": "k", "destination": Destination.parse("C0SOC"), "not_before": NOW}
    with pytest.raises(ValidationError, match="kind"):
        OutboxEntry.model_validate(entry | {"notification": {"kind": "parade"}})


@pytest.mark.parametrize("notification", EXAMPLES, ids=lambda example: example.kind)
def test_what_is_redirected_keeps_its_first_channel_and_leaves_its_thread(
    notification: NotificationBase,
) -> None:
    first = notification.intended_channel or "C0CLOSED"
    redirected = notification.redirected_from(CLOSED).redirected_from(FALLBACK)
    assert (redirected.intended_channel, redirected.thread_ts) == (first, "")
    assert stored_and_read(redirected) == redirected


def test_a_reminder_without_a_card_brings_one_that_keeps_all_but_the_time() -> None:
    reminder = ReminderNotification(
        **ROUTED, before=3600, held_until=NOW, intended_channel="C0CLOSED"
    )
    shared = reminder.model_dump(exclude={"kind", "before"})
    assert reminder.as_card().model_dump(exclude={"kind", "escalated_from"}) == shared
    assert reminder.as_card().escalated_from == ""
