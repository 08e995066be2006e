"""The report of a shift, at the times of the policy's ``[[digests]]`` or when somebody asks for it.

Its numbers are collected once, when it is written into the outbox.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from statistics import median

from bot.domain.actions import OPEN_STATUSES, TABLE
from bot.domain.endings import TaskEnding, how_ended
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import OBJECT_KINDS, ObjectKind
from bot.domain.shift_digest import (
    ClaimedObject,
    DeciderCounts,
    OverdueTask,
    RetrierCounts,
    ShiftSummary,
)
from bot.domain.slack import Destination
from bot.messages.oncall import SOON
from bot.notifications.kinds import DigestNotification
from bot.policy.routes import DigestSchedule
from bot.secmaster import InstanceStatus, Task
from bot.services import Services
from bot.store.history import AuditedAction, audited_actions

log = logging.getLogger(__name__)

LATEST = timedelta(hours=6)  # an older one is news to nobody
LONGEST_POLL = timedelta(hours=1)  # for which a digest waits for a poll that has not failed
NAMED_OVERDUE = 3  # overdue tasks that are named
OVERLAP = timedelta(hours=1)  # what SecMaster has as decided then may be on record here later
MOMENT = timedelta(microseconds=1)


async def enqueue_due(services: Services) -> None:
    """Enqueue each digest whose time has come, once; called after each poll, and between them."""
    now = services.clock.now()
    for schedule in services.policy.current.digests:
        at = schedule.last(now)
        try:
            await asyncio.to_thread(enqueue, services, schedule, at)
        except Exception:
            # Whatever can't be told of a shift, all else is to be posted.
            log.exception("digest not recorded", extra={"channel": schedule.channel})


def enqueue(services: Services, schedule: DigestSchedule, at: datetime) -> None:
    """Enqueue the digest that is due ``at`` this time, unless it is too late or too early for it.

    Blocks, and is meant for a thread.
    """
    store, now = services.store, services.clock.now()
    key = f"digest:{schedule.channel}:{at.isoformat()}"
    watched_since = min((status.since for status in store.poll_statuses.all()), default=now)
    if at <= watched_since or now - at > LATEST or store.outbox.contains(key):
        return
    if not is_known(services, at):
        return  # what was decided until then belongs into this one, and no other would have it
    summary = collect(services, schedule.last(at - MOMENT), at)
    entry = OutboxEntry(
        dedupe_key=key,
        destination=Destination.parse(schedule.channel),
        notification=DigestNotification(summary=summary),
        not_before=now,
    )
    store.outbox.add([entry], now)


def is_known(services: Services, at: datetime) -> bool:
    """Return whether what was settled before a time is known by now, as far as it can be; blocks.

    It is known once a poll has begun after that. Nobody waits for a SecMaster that has not been
    readable for longer than a moment, nor for a poll that does not end.
    """
    statuses, now = services.store.poll_statuses.all(), services.clock.now()
    last_success = min((status.last_success_at or status.since for status in statuses), default=now)
    patience = timedelta(seconds=services.timeouts.trouble)
    if not any(status.failure for status in statuses):
        patience = max(LONGEST_POLL, patience)
    interval = timedelta(seconds=services.poll_interval)
    return last_success - interval >= at or now - last_success >= patience


def stale_since(services: Services) -> datetime | None:
    """Return since when SecMaster can't be read, None if it can; blocks."""
    statuses = services.store.poll_statuses.all()
    return min(
        (status.last_success_at or status.since for status in statuses if status.failure),
        default=None,
    )


def known_since(services: Services) -> datetime:
    """Return as of when all that is open is known; blocks."""
    statuses = services.store.poll_statuses.all()
    return min(
        (status.last_success_at or status.since for status in statuses),
        default=services.clock.now(),
    )


def collect(
    services: Services,
    since: datetime,
    until: datetime,
    kinds: Collection[ObjectKind] = OBJECT_KINDS,
) -> ShiftSummary:
    """Return what happened in that time, and what is open now, of tasks and runs of these kinds.

    Blocks.
    """
    tracked_objects, now = services.store.tracked, services.clock.now()
    recent = list(audited_actions(services.store.engine, since - OVERLAP))
    certain = [action for action in recent if action.certain and since <= action.at < until]
    decided_here = {action.ref for action in recent if action.action.is_decision}
    # A task that is no longer there was decided by nobody.
    decided = [
        (tracked, at)
        for tracked, at in tracked_objects.settlements(since, until)
        if tracked.ref.kind == "task" and tracked.snapshot.status not in OPEN_STATUSES
    ]
    endings = Counter(
        how_ended(tracked.snapshot)
        for tracked, _ in decided
        if isinstance(tracked.snapshot, Task) and tracked.ref not in decided_here
    )
    waits = [
        max(0.0, (at - tracked.snapshot.create_time).total_seconds())
        for tracked, at in decided
        if isinstance(tracked.snapshot, Task) and tracked.snapshot.create_time
        if tracked.ref in decided_here or how_ended(tracked.snapshot) is TaskEnding.DECIDED
    ]
    soonest = [tracked.snapshot for tracked in tracked_objects.open_tasks(NAMED_OVERDUE)]
    retries = [action for action in certain if action.action.is_retry and action.ref.kind in kinds]
    retried = {action.ref for action in retries}
    counts = tracked_objects.open_counts(now, SOON)
    return ShiftSummary(
        since=since,
        until=until,
        deciders=count_deciders(certain),
        decided_outside=endings[TaskEnding.DECIDED],
        auto_approved=endings[TaskEnding.AUTO_APPROVED],
        cancelled=endings[TaskEnding.CANCELLED],
        median=median(waits) if waits else 0,
        timed=len(waits),
        waiting=counts.waiting,
        overdue=counts.overdue,
        oldest_overdue=tuple(
            OverdueTask(name=task.name, due=task.due_date, severity=_severity(task))
            for task in soonest
            if isinstance(task, Task) and task.due_date and task.due_date < now
        ),
        failed=counts.failed,
        failed_playbooks=counts.failed_playbooks if "playbook" in kinds else 0,
        playbooks_unlisted=any(
            status.playbooks_answer for status in services.store.poll_statuses.all()
        ),
        retriers=count_retriers(retries),
        retried=len(retried),
        recovered=sum(
            tracked.snapshot.status == InstanceStatus.FINISHED
            for tracked in tracked_objects.get(list(retried))
        ),
        failed_afterwards=services.store.followed_operations.count_failed_decisions(since, until),
        break_glass_users=tuple(_name(action) for action in certain if action.break_glass),
        claimed=tuple(
            ClaimedObject(name=each.snapshot.name, assignee=claim.name or claim.assignee)
            for each in tracked_objects.assigned(now)
            if (claim := each.assignment) and each.ref.kind in kinds
        ),
        muted=tuple(services.store.mutes.ending_after(since)),
        stale_since=stale_since(services),
    )


def count_deciders(actions: Sequence[AuditedAction]) -> tuple[DeciderCounts, ...]:
    """Count who decided how many tasks, the busiest first; two of one name are two people."""
    names: dict[str, str] = {}
    counts = {action.name: Counter[str]() for action in TABLE if action.is_decision}
    for action in actions:
        if action.action.is_decision:
            names[action.actor.id] = _name(action)
            counts.setdefault(action.action.name, Counter())[action.actor.id] += 1
    return tuple(
        DeciderCounts(
            name=names[user],
            decisions={name: counter[user] for name, counter in counts.items() if counter[user]},
        )
        for user, _ in sum(counts.values(), Counter[str]()).most_common()
    )


def count_retriers(retries: Sequence[AuditedAction]) -> tuple[RetrierCounts, ...]:
    """Count who retried how many runs, the busiest first."""
    names = {retry.actor.id: _name(retry) for retry in retries}
    counts = Counter(retry.actor.id for retry in retries).most_common()
    return tuple(RetrierCounts(name=names[user], retried=number) for user, number in counts)


def _name(action: AuditedAction) -> str:
    return action.actor.name or action.actor.id


def _severity(task: Task) -> str:
    return task.evidence.finding.severity if task.evidence and task.evidence.finding else ""
