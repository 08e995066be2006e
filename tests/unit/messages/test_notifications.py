"""What the bot posts by itself: results of retries, reminders, summaries, warnings."""

from datetime import timedelta

import pytest

from bot.domain.slack import Destination
from bot.domain.tracking import RetryResult
from bot.messages import notifications
from bot.messages.text import date_token
from bot.secmaster import Task
from tests.support.samples import ENGLISH, NOW

HOSTILE = "<!channel> `x` ```"
FINISHED = RetryResult(status="FINISHED", name="Enrich 7", actor_id="U0CAROL", seconds=130)


def test_how_a_retry_ended_names_the_run_and_who_retried_it() -> None:
    assert notifications.retry_ended(ENGLISH, FINISHED).text == (
        "<@U0CAROL> ✅ *The retry finished* after 2 min: Enrich 7."
    )
    terminated = FINISHED.model_copy(update={"status": "TERMINATED"})
    assert notifications.retry_ended(ENGLISH, terminated).text == (
        "<@U0CAROL> The retry ended after 2 min, ⛔ Terminated: Enrich 7."
    )
    failure = {"status": "FAILED", "node": "Respond", "error": "no route"}
    failed = FINISHED.model_copy(update=failure)
    assert notifications.retry_ended(ENGLISH, failed).text == (
        "<@U0CAROL> 🔴 *The retry failed again* at Respond after 2 min: Enrich 7.\n```no route```"
    )


def test_the_end_of_a_run_without_a_name_is_told_without() -> None:
    nameless = FINISHED.model_copy(update={"name": ""})
    assert notifications.retry_ended(ENGLISH, nameless).text.endswith("after 2 min.")


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "<!here>"])
def test_nothing_of_a_run_is_markup(status: str) -> None:
    hostile = RetryResult(status=status, name=HOSTILE, node=HOSTILE, error=HOSTILE)
    text = notifications.retry_ended(ENGLISH, hostile).text
    assert "<!channel>" not in text
    assert "<!here>" not in text
    assert text.count("```") in (0, 2)


@pytest.mark.parametrize(
    ("channel", "expected", "verb"),
    [
        ("C0SOC", "<#C0SOC>", "post in"),
        ("U0CAROL", "<@U0CAROL>", "write to"),
        ("G0OLD", "<#G0OLD>", "post in"),
    ],
)
def test_a_closed_channel_or_chat_is_named_as_people_know_it(
    channel: str, expected: str, verb: str
) -> None:
    text = notifications.channel_closed(ENGLISH, Destination.parse(channel), "is_archived").text
    assert text.startswith(f"⚠️ I can't {verb} {expected} any more (`is_archived`).")
    [origin, *_rest] = notifications.with_origin(
        ENGLISH, notifications.retry_ended(ENGLISH, FINISHED), channel
    ).payload["blocks"]
    assert origin["elements"][0]["text"] == f"↪️ Meant for {expected}, where I can't post."


def test_what_comes_late_says_when_it_was_due() -> None:
    message = notifications.with_origin(
        ENGLISH,
        notifications.retry_ended(ENGLISH, FINISHED),
        "",
        escalated_from="soc",
        late_since=NOW,
    )
    [note, *_rest] = message.payload["blocks"]
    assert note["elements"][0]["text"] == (
        "⬆️ Escalated from soc: nobody has acted in time. "
        f"🕰️ This comes late: it was due {date_token(NOW)}."
    )


def test_what_waited_before_counts_and_leaves_out_what_there_is_none_of() -> None:
    text = notifications.backlog(ENGLISH, tasks=1, failed=0, overdue=2, oldest=None).text
    assert "Before that, 1 task waits, 2 are overdue. These" in text


def test_a_reminder_says_what_happens_if_nobody_decides() -> None:
    due = NOW + timedelta(minutes=30)
    task = Task(id="t1", name="Isolate x", status="waiting", due_date=due, due_handle="CONTINUE")
    assert "silence approves *Isolate x*" in notifications.reminder(ENGLISH, (), task, NOW).text
    stops = task.model_copy(update={"due_handle": "INTERRUPT"})
    assert notifications.reminder(ENGLISH, (), stops, NOW).text.endswith("Then it is interrupted.")
    late = notifications.reminder(ENGLISH, (), task, due + timedelta(hours=1)).text
    assert late.startswith("⏰ *Overdue* since")
