"""A person's Home: whatever there is, it is one that Slack takes, and it says what it shows."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.snapshots import decision_fingerprint as sight_of
from bot.messages import RenderContext
from bot.messages.home import (
    Home,
    HomeDecision,
    HomeOptions,
    HomeRow,
    view,
    view_fingerprint,
    visible_rows,
)
from bot.secmaster import DueHandle, Instance, Node, Task
from tests.messages.test_rendering import assert_slack_opens, frames, runs, tasks, words

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APPROVE, TERMINATE = BY_NAME["task.approve"], BY_NAME["task.terminate"]
RETRY = BY_NAME["instance.retry"]
HOUR = timedelta(hours=1)


def test_the_counts_are_those_of_what_waits_for_me():
    lines = [task(1, -HOUR), task(2, HOUR), task(3, 3 * HOUR), task(4, None), task(5, -HOUR, ())]
    said = text(Home(HomeOptions(), lines, [], [], (), NOW))
    assert "*4* waiting for me · *1* overdue · *1* due in 2 h" in said
    assert "task 5" not in said


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ("mine", ["task 1", "task 2", "task 3"]),
        ("overdue", ["task 1"]),
        ("soon", ["task 2"]),
        ("all", ["task 1", "task 2", "task 3", "task 4"]),
    ],
)
def test_a_filter_lets_through_what_it_says(which, names):
    lines = [task(1, -HOUR), task(2, HOUR), task(3, 3 * HOUR), task(4, HOUR, ())]
    found, _runs = visible_rows(Home(HomeOptions(tasks=which), lines, [], [], (), NOW))
    assert [each.snapshot.name for each in found] == names


def test_a_task_has_the_buttons_that_the_person_may_press_with_what_they_saw():
    lines = [task(1, HOUR), task(2, HOUR, (TERMINATE,)), task(3, HOUR, ())]
    rows = pressable(Home(HomeOptions(tasks="all"), lines, [], [], (), NOW))
    assert [list(row) for row in rows] == [
        ["task.approve", "task.terminate", "show"],
        ["task.terminate", "show"],
        ["show"],
    ]
    approve = ButtonValue.parse(rows[0]["task.approve"]["value"])
    assert approve.decision_fingerprint == sight_of(lines[0].snapshot)
    assert rows[0]["task.approve"]["confirm"]
    assert Ref.parse(rows[2]["show"]["value"]) == lines[2].render_context.ref


def test_a_run_that_only_a_list_spoke_of_has_its_details_and_no_retry():
    listed, looked = run(1, ()), run(2, (Node(action_id="n", action_name="Push", succeed=False),))
    rows = pressable(Home(HomeOptions(), [], [listed, looked], [], (), NOW))
    assert [list(row) for row in rows] == [["show", "details"], ["instance.retry", "show"]]


def test_pages_are_turned_to_both_sides_and_one_that_is_gone_is_the_last():
    lines, failed = [task(each, HOUR) for each in range(20)], [run(each, ()) for each in range(6)]
    there = Home(HomeOptions(tasks_page=1, runs_page=7), lines, failed, [], (), NOW)
    found, broken = visible_rows(there)
    assert [each.snapshot.name for each in found] == [f"task {each}" for each in range(8, 16)]
    assert [each.snapshot.name for each in broken] == ["run 5"]
    turns = [each for each in elements(there) if each["action_id"].startswith("home.")]
    to = [(each["action_id"], HomeOptions.parse(each.get("value", ""))) for each in turns]
    assert to[1:] == [
        ("home.previous", HomeOptions(tasks_page=0, runs_page=7)),
        ("home.next", HomeOptions(tasks_page=2, runs_page=7)),
        ("home.previous", HomeOptions(tasks_page=1, runs_page=0)),
    ]
    assert "9-16 of 20" in text(there)


def test_what_another_version_kept_or_wrote_on_a_button_is_not_guessed():
    assert HomeOptions.load({"tasks": "overdue", "later": 1}) == HomeOptions(tasks="overdue")
    assert HomeOptions.load({"tasks": "of a newer version"}) == HomeOptions()
    assert HomeOptions.load({}) == HomeOptions()
    assert HomeOptions.parse('{"tasks": "of a newer version"}') is None
    assert HomeOptions.parse("1|task") is None
    assert HomeOptions.parse('{"tasks_page": -1}') is None


def test_the_same_home_later_is_the_same_and_another_is_not():
    there = Home(HomeOptions(), [task(1, HOUR)], [], [], ("U0ALICE",), NOW)
    later = Home(
        HomeOptions(), [task(1, HOUR, at=NOW + HOUR / 2)], [], [], ("U0ALICE",), NOW + HOUR
    )
    assert view_fingerprint(view(there)) == view_fingerprint(view(later))
    late = Home(HomeOptions(), [task(1, HOUR, at=NOW + 2 * HOUR)], [], [], ("U0ALICE",), NOW)
    assert view_fingerprint(view(there)) != view_fingerprint(view(late))


def test_it_says_what_i_did_who_is_on_call_and_what_is_not_known():
    done = [HomeDecision(APPROVE, Ref(kind="task", id="t-1"), "Isolate *host*", NOW)]
    done += [HomeDecision(RETRY, Ref(kind="instance", id="i-1"), "", NOW)]
    there = Home(HomeOptions(), [], [], done, ("U0ALICE", "U0BOB"), NOW, 345, stale=True)
    said = text(there)
    assert "Approved: *Isolate *host**" in said
    assert "Retry started: instance `i-1`" in said
    assert "<@U0ALICE>, <@U0BOB>" in said
    assert "SecMaster can't be read now" in said
    assert "Counted among the 0 of 345 tasks that wait" in said
    unasked = text(Home(HomeOptions(), [], [], [], None, NOW))
    assert "Slack could not be asked who is on call" in unasked
    assert "Nothing waits for you." in unasked


def test_silence_that_approves_is_said_on_the_line():
    there = HomeRow(
        frame(1, NOW), Task(name="x", due_date=NOW + HOUR, due_handle=DueHandle.CONTINUE)
    )
    said = text(Home(HomeOptions(tasks="all"), [there], [], [], (), NOW))
    assert "then it *goes on by itself*" in said


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(frames("task"), tasks), max_size=20),
    st.lists(st.tuples(frames("instance"), runs), max_size=12),
    words,
    st.sampled_from(["mine", "overdue", "soon", "all"]),
    st.integers(0, 3),
)
def test_whatever_waits_it_is_a_home_that_slack_takes(waiting, failed, name, which, page):
    there = Home(
        HomeOptions(tasks=which, tasks_page=page, runs_page=page),
        [HomeRow(frame, task, (APPROVE, TERMINATE)) for frame, task in waiting],
        [HomeRow(frame, run, (RETRY,)) for frame, run in failed],
        [HomeDecision(APPROVE, Ref(kind="task", id="t-1"), name, NOW)] * 12,
        ("U0ALICE",) * 40,
        NOW,
    )
    drawn = view(there)
    assert_slack_opens(drawn, "home")
    assert len(drawn["blocks"]) <= 100


def task(number, due_in, may=(APPROVE, TERMINATE), at=NOW):
    due = NOW + due_in if due_in else None
    return HomeRow(
        frame(number, at), Task(id=f"t-{number}", name=f"task {number}", due_date=due), may
    )


def run(number, nodes):
    ref = Ref(kind="instance", id=f"i-{number}")
    return HomeRow(
        RenderContext(ref, NOW), Instance(id=ref.id, name=f"run {number}", nodes=nodes), (RETRY,)
    )


def frame(number, at):
    return RenderContext(Ref(kind="task", id=f"t-{number}"), at)


def text(there):
    return json.dumps(view(there), ensure_ascii=False)


def elements(there):
    """Every button and menu, in order."""
    return [
        each
        for part in view(there)["blocks"]
        for each in (*part.get("elements", ()), part.get("accessory", {}))
        if "action_id" in each
    ]


def pressable(there):
    """The buttons of each task and run."""
    rows = [part["elements"] for part in view(there)["blocks"] if part["type"] == "actions"]
    own = [row for row in rows if not re.match("home", row[0]["action_id"])]
    return [{each["action_id"]: each for each in row} for row in own]
