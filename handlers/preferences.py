"""What people choose for themselves: how they are called for approvals."""

import asyncio
from dataclasses import dataclass
from functools import partial

from bot.domain.approvals import CallPreference
from bot.domain.slack import Actor
from bot.messages import Message, approval_calls
from bot.slack.directory import require_identified
from handlers.command_row import AnyCommand, Arguments, Command, Delivery, RecordsChange
from handlers.context import Recorder
from handlers.parsing import ParseError, refuse_more, split

WORDS = {
    "dm": CallPreference.DIRECT,
    "direct": CallPreference.DIRECT,
    "rule": CallPreference.AS_RULED,
    "thread": CallPreference.AS_RULED,
    "off": CallPreference.OFF,
}


@dataclass(frozen=True, slots=True)
class ChooseCalls:
    """Call the requester for approvals in this way from now on; None asks how they are called."""

    calls: CallPreference | None


def parse_calls(arguments: Arguments) -> ChooseCalls:
    word, rest = split(arguments.words)
    refuse_more(rest)
    if word and word.lower() not in WORDS:
        raise ParseError(f"“{word[:60]}” is not a way to be called.")
    return ChooseCalls(WORDS[word.lower()] if word else None)


async def choose_calls(recorder: Recorder, request: ChooseCalls, delivery: Delivery) -> Message:
    """Record how the requester wants to be called, and say how they are called now."""
    actor, catalogue = delivery.requester.actor, recorder.app.catalogue
    require_identified(actor)
    if request.calls:
        await record_calls(recorder, actor, request.calls)
        return approval_calls.calls_chosen(catalogue, request.calls)
    calls = await asyncio.to_thread(recorder.app.services.store.preferences.calls, actor.id)
    return approval_calls.calls_chosen(catalogue, calls)


async def record_calls(recorder: Recorder, actor: Actor, calls: CallPreference) -> None:
    """Record how a person wants to be called for approvals."""
    choose, now = recorder.changes.choose_calls, recorder.app.services.clock.now()
    await recorder.record(partial(asyncio.to_thread, choose, actor.id, calls, now))


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="calls",
        usage="calls dm",
        help=approval_calls.HELP,
        parse=parse_calls,
        handler=RecordsChange(choose_calls),
    ),
)
