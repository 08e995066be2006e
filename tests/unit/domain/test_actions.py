"""The table's invariants, and how each row tells from a reading whether it took effect."""

import inspect
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, MESSAGE_ACTIONS, TABLE, Action
from bot.domain.attribution import has_comment, signed_comment
from bot.domain.objects import OBJECT_KINDS, Ref
from bot.domain.operations import Operation
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import Snapshot, attempt
from bot.messages.labels import LABELS, labels
from bot.secmaster import (
    Instance,
    InstanceStatus,
    PlaybookInstance,
    SecMaster,
    Task,
    TaskStatus,
)

every_action = pytest.mark.parametrize("action", TABLE, ids=[action.name for action in TABLE])


def operation(
    name: str, *, number: str = "1", user: str = "U0ALICE", who: str = "Alice", **params: str
) -> Operation:
    return Operation(
        id=f"abcde{number}ffff",
        action=name,
        ref=Ref(kind=BY_NAME[name].kind, id="t-1"),
        actor=Actor(id=user, name=who),
        location=SlackLocation(channel="C0SOC"),
        params=params,
        accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def happened(name: str, snapshot: Snapshot, *, retries: int = 0, **params: str) -> bool | None:
    return BY_NAME[name].took_effect(operation(name, **params), snapshot, retries)


# The table.


def test_names_are_unique_and_written_noun_dot_verb() -> None:
    assert len(BY_NAME) == len(TABLE)
    assert all(name == f"{row.kind}.{row.verb}" for name, row in BY_NAME.items())


@pytest.mark.parametrize("kind", OBJECT_KINDS)
def test_no_two_commands_of_a_noun_share_a_word(kind: str) -> None:
    rows = [row for row in TABLE if row.kind == kind]
    command_words = [
        "list",
        "show",
        "help",
        *(word for row in rows for word in (row.verb, *row.aliases)),
    ]
    assert len(command_words) == len(set(command_words))
    assert all(word == word.lower() and word.isalpha() for word in command_words)


def test_every_row_has_its_words_and_there_are_no_words_without_a_row() -> None:
    assert set(LABELS) == set(BY_NAME)


@every_action
def test_the_words_of_a_row_fit_where_slack_shows_them(action: Action) -> None:
    words = labels(action)
    assert all((words.button, words.done, words.consequence))
    assert bool(words.attribution) == bool(action.claim_group and action.kind == "task")
    assert bool(words.shortcut) == (action in MESSAGE_ACTIONS)
    assert len(words.button) <= 24  # a modal's title and submit button
    assert len(f"{words.button} this {action.kind}?") <= 100  # the title of a confirmation
    assert len(words.consequence) <= 90  # what a confirmation's 300 leave beside a name


@every_action
def test_usage_names_every_part_in_order(action: Action) -> None:
    params = [f"<{param.label}>" for param in action.params]
    reason = ["[reason]"] if action.takes_reason else []
    assert action.usage == " ".join([action.kind, action.verb, "<id>", *params, *reason])


@every_action
def test_a_button_whose_action_needs_something_asks_for_it(action: Action) -> None:
    has_button = action.button_statuses or action.in_menu
    assert not (has_button and action.params) or action.opens_form


@every_action
def test_a_button_is_shown_only_where_its_action_may_be_sent(action: Action) -> None:
    assert not action.allowed_statuses or set(action.button_statuses) <= set(
        action.allowed_statuses
    )


@every_action
def test_what_may_happen_only_once_is_looked_at_before_it_is_sent(action: Action) -> None:
    assert not action.claim_group or action.allowed_statuses


@every_action
def test_a_row_takes_either_a_reason_or_a_text_of_its_own(action: Action) -> None:
    assert not (action.takes_reason and any(param.rest for param in action.params))


@every_action
def test_only_the_last_parameter_takes_the_rest(action: Action) -> None:
    assert not any(param.rest for param in action.params[:-1])
    assert all(param.rest for param in action.params if param.json)


@every_action
def test_statuses_are_secmasters_own(action: Action) -> None:
    statuses = set(TaskStatus if action.kind == "task" else InstanceStatus)
    assert {*action.allowed_statuses, *action.button_statuses} <= statuses


@every_action
def test_the_parameters_are_what_the_client_takes(action: Action) -> None:
    call = SecMaster.update_task if action.kind == "task" else SecMaster.update_workflow_instance
    assert {param.name for param in action.params} <= set(inspect.signature(call).parameters)


@every_action
def test_a_parameter_fits_the_input_of_a_modal(action: Action) -> None:
    assert all(0 < param.max_length <= 3000 for param in action.params)
    assert len({param.name for param in action.params}) == len(action.params)


@every_action
def test_what_is_done_to_a_task_only_once_is_a_decision_and_no_run_is_decided(
    action: Action,
) -> None:
    """What holds a task's key is told on its card as what ended it, and names who decided."""
    assert action.is_decision == (action.kind == "task" and bool(action.claim_group))


@every_action
def test_a_decision_says_what_it_leads_to_where_a_version_is_to_be_published(
    action: Action,
) -> None:
    assert bool(labels(action).publish_consequence) is action.is_decision


@every_action
def test_what_can_be_done_to_several_needs_a_reason_at_most_and_is_for_what_waits(
    action: Action,
) -> None:
    waiting = TaskStatus.WAITING if action.kind == "task" else InstanceStatus.FAILED
    assert not action.batchable or (
        action.takes_reason and not action.params and waiting in action.allowed_statuses
    )


# Has it happened?


@pytest.mark.parametrize(
    ("name", "status", "expected"),
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
def test_a_decision_is_read_from_how_the_task_ended(
    name: str, status: str, expected: bool | None
) -> None:
    assert happened(name, Task(status=status)) is expected


@pytest.mark.parametrize(
    ("status", "retries", "before", "expected"),
    [
        ("FAILED", 2, 2, False),
        ("FAILED", 3, 2, True),
        ("RETRYING", 2, 2, True),
        ("RUNNING", 2, 2, True),
        ("FINISHED", 3, 2, True),
    ],
)
def test_a_retry_is_read_from_the_status_or_the_count(
    status: str, retries: int, before: int, expected: bool | None
) -> None:
    snapshot = Instance(status=status, retry_count=retries)
    assert happened("instance.retry", snapshot, retries=before) is expected


@pytest.mark.parametrize(
    ("status", "ended", "expected"),
    [
        ("FAILED", 0, False),
        ("FAILED", 1, None),  # it failed anew, and that may have been another's retry
        ("FAILED", None, None),  # which failure it is nobody can tell
        ("RETRYING", None, True),
        ("RUNNING", None, True),
        ("FINISHED", 1, None),
        ("TERMINATED", 1, None),
        ("", None, None),
    ],
)
def test_a_retry_of_a_playbooks_run_is_read_from_the_status_alone(
    status: str, ended: int | None, expected: bool | None
) -> None:
    failed_at = datetime(2026, 1, 1, tzinfo=UTC)
    end_time = None if ended is None else failed_at + timedelta(seconds=ended)
    snapshot = PlaybookInstance(status=status, end_time=end_time)
    before = attempt(PlaybookInstance(status="FAILED", end_time=failed_at))
    assert happened("playbook.retry", snapshot, retries=before) is expected


def test_a_failure_without_its_time_is_never_retried_twice_unread() -> None:
    assert happened("playbook.retry", PlaybookInstance(status="FAILED"), retries=0) is None


@pytest.mark.parametrize("status", list(InstanceStatus))
def test_a_termination_is_read_from_the_status(status: str) -> None:
    expected = happened("instance.terminate", Instance(status=status))
    assert expected is (status in ("TERMINATING", "TERMINATED"))


@pytest.mark.parametrize("status", [*InstanceStatus, "", "NEW"])
def test_nobody_can_tell_whether_a_debug_command_took_effect(status: str) -> None:
    snapshot = Instance(status=status)
    assert happened("instance.debug", snapshot, task_id="n", input_dataobject="[]") is None


def test_a_comment_is_there_when_it_carries_the_operations_own_mark() -> None:
    own_operation = operation("task.comment", comment="ok")
    message = signed_comment(own_operation, "ok")
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
def test_the_same_words_of_somebody_else_are_not_ours(other: Operation) -> None:
    snapshot = Task(comments=[{"message": signed_comment(other, "ok")}, {"message": "ok"}])
    assert happened("task.comment", snapshot, comment="ok") is False


@pytest.mark.parametrize("comments", [None, [], [{}], [{"message": None}], "odd"])
def test_without_comments_ours_is_not_there(comments: object) -> None:
    snapshot = Task.model_validate({"comments": comments})
    assert happened("task.comment", snapshot, comment="ok") is False


def test_a_comment_is_signed_with_the_id_of_who_has_no_name() -> None:
    assert "— U0BOB " in signed_comment(operation("task.approve", user="U0BOB", who=""), "ok")


@given(st.text(), st.text())
def test_any_comment_is_found_again_by_its_own_operation_alone(text: str, name: str) -> None:
    own_operation = operation("task.comment", who=name, comment=text)
    snapshot = Task(comments=[{"message": signed_comment(own_operation, text)}])
    assert has_comment(own_operation, snapshot)
    assert not has_comment(operation("task.comment", number="2", who=name), snapshot) or (
        "abcde2" in text + name
    )


@pytest.mark.parametrize(("ids", "expected"), [(["c-1"], False), (["c-2"], True), ([], True)])
def test_a_deleted_comment_is_gone(ids: list[str], expected: bool | None) -> None:
    snapshot = Task(comments=[{"id": each} for each in ids])
    assert happened("task.uncomment", snapshot, comment_id="c-1") is expected


@pytest.mark.parametrize(
    ("ids", "expected"), [(["a-1", "a-2"], True), (["a-2"], False), ([], False)]
)
def test_an_attachment_is_listed_or_not(ids: list[str], expected: bool | None) -> None:
    snapshot = Task(attachment_id_list=ids)
    assert happened("task.attach", snapshot, attachment_id="a-1") is expected
    assert happened("task.detach", snapshot, attachment_id="a-1") is (not expected)
