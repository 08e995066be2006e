"""Every kind of notification: ``KINDS`` is their only list, and the shorter ones stand here.

The outbox stores a notification as JSON, and `read` returns it as its own kind.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bot import messages
from bot.domain.actions import BY_NAME as ACTIONS
from bot.domain.approvals import Approval
from bot.domain.cards import in_channel
from bot.domain.mutes import Mute
from bot.domain.notifications import NotificationEnvelope, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.operations import Operation, Outcome
from bot.domain.run_results import RunResult, RunStatus
from bot.domain.shift_digest import ShiftSummary
from bot.domain.slack import Destination
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import FollowedOperation, RanOutTask, TrackedObject
from bot.domain.troubles import DueTasks, Trouble
from bot.messages import Message
from bot.messages.catalogue import Catalogue
from bot.notifications.approval_calls import (
    ApprovalCallNotification,
    ApprovalDirectCallNotification,
    ApprovalShortageNotification,
)
from bot.notifications.assignments import AssignmentEndedNotification, AssignmentNotification
from bot.notifications.card import CardNotification
from bot.notifications.failure_details import FailureDetailsNotification
from bot.notifications.notification import (
    Announcement,
    Notification,
    Posting,
    RoutedNotification,
    ScheduledNotification,
    ThreadAnnouncement,
    may_read,
)
from bot.notifications.reminder import ReminderNotification
from bot.policy.routes import Route
from bot.secmaster import Task
from bot.slack.gateway import CannotPost
from bot.store import RequestedChange, RequestedChanges


class SnoozeEndedNotification(RoutedNotification):
    """A snooze is over and the object still waits; ``snoozed_by`` is a Slack user id."""

    kind: Literal["snooze_ended"] = "snooze_ended"
    snoozed_by: str = ""

    @classmethod
    def schedule(
        cls, tracked: TrackedObject, route: Route, _routes: Sequence[Route]
    ) -> list[ScheduledNotification]:
        """Return the end of a snooze, on each route of the object."""
        at = tracked.snoozed_until
        if at is None:
            return []
        notification = cls(
            ref=tracked.ref,
            mentions=route.mention,
            route=route.name,
            snoozed_by=tracked.snoozed_by,
        )
        return [ScheduledNotification(at, route, notification, notification.timed_key(at))]

    def render(self, catalogue: Catalogue, snapshot: Snapshot) -> Message:
        """Return the message for the thread of the object's card."""
        return messages.notifications.snooze_ended(catalogue, self.snoozed_by, snapshot)

    async def post(self, posting: Posting, snapshot: Snapshot) -> bool:
        """Tell the thread of the object's card, if the channel has one."""
        card = await posting.find_card(self.ref)
        if card is None:
            return False
        await posting.reply(self.render(posting.services.catalogue, snapshot), card.ts)
        await posting.redraw(self.ref)
        return True


def _place_of(operation: Operation) -> tuple[Destination, str]:
    """Return where the end of an operation is told: its thread, or its person where it has none.

    It has none where no card was posted, as for somebody who may act on an object and not read it.
    """
    location = operation.location
    thread = location.card or location.thread
    return Destination.parse(location.channel if thread else operation.actor.id), thread


class RunResultNotification(Announcement):
    """How a run went on that was retried from Slack, or that a decision from Slack let continue."""

    kind: Literal["run_result"] = "run_result"
    ref: Ref
    action: str
    actor_id: str = ""
    result: RunResult

    @classmethod
    def entry(cls, followed: FollowedOperation, result: RunResult, now: datetime) -> OutboxEntry:
        """Return the entry that tells the thread of an operation how its run went on."""
        operation = followed.operation
        destination, thread = _place_of(operation)
        part = "running" if result.status is RunStatus.STILL_RUNNING else "ended"
        return OutboxEntry(
            dedupe_key=f"{part}:{operation.id}",
            destination=destination,
            notification=cls(
                ref=operation.ref,
                thread_ts=thread,
                action=operation.action,
                actor_id=operation.actor.id,
                result=result,
            ),
            not_before=now,
        )

    def render(self, catalogue: Catalogue, url: str = "", *, in_detail: bool = True) -> Message:
        """Return the message for the thread; ``url`` is that of the card that it links to.

        It is not ``in_detail`` for those who may not read the run.
        """
        result = self.result if in_detail else self.result.without_details()
        return messages.run_results.thread_message(
            catalogue, ACTIONS[self.action], self.actor_id, result, url
        )

    async def deliver(self, posting: Posting) -> bool:
        """Post the message, and show what came of a decision on the cards of its task."""
        services, linked = posting.services, self.result.next_task or self.result.run
        cards = await asyncio.to_thread(services.store.cards.cards_of, linked) if linked else []
        card = in_channel(cards, posting.channel)
        url = services.slack.permalink(card.channel, card.ts) if card else ""
        # Whoever got no card may not read the object. A task's thread is read by all its readers.
        in_detail = bool(self.thread_ts) and (
            self.ref.kind != "task" or services.cards.names_runs(self.ref, self.result.run.kind)
        )
        message = self.render(services.catalogue, url, in_detail=in_detail)
        if self.ref.kind == "task" and self.thread_ts:
            message = await self._named(posting, message)
        await posting.reply(message, self.thread_ts)
        if self.ref.kind == "task" and self.result.status is not RunStatus.STILL_RUNNING:
            await posting.redraw(self.ref)
        return True

    async def _named(self, posting: Posting, message: Message) -> Message:
        """Put the task's name above the message, unless the thread is that of its own card."""
        store = posting.services.store
        cards = await asyncio.to_thread(store.cards.cards_at, posting.channel, self.thread_ts)
        if [card.ref for card in cards] == [self.ref]:
            return message
        titles = [card.title for card in cards if card.ref == self.ref]
        tracked = await asyncio.to_thread(store.tracked.get, [self.ref])
        names = [*titles, *(each.snapshot.name for each in tracked), ""]
        return messages.batch_results.item_message(names[0], self.ref, message)


class SnoozeNotification(ThreadAnnouncement):
    """Somebody snoozed an object for everybody until a time, or ended its snooze.

    ``auto_approves_at`` is when the task is approved by itself, where the snooze was cut for that.
    """

    kind: Literal["snooze"] = "snooze"
    ref: Ref
    actor_id: str
    until: datetime | None = None
    auto_approves_at: datetime | None = None

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message for the thread of the object's card."""
        if self.until is None:
            return messages.watch.snooze_ended(catalogue, self.actor_id)
        return messages.watch.snoozed(catalogue, self.actor_id, self.until, self.auto_approves_at)


class EscalationNotification(ThreadAnnouncement):
    """Somebody escalated an object at once, to these routes."""

    kind: Literal["escalation"] = "escalation"
    ref: Ref
    actor_id: str
    targets: tuple[str, ...]
    reason: str = ""

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message for the thread of the object's card."""
        return messages.escalations.escalated(catalogue, self.actor_id, self.targets, self.reason)


class MuteNotification(Announcement):
    """Somebody muted a workflow, or with None ended its mute."""

    kind: Literal["mute"] = "mute"
    actor_id: str
    name: str
    mute: Mute | None = None

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message for the thread in which that was asked for."""
        if self.mute is None:
            return messages.mutes.unmuted(catalogue, self.actor_id, self.name)
        return messages.mutes.muted(catalogue, self.mute)


class PersonalSnoozeNotification(Announcement):
    """Somebody snoozed an object for themselves alone."""

    kind: Literal["personal_snooze"] = "personal_snooze"
    ref: Ref
    name: str
    until: datetime
    auto_approves_at: datetime | None = None

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message to the person."""
        return messages.watch.snoozed_for_me(
            catalogue, self.name, self.until, self.auto_approves_at
        )


class PersonalSnoozeEndedNotification(Notification):
    """The snooze of a person for themselves is over at its time."""

    kind: Literal["personal_snooze_ended"] = "personal_snooze_ended"
    ref: Ref

    async def deliver(self, posting: Posting) -> bool:
        """Tell the person, if the object still waits and they have not snoozed it anew.

        Nor is it named to whoever may not read it any more.
        """
        services = posting.services
        snoozed = services.store.personal_snoozes.of
        user = posting.entry.destination.id
        if self.ref in await asyncio.to_thread(snoozed, user, services.clock.now()):
            return False
        snapshot = await posting.read_open(self.ref)
        if snapshot is None or not await may_read(services, user, self.ref, snapshot):
            return False
        await posting.reply(messages.notifications.snooze_ended(services.catalogue, "", snapshot))
        return True


class GivenUpNotification(Announcement):
    """An operation that was interrupted, and that an operator gave up."""

    kind: Literal["given_up"] = "given_up"
    ref: Ref
    operation: Operation
    outcome: Outcome

    @classmethod
    def entry(cls, operation: Operation, outcome: Outcome, now: datetime) -> OutboxEntry:
        """Return the entry that tells the thread of an operation that it was given up."""
        destination, thread = _place_of(operation)
        return OutboxEntry(
            dedupe_key=f"given_up:{operation.id}",
            destination=destination,
            notification=cls(
                ref=operation.ref,
                thread_ts=thread,
                operation=operation,
                outcome=outcome,
            ),
            not_before=now,
        )

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message for the thread of the operation."""
        return messages.outcome(catalogue, self.operation, self.outcome)

    async def deliver(self, posting: Posting) -> bool:
        """Post the message, and draw the cards of the object, which nobody decides on any more."""
        await super().deliver(posting)
        await posting.redraw(self.ref)
        return True


class ApprovalsRevokedNotification(ThreadAnnouncement):
    """Approvals no longer count, since a delegation is over: ``count`` of ``needed`` are left.

    ``dropped`` are those of later stages, which went with them.
    """

    kind: Literal["approvals_revoked"] = "approvals_revoked"
    ref: Ref
    action: str
    name: str
    revoked: tuple[Approval, ...]
    dropped: tuple[Approval, ...] = ()
    count: int
    needed: int

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message for the thread in which the approvals were asked for."""
        return messages.approvals.approvals_revoked(
            catalogue,
            ACTIONS[self.action],
            self.name,
            self.revoked,
            self.dropped,
            self.count,
            self.needed,
        )


class DelegationNotification(Announcement):
    """Somebody delegated their rights to the person until a time; or not any more, with None."""

    kind: Literal["delegation"] = "delegation"
    delegator: str
    until: datetime | None = None

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message to the delegate."""
        if self.until is None:
            return messages.permissions.delegation_withdrawn(catalogue, self.delegator)
        return messages.permissions.delegation_received(catalogue, self.delegator, self.until)


class SubscriptionNotification(Announcement):
    """Somebody subscribed the channel to everything that comes, or ended its subscription."""

    kind: Literal["subscription"] = "subscription"
    actor_id: str
    subscribed: bool

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message to the channel."""
        if self.subscribed:
            return messages.watch.subscribed(catalogue, self.actor_id)
        return messages.watch.unsubscribed(catalogue, self.actor_id)

    async def deliver(self, posting: Posting) -> bool:
        """Tell the channel; one that takes no message can't be subscribed, so that is undone."""
        try:
            return await super().deliver(posting)
        except CannotPost as error:
            if self.subscribed:
                await asyncio.to_thread(self.undo, posting, error.code)
            return False

    def undo(self, posting: Posting, code: str) -> None:
        """End the subscription, on record, and have its requester told; blocks."""
        services, now = posting.services, posting.services.clock.now()
        record = {
            "at": now,
            "operation_id": posting.entry.dedupe_key,
            "outcome": "failed",
            "action": "watch",
            "target": posting.channel,
            "actor": {"id": self.actor_id},
            "detail": code,
        }
        report = OutboxEntry(
            dedupe_key=f"undone:{posting.entry.dedupe_key}",
            destination=Destination.parse(self.actor_id),
            notification=SubscriptionUndoneNotification(channel=posting.channel, code=code),
            not_before=now,
        )
        changes = RequestedChanges(services.store.engine)
        changes.unsubscribe(posting.channel, RequestedChange(now, record, [report]))
        services.outbox_written.set()


class SubscriptionUndoneNotification(Announcement):
    """A channel was not subscribed after all; ``code`` is Slack's word for why."""

    kind: Literal["subscription_undone"] = "subscription_undone"
    channel: str
    code: str

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message to whoever subscribed it."""
        return messages.watch.subscription_undone(catalogue, self.channel, self.code)


class BacklogNotification(Announcement):
    """How many objects were open before the first poll, where a route leads.

    ``root`` is what is typed before a command; ``reminds``: the route reminds of due dates.
    """

    kind: Literal["backlog"] = "backlog"
    tasks: int = 0
    failed: int = 0
    failed_playbooks: int = 0
    overdue: int = 0
    root: str = ""
    reminds: bool = False

    @classmethod
    def of(
        cls, objects: Sequence[TrackedObject], now: datetime, root: str, *, reminds: bool
    ) -> "BacklogNotification":
        """Sum up the objects of one destination."""
        tasks = [item.snapshot for item in objects if isinstance(item.snapshot, Task)]
        kinds = Counter(item.ref.kind for item in objects)
        return cls(
            tasks=kinds["task"],
            failed=kinds["instance"],
            failed_playbooks=kinds["playbook"],
            overdue=sum(task.due_date is not None and task.due_date < now for task in tasks),
            root=root,
            reminds=reminds,
        )

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message."""
        return messages.notifications.backlog(
            catalogue,
            tasks=self.tasks,
            failed=self.failed,
            failed_playbooks=self.failed_playbooks,
            overdue=self.overdue,
            root=self.root,
            reminds=self.reminds,
        )


class DigestNotification(Announcement):
    """The report of a shift, as it was when its time came."""

    kind: Literal["digest"] = "digest"
    summary: ShiftSummary

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message."""
        return messages.digest.digest(catalogue, self.summary)


class ChannelClosedNotification(Announcement):
    """Nothing can be posted in ``channel``; ``code`` is Slack's word for why, or ours."""

    kind: Literal["channel_closed"] = "channel_closed"
    channel: str
    code: str

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message to an admin."""
        return messages.notifications.channel_closed(
            catalogue, Destination.parse(self.channel), self.code
        )


class TroubleNotification(Announcement):
    """Something keeps the bot from its work; ``tasks`` are approved by themselves meanwhile."""

    kind: Literal["trouble"] = "trouble"
    trouble: Trouble
    tasks: DueTasks = DueTasks()
    recurs: bool = False

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message to an admin, or to the fallback channel."""
        return messages.troubles.began(catalogue, self.trouble, self.tasks, recurs=self.recurs)


class TroubleOverNotification(Announcement):
    """A trouble that people were told of was over ``until`` this time."""

    kind: Literal["trouble_over"] = "trouble_over"
    trouble: Trouble
    until: datetime

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message to an admin, or to the fallback channel."""
        return messages.troubles.over(catalogue, self.trouble, self.until)


class RanOutNotification(Announcement):
    """Tasks of one card ran out: SecMaster ended them by itself at their due dates."""

    kind: Literal["ran_out"] = "ran_out"
    ref: Ref
    tasks: tuple[RanOutTask, ...]

    def render(self, catalogue: Catalogue) -> Message:
        """Return the message for the thread of the card."""
        return messages.notifications.ran_out(catalogue, self.tasks)


# Those that time makes due are planned, and so posted, in this order.
KINDS: tuple[type[Notification], ...] = (
    ReminderNotification,
    CardNotification,
    SnoozeEndedNotification,
    RunResultNotification,
    AssignmentEndedNotification,
    SnoozeNotification,
    AssignmentNotification,
    EscalationNotification,
    MuteNotification,
    PersonalSnoozeNotification,
    PersonalSnoozeEndedNotification,
    DelegationNotification,
    ApprovalsRevokedNotification,
    SubscriptionNotification,
    SubscriptionUndoneNotification,
    GivenUpNotification,
    FailureDetailsNotification,
    BacklogNotification,
    DigestNotification,
    ChannelClosedNotification,
    TroubleNotification,
    TroubleOverNotification,
    ApprovalCallNotification,
    ApprovalDirectCallNotification,
    ApprovalShortageNotification,
    RanOutNotification,
)
BY_NAME = {str(kind.model_fields["kind"].default): kind for kind in KINDS}


def read(envelope: NotificationEnvelope) -> Notification:
    """Return a notification from the outbox as its own kind; raises ValueError for none of ours."""
    if envelope.kind not in BY_NAME:
        raise ValueError(f"{envelope.kind!r} is no kind of notification")
    return BY_NAME[envelope.kind].model_validate(envelope.model_dump())
