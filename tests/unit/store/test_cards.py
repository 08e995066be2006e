"""Cards on record: who posted one knows more of it than who pressed its button."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.domain.ordering import most_urgent_first
from bot.domain.tracking import ListedObject
from bot.secmaster import Task
from bot.store import Store, close, connect
from tests.support.databases import Databases, both_databases

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POSTED = Card(
    ref=Ref(kind="task", id="t1"),
    channel="C0SOC",
    ts="1.0",
    title="Isolate",
    mentions=("U0ALICE",),
    intended_channel="C0OTHER",
    escalated_from="soc",
    late_since=NOW,
)


@pytest.mark.parametrize("pressed_first", [True, False], ids=["pressed first", "posted first"])
def test_a_card_that_is_pressed_before_it_is_on_record_keeps_what_its_poster_knows(
    databases: Databases, tmp_path: Path, *, pressed_first: bool
) -> None:
    engine = connect(databases.with_tables("sqlite", tmp_path))
    cards = Store(engine).cards

    def press() -> None:
        cards.add_unrecorded(POSTED.ref, POSTED.channel, POSTED.ts, NOW)

    def post() -> None:
        cards.add_card(POSTED, NOW)

    for record in (press, post) if pressed_first else (post, press):
        record()
    assert cards.cards_of(POSTED.ref) == [POSTED]
    close(engine)


@both_databases
def test_the_tasks_of_a_message_stand_in_the_order_of_every_list(store: Store) -> None:
    due, hour = NOW + timedelta(hours=2), timedelta(hours=1)
    tasks = [
        Task(
            id=id_,
            name=id_,
            status="waiting",
            due_date=due_at,
            due_handle=due_handle,
            create_time=created_at,
        )
        for id_, due_at, due_handle, created_at in (
            ("undated", None, "", NOW - 9 * hour),
            ("newer", due, "INTERRUPT", NOW - hour),
            ("older", due, "INTERRUPT", NOW - 2 * hour),
            ("approved", due, "CONTINUE", NOW),
            ("first", due - hour, "INTERRUPT", NOW),
        )
    ]
    for seconds, task in enumerate(tasks):
        ref, at = Ref(kind="task", id=task.id), NOW + timedelta(seconds=seconds)
        store.tracked.add([ListedObject(ref, task, "d")], [], at)
        store.cards.add_card(Card(ref=ref, channel="C0SOC", ts="1.0", card_group="g"), at)
    ids = [card.ref.id for card in store.cards.cards_at("C0SOC", "1.0")]
    assert ids == [task.id for task in most_urgent_first(tasks)]
    assert ids == ["first", "approved", "older", "newer", "undated"]
