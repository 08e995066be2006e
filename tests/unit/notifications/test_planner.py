"""Routes and times become entries of the outbox: what is posted where, when, and only once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.objects import Ref
from bot.domain.tracking import Assignment, TrackedObject
from bot.domain.workspaces import Workspaces
from bot.notifications import planner
from bot.notifications.card import CardNotification
from bot.notifications.grouping import card_group
from bot.notifications.kinds import SnoozeEndedNotification
from bot.notifications.reminder import ReminderNotification, auto_approves_by
from bot.policy.config import PolicyHolder, parse
from bot.secmaster import Instance, Task
from bot.services import Services
from tests.support.samples import ENGLISH

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TASK, RUN = Ref(kind="task", id="t1"), Ref(kind="instance", id="r1")
TASKS = "channel = 'C0SOC'\nname = 'soc'\ntasks = true\nmention = ['S0SOC']\n"
REMINDS = f"{TASKS}remind = ['1h', '15m']\n"
ESCALATES = f"{TASKS}escalate = {{ after = '30m', to = 'boss' }}\n"
BOSS = "user = 'U0DAVE'\nname = 'boss'\ntasks = true\nwhen = { name = 'never' }\n"
QUIET = f"{TASKS}quiet = {{ from = '11:00', until = '14:00' }}\n"


def services(*routes: str) -> Services:
    """Services of which only the policy and the workspaces' names are there."""
    policy = parse("".join(f"[[routes]]\n{route}\n" for route in routes))
    nothing: Any = None  # in the place of what these tests never call
    return Services(
        catalogue=ENGLISH,
        workspaces=Workspaces({}, {"main": "SOC workspace"}),
        evidence=nothing,
        slack=nothing,
        cards=nothing,
        directory=nothing,
        store=nothing,
        policy=PolicyHolder(policy, Path("none.toml")),
        clock=nothing,
        timeouts=nothing,
        process_id="p",
    )


def task(**fields: Any) -> Task:
    return Task(id="t1", name="Isolate", status="waiting", **fields)


def tracked(snapshot: Task | Instance, **fields: Any) -> TrackedObject:
    ref = TASK if isinstance(snapshot, Task) else RUN
    return TrackedObject(ref, snapshot, fields.pop("open_since", NOW - 3 * HOUR), **fields)


def due(
    bundle: Services, tracked_object: TrackedObject, now: datetime = NOW
) -> list[tuple[str, str]]:
    """Return (kind, channel) of each entry that is due."""
    entries, _ = planner.due_entries(bundle, tracked_object, now)
    return [(entry.notification.kind, entry.destination.id) for entry in entries]


# What is new.


def test_a_new_object_has_a_card_on_each_of_its_routes_and_in_subscribed_channels() -> None:
    goes_on = TASKS + "continue = true\n"
    bundle = services(goes_on, "usergroup = 'S0ONCALL'\ntasks = true\n")
    entries = planner.card_entries(bundle, TASK, task(), NOW, ["C0RANDOM"])
    assert [(entry.dedupe_key, entry.destination.id, entry.not_before) for entry in entries] == [
        ("card:1:task:main:t1:C0SOC", "C0SOC", NOW),
        ("card:1:task:main:t1:S0ONCALL", "S0ONCALL", NOW),
        ("card:1:task:main:t1:C0RANDOM", "C0RANDOM", NOW),
    ]
    first, second, subscribed = [
        card_group(route, TASK, task()) for route in (*bundle.policy.current.routes, None)
    ]
    assert [entry.notification for entry in entries] == [
        CardNotification(ref=TASK, mentions=("S0SOC",), route="soc", card_group=first),
        CardNotification(ref=TASK, card_group=second),
        CardNotification(ref=TASK, card_group=subscribed),
    ]


@pytest.mark.parametrize(
    ("keys", "are_shared"),
    [
        ("", [True, True]),
        ("group = 'workflow'\n", [True, False]),
        ("group = 'none'\n", [False, False]),
    ],
)
def test_tasks_share_a_card_as_their_route_says(keys: str, are_shared: list[bool]) -> None:
    [route] = services(TASKS + keys).policy.current.routes
    first, *others = [
        card_group(route, TASK, task(related_object=related))
        for related in ("Containment", "Containment", "Enrichment")
    ]
    assert [bool(group) and group == first for group in others] == are_shared
    assert not card_group(route, TASK, task()) or keys == ""


def test_tasks_of_routes_that_call_other_people_share_no_card() -> None:
    unnamed = TASKS.replace("name = 'soc'\n", "")
    routes = services(unnamed, unnamed.replace("S0SOC", "S0ONCALL")).policy.current.routes
    assert len({card_group(route, TASK, task()) for route in routes}) == 2


def test_failures_of_a_workflow_are_of_one_group() -> None:
    bundle = services("channel = 'C0SOC'\ninstances = ['FAILED']")
    run = Instance(id="r1", name="Run", status="FAILED", workflow={"id": "w1", "name": "Enrich"})
    entries = planner.card_entries(bundle, RUN, run, NOW, ["C0RANDOM"])
    cards = [entry.notification for entry in entries]
    assert [card.card_group for card in cards if isinstance(card, CardNotification)] == [
        "w1",
        "w1",
    ]


def test_a_route_may_name_the_workspace_as_people_know_it() -> None:
    bundle = services(TASKS + "when = { workspace = ['SOC workspace'] }")
    assert len(planner.routes_of(bundle, TASK, task())) == 1
    elsewhere = services(TASKS + "when = { workspace = ['lab'] }")
    assert planner.routes_of(elsewhere, TASK, task()) == ()


def test_quiet_hours_hold_back_all_but_what_is_due_before_their_end() -> None:
    end = NOW.replace(hour=14)
    [held] = planner.card_entries(services(QUIET), TASK, task(), NOW, [])
    assert (held.not_before, held.notification.held_until) == (end, end)
    urgent = task(due_date=end - MINUTE)
    [entry] = planner.card_entries(services(QUIET), TASK, urgent, NOW, [])
    assert (entry.not_before, entry.notification.held_until) == (NOW, None)


# What time makes due.


def test_a_reminder_is_due_at_its_time_and_named_by_it() -> None:
    bundle, tracked_object = services(REMINDS), tracked(task(due_date=NOW + HOUR))
    [entry], next_check_at = planner.due_entries(bundle, tracked_object, NOW)
    assert entry.notification == ReminderNotification(
        ref=TASK, mentions=("S0SOC",), route="soc", before=3600, scheduled_at=NOW
    )
    assert entry.dedupe_key == "reminder:1:task:main:t1:2026-03-02T12:00:00+00:00:C0SOC"
    assert next_check_at == NOW + 45 * MINUTE
    moved = tracked(task(due_date=NOW + HOUR - MINUTE))
    [other], _ = planner.due_entries(bundle, moved, NOW)
    assert other.dedupe_key != entry.dedupe_key


def test_of_missed_reminders_only_the_last_is_posted() -> None:
    tracked_object = tracked(task(due_date=NOW + 10 * MINUTE))
    [entry], next_check_at = planner.due_entries(services(REMINDS), tracked_object, NOW)
    assert isinstance(entry.notification, ReminderNotification)
    assert entry.notification.before == 15 * 60
    assert next_check_at is None


@pytest.mark.parametrize(("silent_for", "owed"), [(72 * HOUR, True), (24 * HOUR, False)])
def test_what_fell_due_while_nobody_planned_is_owed_and_what_was_planned_is_not(
    silent_for: timedelta, *, owed: bool
) -> None:
    silence = {"open_since": NOW - 72 * HOUR, "planned_until": NOW - silent_for}
    overdue = tracked(task(due_date=NOW - 25 * HOUR), **silence)
    assert due(services(REMINDS), overdue) == [("reminder", "C0SOC")] * owed
    assert due(services(ESCALATES, BOSS), tracked(task(), **silence)) == [("card", "U0DAVE")] * owed


def test_a_snooze_that_ended_before_an_object_was_open_again_is_over() -> None:
    ended = tracked(
        task(),
        open_since=NOW - HOUR,
        snoozed_until=NOW - 2 * HOUR,
        planned_until=NOW - 50 * HOUR,
    )
    assert due(services(TASKS), ended) == []


def test_a_reminder_from_before_a_task_was_known_is_its_card() -> None:
    tracked_object = tracked(task(due_date=NOW + 30 * MINUTE), open_since=NOW)
    assert due(services(REMINDS), tracked_object) == []
    first = planner.first_check_at(
        services(REMINDS), TASK, tracked_object.snapshot, NOW, backlog=False
    )
    assert first == NOW + 15 * MINUTE


def test_an_escalation_goes_to_the_next_route_once_for_each_time_a_task_is_open() -> None:
    since = NOW - 30 * MINUTE
    bundle, tracked_object = services(ESCALATES, BOSS), tracked(task(), open_since=since)
    [entry], next_check_at = planner.due_entries(bundle, tracked_object, NOW)
    assert (entry.destination.id, next_check_at) == ("U0DAVE", None)
    assert entry.notification == CardNotification(
        ref=TASK,
        route="boss",
        card_group=card_group(bundle.policy.current.routes[1], TASK, task()),
        escalated_from="soc",
        scheduled_at=NOW,
    )
    assert entry.dedupe_key == f"escalated:1:task:main:t1:{since.isoformat()}:U0DAVE"
    assert due(bundle, tracked_object, NOW - MINUTE) == []


def test_the_backlog_escalates_to_nobody() -> None:
    tracked_object = tracked(task(), open_since=NOW - HOUR, backlog=True)
    assert due(services(ESCALATES, BOSS), tracked_object) == []


def test_without_a_time_there_is_nothing_to_check() -> None:
    assert planner.first_check_at(services(TASKS), TASK, task(), NOW, backlog=False) is None


# Snoozed.


def test_a_snooze_puts_off_escalations_and_its_end_is_posted() -> None:
    until = NOW + HOUR
    bundle = services(ESCALATES, BOSS)
    tracked_object = tracked(
        task(), open_since=NOW - HOUR, snoozed_until=until, snoozed_by="U0ALICE"
    )
    assert due(bundle, tracked_object) == []
    entries, _ = planner.due_entries(bundle, tracked_object, until)
    assert [entry.destination.id for entry in entries] == ["U0DAVE", "C0SOC"]
    assert entries[1].notification == SnoozeEndedNotification(
        ref=TASK, mentions=("S0SOC",), route="soc", snoozed_by="U0ALICE", scheduled_at=until
    )
    assert entries[1].dedupe_key == f"snooze_ended:1:task:main:t1:{until.isoformat()}:C0SOC"


@pytest.mark.parametrize(("due_handle", "reminded"), [("CONTINUE", True), ("INTERRUPT", False)])
def test_a_snooze_hides_no_reminder_of_a_task_that_silence_would_approve(
    due_handle: str, *, reminded: bool
) -> None:
    snapshot = task(due_date=NOW + HOUR, due_handle=due_handle)
    tracked_object = tracked(snapshot, snoozed_until=NOW + 2 * HOUR, snoozed_by="U0ALICE")
    assert due(services(REMINDS), tracked_object) == [("reminder", "C0SOC")] * reminded
    assert auto_approves_by(snapshot, NOW + 2 * HOUR) is reminded
    assert not auto_approves_by(snapshot, NOW + HOUR - MINUTE)


# Claimed.

GROUP = "usergroup = 'S0ONCALL'\ntasks = true\nremind = ['1h', '10m']\n"
DAVE = GROUP.replace("usergroup = 'S0ONCALL'", "user = 'U0DAVE'")
OWN = DAVE.replace("U0DAVE", "U0ALICE")
CHANNEL = REMINDS.replace("15m", "10m")
GOES_ON = "continue = true\n"
DUE = NOW + 3 * HOUR


def reminders(bundle: Services, before: int, **fields: Any) -> dict[str, ReminderNotification]:
    """Return what comes so many minutes before a task is due, by its destination."""
    tracked_object, at = tracked(task(due_date=DUE), **fields), DUE - before * MINUTE
    entries, _ = planner.due_entries(bundle, tracked_object, at)
    return {
        entry.destination.id: entry.notification
        for entry in entries
        if isinstance(entry.notification, ReminderNotification)
        and entry.notification.scheduled_at == at
    }


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([GROUP], ["U0ALICE", "U0ALICE"]),
        ([DAVE], ["U0ALICE", "U0ALICE"]),
        ([DAVE + GOES_ON, GROUP], ["U0ALICE", "U0ALICE"]),
        ([OWN + GOES_ON, GROUP], ["U0ALICE", "U0ALICE"]),
        ([DAVE + GOES_ON, CHANNEL], ["C0SOC", "C0SOC"]),
        ([REMINDS + GOES_ON, GROUP], ["C0SOC", "U0ALICE"]),
    ],
    ids=["group", "person", "both", "own", "channel", "channel at another time"],
)
def test_whoever_has_claimed_a_task_gets_each_reminder_once_wherever_its_routes_lead(
    routes: list[str], expected: list[str]
) -> None:
    bundle = services(*routes)
    assignment = Assignment(assignee="U0ALICE", until=DUE + HOUR)
    for before, destination in zip((60, 10), expected, strict=True):
        due = reminders(bundle, before, assignment=assignment)
        assert {to: each.mentions for to, each in due.items()} == {destination: ("U0ALICE",)}


def test_a_reminder_that_others_had_before_the_claim_does_not_come_again() -> None:
    bundle, at = services(GROUP), DUE - 50 * MINUTE
    assignment = Assignment(assignee="U0ALICE", until=DUE + HOUR)
    keys = {
        entry.dedupe_key
        for fields in ({}, {"assignment": assignment})
        for entry in planner.due_entries(
            bundle, tracked(task(due_date=DUE), **fields, planned_until=at), at
        )[0]
    }
    assert len(keys) == 1
