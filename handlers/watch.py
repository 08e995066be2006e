"""Answers about the watch, the subscription of a channel, and the snoozing of an object."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from bot.domain.actions import OPEN_STATUSES, TABLE
from bot.domain.objects import OBJECT_KINDS, ObjectId, Ref
from bot.domain.slack import Destination, DestinationKind, Requester
from bot.domain.tracking import TrackedObject
from bot.messages import Message, command_help
from bot.messages import watch as watch_messages
from bot.messages.command_help import HelpLine
from bot.notifications.reminder import auto_approves_by
from bot.operations import authorization
from bot.operations.authorization import NotAllowed, Right, audit_record
from bot.operations.reading import open_reader
from bot.policy.decide import Refused, decide
from bot.policy.routes import explain_routes, titled_routes
from bot.watch.status import watch_status
from handlers.command_row import (
    AnswersLater,
    AnyCommand,
    Arguments,
    Command,
    Delivery,
    complete,
)
from handlers.context import AppContext, stable_id
from handlers.errors import UserError
from handlers.parsing import ParseError, refuse_more, split, take_ref
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
    status = await watch_status(app.services, app.config.watch.every)
    return watch_messages.status(status, counted_kinds)


def parse_routes(arguments: Arguments) -> ShowRoutes:
    """Parse "routes", and "routes test" for one object."""
    first, words = split(arguments.words)
    if not first:
        return ShowRoutes()
    if first.lower() != "test":
        raise ParseError(f"“{first[:40]}” is too much here.")
    if not words and arguments.thread_object:
        return ShowRoutes(arguments.thread_object.id)
    ref, words = take_ref("task", words)
    refuse_more(words)
    return ShowRoutes(ref.id)


async def routes(app: AppContext, request: ShowRoutes, delivery: Delivery) -> Message:
    """Return all routes, or which of them the card of one object would take."""
    reader = await open_reader(app.services, delivery.requester.actor)
    reader.require(*OBJECT_KINDS)
    subscribed = await asyncio.to_thread(app.services.store.subscriptions.channels)
    config = app.config
    titled = list(titled_routes(config.routes))
    if not request.id:
        channel = delivery.requester.location.channel
        return watch_messages.routes(titled, config.digests, subscribed=channel in subscribed)
    ref, snapshot = await find_object(app, reader, request.id, OBJECT_KINDS)
    workspaces = frozenset({ref.workspace, app.services.workspaces.name(ref.workspace)})
    explained = explain_routes(config.routes, snapshot, workspaces)
    answers = [
        (title, route, answer)
        for (title, route), (_route, answer) in zip(titled, explained, strict=True)
    ]
    is_open = snapshot.status in OPEN_STATUSES
    return watch_messages.route_test(ref, answers, subscribed if is_open else ())


async def set_subscription(
    app: AppContext, request: SetSubscription, delivery: Delivery
) -> Message:
    """Subscribe this channel to everything that comes, or end that; the channel sees who did."""
    requester, dedupe_key = delivery.requester, delivery.dedupe_key
    await authorization.require_right(app.services, requester, Right.WATCH)
    channel, user, now = requester.location.channel, requester.actor.id, app.services.clock.now()
    if Destination.parse(channel).kind is not DestinationKind.CHANNEL:
        raise UserError(watch_messages.not_here())
    subscriptions, subscribe = app.services.store.subscriptions, request.subscribe
    if (channel in await asyncio.to_thread(subscriptions.channels)) == subscribe:
        return watch_messages.subscription_unchanged(subscribed=subscribe)
    announcement = (
        watch_messages.subscribed(user) if subscribe else watch_messages.unsubscribed(user)
    )
    # First: a channel that takes no message of ours can't be told of anything.
    await app.services.slack.post(channel, announcement, {"part": "watch", "operation": dedupe_key})
    if subscribe:
        await asyncio.to_thread(subscriptions.add, channel, user, now)
    else:
        await asyncio.to_thread(subscriptions.remove, channel)
    action = "watch" if subscribe else "unwatch"
    record = audit_record(app.services, requester, action, "done", stable_id(dedupe_key)) | {
        "target": channel
    }
    await asyncio.to_thread(app.services.store.audit.record, record)
    return watch_messages.subscription_changed(subscribed=subscribe)


async def snooze(
    app: AppContext, ref: Ref, choice: SnoozeChoice, requester: Requester, dedupe_key: str
) -> None:
    """Snooze an object or end its snooze, on record; its thread sees who did.

    Raises UserError where nobody waits for it, and NotAllowed.
    """
    store, location, user = app.services.store, requester.location, requester.actor.id
    tracked = await asyncio.to_thread(store.tracked.get, [ref])
    if not tracked or not tracked[0].open:
        raise UserError(watch_messages.not_snoozable())
    await require_any_decision(app, tracked[0], requester)
    until = await snooze_end(app, choice, user)
    now = app.services.clock.now()
    if not await asyncio.to_thread(store.tracked.snooze, ref, until, user, now):
        raise UserError(watch_messages.not_snoozable())
    action = "snooze" if until else "wake"
    record = audit_record(app.services, requester, action, "done", stable_id(dedupe_key)) | {
        "target": str(ref),
        "until": until.isoformat() if until else None,
    }
    await asyncio.to_thread(store.audit.record, record)
    message = watch_messages.snoozed(user, until) if until else watch_messages.snooze_ended(user)
    if until and auto_approves_by(tracked[0].snapshot, until):
        message = watch_messages.with_auto_approval_warning(message, until)
    if location.card:
        metadata = {"part": "snooze", "operation": dedupe_key}
        await app.services.slack.post(location.channel, message, metadata, thread=location.card)
    else:
        await app.services.slack.send_private(location, user, message)
    await app.services.cards.redraw(ref)


async def require_any_decision(
    app: AppContext, tracked: TrackedObject, requester: Requester
) -> None:
    """Raise NotAllowed for whoever may decide nothing about an object.

    Snoozing it asks for that much: a reminder that does not come decides as well.
    """
    principal = await app.services.directory.principal(requester.actor)
    context = authorization.policy_context(app.services, tracked.ref, tracked.snapshot)
    refusals = []
    for action in TABLE:
        if action.kind == tracked.ref.kind and action.claim_group:
            decision = decide(app.config.rules, principal, action, context)
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
        handler=AnswersLater(set_subscription),
    ),
    Command(
        name="unwatch",
        usage="unwatch",
        help=(HelpLine("watch", command_help.WATCH),),
        parse=complete(SetSubscription(subscribe=False)),
        handler=AnswersLater(set_subscription),
    ),
)
