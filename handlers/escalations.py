"""Escalation at once: somebody has a task or a run escalated before its time has come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from slack_bolt.async_app import AsyncAck

from bot.domain.objects import OBJECT_KINDS, ObjectId, Ref
from bot.domain.slack import Requester, SlackLocation
from bot.domain.tracking import ObjectChange, TrackedObject
from bot.messages import Message, command_help, denials
from bot.messages import escalations as escalation_messages
from bot.notifications import escalations
from bot.notifications.escalations import EscalationStep
from bot.notifications.kinds import EscalationNotification
from handlers import forms, watch
from handlers.command_row import AnyCommand, Arguments, Command, Delivery, RecordsChange
from handlers.context import AppContext, Recorder
from handlers.errors import UserError
from handlers.parsing import read_reason
from handlers.payloads import Press, Submission
from handlers.time_parsing import take_object_id


@dataclass(frozen=True, slots=True)
class Escalate:
    """Escalate an object at once.

    ``thread_object`` is the object in whose card's thread it was written, where no id is.
    """

    id: ObjectId
    thread_object: Ref | None = None
    reason: str = ""

    def refs(self, workspace: str) -> list[Ref]:
        """Return the objects that may be meant."""
        if self.thread_object and self.thread_object.id == self.id:
            return [self.thread_object]
        return [Ref(kind=kind, id=self.id, workspace=workspace) for kind in OBJECT_KINDS]


def parse_escalate(arguments: Arguments) -> Escalate:
    """Parse an id and perhaps a reason; in a card's thread without the id."""
    object_id, words = take_object_id(arguments.words, arguments.thread_object)
    return Escalate(object_id, arguments.thread_object, read_reason(words))


async def require_steps(
    app: AppContext, refs: Sequence[Ref], requester: Requester
) -> tuple[TrackedObject, list[EscalationStep]]:
    """Return an open object, and the steps that escalate it now.

    Raises ChangeNotAllowed, or UserError where it is not open, or nobody is left to escalate it to.
    """
    catalogue = app.catalogue
    tracked = await asyncio.to_thread(app.services.store.tracked.get, refs)
    if not tracked or not tracked[0].open:
        raise UserError(escalation_messages.not_open(catalogue))
    [first, *_] = tracked
    await watch.require_any_decision(app, first, requester, ObjectChange.ESCALATE)
    steps = await asyncio.to_thread(escalations.next_steps, app.services, first)
    if not steps and escalations.possible_steps(app.services, first):
        raise UserError(escalation_messages.already_escalated(catalogue, first.snapshot.name))
    if not steps:
        raise UserError(escalation_messages.not_escalated_anywhere(catalogue, first.snapshot.name))
    return first, steps


async def open_form(recorder: Recorder, slack_payload: Press) -> None:
    """Open the form that asks why an object is escalated, on top of the one it is offered in."""
    app = recorder.app
    ref = Ref.parse(slack_payload.value)
    if ref is None or ref.workspace not in app.services.workspaces:
        raise UserError(denials.newer_button(app.catalogue))
    requester = slack_payload.requester
    location = requester.location
    if slack_payload.in_modal:
        state = watch.read_form_state(app, slack_payload.metadata)
        location = state.location
    tracked, steps = await require_steps(app, [ref], requester)
    remembered = watch.ObjectFormState(
        ref=ref, location=SlackLocation(channel=location.channel, card=location.card)
    )
    targets = [step.target.name for step in steps]
    view = escalation_messages.form(
        app.catalogue, remembered.model_dump_json(), tracked.snapshot.name, targets
    )
    await forms.open_view(
        app.services, slack_payload.trigger_id, view, in_modal=slack_payload.in_modal
    )


async def submit(ack: AsyncAck, slack_payload: Submission, recorder: Recorder) -> None:
    """Escalate an object as a submitted form says; it closes the form below as well."""
    state = watch.read_form_state(recorder.app, slack_payload.metadata)
    requester = replace(slack_payload.requester, location=state.location)
    requester.trace.command = escalation_messages.ESCALATE
    reason_input = slack_payload.inputs.get(escalation_messages.REASON)
    reason = forms.read_form_reason(reason_input.text if reason_input else "")
    key = f"{slack_payload.view_id}:{escalation_messages.ESCALATE}"
    await record(recorder, [state.ref], requester, reason, key, is_answered=False)
    await ack(response_action="clear")


async def escalate_by_command(recorder: Recorder, request: Escalate, delivery: Delivery) -> Message:
    """Escalate an object at once, for a reason that may be written behind its id."""
    refs, requester = request.refs(recorder.app.workspace), delivery.requester
    if delivery.thread_object in refs:
        requester = requester.under(requester.location.thread)
    return await record(
        recorder, refs, requester, request.reason, delivery.dedupe_key, is_answered=True
    )


async def record(  # noqa: PLR0913 - who escalates what, why, and how it is answered
    recorder: Recorder,
    refs: Sequence[Ref],
    requester: Requester,
    reason: str,
    dedupe_key: str,
    *,
    is_answered: bool,
) -> Message:
    """Escalate an object, on record, and return the answer.

    Raises ChangeNotAllowed, or UserError where it can't be escalated, any more or at all.
    """
    app, user = recorder.app, requester.actor.id
    tracked, steps = await require_steps(app, refs, requester)
    ref, targets = tracked.ref, tuple(step.target.name for step in steps)
    notification = EscalationNotification(ref=ref, actor_id=user, targets=targets, reason=reason)
    announced = await watch.thread_announcement(
        app, requester, notification, is_answered=is_answered
    )
    facts = {"target": str(ref), "routes": list(targets), "reason": reason}
    change = recorder.change(requester, dedupe_key, "escalate", facts, announced)
    cards = escalations.entries(tracked, steps, user, reason, change.at)
    if not await recorder.record_change(partial(recorder.changes.escalate, cards, change)):
        name = tracked.snapshot.name
        raise UserError(escalation_messages.already_escalated(app.catalogue, name))
    return escalation_messages.escalated_by_you(app.catalogue, tracked.snapshot.name, targets)


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="escalate",
        usage="escalate <id> [reason]",
        help=command_help.ESCALATE,
        parse=parse_escalate,
        handler=RecordsChange(escalate_by_command),
    ),
)
