"""The hand-over of a shift: who is on call, what waits for them, and what was done before."""

import asyncio
from dataclasses import dataclass

from bot.messages import Message, command_help, digest, text_message
from bot.messages import oncall as oncall_messages
from bot.messages.watch import NOT_WATCHING
from bot.notifications import digests
from bot.slack.directory import LookupFailed
from handlers.command_row import AnswersLater, AnyCommand, Command, Delivery, complete
from handlers.context import AppContext
from handlers.errors import UserError

NAMED_TASKS = 3  # how many of the most urgent are named


@dataclass(frozen=True, slots=True)
class ShowOnCall:
    """Show who is on call, and what waits for them."""


@dataclass(frozen=True, slots=True)
class ShowDigest:
    """Show the digest that a hand-over at this moment would post."""


def require_watch(app: AppContext) -> None:
    """Raise UserError where SecMaster is not polled, so that nothing is known here."""
    if not app.config.watch.every:
        raise UserError(text_message(NOT_WATCHING))


async def hand_over(app: AppContext, _request: ShowDigest, _delivery: Delivery) -> Message:
    """Return the digest that a hand-over now would post, for the length of a shift."""
    require_watch(app)
    now = app.services.clock.now()
    since = now - app.config.watch.shift
    return digest.digest(await asyncio.to_thread(digests.collect, app.services, since, now))


async def waiting(app: AppContext, _request: ShowOnCall, _delivery: Delivery) -> Message:
    """Return who is on call, and what waits for them."""
    require_watch(app)
    tracked, now = app.services.store.tracked, app.services.clock.now()
    counts = await asyncio.to_thread(tracked.open_counts, now, oncall_messages.SOON)
    urgent = await asyncio.to_thread(tracked.open_tasks, NAMED_TASKS)
    stale_since = await asyncio.to_thread(digests.stale_since, app.services)
    people = await on_call(app)
    return oncall_messages.on_call(people, counts, urgent, now, stale_since)


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
