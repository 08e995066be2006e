"""What every listener is given: the app's context, and what records."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Destination, Requester
from bot.notifications.notification import Announcement
from bot.operations.authorization import audit_record
from bot.operations.batch import Batches
from bot.operations.workflow import Operations
from bot.policy.config import Config
from bot.runtime.locks import KeyedLocks
from bot.services import Services
from bot.slack.directory import LookupFailed
from bot.store import RequestedChange, RequestedChanges


class SeenEvents:
    """The ids of recent events: Slack delivers an event up to four times within five minutes.

    ``limit`` is how many are remembered.
    """

    def __init__(self, limit: int = 5000) -> None:
        self._ids: dict[str, None] = {}
        self._limit = limit

    def is_new(self, event_id: str) -> bool:
        """Remember an event, and return whether it was unknown until now."""
        is_new = event_id not in self._ids
        self._ids[event_id] = None
        if len(self._ids) > self._limit:
            del self._ids[next(iter(self._ids))]
        return is_new


@dataclass(frozen=True, slots=True)
class AppContext:
    """What every listener works with; ``workspace`` is the alias that commands refer to.

    It records nothing that people ask for, so what is given no more may run after the
    acknowledgement. Whoever draws a person's Home holds the lock of their id among ``home_locks``.
    """

    services: Services
    workspace: str = "main"
    seen_events: SeenEvents = field(default_factory=SeenEvents)
    home_locks: KeyedLocks = field(default_factory=KeyedLocks)

    @property
    def config(self) -> Config:
        return self.services.policy.current

    @property
    def root(self) -> str:
        """What a person types before the words of a command."""
        return self.config.commands.root or "@bot"


@dataclass(frozen=True, slots=True)
class Recorder:
    """All that records what people ask for; only what runs before the acknowledgement is given it.

    So nothing can be acknowledged that would be lost with the process.
    """

    app: AppContext
    operations: Operations
    batches: Batches
    changes: RequestedChanges

    async def record_change(self, record: Callable[[], bool]) -> bool:
        """Call a method of ``changes`` in a thread, and have what it announces posted at once."""
        is_changed = await asyncio.to_thread(record)
        self.app.services.outbox_written.set()
        return is_changed

    def change(
        self,
        requester: Requester,
        dedupe_key: str,
        action: str,
        facts: Mapping[str, Any],
        announcement: tuple[str, Announcement] | None,
    ) -> RequestedChange:
        """Return a change to record: its audit record, and what is announced to whom.

        Delivered again it has the same ``dedupe_key``, and changes nothing.
        """
        services, id_ = self.app.services, stable_id(dedupe_key)
        now = services.clock.now()
        record = audit_record(services, requester, action, "done", id_)
        if announcement is None:
            return RequestedChange(now, {**record, **facts})
        to, notification = announcement
        entry = OutboxEntry(
            dedupe_key=f"{notification.kind}:{id_}",
            destination=Destination.parse(to),
            notification=notification,
            not_before=now,
        )
        return RequestedChange(now, {**record, **facts}, [entry])


def stable_id(dedupe_key: str) -> str:
    """Return the id that belongs to a key: a second delivery of a request gets the same."""
    return hashlib.sha256(dedupe_key.encode()).hexdigest()[:32]


async def identified(app: AppContext, requester: Requester) -> Requester:
    """Return the requester under the one id that they have, whichever Slack sent.

    Where Slack can't say who they are they are not identified, and nothing is recorded for them.
    """
    try:
        actor = await app.services.directory.identify(requester.actor)
    except LookupFailed:
        actor = requester.actor.model_copy(update={"is_identified": False})
    return replace(requester, actor=actor)
