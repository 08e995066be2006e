"""The payloads that tell the app what a person did, in the shapes Slack documents.

https://docs.slack.dev/reference/interaction-payloads
"""

import copy

from bot.sandbox.slack.workspace import (
    APP,
    ENTERPRISE_NAME,
    TEAM,
    TEAM_DOMAIN,
    Channel,
    Json,
    Workspace,
)

TOKEN = "verification-token"  # noqa: S105 - the deprecated field every payload carries


def channel_name(channel: Channel) -> str:
    """Return the channel's name as payloads give it, which hides names of private channels."""
    if channel.person:
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name


def command(
    workspace: Workspace, user: str, channel: Channel, line: str, response_url: str
) -> Json:
    """Return the form of a slash command; ``line`` is the whole line as it was typed.

    https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
    """
    name, _, text = line.partition(" ")
    return {
        "token": TOKEN,
        "team_id": TEAM,
        "team_domain": TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user,
        "user_name": workspace.users[user]["name"],
        "command": name,
        "text": text.strip(),
        "api_app_id": APP,
        **_enterprise_fields(workspace),
        "is_enterprise_install": str(workspace.is_org_wide).lower(),
        "response_url": response_url,
        "trigger_id": workspace.permits.new_trigger(user),
    }


def interaction(workspace: Workspace, kind: str, user: str) -> Json:
    """Return the fields that every interaction carries."""
    person, enterprise = workspace.users[user], None
    if workspace.enterprise:
        enterprise = {"id": workspace.enterprise, "name": ENTERPRISE_NAME}
    return {
        "type": kind,
        # https://docs.slack.dev/enterprise/organization-ready-apps
        "team": None if workspace.is_org_wide else {"id": TEAM, "domain": TEAM_DOMAIN},
        "user": {
            "id": user,
            "username": person["name"],
            "name": person["name"],
            "team_id": home_team(person),
        },
        "api_app_id": APP,
        "token": TOKEN,
        "enterprise": enterprise,
        "is_enterprise_install": workspace.is_org_wide,
    }


def _enterprise_fields(workspace: Workspace) -> Json:
    if not workspace.enterprise:
        return {}
    return {"enterprise_id": workspace.enterprise, "enterprise_name": ENTERPRISE_NAME}


def home_team(person: Json) -> str:
    """Return the workspace that a person acts from, also where their profile names none."""
    teams = (person.get("enterprise_user") or {}).get("teams") or [TEAM]
    return str(person.get("team_id") or teams[0])


def without_metadata(message: Json) -> Json:
    """Return a copy of a message without its metadata."""
    return {key: copy.deepcopy(value) for key, value in message.items() if key != "metadata"}


def in_message(channel: Channel, message: Json, response_url: str) -> Json:
    """Return where a press happened. Slack leaves an ephemeral message itself out."""
    ephemeral = bool(message.get("is_ephemeral"))
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if "thread_ts" in message:
        container["thread_ts"] = message["thread_ts"]
    location = {
        "container": container,
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "response_url": response_url,
    }
    return location if ephemeral else location | {"message": without_metadata(message)}


def in_view(view: Json) -> Json:
    """Return where a press happened that was made in a view."""
    container = {"type": "view", "view_id": view["id"]}
    return {"container": container, "view": copy.deepcopy(view)}


def action(block: Json, element: Json, fields: Json, ts: str) -> Json:
    """Return one item of ``actions``; ``fields`` are those of ``element_state.action_fields``."""
    described: Json = {
        key: element[key] for key in ("text", "style", "placeholder", "confirm") if key in element
    }
    names = {"action_id": element["action_id"], "block_id": block["block_id"]}
    return {"type": element["type"], **names, **described, **fields, "action_ts": ts}


def message_event(workspace: Workspace, kind: str, channel: Channel, message: Json) -> Json:
    """Return the event of type ``kind`` about a message that a person wrote."""
    event = without_metadata(message) | {
        "type": kind,
        "channel": channel.id,
        "event_ts": message.get("edited", message)["ts"],
    }
    person = workspace.users[message["user"]]
    team = home_team(person)
    if team != TEAM:
        # Of a colleague of another workspace of the enterprise Slack may name that alone.
        enterprise = (person.get("enterprise_user") or {}).get("enterprise_id")
        is_ours = enterprise and enterprise == workspace.enterprise
        event |= {"user_team": enterprise if is_ours else team, "source_team": team}
    if kind == "message" and "files" in message:
        # https://docs.slack.dev/reference/events/message/file_share
        event["subtype"] = "file_share"
    return event | ({"channel_type": "im"} if channel.person else {})


def message_changed(channel: Channel, before: Json, message: Json) -> Json:
    """Return the event about a direct message that was edited."""
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": channel.id,
        "channel_type": "im",
        "ts": message["edited"]["ts"],
        "event_ts": message["edited"]["ts"],
        "message": without_metadata(message),
        "previous_message": without_metadata(before),
    }
