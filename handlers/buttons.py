"""People press buttons and send forms."""

from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME
from bot.domain.batches import Several
from bot.domain.models import Place, Say, Shown
from bot.messages import command_help, lists, modals
from bot.slack import cards
from bot.slack.gateway import respond
from handlers import batch, home, operations, queries, watch
from handlers.context import Asker, House
from handlers.errors import Told, later
from handlers.requests import Ask, Show, Unsay

Body = dict[str, Any]


async def press(ack: AsyncAck, action: Body, body: Body, house: House, asker: Asker) -> None:
    """Any button or menu of ours, told apart by its action id."""
    name, value = _pressed(action)
    if name.startswith("page."):
        later(house, _turn(house, value, asker.place), asker)
    elif name.partition(".")[0] == "home":
        later(house, home.pressed(house, asker.actor, value), asker)
    elif name == "several":
        several = Several.parse(value)
        if several is None:
            raise Told(command_help.newer_button())
        await batch.choose(house, several, asker, body["trigger_id"], upon=_in_modal(body))
    else:
        wanted, _, carried = value.rpartition("|")
        shown = Shown.parse(carried)
        if shown is None or shown.ref.workspace not in house.desk.secmaster:
            raise Told(command_help.newer_button())
        pressed = Pressed(name, shown, body["trigger_id"], _in_modal(body), wanted)
        await _on(house, pressed, asker)
    await ack()


async def submit(ack: AsyncAck, view: Body, house: House, asker: Asker) -> None:
    """A form is sent."""
    await operations.submit(house, view, asker)
    await ack()


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button by its ``name``; ``wanted`` is the action it is about, if that is another."""

    name: str
    shown: Shown
    trigger: str
    in_modal: bool
    wanted: str = ""


async def _on(house: House, pressed: Pressed, asker: Asker) -> None:
    """What a press means for the object it names."""
    ref = pressed.shown.ref
    match pressed.name:
        case name if name in BY_NAME:
            wanted = Ask(BY_NAME[name], ref, seen=pressed.shown.seen)
            await operations.press(house, wanted, asker, pressed.trigger)
        case "break-glass" if pressed.wanted in BY_NAME:
            wanted = Ask(BY_NAME[pressed.wanted], ref, seen=pressed.shown.seen, glass=True)
            await operations.press(house, wanted, asker, pressed.trigger)
        case "withdraw" | "refuse" if pressed.wanted in BY_NAME:
            unsaid = Unsay(Say(pressed.name), ref, action=pressed.wanted)
            await operations.unsay(house, unsaid, asker, pressed.trigger)
        case name if name.startswith("snooze."):
            until = name.removeprefix("snooze.")
            later(house, watch.snooze(house, ref, until, asker, pressed.trigger), asker)
        case "show":
            later(house, queries.show(house, Show(ref), asker), asker)
        case "refresh":
            later(house, cards.redraw(ref), asker)
        case "details":
            view = modals.loading("Details")
            opened = await operations.open_view(
                house.desk, pressed.trigger, view, upon=pressed.in_modal
            )
            later(house, queries.details(house, ref, opened["view"]["id"]), asker)
        case _:
            raise Told(command_help.newer_button())


def _in_modal(body: Body) -> bool:
    return (body.get("view") or {}).get("type") == "modal"


def _pressed(action: Body) -> tuple[str, str]:
    """The name and value of what was pressed; a menu's option carries both."""
    if option := action.get("selected_option"):
        name, _, value = option.get("value", "").partition("|")
        return name, value
    return action.get("action_id", ""), action.get("value", "")


async def _turn(house: House, value: str, place: Place) -> None:
    """Another page of a list, in the place of the one that is shown."""
    wanted = lists.turned(value)
    if wanted is None:
        raise Told(command_help.newer_button())
    page = await queries.listing(house, wanted)
    await respond(place.response_url, page, replacing=True)
