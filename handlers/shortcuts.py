"""People use a shortcut, from anywhere or from a message's menu, or open the app's Home."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME, Action
from bot.domain.slack import Requester, SlackFile
from bot.messages import denials, modals
from bot.slack import cards
from handlers import home as homes
from handlers import operations, queries
from handlers.context import AppContext
from handlers.errors import UserError, run_after_ack
from handlers.parsing import plain
from handlers.requests import ActionRequest

Body = dict[str, Any]


async def home(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """Home is opened. It is drawn anew each time; the chat beside it has nothing to draw."""
    if body["event"].get("tab") == "home":
        run_after_ack(app, homes.opened(app, requester.actor), requester)
    await ack()


async def show_waiting(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """A shortcut of ours from wherever somebody is: it shows what waits."""
    view = modals.loading(modals.WAITING)
    opened = await operations.open_view(app.services, body["trigger_id"], view)
    run_after_ack(app, queries.waiting(app, opened["view"]["id"]), requester)
    await ack()


async def on_message(ack: AsyncAck, body: Body, app: AppContext, requester: Requester) -> None:
    """A message in a card's thread becomes what is said to SecMaster, once it was looked over."""
    action, message = BY_NAME[body["callback_id"]], body["message"]
    card = message.get("thread_ts") or message["ts"]
    ref = await cards.object_of(requester.location.channel, card)
    if ref is None or ref.kind != action.kind:
        raise UserError(denials.no_card_above(action))
    wanted = ActionRequest(action, ref, _said(message, action, app), files=_files(message, action))
    await operations.press(app, wanted, requester.under(card), body["trigger_id"])
    await ack()


def _said(message: Body, action: Action, app: AppContext) -> dict[str, str]:
    """What the message says, for the parameters that take it; nothing is said by our own card."""
    ours = message.get("user") == app.services.bot_user
    said = "" if ours else plain(message.get("text") or "")
    return {param.name: said for param in action.params if param.from_message}


def _files(message: Body, action: Action) -> tuple[SlackFile, ...]:
    """The message's files; without any the form asks for some."""
    files = modals.files_in(message) if action.takes_file else ()
    if len(files) > modals.MOST_FILES:
        raise UserError(denials.too_many_files(len(files), modals.MOST_FILES))
    return files
