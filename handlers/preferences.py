"""What people choose for themselves: how they are called for approvals."""

import asyncio
from dataclasses import dataclass
from functools import partial

from bot.domain.approvals import CallPreference
from bot.domain.slack import Requester
from bot.messages import Message, approval_calls, denials
from bot.slack.directory import require_identified
from handlers.command_row import AnyCommand, Arguments, Command, Delivery, RecordsChange
from handlers.context import Recorder
from handlers.errors import UserError
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
        raise ParseError(approval_calls.unknown_choice(word))
    return ChooseCalls(WORDS[word.lower()] if word else None)


async def choose_calls(recorder: Recorder, request: ChooseCalls, delivery: Delivery) -> Message:
    """Record how the requester wants to be called, and say how they are called now."""
    requester, app = delivery.requester, recorder.app
    require_identified(requester.actor)
    if request.calls:
        await record_calls(recorder, requester, request.calls, delivery.dedupe_key)
        return approval_calls.calls_chosen(app.catalogue, request.calls)
    calls = await asyncio.to_thread(app.services.store.preferences.calls, requester.actor.id)
    return approval_calls.calls_chosen(app.catalogue, calls)


async def chosen_on_home(
    recorder: Recorder, requester: Requester, value: str, trigger_id: str
) -> None:
    """Record the choice of the menu on somebody's Home; raises UserError for an unknown one."""
    if value not in tuple(CallPreference):
        raise UserError(denials.newer_button(recorder.app.catalogue))
    require_identified(requester.actor)
    await record_calls(recorder, requester, CallPreference(value), trigger_id)


async def record_calls(
    recorder: Recorder, requester: Requester, calls: CallPreference, dedupe_key: str
) -> None:
    """Record how a person wants to be called for approvals."""
    user = requester.actor.id
    change = recorder.change(requester, dedupe_key, "calls", {"target": user, "calls": calls}, None)
    await recorder.record_change(partial(recorder.changes.choose_calls, user, calls, change))


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="calls",
        usage="calls dm",
        help=approval_calls.HELP,
        parse=parse_calls,
        handler=RecordsChange(choose_calls),
    ),
)
