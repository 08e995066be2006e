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
        auto_approved=1,
        cancelled=2,
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
        "*Shift summary, 2026-02-28 20:00 UTC – 2026-03-01 08:00 UTC*",
        (
            "⏰ 8 tasks are waiting. *2 are overdue.* Longest overdue: Isolate host "
            "(2026-02-28 20:00 UTC) and Block IP (2026-03-01 08:00 UTC)."
        ),
        "🔴 3 failed runs. Carol retried 4, and 3 recovered.",
        (
            "⌛ 1 task was auto-approved at its due date, nobody decided. 2 tasks expired and were "
            "cancelled automatically by SecMaster."
        ),
        "🔨 2 emergency overrides (Carol).",
        (
            "✅ 10 tasks were decided in Slack. Alice approved 5 tasks. Alice terminated 1 task. "
            "Bob approved 3 tasks. Eve &lt;!channel&gt; terminated 1 task. 3 tasks were decided "
            "in SecMaster, outside Slack."
        ),
        "⏱️ Median time to a decision: 14 min (12 tasks).",
    ]


def test_a_quiet_shift_is_told_in_one_line() -> None:
    text = read(ShiftSummary(since=SINCE, until=UNTIL))
    assert text == (
        "🌙 *Quiet shift, 2026-02-28 20:00 UTC – 2026-03-01 08:00 UTC.* Nothing was decided or "
        "retried. 🟢 No tasks are waiting. 🟢 No failed runs."
    )
    text = read(ShiftSummary(since=SINCE, until=UNTIL, playbooks_unlisted=True))
    assert "🟢 No failed workflow runs." in text
    text = read(ShiftSummary(since=SINCE, until=UNTIL, waiting=1, failed=1))
    assert "🟡 1 task is waiting. It is not overdue." in text
    assert "🔴 1 failed run." in text
    assert "\n" not in text
    text = read(ShiftSummary(since=SINCE, until=UNTIL, waiting=2))
    assert "🟡 2 tasks are waiting, none of them overdue." in text


@pytest.mark.parametrize("field", ["auto_approved", "cancelled", "decided_outside"])
def test_what_ended_without_anybody_here_keeps_a_shift_from_being_quiet(field: str) -> None:
    text = read(ShiftSummary.model_validate({"since": SINCE, "until": UNTIL, field: 1}))
    assert "Quiet" not in text
    assert "in Slack." not in text


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (1, "🔴 After 1 decision the run failed."),
        (2, "🔴 After 2 decisions the run failed."),
    ],
)
def test_decisions_whose_run_failed_are_counted(count: int, sentence: str) -> None:
    text = read(ShiftSummary(since=SINCE, until=UNTIL, failed_afterwards=count))
    assert "Quiet" not in text
    assert sentence in text


def test_what_is_overdue_keeps_a_shift_from_being_quiet() -> None:
    text = read(ShiftSummary(since=SINCE, until=UNTIL, waiting=1, overdue=1))
    assert "Quiet" not in text
    assert "1 task is waiting. *1 is overdue.*" in text


@pytest.mark.parametrize(
    ("retriers", "retried", "recovered", "sentence"),
    [
        ({"Carol": 1}, 1, 1, "Carol retried 1, which recovered."),
        ({"Carol": 2}, 2, 2, "Carol retried 2, and all recovered."),
        ({"Carol": 1}, 1, 0, "Carol retried 1, which has not recovered."),
        ({"Carol": 3}, 3, 0, "Carol retried 3, and none recovered."),
        (
            {"Carol": 3, "Dave": 1},
            4,
            2,
            "Carol retried 3 times. Dave retried 1 time. 2 of 4 retried runs recovered.",
        ),
        ({"Carol": 2}, 1, 1, "Carol retried 2 times. 1 of 1 retried run recovered."),
    ],
)
def test_retries_are_told_with_what_came_of_them(
    retriers: dict[str, int], retried: int, recovered: int, sentence: str
) -> None:
    summary = ShiftSummary(
        since=SINCE,
        until=UNTIL,
        failed=2,
        retriers=tuple(RetrierCounts(name=name, retried=n) for name, n in retriers.items()),
        retried=retried,
        recovered=recovered,
    )
    assert f"🔴 2 failed runs. {sentence}" in read(summary)


def test_nobody_is_called_and_only_some_of_many_are_named() -> None:
    deciders = tuple(
        DeciderCounts(name=f"<@U{number}>", decisions={APPROVE: 1}) for number in range(40)
    )
    text = read(ShiftSummary(since=SINCE, until=UNTIL, deciders=deciders))
    assert "<@" not in text
    assert "32 other people decided the rest." in text


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
        auto_approved=number,
        cancelled=number,
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
