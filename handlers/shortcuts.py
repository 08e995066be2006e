"""Shortcuts, from anywhere or from a message's menu, and the opening of the app's Home."""

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME
from bot.messages import denials, modals
from handlers import forms, operations, queries
from handlers import home as homes
from handlers.context import AppContext, Recorder
from handlers.errors import UserError, run_after_ack
from handlers.parsing import plain
from handlers.payloads import GlobalShortcut, HomeOpened, MessageShortcut
from handlers.requests import ActionRequest


async def home(ack: AsyncAck, slack_payload: HomeOpened, app: AppContext) -> None:
    """Draw Home each time that it is opened."""
    requester = slack_payload.requester
    run_after_ack(app, homes.opened(app, requester.actor), requester)
    await ack()


async def show_waiting(ack: AsyncAck, slack_payload: GlobalShortcut, app: AppContext) -> None:
    """Show what waits, in a modal: the global shortcut."""
    requester, view = slack_payload.requester, modals.loading(app.catalogue, modals.WAITING)
    response = await forms.open_view(app.services, slack_payload.trigger_id, view)
    view_id = response["view"]["id"]
    run_after_ack(app, queries.waiting(app, requester, view_id), requester)
    await ack()


async def on_message(ack: AsyncAck, slack_payload: MessageShortcut, recorder: Recorder) -> None:
    """Open an action's form with the text or the files of a message in a card's thread."""
    app, action = recorder.app, BY_NAME[slack_payload.callback_id]
    requester, card_ts = slack_payload.requester, slack_payload.root_ts
    requester.trace.sends = True
    ref = await app.services.cards.object_of(requester.location.channel, card_ts)
    if ref is None or ref.kind != action.kind:
        raise UserError(denials.no_card_above(recorder.app.catalogue, action))
    # A card of ours says nothing that anybody would send on.
    is_ours = slack_payload.author == app.services.slack.bot_user
    text = "" if is_ours else plain(slack_payload.text)
    params = {param.name: text for param in action.params if param.from_message}
    # Without any files the form asks for some.
    files = slack_payload.files if action.takes_file else ()
    operations.require_few_files(app, files)
    request = ActionRequest(action, ref, params, files=files)
    requester = requester.under(card_ts)
    await forms.record_or_open_form(recorder, request, requester, slack_payload.trigger_id)
    await ack()
