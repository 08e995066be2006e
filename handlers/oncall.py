"""The hand-over of a shift: who is on call, what waits for them, and what was done before."""

import asyncio
from dataclasses import dataclass

from bot.domain.objects import OBJECT_KINDS, ObjectKind
from bot.messages import Message, command_help, digest
from bot.messages import oncall as oncall_messages
from bot.notifications import digests
from bot.operations.reading import open_reader
from bot.slack.directory import LookupFailed
from handlers.command_row import AnswersLater, AnyCommand, Command, Delivery, complete
from handlers.context import AppContext
from handlers.errors import UserError
from handlers.watch import readable_mutes

NAMED_TASKS = 3  # how many of the most urgent are named
MAX_TASKS = 1000  # among how many those are looked for that somebody may read


@dataclass(frozen=True, slots=True)
class ShowOnCall:
    """Show who is on call, and what waits for them."""


@dataclass(frozen=True, slots=True)
class ShowDigest:
    """Show the digest that a hand-over at this moment would post."""


def require_watch(app: AppContext) -> None:
    """Raise UserError where SecMaster is not polled, so that nothing is known here."""
    if not app.services.poll_interval:
        raise UserError(oncall_messages.sync_is_off(app.catalogue))


async def hand_over(app: AppContext, _request: ShowDigest, delivery: Delivery) -> Message:
    """Return the digest that a hand-over now would post, for the length of a shift.

    It sums up everything, so it is for whoever may read all tasks and runs; those of playbooks are
    left out for whoever may not read all of them.
    """
    require_watch(app)
    reader = await open_reader(app.services, delivery.requester.actor)
    summed_up: tuple[ObjectKind, ...] = ("task", "instance")
    for kind in summed_up:
        reader.require(kind)
    if not all(map(reader.reads_all, summed_up)):
        raise UserError(digest.for_whoever_reads_all(app.catalogue))
    now = app.services.clock.now()
    since = now - app.config.watch.shift
    kinds = tuple(filter(reader.reads_all, OBJECT_KINDS))
    summary = await asyncio.to_thread(digests.collect, app.services, since, now, kinds)
    return digest.digest(app.catalogue, summary)


async def waiting(app: AppContext, _request: ShowOnCall, delivery: Delivery) -> Message:
    """Return who is on call, and what waits for them of what the requester may read."""
    require_watch(app)
    reader = await open_reader(app.services, delivery.requester.actor)
    reader.require(*OBJECT_KINDS)
    tracked, now = app.services.store.tracked, app.services.clock.now()
    counts = await asyncio.to_thread(tracked.open_counts, now, oncall_messages.SOON)
    limit = NAMED_TASKS if reader.reads_all("task") else MAX_TASKS
    tasks = await asyncio.to_thread(tracked.open_tasks, limit)
    urgent = [task for task in tasks if reader.may_read(task.ref, task.snapshot)][:NAMED_TASKS]
    stale_since = await asyncio.to_thread(digests.stale_since, app.services)
    known_since = await asyncio.to_thread(digests.known_since, app.services)
    facts = oncall_messages.OnCall(
        people=await on_call(app),
        counts=counts,
        urgent=urgent,
        as_of=stale_since or known_since,
        is_stale=stale_since is not None,
        counted_kinds=tuple(filter(reader.reads_all, OBJECT_KINDS)),
        muted=await readable_mutes(app, reader),
    )
    return oncall_messages.on_call(app.catalogue, facts, now)


async def on_call(app: AppContext) -> tuple[str, ...] | None:
    """Return the members of the user groups on call; None where Slack could not be asked."""
    groups = app.config.watch.oncall
    try:
        members = await asyncio.gather(*map(app.services.directory.group_members, groups))
    except LookupFailed:
        return None
    return tuple(sorted(frozenset().union(*members)))


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="oncall",
        usage="oncall",
        help=command_help.ON_CALL,
        parse=complete(ShowOnCall()),
        handler=AnswersLater(waiting),
    ),
    Command(
        name="digest",
        usage="digest",
        help=command_help.DIGEST,
        parse=complete(ShowDigest()),
        handler=AnswersLater(hand_over),
    ),
)
