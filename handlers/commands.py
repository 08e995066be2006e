"""People write to the bot: slash commands, mentions, and direct messages, in the same words."""

import re
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.batches import Several
from bot.domain.models import Listing, Place, Ref
from bot.messages import Message, batch_forms, command_help
from bot.slack import cards
from bot.slack.gateway import whisper
from handlers import oncall, operations, permissions, queries, watch
from handlers.batch import choose
from handlers.context import Asker, House
from handlers.errors import Told, later
from handlers.parsing import NotUnderstood, parse
from handlers.requests import (
    Ask,
    HandOver,
    Help,
    Lend,
    OnCall,
    Reload,
    Request,
    Routes,
    Show,
    Status,
    Subscribe,
    TakeBack,
    Unsay,
    Whoami,
)

Body = dict[str, Any]
ON_RECORD = (Lend, TakeBack, Reload)


async def command(ack: AsyncAck, body: Body, house: House, asker: Asker) -> None:
    """A slash command."""
    prefix = house.config.commands.prefix(body["command"])
    request = parse(f"{prefix} {body.get('text', '')}")
    if isinstance(request, Ask):
        await operations.ask(house, request, asker, body["trigger_id"])
        await ack(command_help.recorded(request.action).text)
    elif isinstance(request, Unsay):
        await operations.unsay(house, request, asker, body["trigger_id"])
        await ack(command_help.recorded_unsaid().text)
    elif isinstance(request, Several):
        await choose(house, request, asker, body["trigger_id"])
        await ack()
    elif isinstance(request, ON_RECORD):
        told = await permissions.answer(house, request, asker, body["trigger_id"])
        await ack(response_type="ephemeral", **told.payload)
    elif isinstance(request, Help):
        await ack(response_type="ephemeral", **house.help.payload)
    else:
        _answer_later(house, request, asker, body["trigger_id"])
        await ack()


async def mention(ack: AsyncAck, body: Body, house: House, asker: Asker) -> None:
    """The bot is mentioned with the words of a command, perhaps in a card's thread."""
    event = body["event"]
    if not _from_a_person(event):
        await ack()
        return
    text = re.sub(
        rf"<@{re.escape(house.desk.bot_user)}(\|[^>]*)?>", " ", event.get("text", ""), count=1
    )
    here = await _object_above(asker.place)
    try:
        request = parse(text, here)
    except NotUnderstood as wrong:
        # Where one can mention us, there may be no slash commands: a thread has none.
        us = f"@{await house.directory.name(house.desk.bot_user)}"
        told = command_help.not_understood(wrong.problem, wrong.usage, wrong.nearest, us)
        raise Told(told) from wrong
    if isinstance(request, Ask):
        await operations.ask(house, request, _under(here, request, asker), body["event_id"])
    elif isinstance(request, Unsay):
        await operations.unsay(house, request, _under(here, request, asker), body["event_id"])
    elif house.recent.is_new(body["event_id"]):
        _answer_later(house, request, asker, body["event_id"])
    await ack()


async def message(ack: AsyncAck, body: Body, house: House, asker: Asker) -> None:
    """A direct message to the bot; what is said elsewhere is not ours to read."""
    if body["event"].get("channel_type") == "im" and not body["event"].get("subtype"):
        await mention(ack, body, house, asker)
    else:
        await ack()


def _from_a_person(event: Body) -> bool:
    return bool(event.get("user")) and not event.get("bot_id")


async def _object_above(place: Place) -> Ref | None:
    """The object whose card's thread this is, if it is one."""
    return await cards.object_of(place.channel, place.thread) if place.thread else None


def _under(here: Ref | None, request: Ask | Unsay, asker: Asker) -> Asker:
    """Answer in this thread if it is that of the object's own card, and of no other."""
    if request.ref != here:
        return asker
    return asker.under(asker.place.thread)


def _answer_later(house: House, request: Request, asker: Asker, once: str) -> None:
    """Reads wait for SecMaster, so they answer after the acknowledgement."""

    async def answer() -> None:
        if isinstance(request, Show):
            await queries.show(house, request, asker)
        else:
            message = await _read(house, request, asker, once)
            await whisper(asker.place, asker.actor.id, message)

    later(house, answer(), asker)


async def _read(house: House, request: Request, asker: Asker, once: str) -> Message:
    match request:
        case Listing():
            return await queries.listing(house, request)
        case Whoami():
            return await queries.whoami(house, asker.actor)
        case Help():
            return house.help
        case Several():
            return batch_forms.needs_form(request.noun, house.root)
        case HandOver() | OnCall() | Routes() | Status() | Subscribe():
            return await _of_the_watch(house, request, asker, once)
    return await permissions.answer(house, request, asker, once)


async def _of_the_watch(house: House, request: Request, asker: Asker, once: str) -> Message:
    """What is answered from what the watch knows, or changes what it does."""
    if isinstance(request, HandOver | OnCall):
        return await oncall.answer(house, request)
    return await watch.answer(house, request, asker, once)
