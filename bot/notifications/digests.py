"""The hand-over at the times of the policy's ``[[digests]]``, and whenever somebody asks for it.

What it tells is gathered once, when it is written down to be posted.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from bot.domain.actions import OPEN_STATUSES
from bot.domain.notifications import Notification, NotificationKind, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.shift_digest import DeciderCounts, OverdueTask, RetrierCounts, ShiftSummary
from bot.domain.tracking import TrackedObject
from bot.messages.oncall import SOON
from bot.policy.routes import DigestSchedule
from bot.secmaster import Task
from bot.services import services
from bot.store.history import AuditedAction, audited_actions

log = logging.getLogger(__name__)

LATEST = timedelta(hours=6)  # an older one is news to nobody
PATIENT = timedelta(hours=1)  # to wait for SecMaster, before it is told as far as is known
NAMED = 3  # of the tasks that are overdue
OVERLAP = timedelta(hours=1)  # what SecMaster has as decided then may be on record here later
MOMENT = timedelta(microseconds=1)


async def enqueue_due() -> None:
    """After a round of the watch: write down each digest whose time has come, once."""
    for digest in services().policy().digests:
        # What was settled before its time is known once a round has begun after it.
        at = digest.last(services().clock() - timedelta(seconds=services().policy().watch.every))
        try:
            await asyncio.to_thread(_enqueue, digest, at)
        except Exception:
            # Whatever can't be told of a shift, all else is to be posted.
            log.exception("a digest could not be written down", extra={"channel": digest.channel})


def _enqueue(digest: DigestSchedule, at: datetime) -> None:
    store, now = services().store, services().clock()
    once = f"digest:{digest.channel}:{at.isoformat()}"
    began = min((each.since for each in store.poll_statuses.all()), default=now)
    if at <= began or now - at > LATEST or store.outbox.contains(once):
        return
    if unread_since() and now - at < PATIENT:
        return  # what was decided meanwhile belongs into this one, and no other would have it
    facts = collect(digest.last(at - MOMENT), at)
    notice = Notification(kind=NotificationKind.DIGEST, details={"facts": facts.model_dump_json()})
    due = OutboxEntry(dedupe_key=once, channel=digest.channel, notification=notice, not_before=now)
    store.outbox.add([due], now)


def unread_since() -> datetime | None:
    """Since when SecMaster can't be read; None if it can."""
    rounds = services().store.poll_statuses.all()
    return min(
        (each.last_success_at or each.since for each in rounds if each.failure), default=None
    )


def collect(since: datetime, until: datetime) -> ShiftSummary:
    """What happened in that time, and how it stands now; blocks, and is meant for a thread."""
    known, now = services().store.tracked, services().clock()
    lately = list(audited_actions(services().store.engine, since - OVERLAP))
    done = [deed for deed in lately if deed.certain and since <= deed.at < until]
    ours = {deed.ref for deed in lately if deed.action.claim_group == "decision"}
    settled = [(each, at) for each, at in known.settlements(since, until) if _was_decided(each)]
    took = [wait for each, at in settled if (wait := _wait(each, at)) is not None]
    retries = [deed for deed in done if deed.action.is_retry]
    refs = {deed.ref for deed in retries}
    tally = known.open_counts(now, SOON)
    return ShiftSummary(
        since=since,
        until=until,
        deciders=_deciders(done),
        decided_outside=sum(each.ref not in ours for each, _ in settled),
        median=median(took) if took else 0,
        timed=len(took),
        waiting=tally.waiting,
        overdue=tally.overdue,
        oldest_overdue=_late(known.open_tasks(NAMED), now),
        failed=tally.failed,
        retriers=_retriers(retries),
        retried=len(refs),
        recovered=_recovered(refs),
        break_glass_users=tuple(_name(deed) for deed in done if deed.break_glass),
        stale_since=unread_since(),
    )


def _was_decided(known: TrackedObject) -> bool:
    """Whether a task ended; one that is no longer there was decided by nobody."""
    return known.ref.kind == "task" and known.snapshot.status not in OPEN_STATUSES


def _wait(known: TrackedObject, until: datetime) -> float | None:
    """How many seconds a task waited, where SecMaster says since when."""
    task = known.snapshot
    if not isinstance(task, Task) or task.create_time is None:
        return None
    return max(0.0, (until - task.create_time).total_seconds())


def _deciders(done: Sequence[AuditedAction]) -> tuple[DeciderCounts, ...]:
    """Who decided how many, the busiest first; two of one name are two people."""
    names, approved, terminated = {}, Counter[str](), Counter[str]()
    for deed in done:
        if deed.action.claim_group == "decision":
            names[deed.actor.id] = _name(deed)
            counter = approved if deed.action.name == "task.approve" else terminated
            counter[deed.actor.id] += 1
    busiest = (approved + terminated).most_common()
    return tuple(
        DeciderCounts(name=names[who], approved=approved[who], terminated=terminated[who])
        for who, _ in busiest
    )


def _retriers(retries: Sequence[AuditedAction]) -> tuple[RetrierCounts, ...]:
    names = {deed.actor.id: _name(deed) for deed in retries}
    counted = Counter(deed.actor.id for deed in retries).most_common()
    return tuple(RetrierCounts(name=names[who], retried=number) for who, number in counted)


def _recovered(refs: set[Ref]) -> int:
    return sum(not each.open for each in services().store.tracked.get(list(refs)))


def _late(soonest: Sequence[TrackedObject], now: datetime) -> tuple[OverdueTask, ...]:
    return tuple(
        OverdueTask(name=task.name, due=task.due_date)
        for each in soonest
        if isinstance(task := each.snapshot, Task) and task.due_date and task.due_date < now
    )


def _name(deed: AuditedAction) -> str:
    return deed.actor.name or deed.actor.id
