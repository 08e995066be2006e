"""The Web API methods that read: conversations, people, user groups, and the app itself.

https://docs.slack.dev/reference/methods
"""

import math

from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.methods import MethodCall, method
from bot.sandbox.slack.timeline import MessageList
from bot.sandbox.slack.workspace import (
    APP,
    BOT,
    BOT_USER,
    TEAM,
    TEAM_DOMAIN,
    TEAM_NAME,
    Channel,
    Json,
)

# Slack promises no number for either: whoever reads a list must look for what is missing.
GROUP_PAGE = 100  # user groups, or people of one, that are listed at once
MOST_LISTED = 50  # people of a group that the list of groups has

KINDS = {"public_channel": "channels", "private_channel": "groups", "im": "im"}


@method("api.test", Tier.FOUR)
def api_test(call: MethodCall) -> Json:
    if error := call.text("error"):
        raise SlackError(error, args=call.args)
    return {"args": call.args}


@method("auth.test", Tier.HUNDREDS)
def auth_test(call: MethodCall) -> Json:
    workspace = call.workspace
    enterprise = {"enterprise_id": workspace.enterprise} if workspace.enterprise else {}
    return {
        "url": f"https://{TEAM_DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": "secmaster",
        "team_id": workspace.enterprise if workspace.is_org_wide else TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        **enterprise,
        "is_enterprise_install": workspace.is_org_wide,
    }


@method("apps.connections.open", Tier.ONE)
def open_connection(call: MethodCall) -> Json:
    """Return a fresh address for one websocket.

    https://docs.slack.dev/apis/events-api/using-socket-mode
    """
    return {"url": call.socket_url()}


@method("bots.info", Tier.THREE, "users:read")
def bot(call: MethodCall) -> Json:
    if call.text("bot", BOT) != BOT:
        raise SlackError("bot_not_found")
    profile = {"id": BOT, "app_id": APP, "user_id": BOT_USER, "name": "SecMaster", "deleted": False}
    return {"bot": profile}


# Conversations.


@method("conversations.history", Tier.THREE, "*:history")
def history(call: MethodCall) -> Json:
    """Return a channel's messages, newest first; replies only where they were broadcast."""
    channel = _readable(call)
    messages = _between(call, call.workspace.in_channel(channel.id).top)[::-1]
    cursor = _cursor(call)
    return _page_of_messages(call, [m for m in messages if not cursor or m["ts"] <= cursor])


@method("conversations.replies", Tier.THREE, "*:history")
def replies(call: MethodCall) -> Json:
    """Return a message, then its replies, oldest first."""
    channel = _readable(call)
    ts = str(call.need("ts"))
    root = call.workspace.message(channel.id, ts)
    thread = call.workspace.in_channel(channel.id).replies(ts)
    if root is None and not thread:
        raise SlackError("thread_not_found")
    messages = [*([root] if root else []), *_between(call, thread)]
    return _page_of_messages(call, [m for m in messages if m["ts"] >= _cursor(call)])


def _readable(call: MethodCall) -> Channel:
    """Find the call's channel, whose messages the app must be able to read."""
    channel = call.workspace.find_channel(str(call.need("channel")))
    call.require(f"{channel.kind}:history")
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _between(call: MethodCall, messages: MessageList) -> list[Json]:
    """Return the messages between the call's ``oldest`` and ``latest``."""
    bounds = {"oldest": 0.0, "latest": math.inf}
    for name, default in bounds.items():
        try:
            bounds[name] = float(call.text(name) or default)
        except ValueError:
            raise SlackError(f"invalid_ts_{name}") from None
    return messages.between(**bounds, inclusive=call.flag("inclusive"))


def _cursor(call: MethodCall) -> str:
    """Return the ts of the message that the call's page begins with, "" for the first page.

    Slack's cursors name a message too: what is posted between two pages shifts neither.
    """
    _, separator, ts = call.text("cursor").partition("next_ts:")
    if call.text("cursor") and not separator:
        raise SlackError("invalid_cursor")
    return ts


def _page_of_messages(call: MethodCall, messages: list[Json]) -> Json:
    """Return the first of these messages, and the cursor that leads to the next ones."""
    limit = call.number("limit", 100) or 100
    if limit < 0:
        raise SlackError("invalid_limit")
    page, rest = messages[:limit], messages[limit:]
    if not call.flag("include_all_metadata"):
        page = [
            {key: value for key, value in message.items() if key != "metadata"} for message in page
        ]
    metadata = {"next_cursor": f"next_ts:{rest[0]['ts']}" if rest else ""}
    return {"messages": page, "has_more": bool(rest), "response_metadata": metadata}


@method("conversations.info", Tier.THREE, "*:read")
def channel_info(call: MethodCall) -> Json:
    return {"channel": _visible(call).described()}


@method("conversations.members", Tier.FOUR, "*:read")
def members(call: MethodCall) -> Json:
    people = [{"id": member} for member in _visible(call).members]
    page, metadata = call.page(people)
    return {"members": [person["id"] for person in page], "response_metadata": metadata}


def _visible(call: MethodCall) -> Channel:
    """Find the call's channel, which the app must be able to see."""
    channel = call.workspace.find_channel(str(call.need("channel")))
    call.require(f"{channel.kind}:read")
    return channel


@method("conversations.list", Tier.TWO, "*:read")
def channels(call: MethodCall) -> Json:
    return _page_of_channels(call, joined_only=False)


@method("users.conversations", Tier.THREE, "*:read")
def joined_channels(call: MethodCall) -> Json:
    return _page_of_channels(call, joined_only=True)


def _page_of_channels(call: MethodCall, *, joined_only: bool) -> Json:
    types = call.text("types", "public_channel").split(",")
    kinds = [KINDS[type_] for type_ in types if type_ in KINDS]
    for kind in kinds:
        call.require(f"{kind}:read")
    visible = [
        channel.described()
        for channel in call.workspace.channels.values()
        if channel.kind in kinds
        and (BOT_USER in channel.members or not (joined_only or channel.is_private))
        and not (channel.is_archived and call.flag("exclude_archived"))
    ]
    page, metadata = call.page(visible)
    return {"channels": page, "response_metadata": metadata}


@method("conversations.open", Tier.THREE, "im:write")
def open_dm(call: MethodCall) -> Json:
    dm = call.workspace.dm(call.text("users")) or call.workspace.channels.get(call.text("channel"))
    if dm is None or not dm.person:
        raise SlackError("user_not_found" if call.text("users") else "channel_not_found")
    return {"channel": dm.described() if call.flag("return_im") else {"id": dm.id}}


@method("conversations.join", Tier.THREE, "channels:join")
def join(call: MethodCall) -> Json:
    channel = call.workspace.find_channel(str(call.need("channel")))
    if channel.is_archived or channel.kind != "channels":
        raise SlackError(
            "is_archived" if channel.is_archived else "method_not_supported_for_channel_type"
        )
    if BOT_USER not in channel.members:
        channel.members.append(BOT_USER)
        call.workspace.changes.happened()
    return {"channel": channel.described()}


# People.


@method("users.info", Tier.FOUR, "users:read")
def person(call: MethodCall) -> Json:
    id_ = str(call.need("user"))
    user = call.workspace.users.get(id_)
    if user is None:
        raise SlackError("user_not_found")
    return {"user": _as_permitted(call, user) | {"id": id_}}  # by whichever id it is asked


@method("users.list", Tier.TWO, "users:read")
def people(call: MethodCall) -> Json:
    _require_team(call)
    workspace = call.workspace
    users = [
        _as_permitted(call, user)
        for id_, user in workspace.users.items()
        if id_ not in workspace.second_ids
    ]
    page, metadata = call.page(users)
    return {"members": page, "response_metadata": metadata}


def _as_permitted(call: MethodCall, user: Json) -> Json:
    """Return the user without the email address, unless the app has ``users:read.email``."""
    if "users:read.email" in call.scopes:
        return user
    profile = {key: value for key, value in user["profile"].items() if key != "email"}
    return user | {"profile": profile}


@method("usergroups.list", Tier.TWO, "usergroups:read")
def groups(call: MethodCall) -> Json:
    team = _require_team(call)
    groups_of_team = [
        _described(call, group)
        for group in call.workspace.groups_of(team).values()
        if call.flag("include_disabled") or not group.get("date_delete")
    ]
    page, metadata = call.page(groups_of_team, GROUP_PAGE)
    return {"usergroups": page, "response_metadata": metadata}


def _described(call: MethodCall, group: Json) -> Json:
    """Return a group as the list has it: with its people, if asked for, or the first of many."""
    people = group["users"]
    described = {key: value for key, value in group.items() if key != "users"}
    if call.flag("include_users"):
        described["users"] = people[:MOST_LISTED]
    if call.flag("include_count"):
        described["user_count"] = str(len(people))  # a text, as Slack has it
    return described


@method("usergroups.users.list", Tier.TWO, "usergroups:read")
def group_members(call: MethodCall) -> Json:
    team = _require_team(call)
    group = call.workspace.groups_of(team).get(str(call.need("usergroup")))
    if group is None:
        raise SlackError("no_such_subteam")
    people, metadata = call.page([{"id": user} for user in group["users"]], GROUP_PAGE)
    return {"users": [person["id"] for person in people], "response_metadata": metadata}


def _require_team(call: MethodCall) -> str:
    """Return the workspace that a call is about.

    Only the token of an app that is installed for a whole enterprise has to name it.

    https://docs.slack.dev/enterprise/organization-ready-apps
    """
    if not call.workspace.is_org_wide:
        return TEAM
    team = call.text("team_id")
    if not team:
        raise SlackError("missing_argument")
    if team in call.workspace.teams_without_app:
        raise SlackError("team_access_not_granted")
    return team
