"""What is posted together: the entries of one group, or those of the same quiet hours."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.notifications import NotificationEnvelope, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Destination
from bot.domain.workspaces import Workspaces
from bot.notifications.card import CardNotification
from bot.notifications.delivery import MAX_GROUP, entries_together
from bot.policy.config import PolicyHolder, parse
from bot.runtime.clock import Clock
from bot.runtime.timeouts import Timeouts
from bot.services import Services
from bot.store import Store, close, connect
from tests.support.databases import Databases
from tests.support.samples import ENGLISH

CHANNEL = Destination.parse("C0ONCALL")


@pytest.fixture
def services(databases: Databases, tmp_path: Path) -> Iterator[Services]:
    """Services of which only the store and the clock are there."""
    engine = connect(databases.with_tables("sqlite", tmp_path))
    nothing: Any = None  # in the place of what these tests never call
    yield Services(
        catalogue=ENGLISH,
        workspaces=Workspaces({}, {}),
        evidence=nothing,
        slack=nothing,
        cards=nothing,
        directory=nothing,
        store=Store(engine),
        policy=PolicyHolder(parse(""), Path("none.toml")),
        clock=Clock(),
        timeouts=Timeouts(),
        process_id="p",
    )
    close(engine)


def failure(number: int, group: str = "w1", **fields: Any) -> CardNotification:
    ref = Ref(kind="instance", id=f"r{number}")
    return CardNotification(ref=ref, card_group=group, **fields)


def together(services: Services, *notifications: NotificationEnvelope) -> list[str]:
    """Enqueue notifications under their numbers; return which are posted with the first."""
    now = services.clock.now()
    entries = [
        OutboxEntry(
            dedupe_key=str(number), destination=CHANNEL, notification=notification, not_before=now
        )
        for number, notification in enumerate(notifications)
    ]
    services.store.outbox.add(entries, now)
    return [entry.dedupe_key for entry in entries_together(services, first_entry(services))]


def first_entry(services: Services) -> OutboxEntry:
    entry = services.store.outbox.next_entry(CHANNEL, services.clock.now())
    assert entry is not None
    return entry


def test_failures_of_one_group_are_posted_with_the_first(services: Services) -> None:
    alone = NotificationEnvelope(kind="parade")  # it can't be read, and its turn comes later
    others = failure(1, "w2"), alone, failure(2), failure(3, mentions=("U0BOB",)), failure(4)
    assert together(services, failure(0), *others) == ["0", "3", "5"]


def test_a_group_has_a_limit(services: Services) -> None:
    many = [failure(number) for number in range(MAX_GROUP + 5)]
    assert together(services, *many) == [str(number) for number in range(MAX_GROUP)]


def test_a_failure_without_a_group_is_alone(services: Services) -> None:
    assert together(services, failure(0, ""), failure(1, "")) == ["0"]


def test_what_may_have_been_posted_before_a_crash_is_alone(services: Services) -> None:
    assert together(services, failure(0), failure(1), failure(2)) == ["0", "1", "2"]
    outbox, now = services.store.outbox, services.clock.now()
    first = first_entry(services)
    assert outbox.mark_sending([first], "dead", now)
    assert entries_together(services, first_entry(services)) == [first_entry(services)]
    outbox.mark_done([first.number], now)
    second = first_entry(services)
    third = outbox.ready_entries(CHANNEL, now, 2)[1]
    assert outbox.mark_sending([third], "dead", now)
    assert entries_together(services, second) == [second]


def test_what_the_same_quiet_hours_held_back_is_posted_together(services: Services) -> None:
    end = services.clock.now() - timedelta(seconds=1)
    earlier = end - timedelta(days=1)
    held = [failure(number, held_until=end) for number in range(3)]
    others = failure(3, held_until=earlier), failure(4)
    assert together(services, *held, *others) == ["0", "1", "2"]
