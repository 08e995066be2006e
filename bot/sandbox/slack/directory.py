"""The methods that read: conversations, people, user groups, and who the app itself is.

https://docs.slack.dev/reference/methods
"""

import math

from bot.sandbox.slack.asking import Ask, method
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.timeline import Row
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

KINDS = {"public_channel": "channels", "private_channel": "groups", "im": "im"}


@method("api.test", Tier.FOUR)
def api_test(ask: Ask) -> Json:
    if error := ask.text("error"):
        raise SlackError(error, args=ask.args)
    return {"args": ask.args}


@method("auth.test", Tier.HUNDREDS)
def auth_test(_ask: Ask) -> Json:
    return {
        "url": f"https://{TEAM_DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": "secmaster",
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", Tier.ONE)
def open_connection(ask: Ask) -> Json:
    """A fresh address for one websocket.

    https://docs.slack.dev/apis/events-api/using-socket-mode
    """
    return {"url": ask.socket_url()}


@method("bots.info", Tier.THREE, "users:read")
def bot(ask: Ask) -> Json:
    if ask.text("bot", BOT) != BOT:
        raise SlackError("bot_not_found")
    about = {"id": BOT, "app_id": APP, "user_id": BOT_USER, "name": "SecMaster", "deleted": False}
    return {"bot": about}


# Conversations.


@method("conversations.history", Tier.THREE)
def history(ask: Ask) -> Json:
    """Newest first; replies only where they were broadcast."""
    channel = _readable(ask)
    found = _between(ask, ask.workspace.in_channel(channel.id).top)[::-1]
    return _messages(ask, found)


@method("conversations.replies", Tier.THREE)
def replies(ask: Ask) -> Json:
    """The message that was asked for, then its replies, oldest first."""
    channel = _readable(ask)
    ts = str(ask.need("ts"))
    root = ask.workspace.message(channel.id, ts)
    said = ask.workspace.in_channel(channel.id).replies(ts)
    if root is None and not said:
        raise SlackError("thread_not_found")
    return _messages(ask, [*([root] if root else []), *_between(ask, said)])


def _readable(ask: Ask) -> Channel:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    ask.require(f"{channel.kind}:history")
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _between(ask: Ask, messages: Row) -> list[Json]:
    oldest, latest = _edge(ask, "oldest", 0), _edge(ask, "latest", math.inf)
    return messages.between(oldest, latest, inclusive=ask.flag("inclusive"))


def _edge(ask: Ask, name: str, default: float) -> float:
    try:
        return float(ask.text(name) or default)
    except ValueError:
        raise SlackError(f"invalid_ts_{name}") from None


def _messages(ask: Ask, messages: list[Json]) -> Json:
    page, onward = ask.page(messages)
    if not ask.flag("include_all_metadata"):
        page = [{key: one[key] for key in one if key != "metadata"} for one in page]
    more = bool(onward["next_cursor"])
    return {"messages": page, "has_more": more, "response_metadata": onward}


@method("conversations.info", Tier.THREE)
def channel_info(ask: Ask) -> Json:
    return {"channel": _visible(ask).described()}


@method("conversations.members", Tier.FOUR)
def members(ask: Ask) -> Json:
    people = [{"id": one} for one in _visible(ask).members]
    page, onward = ask.page(people)
    return {"members": [one["id"] for one in page], "response_metadata": onward}


def _visible(ask: Ask) -> Channel:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    ask.require(f"{channel.kind}:read")
    return channel


@method("conversations.list", Tier.TWO)
def channels(ask: Ask) -> Json:
    return _channels(ask, mine=False)


@method("users.conversations", Tier.THREE)
def own_channels(ask: Ask) -> Json:
    return _channels(ask, mine=True)


def _channels(ask: Ask, *, mine: bool) -> Json:
    kinds = [KINDS[one] for one in ask.text("types", "public_channel").split(",") if one in KINDS]
    for kind in kinds:
        ask.require(f"{kind}:read")
    found = [
        channel.described()
        for channel in ask.workspace.channels.values()
        if channel.kind in kinds
        and (BOT_USER in channel.members or not (mine or channel.is_private))
        and not (channel.is_archived and ask.flag("exclude_archived"))
    ]
    page, onward = ask.page(found)
    return {"channels": page, "response_metadata": onward}


@method("conversations.open", Tier.THREE, "im:write")
def open_dm(ask: Ask) -> Json:
    dm = ask.workspace.dm(ask.text("users")) or ask.workspace.channels.get(ask.text("channel"))
    if dm is None or not dm.person:
        raise SlackError("user_not_found" if ask.text("users") else "channel_not_found")
    return {"channel": dm.described() if ask.flag("return_im") else {"id": dm.id}}


@method("conversations.join", Tier.THREE, "channels:join")
def join(ask: Ask) -> Json:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    if channel.is_archived or channel.kind != "channels":
        raise SlackError(
            "is_archived" if channel.is_archived else "method_not_supported_for_channel_type"
        )
    if BOT_USER not in channel.members:
        channel.members.append(BOT_USER)
        ask.workspace.changes.happened()
    return {"channel": channel.described()}


# People.


@method("users.info", Tier.FOUR, "users:read")
def person(ask: Ask) -> Json:
    found = ask.workspace.users.get(str(ask.need("user")))
    if found is None:
        raise SlackError("user_not_found")
    return {"user": _as_allowed(ask, found)}


@method("users.list", Tier.TWO, "users:read")
def people(ask: Ask) -> Json:
    page, onward = ask.page([_as_allowed(ask, one) for one in ask.workspace.users.values()])
    return {"members": page, "response_metadata": onward}


def _as_allowed(ask: Ask, user: Json) -> Json:
    """Without the address, unless ``users:read.email`` was granted."""
    if "users:read.email" in ask.scopes:
        return user
    profile = {key: value for key, value in user["profile"].items() if key != "email"}
    return user | {"profile": profile}


@method("usergroups.list", Tier.TWO, "usergroups:read")
def groups(ask: Ask) -> Json:
    hidden = () if ask.flag("include_users") else ("users",)
    listed = [
        {key: value for key, value in group.items() if key not in hidden}
        for group in ask.workspace.groups.values()
    ]
    return {"usergroups": listed}


@method("usergroups.users.list", Tier.TWO, "usergroups:read")
def group_members(ask: Ask) -> Json:
    group = ask.workspace.groups.get(str(ask.need("usergroup")))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": group["users"]}
