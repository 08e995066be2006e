"""Which objects share a card: failures of one workflow or playbook, tasks of one route."""

import hashlib

from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import failure_group
from bot.policy.routes import Grouping, Route
from bot.secmaster import Task

MOST_TASKS = 100  # that one card takes in; more get another one


def card_group(route: Route | None, ref: Ref, snapshot: Snapshot) -> str:
    """Return what the objects of one card share; "" where an object shares none.

    Without a route, as in a subscribed channel, all tasks share cards. Two routes that call
    different people share none, or the second one's people would not be called.
    """
    if not isinstance(snapshot, Task):
        return failure_group(snapshot)
    grouping = route.group if route else Grouping.ROUTE
    related = snapshot.related_object if grouping is Grouping.WORKFLOW else ""
    if grouping is Grouping.NONE or (grouping is Grouping.WORKFLOW and not related):
        return ""
    names = (route.name, *route.mention) if route else ()
    parts = (ref.workspace, grouping, related, *names)
    return f"tasks:{hashlib.sha256(repr(parts).encode()).hexdigest()}"
