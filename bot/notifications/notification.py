"""What a kind of notification says: when it is due, whether it is still relevant, how it looks.

The kinds themselves are subclasses, and `bot.notifications.kinds.KINDS` lists them. Knows nothing
of other entries' order or pace.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from pydantic import ConfigDict

from bot import messages
from bot.domain.actions import OPEN_STATUSES
from bot.domain.cards import Card
from bot.domain.notifications import NotificationEnvelope, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Actor
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.messages import Message
from bot.messages.catalogue import Catalogue
from bot.policy.decide import Allowed, PolicyContext, ReadScope, decide_read, read_scope
from bot.policy.routes import Route, ThreadDetail
from bot.policy.rules import READS
from bot.secmaster import NotFound, SecMasterError
from bot.services import Services
from bot.slack.directory import LookupFailed
from bot.slack.error_codes import SlackErrorKind
from bot.slack.gateway import CannotPost

log = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(minutes=1)  # for an object that can't be read though others can
LATE_AFTER = timedelta(minutes=15)  # a message that comes later than this says so


@dataclass(slots=True)
class Posting:
    """One attempt to post an entry of the outbox into ``channel``, perhaps with ``others``.

    An entry that was tried before may stand there already: its message is found again by
    ``metadata``. ``also_done`` are the numbers of those others that the attempt sees through.
    ``is_unread`` is set where SecMaster could not be read, so that it goes by what was known.
    """

    services: Services
    entry: OutboxEntry
    channel: str
    metadata: dict[str, str]
    others: Sequence[OutboxEntry] = ()
    also_done: list[int] = field(default_factory=list)
    is_unread: bool = False

    @property
    def was_tried(self) -> bool:
        """Whether the entry's message may have been posted before a crash."""
        return self.entry.sending_at is not None

    @property
    def late_since(self) -> datetime | None:
        """When the entry should have been posted, where that is long ago; else None."""
        notification, now = self.entry.notification, self.services.clock.now()
        if notification.scheduled_at is None:
            return None
        due_at = max(
            notification.scheduled_at, notification.held_until or notification.scheduled_at
        )
        return due_at if now - due_at > LATE_AFTER else None

    async def reply(self, message: Message, thread: str = "", *, broadcast: bool = False) -> None:
        """Post a message once, into the channel or a thread; ``broadcast`` shows a reply in both.

        In a fallback channel it names the channel that it was meant for, and it says if it is late.
        Where the thread takes no replies it is posted in the channel, and says what it is about.
        """
        intended = self.entry.notification.intended_channel
        message = messages.notifications.with_origin(
            self.services.catalogue,
            message,
            intended,
            late_since=self.late_since,
            is_unread=self.is_unread,
        )
        post = partial(
            self.services.slack.post,
            self.channel,
            metadata=self.metadata,
            posted_since=self.entry.sending_at,
        )
        try:
            await post(message, thread=thread, broadcast=broadcast)
        except CannotPost as error:
            if error.kind is not SlackErrorKind.THREAD_CLOSED or not thread:
                raise
            await post(await self.outside_thread(message, thread))

    async def outside_thread(self, message: Message, thread: str) -> Message:
        """Return a message for a thread as it stands beside it, with a link to the thread."""
        cards = await asyncio.to_thread(self.services.store.cards.cards_at, self.channel, thread)
        ref = self.entry.notification.ref
        name = next((card.title for card in cards if card.ref == ref), "")
        permalink = self.services.slack.permalink(self.channel, thread)
        return messages.notifications.outside_thread(
            self.services.catalogue, message, name, permalink
        )

    async def find_posted(self) -> str:
        """Return the ts of the entry's message in the channel, "" where it has none yet."""
        since = self.entry.sending_at
        if since is None:
            return ""
        return await self.services.slack.find_posted(self.channel, "", self.metadata, since)

    async def find_card(self, ref: Ref) -> Card | None:
        """Return the card that an object has in the channel."""
        return await asyncio.to_thread(self.services.store.cards.card_in, ref, self.channel)

    async def read_open(self, ref: Ref) -> Snapshot | None:
        """Read and record an object; None where it is gone, or nobody is waited for any more.

        While SecMaster can't be read it is taken for what it was: what is due does not wait. Raises
        SecMasterError or TimeoutError for what may be over in a moment, or is about the object.
        """
        try:
            async with asyncio.timeout(self.services.timeouts.read):
                snapshot = await self.services.cards.read_and_track(ref)
        except NotFound:
            return None
        except (SecMasterError, TimeoutError):
            tracked = await asyncio.to_thread(self.last_known, ref)
            if tracked is None:
                raise
            self.is_unread = True
            return tracked.snapshot if tracked.open else None
        return snapshot if snapshot.status in OPEN_STATUSES else None

    def last_known(self, ref: Ref) -> TrackedObject | None:
        """Return an object as it was known last, where nothing better can be waited for; blocks.

        That is while polls fail too, or once the entry was tried for as long as it keeps its place.
        """
        store, sending_at = self.services.store, self.entry.sending_at
        status = store.poll_statuses.get(ref.workspace)
        has_waited = sending_at and self.services.clock.now() - sending_at >= LONGEST_WAIT
        if not (has_waited or (status and status.failure)):
            return None
        return next(iter(store.tracked.get([ref])), None)

    async def redraw(self, ref: Ref) -> None:
        """Draw an object's cards, from what was known where SecMaster can't be read.

        What the entry says stands in Slack by then, and must not be tried again for that.
        """
        cards, is_drawn = self.services.cards, False
        if not self.is_unread:
            try:
                await cards.redraw(ref)
                is_drawn = True
            except SecMasterError as error:
                log.warning("cards not read", extra={"ref": str(ref), "error": str(error)})
        if not is_drawn:
            await cards.redraw_from_stored(ref)


class Notification(NotificationEnvelope, ABC):
    """The base of every kind: a subclass names its ``kind``, has fields, and delivers itself.

    Those that one message brings may be in doubt together after a crash. A kind that ``regroups``
    is then posted together again, so that the message is found as it was.
    """

    regroups: ClassVar[bool] = False

    model_config = ConfigDict(extra="ignore")

    @property
    def group_key(self) -> tuple[object, ...] | None:
        """What notifications share that one message can bring; None for one that is alone."""
        return None

    def metadata(self, dedupe_key: str) -> dict[str, str]:
        """Return the metadata by which its message can be found again in Slack."""
        return {"part": self.kind, "operation": dedupe_key}

    @abstractmethod
    async def deliver(self, posting: Posting) -> bool:
        """Post it, unless it is no longer relevant; return whether there is a new message."""


class Announcement(Notification):
    """A kind that is one message, and relevant whenever its turn comes."""

    @abstractmethod
    def render(self, catalogue: Catalogue) -> Message:
        """Return the message."""

    async def deliver(self, posting: Posting) -> bool:
        """Post the message, into the thread if it has one."""
        await posting.reply(self.render(posting.services.catalogue), self.thread_ts)
        return True


class ThreadAnnouncement(Announcement):
    """One that is about an object, for the thread of its card, whose cards are drawn anew by it."""

    ref: Ref

    async def deliver(self, posting: Posting) -> bool:
        """Post the message, and draw the cards, which show what it says.

        A thread that gets outcomes only is not told: its card says as much.
        """
        detail = await posting.services.cards.thread_detail(self.ref, posting.channel)
        is_posted = not (self.thread_ts and detail is ThreadDetail.OUTCOMES)
        if is_posted:
            await super().deliver(posting)
        await posting.redraw(self.ref)
        return is_posted


class RoutedNotification(Notification):
    """A kind about an object that waits for people, posted where a route of the policy leads.

    ``mentions`` are the ids of people and user groups to be called; ``route`` is the route's name,
    "" for a subscription; ``card_group`` names the objects that may share its card.
    """

    ref: Ref
    mentions: tuple[str, ...] = ()
    route: str = ""
    card_group: str = ""

    @classmethod
    @abstractmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, routes: Sequence[Route]
    ) -> list["ScheduledNotification"]:
        """Return all of this kind that time makes due about an object by a route.

        Past and future. ``routes`` are all of the policy's.
        """

    async def still_relevant(self, posting: Posting) -> Snapshot | None:
        """Return its object as SecMaster has it now; None where nobody is waited for any more."""
        return await posting.read_open(self.ref)

    async def deliver(self, posting: Posting) -> bool:
        """Post it for as long as its object waits for people."""
        snapshot = await self.still_relevant(posting)
        return snapshot is not None and await self.post(posting, snapshot)

    @abstractmethod
    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Post it about an object that still waits; return whether there is a new message."""

    def timed_key(self, at: datetime) -> str:
        """Return the dedupe key of what is due at a time: at another time it is another one."""
        return f"{self.kind}:{self.ref}:{at.isoformat(timespec='seconds')}"


@dataclass(frozen=True, slots=True)
class ScheduledNotification:
    """A notification that time makes due, the route that asks for it, and its dedupe key.

    ``despite_snooze``: a snooze of the object does not hold it back. ``only_latest``: of several of
    its kind that were missed only the last one is still news. ``recipient`` is the person who gets
    it in the place of those whom the route leads to, "" for nobody.
    """

    at: datetime
    route: Route
    notification: RoutedNotification
    key: str
    despite_snooze: bool = False
    only_latest: bool = False
    recipient: str = ""


async def may_read(services: Services, user: str, ref: Ref, snapshot: Snapshot) -> bool:
    """Whether somebody may read this object now; raises LookupFailed for what may pass."""
    config, now = services.policy.current, services.clock.now()
    try:
        principal = await services.directory.principal(Actor(id=user), config.roles_about(*READS))
    except LookupFailed as error:
        if error.is_nobody:
            return False
        raise
    names = services.workspaces.all_names(ref.workspace)
    scope = read_scope(config.rules, principal, ref.kind, PolicyContext(names, now, None))
    context = PolicyContext(names, now, snapshot)
    return scope is ReadScope.EVERYTHING or isinstance(
        decide_read(config.rules, principal, ref.kind, context), Allowed
    )
