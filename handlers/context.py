"""What every listener is given: the app's context, and what records."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Destination, Requester
from bot.messages.catalogue import Catalogue
from bot.notifications.notification import Announcement
from bot.operations.authorization import audit_record
from bot.operations.batch import Batches
from bot.operations.workflow import Operations
from bot.policy.config import Config
from bot.runtime.locks import KeyedLocks
from bot.services import Services
from bot.slack.directory import LookupFailed
from bot.store import RequestedChange, RequestedChanges, may_have_committed

T = TypeVar("T")


class StillRecording(Exception):
    """Slack must be answered before what somebody asked for is on record: ``recording`` goes on."""

    def __init__(self, recording: asyncio.Task[Any]) -> None:
        super().__init__()
        self.recording = recording


@dataclass(frozen=True, slots=True)
class AppContext:
    """What every listener works with; ``workspace`` is the alias that commands refer to.

    It records nothing that people ask for, so what is given no more may run after the
    acknowledgement. Whoever draws a person's Home holds the lock of their id among ``home_locks``.
    """

    services: Services
    workspace: str = "main"
    home_locks: KeyedLocks = field(default_factory=KeyedLocks)

    @property
    def config(self) -> Config:
        return self.services.policy.current

    @property
    def catalogue(self) -> Catalogue:
        """The language in which people are answered."""
        return self.services.catalogue

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

    async def record(self, write: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Put a request on record; that goes on where Slack can't wait for it.

        Raises StillRecording then. It is not cancelled: what a thread has begun to write would be
        there all the same, and nobody could say what came of it. Where the connection broke in the
        middle ``write`` is called again: what has its id on record already adds nothing.
        """

        async def recording() -> T:
            try:
                return await write()
            except Exception as error:
                if not may_have_committed(error):
                    raise
                with suppress(Exception):
                    return await write()
                raise

        task = asyncio.create_task(recording())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            raise StillRecording(task) from error

    async def record_change(self, record: Callable[[], bool]) -> bool:
        """Call a method of ``changes`` in a thread, and have what it announces posted at once."""

        async def write() -> bool:
            is_changed = await asyncio.to_thread(record)
            self.app.services.outbox_written.set()
            return is_changed

        return await self.record(write)

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


def attempt_id(dedupe_key: str) -> str:
    """Return the id under which the audit has that a request was refused.

    It is not the one of what is done under the same key, once the requester may.
    """
    return stable_id(f"refused:{dedupe_key}")


async def identified(app: AppContext, requester: Requester) -> Requester:
    """Return the requester under the one id that they have, whichever Slack sent.

    Where Slack can't say who they are they are not identified, and nothing is recorded for them.
    """
    try:
        actor = await app.services.directory.identify(requester.actor)
    except LookupFailed:
        actor = requester.actor.model_copy(update={"is_identified": False})
    return replace(requester, actor=actor)
