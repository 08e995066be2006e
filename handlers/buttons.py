"""People press buttons and send forms."""

from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalIntent
from bot.domain.batches import BatchQuery
from bot.domain.cards import ButtonValue
from bot.domain.slack import Requester, SlackLocation
from bot.messages import denials, lists, modals
from bot.slack import cards
from bot.slack.gateway import respond
from handlers import batch, home, operations, queries, watch
from handlers.context import AppContext
from handlers.errors import UserError, run_after_ack
from handlers.requests import ActionRequest, ChangeApproval, ShowCard

Body = dict[str, Any]


async def press(
    ack: AsyncAck, action: Body, body: Body, app: AppContext, requester: Requester
) -> None:
    """Any button or menu of ours, told apart by its action id."""
    name, value = _pressed(action)
    if name.startswith("page."):
        run_after_ack(app, _turn(app, value, requester.location), requester)
    elif name.partition(".")[0] == "home":
        run_after_ack(app, home.pressed(app, requester.actor, value), requester)
    elif name == "several":
        several = BatchQuery.parse(value)
        if several is None:
            raise UserError(denials.newer_button())
        await batch.open_form(app, several, requester, body["trigger_id"], upon=_in_modal(body))
    else:
        wanted, _, carried = value.rpartition("|")
        shown = ButtonValue.parse(carried)
        if shown is None or shown.ref.workspace not in app.services.secmaster:
            raise UserError(denials.newer_button())
        pressed = ButtonPress(name, shown, body["trigger_id"], _in_modal(body), wanted)
        await _on(app, pressed, requester)
    await ack()


async def submit(ack: AsyncAck, view: Body, app: AppContext, requester: Requester) -> None:
    """A form is sent."""
    await operations.submit(app, view, requester)
    await ack()


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """A button by its ``name``; ``wanted`` is the action it is about, if that is another."""

    name: str
    button: ButtonValue
    trigger_id: str
    in_modal: bool
    action_name: str = ""


async def _on(app: AppContext, pressed: ButtonPress, requester: Requester) -> None:
    """What a press means for the object it names."""
    ref = pressed.button.ref
    match pressed.name:
        case name if name in BY_NAME:
            wanted = ActionRequest(
                BY_NAME[name], ref, decision_fingerprint=pressed.button.decision_fingerprint
            )
            await operations.press(app, wanted, requester, pressed.trigger_id)
        case "break-glass" if pressed.action_name in BY_NAME:
            wanted = ActionRequest(
                BY_NAME[pressed.action_name],
                ref,
                decision_fingerprint=pressed.button.decision_fingerprint,
                break_glass=True,
            )
            await operations.press(app, wanted, requester, pressed.trigger_id)
        case "withdraw" | "refuse" if pressed.action_name in BY_NAME:
            unsaid = ChangeApproval(ApprovalIntent(pressed.name), ref, action=pressed.action_name)
            await operations.change_approval(app, unsaid, requester, pressed.trigger_id)
        case name if name.startswith("snooze."):
            until = name.removeprefix("snooze.")
            run_after_ack(
                app, watch.snooze(app, ref, until, requester, pressed.trigger_id), requester
            )
        case "show":
            run_after_ack(app, queries.show(app, ShowCard(ref), requester), requester)
        case "refresh":
            run_after_ack(app, cards.redraw(ref), requester)
        case "details":
            view = modals.loading("Details")
            opened = await operations.open_view(
                app.services, pressed.trigger_id, view, upon=pressed.in_modal
            )
            run_after_ack(app, queries.details(app, ref, opened["view"]["id"]), requester)
        case _:
            raise UserError(denials.newer_button())


def _in_modal(body: Body) -> bool:
    return (body.get("view") or {}).get("type") == "modal"


def _pressed(action: Body) -> tuple[str, str]:
    """The name and value of what was pressed; a menu's option carries both."""
    if option := action.get("selected_option"):
        name, _, value = option.get("value", "").partition("|")
        return name, value
    return action.get("action_id", ""), action.get("value", "")


async def _turn(app: AppContext, value: str, place: SlackLocation) -> None:
    """Another page of a list, in the place of the one that is shown."""
    wanted = lists.parse_page_button(value)
    if wanted is None:
        raise UserError(denials.newer_button())
    page = await queries.listing(app, wanted)
    await respond(place.response_url, page, replacing=True)
