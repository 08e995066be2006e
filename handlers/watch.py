"""Answers about the watch, the subscription of a channel, and the snoozing of an object."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from bot.domain.actions import OPEN_STATUSES, TABLE
from bot.domain.objects import OBJECT_KINDS, ObjectId, Ref
from bot.domain.reasons import ChannelRefusal
from bot.domain.slack import Destination, DestinationKind, Requester
from bot.domain.tracking import TrackedObject
from bot.domain.troubles import DueTasks
from bot.messages import Message, command_help, command_problems
from bot.messages import permissions as permission_messages
from bot.messages import watch as watch_messages
from bot.messages.command_help import HelpLine
from bot.notifications import planner
from bot.notifications.kinds import SnoozeNotification, SubscriptionNotification
from bot.notifications.reminder import auto_approves_by
from bot.operations import authorization
from bot.operations.authorization import NotAllowed, Right
from bot.operations.reading import open_reader
from bot.policy.decide import Refused, decide
from bot.policy.routes import explain_routes, titled_routes
from bot.watch.status import watch_status
from bot.watch.troubles import due_tasks
from bot.watch.troubles import troubles_as_asked as fresh_troubles
from handlers.command_row import (
    AnswersLater,
    AnyCommand,
    Arguments,
    Command,
    Delivery,
    RecordsChange,
    complete,
)
from handlers.context import AppContext, Recorder, attempt_id
from handlers.errors import UserError
from handlers.parsing import ParseError, refuse_more, split, take_id
from handlers.queries import find_object
from handlers.requests import SnoozeChoice
from handlers.time_parsing import parse_moment

MORNING = "until 9:00"
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ShowStatus:
    """Show how well SecMaster is being polled."""


@dataclass(frozen=True, slots=True)
class ShowRoutes:
    """Show all routes, or those that the card of one object would take."""

    id: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class SetSubscription:
    """Subscribe the channel to everything that comes, or end its subscription."""

    subscribe: bool


async def status(app: AppContext, _request: ShowStatus, delivery: Delivery) -> Message:
    """Return how well SecMaster is being polled, for whoever may read anything of it."""
    reader = await open_reader(app.services, delivery.requester.actor)
    reader.require(*OBJECT_KINDS)
    counted_kinds = tuple(filter(reader.reads_all, OBJECT_KINDS))
    troubles = await fresh_troubles(app.services)
    status = await watch_status(app.services, app.services.poll_interval)
    newest = await asyncio.to_thread(app.services.store.policies.newest)
    policy_line = permission_messages.policy_in_force(
        app.catalogue, app.config.fingerprint, newest, app.services.policy.unused_file
    )
    tasks = DueTasks()
    if troubles:
        tasks = await due_tasks(app.services, lambda each: reader.may_read(each.ref, each.snapshot))
    return watch_messages.status(app.catalogue, status, policy_line, counted_kinds, troubles, tasks)


def parse_routes(arguments: Arguments) -> ShowRoutes:
    """Parse "routes", and "routes test" for one object."""
    first, words = split(arguments.words)
    if not first:
        return ShowRoutes()
    if first.lower() != "test":
        raise ParseError(command_problems.unexpected(first))
    if not words and arguments.thread_object:
        return ShowRoutes(arguments.thread_object.id)
    object_id, words = take_id(None, words)
    refuse_more(words)
    return ShowRoutes(object_id)


async def routes(app: AppContext, request: ShowRoutes, delivery: Delivery) -> Message:
    """Return all routes, or which of them the card of one object would take."""
    reader = await open_reader(app.services, delivery.requester.actor)
    reader.require(*OBJECT_KINDS)
    subscribed, _outside = await asyncio.to_thread(planner.subscribed_channels, app.services)
    config = app.config
    titled = list(titled_routes(config.routes))
    if not request.id:
        channel = delivery.requester.location.channel
        return watch_messages.routes(
            app.catalogue, titled, config.digests, subscribed=channel in subscribed
        )
    ref, snapshot = await find_object(app, reader, request.id, OBJECT_KINDS)
    workspaces = frozenset({ref.workspace, app.services.workspaces.name(ref.workspace)})
    explained = explain_routes(config.routes, snapshot, workspaces)
    answers = [
        (title, route, answer)
        for (title, route), (_route, answer) in zip(titled, explained, strict=True)
    ]
    is_open = snapshot.status in OPEN_STATUSES
    return watch_messages.route_test(app.catalogue, ref, answers, subscribed if is_open else ())


async def set_subscription(
    recorder: Recorder, request: SetSubscription, delivery: Delivery
) -> Message:
    """Subscribe this channel to everything that comes, or end that; the channel sees who did."""
    requester, subscribe = delivery.requester, request.subscribe
    services, attempt = recorder.app.services, attempt_id(delivery.dedupe_key)
    await authorization.require_right(services, requester, Right.WATCH, attempt_id=attempt)
    channel, user = requester.location.channel, requester.actor.id
    if Destination.parse(channel).kind is not DestinationKind.CHANNEL:
        raise UserError(watch_messages.not_here(recorder.app.catalogue))
    app = recorder.app
    refusal = await channel_refusal(app, channel)
    if subscribe and refusal:
        raise UserError(watch_messages.not_subscribable(recorder.app.catalogue, refusal))
    announcement = SubscriptionNotification(actor_id=user, subscribed=subscribe)
    change = recorder.change(
        requester,
        delivery.dedupe_key,
        "watch" if subscribe else "unwatch",
        {"target": channel},
        None if refusal else (channel, announcement),
    )
    changes = recorder.changes
    if subscribe:
        record = partial(changes.subscribe, channel, user, change)
    else:
        record = partial(changes.unsubscribe, channel, change)
    if not await recorder.record_change(record):
        return watch_messages.subscription_unchanged(recorder.app.catalogue, subscribed=subscribe)
    return watch_messages.subscription_changed(recorder.app.catalogue, subscribed=subscribe)


async def channel_refusal(app: AppContext, channel: str) -> ChannelRefusal | None:
    """Return why nothing may be posted in a channel; raises UserError if Slack is slow to tell."""
    try:
        async with asyncio.timeout(app.services.timeouts.before_ack):
            return await app.services.slack.channels.refusal(channel)
    except TimeoutError as error:
        raise UserError(watch_messages.channel_unknown(app.catalogue)) from error


async def snooze(
    recorder: Recorder, ref: Ref, choice: SnoozeChoice, requester: Requester, dedupe_key: str
) -> None:
    """Snooze an object or end its snooze, on record; its thread sees who did.

    Raises UserError where nobody waits for it, and NotAllowed.
    """
    app, location, user = recorder.app, requester.location, requester.actor.id
    tracked = await asyncio.to_thread(app.services.store.tracked.get, [ref])
    if not tracked or not tracked[0].open:
        raise UserError(watch_messages.not_snoozable(recorder.app.catalogue))
    await require_any_decision(app, tracked[0], requester)
    until = await snooze_end(app, choice, user)
    refused = not location.card or await channel_refusal(app, location.channel) is not None
    notification = SnoozeNotification(
        ref=ref,
        thread_ts="" if refused else location.card,
        actor_id=user,
        until=until,
        auto_approves=until is not None and auto_approves_by(tracked[0].snapshot, until),
    )
    change = recorder.change(
        requester,
        dedupe_key,
        "snooze" if until else "wake",
        {"target": str(ref), "until": until.isoformat() if until else None},
        (user if refused else location.channel, notification),
    )
    if not await recorder.record_change(partial(recorder.changes.snooze, ref, until, user, change)):
        raise UserError(watch_messages.not_snoozable(recorder.app.catalogue))


async def require_any_decision(
    app: AppContext, tracked: TrackedObject, requester: Requester
) -> None:
    """Raise NotAllowed for whoever may decide nothing about an object.

    Snoozing it asks for that much: a reminder that does not come decides as well.
    """
    config = app.config
    kind = tracked.ref.kind
    actions = [action for action in TABLE if action.kind == kind and action.claim_group]
    roles = config.roles_about(*actions)
    principal = await app.services.directory.principal(requester.actor, roles)
    context = authorization.policy_context(app.services, tracked.ref, tracked.snapshot)
    refusals = []
    for action in actions:
        decision = decide(config.rules, principal, action, context)
        if not isinstance(decision, Refused):
            return
        refusals.append((action, decision))
    action, refused = refusals[0]
    raise NotAllowed(action, tracked.ref, refused)


async def snooze_end(app: AppContext, choice: SnoozeChoice, user: str) -> datetime | None:
    """Return until when a choice snoozes, by the person's own clock; None ends the snooze."""
    now = app.services.clock.now()
    match choice:
        case SnoozeChoice.ONE_HOUR:
            return now + HOUR
        case SnoozeChoice.UNTIL_MORNING:
            return parse_moment(MORNING, now, await app.services.directory.time_zone(user))
        case SnoozeChoice.END:
            return None
        case _:
            assert_never(choice)


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="status",
        usage="status",
        help=command_help.STATUS,
        parse=complete(ShowStatus()),
        handler=AnswersLater(status),
    ),
    Command(
        name="routes",
        usage="routes test <id>",
        help=(
            HelpLine("routes", command_help.ROUTES),
            HelpLine("routes test <id>", command_help.ROUTES_TEST),
        ),
        parse=parse_routes,
        handler=AnswersLater(routes),
    ),
    Command(
        name="watch",
        usage="watch",
        help=command_help.WATCH,
        parse=complete(SetSubscription(subscribe=True)),
        handler=RecordsChange(set_subscription),
    ),
    Command(
        name="unwatch",
        usage="unwatch",
        help=(HelpLine("watch", command_help.WATCH),),
        parse=complete(SetSubscription(subscribe=False)),
        handler=RecordsChange(set_subscription),
    ),
)
