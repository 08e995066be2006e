"""What the bot posts by itself: reminders, summaries, warnings."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.cards import Card
from bot.domain.objects import ObjectKind, Ref
from bot.domain.slack import Actor, Destination
from bot.domain.stages import one_stage
from bot.messages import notifications
from bot.messages.text import ago_token, date_token
from bot.policy.routes import Route
from bot.secmaster import Task
from tests.support.samples import ENGLISH, NOW, WAITING

SNOOZE_ENDED = notifications.snooze_ended(ENGLISH, "", WAITING)


@pytest.mark.parametrize(
    ("channel", "expected", "verb"),
    [
        ("C0SOC", "<#C0SOC>", "post in"),
        ("U0CAROL", "<@U0CAROL>", "send messages to"),
        ("G0OLD", "<#G0OLD>", "post in"),
    ],
)
def test_a_closed_channel_or_chat_is_named_as_people_know_it(
    channel: str, expected: str, verb: str
) -> None:
    text = notifications.channel_closed(ENGLISH, Destination.parse(channel), "is_archived").text
    assert text.startswith(f"⚠️ Can't {verb} {expected} (`is_archived`).")
    [origin, *_rest] = notifications.with_origin(ENGLISH, SNOOZE_ENDED, channel).payload["blocks"]
    assert origin["elements"][0]["text"] == f"↪️ Meant for {expected}, where the bot can't post."


def test_what_comes_late_says_when_it_was_due() -> None:
    message = notifications.with_origin(
        ENGLISH,
        SNOOZE_ENDED,
        "",
        escalation="Escalated from soc.",
        late_since=NOW,
    )
    [note, *_rest] = message.payload["blocks"]
    assert note["elements"][0]["text"] == (
        f"⬆️ Escalated from soc. 🕰️ Delayed: this should have come {date_token(NOW)}."
    )


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (
            {"tasks": 12, "overdue": 2},
            "12 tasks were already waiting (2 overdue); they won't be posted. See `/x task list`.",
        ),
        (
            {"tasks": 1, "failed": 2, "reminds": True},
            (
                "1 task was already waiting; it won't be posted. Reminders of due dates still come."
                " 2 runs had already failed; they won't be posted. See `/x task list` and "
                "`/x instance list failed`."
            ),
        ),
        (
            {"failed": 1},
            "1 run had already failed; it won't be posted. See `/x instance list failed`.",
        ),
    ],
)
def test_what_waited_before_counts_and_leaves_out_what_there_is_none_of(
    counts: dict[str, Any], text: str
) -> None:
    none = {"tasks": 0, "failed": 0, "overdue": 0, "reminds": False}
    message = notifications.backlog(ENGLISH, root="/x", **none | counts)
    assert message.text == f"👋 Now watching SecMaster. {text}"


def test_a_reminder_says_what_happens_if_nobody_decides() -> None:
    due = NOW + timedelta(minutes=30)
    when = f"{date_token(due)} ({ago_token(due)})"
    task = Task(id="t1", name="Isolate x", status="waiting", due_date=due, due_handle="CONTINUE")
    stops = task.model_copy(update={"due_handle": "INTERRUPT"})
    neither = task.model_copy(update={"due_handle": ""})

    def reminder(now: datetime, *tasks: Task) -> str:
        return notifications.reminder(ENGLISH, ("U0DAVE",), tasks, now).text

    assert reminder(NOW, task) == (
        f"<@U0DAVE> 🚨 *Isolate x* will be auto-approved {when} unless someone decides."
    )
    assert reminder(NOW, stops) == (
        f"<@U0DAVE> ⏰ *Isolate x* will be cancelled automatically {when} unless someone decides."
    )
    assert reminder(NOW, neither) == (
        f"<@U0DAVE> ⏰ *Isolate x* is due {when}, and nobody has decided yet."
    )
    # It says only what is known: SecMaster did not do what it was to do.
    assert reminder(due + timedelta(hours=1), stops) == (
        f"<@U0DAVE> ⏰ *Isolate x* was due {when} and is still waiting."
    )
    several = reminder(NOW, *[task] * 14).splitlines()
    assert (several[0], several[-1]) == ("<@U0DAVE> 14 tasks need a decision:", "and 2 more")
    assert len(several) == 14


REQUEST = ApprovalRequest(
    id="1",
    action="task.approve",
    approvals=(Approval(operation_id="1", actor=Actor(id="U0ALICE"), at=NOW),),
    stages=one_stage(2),
    expires_at=NOW,
)


@pytest.mark.parametrize(
    ("kind", "requests", "text"),
    [
        ("task", (), "Escalated from <#C0SOC>: no decision after 1 min."),
        (
            "task",
            (REQUEST,),
            "Escalated from <#C0SOC>: no decision after 1 min (1 of 2 approvals).",
        ),
        ("instance", (), "Escalated from <#C0SOC>: still failed after 1 min."),
    ],
)
def test_an_escalation_says_from_where_after_how_long_and_what_is_missing(
    kind: ObjectKind, requests: tuple[ApprovalRequest, ...], text: str
) -> None:
    route = Route.model_validate(
        {
            "name": "soc",
            "channel": "C0SOC",
            "tasks": True,
            "escalate": {"after": "1m", "to": "leads"},
        }
    )
    card = Card(ref=Ref(kind=kind, id="1"), channel="C0LEADS", ts="1.1", escalated_from="soc")
    assert notifications.escalation_cause(ENGLISH, card, [route], requests) == text
    gone = notifications.escalation_cause(ENGLISH, card, [], requests)
    assert gone == "Escalated from soc."
    by_alice = card.model_copy(update={"escalated_by": "U0ALICE", "escalation_reason": "a & b"})
    assert (
        notifications.escalation_cause(ENGLISH, by_alice, [route], requests)
        == "Escalated from <#C0SOC> by <@U0ALICE>. “a &amp; b”"
    )
