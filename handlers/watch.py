"""Answers about the watch, the subscription of a channel, and the snoozing of an object."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import assert_never

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import OPEN_STATUSES, TABLE
from bot.domain.mutes import Mute, workflow_name
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import OBJECT_KINDS, ObjectId, Ref, Value
from bot.domain.ordering import auto_approves
from bot.domain.reasons import ChannelRefusal, RefusalReason
from bot.domain.slack import Destination, DestinationKind, Requester, SlackLocation
from bot.domain.tracking import ObjectChange, TrackedObject
from bot.domain.troubles import DueTasks
from bot.messages import Message, command_help, command_problems, denials
from bot.messages import permissions as permission_messages
from bot.messages import watch as watch_messages
from bot.messages.command_help import HelpLine
from bot.notifications import planner
from bot.notifications.escalations import next_steps
from bot.notifications.kinds import (
    PersonalSnoozeEndedNotification,
    PersonalSnoozeNotification,
    SnoozeNotification,
    SubscriptionNotification,
)
from bot.notifications.notification import ThreadAnnouncement
from bot.operations import authorization
from bot.operations.around import attach_recent
from bot.operations.authorization import ChangeNotAllowed, Right
from bot.operations.reading import Reader, may_read, open_reader
from bot.policy.decide import Refused, decide
from bot.policy.routes import explain_routes, titled_routes
from bot.secmaster import Task
from bot.slack.directory import require_identified
from bot.watch.status import watch_status
from bot.watch.troubles import due_tasks
from bot.watch.troubles import troubles_as_asked as fresh_troubles
from handlers import forms
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
from handlers.errors import InvalidInput, UserError
from handlers.parsing import ParseError, refuse_more, split, take_id
from handlers.payloads import Submission
from handlers.queries import find_object
from handlers.requests import SnoozeChoice
from handlers.time_parsing import parse_moment, take_object_id

MORNING = "until 9:00"
HOUR = timedelta(hours=1)
BEFORE_AUTO_APPROVAL = timedelta(minutes=10)  # a snooze ends where no route reminds of the due date
SNOOZE_USAGE = "snooze <id> 2h [for me]"
# They say who may, or that nobody may, and nothing else of the person or the object.
RIGHTS_ONLY = (RefusalReason.RULE, RefusalReason.NO_RULE)
FOR_WHOM = re.compile(r"(?:^|\s+)for\s+(me|all|everyone|everybody)\s*$", re.IGNORECASE)


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


class SnoozeScope(StrEnum):
    """For whom an object is snoozed: for everybody, or for whoever snoozes it."""

    ALL = watch_messages.FOR_ALL
    ME = watch_messages.FOR_ME


@dataclass(frozen=True, slots=True)
class Snooze:
    """Send no reminders of an object until a time, or no direct messages to one person."""

    ref: Ref
    until: datetime
    scope: SnoozeScope


@dataclass(frozen=True, slots=True)
class ChangeSnooze:
    """Snooze an object until a ``moment`` as people write it, or end its snooze.

    ``thread_object`` is the object in whose card's thread it was written, where no id is.
    """

    id: ObjectId
    thread_object: Ref | None = None
    moment: str = ""
    scope: SnoozeScope = SnoozeScope.ALL

    def refs(self, workspace: str) -> list[Ref]:
        """Return the objects that may be meant."""
        if self.thread_object and self.thread_object.id == self.id:
            return [self.thread_object]
        return [Ref(kind=kind, id=self.id, workspace=workspace) for kind in OBJECT_KINDS]


class ObjectFormState(Value):
    """What a form remembers that changes nothing in SecMaster: its object, and where it answers."""

    ref: Ref
    location: SlackLocation


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
    muted = await readable_mutes(app, reader)
    return watch_messages.status(
        app.catalogue, status, policy_line, counted_kinds, troubles, tasks, muted
    )


async def readable_mutes(app: AppContext, reader: Reader) -> list[Mute]:
    """Return the mutes that hold now, for whoever may read all runs; to others none."""
    if not reader.reads_all("instance"):
        return []
    now = app.services.clock.now()
    return await asyncio.to_thread(app.services.store.mutes.ending_after, now)


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


def parse_snooze(arguments: Arguments) -> ChangeSnooze:
    """Parse an id, a moment, and for whom: "<id> 2h for me"; in a card's thread without the id."""
    object_id, words = take_object_id(arguments.words, arguments.thread_object)
    match = FOR_WHOM.search(words)
    scope = SnoozeScope.ME if match and match[1].lower() == "me" else SnoozeScope.ALL
    moment = words[: match.start()].strip() if match else words.strip()
    if not moment:
        raise ParseError(command_problems.SNOOZE_UNTIL_WHEN)
    return ChangeSnooze(object_id, arguments.thread_object, moment, scope)


def parse_unsnooze(arguments: Arguments) -> ChangeSnooze:
    """Parse an id; in a card's thread nothing."""
    object_id, words = take_object_id(arguments.words, arguments.thread_object)
    refuse_more(words)
    return ChangeSnooze(object_id, arguments.thread_object)


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
    if not planner.is_routable(app.services, ref, snapshot):
        snapshot = await attach_recent(app.services, ref, snapshot)
    workspaces = frozenset({ref.workspace, app.services.workspaces.name(ref.workspace)})
    explained = explain_routes(config.routes, snapshot, workspaces)
    answers = [
        (title, route, answer)
        for (title, route), (_route, answer) in zip(titled, explained, strict=True)
    ]
    is_open = snapshot.status in OPEN_STATUSES
    target = (ref, snapshot.name)
    return watch_messages.route_test(app.catalogue, target, answers, subscribed if is_open else ())


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
    """Snooze an object for everybody or end its snooze, as the menu of its card says, on record.

    Or open the form that asks how long: ``dedupe_key`` is the trigger of the press. Its thread sees
    who did. Raises UserError where nobody waits for it, and ChangeNotAllowed.
    """
    app = recorder.app
    if choice is SnoozeChoice.OTHER:
        await open_snooze_form(app, ref, requester, dedupe_key)
        return
    until = await snooze_end(app, choice, requester.actor.id)
    if until is not None:
        change = Snooze(ref, until, SnoozeScope.ALL)
        await record_snooze(recorder, change, requester, dedupe_key, is_answered=False)
        return
    tracked = await require_tracked(app, (ref,))
    await require_any_decision(app, tracked, requester, ObjectChange.WAKE)
    await record_wake(recorder, tracked, requester, dedupe_key)


async def snooze_by_command(
    recorder: Recorder, request: ChangeSnooze, delivery: Delivery
) -> Message:
    """Snooze an object until the moment that a command names, for everybody or for its writer."""
    app = recorder.app
    tracked = await require_tracked(app, request.refs(app.workspace))
    user = delivery.requester.actor.id
    zone = await app.services.directory.time_zone(user)
    until = parse_moment(request.moment, app.services.clock.now(), zone, SNOOZE_USAGE)
    change = Snooze(tracked.ref, until, request.scope)
    requester = delivery.requester_about(tracked.ref)
    return await record_snooze(recorder, change, requester, delivery.dedupe_key, is_answered=True)


async def unsnooze_by_command(
    recorder: Recorder, request: ChangeSnooze, delivery: Delivery
) -> Message:
    """End the snooze of an object for everybody, and the writer's own."""
    app = recorder.app
    tracked = await require_tracked(app, request.refs(app.workspace))
    if not await may_read(app.services, delivery.requester.actor, tracked.ref, tracked.snapshot):
        raise UserError(watch_messages.not_snoozable(app.catalogue))
    if tracked.is_snoozed(app.services.clock.now()):
        await require_any_decision(app, tracked, delivery.requester, ObjectChange.WAKE)
    requester = delivery.requester_about(tracked.ref)
    if not await record_wake(recorder, tracked, requester, delivery.dedupe_key):
        return watch_messages.not_snoozed(app.catalogue, tracked.snapshot.name)
    return watch_messages.unsnoozed(app.catalogue, tracked.snapshot.name)


async def open_snooze_form(
    app: AppContext, ref: Ref, requester: Requester, trigger_id: str
) -> None:
    """Open the form that asks how long to snooze an object, and for whom.

    It names the object. Raises ChangeNotAllowed for whoever may neither read nor decide it.
    """
    tracked = await require_tracked(app, (ref,))
    if not await may_read(app.services, requester.actor, ref, tracked.snapshot):
        await require_any_decision(app, tracked, requester, ObjectChange.SNOOZE)
    location = requester.location
    remembered = ObjectFormState(
        ref=ref, location=SlackLocation(channel=location.channel, card=location.card)
    )
    steps = await asyncio.to_thread(next_steps, app.services, tracked)
    view = watch_messages.snooze_form(
        app.catalogue,
        remembered.model_dump_json(),
        tracked.snapshot.name,
        ref,
        [step.target.name for step in steps],
        await mutable_workflow(app, tracked, requester),
    )
    await forms.open_view(app.services, trigger_id, view)


def read_form_state(app: AppContext, metadata: str) -> ObjectFormState:
    """Read what a form remembers; raises UserError for one of another version."""
    try:
        return ObjectFormState.model_validate_json(metadata)
    except ValueError:
        raise UserError(denials.newer_form(app.catalogue)) from None


async def mutable_workflow(app: AppContext, tracked: TrackedObject, requester: Requester) -> str:
    """Return the workflow of a failed run that the requester may mute; "" for none."""
    if tracked.ref.kind != "instance":
        return ""
    may_mute = await authorization.has_right(app.services, requester.actor, Right.MUTE)
    return workflow_name(tracked.snapshot) if may_mute else ""


async def submit_snooze(ack: AsyncAck, slack_payload: Submission, recorder: Recorder) -> None:
    """Snooze an object as a submitted form says; raises InvalidInput for what is no moment."""
    app, inputs = recorder.app, slack_payload.inputs
    try:
        state = ObjectFormState.model_validate_json(slack_payload.metadata)
        scope = SnoozeScope(inputs[watch_messages.SNOOZE_SCOPE].options[0])
        moment = inputs[watch_messages.SNOOZE_LENGTH].text
    except (ValueError, LookupError):
        raise UserError(denials.newer_form(app.catalogue)) from None
    requester = replace(slack_payload.requester, location=state.location)
    requester.trace.command = "snooze"
    zone = await app.services.directory.time_zone(requester.actor.id)
    try:
        until = parse_moment(moment, app.services.clock.now(), zone, SNOOZE_USAGE)
    except ParseError as error:
        raise InvalidInput(watch_messages.SNOOZE_LENGTH, error.problem) from error
    key = f"{slack_payload.view_id}:{scope}:{moment}"
    change = Snooze(state.ref, until, scope)
    await record_snooze(recorder, change, requester, key, is_answered=False)
    await ack()


async def record_snooze(
    recorder: Recorder,
    snooze: Snooze,
    requester: Requester,
    dedupe_key: str,
    *,
    is_answered: bool,
) -> Message:
    """Snooze an object, on record, and return the answer.

    Where the requester is not answered (``is_answered``), its thread or a direct message tells
    them. Raises UserError where nobody waits for it or no time is left, and ChangeNotAllowed.
    """
    app, user, ref = recorder.app, requester.actor.id, snooze.ref
    tracked = await require_tracked(app, (ref,))
    await require_snoozer(app, tracked, requester, snooze.scope)  # a cut tells of the due date
    until, auto_approves_at = cut_snooze(app, tracked, snooze.until)
    facts = {"target": str(ref), "until": until.isoformat(), "for": snooze.scope}
    name, changes = tracked.snapshot.name, recorder.changes
    if snooze.scope is SnoozeScope.ALL:
        notification = SnoozeNotification(
            ref=ref, actor_id=user, until=until, auto_approves_at=auto_approves_at
        )
        announced = await thread_announcement(app, requester, notification, is_answered=is_answered)
        change = recorder.change(requester, dedupe_key, "snooze", facts, announced)
        record = partial(changes.snooze, ref, until, user, change)
        answer = watch_messages.snoozed_for_all(app.catalogue, name, until, auto_approves_at)
    else:
        personal = PersonalSnoozeNotification(
            ref=ref, name=name, until=until, auto_approves_at=auto_approves_at
        )
        announcement = None if is_answered else (user, personal)
        change = recorder.change(requester, dedupe_key, "snooze", facts, announcement)
        end = OutboxEntry(
            dedupe_key=f"personal_snooze_ended:{ref}:{user}:{until.isoformat(timespec='seconds')}",
            destination=Destination.parse(user),
            notification=PersonalSnoozeEndedNotification(ref=ref),
            not_before=until,
        )
        change = replace(change, announcements=[*change.announcements, end])
        record = partial(changes.snooze_for_me, ref, until, user, change)
        answer = watch_messages.snoozed_for_me(app.catalogue, name, until, auto_approves_at)
    if not await recorder.record_change(record):
        raise UserError(watch_messages.not_snoozable(app.catalogue))
    return answer


async def record_wake(
    recorder: Recorder, tracked: TrackedObject, requester: Requester, dedupe_key: str
) -> bool:
    """End the snooze of an object for everybody and the requester's own; False if there is none."""
    app, ref, user = recorder.app, tracked.ref, requester.actor.id
    announced, scope = None, SnoozeScope.ME
    if tracked.is_snoozed(app.services.clock.now()):
        scope = SnoozeScope.ALL
        notification = SnoozeNotification(ref=ref, actor_id=user)
        announced = await thread_announcement(app, requester, notification, is_answered=True)
    facts = {"target": str(ref), "until": None, "for": scope}
    change = recorder.change(requester, dedupe_key, "wake", facts, announced)
    return await recorder.record_change(partial(recorder.changes.unsnooze, ref, user, change))


async def thread_announcement(
    app: AppContext, requester: Requester, notification: ThreadAnnouncement, *, is_answered: bool
) -> tuple[str, ThreadAnnouncement] | None:
    """Return where a change of an object is announced: in its card's thread, or to its requester.

    None where there is no card to show it, and the requester is answered anyway.
    """
    channel, thread = requester.location.channel, requester.location.card
    if not thread:
        cards = await asyncio.to_thread(app.services.store.cards.cards_of, notification.ref)
        kind = DestinationKind.CHANNEL  # where the others see it
        cards.sort(key=lambda card: Destination.parse(card.channel).kind is not kind)
        channel, thread = (cards[0].channel, cards[0].ts) if cards else ("", "")
    if thread and await channel_refusal(app, channel) is None:
        return channel, notification.model_copy(update={"thread_ts": thread})
    return None if is_answered and not thread else (requester.actor.id, notification)


async def require_tracked(app: AppContext, refs: Sequence[Ref]) -> TrackedObject:
    """Return the object that is open and watched; raises UserError where none of these is."""
    tracked = await asyncio.to_thread(app.services.store.tracked.get, refs)
    if not tracked or not tracked[0].open:
        raise UserError(watch_messages.not_snoozable(app.catalogue))
    return tracked[0]


def cut_snooze(
    app: AppContext, tracked: TrackedObject, until: datetime
) -> tuple[datetime, datetime | None]:
    """Return until when an object is snoozed at most, and when it is approved by itself.

    None for the latter where the snooze was not cut for that. It ends before the last reminder.
    Raises UserError where no time is left.
    """
    limit, now = latest_hold(app, tracked), app.services.clock.now()
    if limit is None or until <= limit.hold_until:
        return until, None
    if limit.hold_until <= now:
        at = limit.auto_approves_at
        raise UserError(watch_messages.no_room_to_snooze(app.catalogue, at, now))
    return limit.hold_until, limit.auto_approves_at


@dataclass(frozen=True, slots=True)
class HoldLimit:
    """Until when people may go uncalled for a task at most, and when it is approved by itself."""

    hold_until: datetime
    auto_approves_at: datetime


def latest_hold(app: AppContext, tracked: TrackedObject) -> HoldLimit | None:
    """Return what bounds snoozes and claims of a task that silence approves: its last reminder.

    None for all else. A task whose due date has passed may be approved at any moment.
    """
    task = tracked.snapshot
    if not isinstance(task, Task) or task.due_date is None or not auto_approves(task):
        return None
    reminders = [
        route.remind[-1]
        for route in planner.routes_of(app.services, tracked.ref, task)
        if route.remind
    ]
    hold_until = task.due_date - min(reminders, default=BEFORE_AUTO_APPROVAL)
    return HoldLimit(hold_until, task.due_date)


async def require_snoozer(
    app: AppContext, tracked: TrackedObject, requester: Requester, scope: SnoozeScope
) -> None:
    """Raise ChangeNotAllowed, or UserError, for whoever may not snooze an object in this scope.

    For everybody they must be able to decide about it, for themselves to read it.
    """
    match scope:
        case SnoozeScope.ALL:
            await require_any_decision(app, tracked, requester, ObjectChange.SNOOZE)
        case SnoozeScope.ME:
            require_identified(requester.actor)
            if not await may_read(app.services, requester.actor, tracked.ref, tracked.snapshot):
                raise UserError(watch_messages.not_snoozable(app.catalogue))
        case _:
            assert_never(scope)


async def require_any_decision(
    app: AppContext, tracked: TrackedObject, requester: Requester, change: ObjectChange
) -> None:
    """Raise ChangeNotAllowed for whoever may decide nothing about an object.

    Snoozing or claiming it asks for that much: a reminder that does not come decides as well.
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
        refusals.append(decision)
    raise ChangeNotAllowed(change, tracked.ref, refusal_of_all(refusals))


def refusal_of_all(refusals: Sequence[Refused]) -> Refused:
    """Return why somebody may take none of several actions.

    What is the matter with the person or the object comes first; else it is for the roles that may
    take any of the actions.
    """
    obstacle = next((each for each in refusals if each.reason not in RIGHTS_ONLY), None)
    if obstacle:
        return obstacle
    roles = tuple(dict.fromkeys(role for each in refusals for role in each.roles))
    return Refused(RefusalReason.RULE, roles=roles) if roles else refusals[0]


async def snooze_end(app: AppContext, choice: SnoozeChoice, user: str) -> datetime | None:
    """Return until when a choice snoozes, by the person's own clock; None ends the snooze."""
    now = app.services.clock.now()
    match choice:
        case SnoozeChoice.ONE_HOUR:
            return now + HOUR
        case SnoozeChoice.OTHER:  # as its form begins
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
        name="snooze",
        usage=SNOOZE_USAGE,
        help=command_help.SNOOZE,
        parse=parse_snooze,
        handler=RecordsChange(snooze_by_command),
    ),
    Command(
        name="unsnooze",
        usage="unsnooze <id>",
        help=(HelpLine(SNOOZE_USAGE, command_help.SNOOZE),),
        parse=parse_unsnooze,
        handler=RecordsChange(unsnooze_by_command),
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
