"""The Web API methods that write messages: ``chat.*`` and ``reactions.add``.

https://docs.slack.dev/reference/methods?family=chat
"""

from typing import Any

from bot.sandbox.slack.blocks import check_blocks, check_metadata, with_ids
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.methods import MethodCall, method
from bot.sandbox.slack.workspace import (
    APP,
    BOT,
    BOT_USER,
    TEAM_DOMAIN,
    TEXT_LIMIT,
    Channel,
    Json,
    Workspace,
)

BOT_PROFILE = {"id": BOT, "app_id": APP, "name": "SecMaster", "deleted": False}


def from_bot(workspace: Workspace, args: Json, *, may_be_empty: bool = False) -> Json:
    """Build the bot's message from ``text`` and ``blocks``, or raise ``SlackError``.

    ``may_be_empty`` allows neither, for a message that carries a file.
    """
    text, blocks = args.get("text") or "", args.get("blocks") or []
    if args.get("attachments"):
        raise SlackError("invalid_attachments")
    check_blocks(blocks)
    if blocks and workspace.blocks_refusal:
        raise workspace.blocks_refusal
    if not isinstance(text, str) or not (text.strip() or blocks or may_be_empty):
        raise SlackError("no_text")
    if len(text) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    message: Json = {"user": BOT_USER, "bot_id": BOT, "app_id": APP, "text": text}
    message["bot_profile"] = BOT_PROFILE
    return message | ({"blocks": with_ids(blocks, workspace.new_id)} if blocks else {})


@method("chat.postMessage", Tier.POSTING, "chat:write")
def post_message(call: MethodCall) -> Json:
    channel = call.workspace.find_channel(str(call.need("channel")))
    call.workspace.check_may_post(channel, call.scopes)
    message = from_bot(call.workspace, call.args) | _metadata(call)
    thread_ts = call.text("thread_ts")
    if thread_ts and call.flag("reply_broadcast"):
        message["subtype"] = "thread_broadcast"
    posted = call.workspace.post(channel.id, message, thread_ts)
    return {"channel": channel.id, "ts": posted["ts"], "message": posted}


def _metadata(call: MethodCall) -> Json:
    metadata = call.args.get("metadata")
    if not metadata:
        return {}
    check_metadata(metadata)
    return {"metadata": metadata}


@method("chat.postEphemeral", Tier.FOUR, "chat:write")
def post_ephemeral(call: MethodCall) -> Json:
    channel = call.workspace.find_channel(str(call.need("channel")))
    user = str(call.need("user"))
    call.workspace.check_may_post(channel, call.scopes)
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    message = from_bot(call.workspace, call.args)
    stored = call.workspace.post_ephemeral(user, channel.id, message, call.text("thread_ts"))
    return {"message_ts": stored["ts"]}


@method("chat.update", Tier.THREE, "chat:write")
def update(call: MethodCall) -> Json:
    """Change a message. What is left out stays; empty ``blocks`` or ``metadata`` remove them.

    In an archived channel it is ``is_inactive``, where the other methods say ``is_archived``:
    https://docs.slack.dev/reference/methods/chat.update
    """
    channel, message = _bot_message(call, "cant_update_message")
    if channel.is_archived:
        raise SlackError("is_inactive")
    old = {key: message[key] for key in ("text", "blocks") if key in message}
    new = {key: call.args[key] for key in ("text", "blocks") if call.args.get(key) is not None}
    fields = from_bot(call.workspace, old | new) | _metadata(call)
    for key in ("blocks", "metadata"):
        if call.args.get(key) in ([], {}):
            message.pop(key, None)
    call.workspace.change(message, fields)
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}


@method("chat.delete", Tier.THREE, "chat:write")
def delete(call: MethodCall) -> Json:
    channel, message = _bot_message(call, "cant_delete_message")
    call.workspace.delete(channel.id, message)
    return {"channel": channel.id, "ts": message["ts"]}


def _bot_message(call: MethodCall, error: str) -> tuple[Channel, Json]:
    """Find the message of the call, which the bot must have written; else ``error`` is raised."""
    channel = call.workspace.find_channel(str(call.need("channel")))
    message = _message(call, channel, call.need("ts"))
    if message.get("bot_id") != BOT:
        raise SlackError(error)
    return channel, message


def _message(call: MethodCall, channel: Channel, ts: Any) -> Json:
    message = call.workspace.message(channel.id, str(ts))
    if message is None:
        raise SlackError("message_not_found")
    return message


@method("chat.getPermalink", Tier.HUNDREDS)
def get_permalink(call: MethodCall) -> Json:
    channel = call.workspace.find_channel(str(call.need("channel")))
    message = _message(call, channel, call.need("message_ts"))
    link = (
        f"https://{TEAM_DOMAIN}.slack.com/archives/{channel.id}/p{message['ts'].replace('.', '')}"
    )
    if message.get("thread_ts", message["ts"]) != message["ts"]:
        link += f"?thread_ts={message['thread_ts']}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


@method("reactions.add", Tier.THREE, "reactions:write")
def add_reaction(call: MethodCall) -> Json:
    channel = call.workspace.find_channel(str(call.need("channel")))
    if channel.is_archived:
        raise SlackError("is_archived")
    message = _message(call, channel, call.need("timestamp"))
    call.workspace.react(message, str(call.need("name")), BOT_USER)
    return {}
