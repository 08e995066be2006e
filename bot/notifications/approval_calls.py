"""Call those who may give the next approval of a request, and remind them before it ends.

Calls are planned from the requests that are open, each under a key of its own, so that neither a
crash nor another replica calls anybody twice. Who is called is asked when a call is posted: until
then people approve, requests end and policies change.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import compress
from typing import Literal, assert_never

from bot import messages
from bot.domain.actions import BY_NAME, Action, is_contrary
from bot.domain.approvals import ApprovalRequest, CallPreference, OpenRequest
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Actor, Destination, DestinationKind
from bot.domain.snapshots import Snapshot
from bot.notifications.notification import Notification, Posting
from bot.policy.config import Config
from bot.policy.decide import Allowed, PolicyContext, decide_read, may_add_approval
from bot.policy.requirements import deciding_rule
from bot.policy.rules import READS, CallRule, Rule
from bot.secmaster import NotFound, SecMasterError
from bot.services import Services
from bot.slack.directory import LookupFailed

MOST_MENTIONED = 5  # people in one message: more are called in direct messages, or as a group
REMIND_BEFORE = timedelta(minutes=10)  # the end of a request, or a quarter of its time if less


class ApprovalCallNotification(Notification):
    """Those who may give the next approval of a request are called, by its rule and their choice.

    It is posted in the thread of the object's card; where no channel shows the object everybody is
    called in a direct message, and its destination is only a place in line.
    """

    kind: Literal["approval_call"] = "approval_call"
    ref: Ref
    request_id: str
    reminds: bool = False
    in_channel: bool = True

    async def deliver(self, posting: Posting) -> bool:
        """Mention those who are called in the thread, and have the others told alone."""
        services = posting.services
        call = await read_call(services, self.ref, self.request_id)
        if call is None:
            return False
        callees = await find_callees(services, call, in_channel=self.in_channel)
        now = services.clock.now()
        entries = [
            OutboxEntry(
                dedupe_key=f"{posting.entry.dedupe_key}:{user}",
                destination=Destination.parse(user),
                notification=ApprovalDirectCallNotification(
                    ref=self.ref, request_id=self.request_id, reminds=self.reminds
                ),
                not_before=now,
            )
            for user in sorted(callees.direct)
        ]
        await asyncio.to_thread(services.store.outbox.add, entries, now)
        if entries:
            services.outbox_written.set()
        if not callees.mentions:
            return False
        context = replace(services.cards.render_context(self.ref), mentions=tuple(callees.mentions))
        message = messages.approval_calls.in_thread(
            context, call.snapshot, call.request, reminds=self.reminds
        )
        is_urgent = self.reminds and call.ends_otherwise(now)
        await posting.reply(message, self.thread_ts, broadcast=is_urgent and bool(self.thread_ts))
        return True


class ApprovalDirectCallNotification(Notification):
    """A person is called in a direct message, if they may give the next approval by then."""

    kind: Literal["approval_direct_call"] = "approval_direct_call"
    ref: Ref
    request_id: str
    reminds: bool = False

    async def deliver(self, posting: Posting) -> bool:
        """Post the message with the action's button, and a link to the card in a channel."""
        services = posting.services
        call = await read_call(services, self.ref, self.request_id)
        user = self.intended_channel or posting.entry.destination.id
        if call is None or not await may_approve(services, call, user, reads=True):
            return False
        destination, thread = await asyncio.to_thread(place_of, services, call.origin)
        permalink = services.slack.permalink(destination.id, thread) if thread else ""
        context = services.cards.render_context(self.ref)
        message = messages.approval_calls.direct(
            context, call.snapshot, call.request, permalink, reminds=self.reminds
        )
        await posting.reply(message)
        return True


# What is planned.


def new_entries(services: Services) -> list[OutboxEntry]:
    """Return the calls and reminders of the open requests that have none yet; blocks."""
    now = services.clock.now()
    requests = services.store.claims.open_requests(now)
    if not requests:
        return []
    keys = {f"approval_call:{origin.request.id}": origin for origin in requests}
    known_keys = services.store.outbox.known_keys(list(keys))
    entries = []
    for key, origin in keys.items():
        if key in known_keys:
            continue
        destination, thread = place_of(services, origin)
        notification = ApprovalCallNotification(
            ref=origin.ref,
            request_id=origin.request.id,
            thread_ts=thread,
            in_channel=bool(thread),
        )
        call = OutboxEntry(
            dedupe_key=key, destination=destination, notification=notification, not_before=now
        )
        entries.append(call)
        if (at := remind_at(origin.request)) > now:
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
    is "" where no channel shows the object: nobody else sees what is said in somebody's chat.
    """
    location = origin.location
    cards = [
        card
        for card in services.store.cards.cards_of(origin.ref)
        if Destination.parse(card.channel).kind is DestinationKind.CHANNEL
    ]
    cards.sort(key=lambda card: (card.channel, card.ts) != (location.channel, location.card))
    if cards:
        return Destination.parse(cards[0].channel), cards[0].ts
    channel = Destination.parse(location.channel)
    if channel.kind is DestinationKind.CHANNEL and location.card:
        return channel, location.card
    return Destination.parse(origin.request.approvals[0].actor.id), ""


# Whom it is for.


@dataclass(frozen=True, slots=True)
class Call:
    """A request that waits for approvals of what its object is like now, and who may give them.

    The ``request`` has the approvals that still count, ``origin`` all of them.
    """

    origin: OpenRequest
    request: ApprovalRequest
    snapshot: Snapshot
    config: Config
    rule: Rule
    context: PolicyContext

    @property
    def action(self) -> Action:
        """What is asked for."""
        return BY_NAME[self.request.action]

    def ends_otherwise(self, now: datetime) -> bool:
        """Whether SecMaster does the contrary of what is asked for, if nobody approves in time."""
        _at, due_handle = self.request.deadline(self.snapshot, now)
        return due_handle is not None and is_contrary(self.action, due_handle)


@dataclass(frozen=True, slots=True)
class Callees:
    """The people and user groups to be mentioned, and the people to be told alone."""

    mentions: Sequence[str] = ()
    direct: Collection[str] = field(default_factory=frozenset)


async def read_call(services: Services, ref: Ref, request_id: str) -> Call | None:
    """Return a request that still waits for approvals; None where it is over, however it ended.

    While SecMaster can't be read its object is taken for what was approved.
    """
    store, now = services.store, services.clock.now()
    requests = await asyncio.to_thread(store.claims.open_requests, now)
    origin = next((each for each in requests if each.request.id == request_id), None)
    if origin is None:
        return None
    action, snapshot = BY_NAME[origin.request.action], None
    try:
        async with asyncio.timeout(services.timeouts.read):
            snapshot = await services.cards.read_and_track(ref)
    except NotFound:
        return None
    except (SecMasterError, TimeoutError):
        fingerprint = origin.request.approvals[-1].decision_fingerprint
        snapshot = await asyncio.to_thread(store.snapshots.get, ref, fingerprint)
    else:  # what rules may ask about, and what was approved
        snapshot = (await asyncio.to_thread(store.evidence.attach, {ref: snapshot}))[ref]
    if snapshot is None or snapshot.status not in action.allowed_statuses:
        return None
    config, request = services.policy.current, origin.request.counted_for(snapshot)
    context = PolicyContext(services.workspaces.all_names(ref.workspace), now, snapshot)
    rule = deciding_rule(config.rules, action, context)
    if rule is None or not request.approvals or request.missing < 1:
        return None
    return Call(origin, request, snapshot, config, rule, context)


async def may_approve(services: Services, call: Call, user: str, *, reads: bool = False) -> bool:
    """Whether somebody may give the next approval; with ``reads``, and read the object as well.

    Raises LookupFailed where Slack can't say who they are.
    """
    rules, ref = call.config.rules, call.origin.ref
    roles = call.config.roles_about(call.action, *READS)
    try:
        principal = await services.directory.principal(Actor(id=user), roles)
    except LookupFailed as error:
        if error.is_nobody:
            return False
        raise
    if reads and not isinstance(decide_read(rules, principal, ref.kind, call.context), Allowed):
        return False
    return may_add_approval(rules, principal, call.action, call.context, call.request)


async def find_callees(services: Services, call: Call, *, in_channel: bool) -> Callees:
    """Return who is called for the next approval, and how; raises LookupFailed.

    Those are people of the rule's roles and their delegates, without whoever approved. A user group
    is mentioned as a whole where all of its people may approve, or more than five of them.
    """
    if call.rule.call is CallRule.NONE:
        return Callees()
    roles = [call.config.roles[name] for name in call.rule.roles]
    groups = {group for role in roles for group in role.usergroups}
    members = {group: await services.directory.group_members(group) for group in sorted(groups)}
    people = {user for role in roles for user in role.users}.union(*members.values())
    now = services.clock.now()
    people |= {
        delegation.delegate
        for delegation in await asyncio.to_thread(services.store.delegations.all, now)
        if delegation.delegator in people
    }
    people -= {services.slack.bot_user}
    people -= {user for user in people if call.request.has_approval_of(user, user)}
    choices = await asyncio.to_thread(services.store.preferences.calls_of, people)
    people -= {user for user, choice in choices.items() if choice is CallPreference.OFF}
    direct = {user for user in people if choices.get(user) is CallPreference.DIRECT}
    match call.rule.call:
        case CallRule.MENTION if in_channel:
            return await _mentioned(services, call, members, people - direct, direct)
        case CallRule.MENTION | CallRule.DIRECT:
            return Callees(direct=people)
        case _:
            assert_never(call.rule.call)


async def _mentioned(
    services: Services,
    call: Call,
    members: dict[str, frozenset[str]],
    people: set[str],
    direct: set[str],
) -> Callees:
    """Return how ``people`` are called in a channel, besides those who are told alone."""
    mentions: list[str] = []
    for group, group_people in members.items():
        callable_people = group_people & people
        is_large = len(callable_people) > MOST_MENTIONED
        if is_large or await _all_may_approve(services, call, group_people, callable_people):
            mentions.append(group)
            people = people - group_people
    if len(people) > MOST_MENTIONED:
        return Callees(mentions, direct | people)
    names = sorted(people)
    allowed = await asyncio.gather(*(may_approve(services, call, user) for user in names))
    return Callees([*mentions, *compress(names, allowed)], direct)


async def _all_may_approve(
    services: Services, call: Call, group_people: frozenset[str], callable_people: frozenset[str]
) -> bool:
    """Whether a user group can be mentioned without calling anybody who may not approve."""
    if not group_people or callable_people != group_people:
        return False
    allowed = await asyncio.gather(
        *(may_approve(services, call, user) for user in sorted(group_people))
    )
    return all(allowed)
