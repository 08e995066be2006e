"""Where cards are brought to: the ordered ``[[routes]]`` of the policy, and when.

Knows no person's rights, no Slack client and no clock.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bot.domain.actions import WAITING
from bot.domain.snapshots import Snapshot
from bot.policy.rules import (
    Conditions,
    Duration,
    Entry,
    Pattern,
    Section,
    T,
    matches,
    non_empty,
    numbered,
    stated_values,
)
from bot.secmaster import InstanceStatus, Task

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def _slack_id(kinds: str, what: str) -> Callable[[str], str]:
    """Check that an id begins with one of these letters, as Slack's ids of that kind do."""

    def checked(text: str) -> str:
        if not re.fullmatch(rf"[{kinds}][A-Z0-9]{{2,}}", text):
            raise ValueError(f"{text!r} is no {what}, such as {kinds[0]}0123ABCD")
        return text

    return checked


def _clock(text: object) -> time:
    """Read a time of day such as "08:30"; raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f'{text!s} is no time of day: write it as "08:30"')
    return time.fromisoformat(text)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin") from None
    return name


def _distinct(given: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(given)) < len(given):
        raise ValueError("something is given twice")
    return given


def _watched(given: tuple[InstanceStatus, ...]) -> tuple[InstanceStatus, ...]:
    if any(status != InstanceStatus.FAILED for status in given):
        raise ValueError("of instances only those that FAILED are watched")
    return _distinct(given)


def _longest_first(given: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    return tuple(sorted(given, reverse=True))


ChannelId = Annotated[str, AfterValidator(_slack_id("CG", "channel's id"))]
UserId = Annotated[str, AfterValidator(_slack_id("UW", "person's id"))]
UsergroupId = Annotated[str, AfterValidator(_slack_id("S", "user group's id"))]
MentionId = Annotated[str, AfterValidator(_slack_id("UWS", "person's or user group's id"))]
Clock = Annotated[time, BeforeValidator(_clock)]
Zone = Annotated[str, AfterValidator(_zone)]


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When (UTC) the clocks there first show this time, or leap over it."""
    shown = datetime.combine(day, at)
    here = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    found = min(here)
    while found.astimezone(zone).replace(tzinfo=None) < shown:
        found += MINUTE
    return found


class Quiet(Section):
    """Hours in which nobody is called, by the clocks of ``zone``; they may go over midnight."""

    start: Clock = Field(alias="from")
    until: Clock
    zone: Zone = "UTC"

    @model_validator(mode="after")
    def ends_at_another_time(self) -> Self:
        if self.start == self.until:
            raise ValueError(
                "from and until are the same time; leave quiet out, or let them differ"
            )
        return self

    def end(self, at: datetime) -> datetime | None:
        """Return when (UTC) the quiet hours end that ``at`` lies in; None where it lies in none."""
        zone = ZoneInfo(self.zone)
        today = at.astimezone(zone).date()
        # Clocks that go back over midnight show yesterday again, when today has begun.
        for day in (today - DAY, today, today + DAY):
            last_day = day + DAY if self.until < self.start else day
            end = _moment(last_day, self.until, zone)
            if _moment(day, self.start, zone) <= at < end:
                # Where clocks leap over all the time between, the next hours begin at once.
                return self.end(end) or end
        return None


class Escalation(Section):
    """What nobody settled ``after`` so long goes ``to`` another route as well, by its name."""

    after: Duration
    to: str


class RouteConditions(Conditions):
    """What a route is limited to. What SecMaster does not state does not match.

    ``workflow`` and ``playbook`` are those of a run, or those that a task belongs to.
    """

    workflow: Pattern = Field("", min_length=1)
    playbook: Pattern = Field("", min_length=1)


class Route(Entry):
    """Which waiting tasks and which instances, by status, have a card in this one place.

    A user group is a card in each member's chat with the bot. ``mention`` are called when a card
    is posted, ``remind`` is how long before a task's due date (longest first), and ``go_on``
    (``continue`` in the file) is whether the routes after a match are looked at too.
    """

    channel: ChannelId = ""
    user: UserId = ""
    usergroup: UsergroupId = ""
    tasks: bool = Field(default=False, strict=True)
    instances: Annotated[tuple[InstanceStatus, ...], AfterValidator(_watched)] = ()
    when: RouteConditions = RouteConditions()
    mention: Annotated[tuple[MentionId, ...], AfterValidator(_distinct)] = ()
    quiet: Quiet | None = None
    remind: Annotated[
        tuple[Duration, ...], AfterValidator(_distinct), AfterValidator(_longest_first)
    ] = ()
    escalate: Escalation | None = None
    continues: bool = Field(default=False, alias="continue", strict=True)

    @model_validator(mode="after")
    def leads_somewhere(self) -> Self:
        places = [place for place in (self.channel, self.user, self.usergroup) if place]
        if len(places) != 1:
            raise ValueError("a route leads to one place: give channel, user or usergroup")
        return self

    @model_validator(mode="after")
    def takes_what_it_speaks_of(self) -> Self:
        if not self.tasks and not self.instances:
            raise ValueError("a route takes something: give tasks = true, instances, or both")
        if self.remind and not self.tasks:
            raise ValueError("remind: only tasks have a due date; add tasks = true")
        if self.when.business_type and not self.tasks:
            raise ValueError("when: only tasks have a business_type; add tasks = true")
        return self

    def statuses(self, snapshot: Snapshot) -> tuple[str, ...]:
        """The statuses in which it takes such an object; none, never."""
        if isinstance(snapshot, Task):
            return WAITING if self.tasks else ()
        return self.instances


class DigestSchedule(Section):
    """A summary in a channel, every day at these times by the clocks of ``zone``."""

    channel: ChannelId
    at: Annotated[tuple[Clock, ...], AfterValidator(non_empty), AfterValidator(_distinct)]
    zone: Zone = "UTC"

    def last(self, before: datetime) -> datetime:
        """Return the latest of its moments (UTC) that is not after this one."""
        return max(moment for moment in self._around(before) if moment <= before)

    def next(self, after: datetime) -> datetime:
        """Return its first moment (UTC) that is after this one."""
        return min(moment for moment in self._around(after) if moment > after)

    def _around(self, moment: datetime) -> Iterator[datetime]:
        zone = ZoneInfo(self.zone)
        today = moment.astimezone(zone).date()
        # Clocks that go back over midnight show yesterday again: tomorrow may be past by then.
        for day in (today - DAY, today, today + DAY, today + 2 * DAY):
            yield from (_moment(day, at, zone) for at in self.at)


class Brake(Section):
    """More than so many ``retries`` of a workflow ``within`` this time ask for a second person."""

    retries: int = Field(ge=1, le=100, strict=True)
    within: Duration


def titled_routes(routes: Sequence[Route]) -> Iterator[tuple[str, Route]]:
    """Each route with what it is called: its number, and its name if it has one."""
    return numbered("route", routes)


def matching_routes(
    routes: Iterable[Route], snapshot: Snapshot, workspaces: frozenset[str]
) -> tuple[Route, ...]:
    """Those that an object goes to, in order; its workspace goes by any of these names."""
    told = explain_routes(routes, snapshot, workspaces)
    return tuple(route for route, word in told if word == "matches")


def explain_routes(
    routes: Iterable[Route], snapshot: Snapshot, workspaces: frozenset[str]
) -> tuple[tuple[Route, str], ...]:
    """For each route whether an object goes there, in one word.

    matches; noun (it takes no such objects), status, or the key of its ``when`` that fails first;
    passed (an earlier one was the last to be looked at).
    """
    told, over, facts = [], False, stated_values(snapshot)
    for route in routes:
        word = "passed" if over else _failing(route, snapshot, workspaces, facts) or "matches"
        told.append((route, word))
        over = over or (word == "matches" and not route.continues)
    return tuple(told)


def _failing(
    route: Route, snapshot: Snapshot, workspaces: frozenset[str], facts: Mapping[str, str]
) -> str:
    """The first condition that fails; "" if none does."""
    statuses, limits = route.statuses(snapshot), route.when
    if not statuses:
        return "noun"
    if snapshot.status not in statuses:
        return "status"
    if not limits.includes_workspace(workspaces):
        return "workspace"
    unlike = (key for key in limits.object_keys if not _fits(limits, key, facts.get(key, "")))
    return next(unlike, "")


def _fits(limits: RouteConditions, key: str, value: str) -> bool:
    return bool(value) and matches(limits, key, value)


def check_consistency(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return them if their names and escalations fit together; raises ValueError."""
    if wrong := [*_doubled(routes), *_leading_nowhere(routes), *_circles(routes)]:
        raise ValueError("; ".join(wrong))
    return routes


def _doubled(routes: Sequence[Route]) -> Iterator[str]:
    counted = Counter(route.name for route in routes if route.name)
    for name, times in counted.items():
        if times > 1:
            yield f"{times} routes are called {name!r}; give each its own name"


def _leading_nowhere(routes: Sequence[Route]) -> Iterator[str]:
    names = {route.name for route in routes if route.name}
    for title, route in titled_routes(routes):
        if route.escalate and route.escalate.to not in names:
            yield f"{title} escalates to {route.escalate.to!r}, and no route is called that"


def _circles(routes: Sequence[Route]) -> Iterator[str]:
    """Each circle of escalations, once."""
    onward = {route.name: route.escalate.to for route in routes if route.name and route.escalate}
    seen: set[str] = set()
    for name in onward:
        path, here = [], name
        while here in onward and here not in seen:
            seen.add(here)
            path.append(here)
            here = onward[here]
        if here in path:
            circle = [*path[path.index(here) :], here]
            yield f"escalations go in a circle: {' → '.join(circle)}"
