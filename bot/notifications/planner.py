"""What is to be posted about an object, where and when: routes and times become outbox entries.

Each entry has a key by which it is posted only once, so that planning anew, after a restart or
with another policy, posts nothing twice. Knows neither Slack nor the words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.notifications import (
    CardNotification,
    OutboxEntry,
    ReminderNotification,
    SnoozeEndedNotification,
)
from bot.domain.objects import Ref
from bot.domain.slack import Destination
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject, failure_group
from bot.policy.routes import Route, matching_routes
from bot.secmaster import DueHandle, Task
from bot.services import Services

LATEST = timedelta(days=1)  # what should have been posted longer ago is news to nobody

TimedNotification = CardNotification | ReminderNotification | SnoozeEndedNotification


@dataclass(frozen=True, slots=True)
class ScheduledNotification:
    """A notification that time makes due, and the route that asks for it."""

    at: datetime
    route: Route
    notification: TimedNotification


def routes_of(services: Services, ref: Ref, snapshot: Snapshot) -> tuple[Route, ...]:
    """Return the routes that an object goes to, in the policy's order."""
    workspaces = services.workspaces.all_names(ref.workspace)
    return matching_routes(services.policy.current.routes, snapshot, workspaces)


def auto_approves_by(snapshot: Snapshot, until: datetime) -> bool:
    """Return whether a task goes on by itself before ``until``, if nobody decides."""
    if not isinstance(snapshot, Task) or snapshot.due_handle != DueHandle.CONTINUE:
        return False
    return snapshot.due_date is not None and snapshot.due_date <= until


# What is new.


def card_entries(
    services: Services, ref: Ref, snapshot: Snapshot, now: datetime, subscriptions: Sequence[str]
) -> list[OutboxEntry]:
    """Return the cards of a new object: by its routes, and for the subscribed channels."""
    entries, group = [], failure_group(snapshot)
    for route in routes_of(services, ref, snapshot):
        notification = CardNotification(
            ref=ref, mentions=route.mention, route=route.name, failure_group=group
        )
        entries.append(routed_entry(f"card:{ref}", route, notification, snapshot, now))
    entries += [
        OutboxEntry(
            dedupe_key=f"card:{ref}:{channel}",
            destination=Destination.parse(channel),
            notification=CardNotification(ref=ref, failure_group=group),
            not_before=now,
        )
        for channel in subscriptions
    ]
    return entries


def routed_entry(
    key: str, route: Route, notification: TimedNotification, snapshot: Snapshot, now: datetime
) -> OutboxEntry:
    """Return the entry that posts a notification where the route leads, after its quiet hours.

    What is due before the quiet hours end is not held back. ``key`` names the notification; it
    is posted once for each destination.
    """
    quiet_end = route.quiet.end(now) if route.quiet else None
    due = snapshot.due_date if isinstance(snapshot, Task) else None
    held_until = None if quiet_end is None or (due and due <= quiet_end) else quiet_end
    return OutboxEntry(
        dedupe_key=f"{key}:{route.destination.id}",
        destination=route.destination,
        notification=notification.model_copy(update={"held_until": held_until}),
        not_before=held_until or now,
    )


# What time makes due.


def first_check_at(
    services: Services, ref: Ref, snapshot: Snapshot, open_since: datetime, *, backlog: bool
) -> datetime | None:
    """Return when a new object's reminders and escalations begin; None where it has none."""
    tracked = TrackedObject(ref, snapshot, open_since, backlog=backlog)
    times = (item.at for item in schedule(services, tracked))
    return min((at for at in times if at > open_since), default=None)


def due_entries(
    services: Services, tracked: TrackedObject, now: datetime
) -> tuple[list[OutboxEntry], datetime | None]:
    """Return what is to be posted about an object by now, and when to check it next."""
    items = schedule(services, tracked)
    next_check_at = min((item.at for item in items if item.at > now), default=None)
    ready = [item for item in items if now - LATEST < item.at <= now]
    # Of several reminders that were missed only the last one is still news; they are in order.
    last_reminders = {
        item.route: item.at for item in ready if isinstance(item.notification, ReminderNotification)
    }
    entries = []
    for item in ready:
        notification = item.notification
        is_reminder = isinstance(notification, ReminderNotification)
        if is_reminder and item.at < last_reminders[item.route]:
            continue
        # Another due date is another reminder, but however often an object is checked, it
        # escalates once for each time that it is open.
        key = f"{notification.kind}:{tracked.ref}:{item.at.isoformat(timespec='seconds')}"
        if isinstance(notification, CardNotification) and notification.escalated_from:
            since = tracked.open_since.isoformat(timespec="seconds")
            key = f"escalated:{tracked.ref}:{since}"
        entries.append(routed_entry(key, item.route, notification, tracked.snapshot, now))
    return entries, next_check_at


def schedule(services: Services, tracked: TrackedObject) -> list[ScheduledNotification]:
    """Return all that time makes due about an object, past and future."""
    routes, snoozed_until = services.policy.current.routes, tracked.snoozed_until
    items = []
    for route in routes_of(services, tracked.ref, tracked.snapshot):
        items += reminders(tracked, route)
        if not tracked.backlog:
            items += escalations(tracked, route, routes)
        if snoozed_until:
            ended = SnoozeEndedNotification(
                ref=tracked.ref,
                mentions=route.mention,
                route=route.name,
                failure_group=failure_group(tracked.snapshot),
                snoozed_by=tracked.snoozed_by,
            )
            items.append(ScheduledNotification(snoozed_until, route, ended))
    if snoozed_until is None:
        return items
    # A snooze holds back everything but the reminder of a task that silence would approve.
    reminds = auto_approves_by(tracked.snapshot, snoozed_until)
    return [
        item
        for item in items
        if item.at >= snoozed_until
        or (reminds and isinstance(item.notification, ReminderNotification))
    ]


def reminders(tracked: TrackedObject, route: Route) -> list[ScheduledNotification]:
    """Return a route's reminders of a task's due date.

    One from before the task was known is left out: the card itself says as much.
    """
    due = tracked.snapshot.due_date if isinstance(tracked.snapshot, Task) else None
    if due is None:
        return []
    items = []
    for before in route.remind:
        notification = ReminderNotification(
            ref=tracked.ref,
            mentions=route.mention,
            route=route.name,
            before=int(before.total_seconds()),
        )
        items.append(ScheduledNotification(due - before, route, notification))
    return [item for item in items if item.at > tracked.open_since]


def escalations(
    tracked: TrackedObject, route: Route, routes: Sequence[Route]
) -> list[ScheduledNotification]:
    """Return the cards on the routes that ``route`` escalates to, each after its own time.

    A snooze puts an escalation off until it ends.
    """
    by_name = {candidate.name: candidate for candidate in routes if candidate.name}
    items, at, origin = [], tracked.open_since, route
    while origin.escalate:
        at += origin.escalate.after
        at = max(at, tracked.snoozed_until or at)
        target = by_name[origin.escalate.to]
        notification = CardNotification(
            ref=tracked.ref,
            mentions=target.mention,
            route=target.name,
            failure_group=failure_group(tracked.snapshot),
            escalated_from=origin.name,
        )
        items.append(ScheduledNotification(at, target, notification))
        origin = target
    return items
