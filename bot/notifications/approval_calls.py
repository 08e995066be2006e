"""Call those who may give the next approval of a request, and remind them before it ends.

Calls are planned from the requests that are open, each under a key of its own, so that neither a
crash nor another replica calls anybody twice. Who is called is asked when a call is posted: until
then people approve, requests end and policies change.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from bot import messages
from bot.domain.approvals import ApprovalRequest, OpenRequest
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Destination, DestinationKind
from bot.notifications.approvers import (
    Call,
    CalledRequest,
    Callees,
    find_callees,
    find_shortage,
    may_approve,
    read_call,
)
from bot.notifications.notification import Notification, Posting, may_read
from bot.policy.routes import ThreadDetail, matching_routes
from bot.services import Services

REMIND_BEFORE = timedelta(minutes=10)  # the end of a request, or a quarter of its time if less
LONGEST_BATCH = timedelta(minutes=1)  # for which the calls of a batch wait for its end


class ApprovalCallNotification(Notification):
    """Those who may give the next approval of a request are called, by its rule and their choice.

    It is posted in the thread of the object's card; where no channel shows the object everybody is
    called in a direct message, and its destination is only a place in line. Each ``stage``, by its
    number from 0, has its own call; a reminder is for the stage whose turn it is by then. The
    requests that one batch opened, by the message of its results ``batch_ts``, are called for in
    one message.
    """

    regroups: ClassVar[bool] = True
    kind: Literal["approval_call"] = "approval_call"
    ref: Ref
    request_id: str
    stage: int = 0
    reminds: bool = False
    in_channel: bool = True
    batch_ts: str = ""

    @property
    def group_key(self) -> tuple[object, ...] | None:
        """The batch that opened the request, and the stage; None for one that was opened alone."""
        return (self.batch_ts, self.stage, self.reminds) if self.batch_ts else None

    async def deliver(self, posting: Posting) -> bool:
        """Mention those who are called in the thread, and have the others told alone."""
        services = posting.services
        posting.also_done += [entry.number for entry in posting.others]
        entries = (posting.entry, *posting.others)
        notifications = [
            ApprovalCallNotification.model_validate(entry.notification.model_dump())
            for entry in entries
        ]
        calls = [
            call
            for each in notifications
            if (call := await read_call(services, each.ref, each.request_id))
            and (self.reminds or call.request.turn == self.stage)
        ]
        callees = [await find_callees(services, call, in_channel=self.in_channel) for call in calls]
        if not self.reminds:
            await enqueue_shortage(posting, calls, self.thread_ts)
        await self.enqueue_direct(posting, calls, callees)
        mentioned = [
            (call, each) for call, each in zip(calls, callees, strict=True) if each.mentions
        ]
        if not mentioned:
            return False
        mentions = dict.fromkeys(id_ for _call, each in mentioned for id_ in each.mentions)
        called = [call for call, _callees in mentioned]
        is_urgent = self.reminds and any(
            call.ends_otherwise(services.clock.now()) for call in called
        )
        message = await self.message(posting, called, tuple(mentions))
        await posting.reply(message, self.thread_ts, broadcast=is_urgent and bool(self.thread_ts))
        return True

    async def enqueue_direct(
        self, posting: Posting, calls: Sequence[Call], callees: Sequence[Callees]
    ) -> None:
        """Have everybody who is to be told alone told of all that they are called for."""
        services, now = posting.services, posting.services.clock.now()
        requests: dict[str, list[CalledRequest]] = defaultdict(list)
        for call, each in zip(calls, callees, strict=True):
            for user in each.direct:
                requests[user].append(call.called)
        entries = [
            OutboxEntry(
                dedupe_key=f"{posting.entry.dedupe_key}:{user}",
                destination=Destination.parse(user),
                notification=ApprovalDirectCallNotification(
                    requests=tuple(requests[user]), reminds=self.reminds
                ),
                not_before=now,
            )
            for user in sorted(requests)
        ]
        await asyncio.to_thread(services.store.outbox.add, entries, now)
        if entries:
            services.outbox_written.set()

    async def message(
        self, posting: Posting, calls: Sequence[Call], mentions: tuple[str, ...]
    ) -> messages.Message:
        """Return the message that calls these people and user groups for these requests."""
        services, first = posting.services, calls[0]
        context = replace(services.cards.render_context(first.origin.ref), mentions=mentions)
        if len(calls) > 1:
            pairs = [(call.snapshot, call.request) for call in calls]
            return messages.approval_calls.batch_in_thread(context, pairs, reminds=self.reminds)
        # Whoever opened the request was answered there, with the same warning.
        location = first.origin.location
        detail = await services.cards.thread_detail(first.origin.ref, posting.channel)
        is_warned = (
            not self.reminds
            and (location.channel, location.card) == (posting.channel, self.thread_ts)
            and detail is ThreadDetail.ALL
        )
        return messages.approval_calls.in_thread(
            context, first.snapshot, first.request, reminds=self.reminds, warns=not is_warned
        )


class ApprovalDirectCallNotification(Notification):
    """A person is called in a direct message for what they may give the next approval of by then.

    There are several ``requests`` where one batch opened them.
    """

    kind: Literal["approval_direct_call"] = "approval_direct_call"
    requests: tuple[CalledRequest, ...]
    reminds: bool = False

    async def deliver(self, posting: Posting) -> bool:
        """Post the message with each action's button, and links to the cards in a channel."""
        services = posting.services
        user = self.intended_channel or posting.entry.destination.id
        called = []
        for requested in self.requests:
            call = await read_call(services, requested.ref, requested.id)
            if call is None or not await may_approve(services, call, user, reads=True):
                continue
            if call.request.turn != requested.stage and not self.reminds:
                continue  # that stage has its own call
            destination, thread = await asyncio.to_thread(place_of, services, call.origin)
            called.append(
                messages.approval_calls.CalledObject(
                    services.cards.render_context(requested.ref),
                    call.snapshot,
                    call.request,
                    services.slack.permalink(destination.id, thread) if thread else "",
                )
            )
        if not called:
            return False
        if len(called) > 1:
            message = messages.approval_calls.batch_direct(called, reminds=self.reminds)
        else:
            message = messages.approval_calls.direct(called[0], reminds=self.reminds)
        await posting.reply(message)
        return True


class ApprovalShortageNotification(Notification):
    """Fewer people can approve now than the stages of these requests need, so they wait in vain.

    It is for the thread of the requests, and for those who can do something about it.
    """

    kind: Literal["approval_shortage"] = "approval_shortage"
    requests: tuple[CalledRequest, ...]

    async def deliver(self, posting: Posting) -> bool:
        """Post the message, unless enough people can approve by then."""
        services = posting.services
        short, names = [], []
        for requested in self.requests:
            call = await read_call(services, requested.ref, requested.id)
            if call is None or call.request.turn != requested.stage:
                continue
            shortage = await find_shortage(services, call)
            if shortage is None:
                continue
            short.append((call, shortage))
            destination = posting.entry.destination
            is_person = destination.kind is DestinationKind.PERSON
            reads = not is_person or await may_read(
                services, destination.id, requested.ref, call.snapshot
            )
            names.append(call.snapshot.name if reads else "")
        if not short:
            return False
        call, shortage = short[0]
        permalink = ""
        if not self.thread_ts:
            destination, thread = await asyncio.to_thread(place_of, services, call.origin)
            permalink = services.slack.permalink(destination.id, thread) if thread else ""
        called = messages.approval_calls.CalledObject(
            services.cards.render_context(call.origin.ref), call.snapshot, call.request, permalink
        )
        message = messages.approval_calls.too_few_approvers(
            called,
            shortage,
            list(filter(None, names)),
            notified=bool(self.thread_ts and services.policy.current.watch.admins),
        )
        await posting.reply(message, self.thread_ts)
        return True


async def enqueue_shortage(posting: Posting, calls: Sequence[Call], thread_ts: str) -> None:
    """Have the thread, the admins and those of an escalation told where approvers are missing."""
    services, now = posting.services, posting.services.clock.now()
    short = [call for call in calls if await find_shortage(services, call)]
    if not short:
        return
    notification = ApprovalShortageNotification(requests=tuple(call.called for call in short))
    not_before = {Destination.parse(admin): now for admin in services.policy.current.watch.admins}
    for call in short:
        not_before = _escalations(services, call, now) | not_before
    not_before.pop(posting.entry.destination, None)
    key = f"approval_shortage:{short[0].request.turn_key}"
    in_thread = notification.model_copy(update={"thread_ts": thread_ts})
    entries = [
        OutboxEntry(
            dedupe_key=key,
            destination=posting.entry.destination,
            notification=in_thread,
            not_before=now,
        ),
        *(
            OutboxEntry(
                dedupe_key=f"{key}:{destination.id}",
                destination=destination,
                notification=notification,
                not_before=at,
            )
            for destination, at in not_before.items()
        ),
    ]
    await asyncio.to_thread(services.store.outbox.add, entries, now)
    services.outbox_written.set()


def _escalations(services: Services, call: Call, now: datetime) -> dict[Destination, datetime]:
    """Return where an object's routes escalate to, and from when that may be told."""
    routes = services.policy.current.routes
    names = services.workspaces.all_names(call.origin.ref.workspace)
    targets = {
        route.escalate.to
        for route in matching_routes(routes, call.snapshot, names)
        if route.escalate
    }
    return {
        route.destination: (route.quiet.end(now) if route.quiet else None) or now
        for route in routes
        if route.name in targets
    }


# What is planned.


def new_entries(services: Services) -> list[OutboxEntry]:
    """Return the calls and reminders of the open requests that have none yet; blocks."""
    now = services.clock.now()
    requests = services.store.claims.open_requests(now)
    if not requests:
        return []
    keys = {f"approval_call:{origin.request.turn_key}": origin for origin in requests}
    known_keys = services.store.outbox.known_keys(list(keys))
    new = {key: origin for key, origin in keys.items() if key not in known_keys}
    young = [
        origin.request.id
        for origin in new.values()
        if origin.batch_ts and now - origin.request.approvals[0].at < LONGEST_BATCH
    ]
    # Others of the batch may be counted yet, and one call is for all of them.
    unfinished = services.store.workflows.in_open_batches(young) if young else set()
    new = {key: origin for key, origin in new.items() if origin.request.id not in unfinished}
    reminders: dict[str, datetime] = {}  # of a batch all come with the first
    for origin in new.values():
        group, at = origin.batch_ts or origin.request.id, remind_at(origin.request)
        reminders[group] = min(reminders.get(group, at), at)
    entries = []
    for key, origin in new.items():
        destination, thread = place_of(services, origin)
        notification = ApprovalCallNotification(
            ref=origin.ref,
            request_id=origin.request.id,
            stage=origin.request.turn,
            thread_ts=thread,
            in_channel=bool(thread),
            batch_ts=origin.batch_ts,
        )
        call = OutboxEntry(
            dedupe_key=key, destination=destination, notification=notification, not_before=now
        )
        entries.append(call)
        if (at := reminders[origin.batch_ts or origin.request.id]) > now:
            reminder = notification.model_copy(update={"reminds": True})
            changes = {"dedupe_key": f"approval_reminder:{origin.request.id}", "not_before": at}
            entries.append(call.model_copy(update={**changes, "notification": reminder}))
    return entries


def remind_at(request: ApprovalRequest) -> datetime:
    """Return when people are reminded of a request: ten minutes before it ends.

    Where it is open for less than forty, in its last quarter.
    """
    lifetime = request.expires_at - request.approvals[0].at
    return request.expires_at - min(REMIND_BEFORE, lifetime / 4)


def place_of(services: Services, origin: OpenRequest) -> tuple[Destination, str]:
    """Return the channel and the thread in which a request's approvers are called; blocks.

    That is under the card where it was opened, or else under another one in a channel. The thread
    is "" where no channel shows the object: nobody else sees what is said in somebody's chat. For
    what a batch opened it is under the message of the batch, where that stands in a channel.
    """
    location = origin.location
    channel = Destination.parse(location.channel)
    if origin.batch_ts and channel.kind is DestinationKind.CHANNEL:
        return channel, origin.batch_ts
    cards = [
        card
        for card in services.store.cards.cards_of(origin.ref)
        if Destination.parse(card.channel).kind is DestinationKind.CHANNEL
    ]
    cards.sort(key=lambda card: (card.channel, card.ts) != (location.channel, location.card))
    if cards:
        return Destination.parse(cards[0].channel), cards[0].ts
    if channel.kind is DestinationKind.CHANNEL and location.card:
        return channel, location.card
    return Destination.parse(origin.request.approvals[0].actor.id), ""
