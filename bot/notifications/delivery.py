"""What is posted together, and the way into its channel: the kinds do the rest."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from bot import messages
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Destination, DestinationKind
from bot.notifications import kinds
from bot.notifications.notification import Posting, RoutedNotification
from bot.services import Services

MAX_GROUP = 50  # entries that share one message
LOOK_AHEAD = 500  # entries of a line among which those of one group are looked for


def snoozed_for(services: Services, destination: Destination) -> Mapping[Ref, datetime]:
    """Return what a person has snoozed for themselves, until when; blocks."""
    if destination.kind is not DestinationKind.PERSON:
        return {}
    return services.store.personal_snoozes.of(destination.id, services.clock.now())


def snoozed_until(entry: OutboxEntry, snoozed: Mapping[Ref, datetime]) -> datetime | None:
    """Return until when an entry is put off, which is about an object that somebody snoozed.

    What somebody did themselves, or was promised, they are told all the same.
    """
    ref = entry.notification.ref
    if ref is None or not isinstance(kinds.read(entry.notification), RoutedNotification):
        return None
    return snoozed.get(ref)


def entries_together(
    services: Services, first: OutboxEntry, snoozed: Mapping[Ref, datetime] = MappingProxyType({})
) -> list[OutboxEntry]:
    """Return an entry, and after it what is posted with it; blocks.

    These are all that the same quiet hours held back, or those of one group. What may have been
    posted before a crash is posted alone, or with what was posted with it. What is ``snoozed`` is
    left for later.
    """
    outbox, now = services.store.outbox, services.clock.now()
    if until := first.notification.held_until:
        return outbox.held_entries(first.destination, until, now)
    notification = kinds.read(first.notification)
    group_key = notification.group_key
    if group_key is None or (first.sending_at is not None and not notification.regroups):
        return [first]
    group = [
        entry
        for entry in outbox.ready_entries(first.destination, now, LOOK_AHEAD)
        if entry.number != first.number
        and entry.sending_at == first.sending_at
        and entry.notification.kind == first.notification.kind
        and kinds.read(entry.notification).group_key == group_key
        and snoozed_until(entry, snoozed) is None
    ]
    return [first, *group][:MAX_GROUP]


async def deliver(services: Services, entries: Sequence[OutboxEntry]) -> tuple[bool, list[int]]:
    """Post entries of one destination that belong together: one, a group's, or a summary of them.

    Returns whether there is a new message, and the numbers of the entries that are done.
    """
    first, *others = entries
    channel = await slack_channel(services, first.destination)
    notification = kinds.read(first.notification)
    metadata = notification.metadata(first.dedupe_key)
    posting = Posting(services, first, channel, metadata, others)
    if others and notification.held_until:
        return await post_quiet_summary(posting), [entry.number for entry in entries]
    is_posted = await notification.deliver(posting)
    return is_posted, [first.number, *posting.also_done]


async def slack_channel(services: Services, destination: Destination) -> str:
    """Return the id of a destination's channel: for a person that of our direct messages."""
    is_person = destination.kind is DestinationKind.PERSON
    return await services.slack.open_dm(destination.id) if is_person else destination.id


async def post_quiet_summary(posting: Posting) -> bool:
    """Post one message for all that quiet hours held back and that is still open."""
    services, entries = posting.services, (posting.entry, *posting.others)
    refs = dict.fromkeys(entry.notification.ref for entry in entries if entry.notification.ref)
    objects = await asyncio.to_thread(services.store.tracked.get, list(refs))
    waiting = [tracked for tracked in objects if tracked.open]
    if not waiting:
        return False
    now = services.clock.now()
    await posting.reply(
        messages.notifications.quiet_summary(services.catalogue, waiting, len(objects), now)
    )
    return True
