"""What a person reads and may press: cards, outcomes, refusals, lists, forms."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.cards import ButtonValue
from bot.domain.objects import ListQuery, Ref
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import decision_fingerprint
from bot.messages import (
    RenderContext,
    card,
    command_help,
    denials,
    listing,
    lists,
    lost,
    modals,
    outcome,
    still_trying,
    vanished_card,
)
from bot.messages.labels import labels
from bot.policy.config import parse
from bot.policy.decide import Principal, Refused
from bot.policy.rules import Role
from bot.secmaster import Instance, Task
from tests.support.environment import on_card

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = Ref(kind="task", id="t-1")
RUN = Ref(kind="instance", id="i-1")
WAITING = Task(
    id="t-1",
    name="Isolate host 10.0.0.7",
    business_type="PLAYBOOKNODEAPPROVE",
    related_object="Ransomware",
    creator_name="Robot",
    status="waiting",
    due_date=NOW + timedelta(hours=3),
    due_handle="CONTINUE",
)
FAILED = Instance.model_validate(
    {
        "id": "i-1",
        "name": "Phishing response",
        "workflow": {"name": "Phishing", "version": "v3"},
        "status": "FAILED",
        "start_time": NOW - timedelta(minutes=7),
        "end_time": NOW,
        "retry_count": 2,
        "topology": {
            "audit_logs": [
                {"action_id": "n-1", "action_name": "Fetch mail", "succeed": True},
                {
                    "action_id": "n-2",
                    "action_name": "Block sender",
                    "status": "FAILED",
                    "error_msg": "timed out",
                },
            ]
        },
    }
)


def operation(name, *, user="U0ALICE", reason="", **params):
    return Operation(
        id="abc123ffff",
        action=name,
        ref=TASK if name.startswith("task.") else RUN,
        actor=Actor(id=user),
        location=SlackLocation(channel="C0SOC"),
        params=params,
        reason=reason,
        accepted_at=NOW,
    )


def verdict(name, *, state=OperationState.DONE, **more):
    return StandingOperation(operation=operation(name, **more), state=state, at=NOW)


def blocks_of(shown):
    return shown["blocks"] if isinstance(shown, dict) else shown.payload["blocks"]


def read(shown):
    """Everything there is to read on a message or view, a line each."""

    def texts(part):
        if isinstance(part, dict):
            if isinstance(part.get("text"), str):
                yield part["text"]
            for each in part.values():
                yield from texts(each)
        elif isinstance(part, list):
            for each in part:
                yield from texts(each)

    return "\n".join(texts(blocks_of(shown)))


def elements(shown):
    return [
        element
        for block in blocks_of(shown)
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def buttons(shown):
    return [each["action_id"] for each in elements(shown) if each["type"] == "button"]


def menu(shown):
    (more,) = [each for each in elements(shown) if each["type"] == "overflow"]
    return [option["value"] for option in more["options"]]


# Cards of tasks.


def test_a_waiting_task_shows_what_is_to_be_decided():
    shown = read(card(RenderContext(TASK, NOW, "soc-east"), WAITING, None))
    for part in (
        "Isolate host 10.0.0.7",
        "Waiting for a decision",
        "An approval in a playbook",
        "Ransomware",
        "Robot",
        "in 3 h",
        "goes on by itself",
        "soc-east · task `t-1`",
    ):
        assert part in shown


def test_a_waiting_task_has_buttons_that_carry_it():
    message = card(RenderContext(TASK, NOW), WAITING, None)
    assert buttons(message) == on_card("task", "waiting")
    shown = str(ButtonValue(ref=TASK, decision_fingerprint=decision_fingerprint(WAITING)))
    assert shown.startswith("2:task:main:t-1:")
    assert {each.get("value") for each in elements(message)} == {shown, None}
    named = [action.name for action in TABLE if action.kind == "task" and action.in_menu]
    entries = (*named, "details", "refresh", "snooze.1h", "snooze.9h")
    assert menu(message) == [f"{each}|1:task:main:t-1" for each in entries]


def test_who_snoozed_it_and_until_when_stands_on_the_card_and_can_be_ended():
    until = NOW + timedelta(hours=1)
    message = card(RenderContext(TASK, NOW, snoozed_until=until, snoozed_by="U0BOB"), WAITING, None)
    assert "😴 Snoozed by <@U0BOB> until" in read(message)
    assert menu(message)[-1] == "snooze.0h|1:task:main:t-1"


def test_whom_a_card_calls_stands_at_its_top():
    message = card(RenderContext(TASK, NOW, mentions=("S0SOC", "U0BOB")), WAITING, None)
    assert blocks_of(message)[1]["text"]["text"] == "<!subteam^S0SOC> <@U0BOB> "


def test_approval_asks_first_and_repeats_what_and_where():
    asked = confirmation(WAITING)
    assert "Isolate host 10.0.0.7" in asked
    assert "Workspace soc-east" in asked
    assert "t-1" in asked


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
@pytest.mark.parametrize("noun", ["task", "instance"])
def test_a_confirmation_is_our_own_words_first_and_then_the_name_on_one_line(noun, name):
    about = (WAITING if noun == "task" else FAILED).model_copy(update={"name": name})
    first, second, *failed, last = confirmation(about).splitlines()
    assert (
        first == labels(BY_NAME["task.approve" if noun == "task" else "instance.retry"]).consequence
    )
    assert second == f"Workspace soc-east, {noun[0]}-1:"
    assert last.startswith("“")
    assert last.endswith("”")
    assert failed == ([] if noun == "task" else ["Failed at Block sender: timed out"])


def confirmation(about):
    """What is asked before the first button of this object's card does anything."""
    ref = TASK if isinstance(about, Task) else RUN
    button = elements(card(RenderContext(ref, NOW, "soc-east"), about, None))[0]
    assert button["confirm"]["text"]["type"] == "plain_text"
    return button["confirm"]["text"]["text"]


@pytest.mark.parametrize("kind", ["WORKFLOWPUBLISH", "PLAYBOOKPUBLISH"])
def test_approving_a_version_is_asked_as_what_it_is(kind):
    about = WAITING.model_copy(update={"business_type": kind})
    assert confirmation(about).startswith("The version is published.\n")


@pytest.mark.parametrize("status", ["finished", "canceled", "archived", ""])
def test_a_decided_task_has_no_buttons(status):
    message = card(RenderContext(TASK, NOW), WAITING.model_copy(update={"status": status}), None)
    assert elements(message) == []
    assert "goes on by itself" not in read(message)


def test_a_task_decided_here_says_by_whom_and_why():
    done = WAITING.model_copy(update={"status": "finished"})
    shown = read(
        card(RenderContext(TASK, NOW), done, verdict("task.approve", reason="known\n<!channel>"))
    )
    assert "Approved by <@U0ALICE> from Slack" in shown
    assert "> known\n> &lt;!channel&gt;" in shown


def test_a_task_decided_elsewhere_says_so():
    done = WAITING.model_copy(update={"status": "finished", "approver": "console-user"})
    assert "Decided outside Slack by console-user" in read(
        card(RenderContext(TASK, NOW), done, None)
    )


def test_the_latest_comments_and_files_are_shown_and_the_others_counted():
    talk = [{"user_name": "Bob", "message": f"word {number}"} for number in range(5)]
    files = [f"a-{number}" for number in range(5)]
    task = WAITING.model_copy(
        update={"comments": Task(comments=talk).comments, "attachment_id_list": tuple(files)}
    )
    shown = read(card(RenderContext(TASK, NOW), task, None))
    assert "2 earlier under Details" in shown
    assert "Bob: word 4" in shown
    assert "word 1" not in shown
    assert "`a-4` and 2 more" in shown


def test_parameters_are_laid_out_for_reading_and_empty_ones_left_out():
    task = WAITING.model_copy(
        update={"handle_parameters": '{"ip":"10.0.0.7"}', "view_parameters": "[{}]"}
    )
    shown = read(card(RenderContext(TASK, NOW), task, None))
    assert '*Parameters*\n```{\n "ip": "10.0.0.7"\n}```' in shown
    assert "*Details*" not in shown
    listed = '[{"name": "ip", "value": "10.0.0.7"}, {"key": "hours", "value": 4}]'
    task = WAITING.model_copy(update={"view_parameters": listed})
    shown = read(card(RenderContext(TASK, NOW), task, None))
    assert "*Details*\n```ip: 10.0.0.7\nhours: 4```" in shown


def test_an_interrupted_due_date_and_none_are_told_apart():
    interrupt = WAITING.model_copy(update={"due_handle": "INTERRUPT"})
    assert "then it is interrupted" in read(card(RenderContext(TASK, NOW), interrupt, None))
    none = WAITING.model_copy(update={"due_date": None})
    assert "*Due*\n—" in read(card(RenderContext(TASK, NOW), none, None))


# Cards of instances.


def test_a_failed_run_shows_where_it_failed():
    shown = read(
        card(RenderContext(RUN, NOW, console_url="https://console.example/x"), FAILED, None)
    )
    for part in ("Failed", "Phishing v3", "Block sender", "`n-2`", "timed out", "7 min"):
        assert part in shown
    assert "*Retries*\n2" in shown
    assert "<https://console.example/x|console>" in shown


@pytest.mark.parametrize(
    ("status", "some"),
    [("FAILED", True), ("RUNNING", True), ("RETRYING", False), ("TERMINATING", False)],
)
def test_a_run_has_the_buttons_that_fit_its_status(status, some):
    message = card(RenderContext(RUN, NOW), FAILED.model_copy(update={"status": status}), None)
    assert buttons(message) == on_card("instance", status)
    assert bool(buttons(message)) is some
    named = [action.name for action in TABLE if action.kind == "instance" and action.in_menu]
    named += ["details", "refresh", *(["snooze.1h", "snooze.9h"] if status == "FAILED" else [])]
    assert menu(message) == [f"{each}|1:instance:main:i-1" for each in named]


@pytest.mark.parametrize("status", ["FINISHED", "TERMINATED", "NEW", ""])
def test_a_run_that_has_ended_has_no_buttons(status):
    message = card(RenderContext(RUN, NOW), FAILED.model_copy(update={"status": status}), None)
    assert elements(message) == []


def test_a_run_that_went_well_in_the_end_shows_no_failure():
    done = FAILED.model_copy(update={"status": "FINISHED"})
    assert "Block sender" not in read(card(RenderContext(RUN, NOW), done, None))


def test_what_is_gone_has_no_buttons_and_says_so():
    message = vanished_card(RenderContext(TASK, NOW), "Isolate")
    assert "no longer exists in SecMaster" in read(message)
    assert elements(message) == []


# Outcomes.


def test_what_is_done_names_who_with_what_and_the_request():
    ended = Outcome(state=OperationState.DONE, request_id="r-1")
    told = outcome(operation("task.comment", comment="two\nlines"), ended).text
    assert told.startswith("✅ *Comment added* by <@U0ALICE>.")
    assert "> two\n> lines" in told
    assert "ref abc123 · request `r-1`" in told


def test_what_secmaster_refused_has_its_code_and_words_and_what_was_not_done():
    ended = Outcome(
        state=OperationState.FAILED,
        reason_code="Conflict",
        code="SecMaster.0042",
        message="not <now>",
        request_id="r-1",
    )
    told = outcome(operation("task.approve"), ended).text
    assert "`SecMaster.0042`: not &lt;now&gt;" in told
    assert "refused the approval by <@U0ALICE>" in told
    assert "so it was not done." in told
    assert "`r-1`" in told


def test_what_nobody_knows_is_told_as_unknown():
    ended = Outcome(state=OperationState.UNKNOWN, reason_code="restarted")
    told = outcome(operation("instance.debug", task_id="n", input_dataobject="[]"), ended).text
    assert "Nobody can say whether this debug command" in told
    assert "before you try again" in told


def test_what_is_already_decided_says_by_whom():
    ended = Outcome(state=OperationState.FAILED, reason_code="not_now", blocking_status="finished")
    told = outcome(operation("task.terminate"), ended, verdict("task.approve", user="U0BOB")).text
    assert "✅ Finished, approved by <@U0BOB>" in told
    assert "The termination was not sent." in told
    told = outcome(operation("task.terminate"), ended).text
    assert "already decided: ✅ Finished, outside Slack or by itself" in told
    named = ended.model_copy(update={"decided_by": "Lin <Yue>", "decided_at": NOW})
    told = outcome(operation("task.terminate"), named).text
    assert "outside Slack by Lin &lt;Yue&gt;, <!date^" in told


def test_a_run_that_is_not_in_the_right_state_says_which_that_would_be():
    ended = Outcome(state=OperationState.FAILED, reason_code="not_now", blocking_status="FINISHED")
    told = outcome(operation("instance.retry"), ended).text
    assert "A retry is for an instance that is failed; this one is ✅ Finished." in told
    assert "The retry was not sent." in told


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("task.attach", {"attachment_id": "a-9"}),
        ("task.detach", {"attachment_id": "a-9"}),
        ("task.uncomment", {"comment_id": "c-9"}),
    ],
)
def test_where_the_file_or_the_comment_may_be_unknown_the_task_is_not_called_so(name, given):
    ended = Outcome(
        state=OperationState.FAILED, reason_code="NotFound", code="SecMaster.404", message="no file"
    )
    told = outcome(operation(name, **given), ended).text
    assert "`SecMaster.404`: no file" in told
    assert "was not done" in told
    assert "knows no task" not in told
    told = outcome(operation("task.approve"), ended).text
    assert "SecMaster knows no task `t-1` here." in told


def test_a_reason_that_may_have_stayed_in_secmaster_is_not_kept_quiet():
    ended = Outcome(state=OperationState.FAILED, reason_code="Conflict", code="SecMaster.0042")
    stays = "A comment on it that reached SecMaster stays there."
    assert stays in outcome(operation("task.approve", reason="known"), ended).text
    assert stays not in outcome(operation("task.approve"), ended).text
    assert stays not in outcome(operation("instance.retry", reason="known"), ended).text


def test_while_secmaster_is_in_trouble_it_is_said_that_the_work_is_kept():
    ended = Outcome(state=OperationState.FAILED, reason_code="Unavailable", status=503)
    told = still_trying(operation("task.approve"), ended, 3600).text
    assert "tried again for 60 min" in told
    assert "HTTP 503" in told
    doubt = Outcome(state=OperationState.UNKNOWN, reason_code="AnswerLost")
    assert (
        "I am reading until it is known" in still_trying(operation("task.approve"), doubt, 45).text
    )


def test_whoever_came_second_is_told_who_came_first():
    told = lost(operation("task.terminate"), verdict("task.approve", user="U0BOB")).text
    assert "Already approved by <@U0BOB>" in told
    assert "Your termination was not sent." in told
    held = verdict("task.approve", user="U0BOB", state=OperationState.PENDING)
    told = lost(operation("task.terminate"), held).text
    assert "<@U0BOB> is approving this task right now." in told


@pytest.mark.parametrize(("state", "way"), [("done", "done already"), ("pending", "under way")])
def test_whoever_presses_twice_is_told_that_the_second_press_was_not_sent(state, way):
    told = lost(
        operation("task.approve"), verdict("task.approve", state=OperationState(state))
    ).text
    assert told == f"✋ Your approval is {way}; this second press was not sent."
    told = lost(
        operation("task.terminate"), verdict("task.approve", state=OperationState(state))
    ).text
    assert "second press" not in told
    assert "Your termination was not sent." in told


# Rights.

ROLES = {"approver": Role(users=("U0ALICE",), usergroups=("S0SOC",)), "empty": Role()}


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (Refused("guest"), "Guests may look"),
        (Refused("outsider"), "People of other organisations"),
        (Refused("unknown"), "Slack could not be asked"),
        (Refused("unread"), "SecMaster could not be asked"),
        (Refused("no-rule"), "No rule allows `task.approve`"),
        (
            Refused("rule", "rule 2", ("approver", "empty")),
            "rule 2 leaves it to *approver* (<@U0ALICE>, <!subteam^S0SOC>) or *empty* (nobody).",
        ),
    ],
)
def test_a_refusal_says_which_rule_and_who_may(refused, said):
    told = denials.not_allowed(BY_NAME["task.approve"], TASK, refused, ROLES).text
    assert said in told
    assert "The approval was not sent." in told


def test_whoami_tells_what_each_role_allows():
    config = parse(
        "[roles.approver]\n[roles.oncall]\n"
        "[[rules]]\nactions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'x' }\n"
        "[[rules]]\nactions = ['task.*']\nroles = ['approver']\nreason = 'required'\n"
        "[[rules]]\nactions = ['instance.retry']\nroles = ['oncall']\n"
    )
    told = command_help.whoami(Principal("U0ALICE", frozenset({"approver"})), "Alice", config).text
    assert "roles: *approver*" in told
    assert (
        "✅ `task.approve` yes by rule 1 where its conditions fit, "
        "otherwise yes with a reason by rule 2"
    ) in told.splitlines()
    assert "▫️ `instance.retry` no by rule 3" in told
    assert "▫️ `instance.debug` no: no rule allows it" in told
    guest = command_help.whoami(Principal("U0GUEST", guest=True), "Guest", config).text
    assert "A guest may look, and change nothing." in guest
    assert "✅" not in guest


def test_help_lists_every_command_with_its_aliases():
    told = read(command_help.help_message("/soc", {"task": "/t", "instance": ""}))
    for action in BY_NAME.values():
        assert f"/soc {action.usage}".replace("<", "&lt;").replace(">", "&gt;") in told
        assert all(alias in told for alias in action.aliases)
    for command in ("task list", "task show", "instance list", "instance show", "whoami", "help"):
        assert f"`/soc {command}" in told
    assert "`/t` is short for `/soc task`" in told
    assert told.count("is short for") == 1


# Lists.


def page(count, total, offset, text=""):
    tasks = [Task(id=f"t-{number}", name=f"name {number}") for number in range(count)]
    asked = ListQuery(kind="task", filter="todo", text=text, offset=offset)
    return listing(asked, tasks, total, "main", NOW)


def test_a_list_says_what_it_shows_and_turns_its_pages():
    middle = page(8, 30, 8, "host")
    assert "9-16 of 30 waiting tasks with “host”" in read(middle)
    assert buttons(middle) == ["page.previous", "page.next"]
    turned = [lists.parse_page_button(each["value"]) for each in elements(middle)]
    assert [(each.kind, each.filter, each.text, each.offset) for each in turned] == [
        ("task", "todo", "host", 0),
        ("task", "todo", "host", 16),
    ]
    assert buttons(page(8, 30, 0)) == ["page.next"]
    assert buttons(page(6, 30, 24)) == ["page.previous"]
    assert buttons(page(3, 3, 0)) == []


def test_every_row_has_a_button_that_shows_it_unless_its_id_is_odd():
    rows = [Task(id="t-1", name="n"), Task(id="a b", name="n"), Task(name="n")]
    message = listing(ListQuery(kind="task"), rows, 3, "main", NOW)
    named = [block for block in blocks_of(message)[1:] if block["type"] == "section"]
    shown = [block.get("accessory", {}).get("value") for block in named]
    assert shown == ["1:task:main:t-1", None, None]


NASTY = "*Approved* `by` <!channel> _x_ &amp; ~y~"


def test_in_a_list_a_name_is_plain_text():
    for row in (Task(id="t-1", name=NASTY), Task(id="a b", name=NASTY)):
        message = listing(ListQuery(kind="task"), [row], 1, "main", NOW)
        assert kinds_of(message, NASTY) == {"plain_text"}
        assert len(blocks_of(message)[1]["text"]["text"].splitlines()) == 1
    run = Instance(id="i-1", name=f"{NASTY}\nx")
    message = listing(ListQuery(kind="instance"), [run], 1, "main", NOW)
    assert kinds_of(message, NASTY) == {"plain_text"}


@pytest.mark.parametrize("name", ["task.terminate", "task.comment", "instance.debug"])
def test_in_a_form_a_name_is_plain_text(name):
    assert kinds_of(form(name, about=NASTY), NASTY) == {"plain_text"}


def kinds_of(shown, text):
    """As what kinds of text something is shown, whichever way it is escaped."""

    def texts(part):
        if isinstance(part, dict):
            if isinstance(part.get("text"), str) and "channel" in part["text"]:
                yield part["type"]
            for each in part.values():
                yield from texts(each)
        elif isinstance(part, list):
            for each in part:
                yield from texts(each)

    assert text in read(shown)
    return set(texts(blocks_of(shown)))


def test_an_empty_list_says_so():
    assert "No waiting tasks." in read(page(0, 0, 0))
    asked = ListQuery(kind="instance", filter="failed", text="<x>")
    none = listing(asked, [], 0, "main", NOW)
    assert "No failed instances with “&lt;x&gt;”." in read(none)


def test_a_page_beyond_the_end_leads_back():
    assert buttons(page(0, 8, 8)) == ["page.previous"]


@pytest.mark.parametrize(
    "value", ["", "2|task||0|", "1|task||x|", "1|task||-1|", "1|alert||0|", "1|task|0"]
)
def test_a_paging_button_of_another_version_is_not_guessed_at(value):
    assert lists.parse_page_button(value) is None


def test_a_paging_button_keeps_a_text_with_bars():
    wanted = ListQuery(kind="instance", filter="failed", text="a|b", offset=8)
    assert lists.parse_page_button("1|instance|failed|8|a|b") == wanted


# Forms.


def form(name, reason="optional", node="", about="Isolate <host>"):
    ref = TASK if name.startswith("task.") else RUN
    kept = modals.FormState(action=name, ref=ref, location=SlackLocation(channel="C0SOC"))
    filled = {param.name: node for param in modals.action_of(kept).params if param.suggested}
    return modals.form(kept, (about, "soc-east"), reason, filled)


def inputs(view):
    return [block["block_id"] for block in view["blocks"] if block["type"] == "input"]


@pytest.mark.parametrize(
    ("name", "reason", "asked"),
    [
        ("task.approve", "required", ["reason"]),
        ("task.terminate", "optional", ["reason"]),
        ("task.terminate", "none", []),
        ("task.comment", "optional", ["comment"]),
        ("task.attach", "optional", ["attachment_id"]),
        ("instance.debug", "optional", ["task_id", "input_dataobject"]),
    ],
)
def test_a_form_asks_for_what_the_action_needs(name, reason, asked):
    view = form(name, reason)
    assert inputs(view) == asked
    assert "Isolate <host>" in read(view)
    assert "soc-east" in read(view)


def test_an_optional_reason_may_be_left_empty_and_a_required_one_may_not():
    optional = {
        reason: form("task.terminate", reason)["blocks"][-1].get("optional", False)
        for reason in ("optional", "required")
    }
    assert optional == {"optional": True, "required": False}


def test_the_node_that_failed_is_filled_in():
    view = form("instance.debug", node="n-2")
    [node, _json] = [block for block in view["blocks"] if block["type"] == "input"]
    assert node["element"]["initial_value"] == "n-2"


def test_what_was_typed_is_read_back():
    view = form("task.terminate")
    view["state"] = {"values": {"reason": {"reason": {"value": "because"}}}}
    kept, typed = modals.read_form(view)
    assert (kept.action, kept.ref, typed) == ("task.terminate", TASK, {"reason": "because"})


def test_an_input_left_empty_reads_as_nothing():
    view = form("task.terminate")
    view["state"] = {"values": {"reason": {"reason": {"value": None}}}}
    assert modals.read_form(view)[1] == {"reason": ""}


def test_details_show_what_a_card_has_no_room_for():
    task = WAITING.model_copy(
        update={
            "comments": Task(comments=[{"id": "c-1", "user_name": "Bob", "message": "w"}]).comments,
            "attachment_id_list": ("a-1",),
        }
    )
    shown = read(modals.details(RenderContext(TASK, NOW), task))
    assert all(part in shown for part in ("`c-1`", "Bob", "`a-1`"))
    shown = read(modals.details(RenderContext(RUN, NOW), FAILED))
    assert all(part in shown for part in ("Fetch mail", "`n-1`", "Block sender", "timed out"))


def test_a_description_can_not_pose_as_the_cards_own_words():
    posing = WAITING.model_copy(update={"description": "*Status* ✅ approved by <@U0ALICE>"})
    blocks = card(RenderContext(TASK, NOW), posing, None).payload["blocks"]
    [said] = [each["text"] for each in blocks if "approved by" in str(each.get("text"))]
    assert said == {"type": "plain_text", "text": posing.description, "emoji": False}


def test_details_begin_with_the_cards_facts():
    shown = read(modals.details(RenderContext(TASK, NOW), WAITING))
    assert "Waiting for a decision" in shown
    assert "goes on by itself" in shown


def test_what_is_late_in_a_list_is_not_due_as_well():
    late = WAITING.model_copy(update={"due_date": NOW - timedelta(hours=1)})
    found = [late, WAITING, WAITING.model_copy(update={"due_date": None})]
    shown = read(listing(ListQuery(kind="task"), found, 3, "main", NOW).payload)
    assert "due ⏰" not in shown
    assert "no due date" in shown
