"""A person's Home says what it shows, and is one that Slack takes whatever there is."""

import json
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.slack import Actor
from bot.domain.snapshots import decision_fingerprint
from bot.domain.stages import one_stage
from bot.messages import RenderContext
from bot.messages.home import (
    FILTERS,
    NOTHING,
    Home,
    HomeDecision,
    HomeOptions,
    HomeRequest,
    HomeRow,
    Tasks,
    view,
    view_fingerprint,
    visible_rows,
)
from bot.messages.text import date_token
from bot.secmaster import DueHandle, Instance, Node, Task
from tests.support import accessibility
from tests.support.samples import ENGLISH, NOW
from tests.support.slack_limits import assert_slack_opens
from tests.support.strategies import FEW, render_contexts, runs, tasks, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

APPROVE, TERMINATE = BY_NAME["task.approve"], BY_NAME["task.terminate"]
RETRY = BY_NAME["instance.retry"]
HOUR = timedelta(hours=1)


def task_row(
    number: int,
    due_in: timedelta | None,
    actions: tuple[Action, ...] = (APPROVE, TERMINATE),
    at: datetime = NOW,
) -> HomeRow:
    ref = Ref(kind="task", id=f"t-{number}")
    due = NOW + due_in if due_in else None
    task = Task(id=ref.id, name=f"task {number}", due_date=due)
    return HomeRow(RenderContext(ref, at, ENGLISH), task, actions)


def run_row(number: int, nodes: tuple[Node, ...]) -> HomeRow:
    ref = Ref(kind="instance", id=f"i-{number}")
    run = Instance(id=ref.id, name=f"run {number}", nodes=nodes)
    return HomeRow(RenderContext(ref, NOW, ENGLISH), run, (RETRY,))


def request_row(
    render_context: RenderContext, task: Task, *, reason: str = "", may_approve: bool = True
) -> HomeRequest:
    """Return a request to terminate a task that Alice approved, and that one may override."""
    alice = Actor(id="U0ALICE")
    approval = Approval(operation_id="a", actor=alice, at=NOW, reason=reason, delegator="U0BOB")
    request = ApprovalRequest(
        id="a",
        action="task.terminate",
        approvals=(approval,) * 8,
        stages=one_stage(9),
        expires_at=NOW + 9 * HOUR,
    )
    return HomeRequest(
        render_context,
        task,
        request,
        (TERMINATE, APPROVE) if may_approve else (),
        ("S0SOC", "U0BOB"),
        may_approve=may_approve,
        approved=not may_approve,
        may_override=True,
    )


def text(home: Home) -> str:
    return json.dumps(view(ENGLISH, home), ensure_ascii=False)


def elements(home: Home) -> list[dict[str, Any]]:
    """Return every button and menu, in order."""
    return [
        element
        for block in view(ENGLISH, home)["blocks"]
        for element in (*block.get("elements", ()), block.get("accessory", {}))
        if "action_id" in element
    ]


def row_buttons(home: Home) -> list[dict[str, dict[str, Any]]]:
    """Return the buttons of each task and run, by their action ids."""
    rows = [
        block["elements"] for block in view(ENGLISH, home)["blocks"] if block["type"] == "actions"
    ]
    return [
        {button["action_id"]: button for button in row}
        for row in rows
        if row[-1]["action_id"].partition(".")[0] != "home"
    ]


def test_the_counts_are_those_of_what_waits_for_me() -> None:
    rows = [
        task_row(1, -HOUR),
        task_row(2, HOUR),
        task_row(3, 3 * HOUR),
        task_row(4, None),
        task_row(5, -HOUR, ()),
    ]
    page_text = text(Home(HomeOptions(), rows, [], [], (), NOW))
    assert "*4* waiting for you · *1* overdue · *1* due within 2 hr" in page_text
    assert "task 5" not in page_text


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("mine", ["task 1", "task 2", "task 3"]),
        ("overdue", ["task 1"]),
        ("soon", ["task 2"]),
        ("all", ["task 1", "task 2", "task 3", "task 4"]),
    ],
)
def test_a_filter_lets_through_what_it_says(chosen: Tasks, names: list[str]) -> None:
    rows = [task_row(1, -HOUR), task_row(2, HOUR), task_row(3, 3 * HOUR), task_row(4, HOUR, ())]
    tasks, _runs = visible_rows(Home(HomeOptions(tasks=chosen), rows, [], [], (), NOW))
    assert [row.snapshot.name for row in tasks] == names


def test_a_task_has_the_buttons_that_the_person_may_press_with_what_they_saw() -> None:
    rows = [task_row(1, HOUR), task_row(2, HOUR, (TERMINATE,)), task_row(3, HOUR, ())]
    buttons = row_buttons(Home(HomeOptions(tasks="all"), rows, [], [], (), NOW))
    assert [list(buttons_of_row) for buttons_of_row in buttons] == [
        ["task.approve", "task.terminate", "details"],
        ["task.terminate", "details"],
        ["details"],
    ]
    approve = ButtonValue.parse(buttons[0]["task.approve"]["value"])
    assert approve
    assert approve.decision_fingerprint == decision_fingerprint(rows[0].snapshot)
    assert buttons[0]["task.approve"]["confirm"]
    assert Ref.parse(buttons[2]["details"]["value"]) == rows[2].render_context.ref


def test_a_run_that_could_not_be_read_has_its_details_and_no_retry() -> None:
    unread, read = (
        run_row(1, ()),
        run_row(2, (Node(action_id="n", action_name="Push", succeed=False),)),
    )
    buttons = row_buttons(Home(HomeOptions(), [], [unread, read], [], (), NOW))
    assert [list(buttons_of_row) for buttons_of_row in buttons] == [
        ["details"],
        ["instance.retry", "details"],
    ]


def test_pages_are_turned_to_both_sides_and_one_that_is_gone_is_the_last() -> None:
    rows, failed = (
        [task_row(number, HOUR) for number in range(20)],
        [run_row(number, ()) for number in range(6)],
    )
    home = Home(HomeOptions(tasks_page=1, runs_page=7), rows, failed, [], (), NOW)
    tasks, runs = visible_rows(home)
    assert [row.snapshot.name for row in tasks] == [f"task {number}" for number in range(8, 16)]
    assert [row.snapshot.name for row in runs] == ["run 5"]
    page_buttons = [button for button in elements(home) if button["action_id"].startswith("home.")]
    targets = [
        (button["action_id"], HomeOptions.parse(button.get("value", ""))) for button in page_buttons
    ]
    assert targets[1:] == [
        ("home.previous", HomeOptions(tasks_page=0, runs_page=7)),
        ("home.next", HomeOptions(tasks_page=2, runs_page=7)),
        ("home.previous", HomeOptions(tasks_page=1, runs_page=0)),
    ]
    assert "9–16 of 20" in text(home)
    assert [button["accessibility_label"] for button in page_buttons[1:]] == [
        "Previous: Your tasks",
        "Next: Your tasks",
        "Previous: Failed runs you may retry: 6",
    ]
    assert accessibility.faults(view(ENGLISH, home)) == []


def test_what_another_version_kept_or_wrote_on_a_button_is_not_guessed() -> None:
    assert HomeOptions.load({"tasks": "overdue", "later": 1}) == HomeOptions(tasks="overdue")
    assert HomeOptions.load({"tasks": "of a newer version"}) == HomeOptions()
    assert HomeOptions.load({}) == HomeOptions()
    assert HomeOptions.parse('{"tasks": "of a newer version"}') is None
    assert HomeOptions.parse("1|task") is None
    assert HomeOptions.parse('{"tasks_page": -1}') is None


def test_the_same_home_later_is_the_same_and_another_is_not() -> None:
    home = Home(HomeOptions(), [task_row(1, HOUR)], [], [], ("U0ALICE",), NOW)
    later = Home(
        HomeOptions(), [task_row(1, HOUR, at=NOW + HOUR / 2)], [], [], ("U0ALICE",), NOW + HOUR
    )
    assert view_fingerprint(view(ENGLISH, home)) == view_fingerprint(view(ENGLISH, later))
    overdue = Home(HomeOptions(), [task_row(1, HOUR, at=NOW + 2 * HOUR)], [], [], ("U0ALICE",), NOW)
    assert view_fingerprint(view(ENGLISH, home)) != view_fingerprint(view(ENGLISH, overdue))


def test_it_says_what_i_did_who_is_on_call_and_what_is_not_known() -> None:
    decisions = [HomeDecision(APPROVE, Ref(kind="task", id="t-1"), "Isolate *host*", NOW)]
    decisions += [HomeDecision(RETRY, Ref(kind="instance", id="i-1"), "", NOW)]
    home = Home(HomeOptions(), [], [], decisions, ("U0ALICE", "U0BOB"), NOW, 345, stale=True)
    page_text = text(home)
    assert "Approved · *Isolate ∗host∗*" in page_text
    assert "Retry started · `i-1`" in page_text
    assert "<@U0ALICE> and <@U0BOB>" in page_text
    assert "SecMaster can't be read right now" in page_text
    assert "Counted among 0 of 345 waiting tasks" in page_text
    without_names = text(Home(HomeOptions(), [], [], [], None, NOW))
    assert "Can't reach Slack to ask who is on call" in without_names
    assert "No task is waiting for you." in without_names


def test_silence_that_approves_is_said_on_the_line() -> None:
    row = HomeRow(
        RenderContext(Ref(kind="task", id="t-1"), NOW, ENGLISH),
        Task(name="x", due_date=NOW + HOUR, due_handle=DueHandle.CONTINUE),
    )
    page_text = text(Home(HomeOptions(tasks="all"), [row], [], [], (), NOW))
    assert "⚠️ *Auto-approves* <!date^" in page_text


def test_requests_stand_before_the_tasks_those_for_the_person_first_and_say_the_earlier_end() -> (
    None
):
    waiting, own = task_row(1, HOUR), task_row(2, None)
    task = waiting.snapshot.model_copy(update={"due_handle": DueHandle.CONTINUE})
    assert isinstance(task, Task)
    assert isinstance(own.snapshot, Task)
    rows = [
        request_row(own.render_context, own.snapshot, may_approve=False),
        request_row(waiting.render_context, task),
    ]
    home = Home(HomeOptions(), [task_row(3, HOUR)], [], [], (), NOW, requests=rows)
    titles = [each["text"]["text"] for each in view(ENGLISH, home)["blocks"] if "text" in each]
    assert [title.partition("\n")[0] for title in titles[:5]] == [
        "Waiting for your approval: 1",
        "*task 1*",
        "Waiting for others' approval: 1",
        "*task 2*",
        "Your tasks",
    ]
    assert f"Expires {date_token(NOW + HOUR)}" in titles[1]
    assert "SecMaster approves the task automatically" in titles[1]
    assert f"Expires {date_token(NOW + 9 * HOUR)}" in titles[3]
    assert "⏳ 1 more approval needed: <!subteam^S0SOC> or <@U0BOB>." in titles[3]
    assert [list(buttons) for buttons in row_buttons(home)[:2]] == [
        ["task.terminate", "task.approve", "break-glass", "details"],
        ["withdraw", "break-glass", "details"],
    ]


@FEW
@given(
    st.lists(st.tuples(render_contexts("task"), tasks), max_size=20),
    st.lists(st.tuples(render_contexts("instance"), runs), max_size=12),
    words,
    st.sampled_from(["mine", "overdue", "soon", "all"]),
    st.integers(0, 3),
)
def test_whatever_waits_it_is_a_home_that_slack_takes(
    waiting: list[tuple[RenderContext, Task]],
    failed: list[tuple[RenderContext, Instance]],
    name: str,
    chosen: Tasks,
    page: int,
) -> None:
    home = Home(
        HomeOptions(tasks=chosen, tasks_page=page, runs_page=page),
        [HomeRow(render_context, task, (APPROVE, TERMINATE)) for render_context, task in waiting],
        [HomeRow(render_context, run, (RETRY,)) for render_context, run in failed],
        [HomeDecision(APPROVE, Ref(kind="task", id="t-1"), name, NOW)] * 12,
        ("U0ALICE",) * 40,
        NOW,
        345,
        stale=True,
        requests=[
            request_row(render_context, task, reason=name * 9, may_approve=bool(number % 2))
            for number, (render_context, task) in enumerate(waiting)
        ],
    )
    rendered = view(ENGLISH, home)
    assert_slack_opens(rendered, "home")
    assert len(rendered["blocks"]) <= 100


def test_every_filter_has_a_label_and_a_sentence_for_nothing() -> None:
    assert set(FILTERS) == set(NOTHING) == set(get_args(Tasks))
