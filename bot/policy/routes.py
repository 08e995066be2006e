"""Where cards are posted, and when: the ordered ``[[routes]]`` of the policy, digests, the brake.

Knows no person's rights, no Slack client and no clock.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, Self, assert_never
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bot.domain.actions import WAITING
from bot.domain.objects import ByKind, ObjectKind
from bot.domain.slack import Destination
from bot.domain.snapshots import Snapshot
from bot.policy.evidence import NOTHING_READ, RESOURCE_KEYS, Fact, is_passed_over, unread_fact
from bot.policy.ids import ChannelId, MentionId, UsergroupId, UserId
from bot.policy.rules import (
    Conditions,
    Duration,
    Entry,
    Pattern,
    Section,
    T,
    apart,
    facts_for,
    matches,
    non_empty,
    numbered,
)
from bot.secmaster import (
    Instance,
    InstanceStatus,
    PlaybookInstance,
    PlaybookInstanceStatus,
    Task,
    Unread,
)

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def _parse_time_of_day(text: object) -> time:
    """Read a time of day such as "08:30"; raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f'{text!s} is no time of day: write it as "08:30"')
    return time.fromisoformat(text)


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin") from None
    return name


def distinct(entries: tuple[T, ...]) -> tuple[T, ...]:
    """Return the entries if none is given twice; raises ValueError."""
    if len(set(entries)) < len(entries):
        raise ValueError("something is given twice")
    return entries


def _check_watched(statuses: tuple[InstanceStatus, ...]) -> tuple[InstanceStatus, ...]:
    if any(status != InstanceStatus.FAILED for status in statuses):
        raise ValueError("of instances only those that FAILED are watched")
    return distinct(statuses)


def _check_watched_playbooks(
    statuses: tuple[PlaybookInstanceStatus, ...],
) -> tuple[PlaybookInstanceStatus, ...]:
    if any(status != PlaybookInstanceStatus.FAILED for status in statuses):
        raise ValueError("of playbook instances only those that FAILED are watched")
    return distinct(statuses)


def _longest_first(durations: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    return tuple(sorted(durations, reverse=True))


TimeOfDay = Annotated[time, BeforeValidator(_parse_time_of_day)]
Zone = Annotated[str, AfterValidator(_check_zone)]


def local_moments(day: date, at: time, zone: tzinfo) -> list[datetime]:
    """Return when (UTC) the clocks of a zone show this time: twice where they go back over it.

    Where they leap over it, it is when they do. Raises OverflowError at the ends of the calendar.
    """
    local = datetime.combine(day, at)
    moments = sorted({local.replace(tzinfo=zone, fold=n).astimezone(UTC) for n in (0, 1)})
    if matches := [m for m in moments if m.astimezone(zone).replace(tzinfo=None) == local]:
        return matches
    moment = moments[0]
    while moment.astimezone(zone).replace(tzinfo=None) < local:
        moment += MINUTE
    return [moment]


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return when (UTC) the clocks of a zone first show this time, or leap over it."""
    return local_moments(day, at, zone)[0]


class Quiet(Section):
    """Hours in which notifications wait, by the clocks of ``zone``; they may go over midnight."""

    start: TimeOfDay = Field(alias="from")
    until: TimeOfDay
    zone: Zone = "UTC"

    @model_validator(mode="after")
    def ends_at_another_time(self) -> Self:
        if self.start == self.until:
            raise ValueError(
                "from and until are the same time; leave quiet out, or let them differ"
            )
        return self

    def end(self, at: datetime) -> datetime | None:
        """Return when (UTC) the quiet hours around ``at`` end; None outside of quiet hours."""
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
    """Post what is still open ``after`` so long by another route as well: ``to`` is its name."""

    after: Duration
    to: str


class RouteConditions(Conditions):
    """The conditions of a route; what SecMaster does not state does not match.

    ``workflow`` and ``playbook`` are those of a run, or those that a task belongs to.
    """

    workflow: Pattern = Field("", min_length=1)
    playbook: Pattern = Field("", min_length=1)


class RouteMatch(StrEnum):
    """How a route fits an object: it MATCHES, or the first thing that keeps it from matching.

    PASSED: an earlier route matched and does not continue. KIND: the route takes no such objects.
    UNCLEAR: whether its name is the one can't be told, for letters that look like others; the card
    is posted, and the routes that follow are read as well, so that nobody misses it.
    UNREAD: what it asks about the finding could not be read, and another route takes the object.
    REMAINING: nor could that be read, and as no route takes the object, the first such does.
    The others are the object's status, and the keys of ``when``.
    """

    MATCHES = "matches"
    PASSED = "passed"
    KIND = "noun"
    STATUS = "status"
    WORKSPACE = "workspace"
    BUSINESS_TYPE = "business_type"
    NAME = "name"
    RELATED_OBJECT = "related_object"
    WORKFLOW = "workflow"
    PLAYBOOK = "playbook"
    SEVERITY = "severity"
    VERIFICATION = "verification"
    DRILL = "drill"
    SOURCE = "source"
    CATEGORY = "category"
    ASSET = "asset"
    ASSET_TYPE = "asset_type"
    ASSET_LEVEL = "asset_level"
    ENTERPRISE_PROJECT = "enterprise_project"
    WORKFLOW_KIND = "workflow_kind"
    UNCLEAR = "unclear"
    UNREAD = "unread"
    REMAINING = "remaining"


class Grouping(StrEnum):
    """Which tasks share a card where several come within a time."""

    WORKFLOW = "workflow"  # those of one workflow or playbook
    ROUTE = "route"  # all that one route takes
    NONE = "none"


class ThreadDetail(StrEnum):
    """What the thread of a card is told: everything, or only how things ended."""

    ALL = "all"
    OUTCOMES = "outcomes"


class Route(Entry):
    """Which waiting tasks and which runs, by status, get a card in one place.

    For a user group each member gets a card in their direct messages. ``mention`` are mentioned
    when a card is posted, ``remind`` is how long before a task's due date (longest first), and
    ``continues`` (``continue`` in the file) is whether the routes after a match apply too.
    Of tasks that come within ``group_window`` of one another those of a ``group`` share a card,
    which mentions nobody, beside the first one's own. ``thread`` is what a card's thread is told.
    """

    channel: ChannelId = ""
    user: UserId = ""
    usergroup: UsergroupId = ""
    tasks: bool = Field(default=False, strict=True)
    instances: Annotated[tuple[InstanceStatus, ...], AfterValidator(_check_watched)] = ()
    playbooks: Annotated[
        tuple[PlaybookInstanceStatus, ...], AfterValidator(_check_watched_playbooks)
    ] = ()
    when: RouteConditions = RouteConditions()
    mention: Annotated[tuple[MentionId, ...], AfterValidator(distinct)] = ()
    quiet: Quiet | None = None
    remind: Annotated[
        tuple[Duration, ...], AfterValidator(distinct), AfterValidator(_longest_first)
    ] = ()
    escalate: Escalation | None = None
    group: Grouping = Grouping.ROUTE
    group_window: Duration = timedelta(minutes=2)
    thread: ThreadDetail = ThreadDetail.ALL
    continues: bool = Field(default=False, alias="continue", strict=True)

    @model_validator(mode="after")
    def leads_somewhere(self) -> Self:
        """Check that it leads to exactly one place; raises ValueError."""
        places = [place for place in (self.channel, self.user, self.usergroup) if place]
        if len(places) != 1:
            raise ValueError("a route leads to one place: give channel, user or usergroup")
        return self

    @model_validator(mode="after")
    def takes_what_it_speaks_of(self) -> Self:
        """Check that it takes the objects that its other keys are about; raises ValueError."""
        if not self.tasks and not self.instances and not self.playbooks:
            raise ValueError(
                "a route takes something: give tasks = true, instances, playbooks, or several"
            )
        if self.remind and not self.tasks:
            raise ValueError("remind: only tasks have a due date; add tasks = true")
        if self.when.business_type and not self.tasks:
            raise ValueError("when: only tasks have a business_type; add tasks = true")
        return self

    @property
    def destination(self) -> Destination:
        """Where it leads: a channel, a person, or a user group for each of its members."""
        return Destination.parse(self.channel or self.user or self.usergroup)

    def takes(self, kind: ObjectKind) -> bool:
        """Whether it takes any objects of a kind."""
        return bool(ByKind(task=self.tasks, instance=self.instances, playbook=self.playbooks)[kind])

    def statuses(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the statuses in which it takes such an object; () if it never does."""
        match snapshot:
            case Task():
                return WAITING if self.tasks else ()
            case Instance():
                return self.instances
            case PlaybookInstance():
                return self.playbooks
            case _:
                assert_never(snapshot)


class DigestSchedule(Section):
    """A digest in a channel, every day at these times by the clocks of ``zone``."""

    channel: ChannelId
    at: Annotated[tuple[TimeOfDay, ...], AfterValidator(non_empty), AfterValidator(distinct)]
    zone: Zone = "UTC"

    def last(self, before: datetime) -> datetime:
        """Return its latest moment (UTC) that is not after this one."""
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
    """More ``retries`` of a workflow or playbook ``within`` this time ask for a second person."""

    retries: int = Field(ge=1, le=100, strict=True)
    within: Duration


TAKEN = (RouteMatch.MATCHES, RouteMatch.UNCLEAR, RouteMatch.REMAINING)
# The better the earlier: of an object with several assets the best that any of them has counts.
BEST = (RouteMatch.MATCHES, RouteMatch.UNCLEAR, RouteMatch.UNREAD)


def titled_routes(routes: Sequence[Route]) -> Iterator[tuple[str, Route]]:
    """Yield each route with its title: its number, and its name if it has one."""
    return numbered("route", routes)


def matching_routes(
    routes: Iterable[Route], snapshot: Snapshot, workspaces: frozenset[str]
) -> tuple[Route, ...]:
    """Return the routes that an object goes to, in order.

    ``workspaces`` are all names of the object's workspace.
    """
    explained = explain_routes(routes, snapshot, workspaces)
    return tuple(route for route, match in explained if match in TAKEN)


def thread_detail(routes: Sequence[Route], matching: Sequence[Route], channel: str) -> ThreadDetail:
    """Return what the threads of an object's cards in a channel are told.

    As the first of its ``matching`` routes to that channel says, or else of all ``routes``: it may
    have been escalated to there.
    """
    leading = (route for route in (*matching, *routes) if route.channel == channel)
    return next((route.thread for route in leading), ThreadDetail.ALL)


def explain_routes(
    routes: Iterable[Route], snapshot: Snapshot, workspaces: frozenset[str]
) -> tuple[tuple[Route, RouteMatch], ...]:
    """Return for each route whether it matches an object, or why not.

    ``workspaces`` are all names of the object's workspace.
    """
    explained, final = [], False
    for route in routes:
        match = RouteMatch.PASSED if final else _match(route, snapshot, workspaces)
        explained.append((route, match))
        final = final or (match is RouteMatch.MATCHES and not route.continues)
    answers = [match for _route, match in explained]
    if RouteMatch.UNREAD in answers and not any(match in TAKEN for match in answers):
        first = answers.index(RouteMatch.UNREAD)
        explained[first] = (explained[first][0], RouteMatch.REMAINING)
    return tuple(explained)


def awaits_evidence(
    routes: Iterable[Route], snapshot: Snapshot, workspaces: frozenset[str]
) -> bool:
    """Return whether where an object goes depends on what has not been read around it."""
    answers = [match for _route, match in explain_routes(routes, snapshot, workspaces)]
    return RouteMatch.UNREAD in answers or RouteMatch.REMAINING in answers


def _match(route: Route, snapshot: Snapshot, workspaces: frozenset[str]) -> RouteMatch:
    """Return how one route fits an object: as it fits best with one of the object's assets."""
    answers = [_match_asset(route, each, workspaces) for each in apart([route.when], snapshot)]
    return next((match for match in BEST if match in answers), answers[0])


def _match_asset(route: Route, snapshot: Snapshot, workspaces: frozenset[str]) -> RouteMatch:
    """Return how one route fits an object with one asset."""
    statuses, conditions = route.statuses(snapshot), route.when
    if not statuses:
        return RouteMatch.KIND
    if snapshot.status not in statuses:
        return RouteMatch.STATUS
    if not conditions.includes_workspace(workspaces):
        return RouteMatch.WORKSPACE
    facts: Mapping[str, Fact] = facts_for(conditions, snapshot)
    unclear = False
    for key in conditions.object_keys:
        value = facts.get(key, "")
        if not value and key in RESOURCE_KEYS and is_passed_over(snapshot):
            value = NOTHING_READ
            facts = {**facts, key: value}
        if isinstance(value, Unread):
            continue
        fits = matches(conditions, key, value) if value else False
        if fits is False:
            return RouteMatch(key)
        unclear = unclear or fits is None
    if unread_fact(facts, conditions.object_keys):
        return RouteMatch.UNREAD
    return RouteMatch.UNCLEAR if unclear else RouteMatch.MATCHES


def escalation_steps(route: Route, routes: Sequence[Route]) -> Iterator[tuple[Route, Route]]:
    """Yield from which route to which a route escalates, one step after the other."""
    by_name = {candidate.name: candidate for candidate in routes if candidate.name}
    origin = route
    while origin.escalate:
        target = by_name[origin.escalate.to]
        yield origin, target
        origin = target


def check_consistency(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the routes if their names and escalations fit together; raises ValueError."""
    counts = Counter(route.name for route in routes if route.name)
    problems = [
        f"{count} routes are called {name!r}; give each its own name"
        for name, count in counts.items()
        if count > 1
    ]
    problems += [
        f"{title} escalates to {route.escalate.to!r}, and no route is called that"
        for title, route in titled_routes(routes)
        if route.escalate and route.escalate.to not in counts
    ]
    problems += [f"escalations go in a circle: {' → '.join(circle)}" for circle in _circles(routes)]
    if problems:
        raise ValueError("; ".join(problems))
    return routes


def _circles(routes: Sequence[Route]) -> Iterator[list[str]]:
    """Yield each circle of escalations once: the names along it, the first one at both ends."""
    targets = {route.name: route.escalate.to for route in routes if route.name and route.escalate}
    visited: set[str] = set()
    for start in targets:
        path, name = [], start
        while name in targets and name not in visited:
            visited.add(name)
            path.append(name)
            name = targets[name]
        if name in path:
            yield [*path[path.index(name) :], name]
