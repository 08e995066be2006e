"""Tasks that SecMaster ended at their due dates: the audit has each, and shared cards say so.

A card of its own shows how its task ended. One of several tasks has rows for those that still wait
alone, so its thread is told which others ran out.
"""

import asyncio
import hashlib
from collections import defaultdict
from datetime import datetime
from typing import Any

from bot.domain.audit import SECMASTER, AuditOutcome
from bot.domain.endings import TaskEnding, how_ended
from bot.domain.notifications import OutboxEntry
from bot.domain.operations import OperationState
from bot.domain.slack import Destination
from bot.domain.tracking import RanOutTask, TrackedObject
from bot.notifications.kinds import RanOutNotification
from bot.secmaster import Task
from bot.services import Services

MOST = 50  # tasks a poll, in one transaction: a click must not wait for all of them
# Whoever decided from here, or may have, ended the task: then nobody can say that none did.
DECIDED_STATES = (OperationState.DONE, OperationState.UNKNOWN, OperationState.IN_DOUBT)


async def record_endings(services: Services) -> None:
    """Record the tasks that ran out since, and enqueue what the threads of shared cards are told.

    A task is recorded once it was read after its end, so that nobody who decided is left out.
    """

    def record() -> bool:
        store, now = services.store, services.clock.now()
        ended = store.tracked.unrecorded_endings(MOST)
        if not ended:
            return False
        undecided = [
            each for each in ended if not store.claims.standing_operation(each.ref, *DECIDED_STATES)
        ]
        records = [_record(services, each, now) for each in undecided]
        entries = _entries(services, undecided, now)
        refs = [each.ref for each in ended]
        store.tracked.record_endings(refs, records, entries, now)
        return bool(entries)

    if await asyncio.to_thread(record):
        services.outbox_written.set()


def _record(services: Services, tracked: TrackedObject, now: datetime) -> dict[str, Any]:
    """Return the audit record of a task that ran out, with what was shown of it last; blocks."""
    return {
        "at": now,
        "operation_id": _id_of_ending(tracked),
        "outcome": AuditOutcome.DONE,
        "action": "auto-approve" if _is_approved(tracked) else "auto-cancel",
        "target": str(tracked.ref),
        "actor": {"id": SECMASTER, "name": "SecMaster"},
        "object_name": tracked.snapshot.name,
        "decision_fingerprint": services.store.snapshots.last_open(tracked.ref),
        "status_after": tracked.snapshot.status,
    }


def _entries(services: Services, ended: list[TrackedObject], now: datetime) -> list[OutboxEntry]:
    """Return what the thread of each card of several tasks is told: a message for all; blocks."""
    cards, by_card = services.store.cards, defaultdict[tuple[str, str], list[TrackedObject]](list)
    for tracked in ended:
        for card in cards.cards_of(tracked.ref):
            if card.card_group and len(cards.cards_at(card.channel, card.ts)) > 1:
                by_card[card.channel, card.ts].append(tracked)
    return [
        OutboxEntry(
            dedupe_key=f"ran_out:{channel}:{ts}:{_id_of_ending(group[0])}",
            destination=Destination.parse(channel),
            notification=RanOutNotification(
                ref=group[0].ref,
                thread_ts=ts,
                tasks=tuple(
                    RanOutTask(
                        name=each.snapshot.name,
                        is_approved=_is_approved(each),
                        at=each.snapshot.update_time or now,
                    )
                    for each in group
                    if isinstance(each.snapshot, Task)
                ),
            ),
            not_before=now,
        )
        for (channel, ts), group in by_card.items()
    ]


def _is_approved(tracked: TrackedObject) -> bool:
    """Whether SecMaster approved a task that ran out; else it cancelled it."""
    task = tracked.snapshot
    return isinstance(task, Task) and how_ended(task) is TaskEnding.AUTO_APPROVED


def _id_of_ending(tracked: TrackedObject) -> str:
    """Return what names an ending: a task that waits again may run out again."""
    text = f"{tracked.ref} {tracked.open_since.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
