"""Cards: what they show of a task or an instance, and which buttons they have."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest, RequestNews
from bot.domain.cards import ButtonValue
from bot.domain.objects import ObjectKind
from bot.domain.operations import PolicyTerms, StandingOperation
from bot.domain.slack import Actor
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.domain.stages import one_stage
from bot.domain.tracking import Assignment
from bot.messages import RenderContext, card, details, vanished_card
from bot.messages.assignments import RELEASE, TAKE
from bot.messages.blocks import Tally, Viewer, action_button
from bot.messages.labels import consequence
from bot.messages.text import error_text
from bot.secmaster import Instance, Task
from tests.support.rendered import blocks_of, button_ids, elements, menu_values, read
from tests.support.samples import ENGLISH, FAILED, NOW, RUN, TASK, WAITING, standing_operation
from tests.support.slack_limits import assert_slack_opens, assert_slack_takes
from tests.support.strategies import SOME, render_contexts, runs, standing_operations, tasks, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def buttons_in_table(kind: ObjectKind, status: str) -> list[str]:
    """Return the buttons that the table of actions puts on a card in this status."""
    return [row.name for row in TABLE if row.kind == kind and status in row.button_statuses]


def confirmation(snapshot: Snapshot) -> str:
    """Return what is asked before the first button of an object's card does anything."""
    ref = TASK if isinstance(snapshot, Task) else RUN
    button = elements(card(RenderContext(ref, NOW, ENGLISH, "soc-east"), snapshot, None))[0]
    assert button["confirm"]["text"]["type"] == "plain_text"
    return str(button["confirm"]["text"]["text"])


def test_a_waiting_task_shows_what_is_to_be_decided() -> None:
    text = read(card(RenderContext(TASK, NOW, ENGLISH, "soc-east"), WAITING, None))
    for part in (
        "Isolate host 10.0.0.7",
        "Waiting for a decision",
        "playbook approval",
        "Ransomware",
        "Robot",
        "^{ago}|",
        "⚠️ *auto-approves* at <!date",
        "task `t-1`",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("due_handle", "end"),
    [("CONTINUE", "⚠️ *auto-approves* at <!date"), ("INTERRUPT", "then cancelled automatically")],
)
def test_a_notification_says_what_silence_does_and_when(due_handle: str, end: str) -> None:
    due = {"due_date": NOW + timedelta(hours=1), "due_handle": due_handle}
    text = card(RenderContext(TASK, NOW, ENGLISH), WAITING.model_copy(update=due), None).text
    assert text.startswith(f"{WAITING.name}: 🟡 Waiting for a decision · <!date")
    assert end in text
    assert "\n" not in text
    text = card(
        RenderContext(TASK, NOW, ENGLISH), WAITING.model_copy(update={"due_date": None}), None
    ).text
    assert text.endswith("Waiting for a decision")


def test_a_waiting_task_has_buttons_that_carry_it() -> None:
    message = card(RenderContext(TASK, NOW, ENGLISH), WAITING, None)
    assert button_ids(message) == [*buttons_in_table("task", "waiting"), TAKE]
    value = str(ButtonValue(ref=TASK, decision_fingerprint=decision_fingerprint(WAITING)))
    assert value.startswith("2:task:main:t-1:")
    assert {entry.get("value") for entry in elements(message)} == {value, str(TASK), None}
    actions = [action.name for action in TABLE if action.kind == "task" and action.in_menu]
    with_reason, *entries = menu_values(message)
    # It carries what the card showed, as the button does: what changed since is not decided.
    assert with_reason == f"fill.task.approve|{value}"
    names = (*actions, "details", "refresh", "snooze.xh")
    assert entries == [f"{name}|1:task:main:t-1" for name in names]


def test_the_longest_ids_leave_the_menu_without_what_it_could_not_carry() -> None:
    ref = TASK.model_copy(update={"id": "t" * 64, "workspace": "w" * 64})
    message = card(RenderContext(ref, NOW, ENGLISH), WAITING, None)
    assert [entry.partition("|")[0] for entry in menu_values(message)] == [
        "task.attach",
        "details",
        "refresh",
        "snooze.1h",
        "snooze.xh",
    ]
    assert_slack_takes(message)


def test_who_snoozed_it_and_until_when_stands_on_the_card_and_can_be_ended() -> None:
    until = NOW + timedelta(hours=1)
    message = card(
        RenderContext(TASK, NOW, ENGLISH, snoozed_until=until, snoozed_by="U0BOB"), WAITING, None
    )
    assert "😴 Snoozed by <@U0BOB> until" in read(message)
    assert menu_values(message)[-1] == "snooze.0h|1:task:main:t-1"


TWO_NEEDED = {"task.approve": Tally(0, one_stage(2, ("approver",)), approvers=("S0SOC", "U0BOB"))}
ALICES = Approval(operation_id="x", actor=Actor(id="U0ALICE"), at=NOW)
REQUEST = ApprovalRequest(
    id="x",
    action="task.approve",
    approvals=(ALICES,),
    stages=one_stage(2),
    expires_at=NOW + timedelta(hours=1),
    break_glass_allowed=True,
)


def test_that_several_must_approve_stands_on_the_card_before_anybody_has() -> None:
    context = RenderContext(TASK, NOW, ENGLISH, "soc-east", tallies=TWO_NEEDED)
    message = card(context, WAITING, None)
    assert "👥 *Approvals to approve: 0 of 2*\nNeeded from *approver*." in read(message)
    assert "S0SOC" not in read(message)  # a mention would ring with every card
    question = elements(message)[0]["confirm"]["text"]["text"]
    assert "You will be 1 of 2. Nothing is sent until 2 people have approved." in question
    assert "Approvals to" not in read(card(RenderContext(TASK, NOW, ENGLISH), WAITING, None))


def test_who_may_give_the_missing_approval_stands_in_the_request() -> None:
    tallies = {
        "task.approve": Tally(
            1, one_stage(2, ("approver",)), approvers=("S0SOC", "U0ALICE", "U0BOB")
        )
    }
    context = RenderContext(TASK, NOW, ENGLISH, tallies=tallies)
    message = card(context, WAITING, None, (REQUEST,))
    assert "🗳️ *Approvals to approve: 1 of 2*\n✅ <@U0ALICE>, <!date" in read(message)
    assert "1 more approval needed: <!subteam^S0SOC>, <@U0BOB>\nThe request expires" in read(
        message
    )
    assert "You will be" not in read(message)  # the next one is the last


def test_a_shared_card_offers_no_override_and_a_private_one_what_its_reader_may() -> None:
    def buttons(viewer: Viewer | None) -> list[str]:
        context = RenderContext(TASK, NOW, ENGLISH, viewer=viewer)
        return button_ids(card(context, WAITING, None, (REQUEST,)))

    decisions = ["task.approve", "task.terminate", "task.comment", "assign.take"]
    assert buttons(None) == ["withdraw", "refuse", *decisions]
    assert buttons(Viewer()) == ["refuse", *decisions]
    approve = frozenset({"task.approve"})
    assert buttons(Viewer(may_override=approve)) == ["refuse", "break-glass", *decisions]
    assert buttons(Viewer(has_approved=approve)) == ["withdraw", "refuse", *decisions[1:]]


NEWS = RequestNews(
    action="task.approve",
    intent=ApprovalIntent.DECLINE,
    actor=Actor(id="U0BOB"),
    at=NOW,
    needed=2,
    reason="false <!channel>",
)


def test_a_declined_request_stands_on_the_card_until_something_newer_happens() -> None:
    context = RenderContext(TASK, NOW, ENGLISH)
    text = read(card(context, WAITING, None, (), NEWS))
    assert "🛑 *<@U0BOB> declined the request to approve this task.* <!date" in text
    assert "> false &lt;!channel&gt;" in text
    ended = WAITING.model_copy(update={"status": "finished"})
    later = standing_operation("task.approve")
    assert "declined" not in read(card(context, ended, later, (), NEWS))
    withdrawn = NEWS.model_copy(update={"intent": ApprovalIntent.WITHDRAW, "count": 1, "needed": 3})
    text = read(card(context, WAITING, None, (), withdrawn))
    assert "↩️ <@U0BOB> withdrew their approval. 1 of 3." in text


def test_a_run_that_failed_again_says_so_in_one_block_with_its_snooze() -> None:
    context = RenderContext(
        RUN, NOW, ENGLISH, snoozed_until=NOW + timedelta(hours=1), snoozed_by="U0BOB"
    )
    retried = standing_operation("instance.retry", user="U0CAROL")

    def state(attempt_before: int) -> str:
        standing = retried.model_copy(update={"attempt_before": attempt_before})
        [text] = [
            block["text"]["text"]
            for block in blocks_of(card(context, FAILED, standing))
            if "U0CAROL" in str(block)
        ]
        return str(text)

    assert state(1).startswith("🔴 *Failed again after the retry by <@U0CAROL>, <!date")
    assert "\n😴 Snoozed by <@U0BOB> until <!date" in state(1)
    assert "Retry started" not in state(1)
    assert state(2).startswith("Retry started by <@U0CAROL>, <!date")  # not counted yet


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("timed out", "timed out"),
        ("Traceback:\n  File x\nKeyError: 'ip'\n\nINFO bye", "KeyError: 'ip'\n\nTraceback:"),
        ("one\ntwo\n", "two\n\none\ntwo"),
        ("x" * 900, f"{'x' * 300}\n…\n{'x' * 300}"),
        ("log\n" * 900 + "ValueError: no ip", "ValueError: no ip\n\nlog\nlog"),
    ],
    ids=["one line", "a traceback", "two lines", "a long line", "a long traceback"],
)
def test_what_went_wrong_comes_first_of_an_error(error: str, shown: str) -> None:
    text = error_text(error, 600)
    assert text.startswith(shown)
    assert len(text) <= 605


def test_files_and_runs_are_named_where_the_bot_knows_their_names() -> None:
    task = WAITING.model_copy(
        update={"attachment_id_list": ("a-1", "a-2"), "action_instance_id": "i-7"}
    )
    names = {"a-1": "evidence.txt", "i-7": "Block 203.0.113.77"}
    console = "https://console.example/x"
    context = RenderContext(TASK, NOW, ENGLISH, console_url=console, names=names)
    on_card, in_details = read(card(context, task, None)), read(details.details(context, task))
    for text in (on_card, in_details):
        assert "📎 evidence.txt (`a-1`)" in text
        assert "📎 `a-2`" in text
        assert f"<{console}|“Block 203.0.113.77”> (`i-7`)" in text
    assert "Waiting run: <" in on_card
    assert "*Waiting run*\n<" in in_details
    unknown = read(card(RenderContext(TASK, NOW, ENGLISH), task, None))
    assert "Waiting run: `i-7`" in unknown


def test_an_overdue_task_that_waits_claims_no_end() -> None:
    for due_handle in ("CONTINUE", "INTERRUPT", ""):
        update = {"due_date": NOW - timedelta(hours=3), "due_handle": due_handle}
        text = read(
            card(RenderContext(TASK, NOW, ENGLISH), WAITING.model_copy(update=update), None)
        )
        assert "⏰ *Overdue* since <!date" in text
        assert "automatically" not in text
        assert "auto-approves" not in text


@pytest.mark.parametrize(
    ("status", "due_handle", "sentence"),
    [
        ("canceled", "INTERRUPT", "⌛ Expired: cancelled automatically by SecMaster, <!date"),
        ("finished", "CONTINUE", "⌛ Nobody decided: approved automatically by SecMaster, <!date"),
        ("finished", "INTERRUPT", "Decided outside Slack or automatically, <!date"),
    ],
)
def test_a_task_that_ran_out_says_so(status: str, due_handle: str, sentence: str) -> None:
    update = {
        "status": status,
        "due_handle": due_handle,
        "due_date": NOW,
        "update_time": NOW,
        "modifier_name": "system",
    }
    ended = WAITING.model_copy(update=update)
    assert sentence in read(card(RenderContext(TASK, NOW, ENGLISH), ended, None))
    by_lin = ended.model_copy(update={"modifier_name": "Lin"})
    assert "Decided outside Slack by Lin" in read(
        card(RenderContext(TASK, NOW, ENGLISH), by_lin, None)
    )


def test_whom_a_card_calls_stands_at_its_top() -> None:
    message = card(RenderContext(TASK, NOW, ENGLISH, mentions=("S0SOC", "U0BOB")), WAITING, None)
    assert blocks_of(message)[1]["text"]["text"] == "<!subteam^S0SOC> <@U0BOB> "


def test_a_confirmation_says_that_others_must_follow_before_what_comes_from_secmaster() -> None:
    tallies = {"instance.retry": Tally(count=0, stages=one_stage(2))}
    context = RenderContext(RUN, NOW, ENGLISH, "soc-east", tallies=tallies)
    dialog = action_button(BY_NAME["instance.retry"], context, FAILED).to_dict()["confirm"]
    lines = dialog["text"]["text"].splitlines()
    assert lines[1:] == [
        "You will be 1 of 2. Nothing is sent until 2 people have approved.",
        "Workspace soc-east, ID …i-1.",
        "Failed at Block sender: timed out",
        f"“{FAILED.name}”",
    ]


def test_approval_asks_first_and_repeats_what_and_where() -> None:
    question = confirmation(WAITING)
    assert "Isolate host 10.0.0.7" in question
    assert "Workspace soc-east" in question
    assert "t-1" in question


@pytest.mark.parametrize(
    "name",
    [
        "x\n“Another task”",
        "x\r\nWorkspace other, 12345678:\n“y”",
        "x\u2028y\x0bz\x85a\x1cb",
        "\n\n\n",
        "”\n\nThe task ends.\n“",
        "x" * 5000,
        "\u202e\u200b x",
    ],
    ids=lambda name: ascii(name[:12]),
)
@pytest.mark.parametrize("kind", ["task", "instance"])
def test_a_confirmation_is_our_own_words_first_and_then_the_name_on_one_line(
    kind: ObjectKind, name: str
) -> None:
    snapshot = (WAITING if kind == "task" else FAILED).model_copy(update={"name": name})
    first, second, *failure, last = confirmation(snapshot).splitlines()
    action = BY_NAME["task.approve" if kind == "task" else "instance.retry"]
    assert first == consequence(ENGLISH, action, snapshot)
    assert second == f"Workspace soc-east, ID …{kind[0]}-1."
    assert last.startswith("“")
    assert last.endswith("”")
    assert failure == ([] if kind == "task" else ["Failed at Block sender: timed out"])


@pytest.mark.parametrize("business_type", ["WORKFLOWPUBLISH", "PLAYBOOKPUBLISH"])
def test_approving_a_version_is_asked_as_what_it_is(business_type: str) -> None:
    snapshot = WAITING.model_copy(update={"business_type": business_type})
    assert confirmation(snapshot).startswith("The version is published.\n")


@pytest.mark.parametrize("status", ["finished", "canceled", "archived", ""])
def test_a_decided_task_has_no_buttons(status: str) -> None:
    message = card(
        RenderContext(TASK, NOW, ENGLISH), WAITING.model_copy(update={"status": status}), None
    )
    assert elements(message) == []
    assert "auto-approves" not in read(message)


def test_a_task_decided_here_says_by_whom_and_why() -> None:
    done = WAITING.model_copy(update={"status": "finished"})
    text = read(
        card(
            RenderContext(TASK, NOW, ENGLISH),
            done,
            standing_operation("task.approve", reason="known\n<!channel>"),
        )
    )
    assert "Approved by <@U0ALICE>, <!date" in text
    assert "> known\n> &lt;!channel&gt;" in text


def test_who_had_agreed_to_what_was_overridden_is_named() -> None:
    standing = standing_operation("task.terminate", user="U0CAROL")
    terms = PolicyTerms(break_glass_channel="C0ONCALL")
    update = {"terms": terms, "co_approvers": (ALICES,)}
    overridden = standing.model_copy(
        update={"operation": standing.operation.model_copy(update=update)}
    )
    canceled = WAITING.model_copy(update={"status": "canceled"})
    text = read(card(RenderContext(TASK, NOW, ENGLISH), canceled, overridden))
    assert "Terminated by <@U0CAROL> (emergency override), <!date" in text
    assert text.count("<@U0ALICE> had agreed.") == 1


def test_a_task_decided_elsewhere_says_so() -> None:
    done = WAITING.model_copy(update={"status": "finished", "approver": "console-user"})
    assert "Decided outside Slack by console-user" in read(
        card(RenderContext(TASK, NOW, ENGLISH), done, None)
    )


def test_the_latest_comments_and_files_are_shown_and_the_others_counted() -> None:
    comments = [{"user_name": "Bob", "message": f"word {number}"} for number in range(5)]
    files = [f"a-{number}" for number in range(5)]
    task = WAITING.model_copy(
        update={"comments": Task(comments=comments).comments, "attachment_id_list": tuple(files)}
    )
    text = read(card(RenderContext(TASK, NOW, ENGLISH), task, None))
    assert "2 earlier comments are in *Details*." in text
    assert "Bob: word 4" in text
    assert "word 1" not in text
    # One text, a line each: Slack sets the texts of a block side by side.
    assert "Bob: word 3\n💬 Bob: word 4\n📎 `a-2`\n" in text
    assert "📎 `a-4`\n📎 2 more files are in *Details*." in text


def test_parameters_are_laid_out_for_reading_and_empty_ones_left_out() -> None:
    task = WAITING.model_copy(
        update={"handle_parameters": '{"ip":"10.0.0.7","hours":4}', "view_parameters": "[{}]"}
    )
    text = read(card(RenderContext(TASK, NOW, ENGLISH), task, None))
    assert "*Parameters*\n```ip: 10.0.0.7\nhours: 4```" in text
    assert "*Details*" not in text
    listed = '[{"name": "ip", "value": "10.0.0.7"}, {"key": "hours", "value": 4}]'
    task = WAITING.model_copy(update={"view_parameters": listed})
    text = read(card(RenderContext(TASK, NOW, ENGLISH), task, None))
    assert "*Details*\n```ip: 10.0.0.7\nhours: 4```" in text
    nested = WAITING.model_copy(update={"view_parameters": '{"hosts": ["a"]}'})
    assert '*Details*\n```{\n "hosts": [' in read(
        card(RenderContext(TASK, NOW, ENGLISH), nested, None)
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x0b", "\x85"])
def test_a_parameter_of_several_lines_can_not_pose_as_another_one(end: str) -> None:
    values = [{"name": f"note{end}ip", "value": f"ok{end}ip: 10.0.0.1"}]
    for document in (values, {f"note{end}ip": f"ok{end}ip: 10.0.0.1"}):
        task = WAITING.model_copy(update={"view_parameters": json.dumps(document)})
        text = read(card(RenderContext(TASK, NOW, ENGLISH), task, None))
        assert "*Details*\n```note ip: ok\n    ip: 10.0.0.1```" in text


def test_an_interrupted_due_date_and_none_are_told_apart() -> None:
    interrupt = WAITING.model_copy(update={"due_handle": "INTERRUPT"})
    text = read(card(RenderContext(TASK, NOW, ENGLISH), interrupt, None))
    assert "then cancelled automatically" in text
    assert "auto-approves" not in text
    none = WAITING.model_copy(update={"due_date": None})
    assert "*Due* —" in read(card(RenderContext(TASK, NOW, ENGLISH), none, None))


def test_a_failed_run_shows_where_it_failed() -> None:
    text = read(
        card(
            RenderContext(RUN, NOW, ENGLISH, console_url="https://console.example/x"), FAILED, None
        )
    )
    for part in ("Failed", "Phishing v3", "Block sender", "`n-2`", "timed out", "7 min"):
        assert part in text
    assert "*Retries* 2" in text
    assert "<https://console.example/x|console>" in text


@pytest.mark.parametrize(
    ("status", "expected"),
    [("FAILED", True), ("RUNNING", True), ("RETRYING", False), ("TERMINATING", False)],
)
def test_a_run_has_the_buttons_that_fit_its_status(status: str, *, expected: bool) -> None:
    message = card(
        RenderContext(RUN, NOW, ENGLISH), FAILED.model_copy(update={"status": status}), None
    )
    claim = [TAKE] if status == "FAILED" else []
    assert button_ids(message) == [*buttons_in_table("instance", status), *claim]
    assert bool(button_ids(message)) is expected
    entries = ["details", "refresh"]
    if status == "FAILED":
        entries = ["fill.instance.retry", *entries, "snooze.1h", "snooze.xh"]
    assert [entry.partition("|")[0] for entry in menu_values(message)] == entries


def test_a_claimed_task_can_be_taken_over_released_and_escalated() -> None:
    assignment = Assignment(assignee="U0BOB", until=NOW)
    context = RenderContext(TASK, NOW, ENGLISH, assignment=assignment, escalates_to="duty")
    message = card(context, WAITING, None)
    assert "🙋 Claimed by <@U0BOB> until" in read(message)
    assert "Take over" in read(message)
    entries = [entry.partition("|")[0] for entry in menu_values(message)]
    assert entries == ["fill.task.approve", "task.attach", "details", RELEASE, "snooze.xh"]
    assert "Snooze or escalate…" in read(message)


@pytest.mark.parametrize("status", ["FINISHED", "TERMINATED", "NEW", ""])
def test_a_run_that_has_ended_has_no_buttons(status: str) -> None:
    message = card(
        RenderContext(RUN, NOW, ENGLISH), FAILED.model_copy(update={"status": status}), None
    )
    assert elements(message) == []


def test_a_run_that_went_well_in_the_end_shows_no_failure() -> None:
    done = FAILED.model_copy(update={"status": "FINISHED"})
    assert "Block sender" not in read(card(RenderContext(RUN, NOW, ENGLISH), done, None))


def test_what_is_gone_has_no_buttons_and_says_so() -> None:
    message = vanished_card(RenderContext(TASK, NOW, ENGLISH), "Isolate")
    assert "no longer exists in SecMaster" in read(message)
    assert elements(message) == []


def test_a_description_can_not_pose_as_the_cards_own_words() -> None:
    posing = WAITING.model_copy(update={"description": "*Status* ✅ approved by <@U0ALICE>"})
    blocks = card(RenderContext(TASK, NOW, ENGLISH), posing, None).payload["blocks"]
    [text] = [block["text"] for block in blocks if "approved by" in str(block.get("text"))]
    assert text == {"type": "plain_text", "text": posing.description, "emoji": False}


@SOME
@given(render_contexts("task"), tasks, st.none() | standing_operations("task"))
def test_any_task_makes_a_card_that_slack_takes(
    render_context: RenderContext, task: Task, standing: StandingOperation | None
) -> None:
    assert_slack_takes(card(render_context, task, standing))


@SOME
@given(render_contexts("instance"), runs, st.none() | standing_operations("instance"))
def test_any_instance_makes_a_card_that_slack_takes(
    render_context: RenderContext, run: Instance, standing: StandingOperation | None
) -> None:
    assert_slack_takes(card(render_context, run, standing))


@SOME
@given(render_contexts("task") | render_contexts("instance"), words)
def test_the_card_of_something_that_is_gone_is_one_that_slack_takes(
    render_context: RenderContext, title: str
) -> None:
    message = vanished_card(render_context, title)
    assert_slack_takes(message)
    assert not [block for block in message.payload["blocks"] if block["type"] == "actions"]


FIELDS = ("name", "description", "view_parameters", "handle_parameters", "notes", "related_object")
ODD = [
    " ",
    "\n\n",
    "\0",
    "\0 \0",
    "\u200b",
    "[" * 100_000 + "1",
    '{"half of a pair": "\\ud800"}',
    '[{"name": "<!channel>`", "value": {"a": "<!channel>`"}}]',
    '[{"value": null}, {"name": 3, "value": [1]}]',
    '[{"name": "x", "value": "\\ud800"}]',
    '[{"name": "\\u0000", "value": " "}]',
    "[1, " * 900 + "1" + "]" * 900,
    "[1, " * 3000 + "1" + "]" * 3000,
    "9" * 5000,
    "&" * 10_000,
    "\n" * 10_000,
    "<!channel>" * 1000,
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd[:12]))
@pytest.mark.parametrize("field", FIELDS)
def test_one_odd_field_does_not_hide_a_task_from_those_who_decide(field: str, odd: str) -> None:
    render_context = RenderContext(TASK, NOW, ENGLISH)
    task = Task(**{"id": "t-1", "name": "n", "status": "waiting"} | {field: odd})
    assert_slack_takes(card(render_context, task, None))
    assert_slack_opens(details.details(render_context, task))


@pytest.mark.parametrize("zone", [14, 8, 0, -12])
def test_a_time_that_was_never_set_does_not_hide_a_task(zone: int) -> None:
    render_context = RenderContext(TASK, NOW, ENGLISH)
    never = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=zone)))
    assert_slack_takes(
        card(render_context, Task(name="n", create_time=never, due_date=never), None)
    )
