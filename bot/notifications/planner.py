"""What is to be posted about an object, where and when: routes and times become outbox entries.

Each entry has a key by which it is posted only once, so that planning anew, after a restart or
with another policy, posts nothing twice. Knows neither Slack nor the words.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Destination, DestinationKind
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.notifications.card import CardNotification
from bot.notifications.grouping import card_group
from bot.notifications.kinds import KINDS
from bot.notifications.notification import RoutedNotification, ScheduledNotification
from bot.policy.channels import named_channels
from bot.policy.routes import Route, awaits_evidence, matching_routes
from bot.secmaster import Task
from bot.services import Services

# What was due in this time is looked at again: an object that has changed, or a policy, may make
# something due that was not. What is in the outbox already is not posted twice.
REPLANNED = timedelta(days=1)


def routes_of(services: Services, ref: Ref, snapshot: Snapshot) -> tuple[Route, ...]:
    """Return the routes that an object goes to, in the policy's order."""
    workspaces = services.workspaces.all_names(ref.workspace)
    return matching_routes(services.policy.current.routes, snapshot, workspaces)


def is_routable(services: Services, ref: Ref, snapshot: Snapshot) -> bool:
    """Return whether where an object goes depends on nothing that is still to be read around it."""
    workspaces = services.workspaces.all_names(ref.workspace)
    return not awaits_evidence(services.policy.current.routes, snapshot, workspaces)


# What is new.


def subscribed_channels(services: Services) -> tuple[list[str], list[str]]:
    """Return the subscribed channels that the policy names, and those that it does not; blocks."""
    channels = services.store.subscriptions.channels()
    allowed = named_channels(services.policy.current)
    outside = [channel for channel in channels if channel not in allowed]
    return [channel for channel in channels if channel in allowed], outside


def card_entries(
    services: Services, ref: Ref, snapshot: Snapshot, now: datetime, subscriptions: Sequence[str]
) -> list[OutboxEntry]:
    """Return the cards of a new object: by its routes, and for the subscribed channels."""
    return [
        *routed_cards(ref, snapshot, now, routes_of(services, ref, snapshot)),
        *subscribed_cards(ref, snapshot, now, subscriptions),
    ]


def routed_cards(
    ref: Ref, snapshot: Snapshot, now: datetime, routes: Sequence[Route]
) -> list[OutboxEntry]:
    """Return the cards of an object on these routes: each place gets one, however often planned."""
    entries = []
    for route in routes:
        notification = CardNotification(
            ref=ref,
            mentions=route.mention,
            route=route.name,
            card_group=card_group(route, ref, snapshot),
            group_window=route.group_window,
        )
        entries.append(routed_entry(f"card:{ref}", route, notification, snapshot, now))
    return entries


def subscribed_cards(
    ref: Ref, snapshot: Snapshot, now: datetime, subscriptions: Sequence[str]
) -> list[OutboxEntry]:
    """Return the cards of a new object for the subscribed channels."""
    return [
        OutboxEntry(
            dedupe_key=f"card:{ref}:{channel}",
            destination=Destination.parse(channel),
            notification=CardNotification(ref=ref, card_group=card_group(None, ref, snapshot)),
            not_before=now,
        )
        for channel in subscriptions
    ]


def routed_entry(
    key: str, route: Route, notification: RoutedNotification, snapshot: Snapshot, now: datetime
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
    return min((at for at in times if at >= open_since), default=None)


def due_entries(
    services: Services, tracked: TrackedObject, now: datetime
) -> tuple[list[OutboxEntry], datetime | None]:
    """Return what is to be posted about an object by now, and when to check it next.

    What fell due while nobody planned is still owed, however long ago that was, unless the object
    was not open then.
    """
    items = schedule(services, tracked)
    next_check_at = min((item.at for item in items if item.at > now), default=None)
    unplanned_since = tracked.planned_until or tracked.open_since
    since = max(tracked.open_since, min(now - REPLANNED, unplanned_since))
    # What is due at once is due when the object opens, and nothing else is.
    ready = [item for item in items if since < item.at <= now or since == item.at]
    # Of several reminders that were missed only the last one is still news; they are in order.
    last = {(item.route, item.notification.kind): item.at for item in ready if item.only_latest}
    entries = [
        scheduled_entry(item, tracked.snapshot, now)
        for item in ready
        if not item.only_latest or item.at == last[item.route, item.notification.kind]
    ]
    return entries, next_check_at


def scheduled_entry(item: ScheduledNotification, snapshot: Snapshot, now: datetime) -> OutboxEntry:
    """Return the entry that posts what time has made due.

    One that a person gets in the place of others has the key of theirs: it comes once.
    """
    notification = item.notification.model_copy(update={"scheduled_at": item.at})
    entry = routed_entry(item.key, item.route, notification, snapshot, now)
    if not item.recipient:
        return entry
    return entry.model_copy(update={"destination": Destination.parse(item.recipient)})


def schedule(services: Services, tracked: TrackedObject) -> list[ScheduledNotification]:
    """Return all that time makes due about an object, past and future."""
    routes, held_until = services.policy.current.routes, tracked.held_until
    scheduled = [
        item
        for route in routes_of(services, tracked.ref, tracked.snapshot)
        for kind in KINDS
        if issubclass(kind, RoutedNotification)
        for item in kind.schedule(tracked, route, routes)
    ]
    items = for_assignee(tracked, scheduled)
    if held_until is None:
        return items
    # A snooze or a mute holds back all but the reminder of a task that silence would approve.
    return [item for item in items if item.at >= held_until or item.despite_snooze]


def for_assignee(
    tracked: TrackedObject, items: Sequence[ScheduledNotification]
) -> list[ScheduledNotification]:
    """Return notifications as they are due while their object is claimed: they call nobody else.

    Direct messages to others are left out. Where nothing else of the same kind and time reaches
    whoever has claimed it, the first of these goes to them.
    """
    reached = {
        (item.notification.kind, item.at)
        for item in items
        if (assignment := tracked.holding_assignment(item.at))
        and reaches(item.route.destination, assignment.assignee)
    }
    due = []
    for item in items:
        assignment, event = tracked.holding_assignment(item.at), (item.notification.kind, item.at)
        if assignment is None:
            due.append(item)
            continue
        recipient = ""
        if not reaches(item.route.destination, assignment.assignee):
            if event in reached:
                continue
            reached.add(event)
            recipient = assignment.assignee
        notification = item.notification.model_copy(update={"mentions": (assignment.assignee,)})
        due.append(replace(item, notification=notification, recipient=recipient))
    return due


def reaches(destination: Destination, user: str) -> bool:
    """Return whether what is for a destination, and mentions a person alone, is for them."""
    return destination.kind is DestinationKind.CHANNEL or destination.id == user
