"""People press buttons and send forms."""

from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.actions import BY_NAME
from bot.flows import cards
from bot.flows.posting import respond
from bot.many import Several
from bot.messages import about, lists, views
from bot.models import Place, Say, Shown
from handlers import home, many, operations, reading, watching
from handlers.failures import Told, later
from handlers.house import Asker, House
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
            raise Told(about.newer_button())
        await many.choose(house, several, asker, body["trigger_id"], upon=_in_modal(body))
    else:
        wanted, _, carried = value.rpartition("|")
        shown = Shown.parse(carried)
        if shown is None or shown.ref.workspace not in house.desk.secmaster:
            raise Told(about.newer_button())
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
            later(house, watching.snooze(house, ref, until, asker, pressed.trigger), asker)
        case "show":
            later(house, reading.show(house, Show(ref), asker), asker)
        case "refresh":
            later(house, cards.redraw(ref), asker)
        case "details":
            view = views.loading("Details")
            opened = await operations.open_view(
                house.desk, pressed.trigger, view, upon=pressed.in_modal
            )
            later(house, reading.details(house, ref, opened["view"]["id"]), asker)
        case _:
            raise Told(about.newer_button())


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
        raise Told(about.newer_button())
    page = await reading.listing(house, wanted)
    await respond(place.response_url, page, replacing=True)
