"""Slash commands, mentions and direct messages: the same words, each answered in its own way."""

import re
from typing import Any, assert_never

from slack_bolt.async_app import AsyncAck

from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, Ref
from bot.domain.slack import Requester
from bot.messages import Message, batch_forms, command_help, operation_results
from handlers import batch, oncall, operations, permissions, queries, watch
from handlers.context import AppContext
from handlers.errors import UserError, run_after_ack
from handlers.parsing import ParseError, parse
from handlers.requests import (
    ActionRequest,
    AnsweredRequest,
    ChangeApproval,
    CreateDelegation,
    ExplainPolicy,
    ListDelegations,
    ReloadPolicy,
    RevokeDelegation,
    SetSubscription,
    ShowAudit,
    ShowCard,
    ShowDigest,
    ShowHelp,
    ShowOnCall,
    ShowRoutes,
    ShowStatus,
    Whoami,
)

Body = dict[str, Any]


async def command(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """Handle a slash command: what changes something is on record before the acknowledgement."""
    prefix = app.config.commands.prefix(body["command"])
    request = parse(f"{prefix} {body.get('text', '')}")
    trigger_id = body["trigger_id"]
    match request:
        case ActionRequest():
            await operations.run_command(app, request, requester, trigger_id)
            await ack(operation_results.recorded(request.action).text)
        case ChangeApproval():
            await operations.change_approval(app, request, requester, trigger_id)
            await ack(operation_results.approval_change_recorded().text)
        case BatchQuery():
            await batch.open_form(app, request, requester, trigger_id)
            await ack()
        case CreateDelegation() | RevokeDelegation() | ReloadPolicy() | ShowHelp():
            message = await answer(app, request, requester, trigger_id)
            await ack(response_type="ephemeral", **message.payload)
        case (
            ShowCard()
            | Whoami()
            | ListQuery()
            | ExplainPolicy()
            | ShowAudit()
            | ListDelegations()
            | ShowStatus()
            | ShowDigest()
            | ShowOnCall()
            | ShowRoutes()
            | SetSubscription()
        ):
            run_after_ack(app, send_answer(app, request, requester, trigger_id), requester)
            await ack()
        case _:
            assert_never(request)


async def mention(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """Handle a mention with the words of a command, perhaps in a card's thread."""
    event, event_id = body["event"], body["event_id"]
    if not event.get("user") or event.get("bot_id"):  # no person wrote it
        await ack()
        return
    bot_user, location = app.services.slack.bot_user, requester.location
    text = re.sub(rf"<@{re.escape(bot_user)}(\|[^>]*)?>", " ", event.get("text", ""), count=1)
    thread_object = None
    if location.thread:
        thread_object = await app.services.cards.object_of(location.channel, location.thread)
    try:
        request = parse(text, thread_object)
    except ParseError as error:
        # Where one can mention us, there may be no slash commands: a thread has none.
        root = f"@{await app.services.directory.name(bot_user)}"
        message = command_help.not_understood(error.problem, error.usage, error.nearest, root)
        raise UserError(message) from error
    if isinstance(request, ActionRequest):
        requester = _in_own_thread(requester, request.ref, thread_object)
        await operations.run_command(app, request, requester, event_id)
    elif isinstance(request, ChangeApproval):
        requester = _in_own_thread(requester, request.ref, thread_object)
        await operations.change_approval(app, request, requester, event_id)
    elif app.seen_events.is_new(event_id):
        run_after_ack(app, send_answer(app, request, requester, event_id), requester)
    await ack()


async def direct_message(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """Handle a direct message to the bot as a mention; other messages are not for us to read."""
    if body["event"].get("channel_type") == "im" and not body["event"].get("subtype"):
        await mention(ack, body, app, requester)
    else:
        await ack()


def _in_own_thread(requester: Requester, ref: Ref, thread_object: Ref | None) -> Requester:
    """Return the requester, answered in this thread if it is that of the object's own card."""
    return requester.under(requester.location.thread) if ref == thread_object else requester


async def send_answer(
    app: AppContext, request: ShowCard | AnsweredRequest, requester: Requester, dedupe_key: str
) -> None:
    """Post the card that a request asks for, or send its answer to the requester alone."""
    if isinstance(request, ShowCard):
        await queries.show(app, request, requester)
        return
    message = await answer(app, request, requester, dedupe_key)
    await app.services.slack.send_private(requester.location, requester.actor.id, message)


async def answer(  # noqa: C901, PLR0911, PLR0912 - a row for each kind of request
    app: AppContext, request: AnsweredRequest, requester: Requester, dedupe_key: str
) -> Message:
    """Do what a request asks for, and return the answer; what it changes is on record by then.

    ``dedupe_key`` names this delivery's command or mention: delivered again it changes nothing.
    """
    match request:
        case ShowHelp():
            return app.help
        case Whoami():
            return await queries.whoami(app, requester.actor)
        case ListQuery():
            return await queries.listing(app, request)
        case BatchQuery():
            return batch_forms.needs_form(request.kind, app.root)
        case ExplainPolicy():
            return await permissions.why(app, request, requester.actor)
        case ShowAudit():
            return await permissions.audit(app, request, requester)
        case ReloadPolicy():
            return await permissions.reload(app, requester, dedupe_key)
        case CreateDelegation():
            return await permissions.create_delegation(app, request, requester, dedupe_key)
        case RevokeDelegation():
            return await permissions.revoke_delegation(app, request, requester, dedupe_key)
        case ListDelegations():
            return await permissions.list_delegations(app, requester.actor)
        case ShowStatus():
            return await watch.status(app)
        case ShowRoutes():
            return await watch.routes(app, request, requester.location)
        case SetSubscription():
            return await watch.set_subscription(app, request, requester, dedupe_key)
        case ShowDigest():
            return await oncall.hand_over(app)
        case ShowOnCall():
            return await oncall.waiting(app)
        case _:
            assert_never(request)
