"""Buttons, menus and submitted forms: what each means, and who carries it out.

Knows the action ids, and refuses each that this version does not know.
"""

from dataclasses import dataclass, replace

from slack_bolt.async_app import AsyncAck

from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalIntent
from bot.domain.batches import BatchQuery
from bot.domain.cards import ButtonValue
from bot.domain.slack import Requester
from bot.messages import audit_history, denials, modals, private_cards
from handlers import (
    audit,
    batch,
    commands,
    forms,
    home,
    operations,
    preferences,
    queries,
    questions,
    watch,
)
from handlers.context import Recorder
from handlers.errors import UserError, run_after_ack
from handlers.payloads import Press, Submission
from handlers.requests import ActionRequest, ChangeApproval, SnoozeChoice


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
    app, requester, trigger_id = recorder.app, slack_payload.requester, slack_payload.trigger_id
    name, value, in_modal = slack_payload.action_id, slack_payload.value, slack_payload.in_modal
    if slack_payload.option:  # a menu's option carries both
        name, _, value = slack_payload.option.partition("|")
    if name.startswith("page."):
        run_after_ack(app, queries.turn_page(app, value, requester), requester)
    elif name.partition(".")[0] == "home":
        await home.record_options(recorder, requester.actor, value)
        run_after_ack(app, home.opened(app, requester.actor), requester)
    elif slack_payload.action_id == modals.NODES:
        run_after_ack(app, forms.choose_node(app, slack_payload), requester)
    elif name == "calls":
        await preferences.chosen_on_home(recorder, requester, value, trigger_id)
        run_after_ack(app, home.opened(app, requester.actor), requester)
    elif name == audit_history.OLDER:
        run_after_ack(app, audit.turn_page(app, value, requester, trigger_id), requester)
    elif name.startswith("start."):
        commands.answer_button(app, name, requester, trigger_id)
    elif name in (private_cards.ANSWER, private_cards.TRY_AGAIN):
        await questions.answered(recorder, value, requester, trigger_id)
    elif name == "several":
        query = BatchQuery.parse(value)
        if query is None:
            raise UserError(denials.newer_button(recorder.app.catalogue))
        await batch.open_form(app, query, requester, trigger_id, in_modal=in_modal)
    else:
        action_name, _, button_value = value.rpartition("|")
        button = ButtonValue.parse(button_value)
        if button is None or button.ref.workspace not in app.services.workspaces:
            raise UserError(denials.newer_button(recorder.app.catalogue))
        button_press = ButtonPress(name, button, trigger_id, in_modal, action_name)
        if name.startswith(f"{modals.FILL}.") and (
            location := modals.read_location(slack_payload.metadata)
        ):
            requester = replace(requester, location=location)
        await _press_object_button(recorder, button_press, requester)
    await ack()


async def submit(ack: AsyncAck, slack_payload: Submission, recorder: Recorder) -> None:
    """Handle a submitted form."""
    await forms.submit(recorder, slack_payload)
    await ack()


async def _press_object_button(
    recorder: Recorder, press: ButtonPress, requester: Requester
) -> None:
    """Start what a button means for the object it names."""
    app, ref, trigger_id = recorder.app, press.button.ref, press.trigger_id
    fingerprint = press.button.decision_fingerprint
    match press.name:
        case name if name in BY_NAME:
            request = ActionRequest(BY_NAME[name], ref, decision_fingerprint=fingerprint)
            await forms.record_or_open_form(recorder, request, requester, trigger_id)
        case "break-glass" if press.action_name in BY_NAME:
            request = ActionRequest(
                BY_NAME[press.action_name], ref, decision_fingerprint=fingerprint, break_glass=True
            )
            await forms.record_or_open_form(recorder, request, requester, trigger_id)
        case name if name.removeprefix(f"{modals.FILL}.") in BY_NAME:
            action = BY_NAME[name.removeprefix(f"{modals.FILL}.")]
            request = ActionRequest(action, ref, decision_fingerprint=fingerprint)
            await forms.open_reason_form(app, request, requester, trigger_id)
        case ApprovalIntent.WITHDRAW | ApprovalIntent.DECLINE if press.action_name in BY_NAME:
            await _change_approval(recorder, press, requester)
        case name if name.startswith("snooze."):
            choice = SnoozeChoice.parse(name.removeprefix("snooze."))
            if choice is None:
                raise UserError(denials.newer_button(recorder.app.catalogue))
            if choice is SnoozeChoice.OTHER:
                await watch.open_snooze_form(recorder.app, ref, requester, trigger_id)
                return
            await watch.snooze(recorder, ref, choice, requester, trigger_id)
        case "show" | private_cards.POST:
            posts = press.name == private_cards.POST
            work = queries.show_pressed(app, ref, requester, posts=posts)
            run_after_ack(app, work, requester)
        case "refresh":
            run_after_ack(app, queries.refresh(app, ref, requester), requester)
        case "details":
            view = modals.loading(recorder.app.catalogue, modals.DETAILS)
            response = await forms.open_view(
                app.services, trigger_id, view, in_modal=press.in_modal
            )
            view_id = response["view"]["id"]
            run_after_ack(app, queries.details(app, ref, requester, view_id), requester)
        case _:
            raise UserError(denials.newer_button(recorder.app.catalogue))


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
