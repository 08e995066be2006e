"""A call says what is missing, for what and until when; and names whoever approved, or does not."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from bot.domain.approvals import Approval, ApprovalRequest, CallPreference
from bot.domain.slack import Actor
from bot.domain.snapshots import decision_fingerprint
from bot.domain.stages import one_stage
from bot.messages import Message, RenderContext, approval_calls
from bot.messages.approval_calls import CalledObject, Shortage
from bot.messages.text import ago_token, date_token
from bot.secmaster import Task
from tests.support import accessibility
from tests.support.samples import (
    ENGLISH,
    FAILED,
    FAILED_PLAYBOOK,
    NOW,
    PLAYBOOK_RUN,
    RUN,
    TASK,
    WAITING,
)
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, render_contexts, tasks, words

CONTEXT = RenderContext(TASK, NOW, ENGLISH, "demo", mentions=("S0SOC", "U0BOB"))
HOUR = timedelta(hours=1)


def request(
    action: str = "task.terminate", *, needed: int = 2, ends_at: datetime = NOW + HOUR, **more: Any
) -> ApprovalRequest:
    approval = Approval(operation_id="a", actor=Actor(id="U0ALICE"), at=NOW, **more)
    return ApprovalRequest(
        id="a", action=action, approvals=(approval,), stages=one_stage(needed), expires_at=ends_at
    )


def text_of(message: Message) -> str:
    assert_slack_takes(message)
    return message.text


def test_the_call_in_a_thread_mentions_those_who_may_and_nobody_else() -> None:
    text = text_of(approval_calls.in_thread(CONTEXT, WAITING, request()))
    first, second = text.split("\n")
    expires_at = NOW + HOUR
    assert first == (
        f"<!subteam^S0SOC> <@U0BOB> 🗳️ 1 more approval needed for *{WAITING.name}*. "
        f"Expires {date_token(expires_at)} ({ago_token(expires_at)})."
    )
    assert second == "Approvals to terminate: 1 of 2"
    assert "U0ALICE" not in text


def test_the_due_date_is_the_deadline_where_it_is_earlier_and_what_silence_does_is_said() -> None:
    late = request(ends_at=NOW + 9 * HOUR)
    assert WAITING.due_date is not None
    text = text_of(approval_calls.in_thread(CONTEXT, WAITING, late))
    assert f"Expires {date_token(WAITING.due_date)}" in text
    assert "*⚠️ If approvals are missing" in text
    same_end = request("task.approve", ends_at=NOW + 9 * HOUR)
    assert "⚠️" not in text_of(approval_calls.in_thread(CONTEXT, WAITING, same_end))
    moved = WAITING.model_copy(update={"due_date": NOW + 10 * HOUR})
    text = text_of(approval_calls.in_thread(CONTEXT, moved, late))
    assert f"Expires {date_token(NOW + 9 * HOUR)}" in text
    assert "⚠️" not in text


@pytest.mark.parametrize(
    ("needed", "reminds", "sentence"),
    [
        (2, True, "⏰ 1 approval is still missing for *"),
        (3, True, "⏰ 2 approvals are still missing for *"),
        (3, False, "🗳️ 2 more approvals needed for *"),
    ],
)
def test_a_reminder_reads_otherwise_and_counts_are_whole_sentences(
    needed: int, reminds: bool, sentence: str
) -> None:
    waiting = request(needed=needed)
    for message in (
        approval_calls.in_thread(CONTEXT, WAITING, waiting, reminds=reminds),
        approval_calls.direct(CalledObject(CONTEXT, WAITING, waiting), reminds=reminds),
    ):
        assert sentence in text_of(message)


def test_a_direct_call_has_the_button_for_what_was_approved_and_names_who_did_and_why() -> None:
    waiting = request(reason="it spreads", delegator="U0BOB")
    message = approval_calls.direct(
        CalledObject(CONTEXT, WAITING, waiting, "https://console.example/x")
    )
    assert "✅ <@U0ALICE> on behalf of <@U0BOB>, <!date^" in message.text
    assert "> it spreads" in message.text
    terminate, details = message.payload["blocks"][-1]["elements"]
    assert terminate["action_id"] == "task.terminate"
    assert terminate["value"].endswith(decision_fingerprint(WAITING))
    assert (details["action_id"], details["value"]) == ("details", str(TASK))
    assert "Open the card" in str(message.payload["blocks"])


def test_of_a_run_only_the_expiry_is_said() -> None:
    retry = request("instance.retry")
    text = text_of(approval_calls.in_thread(replace(CONTEXT, ref=RUN), FAILED, retry))
    assert "Approvals to retry: 1 of 2" in text
    assert f"Expires {date_token(NOW + HOUR)}" in text


def test_every_choice_is_said() -> None:
    texts = {text_of(approval_calls.calls_chosen(ENGLISH, each)) for each in CallPreference}
    assert len(texts) == len(CallPreference)


@FEW
@given(render_contexts("task"), tasks, words)
def test_whatever_it_is_about_slack_takes_it(
    context: RenderContext, task: Task, reason: str
) -> None:
    waiting = request(reason=reason)
    assert_slack_takes(approval_calls.in_thread(context, task, waiting))
    assert_slack_takes(approval_calls.direct(CalledObject(context, task, waiting), reminds=True))


def test_a_call_does_not_repeat_the_warning_that_its_thread_has_read() -> None:
    late = request(ends_at=NOW + 9 * HOUR)
    assert "⚠️" not in text_of(approval_calls.in_thread(CONTEXT, WAITING, late, warns=False))


def test_one_call_for_a_batch_lists_its_objects_with_a_button_each() -> None:
    other = FAILED.model_copy(update={"name": "Scan"})
    requests = [(FAILED, request("instance.retry")), (other, request("instance.retry"))]
    context = replace(CONTEXT, ref=RUN)
    head, *rows = text_of(approval_calls.batch_in_thread(context, requests)).split("\n")
    assert head == "<!subteam^S0SOC> <@U0BOB> 🗳️ 2 runs need another approval."
    assert [row.split(" · ")[:2] for row in rows] == [
        [f"• *{FAILED.name}*", "Approvals to retry: 1 of 2"],
        ["• *Scan*", "Approvals to retry: 1 of 2"],
    ]
    called = [CalledObject(context, *pair, "https://console.example/x") for pair in requests]
    message = approval_calls.batch_direct(called)
    assert "✅ <@U0ALICE>" in text_of(message)
    buttons = [block for block in message.payload["blocks"] if block["type"] == "actions"]
    assert [row["elements"][0]["action_id"] for row in buttons] == ["instance.retry"] * 2
    assert accessibility.faults(message) == []
    tasks_head = approval_calls.batch_in_thread(CONTEXT, [(WAITING, request())] * 3, reminds=True)
    assert "⏰ 3 tasks need another approval." in text_of(tasks_head)
    playbooks = [(FAILED_PLAYBOOK, request("playbook.retry"))]
    playbooks_head = approval_calls.batch_in_thread(replace(CONTEXT, ref=PLAYBOOK_RUN), playbooks)
    assert "🗳️ 1 playbook run needs another approval." in text_of(playbooks_head)


def test_where_nobody_else_can_approve_it_says_what_to_do_and_mentions_nobody() -> None:
    called = CalledObject(CONTEXT, WAITING, request())
    shortage = Shortage(0, ("oncall", "approver"), ("lead",))
    text = text_of(
        approval_calls.too_few_approvers(called, shortage, [WAITING.name], notified=True)
    )
    assert text.startswith(
        f"🚧 Nobody else can give an approval for *{WAITING.name}* now. Expires <!date^"
    )
    assert "Approvals to terminate: 1 of 2" in text
    assert "In an emergency *lead* can decide alone, with *Emergency override*" in text
    assert (
        "Add somebody to *oncall* or *approver*, in the Slack user group or in the policy." in text
    )
    assert "A delegate of whoever approved does not count as a second approver." in text
    assert "The admins of this bot were notified." in text
    assert "<@" not in text
    assert "<!subteam" not in text
    few = text_of(approval_calls.too_few_approvers(called, Shortage(1, ("oncall",)), []))
    assert few.startswith(
        f"🚧 Only 1 other person can give an approval for `{TASK.id}` now, which is too few."
    )
    assert "override" not in few
    assert "notified" not in few
