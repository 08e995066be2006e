"""What is open has one order, and how a task ended is told from what SecMaster states."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from bot.domain.endings import TaskEnding, how_ended
from bot.domain.ordering import most_urgent_first
from bot.secmaster import Instance, Task
from tests.support.samples import NOW, WAITING

HOUR = timedelta(hours=1)


def task(
    name: str, due: datetime | None, handle: str = "INTERRUPT", created: datetime | None = NOW
) -> Task:
    return Task(
        id=name, name=name, status="waiting", due_date=due, due_handle=handle, create_time=created
    )


def test_tasks_come_by_due_date_then_what_auto_approves_and_undated_ones_by_age() -> None:
    expected = [
        task("overdue longest", NOW - 2 * HOUR),
        task("overdue", NOW - HOUR),
        task("due, auto-approves", NOW + HOUR, "CONTINUE"),
        task("due, cancelled, older", NOW + HOUR, created=NOW - HOUR),
        task("due, cancelled", NOW + HOUR),
        task("due later, auto-approves", NOW + 2 * HOUR, "CONTINUE"),
        task("undated, older", None, "CONTINUE", NOW - HOUR),
        task("undated", None),
        task("undated, of no known age", None, created=None),
    ]
    assert most_urgent_first(reversed(expected)) == expected
    assert most_urgent_first(sorted(expected, key=lambda each: each.name)) == expected


def test_runs_that_failed_come_first_and_of_those_the_latest() -> None:
    runs = [
        Instance(id="1", status="FAILED", start_time=NOW - 9 * HOUR, end_time=NOW),
        Instance(id="2", status="FAILED", start_time=NOW - HOUR),
        Instance(id="3", status="FAILED"),
        Instance(id="4", status="RETRYING", start_time=NOW),
        Instance(id="5", status="RUNNING", start_time=NOW),
        Instance(id="6", status="TERMINATING", start_time=NOW),
        Instance(id="7", status="NEW", start_time=NOW),
    ]
    for some in permutations(runs, 3):
        assert most_urgent_first(some) == sorted(some, key=lambda run: run.id)


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({"status": "finished", "due_handle": "CONTINUE"}, TaskEnding.AUTO_APPROVED),
        ({"status": "canceled", "due_handle": "INTERRUPT"}, TaskEnding.CANCELLED),
        ({"status": "canceled", "due_handle": "CONTINUE"}, TaskEnding.DECIDED),
        ({"status": "finished", "due_handle": "CONTINUE", "approver": "Eve"}, TaskEnding.DECIDED),
        (
            {"status": "finished", "due_handle": "CONTINUE", "modifier_name": "Eve"},
            TaskEnding.AUTO_APPROVED,
        ),
        ({"status": "finished", "due_handle": "NEW"}, TaskEnding.DECIDED),
        (
            {"status": "finished", "due_handle": "CONTINUE", "update_time": NOW - HOUR},
            TaskEnding.DECIDED,
        ),
        ({"status": "finished", "due_handle": "CONTINUE", "due_date": None}, TaskEnding.DECIDED),
    ],
)
def test_a_task_ran_out_where_its_due_date_asks_for_that_end_and_no_person_is_named(
    fields: dict[str, Any], ending: TaskEnding
) -> None:
    ended = {"due_date": NOW, "update_time": NOW, "approver": "System", **fields}
    assert how_ended(WAITING.model_copy(update=ended)) is ending
