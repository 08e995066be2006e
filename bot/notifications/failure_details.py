"""The input and the error of a failed node, as a file in the thread where a card has no room."""

import asyncio
import logging
from typing import Literal

from bot import messages
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.notifications.notification import Notification, Posting
from bot.secmaster import Instance, NotFound
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)


class FailureDetailsNotification(Notification):
    """The input and the error of a failed node as a file, for which the card has no room."""

    kind: Literal["failure_details"] = "failure_details"
    ref: Ref

    async def deliver(self, posting: Posting) -> bool:
        """Share the file; where none can be, the card's short form has to do."""
        if not self.thread_ts:  # it belongs under a card in a channel that is closed by now
            return False
        try:
            return await self.share(posting)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning(
                "an excerpt can't be shared",
                extra={"dedupe_key": posting.entry.dedupe_key, "code": error.code},
            )
            return False

    async def share(self, posting: Posting) -> bool:
        """Upload the file into the thread, unless an earlier attempt did; raises SlackFailed.

        Returns whether it is there: a run that goes on by now needs none.
        """
        slack, channel, thread = posting.services.slack, posting.channel, self.thread_ts
        try:
            run = await posting.services.workspaces.read(self.ref)
        except NotFound:
            return False
        if not isinstance(run, Instance) or run.failed_node is None:
            return False
        name = f"{run.failed_node.action_id or run.id}-{run.retry_count}.txt"
        since = posting.entry.sending_at
        if since and await slack.has_file(channel, thread, name, since):
            return True
        content = messages.failure_groups.failure_details(posting.services.catalogue, run)
        comment = posting.services.catalogue.gettext(messages.failure_groups.DETAILS_COMMENT)
        await slack.share_file(channel, thread, name, content, comment)
        return True


async def enqueue_if_long(posting: Posting, ref: Ref, snapshot: Snapshot, card_ts: str) -> None:
    """Enqueue a file under a card that can't show all of the failed node.

    The file goes the way of the entry that brought the card.
    """
    if not isinstance(snapshot, Instance) or not messages.failure_groups.needs_details_file(
        snapshot
    ):
        return
    services, now = posting.services, posting.services.clock.now()
    # One file for the same failure in each channel.
    details = OutboxEntry(
        dedupe_key=f"excerpt:{ref}:{snapshot.retry_count}:{posting.channel}",
        destination=posting.entry.destination,
        notification=FailureDetailsNotification(ref=ref, thread_ts=card_ts),
        not_before=now,
    )
    await asyncio.to_thread(services.store.outbox.add, [details], now)
