"""What a failed run was given and said, as a file in the thread where a card has no room."""

import asyncio

from bot import messages
from bot.domain.actions import Snapshot
from bot.domain.models import Ref
from bot.domain.notifications import Due, Notice, NoticeKind
from bot.secmaster import Instance, NotFound
from bot.services import desk
from bot.slack import gateway


async def wanted(card: Due, snapshot: Snapshot, channel: str, thread: str) -> None:
    """Have a file posted under a card that could not show all of the failed node."""
    if not isinstance(snapshot, Instance) or not messages.failure_groups.is_long(snapshot):
        return
    now, ref = desk().clock(), card.notice.ref
    notice = Notice(kind=NoticeKind.EXCERPT, ref=ref, thread=thread)
    # Of the same failure one file in each channel.
    once = f"excerpt:{ref}:{snapshot.retry_count}:{channel}"
    due = Due(once=once, channel=card.channel, notice=notice, not_before=now)
    await asyncio.to_thread(desk().store.outbox.add, [due], now)


async def share(ref: Ref, channel: str, thread: str, *, perhaps_again: bool) -> None:
    """Upload what the failed node was given and said, as a text file."""
    try:
        run = await desk().look(ref)
    except NotFound:
        return
    if not isinstance(run, Instance) or run.failed_node is None:
        return
    name = f"{run.failed_node.action_id or run.id}-{run.retry_count}.txt"
    if perhaps_again and await gateway.has_file(channel, thread, name):
        return
    upload = desk().slack.files_upload_v2(
        filename=name,
        title=name,
        content=messages.failure_groups.whole_failure(run),
        channel=channel,
        thread_ts=thread,
        initial_comment=messages.failure_groups.EXCERPT,
    )
    await gateway.asked(upload)
