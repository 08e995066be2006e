"""Payloads of every kind that Slack documents, as an app of one workspace or of an Enterprise gets.

https://docs.slack.dev/reference/interaction-payloads
https://docs.slack.dev/reference/events
https://docs.slack.dev/interactivity/implementing-slash-commands
"""

import copy
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from bot.domain.objects import Ref
from bot.domain.slack import SlackLocation
from bot.messages.batch_forms import BatchConfirmation, BatchFormState
from bot.messages.modals import FormState
from bot.sandbox.secmaster import seed
from bot.sandbox.slack.workspace import APP, TEAM
from tests.support.people import ALICE, BOB, BOT, DAVE, SOC

Json = dict[str, Any]

EVENTS, INTERACTIVE, COMMANDS = "events_api", "interactive", "slash_commands"
DM = "D0DAVE"
NOW = int(time.time())
TS, THREAD = f"{NOW}.000216", f"{NOW - 60}.000100"
HOOK = "http://127.0.0.1:1/hook"
TASK = f"1:task:main:{seed.TASK_ISOLATE}"
LONG = "x" * 50_000
# What may stand where something else is expected; a field may also be missing.
ODD_VALUES: tuple[Any, ...] = (None, "", 5, True, [], ["x"], {}, {"id": 5}, LONG, "\0")
MISSING = object()


class Shape(NamedTuple):
    """A payload, and how Slack delivers it."""

    kind: str
    payload: Json


def event(type_: str, **fields: Any) -> Shape:
    """An event of one workspace, in its envelope."""
    authorization = {
        "enterprise_id": None,
        "team_id": TEAM,
        "user_id": BOT,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    envelope = {
        "token": "t",
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": {"type": type_, "event_ts": TS, **fields},
        "type": "event_callback",
        "event_id": f"Ev{type_}",
        "event_time": NOW,
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
        "event_context": "4-x",
    }
    return Shape(EVENTS, envelope)


def message(subtype: str = "", **fields: Any) -> Shape:
    """A message in a channel, of a subtype or of none."""
    written = {"channel": SOC, "channel_type": "channel", "ts": TS, "user": DAVE, "text": "hello"}
    shape = event("message", **written | ({"subtype": subtype} if subtype else {}) | fields)
    return Shape(shape.kind, shape.payload | {"event_id": f"Ev{subtype}{fields.get('channel')}"})


def interaction(type_: str, **fields: Any) -> Shape:
    """An interaction of one workspace."""
    common = {
        "type": type_,
        "user": {"id": DAVE, "username": "dave", "name": "dave", "team_id": TEAM},
        "api_app_id": APP,
        "token": "t",
        "team": {"id": TEAM, "domain": "demo"},
        "enterprise": None,
        "is_enterprise_install": False,
        "trigger_id": f"1.2.{type_}",
    }
    return Shape(INTERACTIVE, common | fields)


def view(callback_id: str, metadata: str = "", type_: str = "modal", **values: Any) -> Json:
    """A view with these inputs, by block."""
    state = {"values": {block: {block: element} for block, element in values.items()}}
    return {
        "id": f"V0{callback_id or type_}",
        "team_id": TEAM,
        "type": type_,
        "blocks": [],
        "private_metadata": metadata,
        "callback_id": callback_id,
        "state": state,
        "hash": "1.x",
        "title": {"type": "plain_text", "text": "t", "emoji": True},
        "clear_on_close": False,
        "notify_on_close": False,
        "close": None,
        "submit": None,
        "previous_view_id": None,
        "root_view_id": f"V0{callback_id or type_}",
        "app_id": APP,
        "external_id": "",
        "app_installed_team_id": TEAM,
        "bot_id": "B0BOT",
    }


def pressed(element: Json, **place: Any) -> Shape:
    """A press of an element."""
    action = {"block_id": "b", "action_ts": TS, "text": {"type": "plain_text", "text": "t"}}
    return interaction("block_actions", actions=[action | element], **place)


def in_message(*, is_ephemeral: bool = False) -> Json:
    """A place in a channel: a message of the bot's, which is not told where it is ephemeral."""
    container = {"type": "message", "message_ts": TS, "channel_id": SOC}
    place = {
        "container": container | {"is_ephemeral": is_ephemeral, "thread_ts": THREAD},
        "channel": {"id": SOC, "name": "soc"},
        "state": {"values": {}},
        "response_url": HOOK,
    }
    written = {"type": "message", "user": BOT, "bot_id": "B0BOT", "ts": TS, "text": "card"}
    return place if is_ephemeral else place | {"message": written | {"thread_ts": THREAD}}


def in_view(type_: str) -> Json:
    """A place in a view."""
    return {
        "container": {"type": "view", "view_id": f"V0{type_}"},
        "view": view("", type_=type_),
        "state": {"values": {}},
    }


def command(name: str, text: str, **fields: Any) -> Shape:
    typed = {
        "token": "t",
        "team_id": TEAM,
        "team_domain": "demo",
        "channel_id": SOC,
        "channel_name": "soc",
        "user_id": DAVE,
        "user_name": "dave",
        "command": name,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": HOOK,
        "trigger_id": "1.2.command",
    }
    return Shape(COMMANDS, typed | fields)


LOCATION = SlackLocation(channel=SOC, card=TS)
FORM = FormState(
    action="task.comment", ref=Ref(kind="task", id=seed.TASK_ISOLATE), location=LOCATION
)
CHOOSING = BatchFormState(kind="task", location=LOCATION)
CONFIRMING = BatchConfirmation(
    action="task.approve",
    workspace="main",
    location=LOCATION,
    reason="",
    items=(f"{seed.TASK_ISOLATE}:", f"{seed.TASK_BLOCK_IP}:"),
)
OPTION = {"text": {"type": "plain_text", "text": "t"}, "value": "task.approve"}
FILE = {"id": "F0PICTURE", "name": "host.png", "mimetype": "image/png", "mode": "hosted"}

# What the bot serves, done by somebody who may read and nothing more: nothing of it writes.
SERVED: dict[str, Shape] = {
    "form": interaction(
        "view_submission",
        view=view(
            "form",
            FORM.model_dump_json(),
            comment={"type": "plain_text_input", "value": "a comment"},
            files={"type": "file_input", "files": [FILE]},
        ),
        response_urls=[],
    ),
    "selection": interaction(
        "view_submission",
        view=view(
            "choosing",
            CHOOSING.model_dump_json(),
            action={"type": "radio_buttons", "selected_option": OPTION},
            objects={"type": "multi_static_select", "selected_options": [OPTION | {"value": TASK}]},
            reason={"type": "plain_text_input", "value": None},
        ),
        response_urls=[],
    ),
    "confirmation": interaction(
        "view_submission", view=view("confirming", CONFIRMING.model_dump_json()), response_urls=[]
    ),
    "command": command("/secmaster", f"task approve {seed.TASK_ISOLATE} with a payload"),
    "mention": event(
        "app_mention",
        user=DAVE,
        text=f"<@{BOT}> task approve {seed.TASK_ISOLATE}",
        ts=TS,
        channel=SOC,
        team=TEAM,
        thread_ts=THREAD,
        client_msg_id="c-1",
        edited={"user": DAVE, "ts": TS},
        blocks=[{"type": "rich_text", "block_id": "b", "elements": []}],
    ),
    "direct message": message(
        "file_share",
        channel=DM,
        channel_type="im",
        text=f"task attach {seed.TASK_ISOLATE}",
        files=[FILE],
        upload=False,
    ),
    "home": event(
        "app_home_opened", user=DAVE, channel=DM, tab="home", view=view("", type_="home")
    ),
    "button": pressed(
        {"type": "button", "action_id": "task.approve", "value": TASK}, **in_message()
    ),
    "menu": pressed(
        {
            "type": "overflow",
            "action_id": "more",
            "selected_option": OPTION | {"value": f"details|{TASK}"},
        },
        **in_message(is_ephemeral=True),
    ),
    "button in a modal": pressed(
        {"type": "button", "action_id": "several", "value": "1|task|main||"}, **in_view("modal")
    ),
    "global shortcut": interaction("shortcut", callback_id="waiting", action_ts=TS),
    "message shortcut": interaction(
        "message_action",
        callback_id="task.attach",
        channel={"id": SOC, "name": "soc"},
        message={
            "type": "message",
            "user": ALICE,
            "ts": TS,
            "thread_ts": THREAD,
            "text": "look",
            "files": [FILE],
        },
        message_ts=TS,
        response_url=HOOK,
        action_ts=TS,
    ),
}

PERSON = {"id": BOB, "team_id": TEAM, "name": "bob", "deleted": False, "profile": {"email": "b@x"}}
CHANNEL = {"id": "C0NEW", "name": "new", "created": 1, "creator": DAVE, "context_team_id": TEAM}
ITEM = {"type": "message", "channel": SOC, "ts": TS, "message": {"text": "x"}}
INVITE = {"id": "I0", "date_created": 1, "inviting_team": {"id": TEAM}, "inviting_user": PERSON}
GROUP = {"id": "S0SOC", "team_id": TEAM, "is_usergroup": True, "users": [ALICE, BOB]}
CHANNEL_EVENTS = (
    "channel_archive channel_deleted channel_history_changed channel_left channel_shared"
    " channel_unarchive channel_unshared group_archive group_close group_deleted group_left"
    " group_history_changed group_open group_unarchive im_close im_history_changed im_open"
)
FILE_EVENTS = "file_change file_created file_deleted file_public file_shared file_unshared"
USER_EVENTS = "team_join user_change user_huddle_changed user_profile_changed user_status_changed"
MESSAGE_SUBTYPES = (
    "assistant_app_thread bot_add bot_remove channel_archive channel_join channel_leave"
    " channel_name channel_posting_permissions channel_purpose channel_topic channel_unarchive"
    " document_mention ekm_access_denied file_share group_join me_message message_replied"
    " pinned_item reminder_add reply_broadcast thread_broadcast huddle_thread"
)
# What Slack tells and the bot does not serve.
UNSERVED: tuple[Shape, ...] = (
    *(event(name, channel=SOC, user=DAVE) for name in CHANNEL_EVENTS.split()),
    *(event(name, channel=CHANNEL) for name in ("channel_created", "channel_rename")),
    event("group_rename", channel=CHANNEL),
    event("im_created", user=DAVE, channel=CHANNEL),
    event("channel_id_changed", old_channel_id="G0", new_channel_id="C0"),
    *(event(name, file_id="F0", file={"id": "F0"}, user_id=DAVE) for name in FILE_EVENTS.split()),
    *(event(name, user=PERSON, cache_ts=1) for name in USER_EVENTS.split()),
    *(message(name) for name in MESSAGE_SUBTYPES.split()),
    message(),
    message(channel="G0", channel_type="mpim"),
    message("bot_message", user=None, bot_id="B0", username="hook", channel=DM, channel_type="im"),
    message(
        "message_changed",
        user=None,
        channel=DM,
        channel_type="im",
        hidden=True,
        message={"type": "message", "user": DAVE, "text": "a", "ts": TS, "edited": {"ts": TS}},
        previous_message={"type": "message", "user": DAVE, "text": "b", "ts": TS},
    ),
    message(
        "message_deleted", user=None, channel=DM, channel_type="im", deleted_ts=TS, hidden=True
    ),
    message(channel=DM, channel_type="im", user=BOT, bot_id="B0BOT", bot_profile={"id": "B0BOT"}),
    message("file_share", channel=DM, channel_type="im", user=BOT, files=[FILE]),
    message(channel=SOC, channel_type="app_home"),
    event("app_home_opened", user=DAVE, channel=DM, tab="messages"),
    event("app_requested", app_request={"id": "R0", "app": {"id": APP}, "user": PERSON}),
    event("app_uninstalled"),
    event("tokens_revoked", tokens={"oauth": [DAVE], "bot": [BOT]}),
    event("assistant_thread_started", assistant_thread={"user_id": DAVE, "context": {}}),
    event("assistant_thread_context_changed", assistant_thread={"user_id": DAVE, "context": {}}),
    event("call_rejected", call_id="R0", user_id=DAVE, channel_id=SOC),
    event("dnd_updated", user=DAVE, dnd_status={"dnd_enabled": True}),
    event("dnd_updated_user", user=DAVE, dnd_status={"dnd_enabled": True}),
    event("email_domain_changed", email_domain="example.com"),
    event("emoji_changed", subtype="add", name="x", value="https://x"),
    event("entity_details_requested", user=DAVE, channel=SOC, external_ref={"id": "1"}),
    event(
        "function_executed",
        function={"id": "Fn0", "callback_id": "f", "input_parameters": []},
        inputs={"user": DAVE},
        function_execution_id="Fx0",
        workflow_execution_id="Wx0",
        bot_access_token="xwfp",
    ),
    *(event(f"grid_migration_{name}", enterprise_id="E0") for name in ("started", "finished")),
    event("invite_requested", invite_request={"id": "I0", "email": "x@y"}),
    event("link_shared", channel=SOC, user=DAVE, message_ts=TS, links=[{"url": "https://x"}]),
    *(event(f"member_{name}_channel", user=DAVE, channel=SOC) for name in ("joined", "left")),
    event("message_metadata_posted", user_id=DAVE, channel_id=SOC, metadata={"event_type": "x"}),
    event("message_metadata_deleted", user_id=DAVE, channel_id=SOC, previous_metadata={}),
    event("pin_added", user=DAVE, channel_id=SOC, item=ITEM),
    event("pin_removed", user=DAVE, channel_id=SOC, item=ITEM, has_pins=False),
    *(event(f"reaction_{name}", user=DAVE, item=ITEM) for name in ("added", "removed")),
    event("reaction_added", user=DAVE, item={"type": "file", "file": "F0"}),
    event("resources_added", resources=[{"resource": {"type": "im"}}]),
    *(event(f"scope_{name}", scopes=["chat:write"]) for name in ("granted", "denied")),
    *(
        event(
            f"shared_channel_invite_{name}", invite=INVITE, channel=CHANNEL, accepting_user=PERSON
        )
        for name in ("accepted", "approved", "declined", "received", "requested")
    ),
    *(event(f"star_{name}", user=DAVE, item=ITEM) for name in ("added", "removed")),
    *(event(f"subteam_{name}", subteam=GROUP) for name in ("created", "updated")),
    event("subteam_members_changed", subteam_id="S0SOC", added_users=[DAVE]),
    *(event(f"subteam_self_{name}", subteam_id="S0SOC") for name in ("added", "removed")),
    *(event(f"team_access_{name}", team_ids=[TEAM]) for name in ("granted", "revoked")),
    event("team_domain_change", url="https://x", domain="x"),
    event("team_rename", name="x"),
    event("user_resource_granted", user=DAVE, trigger_id="1"),
    *(
        event(f"workflow_{name}", workflow_id="W0")
        for name in ("deleted", "published", "unpublished", "step_deleted")
    ),
    event("workflow_step_execute", callback_id="s", workflow_step={"step_id": "1", "inputs": {}}),
    Shape(EVENTS, {"token": "t", "type": "app_rate_limited", "team_id": TEAM, "api_app_id": APP}),
    interaction("block_suggestion", action_id="a", block_id="b", value="x", **in_message()),
    interaction("block_suggestion", action_id="a", block_id="b", value="x", **in_view("modal")),
    interaction("view_closed", view=view("form"), is_cleared=False),
    interaction("view_submission", view=view("another"), response_urls=[]),
    interaction(
        "view_submission",
        view=view("s", type_="workflow_step"),
        workflow_step={"workflow_step_edit_id": "1", "workflow_id": "2", "step_id": "3"},
    ),
    interaction("shortcut", callback_id="another", action_ts=TS),
    interaction("message_action", callback_id="another", message_ts=TS, **in_message()),
    interaction(
        "workflow_step_edit", callback_id="s", action_ts=TS, workflow_step={"workflow_id": "2"}
    ),
    interaction(
        "interactive_message",
        callback_id="c",
        actions=[{"name": "a", "type": "button", "value": "v"}],
        channel={"id": SOC, "name": "soc"},
        action_ts=TS,
        message_ts=TS,
        attachment_id="1",
        original_message={"text": "x"},
        response_url=HOOK,
    ),
    *(
        interaction(f"dialog_{name}", callback_id="c", state="s", channel={"id": SOC}, **fields)
        for name, fields in (
            ("submission", {"submission": {"a": "b"}, "response_url": HOOK}),
            ("cancellation", {"response_url": HOOK}),
            ("suggestion", {"name": "a", "value": "b"}),
        )
    ),
    Shape(COMMANDS, {"ssl_check": "1", "token": "t"}),
)


def in_enterprise(shape: Shape) -> Shape:
    """The same as an app gets it that is installed in a whole Enterprise."""
    enterprise = {"id": "E0DEMO", "name": "Demo"}
    if shape.kind == COMMANDS:
        fields = {"enterprise_id": "E0DEMO", "enterprise_name": "Demo"}
        return Shape(COMMANDS, shape.payload | fields | {"is_enterprise_install": "true"})
    if shape.kind == INTERACTIVE:
        places: Json = {"enterprise": enterprise, "is_enterprise_install": True, "team": None}
        return Shape(INTERACTIVE, shape.payload | places)
    [authorization] = shape.payload.get("authorizations", [{}])
    installed = authorization | {"enterprise_id": "E0DEMO", "is_enterprise_install": True}
    places = {"authorizations": [installed | {"team_id": None}], "enterprise_id": "E0DEMO"}
    return Shape(EVENTS, shape.payload | places)


def odd_variants(payload: Json) -> Iterator[tuple[str, Json]]:
    """Yield the payload with each of its parts, at any depth, missing or replaced by odd values."""
    for path in _paths(payload):
        for value in (MISSING, *ODD_VALUES):
            variant = copy.deepcopy(payload)
            part: Any = variant
            for key in path[:-1]:
                part = part[key]
            if value is MISSING:
                del part[path[-1]]
            else:
                part[path[-1]] = value
            name = "missing" if value is MISSING else repr(value)[:20]
            yield f"{'.'.join(map(str, path))} {name}", variant


def _paths(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _paths(value, (*path, key))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _paths(value, (*path, index))
