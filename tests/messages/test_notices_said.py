"""What the bot says by itself: every sentence of it, and on cards of several."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.notifications import (
    BacklogNotification,
    ChannelClosedNotification,
    ReminderNotification,
    RetryEndedNotification,
)
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.slack import Actor, SlackLocation
from bot.domain.tracking import TrackedObject
from bot.messages import approvals, failure_groups, notifications
from bot.messages.blocks import RenderContext
from bot.secmaster import Instance, Task

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOSTILE = "<!channel> `x` ```"
REF = Ref(kind="instance", id="r1")
FINISHED = RetryEndedNotification(
    ref=REF, status="FINISHED", name="Enrich 7", actor_id="U0CAROL", seconds=130
)


def test_how_a_retry_ended_names_the_run_and_who_retried_it():
    assert notifications.retry_ended(FINISHED).text == (
        "<@U0CAROL> ✅ *The retry finished* after 2 min: Enrich 7."
    )
    terminated = FINISHED.model_copy(update={"status": "TERMINATED"})
    assert notifications.retry_ended(terminated).text == (
        "<@U0CAROL> The retry ended after 2 min, ⛔ Terminated: Enrich 7."
    )
    failure = {"status": "FAILED", "node": "Respond", "error": "no route"}
    failed = FINISHED.model_copy(update=failure)
    assert notifications.retry_ended(failed).text == (
        "<@U0CAROL> 🔴 *The retry failed again* at Respond after 2 min: Enrich 7.\n```no route```"
    )


def test_the_end_of_a_run_without_a_name_is_told_without():
    nameless = FINISHED.model_copy(update={"name": ""})
    assert notifications.retry_ended(nameless).text.endswith("after 2 min.")


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "<!here>"])
def test_nothing_of_a_run_is_markup(status: str):
    hostile = RetryEndedNotification(
        ref=REF, status=status, name=HOSTILE, node=HOSTILE, error=HOSTILE
    )
    text = notifications.retry_ended(hostile).text
    assert "<!channel>" not in text
    assert "<!here>" not in text
    assert text.count("```") in (0, 2)


@pytest.mark.parametrize(
    ("channel", "named"), [("C0SOC", "<#C0SOC>"), ("U0CAROL", "<@U0CAROL>"), ("G0OLD", "<#G0OLD>")]
)
def test_a_closed_channel_or_chat_is_named_as_people_know_it(channel: str, named: str):
    closed = ChannelClosedNotification(channel=channel, code="is_archived")
    text = notifications.channel_closed(closed).text
    assert text.startswith(f"⚠️ I can't post in {named} any more (`is_archived`).")
    [why, *_rest] = notifications.with_origin(notifications.retry_ended(FINISHED), channel).payload[
        "blocks"
    ]
    assert why["elements"][0]["text"] == f"↪️ Meant for {named}, where I can't post."


def test_what_waited_before_counts_and_leaves_out_what_there_is_none_of():
    text = notifications.backlog(BacklogNotification(tasks=1, overdue=2)).text
    assert "Before that, 1 task waits, 2 are overdue. These" in text


def test_a_reminder_says_what_happens_if_nobody_decides():
    due = NOW + timedelta(minutes=30)
    task = Task(id="t1", name="Isolate x", status="waiting", due_date=due, due_handle="CONTINUE")
    soon = ReminderNotification(ref=Ref(kind="task", id="t1"), before=1800)
    assert "silence approves *Isolate x*" in notifications.reminder(soon, task, NOW).text
    stops = task.model_copy(update={"due_handle": "INTERRUPT"})
    assert notifications.reminder(soon, stops, NOW).text.endswith("Then it is interrupted.")
    late = notifications.reminder(soon, task, due + timedelta(hours=1)).text
    assert late.startswith("⏰ *Overdue* since")


@pytest.mark.parametrize(("brake", "times"), [(1, "once"), (3, "3 times")])
def test_a_braked_retry_says_why_in_the_thread_and_on_the_card(brake: int, times: str):
    why = f"This workflow was retried at least {times} within 15 min, so a second person is asked"
    waiting = ballot(brake_applied=True, brake_retries=brake, brake_within=900)
    outcome = Outcome(state=OperationState.COUNTED, approval_request=waiting)
    assert why in approvals.approval_counted(operation(), outcome)
    assert approvals.approval_counted(operation(), outcome).endswith("Nothing was sent yet.")
    [said, _buttons] = approvals.request_blocks(frame(), run("r1"), waiting)
    assert why in said.to_dict()["text"]["text"]


def test_what_a_rule_asks_several_people_for_blames_no_brake():
    outcome = Outcome(state=OperationState.COUNTED, approval_request=ballot())
    assert "retried" not in approvals.approval_counted(operation(), outcome)


def test_a_card_of_several_shows_who_is_waited_for_beside_the_run_it_is_about():
    known = [TrackedObject(Ref(kind="instance", id=each), run(each), NOW) for each in ("r1", "r2")]
    drawn = failure_groups.card(frame(), known, (2, 2), {known[1].ref: (ballot(),)})
    texts = [each.get("text", {}).get("text", "") for each in drawn.payload["blocks"]]
    [first] = [at for at, text in enumerate(texts) if text.startswith("*Run r1*")]
    [second] = [at for at, text in enumerate(texts) if text.startswith("*Run r2*")]
    [asked] = [at for at, text in enumerate(texts) if "1 of 2 said yes" in text]
    assert first < second < asked


def test_a_card_of_many_fits_into_a_message():
    known = [
        TrackedObject(Ref(kind="instance", id=f"r{each}"), run("x" * 200), NOW)
        for each in range(50)
    ]
    waiting = {each.ref: (ballot(),) for each in known}
    assert len(failure_groups.card(frame(), known, (50, 50), waiting).payload["blocks"]) <= 50
    assert len(failure_groups.visible_rows(known)) == failure_groups.SHOWN


def test_where_none_is_failed_any_more_the_rows_stay_and_their_buttons_go():
    over = [TrackedObject(REF, run("r1", "FINISHED"), NOW, open=False)]
    drawn = failure_groups.card(frame(), over, (0, 1), {REF: (ballot(),)})
    assert drawn.text.endswith("✅ None is failed")
    assert [each["type"] for each in drawn.payload["blocks"]].count("actions") == 0


def frame() -> RenderContext:
    return RenderContext(REF, NOW, "main", "")


def run(name: str, status: str = "FAILED") -> Instance:
    return Instance(id=name[:60], name=f"Run {name}", status=status, end_time=NOW)


def operation() -> Operation:
    return Operation(
        id="o" * 32,
        action="instance.retry",
        ref=REF,
        actor=Actor(id="U0CAROL", team="T0DEMO"),
        location=SlackLocation(channel="C0SOC"),
        accepted_at=NOW,
    )


def ballot(**told: float) -> ApprovalRequest:
    vote = Approval(operation_id="o" * 32, actor=Actor(id="U0CAROL", team="T0DEMO"), at=NOW)
    later = NOW + timedelta(hours=1)
    given = {"id": "b", "action": "instance.retry", "approvals": (vote,), "needed": 2}
    return ApprovalRequest.model_validate({**given, "expires_at": later, **told})
