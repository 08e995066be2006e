"""A shift's digest is short, true and fit to be read aloud."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.shift_digest import DeciderCounts, OverdueTask, RetrierCounts, ShiftSummary
from bot.messages.digest import digest
from tests.support.samples import ENGLISH
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

UNTIL = datetime(2026, 3, 1, 8, tzinfo=UTC)
APPROVE, TERMINATE = "task.approve", "task.terminate"
SINCE = UNTIL - timedelta(hours=12)


def read(summary: ShiftSummary) -> str:
    """Return a digest's text, with times as they are where Slack can't show them."""
    return re.sub(r"<!date[^|]*\|([^>]*)>", r"\1", digest(ENGLISH, summary).text)


def test_a_shift_is_told_in_a_few_sentences() -> None:
    summary = ShiftSummary(
        since=SINCE,
        until=UNTIL,
        deciders=(
            DeciderCounts(name="Alice", decisions={APPROVE: 5, TERMINATE: 1}),
            DeciderCounts(name="Bob", decisions={APPROVE: 3}),
            DeciderCounts(name="Eve <!channel>", decisions={TERMINATE: 1}),
        ),
        decided_outside=3,
        median=840,
        timed=12,
        waiting=8,
        overdue=2,
        oldest_overdue=(
            OverdueTask(name="Isolate host", due=SINCE),
            OverdueTask(name="Block IP", due=UNTIL),
        ),
        failed=3,
        retriers=(RetrierCounts(name="Carol", retried=4),),
        retried=4,
        recovered=3,
        break_glass_users=("Carol", "Carol"),
    )
    assert read(summary).splitlines() == [
        "*Hand-over, 2026-02-28 20:00 UTC to 2026-03-01 08:00 UTC*",
        (
            "✅ 10 tasks were decided here: Alice approved 5 and terminated 1, Bob approved 3 and "
            "Eve &lt;!channel&gt; terminated 1. 3 tasks were decided outside Slack, or ended by "
            "themselves when they were due."
        ),
        "⏱️ The median time to a decision was 14 min, over 12 tasks.",
        "🔨 The glass was broken 2 times: by Carol.",
        (
            "⏰ 8 tasks still wait, *2 of them overdue*: Isolate host since 2026-02-28 20:00 UTC; "
            "Block IP since 2026-03-01 08:00 UTC."
        ),
        "🔴 3 runs are failed now. Carol retried 4; 3 of 4 runs are no longer failed.",
    ]


def test_a_quiet_shift_is_told_in_one_line() -> None:
    text = read(ShiftSummary(since=SINCE, until=UNTIL))
    assert text == (
        "🌙 *A quiet shift, 2026-02-28 20:00 UTC to 2026-03-01 08:00 UTC.* Nothing was decided or "
        "retried. 🟢 No task waits. 🟢 No run is failed."
    )
    text = read(ShiftSummary(since=SINCE, until=UNTIL, waiting=1, failed=1))
    assert "1 task still waits, none of them overdue." not in text
    assert "1 task still waits, not overdue." in text
    assert "1 run is failed now." in text
    assert "\n" not in text


def test_what_is_overdue_keeps_a_shift_from_being_quiet() -> None:
    text = read(ShiftSummary(since=SINCE, until=UNTIL, waiting=1, overdue=1))
    assert "quiet" not in text
    assert "1 task still waits, *and is overdue*." in text


def test_what_was_only_decided_elsewhere_names_nobody_here() -> None:
    text = read(ShiftSummary(since=SINCE, until=UNTIL, decided_outside=1))
    assert "✅ 1 task was decided outside Slack, or ended by itself when it was due." in text
    assert "decided here" not in text


def test_nobody_is_called_and_only_some_of_many_are_named() -> None:
    deciders = tuple(
        DeciderCounts(name=f"<@U{number}>", decisions={APPROVE: 1}) for number in range(40)
    )
    text = read(ShiftSummary(since=SINCE, until=UNTIL, deciders=deciders))
    assert "<@" not in text
    assert "and 32 others." in text


@FEW
@given(st.lists(words, max_size=40), st.integers(0, 10**6), st.floats(0, 10**9))
def test_whatever_people_and_tasks_are_called_it_is_one_message(
    names: list[str], number: int, seconds: float
) -> None:
    summary = ShiftSummary(
        since=SINCE,
        until=UNTIL,
        deciders=tuple(
            DeciderCounts(name=name, decisions={APPROVE: number, TERMINATE: 1}) for name in names
        ),
        decided_outside=number,
        median=seconds,
        timed=number,
        waiting=number,
        overdue=number,
        oldest_overdue=tuple(OverdueTask(name=name, due=SINCE) for name in names[:3]),
        failed=number,
        retriers=tuple(RetrierCounts(name=name, retried=number) for name in names),
        retried=number,
        recovered=number,
        break_glass_users=tuple(names),
    )
    assert_slack_takes(digest(ENGLISH, summary))
