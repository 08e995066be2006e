"""Mutes of workflows: their failures and tasks get no cards and call nobody for a time."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from slack_bolt.async_app import AsyncAck

from bot.domain.mutes import LONGEST, Mute, mute_key, workflow_name
from bot.domain.objects import OBJECT_KINDS, ObjectId, Ref
from bot.domain.slack import Requester, SlackLocation
from bot.messages import Message, command_help, command_problems, denials
from bot.messages import mutes as mute_messages
from bot.messages.command_help import HelpLine
from bot.notifications.kinds import MuteNotification
from bot.operations import authorization
from bot.operations.authorization import Right
from bot.operations.reading import open_reader
from bot.policy.rules import parse_length
from handlers import forms, watch
from handlers.command_row import AnyCommand, Arguments, Command, Delivery, RecordsChange
from handlers.context import AppContext, Recorder, attempt_id
from handlers.errors import InvalidInput, UserError
from handlers.parsing import UUID, ParseError, identifier, plain, read_reason, refuse_more, split
from handlers.payloads import Press, Submission
from handlers.time_parsing import is_length, parse_moment

MUTE_USAGE = "mute <workflow|run id> 2h <reason>"
UNMUTE_USAGE = "unmute <workflow|run id>"
MAX_KNOWN = 1000  # open objects among which a workflow's name is looked for


@dataclass(frozen=True, slots=True)
class MutedWorkflow:
    """The workflow that a command means: by its ``name``, or as that of an object."""

    name: str = ""
    id: ObjectId | None = None
    thread_object: Ref | None = None

    def refs(self, workspace: str) -> list[Ref]:
        """Return the objects that may be meant."""
        if self.id:
            return [Ref(kind=kind, id=self.id, workspace=workspace) for kind in OBJECT_KINDS]
        return [self.thread_object] if self.thread_object and not self.name else []


@dataclass(frozen=True, slots=True)
class MuteWorkflow:
    """Mute a workflow until a ``moment`` as people write it, for a reason."""

    workflow: MutedWorkflow
    moment: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnmuteWorkflow:
    """End the mute of a workflow."""

    workflow: MutedWorkflow


def read_workflow(words: str, thread_object: Ref | None) -> MutedWorkflow:
    """Read what names a workflow; in a card's thread it may be left out. Raises ParseError.

    A length of time names none.
    """
    name = plain(words).strip()
    if thread_object is None and (not name or is_length(name)):
        raise ParseError(command_problems.MUTE_WHAT)
    if is_length(name):
        refuse_more(name)
    object_id = identifier(split(name)[0]) if name else ""
    if UUID.fullmatch(object_id) and name == split(name)[0]:
        return MutedWorkflow(id=object_id, thread_object=thread_object)
    return MutedWorkflow(name=name, thread_object=thread_object)


def parse_mute(arguments: Arguments) -> MuteWorkflow:
    """Parse a workflow, a length of time, and why: the first length ends the workflow's name."""
    words = arguments.words.split()
    number = next((n for n, word in enumerate(words) if is_length(word)), None)
    name = words[:number]
    if number is not None and name and name[-1].lower() == "for":
        name.pop()
    workflow = read_workflow(" ".join(name), arguments.thread_object)
    if number is None:
        raise ParseError(command_problems.MUTE_HOW_LONG)
    reason = read_reason(" ".join(words[number + 1 :]))
    if not reason:
        raise ParseError(command_problems.MUTE_WHY)
    return MuteWorkflow(workflow, words[number].lower(), reason)


def parse_unmute(arguments: Arguments) -> UnmuteWorkflow:
    """Parse a workflow; in a card's thread nothing."""
    return UnmuteWorkflow(read_workflow(arguments.words, arguments.thread_object))


async def mute_by_command(recorder: Recorder, request: MuteWorkflow, delivery: Delivery) -> Message:
    """Mute the workflow that a command names."""
    app, requester = recorder.app, delivery.requester
    await require_right(app, requester, delivery.dedupe_key)
    workspace, name = await find_workflow(app, requester, request.workflow)
    now = app.services.clock.now()
    until = now + parse_length(request.moment)
    return await record_mute(
        recorder, (workspace, name), until, request.reason, requester, delivery.dedupe_key
    )


async def unmute_by_command(
    recorder: Recorder, request: UnmuteWorkflow, delivery: Delivery
) -> Message:
    """End the mute of the workflow that a command names; what is still open gets its card."""
    app, requester = recorder.app, delivery.requester
    await require_right(app, requester, delivery.dedupe_key)
    name = request.workflow.name
    workspace = app.workspace
    if not name:
        workspace, name = await find_workflow(app, requester, request.workflow)
    announced = announcement(requester, MuteNotification(actor_id=requester.actor.id, name=name))
    facts = {"target": f"workflow:{workspace}", "workflow": name}
    change = recorder.change(requester, delivery.dedupe_key, "unmute", facts, announced)
    record = partial(recorder.changes.unmute, workspace, mute_key(name), change)
    if not await recorder.record_change(record):
        return mute_messages.not_muted(app.catalogue, name)
    return mute_messages.unmuted_by_you(app.catalogue, name)


async def open_form(recorder: Recorder, slack_payload: Press) -> None:
    """Open the form that asks how long a workflow is muted, on top of the one it is offered in."""
    app = recorder.app
    ref = Ref.parse(slack_payload.value)
    if ref is None or ref.workspace not in app.services.workspaces:
        raise UserError(denials.newer_button(app.catalogue))
    requester = slack_payload.requester
    await require_right(app, requester, slack_payload.trigger_id)
    location = requester.location
    if slack_payload.in_modal:
        location = watch.read_form_state(app, slack_payload.metadata).location
    workflow = MutedWorkflow(thread_object=ref)
    _workspace, name = await find_workflow(app, requester, workflow)
    remembered = watch.ObjectFormState(
        ref=ref, location=SlackLocation(channel=location.channel, card=location.card)
    )
    view = mute_messages.form(app.catalogue, remembered.model_dump_json(), name)
    await forms.open_view(
        app.services, slack_payload.trigger_id, view, in_modal=slack_payload.in_modal
    )


async def submit(ack: AsyncAck, slack_payload: Submission, recorder: Recorder) -> None:
    """Mute a workflow as a submitted form says; it closes the form below as well.

    Raises InvalidInput for what is no moment or no reason.
    """
    app, inputs = recorder.app, slack_payload.inputs
    state = watch.read_form_state(app, slack_payload.metadata)
    requester = replace(slack_payload.requester, location=state.location)
    requester.trace.command = mute_messages.MUTE
    key = f"{slack_payload.view_id}:{mute_messages.MUTE}"
    await require_right(app, requester, key)
    now = app.services.clock.now()
    zone = await app.services.directory.time_zone(requester.actor.id)
    try:
        until = parse_moment(inputs[mute_messages.LENGTH].text, now, zone, MUTE_USAGE)
    except ParseError as error:
        raise InvalidInput(mute_messages.LENGTH, error.problem) from error
    if until > now + LONGEST:
        raise InvalidInput(mute_messages.LENGTH, command_problems.MUTE_TOO_LONG)
    reason = forms.read_form_reason(inputs[mute_messages.REASON].text)
    if not reason:
        raise InvalidInput(mute_messages.REASON, command_problems.MUTE_WHY)
    workflow = await find_workflow(app, requester, MutedWorkflow(thread_object=state.ref))
    await record_mute(recorder, workflow, until, reason, requester, key)
    await ack(response_action="clear")


async def require_right(app: AppContext, requester: Requester, dedupe_key: str) -> None:
    """Raise NoRight for whoever may not mute workflows."""
    attempt = attempt_id(dedupe_key)
    await authorization.require_right(app.services, requester, Right.MUTE, attempt_id=attempt)


async def find_workflow(
    app: AppContext, requester: Requester, workflow: MutedWorkflow
) -> tuple[str, str]:
    """Return the workspace and the name of the workflow that is meant.

    It must be that of an open object which the requester may read. Raises UserError for none.
    """
    reader = await open_reader(app.services, requester.actor)
    reader.require(*OBJECT_KINDS)
    tracked = app.services.store.tracked
    refs = workflow.refs(app.workspace)
    if refs:
        objects = await asyncio.to_thread(tracked.get, refs)
    else:
        tasks = await asyncio.to_thread(tracked.open_tasks, MAX_KNOWN)
        objects = [*tasks, *await asyncio.to_thread(tracked.open_failures, "instance", MAX_KNOWN)]
    readable = [
        (each.ref, each.snapshot) for each in objects if reader.may_read(each.ref, each.snapshot)
    ]
    for ref, snapshot in readable:
        name = workflow_name(snapshot)
        if name and (refs or mute_key(name) == mute_key(workflow.name)):
            return ref.workspace, name
    raise UserError(mute_messages.no_workflow(app.catalogue, workflow.name or workflow.id or ""))


async def record_mute(  # noqa: PLR0913, PLR0917 - who mutes what, until when, and why
    recorder: Recorder,
    workflow: tuple[str, str],
    until: datetime,
    reason: str,
    requester: Requester,
    dedupe_key: str,
) -> Message:
    """Mute a workflow, by its workspace and name, on record, and return the answer."""
    app, (workspace, name), now = recorder.app, workflow, recorder.app.services.clock.now()
    if until > now + LONGEST:
        raise UserError(mute_messages.too_long(app.catalogue))
    mute = Mute(
        workspace=workspace,
        key=mute_key(name),
        name=name,
        actor_id=requester.actor.id,
        actor_name=requester.actor.name,
        reason=reason,
        at=now,
        until=until,
    )
    notification = MuteNotification(actor_id=requester.actor.id, name=name, mute=mute)
    facts = {
        "target": f"workflow:{workspace}",
        "workflow": name,
        "until": until.isoformat(),
        "reason": reason,
    }
    announced = announcement(requester, notification)
    change = recorder.change(requester, dedupe_key, "mute", facts, announced)
    await recorder.record_change(partial(recorder.changes.mute, mute, change))
    return mute_messages.muted_by_you(app.catalogue, mute)


def announcement(
    requester: Requester, notification: MuteNotification
) -> tuple[str, MuteNotification] | None:
    """Return where a mute is announced: in the thread in which it was asked for, if any."""
    location = requester.location
    thread = location.card or location.thread
    if not thread:
        return None
    return location.channel, notification.model_copy(update={"thread_ts": thread})


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="mute",
        usage=MUTE_USAGE,
        help=command_help.MUTE,
        parse=parse_mute,
        handler=RecordsChange(mute_by_command),
    ),
    Command(
        name="unmute",
        usage=UNMUTE_USAGE,
        help=(HelpLine(MUTE_USAGE, command_help.MUTE),),
        parse=parse_unmute,
        handler=RecordsChange(unmute_by_command),
    ),
)
