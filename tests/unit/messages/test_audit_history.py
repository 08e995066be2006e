"""What the audit log holds, told to people."""

import re
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import TABLE
from bot.domain.approvals import ApprovalIntent
from bot.domain.audit import AuditOutcome
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.messages import audit_history
from bot.messages.audit_history import AuditedRecord, story
from bot.messages.markup import HtmlMarkup, MarkdownMarkup, SlackMarkup, zoned
from bot.secmaster import Evidence, Finding
from tests.support.samples import ENGLISH, FAILED, NOW, WAITING
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import SOME, audit_entries, several, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SLACK = SlackMarkup()


def record(outcome: str, action: str = "task.approve", **fields: Any) -> dict[str, Any]:
    return {
        "number": 7,
        "at": NOW.isoformat(),
        "operation_id": "abc123ffff",
        "outcome": outcome,
        "action": action,
        "target": "1:task:main:t-1",
        "object_name": "Block IP",
        "actor": {"id": "U0BOB", "name": "Bob"},
        **fields,
    }


def headline(outcome: str, action: str = "task.approve", **fields: Any) -> str:
    return story(ENGLISH, SLACK, AuditedRecord(record(outcome, action, **fields))).headline


REQUEST = {
    "approvals": [{"actor": {"id": "U0ALICE", "name": "Alice"}, "at": NOW.isoformat()}],
    "stages": [{"count": 2, "roles": ["lead"]}],
}


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        ({"outcome": "done"}, "<@U0BOB> approved *Block IP*."),
        (
            {"outcome": "done", "action": "calls", "target": "U0BOB", "calls": "direct"},
            "<@U0BOB> chose how they are notified of approval requests.",
        ),
        (
            {"outcome": "done", "action": "wake"},
            "<@U0BOB> ended the snooze of *Block IP*.",
        ),
        (
            {"outcome": "done", "terms": {"break_glass_channel": "C0SOC", "delegator": ""}},
            "<@U0BOB> approved *Block IP*. Emergency override: <@U0BOB> decided alone.",
        ),
        (
            {"outcome": "done", "terms": {"delegator": "U0ALICE"}},
            "<@U0BOB> approved *Block IP*. <@U0BOB> acted on behalf of <@U0ALICE>.",
        ),
        (
            {"outcome": "refused", "detail": "rule", "rule": "rule 4", "allowed_roles": ["lead"]},
            "<@U0BOB> was not allowed to approve *Block IP*. Only lead can do this (rule 4).",
        ),
        (
            {
                "outcome": "refused",
                "detail": "rule",
                "rule": "rule 4",
                "intent": ApprovalIntent.DECLINE,
            },
            (
                "<@U0BOB> was not allowed to decline the request to approve *Block IP*. Only "
                "other roles can do this (rule 4)."
            ),
        ),
        (
            {"outcome": "counted", "request": REQUEST},
            (
                "<@U0BOB> approved *Block IP*; more approvals are needed. Approvals to approve: 1 "
                "of 2."
            ),
        ),
        (
            {"outcome": "counted", "action": "task.terminate", "request": REQUEST},
            (
                "<@U0BOB> agreed to terminate *Block IP*; more approvals are needed. Approvals to "
                "terminate: 1 of 2."
            ),
        ),
        (
            {"outcome": "refuse", "intent": "refuse", "ended_request": REQUEST},
            (
                "<@U0BOB> declined the request to approve this task. This cancelled all approvals "
                "given so far."
            ),
        ),
        (
            {"outcome": "withdraw", "intent": "withdraw", "ended_request": REQUEST},
            "<@U0BOB> withdrew their approval. No approval is left.",
        ),
        (
            {"outcome": "lapsed", "ended_request": REQUEST},
            "The request to approve this task expired. Approvals to approve: 1 of 2.",
        ),
        (
            {"outcome": "lost", "detail": "to U0ALICE"},
            "The approval was not sent. <@U0ALICE> came first.",
        ),
        (
            {"outcome": "failed", "reason_code": "Conflict"},
            "SecMaster refused the approval by <@U0BOB>. SecMaster reported a conflict.",
        ),
        (
            {"outcome": "failed", "reason_code": "same_right"},
            "The approval was not sent. Somebody had approved with the same person's permissions.",
        ),
        (
            {"outcome": "failed", "intent": "withdraw", "reason_code": "no_ballot"},
            "<@U0BOB> could not withdraw an approval. There was no open request for approvals.",
        ),
        (
            {"outcome": "failed", "intent": "refuse", "reason_code": "no_ballot"},
            (
                "<@U0BOB> could not decline the request for approvals. There was no open request "
                "for approvals."
            ),
        ),
        (
            {"outcome": "done", "action": "revoke", "target": "U0DAVE"},
            "<@U0BOB> revoked their delegation to <@U0DAVE>.",
        ),
        (
            {"outcome": "done", "action": "wake", "object_name": "Isolate host"},
            "<@U0BOB> ended the snooze of *Isolate host*.",
        ),
        (
            {"outcome": "done", "action": "wake", "for": "me"},
            "<@U0BOB> ended their own snooze of *Block IP*.",
        ),
        (
            {"outcome": "done", "action": "wake", "for": "all"},
            "<@U0BOB> ended the snooze of *Block IP* for everyone.",
        ),
        (
            {"outcome": "done", "action": "snooze", "for": "me", "until": "tomorrow"},
            "<@U0BOB> snoozed *Block IP* for themselves alone until tomorrow.",
        ),
        (
            {"outcome": "done", "action": "snooze", "for": "all", "until": "tomorrow"},
            "<@U0BOB> snoozed reminders of *Block IP* for everyone until tomorrow.",
        ),
        (  # as it was recorded before
            {"outcome": "done", "action": "snooze", "object_name": None, "until": "tomorrow"},
            "<@U0BOB> snoozed reminders of `t-1` until tomorrow.",
        ),
        (
            {"outcome": "done", "action": "claim", "previous": "U0BOB", "until": "tomorrow"},
            "<@U0BOB> claimed *Block IP* until tomorrow.",
        ),
        (
            {"outcome": "done", "action": "claim", "previous": "U0DAVE", "until": "tomorrow"},
            "<@U0BOB> took *Block IP* over from <@U0DAVE> until tomorrow.",
        ),
        (
            {"outcome": "done", "action": "unclaim", "previous": "U0DAVE", "until": None},
            "<@U0BOB> released *Block IP*, which <@U0DAVE> had claimed.",
        ),
        (
            {
                "outcome": "done",
                "action": "mute",
                "target": "workflow:main",
                "object_name": None,
                "workflow": "Block *malicious*",
                "until": "tomorrow",
            },
            "<@U0BOB> muted the workflow *Block ∗malicious∗* until tomorrow.",
        ),
        ({"outcome": "done", "action": "tomorrow"}, "<@U0BOB>: `tomorrow`, `done`."),
    ],
)
def test_a_record_is_told_in_whole_sentences_without_codes(
    fields: dict[str, Any], sentences: str
) -> None:
    assert headline(**fields) == sentences


@pytest.mark.parametrize(
    ("due_handle", "status", "sentence"),
    [
        ("CONTINUE", "finished", "The task continued at its due date, nobody approved."),
        ("INTERRUPT", "canceled", "The task was cancelled at its due date."),
        ("CONTINUE", "waiting", ""),  # its due date may have moved
        (None, "finished", ""),
    ],
)
def test_what_secmaster_did_at_the_due_date_is_told_where_it_is_known(
    due_handle: str | None, status: str, sentence: str
) -> None:
    lapsed = record("lapsed", ended_request={**REQUEST, "due_handle": due_handle})
    current = WAITING.model_copy(update={"status": status})
    told = story(ENGLISH, SLACK, AuditedRecord(lapsed, current=current)).headline
    expired = "The request to approve this task expired. Approvals to approve: 1 of 2."
    assert told == f"{expired} {sentence}".strip()


def test_every_outcome_reason_and_refusal_has_its_words() -> None:
    assert audit_history.SIGNS.keys() == set(AuditOutcome)
    assert audit_history.REASONS.keys() == set(OutcomeReason)
    for action in TABLE:
        for outcome in AuditOutcome:
            for intent in ApprovalIntent:
                for detail in (*RefusalReason, *OutcomeReason):
                    told = headline(outcome, action.name, intent=intent, detail=detail)
                    assert "{" not in told


def test_what_the_card_showed_is_told_or_that_it_is_gone() -> None:
    fields = dict(audit_history.card_fields(ENGLISH, MarkdownMarkup(UTC), WAITING))
    assert fields["Name"] == "Isolate host 10.0.0.7"
    assert fields["Due"] == "2026-03-01 15:00:00 UTC"
    assert dict(audit_history.card_fields(ENGLISH, SLACK, FAILED))["Failed at"] == "Block sender"
    finding = Finding.model_validate(
        {
            "title": "Beacon to http://evil.example",
            "severity": "Fatal",
            "resources": [{"id": "r-1", "name": "ecs-web-07"}],
            "connections": [{"dest_ip": "203.0.113.7"}],
        }
    )
    known = WAITING.model_copy(update={"evidence": Evidence(finding=finding, decisive=True)})
    rows = audit_history.card_fields(ENGLISH, SLACK, known)
    fields = dict(rows)
    assert len(rows) == len(fields)  # whether or not a rule asks about the alert, it is told once
    assert fields["Alert or incident"] == "Beacon to hxxp://evil[.]example"
    assert (fields["Severity"], fields["Affected resources"]) == ("Fatal", "ecs-web-07")
    assert fields["Addresses"] == "203[.]0[.]113[.]7"
    seen = record("done", decision_fingerprint="0" * 32)
    assert not story(ENGLISH, SLACK, AuditedRecord(seen, WAITING)).card_note
    gone = story(ENGLISH, SLACK, AuditedRecord(seen))
    assert gone.card_note == "What the card showed is no longer kept."
    assert not story(ENGLISH, SLACK, AuditedRecord(record("done"))).card_note


def test_times_have_their_zone() -> None:
    assert zoned(NOW, UTC) == "2026-03-01 12:00:00 UTC"
    assert zoned(NOW, ZoneInfo("Asia/Shanghai")) == "2026-03-01 20:00:00 CST (UTC+08:00)"
    assert zoned(NOW, ZoneInfo("Asia/Kolkata")) == "2026-03-01 17:30:00 IST (UTC+05:30)"


@SOME
@given(several(audit_entries), words, st.sampled_from(["", "{}"]))
def test_any_story_can_be_told(entries: list[dict[str, Any]], name: str, older: str) -> None:
    records = [
        AuditedRecord({**entry, "object_name": name}, WAITING.model_copy(update={"name": name}))
        for entry in entries[: audit_history.PAGE]
    ]
    assert_slack_takes(audit_history.history(ENGLISH, "Audit records", records, older))


@SOME
@given(st.text(st.characters(exclude_categories=())))
def test_no_text_becomes_markup(text: str) -> None:
    written = HtmlMarkup(UTC).text(text)
    assert not re.search(r"[<>\"']|&(?!(amp|lt|gt|quot|#x27);)", written)
    line = MarkdownMarkup(UTC).text(text)
    assert "\n" not in line
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]~|#!@<>]", line)
    assert not re.search(r"&(?!(amp|lt|gt);)", line)


@pytest.mark.parametrize(
    ("after", "shown"),
    [("canceled", "Waiting for a decision → Cancelled"), (None, "Waiting for a decision")],
    ids=["done", "not"],
)
def test_a_status_that_nobody_read_afterwards_leaves_no_gap(after: str | None, shown: str) -> None:
    audited = AuditedRecord(record("done", status_before="waiting", status_after=after))
    assert ("Status", shown) in story(ENGLISH, SLACK, audited).facts


def test_what_came_of_a_decision_is_told_with_it() -> None:
    result = {
        "status": "failed",
        "run": {"kind": "instance", "id": "i-1"},
        "name": "Contain web-07",
        "node": "Isolate host",
        "error": "quota exceeded",
        "seconds": 130,
        "at": NOW.isoformat(),
    }
    audited = AuditedRecord(record("done"), result=record("result", run_result=result))
    facts = dict(story(ENGLISH, SLACK, audited).facts)
    assert facts["What came of it"].endswith(
        " · 🔴 The run failed at Isolate host after 2 min: *Contain web-07*. · quota exceeded"
    )
    # One of another version, whose content is not known, is left out.
    audited = AuditedRecord(record("done"), result=record("result", run_result={"status": "odd"}))
    assert "What came of it" not in dict(story(ENGLISH, SLACK, audited).facts)
