"""The input and the error of a failed node, as a file in the thread where a card has no room."""

import asyncio

from bot import messages
from bot.domain.notifications import FailureDetailsNotification, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.secmaster import Instance, NotFound
from bot.services import Services
from bot.slack.gateway import call


async def enqueue_if_long(
    services: Services, entry: OutboxEntry, ref: Ref, snapshot: Snapshot, card: tuple[str, str]
) -> None:
    """Enqueue a file under a card, (channel, ts), that can't show all of the failed node.

    ``entry`` is the one that brought the card; the file goes the same way.
    """
    if not isinstance(snapshot, Instance) or not messages.failure_groups.needs_details_file(
        snapshot
    ):
        return
    now, (channel, thread) = services.clock.now(), card
    # One file for the same failure in each channel.
    details = OutboxEntry(
        dedupe_key=f"excerpt:{ref}:{snapshot.retry_count}:{channel}",
        destination=entry.destination,
        notification=FailureDetailsNotification(ref=ref, thread_ts=thread),
        not_before=now,
    )
    await asyncio.to_thread(services.store.outbox.add, [details], now)


async def share(
    services: Services, ref: Ref, channel: str, thread: str, *, may_be_shared: bool
) -> None:
    """Upload the input and the error of a run's failed node as a text file; raises SlackFailed.

    ``may_be_shared``: it may have been uploaded before a crash, and is looked for first.
    """
    try:
        run = await services.workspaces.read(ref)
    except NotFound:
        return
    if not isinstance(run, Instance) or run.failed_node is None:
        return
    name = f"{run.failed_node.action_id or run.id}-{run.retry_count}.txt"
    if may_be_shared and await services.slack.has_file(channel, thread, name):
        return
    await call(
        services.slack.client.files_upload_v2(
            filename=name,
            title=name,
            content=messages.failure_groups.failure_details(run),
            channel=channel,
            thread_ts=thread,
            initial_comment=messages.failure_groups.DETAILS_COMMENT,
        )
    )
