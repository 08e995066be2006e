"""What is posted of claims: that somebody has one or released it, and that one has ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.messages import Message, assignments
from bot.messages.catalogue import Catalogue
from bot.notifications.notification import (
    Posting,
    RoutedNotification,
    ScheduledNotification,
    ThreadAnnouncement,
)
from bot.policy.routes import Route


class AssignmentNotification(ThreadAnnouncement):
    """Somebody claimed an object until a time, or with None released the claim.

    ``previous`` had it before, "" for nobody. ``auto_approves_at`` is when the task is approved by
    itself, where the claim was cut for that.
    """

    kind: Literal["assignment"] = "assignment"
    ref: Ref
    actor_id: str
    until: datetime | None = None
    previous: str = ""
    auto_approves_at: datetime | None = None

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message for the thread of the object's card."""
        if self.until is None:
            return assignments.released(catalogue, self.actor_id, self.previous)
        return assignments.claimed(
            catalogue, self.actor_id, self.until, self.previous, self.auto_approves_at
        )


class AssignmentEndedNotification(RoutedNotification):
    """A claim has ended by itself and the object is still open; ``assignee`` had it."""

    kind: Literal["assignment_ended"] = "assignment_ended"
    assignee: str = ""

    @classmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, _routes: Sequence[Route]
    ) -> list[ScheduledNotification]:
        """Return the end of a claim, on each route; it calls nobody while the object is snoozed."""
        assignment = tracked.assignment
        if assignment is None:
            return []
        notification = cls(
            ref=tracked.ref,
            mentions=() if tracked.is_snoozed(assignment.until) else route.mention,
            route=route.name,
            assignee=assignment.assignee,
        )
        key = notification.timed_key(assignment.until)
        item = ScheduledNotification(
            assignment.until, route, notification, key, despite_snooze=True
        )
        return [item]

    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Tell the thread of the object's card, if the channel has one, and draw the cards."""
        card = await posting.find_card(self.ref)
        if card is None:
            return False
        catalogue = posting.services.catalogue
        message = assignments.claim_over(catalogue, self.mentions, self.assignee, snapshot)
        await posting.reply(message, card.ts)
        await posting.redraw(self.ref)
        return True
