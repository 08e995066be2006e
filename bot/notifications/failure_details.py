"""What a failed run was given and said, as a file in the thread where a card has no room."""

import asyncio

from bot import messages
from bot.domain.notifications import Notification, NotificationKind, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.secmaster import Instance, NotFound
from bot.services import services
from bot.slack import gateway


async def enqueue_if_long(card: OutboxEntry, snapshot: Snapshot, channel: str, thread: str) -> None:
    """Have a file posted under a card that could not show all of the failed node."""
    if not isinstance(snapshot, Instance) or not messages.failure_groups.needs_details_file(
        snapshot
    ):
        return
    now, ref = services().clock(), card.notification.ref
    notice = Notification(kind=NotificationKind.FAILURE_DETAILS, ref=ref, thread_ts=thread)
    # Of the same failure one file in each channel.
    once = f"excerpt:{ref}:{snapshot.retry_count}:{channel}"
    due = OutboxEntry(dedupe_key=once, channel=card.channel, notification=notice, not_before=now)
    await asyncio.to_thread(services().store.outbox.add, [due], now)


async def share(ref: Ref, channel: str, thread: str, *, perhaps_again: bool) -> None:
    """Upload what the failed node was given and said, as a text file."""
    try:
        run = await services().read(ref)
    except NotFound:
        return
    if not isinstance(run, Instance) or run.failed_node is None:
        return
    name = f"{run.failed_node.action_id or run.id}-{run.retry_count}.txt"
    if perhaps_again and await gateway.has_file(channel, thread, name):
        return
    upload = services().slack.files_upload_v2(
        filename=name,
        title=name,
        content=messages.failure_groups.failure_details(run),
        channel=channel,
        thread_ts=thread,
        initial_comment=messages.failure_groups.DETAILS_COMMENT,
    )
    await gateway.call(upload)
