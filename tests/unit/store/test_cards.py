"""Cards on record: who posted one knows more of it than who pressed its button."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.store import Store, close, connect
from tests.support.databases import Databases

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
