"""Slash commands, mentions and direct messages: the same words, each answered in its own way.

Knows the ways in which a command is carried out, and none of the commands.
"""

import re
from typing import TypeVar, assert_never

from slack_bolt.async_app import AsyncAck

from bot.messages import Message, command_help
from handlers.command_row import (
    AnswersAtOnce,
    AnswersLater,
    Delivery,
    OpensForm,
    ParsedCommand,
    Posts,
    ReadingHandler,
    RecordsChange,
    RecordsOperation,
)
from handlers.command_table import parse
from handlers.context import AppContext, Recorder
from handlers.errors import UserError, run_after_ack
from handlers.parsing import ParseError
from handlers.payloads import Mention, SlashCommand

R = TypeVar("R")


async def command(ack: AsyncAck, slack_payload: SlashCommand, recorder: Recorder) -> None:
    """Handle a slash command: what changes something is on record before the acknowledgement."""
    prefix = recorder.app.config.commands.prefix(slack_payload.command)
    parsed = parse(f"{prefix} {slack_payload.text}")
    delivery = Delivery(slack_payload.requester, slack_payload.trigger_id)
    await _carry_out_command(ack, recorder, parsed, delivery)


async def _carry_out_command(
    ack: AsyncAck, recorder: Recorder, parsed: ParsedCommand[R], delivery: Delivery
) -> None:
    """Carry out a slash command and acknowledge it; it is delivered under its trigger's id."""
    app, handler, request = recorder.app, parsed.command.handler, parsed.request
    match handler:
        case RecordsOperation():
            message = await handler.record(recorder, request, delivery)
            await ack(message.text if message else "")
        case RecordsChange():
            message = await handler.record(recorder, request, delivery)
            await ack(response_type="ephemeral", **message.payload)
        case AnswersAtOnce():
            message = await handler.answer(app, request, delivery)
            await ack(response_type="ephemeral", **message.payload)
        case OpensForm():
            await handler.open(app, request, delivery.requester, delivery.dedupe_key)
            await ack()
        case AnswersLater() | Posts():
            run_after_ack(app, _answer(app, handler, request, delivery), delivery.requester)
            await ack()
        case _:
            assert_never(handler)


async def mention(ack: AsyncAck, slack_payload: Mention, recorder: Recorder) -> None:
    """Handle a mention with the words of a command, perhaps in a card's thread."""
    app, requester = recorder.app, slack_payload.requester
    bot_user, location = app.services.slack.bot_user, requester.location
    text = re.sub(rf"<@{re.escape(bot_user)}(\|[^>]*)?>", " ", slack_payload.text, count=1)
    thread_object = None
    if location.thread:
        thread_object = await app.services.cards.object_of(location.channel, location.thread)
    try:
        parsed = parse(text, thread_object)
    except ParseError as error:
        # Where one can mention us, there may be no slash commands: a thread has none.
        root = f"@{await app.services.directory.name(bot_user)}"
        message = command_help.not_understood(error.problem, error.usage, error.nearest, root)
        raise UserError(message) from error
    delivery = Delivery(requester, slack_payload.event_id, thread_object, slack_payload.ts)
    await _carry_out_mention(recorder, parsed, delivery)
    await ack()


async def _carry_out_mention(
    recorder: Recorder, parsed: ParsedCommand[R], delivery: Delivery
) -> None:
    """Record what a mention asks for; start answering it unless this event was seen before."""
    app, handler, request = recorder.app, parsed.command.handler, parsed.request
    match handler:
        case RecordsOperation():
            await handler.record(recorder, request, delivery)
        case RecordsChange():
            message = await handler.record(recorder, request, delivery)
            if app.seen_events.is_new(delivery.dedupe_key):
                run_after_ack(app, _send_answer(app, message, delivery), delivery.requester)
        case AnswersAtOnce() | AnswersLater() | OpensForm() | Posts():
            if app.seen_events.is_new(delivery.dedupe_key):
                run_after_ack(app, _answer(app, handler, request, delivery), delivery.requester)
        case _:
            assert_never(handler)


async def _answer(
    app: AppContext, handler: ReadingHandler[R], request: R, delivery: Delivery
) -> None:
    """Post what a command asks for, or send its answer to the requester alone."""
    match handler:
        case Posts():
            await handler.post(app, request, delivery)
        case AnswersAtOnce() | AnswersLater() | OpensForm():
            message = await handler.answer(app, request, delivery)
            await _send_answer(app, message, delivery)
        case _:
            assert_never(handler)


async def _send_answer(app: AppContext, message: Message, delivery: Delivery) -> None:
    location, user = delivery.requester.location, delivery.requester.actor.id
    await app.services.slack.send_private(location, user, message)
