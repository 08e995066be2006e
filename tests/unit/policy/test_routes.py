"""Where cards are brought to, and when: pure answers from the policy's routes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.domain.snapshots import Snapshot
from bot.policy.config import parse
from bot.policy.routes import (
    DigestSchedule,
    Quiet,
    Route,
    RouteMatch,
    explain_routes,
    matching_routes,
    titled_routes,
)
from bot.secmaster import Instance, InstanceStatus, Task

MAIN = frozenset({"main", "SOC workspace"})
TASKS = "channel = 'C0SOC'\ntasks = true"
RUNS = "channel = 'C0RUNS'\ninstances = ['FAILED']"
ISOLATE = Task(
    name="isolate host 7",
    business_type="WORKFLOWNODEAPPROVE",
    related_object="Host containment",
    status="waiting",
)
RANSOM = Task(
    name="pay?", business_type="PLAYBOOKPUBLISH", related_object="Ransomware", status="waiting"
)
RUN = Instance(
    name="run 1",
    workflow={"name": "Block address"},
    playbook={"name": "Alert response"},
    status="FAILED",
)


def routes(*lines: str) -> tuple[Route, ...]:
    """Routes as the file has them: the keys of one route in each argument."""
    return parse("".join(f"[[routes]]\n{line}\n" for line in lines)).routes


def words(
    route_list: tuple[Route, ...], snapshot: Snapshot, workspaces: frozenset[str] = MAIN
) -> list[RouteMatch]:
    return [match for _, match in explain_routes(route_list, snapshot, workspaces)]


# The first that matches.


def test_without_routes_nothing_goes_anywhere() -> None:
    assert matching_routes((), ISOLATE, MAIN) == ()
    assert explain_routes((), RUN, MAIN) == ()


def test_the_first_route_that_matches_is_the_last_that_is_looked_at() -> None:
    route_list = routes(RUNS, TASKS, "user = 'U0ALICE'\ntasks = true\ninstances = ['FAILED']")
    assert matching_routes(route_list, ISOLATE, MAIN) == (route_list[1],)
    assert words(route_list, ISOLATE) == ["noun", "matches", "passed"]
    assert matching_routes(route_list, RUN, MAIN) == (route_list[0],)
    assert words(route_list, RUN) == ["matches", "passed", "passed"]


def test_a_route_that_says_so_lets_the_next_ones_be_looked_at() -> None:
    route_list = routes(f"{TASKS}\ncontinue = true", RUNS, TASKS, TASKS)
    assert matching_routes(route_list, ISOLATE, MAIN) == (route_list[0], route_list[2])
    assert words(route_list, ISOLATE) == ["matches", "noun", "matches", "passed"]


def test_a_route_that_does_not_match_ends_nothing() -> None:
    route_list = routes(f"{TASKS}\nwhen = {{ name = 'other' }}", TASKS)
    assert words(route_list, ISOLATE) == ["name", "matches"]


# What a route takes.


@pytest.mark.parametrize("status", ["finished", "canceled", "", "Waiting", "new in SecMaster"])
def test_a_task_goes_somewhere_only_while_it_waits(status: str) -> None:
    settled = ISOLATE.model_copy(update={"status": status})
    assert words(routes(TASKS, RUNS), settled) == ["status", "noun"]


@pytest.mark.parametrize("status", [*InstanceStatus, "", "failed", "waiting", "NEW"])
def test_an_instance_goes_where_its_status_is_taken(status: str) -> None:
    run = RUN.model_copy(update={"status": status})
    route_list = routes("channel = 'C0RUNS'\ninstances = ['FAILED']", TASKS)
    matches = status == "FAILED"
    assert words(route_list, run)[0] == ("matches" if matches else "status")
    assert matching_routes(route_list, run, MAIN) == (route_list[:1] if matches else ())


def test_one_route_may_take_both() -> None:
    (both,) = routes(f"{TASKS}\ninstances = ['FAILED']")
    assert matching_routes((both,), ISOLATE, MAIN) == matching_routes((both,), RUN, MAIN) == (both,)


# What a route is limited to.


@pytest.mark.parametrize(
    ("when", "match"),
    [
        ("{}", "matches"),
        ("{ business_type = ['WORKFLOWNODEAPPROVE'] }", "matches"),
        ("{ business_type = ['PLAYBOOKPUBLISH'] }", "business_type"),
        ("{ name = 'isolate' }", "matches"),
        ("{ name = 'host' }", "name"),
        ("{ related_object = 'Host' }", "matches"),
        ("{ related_object = 'Ransom' }", "related_object"),
        ("{ workflow = 'Host' }", "matches"),
        ("{ workflow = 'isolate' }", "workflow"),
        ("{ playbook = 'Host' }", "playbook"),
        ("{ playbook = '.*' }", "playbook"),
        ("{ workspace = ['main'] }", "matches"),
        ("{ workspace = ['x', 'SOC workspace'] }", "matches"),
        ("{ workspace = ['SOC'] }", "workspace"),
        ("{ workspace = ['main'], workflow = 'Host', name = 'isolate' }", "matches"),
        ("{ workspace = ['x'], workflow = 'x', name = 'x' }", "workspace"),
        ("{ business_type = ['PLAYBOOKPUBLISH'], name = 'x' }", "business_type"),
        ("{ related_object = 'x', name = 'x' }", "name"),
        ("{ playbook = 'x', workflow = 'x' }", "workflow"),
        ("{ playbook = 'x', related_object = 'x' }", "related_object"),
    ],
)
def test_a_route_with_when_takes_only_the_tasks_that_match_it(when: str, match: str) -> None:
    limited = routes(f"{TASKS}\nwhen = {when}")
    assert words(limited, ISOLATE) == [match]
    assert matching_routes(limited, ISOLATE, MAIN) == (limited if match == "matches" else ())


def test_a_task_of_a_playbook_matches_by_the_playbook_and_by_no_workflow() -> None:
    by = {key: routes(f"{TASKS}\nwhen.{key} = 'Ransom'") for key in ("playbook", "workflow")}
    assert words(by["playbook"], RANSOM) == ["matches"]
    assert words(by["workflow"], RANSOM) == ["workflow"]


@pytest.mark.parametrize("kind", ["", "SOMETHINGNEW", "workflow"])
def test_a_task_of_another_type_belongs_to_no_workflow_and_no_playbook(kind: str) -> None:
    task = RANSOM.model_copy(update={"business_type": kind})
    for key in ("playbook", "workflow"):
        assert words(routes(f"{TASKS}\nwhen.{key} = 'Ransom'"), task) == [key]
    assert words(routes(f"{TASKS}\nwhen.related_object = 'Ransom'"), task) == ["matches"]


@pytest.mark.parametrize(
    ("when", "match"),
    [
        ("{ name = 'run' }", "matches"),
        ("{ related_object = 'Block' }", "matches"),
        ("{ workflow = 'Block' }", "matches"),
        ("{ playbook = 'Alert' }", "matches"),
        ("{ workflow = 'Alert' }", "workflow"),
        ("{ playbook = 'Block' }", "playbook"),
        ("{ workflow = 'Block', playbook = 'Phishing' }", "playbook"),
        ("{ business_type = ['WORKFLOWPUBLISH'] }", "business_type"),
        ("{ workspace = ['x'] }", "workspace"),
    ],
)
def test_a_route_with_when_takes_only_the_instances_that_match_it(when: str, match: str) -> None:
    assert words(routes(f"{RUNS}\ntasks = true\nwhen = {when}"), RUN) == [match]


@pytest.mark.parametrize("key", ["name", "related_object", "workflow", "playbook"])
def test_what_secmaster_does_not_state_does_not_match_and_the_next_route_is_looked_at(
    key: str,
) -> None:
    limited = f"when = {{ {key} = '.*' }}"
    route_list = routes(f"{TASKS}\n{limited}", f"{RUNS}\n{limited}", TASKS, RUNS)
    assert words(route_list, Task(status="waiting")) == [key, "noun", "matches", "passed"]
    assert words(route_list, Instance(status="FAILED")) == ["noun", key, "noun", "matches"]


@pytest.mark.parametrize("key", ["name", "related_object", "workflow"])
def test_nothing_unseen_in_a_name_leads_a_card_past_its_route(key: str) -> None:
    hidden = ISOLATE.model_copy(
        update={"name": "\u200b Iso\u200dlate", "related_object": "\u00a0Isolate"}
    )
    assert words(routes(f"{TASKS}\nwhen.{key} = 'Isolate'"), hidden) == ["matches"]


@pytest.mark.parametrize("key", ["name", "related_object", "workflow"])
def test_where_letters_look_like_others_nobody_misses_the_card(key: str) -> None:
    update = {"name": "Isоlаte", "related_object": "Isоlаte"}
    unclear = ISOLATE.model_copy(update=update)
    route_list = routes(
        f"{TASKS}\nwhen.{key} = 'Block'",
        f"{TASKS}\nwhen = {{ {key} = 'Isolate', workspace = ['elsewhere'] }}",
        f"{TASKS}\nwhen.{key} = 'Isolate'",
        TASKS,
        TASKS,
    )
    expected = ["unclear", "workspace", "unclear", "matches", "passed"]
    assert words(route_list, unclear) == expected
    taking = matching_routes(route_list, unclear, MAIN)
    assert taking == (route_list[0], route_list[2], route_list[3])


# What routes are called.


def test_a_route_is_called_by_its_number_and_its_name() -> None:
    route_list = routes(TASKS, f"{TASKS}\nname = 'isolations'")
    assert list(titled_routes(route_list)) == [
        ("route 1", route_list[0]),
        ("route 2 (isolations)", route_list[1]),
    ]


# Whatever the routes.

LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "business_type": st.just(["WORKFLOWNODEAPPROVE"]),
        "name": st.sampled_from(["isolate", "run"]),
        "related_object": st.sampled_from(["Host", "Block"]),
        "workflow": st.sampled_from(["Host", "Block"]),
        "playbook": st.sampled_from(["Alert", "Ransom"]),
        "workspace": st.sampled_from([["main"], ["other"]]),
    },
)
ROUTES = st.lists(
    st.builds(
        lambda limits, runs, go_on: Route.model_validate(
            {
                "channel": "C0SOC",
                "tasks": True,
                "instances": runs,
                "when": limits,
                "continue": go_on,
            }
        ),
        LIMITS,
        st.sampled_from([[], ["FAILED"]]),
        st.booleans(),
    ),
    max_size=6,
).map(tuple)
OBJECTS = st.sampled_from([ISOLATE, RANSOM, RUN, Task(), Instance(), Task(status="waiting")])


@given(ROUTES, OBJECTS)
def test_a_reason_is_given_for_every_route_in_order_and_the_chosen_are_those_that_match(
    route_list: tuple[Route, ...], snapshot: Snapshot
) -> None:
    explained = explain_routes(route_list, snapshot, MAIN)
    assert tuple(route for route, _ in explained) == route_list
    assert matching_routes(route_list, snapshot, MAIN) == tuple(
        r for r, match in explained if match == "matches"
    )


@given(ROUTES, OBJECTS)
def test_all_but_the_last_of_the_chosen_say_that_the_next_are_looked_at(
    route_list: tuple[Route, ...], snapshot: Snapshot
) -> None:
    matching = matching_routes(route_list, snapshot, MAIN)
    assert all(route.continues for route in matching[:-1])
    passed = words(route_list, snapshot).count(RouteMatch.PASSED)
    assert (passed > 0) <= (bool(matching) and not matching[-1].continues)


@given(ROUTES, ROUTES, OBJECTS)
def test_routes_added_at_the_end_never_take_a_card_from_where_it_went(
    route_list: tuple[Route, ...], more: tuple[Route, ...], snapshot: Snapshot
) -> None:
    before = matching_routes(route_list, snapshot, MAIN)
    assert matching_routes(route_list + more, snapshot, MAIN)[: len(before)] == before


# Quiet hours.


def quiet(start: str, until: str, zone: str = "UTC") -> Quiet:
    return Quiet.model_validate({"from": start, "until": until, "zone": zone})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-06-01T21:59:59Z", None),
        ("2026-06-01T22:00:00Z", "2026-06-02T07:00:00Z"),
        ("2026-06-02T00:00:00Z", "2026-06-02T07:00:00Z"),
        ("2026-06-02T06:59:59.999999Z", "2026-06-02T07:00:00Z"),
        ("2026-06-02T07:00:00Z", None),
        ("2026-06-02T06:00:00+08:00", "2026-06-02T07:00:00Z"),
    ],
)
def test_quiet_hours_may_go_over_midnight(now: str, end: str | None) -> None:
    assert quiet("22:00", "07:00").end(at(now)) == (end and at(end))


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-06-01T03:59:00Z", None),
        ("2026-06-01T04:00:00Z", "2026-06-01T05:30:00Z"),
        ("2026-06-01T05:30:00Z", None),
    ],
)
def test_quiet_hours_go_by_the_clocks_of_their_zone(now: str, end: str | None) -> None:
    assert quiet("12:00", "13:30", "Asia/Shanghai").end(at(now)) == (end and at(end))


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        # Clocks leap from 02:00 to 03:00, at 01:00 UTC.
        (("22:00", "07:00"), "2026-03-28T22:00Z", "2026-03-29T05:00Z"),
        (("22:00", "02:30"), "2026-03-28T22:00Z", "2026-03-29T01:00Z"),
        (("02:30", "07:00"), "2026-03-29T00:59Z", None),
        (("02:30", "07:00"), "2026-03-29T01:00Z", "2026-03-29T05:00Z"),
        (("02:10", "02:50"), "2026-03-29T01:00Z", None),
        (("02:40", "02:20"), "2026-03-28T22:00Z", "2026-03-30T00:20Z"),
        # Clocks go back from 03:00 to 02:00, at 01:00 UTC.
        (("22:00", "07:00"), "2026-10-24T21:00Z", "2026-10-25T06:00Z"),
        (("22:00", "02:30"), "2026-10-24T21:00Z", "2026-10-25T00:30Z"),
        (("22:00", "02:30"), "2026-10-25T01:10Z", None),
        (("02:30", "07:00"), "2026-10-25T00:30Z", "2026-10-25T06:00Z"),
        (("02:30", "07:00"), "2026-10-25T01:10Z", "2026-10-25T06:00Z"),
    ],
)
def test_quiet_hours_are_right_when_the_clocks_change(
    hours: tuple[str, str], now: str, end: str | None
) -> None:
    assert quiet(*hours, "Europe/Berlin").end(at(now)) == (end and at(end))


def test_quiet_hours_that_end_on_a_day_that_was_left_out_end_when_it_would_have_begun() -> None:
    nights = quiet("22:00", "06:00", "Pacific/Apia")
    # After 29 December 2011 came the 31st; the night to the 31st begins at once.
    assert nights.end(at("2011-12-30T09:00Z")) == at("2011-12-30T16:00Z")


def test_quiet_hours_go_on_where_the_clocks_go_back_over_midnight() -> None:
    # There the clocks went back from 00:01 to 23:01, at 02:31 UTC.
    nights = quiet("00:00", "07:00", "America/St_Johns")
    for now in ("2010-11-07T02:30Z", "2010-11-07T02:40Z", "2010-11-07T03:31Z"):
        assert nights.end(at(now)) == at("2010-11-07T10:30Z")


ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Shanghai",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "America/Havana",
        "America/St_Johns",
        "Pacific/Apia",
    ]
)
TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 10, 30, 59]))
CHANGES = st.sampled_from(
    [
        at("2026-03-29T01:00Z"),
        at("2026-10-25T01:00Z"),
        at("2026-03-08T07:00Z"),
        at("2026-11-01T06:00Z"),
        at("2026-03-08T05:00Z"),
        at("2026-04-04T15:00Z"),
        at("2010-03-14T03:31Z"),
        at("2010-11-07T02:31Z"),
        at("2011-12-30T10:00Z"),
    ]
)
MOMENTS = st.builds(
    lambda moment, microseconds: moment + timedelta(microseconds=microseconds),
    st.builds(
        lambda day, minutes: day + timedelta(minutes=minutes),
        CHANGES,
        st.integers(-2900, 2900) | st.integers(-1_000_000, 5_000_000),
    ),
    st.sampled_from([0, 0, 1, -1]),
)
QUIETS = (
    st.tuples(TIMES, TIMES)
    .filter(lambda hours: hours[0] != hours[1])
    .flatmap(lambda hours: ZONES.map(lambda zone: quiet(*hours, zone)))
)


@given(QUIETS, MOMENTS)
def test_quiet_hours_end_later_and_are_over_then(hours: Quiet, now: datetime) -> None:
    end = hours.end(now)
    if end is not None:
        assert end > now
        assert end.tzinfo is UTC
        assert hours.end(end) is None
        assert hours.end(end - timedelta(microseconds=1)) == end


@given(QUIETS, MOMENTS, st.floats(0, 1, exclude_max=True))
def test_it_is_quiet_all_the_time_to_the_end_and_that_stays_the_same(
    hours: Quiet, now: datetime, part: float
) -> None:
    end = hours.end(now)
    assume(end is not None)
    assert end
    between = now + (end - now) * part
    assume(between < end)
    assert hours.end(between) == end


@given(QUIETS, MOMENTS, ZONES)
def test_the_end_of_quiet_hours_is_the_same_by_whatever_clock_one_asks(
    hours: Quiet, now: datetime, zone: str
) -> None:
    assert hours.end(now.astimezone(ZoneInfo(zone))) == hours.end(now)


@given(QUIETS, MOMENTS)
def test_where_no_clock_changes_it_is_quiet_just_when_the_clock_says_so(
    hours: Quiet, now: datetime
) -> None:
    assume(steady(now, hours.zone))
    clock = now.astimezone(ZoneInfo(hours.zone)).time()
    if hours.start < hours.until:
        inside = hours.start <= clock < hours.until
    else:
        inside = clock >= hours.start or clock < hours.until
    end = hours.end(now)
    assert (end is not None) is inside
    assert end is None or local_time(end, hours.zone) == hours.until


# Digests.


def digest(*times: str, zone: str = "UTC") -> DigestSchedule:
    return DigestSchedule(channel="C0SOC", at=times, zone=zone)


def test_a_digest_comes_at_each_of_its_times_in_whichever_order_they_stand() -> None:
    schedule = digest("20:30", "08:30", zone="Asia/Shanghai")
    now = at("2026-06-01T00:30Z")
    assert schedule.last(now) == now
    assert schedule.next(now) == at("2026-06-01T12:30Z")
    assert schedule.last(now - timedelta(microseconds=1)) == at("2026-05-31T12:30Z")
    assert schedule.next(at("2026-06-01T12:30Z")) == at("2026-06-02T00:30Z")


@pytest.mark.parametrize(
    ("now", "moment"),
    [
        ("2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("2026-03-29T01:00Z", "2026-03-30T00:30Z"),
        ("2026-10-24T12:00Z", "2026-10-25T00:30Z"),
        ("2026-10-25T00:30Z", "2026-10-26T01:30Z"),
    ],
)
def test_a_digest_comes_once_a_day_when_the_clocks_change(now: str, moment: str) -> None:
    schedule = digest("02:30", zone="Europe/Berlin")
    assert schedule.next(at(now)) == at(moment)
    assert schedule.last(at(moment)) == at(moment)
    assert schedule.last(at(moment) - timedelta(seconds=1)) <= at(now)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "America/Havana"])
@pytest.mark.parametrize("time", ["00:00", "00:30", "02:30", "08:00", "23:59"])
def test_a_year_has_365_digests_of_one_time(zone: str, time: str) -> None:
    schedule, midnight = digest(time, zone=zone), datetime(2026, 1, 1, tzinfo=ZoneInfo(zone))
    moment, end, count = (
        schedule.next(midnight - timedelta(seconds=1)),
        midnight.replace(year=2027),
        0,
    )
    while moment < end:
        moment, count = schedule.next(moment), count + 1
    assert count == 365


DIGESTS = st.builds(
    lambda times, zone: digest(*times, zone=zone),
    st.lists(TIMES, min_size=1, max_size=4, unique=True),
    ZONES,
)


@given(DIGESTS, MOMENTS)
@example(digest("00:00", zone="America/St_Johns"), at("2010-11-07T03:00Z"))
def test_a_moment_lies_between_the_last_digest_and_the_next(
    schedule: DigestSchedule, now: datetime
) -> None:
    last, following = schedule.last(now), schedule.next(now)
    assert last <= now < following
    assert last.tzinfo is following.tzinfo is UTC
    assert schedule.next(last) == following
    assert schedule.last(following) == following
    assert schedule.last(following - timedelta(microseconds=1)) == last


@given(DIGESTS, MOMENTS)
def test_a_digest_comes_when_a_clock_shows_its_time_or_has_leapt_over_it(
    schedule: DigestSchedule, now: datetime
) -> None:
    for moment in (schedule.last(now), schedule.next(now)):
        assert local_time(moment, schedule.zone) in schedule.at or not steady(moment, schedule.zone)


@given(DIGESTS, MOMENTS, ZONES)
def test_a_digest_is_the_same_by_whatever_clock_one_asks(
    schedule: DigestSchedule, now: datetime, zone: str
) -> None:
    local = now.astimezone(ZoneInfo(zone))
    assert (schedule.last(local), schedule.next(local)) == (schedule.last(now), schedule.next(now))


def local_time(moment: datetime, zone: str) -> time:
    """What the clocks of a zone show."""
    return moment.astimezone(ZoneInfo(zone)).time()


def steady(moment: datetime, zone: str) -> bool:
    """Whether the clocks of a zone don't change in the two days before and after."""
    days = (moment + timedelta(days=days) for days in (-2, 0, 2))
    return len({day.astimezone(ZoneInfo(zone)).utcoffset() for day in days}) == 1
