"""Slash commands, mentions and direct messages: the same words, each answered in its own way.

Knows the ways in which a command is carried out, and none of the commands.
"""

import asyncio
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar, assert_never

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck

from bot.domain.deliveries import DeliveryOutcome
from bot.domain.slack import Requester
from bot.messages import Message, command_help, denials
from bot.messages.command_help import START_BUTTON, StartButton
from bot.store import DeliveryState
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
from handlers.context import AppContext, Recorder, stable_id
from handlers.errors import UserError, not_understood, run_after_ack
from handlers.parsing import ParseError
from handlers.payloads import Mention, SlashCommand

log = logging.getLogger(__name__)

R = TypeVar("R")

# Slack tries for six minutes and its clock may be off, but it also delivers events that were
# missed, hours later; what somebody wanted then may be wrong by now.
LONGEST_ON_ITS_WAY = timedelta(minutes=10)


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
    delivery.requester.trace.command = parsed.command.words
    delivery.requester.trace.sends = parsed.command.sends
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


async def mention(ack: AsyncAck, slack_payload: Mention, recorder: Recorder) -> BoltResponse | None:
    """Handle a mention with the words of a command, perhaps in a card's thread.

    A message is answered once, by whichever events and however often Slack delivers it.
    """
    app = recorder.app
    # An edited mention is a new event about the same message.
    key = stable_id(slack_payload.key + (":edited" if slack_payload.is_edited else ""))
    deliveries, clock = app.services.store.deliveries, app.services.clock

    async def mark_answered() -> None:
        await taking
        await asyncio.to_thread(deliveries.mark_answered, key, clock.now())

    async def log_failure(error: Exception) -> None:
        log.warning("a message is not marked as answered", extra={"error": str(error)})

    take = partial(deliveries.take, key, app.services.process_id, clock.now())
    taking = asyncio.create_task(asyncio.to_thread(take))
    try:
        state = await asyncio.shield(taking)
    except asyncio.CancelledError:
        # Its writer is told that nothing was done: nobody may do it when it is delivered again.
        app.services.background.start(mark_answered(), log_failure)
        raise
    match state:
        case DeliveryState.NEW | DeliveryState.RETAKEN:
            pass
        case DeliveryState.KNOWN:
            slack_payload.requester.trace.fail(DeliveryOutcome.IGNORED)
            await ack()
            return None
        case DeliveryState.ELSEWHERE:
            slack_payload.requester.trace.fail(DeliveryOutcome.IGNORED)
            return BoltResponse(status=503)  # Slack delivers it again in a minute
        case _:
            assert_never(state)
    try:
        await _carry_out_message(recorder, slack_payload, state)
    finally:
        # Not before the acknowledgement: with a process that dies just then it would be lost.
        app.services.background.start(mark_answered(), log_failure)
    await ack()
    return None


async def _carry_out_message(recorder: Recorder, message: Mention, state: DeliveryState) -> None:
    """Record what a message asks for, or start answering it; raises what its writer is told."""
    app, requester = recorder.app, message.requester
    location = requester.location
    if message.is_edited:
        raise UserError(denials.edited(recorder.app.catalogue))
    written_at = datetime.fromtimestamp(float(message.ts), UTC)
    if app.services.clock.now() - written_at > LONGEST_ON_ITS_WAY:
        raise UserError(denials.too_old(recorder.app.catalogue, is_new=state is DeliveryState.NEW))
    bot_user = app.services.slack.bot_user
    text = re.sub(rf"<@{re.escape(bot_user)}(\|[^>]*)?>", " ", message.text, count=1)
    thread_object = None
    if location.thread:
        thread_object = await app.services.cards.object_of(location.channel, location.thread)
    delivery = Delivery(requester, message.key, thread_object, message.ts, message.files)
    try:
        parsed = parse(text, thread_object, message.files)
    except ParseError as error:
        requester.trace.fail(DeliveryOutcome.INVALID)
        run_after_ack(app, _say_not_understood(app, error, delivery), requester)
    else:
        if parsed.command.takes_files:
            delivery = replace(delivery, unused_files=())
        await _carry_out_mention(recorder, parsed, delivery)


async def _say_not_understood(app: AppContext, error: ParseError, delivery: Delivery) -> None:
    """Say what is wrong with a message's words."""
    # Where one can mention us, there may be no slash commands: a thread has none.
    root = f"@{await app.services.directory.name(app.services.slack.bot_user)}"
    await _send_answer(app, not_understood(app, error, root), delivery)


def answer_button(app: AppContext, name: str, requester: Requester, trigger_id: str) -> None:
    """Start answering a button that stands for a command which only reads.

    Raises UserError for one that this version does not know.
    """
    try:
        words = StartButton(name.removeprefix(START_BUTTON))
    except ValueError:
        raise UserError(denials.newer_button(app.catalogue)) from None
    parsed = parse(words)
    handler = parsed.command.handler
    if not isinstance(handler, AnswersAtOnce | AnswersLater):
        raise TypeError(f"the button {name} stands for a command that changes something")
    delivery = Delivery(requester, trigger_id)
    run_after_ack(app, _answer(app, handler, parsed.request, delivery), requester)


async def _carry_out_mention(
    recorder: Recorder, parsed: ParsedCommand[R], delivery: Delivery
) -> None:
    """Record what a mention asks for, or start answering it."""
    app, handler, request = recorder.app, parsed.command.handler, parsed.request
    delivery.requester.trace.command = parsed.command.words
    delivery.requester.trace.sends = parsed.command.sends
    match handler:
        case RecordsOperation():
            await handler.record(recorder, request, delivery)
            run_after_ack(app, _send_answer(app, None, delivery), delivery.requester)
        case RecordsChange():
            message = await handler.record(recorder, request, delivery)
            run_after_ack(app, _send_answer(app, message, delivery), delivery.requester)
        case AnswersAtOnce() | AnswersLater() | OpensForm() | Posts():
            run_after_ack(app, _answer(app, handler, request, delivery), delivery.requester)
        case _:
            assert_never(handler)


async def _answer(
    app: AppContext, handler: ReadingHandler[R], request: R, delivery: Delivery
) -> None:
    """Post what a command asks for, or send its answer to the requester alone."""
    match handler:
        case Posts():
            message = await handler.post(app, request, delivery)
            await _send_answer(app, message, delivery)
        case AnswersAtOnce() | AnswersLater() | OpensForm():
            message = await handler.answer(app, request, delivery)
            await _send_answer(app, message, delivery)
        case _:
            assert_never(handler)


async def _send_answer(app: AppContext, message: Message | None, delivery: Delivery) -> None:
    """Send the requester alone the answer, if there is one, and what was not done with files."""
    location, user = delivery.requester.location, delivery.requester.actor.id
    message = command_help.with_unused_files(app.catalogue, message, delivery.unused_files)
    if message:
        await app.services.slack.send_private(location, user, message)
