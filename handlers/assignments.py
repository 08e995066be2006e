"""Claims: somebody takes care of a task or a run, and others are not called for it meanwhile."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bot.domain.objects import OBJECT_KINDS, ObjectId, Ref
from bot.domain.slack import Requester
from bot.domain.tracking import Assignment, ObjectChange, TrackedObject
from bot.messages import Message, command_help
from bot.messages import assignments as assignment_messages
from bot.messages.command_help import HelpLine
from bot.notifications.assignments import AssignmentNotification
from bot.operations.reading import may_read
from handlers import watch
from handlers.command_row import AnyCommand, Arguments, Command, Delivery, RecordsChange
from handlers.context import AppContext, Recorder
from handlers.errors import UserError
from handlers.parsing import refuse_more
from handlers.time_parsing import parse_moment, take_object_id

CLAIM_USAGE = "claim <id> [2h]"


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim an object until a ``moment`` as people write it; "" for as long as the policy says.

    ``thread_object`` is the object in whose card's thread it was written, where no id is.
    """

    id: ObjectId
    thread_object: Ref | None = None
    moment: str = ""


@dataclass(frozen=True, slots=True)
class Unclaim:
    """Release the claim of an object, whoever has it."""

    id: ObjectId
    thread_object: Ref | None = None


def parse_claim(arguments: Arguments) -> Claim:
    """Parse an id and perhaps a moment; in a card's thread without the id."""
    object_id, words = take_object_id(arguments.words, arguments.thread_object)
    return Claim(object_id, arguments.thread_object, words.strip())


def parse_unclaim(arguments: Arguments) -> Unclaim:
    """Parse an id; in a card's thread nothing."""
    object_id, words = take_object_id(arguments.words, arguments.thread_object)
    refuse_more(words)
    return Unclaim(object_id, arguments.thread_object)


def possible_refs(app: AppContext, request: Claim | Unclaim) -> list[Ref]:
    """Return the objects that a command may mean."""
    if request.thread_object and request.thread_object.id == request.id:
        return [request.thread_object]
    return [Ref(kind=kind, id=request.id, workspace=app.workspace) for kind in OBJECT_KINDS]


async def require_open(app: AppContext, refs: list[Ref]) -> TrackedObject:
    """Return the object that is open and watched; raises UserError where none of these is."""
    tracked = await asyncio.to_thread(app.services.store.tracked.get, refs)
    if not tracked or not tracked[0].open:
        raise UserError(assignment_messages.not_claimable(app.catalogue))
    return tracked[0]


async def take(recorder: Recorder, ref: Ref, requester: Requester, dedupe_key: str) -> None:
    """Claim an object, as the button of its card says; its thread sees who did.

    Raises UserError where nobody waits for it or no time is left, and ChangeNotAllowed.
    """
    app = recorder.app
    tracked = await require_open(app, [ref])
    until = app.services.clock.now() + app.config.watch.claim
    await record_claim(recorder, tracked, until, requester, dedupe_key, is_answered=False)


async def release(recorder: Recorder, ref: Ref, requester: Requester, dedupe_key: str) -> None:
    """Release the claim of an object, as the menu of its card says; its thread sees who did.

    Raises UserError where nobody has it, and ChangeNotAllowed.
    """
    tracked = await require_open(recorder.app, [ref])
    if not await record_release(recorder, tracked, requester, dedupe_key, is_answered=False):
        name = tracked.snapshot.name
        raise UserError(assignment_messages.not_claimed(recorder.app.catalogue, name))


async def claim_by_command(recorder: Recorder, request: Claim, delivery: Delivery) -> Message:
    """Claim an object for as long as a command or the policy says."""
    app, now = recorder.app, recorder.app.services.clock.now()
    tracked = await require_open(app, possible_refs(app, request))
    until = now + app.config.watch.claim
    if request.moment:
        zone = await app.services.directory.time_zone(delivery.requester.actor.id)
        until = parse_moment(request.moment, now, zone, CLAIM_USAGE)
    requester = delivery.requester_about(tracked.ref)
    return await record_claim(
        recorder, tracked, until, requester, delivery.dedupe_key, is_answered=True
    )


async def unclaim_by_command(recorder: Recorder, request: Unclaim, delivery: Delivery) -> Message:
    """Release the claim of an object, whoever has it."""
    app = recorder.app
    tracked = await require_open(app, possible_refs(app, request))
    if not await may_read(app.services, delivery.requester.actor, tracked.ref, tracked.snapshot):
        raise UserError(assignment_messages.not_claimable(app.catalogue))
    requester, name = delivery.requester_about(tracked.ref), tracked.snapshot.name
    if await record_release(recorder, tracked, requester, delivery.dedupe_key, is_answered=True):
        return assignment_messages.released_by_you(app.catalogue, name)
    return assignment_messages.not_claimed(app.catalogue, name)


async def record_claim(  # noqa: PLR0913 - who claims what, until when, and how it is answered
    recorder: Recorder,
    tracked: TrackedObject,
    until: datetime,
    requester: Requester,
    dedupe_key: str,
    *,
    is_answered: bool,
) -> Message:
    """Claim an object, on record, and return the answer.

    It ends before the last reminder of a task that is approved by itself. Where the requester is
    not answered (``is_answered``), its thread or a direct message tells them. Raises UserError
    where no time is left or somebody was quicker, and ChangeNotAllowed.
    """
    app, user, ref, auto_approves_at = recorder.app, requester.actor.id, tracked.ref, None
    await watch.require_any_decision(app, tracked, requester, ObjectChange.CLAIM)
    now = app.services.clock.now()
    if (limit := watch.latest_hold(app, tracked)) and limit.hold_until < until:
        until, auto_approves_at = limit.hold_until, limit.auto_approves_at
        if until <= now:
            raise UserError(
                assignment_messages.no_room_to_claim(app.catalogue, auto_approves_at, now)
            )
    current = tracked.assignment_at(now)
    previous = current.assignee if current else ""
    notification = AssignmentNotification(
        ref=ref,
        actor_id=user,
        until=until,
        previous=previous,
        auto_approves_at=auto_approves_at,
    )
    announced = await watch.thread_announcement(
        app, requester, notification, is_answered=is_answered
    )
    facts = {"target": str(ref), "until": until.isoformat(), "previous": previous}
    change = recorder.change(requester, dedupe_key, "claim", facts, announced)
    assignment = Assignment(assignee=user, name=requester.actor.name, until=until)
    record = partial(recorder.changes.assign, ref, assignment, previous, change)
    if not await recorder.record_change(record):
        raise UserError(assignment_messages.claimed_meanwhile(app.catalogue))
    return assignment_messages.claimed_by_you(
        app.catalogue, tracked.snapshot.name, until, auto_approves_at
    )


async def record_release(
    recorder: Recorder,
    tracked: TrackedObject,
    requester: Requester,
    dedupe_key: str,
    *,
    is_answered: bool,
) -> bool:
    """End the claim of an object, on record; False where nobody has it. Raises ChangeNotAllowed."""
    app, ref, user = recorder.app, tracked.ref, requester.actor.id
    await watch.require_any_decision(app, tracked, requester, ObjectChange.RELEASE)
    assignment = tracked.assignment_at(app.services.clock.now())
    if assignment is None:
        return False
    previous = assignment.assignee
    notification = AssignmentNotification(ref=ref, actor_id=user, previous=previous)
    announced = await watch.thread_announcement(
        app, requester, notification, is_answered=is_answered
    )
    facts = {"target": str(ref), "until": None, "previous": previous}
    change = recorder.change(requester, dedupe_key, "unclaim", facts, announced)
    return await recorder.record_change(
        partial(recorder.changes.assign, ref, None, previous, change)
    )


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="claim",
        usage=CLAIM_USAGE,
        help=command_help.CLAIM,
        parse=parse_claim,
        handler=RecordsChange(claim_by_command),
    ),
    Command(
        name="unclaim",
        usage="unclaim <id>",
        help=(HelpLine(CLAIM_USAGE, command_help.CLAIM),),
        aliases=("release",),
        parse=parse_unclaim,
        handler=RecordsChange(unclaim_by_command),
    ),
)
