"""Shortcuts, from anywhere or from a message's menu, and the opening of the app's Home."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME
from bot.domain.slack import Requester
from bot.messages import denials, modals
from handlers import forms, queries
from handlers import home as homes
from handlers.context import AppContext, Recorder
from handlers.errors import UserError, run_after_ack
from handlers.parsing import plain
from handlers.requests import ActionRequest

Body = dict[str, Any]


async def home(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """Draw Home each time that it is opened; the Messages tab beside it has nothing to draw."""
    if body["event"].get("tab") == "home":
        run_after_ack(app, homes.opened(app, requester.actor), requester)
    await ack()


async def show_waiting(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """Show what waits, in a modal: the global shortcut."""
    view = modals.loading(modals.WAITING)
    response = await forms.open_view(app.services, body["trigger_id"], view)
    view_id = response["view"]["id"]
    run_after_ack(app, queries.waiting(app, requester.actor, view_id), requester)
    await ack()


async def on_message(ack: AsyncAck, body: Body, recorder: Recorder, requester: Requester) -> None:
    """Open an action's form with the text or the files of a message in a card's thread."""
    app, action, message = recorder.app, BY_NAME[body["callback_id"]], body["message"]
    card_ts = message.get("thread_ts") or message["ts"]
    ref = await app.services.cards.object_of(requester.location.channel, card_ts)
    if ref is None or ref.kind != action.kind:
        raise UserError(denials.no_card_above(action))
    # A card of ours says nothing that anybody would send on.
    is_ours = message.get("user") == app.services.slack.bot_user
    text = "" if is_ours else plain(message.get("text") or "")
    params = {param.name: text for param in action.params if param.from_message}
    # Without any files the form asks for some.
    files = modals.files_in(message) if action.takes_file else ()
    if len(files) > modals.MOST_FILES:
        raise UserError(denials.too_many_files(len(files), modals.MOST_FILES))
    request = ActionRequest(action, ref, params, files=files)
    requester = requester.under(card_ts)
    await forms.record_or_open_form(recorder, request, requester, body["trigger_id"])
    await ack()
