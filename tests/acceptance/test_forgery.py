"""Nobody's words pose as ours: not in SecMaster's comments, not in a thread, not on a card."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.demo_story import POLICY
from bot.domain.approvals import Approval
from bot.domain.attribution import attribution_comment, signed_comment
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.slack import Actor, SlackLocation
from bot.sandbox.secmaster import seed
from tests.support.environment import BotEnvironment
from tests.support.examples import examples
from tests.support.people import ALICE, BOB, SOC

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
FORGED = "— Bob (Slack U0BOB), ref 123456"
RECEIPT = "_ref 123456 · rule 1 · HTTP 200 · request `r-1` · 0.1 s_"
ENDS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
FORGERIES = [
    FORGED,
    f"{FORGED}, in #soc (C0SOC), https://demo.slack.com/archives/C0SOC/p1",
    "— Bob ( Slack U0BOB), ref 123456",
    "— Bob (SLACK U0BOB), ref 123456",
    "— Bob (\u200bSlack U0BOB), ref 123456",
    "— Bob (Sl\u200back U0BOB), ref 123456",
    "— Bob (Sl\u00adack U0BOB), ref 123456",
    "\u200b— Bob (Slack U0BOB), ref 123456",
    "— Bob （Slack U0BOB）, ref 123456",
    "— Bob (Ｓlack U0BOB), ref 123456",
    "With Bob (Slack U0BOB): fine by me",
]


@pytest.fixture
def rules() -> str:
    return POLICY + '[attribution]\ncomment = "always"\n'


def operation(reason: str = "", **more: Any) -> Operation:
    values = {
        "id": "abc123ffff",
        "action": "task.approve",
        "ref": TASK,
        "actor": Actor(id=ALICE, name="Alice"),
        "location": SlackLocation(channel=SOC, channel_name="soc"),
        "reason": reason,
        "terms": PolicyTerms(comment="always"),
        "accepted_at": "2026-03-01T12:00:00Z",
    }
    return Operation.model_validate(values | more)


def signed_by(user: str, comment: str) -> bool:
    """Whether the last line of a comment is this person's signature."""
    last = comment.splitlines()[-1]
    return re.match(rf"— [^()]* \(Slack {user}\), ref [0-9a-f]{{6}}\b", last) is not None


def ours(comment: str) -> list[str]:
    """The lines that a reader of SecMaster takes for a signature of ours."""
    plain = "".join(each for each in comment if each not in "\u200b\u00ad")
    plain = plain.translate(str.maketrans("（）Ｓ", "()S"))
    return [
        line
        for line in plain.splitlines()
        if re.match(r"\s*(— |With ).*\(\s*slack\b", line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("forgery", FORGERIES, ids=ascii)
@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_a_reason_has_no_line_that_poses_as_a_signature(forgery: str, end: str) -> None:
    left = attribution_comment(
        operation(f"fine{end}{forgery}{end}"), "Approval from Slack", "https://x.example/1"
    )
    assert len(ours(left)) == 1
    assert signed_by(ALICE, left)
    assert not signed_by(BOB, left)


@pytest.mark.parametrize("forgery", FORGERIES, ids=ascii)
@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_nor_has_a_comment(forgery: str, end: str) -> None:
    left = signed_comment(operation(), f"fine{end}{forgery}", "https://x.example/1")
    assert len(ours(left)) == 1
    assert signed_by(ALICE, left)
    assert not signed_by(BOB, left)


@pytest.mark.parametrize("forgery", FORGERIES, ids=ascii)
@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_nor_have_the_reasons_of_others_who_said_yes(forgery: str, end: str) -> None:
    vote = Approval(
        operation_id="x",
        actor=Actor(id="U0CAROL", name="Carol"),
        at="2026-03-01T12:00:00Z",
        reason=f"fine{end}{forgery}",
    )
    left = attribution_comment(operation(co_approvers=(vote,)), "Approval from Slack")
    assert len(ours(left)) == 2
    assert signed_by(ALICE, left)


def test_an_emergency_override_is_the_first_thing_that_a_comment_says() -> None:
    left = attribution_comment(
        operation("Bob is asleep", terms=PolicyTerms(break_glass_channel="C0SOC")),
        "Approval from Slack",
    )
    first, reason, _signature = left.splitlines()
    assert first == "Emergency override by Alice. Approval from Slack. Reason:"
    assert reason == "Bob is asleep"


@pytest.mark.parametrize("end", ["", *ENDS], ids=ascii)
def test_a_name_is_one_line_without_brackets(end: str) -> None:
    actor = Actor(id=ALICE, name=f"Mallory{end}{FORGED}")
    left = attribution_comment(operation(actor=actor), "Approval from Slack")
    assert len(left.splitlines()) == 2
    assert left.count("(Slack ") == 1
    assert not signed_by(BOB, left)


@examples(300)
@given(
    st.lists(st.sampled_from([*ENDS, *FORGERIES, "fine", " ", "> ", "(", "Slack"]), max_size=8).map(
        "".join
    )
)
def test_whatever_is_said_has_one_signature_and_it_is_the_last_line(comment_text: str) -> None:
    left = signed_comment(operation(), comment_text)
    assert len(ours(left)) == 1
    assert left.splitlines()[-1].startswith("— Alice (Slack U0ALICE), ref abc123")


async def test_in_a_thread_a_reason_forges_no_receipt(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    reason = f"fine\n{RECEIPT}\r✅ *Approved by <@U0BOB>\u2028{RECEIPT}"
    await environment.slack.submit(ALICE, view["id"], {"reason": reason})
    [reply] = await environment.replies(ts)
    lines = reply.splitlines()
    assert [line for line in lines if line.startswith("_ref")] == [lines[-1]]
    assert "123456" not in lines[-1]
    assert [line for line in lines if line.startswith("✅")] == [lines[0]]
    assert "<@U0BOB>" not in reply


async def test_in_a_thread_a_comment_forges_no_receipt_and_calls_nobody(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.comment")
    [view] = environment.slack.views(ALICE)
    comment = f"<!channel>\n```\n{RECEIPT}\n```<https://evil.example|console>"
    await environment.slack.submit(ALICE, view["id"], {"comment": comment})
    [reply] = await environment.replies(ts)
    lines = reply.splitlines()
    assert [line for line in lines if line.startswith("_ref")] == [lines[-1]]
    assert "<!channel>" not in reply
    assert "<https://evil" not in reply
    assert "```" not in reply


async def test_a_forged_name_of_a_person_is_not_read_as_a_signature(
    environment: BotEnvironment,
) -> None:
    environment.slack.workspace.users[ALICE]["real_name"] = f"{FORGED}\nx"
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    [comment] = environment.secmaster.world.task(TASK.id)["comments"]
    assert len(comment["message"].splitlines()) == 2
    assert signed_by(ALICE, comment["message"])
    assert not signed_by(BOB, comment["message"])
