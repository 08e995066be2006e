"""The hand-over at the times of the policy's ``[[digests]]``, and whenever somebody asks for it.

What it tells is gathered once, when it is written down to be posted.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from bot.domain.actions import WAITED_FOR
from bot.domain.models import Ref
from bot.domain.notifications import Due, Notice, NoticeKind
from bot.messages.digest import Decider, HandOver, Late, Retrier
from bot.messages.oncall import SOON
from bot.policy.routes import Digest
from bot.secmaster import Task
from bot.services import desk
from bot.store import Known
from bot.store.history import Deed, deeds

log = logging.getLogger(__name__)

LATEST = timedelta(hours=6)  # an older one is news to nobody
PATIENT = timedelta(hours=1)  # to wait for SecMaster, before it is told as far as is known
NAMED = 3  # of the tasks that are overdue
OVERLAP = timedelta(hours=1)  # what SecMaster has as decided then may be on record here later
MOMENT = timedelta(microseconds=1)


async def enqueue() -> None:
    """After a round of the watch: write down each digest whose time has come, once."""
    for digest in desk().policy().digests:
        # What was settled before its time is known once a round has begun after it.
        at = digest.last(desk().clock() - timedelta(seconds=desk().policy().watch.every))
        try:
            await asyncio.to_thread(_enqueue, digest, at)
        except Exception:
            # Whatever can't be told of a shift, all else is to be posted.
            log.exception("a digest could not be written down", extra={"channel": digest.channel})


def _enqueue(digest: Digest, at: datetime) -> None:
    store, now = desk().store, desk().clock()
    once = f"digest:{digest.channel}:{at.isoformat()}"
    began = min((each.since for each in store.rounds.all()), default=now)
    if at <= began or now - at > LATEST or store.outbox.knows(once):
        return
    if unread_since() and now - at < PATIENT:
        return  # what was decided meanwhile belongs into this one, and no other would have it
    facts = gathered(digest.last(at - MOMENT), at)
    notice = Notice(kind=NoticeKind.DIGEST, told={"facts": facts.model_dump_json()})
    due = Due(once=once, channel=digest.channel, notice=notice, not_before=now)
    store.outbox.add([due], now)


def unread_since() -> datetime | None:
    """Since when SecMaster can't be read; None if it can."""
    rounds = desk().store.rounds.all()
    return min((each.ended_at or each.since for each in rounds if each.trouble), default=None)


def gathered(since: datetime, until: datetime) -> HandOver:
    """What happened in that time, and how it stands now; blocks, and is meant for a thread."""
    known, now = desk().store.known, desk().clock()
    lately = list(deeds(desk().store.engine, since - OVERLAP))
    done = [deed for deed in lately if deed.sure and since <= deed.at < until]
    ours = {deed.ref for deed in lately if deed.action.once == "decision"}
    settled = [(each, at) for each, at in known.settlements(since, until) if _was_decided(each)]
    took = [wait for each, at in settled if (wait := _wait(each, at)) is not None]
    retries = [deed for deed in done if deed.action.retries]
    refs = {deed.ref for deed in retries}
    tally = known.tally(now, SOON)
    return HandOver(
        since=since,
        until=until,
        deciders=_deciders(done),
        elsewhere=sum(each.ref not in ours for each, _ in settled),
        median=median(took) if took else 0,
        timed=len(took),
        waiting=tally.waiting,
        overdue=tally.overdue,
        late=_late(known.open_tasks(NAMED), now),
        failed=tally.failed,
        retriers=_retriers(retries),
        retried=len(refs),
        recovered=_recovered(refs),
        glass=tuple(_name(deed) for deed in done if deed.glass),
        unread_since=unread_since(),
    )


def _was_decided(known: Known) -> bool:
    """Whether a task ended; one that is no longer there was decided by nobody."""
    return known.ref.noun == "task" and known.snapshot.status not in WAITED_FOR


def _wait(known: Known, until: datetime) -> float | None:
    """How many seconds a task waited, where SecMaster says since when."""
    task = known.snapshot
    if not isinstance(task, Task) or task.create_time is None:
        return None
    return max(0.0, (until - task.create_time).total_seconds())


def _deciders(done: Sequence[Deed]) -> tuple[Decider, ...]:
    """Who decided how many, the busiest first; two of one name are two people."""
    names, approved, terminated = {}, Counter[str](), Counter[str]()
    for deed in done:
        if deed.action.once == "decision":
            names[deed.actor.id] = _name(deed)
            counter = approved if deed.action.name == "task.approve" else terminated
            counter[deed.actor.id] += 1
    busiest = (approved + terminated).most_common()
    return tuple(
        Decider(name=names[who], approved=approved[who], terminated=terminated[who])
        for who, _ in busiest
    )


def _retriers(retries: Sequence[Deed]) -> tuple[Retrier, ...]:
    names = {deed.actor.id: _name(deed) for deed in retries}
    counted = Counter(deed.actor.id for deed in retries).most_common()
    return tuple(Retrier(name=names[who], retried=number) for who, number in counted)


def _recovered(refs: set[Ref]) -> int:
    return sum(not each.open for each in desk().store.known.of(list(refs)))


def _late(soonest: Sequence[Known], now: datetime) -> tuple[Late, ...]:
    return tuple(
        Late(name=task.name, due=task.due_date)
        for each in soonest
        if isinstance(task := each.snapshot, Task) and task.due_date and task.due_date < now
    )


def _name(deed: Deed) -> str:
    return deed.actor.name or deed.actor.id
