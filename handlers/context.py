"""What every listener is given: the app's context, and who asks from where.

Knows the shapes of Slack's payloads, and nothing of what is asked in them.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Actor, Destination, Requester, SlackLocation
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

# Slack puts these in the place of a private channel's name: they say only its kind.
UNNAMED_CHANNELS = ("privategroup", "directmessage", "mpdm")


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


def has_requester(body: dict[str, Any]) -> bool:
    """Return whether a payload names a person: Slack also posts notices, as app_rate_limited."""
    if "command" in body:
        return bool(body.get("user_id") and body.get("channel_id") and body.get("team_id"))
    if "event" in body:
        return isinstance(body["event"], dict)
    user = body.get("user")
    return isinstance(user, dict) and bool(user.get("id"))


def requester_of(body: dict[str, Any]) -> Requester:
    """Return who sent a command, a click, a submission or an event, and from where."""
    return Requester(actor_of(body), location_of(body))


async def identified(app: AppContext, requester: Requester) -> Requester:
    """Return the requester under the one id that they have, whichever Slack sent.

    Where Slack can't say who they are they are not identified, and nothing is recorded for them.
    """
    if not requester.actor.id:  # no person wrote it
        return requester
    try:
        actor = await app.services.directory.identify(requester.actor)
    except LookupFailed:
        actor = requester.actor.model_copy(update={"is_identified": False})
    return replace(requester, actor=actor)


def actor_of(body: dict[str, Any]) -> Actor:
    """Return the person behind a command, a click, a submission or an event."""
    if "command" in body:
        return Actor(id=body["user_id"], name=body.get("user_name", ""), team=body["team_id"])
    if "event" in body:
        event = body["event"]
        team = event.get("user_team") or event.get("team") or body.get("team_id", "")
        return Actor(id=event.get("user", ""), team=team)
    user = body["user"]
    team = user.get("team_id") or (body.get("team") or {}).get("id", "")
    return Actor(id=user["id"], name=user.get("username") or user.get("name", ""), team=team)


def location_of(body: dict[str, Any]) -> SlackLocation:
    """Return where a payload comes from; a click names the message, and perhaps its thread."""
    if "command" in body:
        return SlackLocation(
            channel=body["channel_id"],
            response_url=body.get("response_url", ""),
            channel_name=_channel_name(body.get("channel_name")),
        )
    if "event" in body:
        event = body["event"]
        return SlackLocation(channel=event.get("channel", ""), thread=event.get("thread_ts", ""))
    channel = body.get("channel") or {}
    container = body.get("container") or {}
    message = body.get("message") or {}
    is_ephemeral = container.get("is_ephemeral", False)
    return SlackLocation(
        channel=channel.get("id") or container.get("channel_id", ""),
        card="" if is_ephemeral else container.get("message_ts", ""),
        thread=message.get("thread_ts") or container.get("thread_ts", ""),
        response_url=body.get("response_url", ""),
        channel_name=_channel_name(channel.get("name")),
    )


def _channel_name(name: str | None) -> str:
    """Return a public channel's name, and "" for any other."""
    return "" if name is None or name in UNNAMED_CHANNELS else str(name)
