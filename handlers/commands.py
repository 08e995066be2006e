"""People write to the bot: slash commands, mentions, and direct messages, in the same words."""

import re
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, Ref
from bot.domain.slack import Requester, SlackLocation
from bot.messages import Message, batch_forms, command_help, operation_results
from bot.slack import cards
from bot.slack.gateway import send_private
from handlers import oncall, operations, permissions, queries, watch
from handlers.batch import open_form
from handlers.context import AppContext
from handlers.errors import UserError, run_after_ack
from handlers.parsing import ParseError, parse
from handlers.requests import (
    ActionRequest,
    ChangeApproval,
    CreateDelegation,
    ReloadPolicy,
    Request,
    RevokeDelegation,
    SetSubscription,
    ShowCard,
    ShowDigest,
    ShowHelp,
    ShowOnCall,
    ShowRoutes,
    ShowStatus,
    Whoami,
)

Body = dict[str, Any]
ON_RECORD = (CreateDelegation, RevokeDelegation, ReloadPolicy)


async def command(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """A slash command."""
    prefix = app.config.commands.prefix(body["command"])
    request = parse(f"{prefix} {body.get('text', '')}")
    if isinstance(request, ActionRequest):
        await operations.run_command(app, request, requester, body["trigger_id"])
        await ack(operation_results.recorded(request.action).text)
    elif isinstance(request, ChangeApproval):
        await operations.change_approval(app, request, requester, body["trigger_id"])
        await ack(operation_results.approval_change_recorded().text)
    elif isinstance(request, BatchQuery):
        await open_form(app, request, requester, body["trigger_id"])
        await ack()
    elif isinstance(request, ON_RECORD):
        told = await permissions.answer(app, request, requester, body["trigger_id"])
        await ack(response_type="ephemeral", **told.payload)
    elif isinstance(request, ShowHelp):
        await ack(response_type="ephemeral", **app.help.payload)
    else:
        _answer_later(app, request, requester, body["trigger_id"])
        await ack()


async def mention(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """The bot is mentioned with the words of a command, perhaps in a card's thread."""
    event = body["event"]
    if not _from_a_person(event):
        await ack()
        return
    text = re.sub(
        rf"<@{re.escape(app.services.bot_user)}(\|[^>]*)?>", " ", event.get("text", ""), count=1
    )
    here = await _object_above(requester.location)
    try:
        request = parse(text, here)
    except ParseError as wrong:
        # Where one can mention us, there may be no slash commands: a thread has none.
        us = f"@{await app.directory.name(app.services.bot_user)}"
        told = command_help.not_understood(wrong.problem, wrong.usage, wrong.nearest, us)
        raise UserError(told) from wrong
    if isinstance(request, ActionRequest):
        await operations.run_command(
            app, request, _under(here, request, requester), body["event_id"]
        )
    elif isinstance(request, ChangeApproval):
        await operations.change_approval(
            app, request, _under(here, request, requester), body["event_id"]
        )
    elif app.seen_events.is_new(body["event_id"]):
        _answer_later(app, request, requester, body["event_id"])
    await ack()


async def message(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """A direct message to the bot; what is said elsewhere is not ours to read."""
    if body["event"].get("channel_type") == "im" and not body["event"].get("subtype"):
        await mention(ack, body, app, requester)
    else:
        await ack()


def _from_a_person(event: Body) -> bool:
    return bool(event.get("user")) and not event.get("bot_id")


async def _object_above(place: SlackLocation) -> Ref | None:
    """The object whose card's thread this is, if it is one."""
    return await cards.object_of(place.channel, place.thread) if place.thread else None


def _under(
    here: Ref | None, request: ActionRequest | ChangeApproval, requester: Requester
) -> Requester:
    """Answer in this thread if it is that of the object's own card, and of no other."""
    if request.ref != here:
        return requester
    return requester.under(requester.location.thread)


def _answer_later(app: AppContext, request: Request, requester: Requester, once: str) -> None:
    """Reads wait for SecMaster, so they answer after the acknowledgement."""

    async def answer() -> None:
        if isinstance(request, ShowCard):
            await queries.show(app, request, requester)
        else:
            message = await _read(app, request, requester, once)
            await send_private(requester.location, requester.actor.id, message)

    run_after_ack(app, answer(), requester)


async def _read(app: AppContext, request: Request, requester: Requester, once: str) -> Message:
    match request:
        case ListQuery():
            return await queries.listing(app, request)
        case Whoami():
            return await queries.whoami(app, requester.actor)
        case ShowHelp():
            return app.help
        case BatchQuery():
            return batch_forms.needs_form(request.kind, app.root)
        case ShowDigest() | ShowOnCall() | ShowRoutes() | ShowStatus() | SetSubscription():
            return await _of_the_watch(app, request, requester, once)
    return await permissions.answer(app, request, requester, once)


async def _of_the_watch(
    app: AppContext, request: Request, requester: Requester, once: str
) -> Message:
    """What is answered from what the watch knows, or changes what it does."""
    if isinstance(request, ShowDigest | ShowOnCall):
        return await oncall.answer(app, request)
    return await watch.answer(app, request, requester, once)
