"""What quiet hours hold back, and somebody wants at once: it is posted now, and once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from bot.domain.notifications import NotificationEnvelope, OutboxEntry
from bot.domain.slack import Destination
from bot.store import RequestedChange, RequestedChanges, Store
from tests.support.databases import both_databases

NOW = datetime(2026, 3, 1, 23, tzinfo=UTC)
MORNING = NOW + timedelta(hours=8)
ONCALL, FALLBACK = Destination.parse("C0ONCALL"), Destination.parse("C0SOC")

pytestmark = both_databases


def card(cause: str, held_until: datetime | None = None) -> OutboxEntry:
    return OutboxEntry(
        dedupe_key="escalated:t1",
        destination=ONCALL,
        notification=NotificationEnvelope(kind=cause, held_until=held_until),
        not_before=held_until or NOW,
    )


def escalate(store: Store, cause: str) -> bool:
    record = {"at": NOW, "operation_id": cause, "outcome": "done", "target": "t1"}
    return RequestedChanges(store.engine).escalate([card(cause)], RequestedChange(NOW, record))


def ready(store: Store, destination: Destination = ONCALL) -> list[str]:
    return [each.notification.kind for each in store.outbox.ready_entries(destination, NOW, 9)]


def test_an_escalation_that_waits_for_quiet_hours_is_posted_now_as_it_was_asked_for(
    store: Store,
) -> None:
    store.outbox.add([card("by time", MORNING)], NOW)
    assert store.outbox.is_held_back("escalated:t1", NOW)
    assert escalate(store, "asked for")
    assert ready(store) == ["asked for"]
    assert not store.outbox.is_held_back("escalated:t1", NOW)
    assert not escalate(store, "asked for again")
    assert store.outbox.count() == 1


def test_of_two_who_ask_at_once_one_has_it_posted(store: Store) -> None:
    store.outbox.add([card("by time", MORNING)], NOW)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda cause: escalate(store, cause), ("first", "second")))
    assert sorted(done) == [False, True]
    assert ready(store) == [("first", "second")[done.index(True)]]


def test_one_that_is_redirected_goes_where_it_was_redirected_to(store: Store) -> None:
    store.outbox.add([card("by time", MORNING)], NOW)
    store.outbox.redirect(ONCALL, FALLBACK)
    assert escalate(store, "asked for")
    [entry] = store.outbox.ready_entries(FALLBACK, NOW, 9)
    assert (entry.notification.kind, entry.notification.intended_channel) == (
        "asked for",
        ONCALL.id,
    )


def test_one_that_is_being_posted_or_was_is_not_posted_again(store: Store) -> None:
    store.outbox.add([card("by time")], NOW)
    assert not escalate(store, "asked for")
    [entry] = store.outbox.ready_entries(ONCALL, NOW, 9)
    assert store.outbox.mark_sending([entry], "p", NOW)
    store.outbox.postpone([entry.number], MORNING)
    assert not escalate(store, "asked for again")
    store.outbox.mark_done([entry.number], NOW)
    assert not escalate(store, "asked for once more")
