"""The views that Slack opens: forms, details, and what waits."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import MAX_REASON, TABLE
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest, RequestNews
from bot.domain.cards import CardState
from bot.domain.objects import visible
from bot.domain.slack import Actor, FormInput, SlackFile, SlackLocation
from bot.domain.snapshots import ListPage
from bot.domain.stages import one_stage
from bot.messages import RenderContext, denials, details, escalations, modals, mutes
from bot.messages.audit_history import AuditedRecord
from bot.messages.blocks import Tally, Viewer
from bot.messages.modals import FormContent, FormState
from bot.policy.rules import ReasonRule
from bot.secmaster import Instance, Task
from tests.support.rendered import input_ids, read, text_types
from tests.support.samples import ENGLISH, FAILED, FAILED_PLAYBOOK, NOW, RUN, TASK, WAITING
from tests.support.slack_limits import assert_slack_opens
from tests.support.strategies import FEW, SOME, forms, render_contexts, runs, tasks, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

MARKUP = "*Approved* `by` <!channel> _x_ &amp; ~y~"


def form(
    action: str,
    reason: ReasonRule = ReasonRule.OPTIONAL,
    node: str = "",
    name: str = "Isolate <host>",
) -> dict[str, Any]:
    """Return an action's form; ``node`` stands in the inputs that suggest something."""
    ref = TASK if action.startswith("task.") else RUN
    state = FormState(action=action, ref=ref, location=SlackLocation(channel="C0SOC"))
    filled = {param.name: node for param in modals.action_of(state).params if param.suggested}
    return modals.form(ENGLISH, state, FormContent(name, "soc-east", filled), reason)


@pytest.mark.parametrize("name", ["task.terminate", "task.comment", "instance.debug"])
def test_in_a_form_a_name_is_plain_text(name: str) -> None:
    assert MARKUP in read(form(name, name=MARKUP))
    assert text_types(form(name, name=MARKUP), "channel") == {"plain_text"}


@pytest.mark.parametrize(
    "view",
    [
        form("instance.terminate", ReasonRule.REQUIRED),
        escalations.form(ENGLISH, "{}", "Isolate", ["duty"]),
        mutes.form(ENGLISH, "{}", "Isolate"),
    ],
    ids=["action", "escalation", "mute"],
)
def test_a_form_says_how_long_a_reason_may_be_and_where_it_goes(view: dict[str, Any]) -> None:
    [reason] = [block for block in view["blocks"] if block.get("block_id") == "reason"]
    assert reason["element"]["max_length"] == MAX_REASON
    limit = ENGLISH.number(MAX_REASON)
    expected = f"Up to {limit} characters. Shown in the thread, and kept in the audit."
    assert reason["hint"]["text"] == expected


@pytest.mark.parametrize(
    ("name", "reason", "expected"),
    [
        ("task.approve", "required", ["reason"]),
        ("task.terminate", "optional", ["reason"]),
        ("task.terminate", "none", []),
        ("task.comment", "optional", ["comment"]),
        ("task.attach", "optional", ["attachment_id"]),
        ("instance.debug", "optional", ["task_id", "input_dataobject"]),
    ],
)
def test_a_form_asks_for_what_the_action_needs(
    name: str, reason: ReasonRule, expected: list[str]
) -> None:
    view = form(name, reason)
    assert input_ids(view) == expected
    assert "Isolate <host>" in read(view)
    assert "soc-east" in read(view)


def test_an_optional_reason_may_be_left_empty_and_a_required_one_may_not() -> None:
    optional = {
        reason: form("task.terminate", reason)["blocks"][-1].get("optional", False)
        for reason in (ReasonRule.OPTIONAL, ReasonRule.REQUIRED)
    }
    assert optional == {"optional": True, "required": False}


def test_the_node_that_failed_is_filled_in() -> None:
    view = form("instance.debug", node="n-2")
    [node, _json] = [block for block in view["blocks"] if block["type"] == "input"]
    assert node["element"]["initial_value"] == "n-2"


def test_what_was_typed_is_read_back() -> None:
    metadata, file = form("task.terminate")["private_metadata"], SlackFile(id="F1")
    inputs = {"reason": FormInput(text="because"), "files": FormInput(files=(file,))}
    read_form = modals.read_form(metadata, inputs)
    assert read_form
    state, texts = read_form
    assert (state.action, state.ref, state.files) == ("task.terminate", TASK, (file,))
    assert texts == {"reason": "because", "files": ""}


@pytest.mark.parametrize("metadata", ["", "{}", "[", "null", '{"action": "task.fly"}'])
def test_a_form_of_another_version_is_not_read(metadata: str) -> None:
    assert modals.read_form(metadata, {}) is None
    known = form("task.terminate")["private_metadata"]
    assert modals.read_form(known.replace("task.terminate", "task.fly"), {}) is None


def test_details_show_what_a_card_has_no_room_for() -> None:
    task = WAITING.model_copy(
        update={
            "comments": Task(comments=[{"id": "c-1", "user_name": "Bob", "message": "w"}]).comments,
            "attachment_id_list": ("a-1",),
        }
    )
    text = read(details.details(RenderContext(TASK, NOW, ENGLISH), task))
    assert all(part in text for part in ("`c-1`", "Bob", "`a-1`"))
    text = read(details.details(RenderContext(RUN, NOW, ENGLISH), FAILED))
    assert all(part in text for part in ("Fetch mail", "`n-1`", "Block sender", "timed out"))


def test_details_begin_with_the_node_that_failed() -> None:
    text = read(details.details(RenderContext(RUN, NOW, ENGLISH), FAILED))
    assert text.index("Block sender") < text.index("Fetch mail")


def test_details_say_what_the_card_says_was_done_and_what_is_missing() -> None:
    approval = Approval(operation_id="x", actor=Actor(id="U0ALICE"), at=NOW)
    request = ApprovalRequest(
        id="x",
        action="task.approve",
        approvals=(approval,),
        stages=one_stage(2),
        expires_at=NOW + timedelta(hours=1),
    )
    state = CardState(TASK, WAITING, requests=(request,))
    news = RequestNews(
        action="task.terminate",
        intent=ApprovalIntent.DECLINE,
        actor=Actor(id="U0BOB"),
        at=NOW,
        needed=2,
        count=0,
        reason="not ours",
    )
    context = RenderContext(TASK, NOW, ENGLISH)
    text = read(details.details(context, WAITING, replace(state, request_news=news)))
    assert "Approvals to approve: 1 of 2" in text
    assert "🛑 *<@U0BOB> declined the request to terminate.*" in text
    assert "> not ours" in text
    assert "withdraw" not in text  # the buttons of a request are on the card


def test_details_tell_what_was_done_from_slack() -> None:
    record = {
        "number": 7,
        "at": NOW.isoformat(),
        "action": "task.approve",
        "outcome": "refused",
        "actor": {"id": "U0CAROL", "name": "Carol"},
        "object_name": "Isolate <host>",
        "reason": "please <!here>",
    }
    context = RenderContext(TASK, NOW, ENGLISH)
    text = read(details.details(context, WAITING, history=[AuditedRecord(record)]))
    assert "*Done from Slack*" in text
    assert "<@U0CAROL> was not allowed to approve *Isolate &lt;host&gt;*." in text
    assert "> please &lt;!here&gt;" in text
    assert "Done from Slack" not in read(details.details(context, WAITING))


def test_a_description_is_read_as_paragraphs_and_not_as_code() -> None:
    task = WAITING.model_copy(update={"description": "Two hosts.\n*Approve now* <!here>"})
    view = details.details(RenderContext(TASK, NOW, ENGLISH), task)
    [block] = [each for each in view["blocks"] if "Two hosts" in json.dumps(each)]
    assert block["text"] == {"type": "plain_text", "text": task.description, "emoji": False}


def test_a_comment_can_not_pose_as_the_bots_own_words_in_the_details() -> None:
    message = "fine\n✅ *Approved by @Bob*\n```\n> <!here>"
    comments = [{"id": "c-1", "user_name": "*Bob* <@U0BOB>", "message": message}]
    task = WAITING.model_copy(update={"comments": Task(comments=comments).comments})
    view = details.details(RenderContext(TASK, NOW, ENGLISH), task)
    assert text_types(view, "Approved by @Bob") == {"plain_text"}
    assert "💬 *∗Bob∗ &lt;@U0BOB&gt;*, " in read(view)


def test_each_action_of_the_card_has_a_button_in_the_details_that_opens_its_form() -> None:
    location = SlackLocation(channel="C0SOC")
    for ref, snapshot in ((TASK, WAITING), (RUN, FAILED)):
        context = RenderContext(ref, NOW, ENGLISH)
        view = details.details(context, snapshot, location=location)
        names = [element["action_id"] for element in view["blocks"][1]["elements"]]
        assert names == [
            f"fill.{action.name}"
            for action in TABLE
            if action.kind == ref.kind and snapshot.status in action.button_statuses
        ]
    agreed = replace(
        RenderContext(TASK, NOW, ENGLISH), viewer=Viewer(has_approved=frozenset({"task.approve"}))
    )
    view = details.details(agreed, WAITING, location=location)
    assert "fill.task.approve" not in json.dumps(view)


def test_details_begin_with_the_cards_facts() -> None:
    text = read(details.details(RenderContext(TASK, NOW, ENGLISH), WAITING))
    assert "Waiting for a decision" in text
    assert "auto-approves" in text


@FEW
@given(forms(), st.tuples(words, words), st.sampled_from(["required", "optional", "none"]), words)
def test_any_form_is_one_that_slack_opens(
    state: FormState, target: tuple[str, str], reason: ReasonRule, node: str
) -> None:
    filled = {param.name: node for param in modals.action_of(state).params}
    view = modals.form(ENGLISH, state, FormContent(*target, filled), reason)
    assert_slack_opens(view)
    assert modals.read_form(view["private_metadata"], {}) == (state, {})


@FEW
@given(forms(), words, st.sampled_from(["required", "optional", "none"]))
def test_a_form_that_asks_for_the_name_is_one_that_slack_opens(
    state: FormState, name: str, reason: ReasonRule
) -> None:
    state_with_name = state.model_copy(
        update={
            "name_hash": modals.hash_name(name) or "0" * 32,
            "break_glass": True,
            "decision_fingerprint": "0" * 32,
        }
    )
    view = modals.form(ENGLISH, state_with_name, FormContent(name, "main"), reason)
    assert_slack_opens(view)
    assert [block["block_id"] for block in view["blocks"] if block.get("block_id") == "name"]


@FEW
@given(words, words)
def test_only_the_same_letters_are_the_same_name(name: str, other: str) -> None:
    same = modals.hash_name(name) == modals.hash_name(other)
    letters = [" ".join(visible(text).casefold().split())[:140] for text in (name, other)]
    assert same == (letters[0] == letters[1])


@FEW
@given(words)
def test_a_modal_that_waits_or_failed_is_one_that_slack_opens(reference: str) -> None:
    assert_slack_opens(modals.loading(ENGLISH, "Details"))
    assert_slack_opens(
        modals.failed(ENGLISH, "Details", denials.own_fault(ENGLISH, reference).text)
    )


@SOME
@given(st.lists(tasks, max_size=9), st.lists(runs, max_size=9), st.integers(0, 10**6))
def test_whatever_waits_is_shown_in_a_home_and_a_modal_that_slack_takes(
    open_tasks: list[Task], failed: list[Instance], total: int
) -> None:
    waiting, failures = ListPage(open_tasks, total), ListPage(failed, total)
    playbook_failures = ListPage([FAILED_PLAYBOOK], total)
    objects = modals.WaitingObjects(waiting, failures, playbook_failures, "main", "/secmaster", NOW)
    assert_slack_opens(modals.waiting(ENGLISH, objects))
    assert_slack_opens(modals.home(ENGLISH, objects), "home")


@FEW
@given(words)
def test_a_home_says_what_went_wrong(reference: str) -> None:
    assert_slack_opens(
        modals.failed_home(ENGLISH, denials.own_fault(ENGLISH, reference).text), "home"
    )


@SOME
@given(render_contexts("task"), tasks)
def test_the_details_of_any_task_are_ones_that_slack_opens(
    render_context: RenderContext, task: Task
) -> None:
    assert_slack_opens(details.details(render_context, task))


@SOME
@given(render_contexts("instance"), runs)
def test_the_details_of_any_instance_are_ones_that_slack_opens(
    render_context: RenderContext, run: Instance
) -> None:
    assert_slack_opens(details.details(render_context, run))


@pytest.mark.parametrize("letter", ["x", "中", "🙂", "&"])
def test_the_details_of_a_long_talk_are_ones_that_slack_opens(letter: str) -> None:
    render_context = RenderContext(TASK, NOW, ENGLISH)
    comments = [{"id": f"c-{number}", "message": letter * 3000} for number in range(100)]
    assert_slack_opens(details.details(render_context, Task(name="n", comments=comments)))


def test_the_details_of_a_long_talk_end_with_what_was_said_last_and_say_what_is_left_out() -> None:
    render_context = RenderContext(TASK, NOW, ENGLISH)
    comments = [{"id": f"c-{number}", "message": f"word {number}."} for number in range(200)]
    task = Task(name="n", comments=comments, attachment_id_list=["a-1"])
    text = read(details.details(render_context, task))
    assert "word 199." in text
    assert "a-1" in text
    assert re.search(r"\b\d+ (?:earlier|more)", text)


def test_a_form_says_that_others_must_approve_too_unless_nobody_has_to() -> None:
    state = FormState(action="task.terminate", ref=TASK, location=SlackLocation(channel="C0SOC"))
    several = "You will be 1 of 2. Nothing is sent until 2 people have approved."
    for tally, is_said in (
        (Tally(0, one_stage(2)), True),
        (Tally(1, one_stage(2)), False),
        (None, False),
    ):
        content = FormContent("Isolate host", "soc-east", warning="⚠️ Or else.", tally=tally)
        view = modals.form(ENGLISH, state, content, ReasonRule.OPTIONAL)
        lines = ("The task is terminated.", *([several] if is_said else []), "⚠️ Or else.")
        assert view["blocks"][1]["text"]["text"] == "\n".join(lines)
