"""People use a shortcut, from anywhere or from a message's menu, or open the app's Home."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME, Action
from bot.domain.models import File
from bot.messages import command_help, modals
from bot.slack import cards
from handlers import home as homes
from handlers import operations, queries
from handlers.context import Asker, House
from handlers.errors import Told, later
from handlers.parsing import plain
from handlers.requests import Ask

Body = dict[str, Any]


async def home(ack: AsyncAck, body: Body, house: House, asker: Asker) -> None:
    """Home is opened. It is drawn anew each time; the chat beside it has nothing to draw."""
    if body["event"].get("tab") == "home":
        later(house, homes.opened(house, asker.actor), asker)
    await ack()


async def anywhere(ack: AsyncAck, body: Body, house: House, asker: Asker) -> None:
    """A shortcut of ours from wherever somebody is: it shows what waits."""
    view = modals.loading(modals.WAITING)
    opened = await operations.open_view(house.desk, body["trigger_id"], view)
    later(house, queries.waiting(house, opened["view"]["id"]), asker)
    await ack()


async def on_message(ack: AsyncAck, body: Body, house: House, asker: Asker) -> None:
    """A message in a card's thread becomes what is said to SecMaster, once it was looked over."""
    action, message = BY_NAME[body["callback_id"]], body["message"]
    card = message.get("thread_ts") or message["ts"]
    ref = await cards.object_of(asker.place.channel, card)
    if ref is None or ref.noun != action.noun:
        raise Told(command_help.no_card_above(action))
    wanted = Ask(action, ref, _said(message, action, house), files=_files(message, action))
    await operations.press(house, wanted, asker.under(card), body["trigger_id"])
    await ack()


def _said(message: Body, action: Action, house: House) -> dict[str, str]:
    """What the message says, for the parameters that take it; nothing is said by our own card."""
    ours = message.get("user") == house.desk.bot_user
    said = "" if ours else plain(message.get("text") or "")
    return {param.name: said for param in action.needs if param.said}


def _files(message: Body, action: Action) -> tuple[File, ...]:
    """The message's files; without any the form asks for some."""
    files = modals.files_in(message) if action.takes_file else ()
    if len(files) > modals.MOST_FILES:
        raise Told(command_help.too_many_files(len(files), modals.MOST_FILES))
    return files
