"""The table's invariants, and how each row tells from a reading whether it took effect."""

import inspect
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.attribution import has_comment, signed_comment
from bot.domain.objects import Ref
from bot.domain.operations import Operation
from bot.domain.slack import Actor, SlackLocation
from bot.messages.labels import LABELS, labels
from bot.secmaster import Instance, InstanceStatus, SecMaster, Task, TaskStatus

every_action = pytest.mark.parametrize("action", TABLE, ids=[action.name for action in TABLE])


def operation(name, *, number="1", user="U0ALICE", who="Alice", **params):
    return Operation(
        id=f"abcde{number}ffff",
        action=name,
        ref=Ref(kind=BY_NAME[name].kind, id="t-1"),
        actor=Actor(id=user, name=who),
        location=SlackLocation(channel="C0SOC"),
        params=params,
        accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def happened(name, now, *, retries=0, **params):
    return BY_NAME[name].took_effect(operation(name, **params), now, retries)


# The table.


def test_names_are_unique_and_written_noun_dot_verb():
    assert len(BY_NAME) == len(TABLE)
    assert all(name == f"{row.kind}.{row.verb}" for name, row in BY_NAME.items())


@pytest.mark.parametrize("noun", ["task", "instance"])
def test_no_two_commands_of_a_noun_share_a_word(noun):
    rows = [row for row in TABLE if row.kind == noun]
    spoken = ["list", "show", "help", *(word for row in rows for word in (row.verb, *row.aliases))]
    assert len(spoken) == len(set(spoken))
    assert all(word == word.lower() and word.isalpha() for word in spoken)


def test_every_row_has_its_words_and_there_are_no_words_without_a_row():
    assert set(LABELS) == set(BY_NAME)


@every_action
def test_the_words_of_a_row_fit_where_slack_shows_them(action):
    said = labels(action)
    assert all((said.button, said.done, said.doing, said.consequence, said.noun))
    assert len(said.button) <= 24  # a modal's title and submit button
    assert len(f"{said.button} this {action.kind}?") <= 100  # the title of a confirmation
    assert len(said.consequence) <= 90  # what a confirmation's 300 leave beside a name


@every_action
def test_usage_names_every_part_in_order(action):
    wanted = [f"<{param.label}>" for param in action.params]
    reason = ["[reason]"] if action.takes_reason else []
    assert action.usage == " ".join([action.kind, action.verb, "<id>", *wanted, *reason])


@every_action
def test_a_button_whose_action_needs_something_asks_for_it(action):
    shown = action.button_statuses or action.in_menu
    assert not (shown and action.params) or action.opens_form


@every_action
def test_a_button_is_shown_only_where_its_action_may_be_sent(action):
    assert not action.allowed_statuses or set(action.button_statuses) <= set(
        action.allowed_statuses
    )


@every_action
def test_what_may_happen_only_once_is_looked_at_before_it_is_sent(action):
    assert not action.claim_group or action.allowed_statuses


@every_action
def test_a_row_takes_either_a_reason_or_a_text_of_its_own(action):
    assert not (action.takes_reason and any(param.rest for param in action.params))


@every_action
def test_only_the_last_parameter_takes_the_rest(action):
    assert not any(param.rest for param in action.params[:-1])
    assert all(param.rest for param in action.params if param.json)


@every_action
def test_statuses_are_secmasters_own(action):
    known = set(TaskStatus if action.kind == "task" else InstanceStatus)
    assert {*action.allowed_statuses, *action.button_statuses} <= known


@every_action
def test_the_parameters_are_what_the_client_takes(action):
    call = SecMaster.update_task if action.kind == "task" else SecMaster.update_workflow_instance
    assert {param.name for param in action.params} <= set(inspect.signature(call).parameters)


@every_action
def test_a_parameter_fits_the_input_of_a_modal(action):
    assert all(0 < param.max_length <= 3000 for param in action.params)
    assert len({param.name for param in action.params}) == len(action.params)


def test_both_decisions_of_a_task_are_one_key():
    assert BY_NAME["task.approve"].claim_group == BY_NAME["task.terminate"].claim_group != ""


# Has it happened?


@pytest.mark.parametrize(
    ("name", "status", "answer"),
    [
        ("task.approve", "finished", True),
        ("task.approve", "waiting", False),
        ("task.approve", "canceled", None),
        ("task.approve", "archived", None),
        ("task.approve", "", None),
        ("task.terminate", "canceled", True),
        ("task.terminate", "waiting", False),
        ("task.terminate", "finished", None),
        ("task.terminate", "archived", None),
    ],
)
def test_a_decision_is_read_from_how_the_task_ended(name, status, answer):
    assert happened(name, Task(status=status)) is answer


@pytest.mark.parametrize(
    ("status", "retries", "before", "answer"),
    [
        ("FAILED", 2, 2, False),
        ("FAILED", 3, 2, True),
        ("RETRYING", 2, 2, True),
        ("RUNNING", 2, 2, True),
        ("FINISHED", 3, 2, True),
    ],
)
def test_a_retry_is_read_from_the_status_or_the_count(status, retries, before, answer):
    now = Instance(status=status, retry_count=retries)
    assert happened("instance.retry", now, retries=before) is answer


@pytest.mark.parametrize("status", list(InstanceStatus))
def test_a_termination_is_read_from_the_status(status):
    answer = happened("instance.terminate", Instance(status=status))
    assert answer is (status in ("TERMINATING", "TERMINATED"))


@pytest.mark.parametrize("status", [*InstanceStatus, "", "NEW"])
def test_nobody_can_tell_whether_a_debug_command_took_effect(status):
    now = Instance(status=status)
    assert happened("instance.debug", now, task_id="n", input_dataobject="[]") is None


def test_a_comment_is_there_when_it_carries_the_operations_own_mark():
    mine = operation("task.comment", comment="ok")
    message = signed_comment(mine, "ok")
    assert "Alice" in message
    assert "U0ALICE" in message
    assert happened("task.comment", Task(comments=[{"message": message}]), comment="ok") is True


@pytest.mark.parametrize(
    "other",
    [
        operation("task.comment", number="2", comment="ok"),
        operation("task.comment", user="U0BOB", who="Alice", comment="ok"),
    ],
    ids=["another operation", "another person"],
)
def test_the_same_words_of_somebody_else_are_not_ours(other):
    now = Task(comments=[{"message": signed_comment(other, "ok")}, {"message": "ok"}])
    assert happened("task.comment", now, comment="ok") is False


@pytest.mark.parametrize("comments", [None, [], [{}], [{"message": None}], "odd"])
def test_without_comments_ours_is_not_there(comments):
    now = Task.model_validate({"comments": comments})
    assert happened("task.comment", now, comment="ok") is False


def test_a_comment_is_signed_with_the_id_of_who_has_no_name():
    assert "— U0BOB " in signed_comment(operation("task.approve", user="U0BOB", who=""), "ok")


@given(st.text(), st.text())
def test_any_comment_is_found_again_by_its_own_operation_alone(text, name):
    mine = operation("task.comment", who=name, comment=text)
    now = Task(comments=[{"message": signed_comment(mine, text)}])
    assert has_comment(mine, now)
    assert not has_comment(operation("task.comment", number="2", who=name), now) or (
        "abcde2" in text + name
    )


@pytest.mark.parametrize(("ids", "answer"), [(["c-1"], False), (["c-2"], True), ([], True)])
def test_a_deleted_comment_is_gone(ids, answer):
    now = Task(comments=[{"id": each} for each in ids])
    assert happened("task.uncomment", now, comment_id="c-1") is answer


@pytest.mark.parametrize(("ids", "answer"), [(["a-1", "a-2"], True), (["a-2"], False), ([], False)])
def test_an_attachment_is_listed_or_not(ids, answer):
    now = Task(attachment_id_list=ids)
    assert happened("task.attach", now, attachment_id="a-1") is answer
    assert happened("task.detach", now, attachment_id="a-1") is (not answer)
