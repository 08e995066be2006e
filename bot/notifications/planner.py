"""What is to be posted for an object, where, and when: routes and times made into notices.

Each notice has a name by which it happens only once, so that whoever thinks of it again, after a
restart or with another policy, says nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.actions import Snapshot
from bot.domain.models import Ref
from bot.domain.notifications import Due, Notice, NoticeKind
from bot.policy.routes import Route, chosen
from bot.secmaster import DueHandle, Task
from bot.services import desk
from bot.store import Known, gathering

LATEST = timedelta(days=1)  # what should have been said longer ago than this is news to nobody


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to think of at a time, by the route that asks for it."""

    at: datetime
    kind: NoticeKind
    route: Route
    before: timedelta = timedelta(0)
    origin: str = ""


def arrived(ref: Ref, snapshot: Snapshot, now: datetime, subscribed: Sequence[str]) -> list[Due]:
    """A card of what has come, wherever it is to go; ``subscribed`` are channels told of all."""
    found = []
    for route in routes_of(ref, snapshot):
        notice = Notice(
            kind=NoticeKind.CARD,
            ref=ref,
            mention=route.mention,
            route=route.name,
            gathers=gathering(snapshot),
        )
        channel, held = channel_of(route), _held(route, snapshot, now)
        found.append(_due(f"card:{ref}:{channel}", channel, notice, now, held))
    notice = Notice(kind=NoticeKind.CARD, ref=ref, gathers=gathering(snapshot))
    found += [_due(f"card:{ref}:{each}", each, notice, now, None) for each in subscribed]
    return found


def routes_of(ref: Ref, snapshot: Snapshot) -> tuple[Route, ...]:
    workspaces = frozenset({ref.workspace, desk().name(ref)})
    return chosen(desk().policy().routes, snapshot, workspaces)


def channel_of(route: Route) -> str:
    """Where a route leads: a channel, a person's chat with us, or that of each of a group."""
    return route.channel or route.user or route.usergroup


def _held(route: Route, snapshot: Snapshot, at: datetime) -> datetime | None:
    """Until when quiet hours hold it back; what is due before their end can't wait for it."""
    end = route.quiet.end(at) if route.quiet else None
    due = snapshot.due_date if isinstance(snapshot, Task) else None
    return None if end is None or (due and due <= end) else end


def _due(once: str, channel: str, notice: Notice, at: datetime, held: datetime | None) -> Due:
    held_notice = notice.model_copy(update={"held_until": held})
    return Due(once=once, channel=channel, notice=held_notice, not_before=held or at)


# Time.


def next_at(ref: Ref, snapshot: Snapshot, first_at: datetime, *, backlog: bool) -> datetime | None:
    """When an object is to be thought of first; None if nothing asks for it."""
    known = Known(ref, snapshot, first_at, backlog=backlog)
    return min((item.at for item in agenda(known) if item.at > first_at), default=None)


def agenda(known: Known) -> list[Item]:
    """All that is to be thought of about an object, whenever that is."""
    found = []
    for route in routes_of(known.ref, known.snapshot):
        found += _reminders(known, route)
        found += [] if known.backlog else _escalations(known, route)
        if known.snoozed_until:
            found.append(Item(known.snoozed_until, NoticeKind.AWAKE, route))
    return [item for item in found if not _snoozed(known, item)]


def _reminders(known: Known, route: Route) -> list[Item]:
    due = known.snapshot.due_date if isinstance(known.snapshot, Task) else None
    if due is None:
        return []
    times = [(due - before, before) for before in route.remind]
    # The card itself has said it, where it came later than the reminder.
    return [
        Item(at, NoticeKind.REMINDER, route, before) for at, before in times if at > known.first_at
    ]


def _escalations(known: Known, route: Route) -> list[Item]:
    """Each route hands on to the next, after its own time."""
    named = {each.name: each for each in desk().policy().routes if each.name}
    found, at, origin = [], known.first_at, route
    while origin.escalate:
        at, onward = at + origin.escalate.after, named[origin.escalate.to]
        at = max(at, known.snoozed_until or at)
        found.append(Item(at, NoticeKind.CARD, onward, origin=origin.name))
        origin = onward
    return found


def _snoozed(known: Known, item: Item) -> bool:
    """Whether somebody wants to be left alone by it until later; silence must not approve."""
    until = known.snoozed_until
    if until is None or item.at >= until:
        return False
    return item.kind is not NoticeKind.REMINDER or not silence_approves(known.snapshot, until)


def silence_approves(snapshot: Snapshot, until: datetime) -> bool:
    """Whether a task goes on by itself before then, if nobody decides."""
    if not isinstance(snapshot, Task) or snapshot.due_handle != DueHandle.CONTINUE:
        return False
    return snapshot.due_date is not None and snapshot.due_date <= until


def to_say(known: Known, now: datetime) -> tuple[list[Due], datetime | None]:
    """What is to be said of an object now, and when to think of it next."""
    items = agenda(known)
    upcoming = min((item.at for item in items if item.at > now), default=None)
    ready = [item for item in items if now - LATEST < item.at <= now]
    reminders = [item for item in ready if item.kind is NoticeKind.REMINDER]
    # Of several that were missed only the last one is still news.
    missed = {item for item in reminders if any(_later(other, item) for other in reminders)}
    return [_said(known, item, now) for item in ready if item not in missed], upcoming


def _later(one: Item, than: Item) -> bool:
    return one.route == than.route and one.before < than.before


def _said(known: Known, item: Item, now: datetime) -> Due:
    told = {"before": str(int(item.before.total_seconds()))}
    if item.kind is NoticeKind.AWAKE:
        told = {"by": known.snoozed_by}
    notice = Notice(
        kind=item.kind,
        ref=known.ref,
        mention=item.route.mention,
        route=item.route.name,
        gathers=gathering(known.snapshot),
        told=told | ({"from": item.origin} if item.origin else {}),
    )
    channel, held = channel_of(item.route), _held(item.route, known.snapshot, now)
    return _due(f"{_named(known, item)}:{channel}", channel, notice, now, held)


def _named(known: Known, item: Item) -> str:
    """The name by which it is said once: another due date is another reminder."""
    if item.origin:
        return f"escalated:{known.ref}:{known.first_at.isoformat(timespec='seconds')}"
    stamp = item.at.isoformat(timespec="seconds")
    return f"{item.kind}:{known.ref}:{stamp}"
