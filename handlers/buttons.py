"""Buttons, menus and submitted forms: what each means, and who carries it out.

Knows the action ids, and refuses each that this version does not know.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalIntent
from bot.domain.batches import BatchQuery
from bot.domain.cards import ButtonValue
from bot.domain.slack import Requester
from bot.messages import assignments as assignment_messages
from bot.messages import denials, modals, private_cards
from bot.messages import escalations as escalation_messages
from bot.messages import mutes as mute_messages
from bot.messages.home import CALLS
from handlers import (
    assignments,
    audit,
    batch,
    commands,
    escalations,
    forms,
    home,
    mutes,
    operations,
    preferences,
    queries,
    questions,
    watch,
)
from handlers.context import AppContext, Recorder
from handlers.errors import UserError, run_after_ack
from handlers.payloads import Press, Submission
from handlers.requests import ActionRequest, ChangeApproval, SnoozeChoice

FILLED = f"{modals.FILL}."  # begins the name of a button that opens an action's form at once


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """A press of a button about one object.

    ``name`` is the button's action id; ``action_name`` the action it refers to, if it names one.
    """

    name: str
    button: ButtonValue
    trigger_id: str
    in_modal: bool
    action_name: str = ""


async def press(ack: AsyncAck, slack_payload: Press, recorder: Recorder) -> None:
    """Handle any button or menu, by its action id."""
    if slack_payload.option and slack_payload.action_id != modals.NODES:
        name, _, value = slack_payload.option.partition("|")  # a menu's option carries both
        slack_payload = replace(slack_payload, action_id=name, value=value)
    name = slack_payload.action_id.partition(".")[0]
    slack_payload.requester.trace.sends = (
        slack_payload.action_id.removeprefix(FILLED) in BY_NAME or name in SENDING
    )
    await HANDLERS.get(name, press_object_button)(recorder, slack_payload)
    await ack()


async def choose_node(recorder: Recorder, slack_payload: Press) -> None:
    """Fill in the parameters of the node that was chosen in a form."""
    app = recorder.app
    run_after_ack(app, forms.choose_node(app, slack_payload), slack_payload.requester)


async def turn_list_page(recorder: Recorder, slack_payload: Press) -> None:
    """Show another page of a list."""
    app, requester = recorder.app, slack_payload.requester
    run_after_ack(app, queries.turn_page(app, slack_payload.value, requester), requester)


async def turn_audit_page(recorder: Recorder, slack_payload: Press) -> None:
    """Show the records of the audit before those that are shown."""
    app, requester = recorder.app, slack_payload.requester
    page = audit.turn_page(app, slack_payload.value, requester, slack_payload.trigger_id)
    run_after_ack(app, page, requester)


async def choose_home_options(recorder: Recorder, slack_payload: Press) -> None:
    """Record what a Home is to show, and draw it."""
    app, requester = recorder.app, slack_payload.requester
    await home.record_options(recorder, requester.actor, slack_payload.value)
    run_after_ack(app, home.opened(app, requester.actor), requester)


async def choose_calls(recorder: Recorder, slack_payload: Press) -> None:
    """Record how a person wants to be called for approvals, and draw their Home."""
    app, requester = recorder.app, slack_payload.requester
    await preferences.chosen_on_home(
        recorder, requester, slack_payload.value, slack_payload.trigger_id
    )
    run_after_ack(app, home.opened(app, requester.actor), requester)


async def start_command(recorder: Recorder, slack_payload: Press) -> None:
    """Start the command that a button stands for."""
    commands.answer_button(
        recorder.app, slack_payload.action_id, slack_payload.requester, slack_payload.trigger_id
    )


async def answer_question(recorder: Recorder, slack_payload: Press) -> None:
    """Carry out the command that a question was about, or one that failed again."""
    await questions.answered(
        recorder, slack_payload.value, slack_payload.requester, slack_payload.trigger_id
    )


async def select_several(recorder: Recorder, slack_payload: Press) -> None:
    """Open the form in which several objects are selected."""
    await batch.open_form(
        recorder.app,
        BatchQuery.parse(slack_payload.value),
        slack_payload.requester,
        slack_payload.trigger_id,
        in_modal=slack_payload.in_modal,
    )


def _read_press(app: AppContext, slack_payload: Press) -> ButtonPress:
    """Return which object a button is about; raises UserError for one of another version."""
    action_name, _, button_value = slack_payload.value.rpartition("|")
    button = ButtonValue.parse(button_value)
    if button is None or button.ref.workspace not in app.services.workspaces:
        sends = slack_payload.requester.trace.sends
        raise UserError(denials.newer_button(app.catalogue, sends=sends))
    trigger_id, in_modal = slack_payload.trigger_id, slack_payload.in_modal
    return ButtonPress(slack_payload.action_id, button, trigger_id, in_modal, action_name)


def _at_details(slack_payload: Press) -> Requester:
    """Return who pressed a button; in the Details at the place from which they were opened."""
    requester = slack_payload.requester
    location = modals.read_location(slack_payload.metadata) if slack_payload.in_modal else None
    return replace(requester, location=location) if location else requester


async def submit(ack: AsyncAck, slack_payload: Submission, recorder: Recorder) -> None:
    """Handle a submitted form."""
    await forms.submit(recorder, slack_payload)
    await ack()


async def change_claim(recorder: Recorder, slack_payload: Press) -> None:
    """Claim an object, or release its claim; raises UserError for a button of another version."""
    press, requester = _read_press(recorder.app, slack_payload), _at_details(slack_payload)
    match press.name:
        case assignment_messages.TAKE:
            await assignments.take(recorder, press.button.ref, requester, press.trigger_id)
        case assignment_messages.RELEASE:
            await assignments.release(recorder, press.button.ref, requester, press.trigger_id)
        case _:
            raise UserError(denials.newer_button(recorder.app.catalogue))


async def press_object_button(recorder: Recorder, slack_payload: Press) -> None:
    """Start what a button means for the object it names; raises UserError for an unknown one."""
    app, press = recorder.app, _read_press(recorder.app, slack_payload)
    requester, ref, trigger_id = _at_details(slack_payload), press.button.ref, press.trigger_id
    fingerprint = press.button.decision_fingerprint
    match press.name:
        case name if name.removeprefix(FILLED) in BY_NAME:
            action, asks = BY_NAME[name.removeprefix(FILLED)], name.startswith(FILLED)
            request = ActionRequest(action, ref, decision_fingerprint=fingerprint)
            await forms.record_or_open_form(
                recorder, request, requester, trigger_id, asks=asks, in_modal=press.in_modal
            )
        case "break-glass" if press.action_name in BY_NAME:
            request = ActionRequest(
                BY_NAME[press.action_name], ref, decision_fingerprint=fingerprint, break_glass=True
            )
            await forms.record_or_open_form(recorder, request, requester, trigger_id)
        case ApprovalIntent.WITHDRAW | ApprovalIntent.DECLINE if press.action_name in BY_NAME:
            await _change_approval(recorder, press, requester)
        case name if name.startswith("snooze."):
            choice = SnoozeChoice.parse(name.removeprefix("snooze."))
            if choice is None:
                raise UserError(denials.newer_button(app.catalogue))
            await watch.snooze(recorder, ref, choice, requester, trigger_id)
        case "show" | private_cards.POST:
            posts = press.name == private_cards.POST
            work = queries.show_pressed(app, ref, requester, posts=posts)
            run_after_ack(app, work, requester)
        case "refresh":
            run_after_ack(app, queries.refresh(app, ref, requester), requester)
        case "details":
            view = modals.loading(app.catalogue, modals.DETAILS)
            response = await forms.open_view(
                app.services, trigger_id, view, in_modal=press.in_modal
            )
            view_id = response["view"]["id"]
            run_after_ack(app, queries.details(app, ref, requester, view_id), requester)
        case _:  # it may be an action's
            raise UserError(denials.newer_button(app.catalogue, sends=True))


async def _change_approval(recorder: Recorder, press: ButtonPress, requester: Requester) -> None:
    """Withdraw an approval at once; ask first why a request is declined."""
    ref, trigger_id = press.button.ref, press.trigger_id
    if press.name == ApprovalIntent.WITHDRAW:
        change = ChangeApproval(ApprovalIntent.WITHDRAW, ref, action=press.action_name)
        await operations.change_approval(recorder, change, requester, trigger_id)
        return
    request = ActionRequest(
        BY_NAME[press.action_name], ref, decision_fingerprint=press.button.decision_fingerprint
    )
    await forms.open_decline_form(recorder.app, request, requester, trigger_id)


# The buttons that send something to SecMaster, beside those of the actions.
SENDING = frozenset({"break-glass", private_cards.ANSWER, private_cards.TRY_AGAIN})
# By what the action id begins with, up to a "."; all others are about one object.
HANDLERS: Mapping[str, Callable[[Recorder, Press], Awaitable[None]]] = {
    modals.NODES: choose_node,
    "page": turn_list_page,
    "audit": turn_audit_page,
    "home": choose_home_options,
    CALLS: choose_calls,
    "start": start_command,
    private_cards.ANSWER: answer_question,
    private_cards.TRY_AGAIN: answer_question,
    "several": select_several,
    "assign": change_claim,
    escalation_messages.ESCALATE: escalations.open_form,
    mute_messages.MUTE: mutes.open_form,
}
