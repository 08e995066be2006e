"""Read what Slack sends, whatever its shape, into the few payloads that the bot serves.

Of every part that Slack documents any field may be missing, null or of another type. Knows the
shapes of Slack's payloads, and nothing of what is asked in them.

https://docs.slack.dev/reference/interaction-payloads
https://docs.slack.dev/apis/events-api
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from bot.domain.actions import MESSAGE_ACTIONS
from bot.domain.deliveries import DeliveryKind
from bot.domain.objects import ObjectId
from bot.domain.slack import Actor, FormInput, Requester, SlackFile, SlackLocation
from bot.messages import batch_forms, escalations, modals, mutes, watch
from bot.messages.text import clip

# Slack puts these in the place of a private channel's name: they say only its kind.
UNNAMED_CHANNELS = ("privategroup", "directmessage", "mpdm")
# Beside a plain message: what a person may write to us in other ways. All other subtypes tell of
# something that happened to a message or a channel. Of an edited message Slack tells in the way
# that it tells of link previews and of our own messages: to answer all of these would be noise.
# https://docs.slack.dev/reference/events/message#subtypes
WRITTEN = ("file_share", "me_message", "thread_broadcast")
WAITING_SHORTCUT = "waiting"
MESSAGE_SHORTCUTS = frozenset(action.name for action in MESSAGE_ACTIONS)
FORMS = frozenset(
    {modals.FORM, batch_forms.CHOOSING, batch_forms.CONFIRMING}
    | {watch.SNOOZE_FORM, escalations.ESCALATE, mutes.MUTE}
)
TOMBSTONE = "tombstone"  # what remains of a deleted file

Text = Annotated[str, AfterValidator(lambda text: text.replace("\0", ""))]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}$")]
Ts = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}\.[0-9]{1,9}$")]
Name = Annotated[Text, StringConstraints(max_length=200)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://\S{1,2000}$")]


class Part(BaseModel):
    """A part of a payload, of which any field that can't be read has its default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @field_validator("*", mode="wrap")
    @classmethod
    def default_if_unreadable(
        cls, value: object, read: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        try:
            return read(value)
        except ValidationError:
            return cls.model_fields[info.field_name or ""].get_default(call_default_factory=True)


class PersonPart(Part):
    id: ObjectId = ""
    username: Name = ""
    name: Name = ""
    team_id: Id = ""


class ChannelPart(Part):
    id: ObjectId = ""
    name: Name = ""


class TeamPart(Part):
    id: Id = ""


class ContainerPart(Part):
    channel_id: ObjectId = ""
    message_ts: Ts = ""
    thread_ts: Ts = ""
    is_ephemeral: StrictBool = False


class FilePart(BaseModel):
    """A file. One that can't be read makes those beside it unreadable, and a form as a whole."""

    id: ObjectId
    name: Text | None = None
    mode: str | None = None


class MessagePart(Part):
    ts: Ts = ""
    thread_ts: Ts = ""
    user: ObjectId = ""
    text: Text = ""
    files: tuple[FilePart, ...] = ()


class OptionPart(BaseModel):
    value: Text


class ActionPart(Part):
    action_id: Text = ""
    value: Text = ""
    selected_option: OptionPart | None = None


class InputPart(BaseModel):
    """An input of a form. One that can't be read makes the form unreadable: it may be a reason."""

    value: Text | None = None
    selected_option: OptionPart | None = None
    selected_options: tuple[OptionPart, ...] | None = None
    files: tuple[FilePart, ...] | None = None


class StatePart(Part):
    """The inputs by block; Slack has sent an empty list where there are none."""

    values: (
        Annotated[
            dict[str, dict[str, InputPart]],
            BeforeValidator(lambda value: {} if value == [] else value),
        ]
        | None
    ) = None


class ViewPart(Part):
    id: Id = ""
    type: Text = ""
    callback_id: Text = ""
    private_metadata: Text = ""
    state: StatePart = StatePart()


class EventPart(MessagePart):
    """An event. What tells a message of a bot's, an edited one or its kind counts of any type."""

    type: Text = ""
    user_team: Id = ""
    team: Id = ""
    channel: ObjectId = ""
    channel_type: Text = ""
    tab: Text = ""
    subtype: Any = None
    bot_id: Any = None
    edited: Any = None


class Body(Part):
    """Every field of a command, an interaction or an event's envelope that the bot looks at."""

    type: Text = ""
    ssl_check: Text = ""
    # A slash command.
    command: Text = ""
    text: Text = ""
    user_id: ObjectId = ""
    user_name: Name = ""
    team_id: Id = ""
    channel_id: ObjectId = ""
    channel_name: Name = ""
    # An interaction, and in part a command.
    user: PersonPart = PersonPart()
    team: TeamPart = TeamPart()
    channel: ChannelPart = ChannelPart()
    container: ContainerPart = ContainerPart()
    message: MessagePart = MessagePart()
    view: ViewPart = ViewPart()
    actions: tuple[ActionPart, ...] = ()
    callback_id: Text = ""
    trigger_id: Id = ""
    response_url: Url = ""
    # An event's envelope.
    event: EventPart = EventPart()


class AnsweredIn(StrEnum):
    """Where a person is answered whose payload can't be carried out."""

    ACKNOWLEDGEMENT = "acknowledgement"
    VIEW = "view"  # in the place of the form
    MESSAGE = "message"  # one that they alone see


@dataclass(frozen=True, slots=True)
class Payload(ABC):
    """What somebody did that the bot serves: who did it, and where."""

    answered_in: ClassVar[AnsweredIn] = AnsweredIn.MESSAGE
    delivery: ClassVar[DeliveryKind]

    requester: Requester

    @property
    @abstractmethod
    def route(self) -> dict[str, Any]:
        """The body by which Bolt finds the listener, and nothing more of Slack's."""


class Unreadable(Exception):
    """Something that the bot serves lacks a field that it can't do without.

    ``requester`` is who did it and where, as far as that can be read.
    """

    def __init__(self, kind: type[Payload], field: str, requester: Requester) -> None:
        super().__init__(kind.__name__, field)
        self.kind = kind
        self.field = field
        self.requester = requester
        self.answered_in = kind.answered_in
        requester.trace.kind = kind.delivery


@dataclass(frozen=True, slots=True)
class SlashCommand(Payload):
    """A slash command; ``trigger_id`` is its own, and opens a form."""

    answered_in = AnsweredIn.ACKNOWLEDGEMENT
    delivery = DeliveryKind.COMMAND

    command: str
    text: str
    trigger_id: str

    @property
    def route(self) -> dict[str, Any]:
        return {"command": self.command}


@dataclass(frozen=True, slots=True)
class Mention(Payload):
    """A message that speaks to the bot: a mention, or any direct message.

    ``is_edited``: this is what it was changed to.
    """

    delivery = DeliveryKind.MENTION

    text: str
    files: tuple[SlackFile, ...]
    ts: str
    is_edited: bool

    @property
    def key(self) -> str:
        """The name of the message, whichever event brings it."""
        return f"{self.requester.location.channel}:{self.ts}"

    @property
    def route(self) -> dict[str, Any]:
        return _event_route("app_mention", self.requester)


@dataclass(frozen=True, slots=True)
class HomeOpened(Payload):
    """Somebody opened the app's Home."""

    delivery = DeliveryKind.HOME

    @property
    def route(self) -> dict[str, Any]:
        return _event_route("app_home_opened", self.requester)


@dataclass(frozen=True, slots=True)
class Press(Payload):
    """A press of a button, or a choice in a menu.

    A menu's ``option`` is the value of what was chosen, "" for a button, which has a ``value``.
    In a view it comes with the view's id, what that remembers, and its inputs by block.
    """

    delivery = DeliveryKind.BUTTON

    action_id: str
    value: str
    option: str
    trigger_id: str
    in_modal: bool
    view_id: str = ""
    metadata: str = ""
    inputs: dict[str, FormInput] = field(default_factory=dict)

    @property
    def route(self) -> dict[str, Any]:
        return {"type": "block_actions", "actions": [{"action_id": self.action_id}]}


@dataclass(frozen=True, slots=True)
class Submission(Payload):
    """A submitted form: what it remembers as ``metadata``, and its inputs by block."""

    answered_in = AnsweredIn.VIEW
    delivery = DeliveryKind.FORM

    callback_id: str
    view_id: str
    metadata: str
    inputs: dict[str, FormInput]

    @property
    def route(self) -> dict[str, Any]:
        view = {"type": "modal", "callback_id": self.callback_id}
        return {"type": "view_submission", "view": view}


@dataclass(frozen=True, slots=True)
class GlobalShortcut(Payload):
    """A shortcut that is used from anywhere."""

    delivery = DeliveryKind.SHORTCUT

    callback_id: str
    trigger_id: str

    @property
    def route(self) -> dict[str, Any]:
        return {"type": "shortcut", "callback_id": self.callback_id}


@dataclass(frozen=True, slots=True)
class MessageShortcut(Payload):
    """A shortcut in the menu of a message, and what that message says and brings.

    ``root_ts`` is that of its thread's first message, or its own.
    """

    delivery = DeliveryKind.SHORTCUT

    callback_id: str
    trigger_id: str
    root_ts: str
    author: str
    text: str
    files: tuple[SlackFile, ...]

    @property
    def route(self) -> dict[str, Any]:
        return {"type": "message_action", "callback_id": self.callback_id}


def _event_route(kind: str, requester: Requester) -> dict[str, Any]:
    """Return an event's route, with its user: Bolt drops what our own bot user does."""
    return {"type": "event_callback", "event": {"type": kind, "user": requester.actor.id}}


def read(content: object) -> Payload | None:
    """Return what somebody did; None for everything that the bot does not serve.

    ``content`` is any JSON value, or the fields of a form. Raises Unreadable.
    """
    if not isinstance(content, dict):
        return None
    body = Body.model_validate(content)
    if body.ssl_check:
        return None
    payload: Payload | None
    if body.command:
        payload = _slash_command(body)
    else:
        payload = _event(body) if body.type == "event_callback" else _interaction(body)
    if payload:
        payload.requester.trace.kind = payload.delivery
    return payload


def _slash_command(body: Body) -> SlashCommand:
    location = SlackLocation(
        channel=body.channel_id,
        response_url=body.response_url,
        channel_name=_shown_name(body.channel_name),
    )
    actor = Actor(id=body.user_id, name=body.user_name, team=body.team_id)
    requester = Requester(actor, location)
    _require(SlashCommand, requester, channel_id=body.channel_id, trigger_id=body.trigger_id)
    return SlashCommand(requester, body.command, body.text, body.trigger_id)


def _event(body: Body) -> Mention | HomeOpened | None:
    event = body.event
    location = SlackLocation(channel=event.channel, thread=event.thread_ts)
    team = event.user_team or event.team or body.team_id
    requester = Requester(Actor(id=event.user, team=team), location)
    if not event.user or event.bot_id not in (None, ""):  # no person did it
        return None
    match event.type:
        case "app_home_opened" if event.tab == "home":  # the Messages tab has nothing to draw
            return HomeOpened(requester)
        case "app_mention":
            return _mention(body, requester)
        case "message" if event.channel_type == "im" and event.subtype in (None, "", *WRITTEN):
            return _mention(body, requester)
        case _:
            return None


def _mention(body: Body, requester: Requester) -> Mention:
    event = body.event
    _require(Mention, requester, channel=event.channel, ts=event.ts)
    return Mention(
        requester,
        text=event.text,
        files=_slack_files(event.files),
        ts=event.ts,
        is_edited=bool(event.edited),
    )


def _interaction(body: Body) -> Press | Submission | GlobalShortcut | MessageShortcut | None:
    match body.type:
        case "block_actions":
            return _press(body)
        case "view_submission" if body.view.callback_id in FORMS:
            return _submission(body)
        case "shortcut" if body.callback_id == WAITING_SHORTCUT:
            return _global_shortcut(body)
        case "message_action" if body.callback_id in MESSAGE_SHORTCUTS:
            return _message_shortcut(body)
        case _:
            return None


def _press(body: Body) -> Press:
    requester = _interaction_requester(body)
    action = body.actions[0] if body.actions else ActionPart()
    option = action.selected_option.value if action.selected_option else ""
    requester.trace.command = option.partition("|")[0] or action.action_id
    _require(Press, requester, trigger_id=body.trigger_id, action_id=action.action_id)
    return Press(
        requester,
        action_id=action.action_id,
        value=action.value,
        option=option,
        trigger_id=body.trigger_id,
        in_modal=body.view.type == "modal",
        view_id=body.view.id,
        metadata=body.view.private_metadata,
        inputs=_inputs(body.view.state.values or {}),
    )


def _submission(body: Body) -> Submission:
    requester, view = _interaction_requester(body), body.view
    _require(Submission, requester, view_id=view.id)
    values = view.state.values
    if values is None and view.callback_id == batch_forms.CONFIRMING:  # it has no inputs
        values = {}
    if values is None:
        raise Unreadable(Submission, "state", requester)
    return Submission(requester, view.callback_id, view.id, view.private_metadata, _inputs(values))


def _inputs(values: dict[str, dict[str, InputPart]]) -> dict[str, FormInput]:
    """Return the inputs of a view by their blocks, each of which has one."""
    return {
        block: FormInput(
            text=part.value or "",
            options=tuple(
                option.value
                for option in (part.selected_option, *(part.selected_options or ()))
                if option
            ),
            files=_slack_files(part.files or ()),
        )
        for block, parts in values.items()
        for part in parts.values()
    }


def _global_shortcut(body: Body) -> GlobalShortcut:
    requester = _interaction_requester(body)
    requester.trace.command = body.callback_id
    _require(GlobalShortcut, requester, trigger_id=body.trigger_id)
    return GlobalShortcut(requester, body.callback_id, body.trigger_id)


def _message_shortcut(body: Body) -> MessageShortcut:
    requester, message = _interaction_requester(body), body.message
    channel = requester.location.channel
    requester.trace.command = body.callback_id
    _require(MessageShortcut, requester, trigger_id=body.trigger_id, channel=channel, ts=message.ts)
    return MessageShortcut(
        requester,
        callback_id=body.callback_id,
        trigger_id=body.trigger_id,
        root_ts=message.thread_ts or message.ts,
        author=message.user,
        text=message.text,
        files=_slack_files(message.files),
    )


def _interaction_requester(body: Body) -> Requester:
    """Return who pressed or submitted something, at which message, and perhaps in which thread."""
    user, container = body.user, body.container
    actor = Actor(id=user.id, name=user.username or user.name, team=user.team_id or body.team.id)
    location = SlackLocation(
        channel=body.channel.id or container.channel_id,
        card="" if container.is_ephemeral else container.message_ts,
        thread=body.message.thread_ts or container.thread_ts,
        response_url=body.response_url,
        channel_name=_shown_name(body.channel.name),
    )
    return Requester(actor, location)


def _require(kind: type[Payload], requester: Requester, **fields: str) -> None:
    """Raise Unreadable for the first of the fields that is empty, a person's id before all."""
    for name, value in {"user": requester.actor.id, **fields}.items():
        if not value:
            raise Unreadable(kind, name, requester)


def _shown_name(channel_name: str) -> str:
    """Return a public channel's name, and "" for any other."""
    return "" if channel_name in UNNAMED_CHANNELS else channel_name


def _slack_files(parts: tuple[FilePart, ...]) -> tuple[SlackFile, ...]:
    """Return the files of a message or of an input, as a form can carry them."""
    return tuple(
        SlackFile(id=part.id, name=clip(part.name or part.id, modals.FILE_NAME))
        for part in parts
        if part.mode != TOMBSTONE
    )
