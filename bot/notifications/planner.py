"""What is to be posted for an object, where, and when: routes and times made into notices.

Each notice has a name by which it happens only once, so that whoever thinks of it again, after a
restart or with another policy, says nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.notifications import Notification, NotificationKind, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject, failure_group
from bot.policy.routes import Route, matching_routes
from bot.secmaster import DueHandle, Task
from bot.services import services

LATEST = timedelta(days=1)  # what should have been said longer ago than this is news to nobody


@dataclass(frozen=True, slots=True)
class ScheduledNotification:
    """One thing to think of at a time, by the route that asks for it."""

    at: datetime
    kind: NotificationKind
    route: Route
    before: timedelta = timedelta(0)
    origin: str = ""


def card_entries(
    ref: Ref, snapshot: Snapshot, now: datetime, subscribed: Sequence[str]
) -> list[OutboxEntry]:
    """A card of what has come, wherever it is to go; ``subscribed`` are channels told of all."""
    found = []
    for route in routes_of(ref, snapshot):
        notice = Notification(
            kind=NotificationKind.CARD,
            ref=ref,
            mentions=route.mention,
            route=route.name,
            failure_group=failure_group(snapshot),
        )
        channel, held = destination(route), _held(route, snapshot, now)
        found.append(_due(f"card:{ref}:{channel}", channel, notice, now, held))
    notice = Notification(
        kind=NotificationKind.CARD, ref=ref, failure_group=failure_group(snapshot)
    )
    found += [_due(f"card:{ref}:{each}", each, notice, now, None) for each in subscribed]
    return found


def routes_of(ref: Ref, snapshot: Snapshot) -> tuple[Route, ...]:
    workspaces = frozenset({ref.workspace, services().workspace_name(ref)})
    return matching_routes(services().policy().routes, snapshot, workspaces)


def destination(route: Route) -> str:
    """Where a route leads: a channel, a person's chat with us, or that of each of a group."""
    return route.channel or route.user or route.usergroup


def _held(route: Route, snapshot: Snapshot, at: datetime) -> datetime | None:
    """Until when quiet hours hold it back; what is due before their end can't wait for it."""
    end = route.quiet.end(at) if route.quiet else None
    due = snapshot.due_date if isinstance(snapshot, Task) else None
    return None if end is None or (due and due <= end) else end


def _due(
    once: str, channel: str, notice: Notification, at: datetime, held: datetime | None
) -> OutboxEntry:
    held_notice = notice.model_copy(update={"held_until": held})
    return OutboxEntry(
        dedupe_key=once, channel=channel, notification=held_notice, not_before=held or at
    )


# Time.


def first_check_at(
    ref: Ref, snapshot: Snapshot, first_at: datetime, *, backlog: bool
) -> datetime | None:
    """When an object is to be thought of first; None if nothing asks for it."""
    known = TrackedObject(ref, snapshot, first_at, backlog=backlog)
    return min((item.at for item in schedule(known) if item.at > first_at), default=None)


def schedule(known: TrackedObject) -> list[ScheduledNotification]:
    """All that is to be thought of about an object, whenever that is."""
    found = []
    for route in routes_of(known.ref, known.snapshot):
        found += _reminders(known, route)
        found += [] if known.backlog else _escalations(known, route)
        if known.snoozed_until:
            found.append(
                ScheduledNotification(known.snoozed_until, NotificationKind.SNOOZE_ENDED, route)
            )
    return [item for item in found if not _snoozed(known, item)]


def _reminders(known: TrackedObject, route: Route) -> list[ScheduledNotification]:
    due = known.snapshot.due_date if isinstance(known.snapshot, Task) else None
    if due is None:
        return []
    times = [(due - before, before) for before in route.remind]
    # The card itself has said it, where it came later than the reminder.
    return [
        ScheduledNotification(at, NotificationKind.REMINDER, route, before)
        for at, before in times
        if at > known.open_since
    ]


def _escalations(known: TrackedObject, route: Route) -> list[ScheduledNotification]:
    """Each route hands on to the next, after its own time."""
    named = {each.name: each for each in services().policy().routes if each.name}
    found, at, origin = [], known.open_since, route
    while origin.escalate:
        at, onward = at + origin.escalate.after, named[origin.escalate.to]
        at = max(at, known.snoozed_until or at)
        found.append(ScheduledNotification(at, NotificationKind.CARD, onward, origin=origin.name))
        origin = onward
    return found


def _snoozed(known: TrackedObject, item: ScheduledNotification) -> bool:
    """Whether somebody wants to be left alone by it until later; silence must not approve."""
    until = known.snoozed_until
    if until is None or item.at >= until:
        return False
    return item.kind is not NotificationKind.REMINDER or not auto_approves_by(known.snapshot, until)


def auto_approves_by(snapshot: Snapshot, until: datetime) -> bool:
    """Whether a task goes on by itself before then, if nobody decides."""
    if not isinstance(snapshot, Task) or snapshot.due_handle != DueHandle.CONTINUE:
        return False
    return snapshot.due_date is not None and snapshot.due_date <= until


def due_entries(known: TrackedObject, now: datetime) -> tuple[list[OutboxEntry], datetime | None]:
    """What is to be said of an object now, and when to think of it next."""
    items = schedule(known)
    upcoming = min((item.at for item in items if item.at > now), default=None)
    ready = [item for item in items if now - LATEST < item.at <= now]
    reminders = [item for item in ready if item.kind is NotificationKind.REMINDER]
    # Of several that were missed only the last one is still news.
    missed = {item for item in reminders if any(_later(other, item) for other in reminders)}
    return [_said(known, item, now) for item in ready if item not in missed], upcoming


def _later(one: ScheduledNotification, than: ScheduledNotification) -> bool:
    return one.route == than.route and one.before < than.before


def _said(known: TrackedObject, item: ScheduledNotification, now: datetime) -> OutboxEntry:
    told = {"before": str(int(item.before.total_seconds()))}
    if item.kind is NotificationKind.SNOOZE_ENDED:
        told = {"by": known.snoozed_by}
    notice = Notification(
        kind=item.kind,
        ref=known.ref,
        mentions=item.route.mention,
        route=item.route.name,
        failure_group=failure_group(known.snapshot),
        details=told | ({"from": item.origin} if item.origin else {}),
    )
    channel, held = destination(item.route), _held(item.route, known.snapshot, now)
    return _due(f"{_named(known, item)}:{channel}", channel, notice, now, held)


def _named(known: TrackedObject, item: ScheduledNotification) -> str:
    """The name by which it is said once: another due date is another reminder."""
    if item.origin:
        return f"escalated:{known.ref}:{known.open_since.isoformat(timespec='seconds')}"
    stamp = item.at.isoformat(timespec="seconds")
    return f"{item.kind}:{known.ref}:{stamp}"
