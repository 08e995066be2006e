"""The methods that write messages: ``chat.*`` and ``reactions.add``.

https://docs.slack.dev/reference/methods?family=chat
"""

from typing import Any

from bot.sandbox.slack.asking import Ask, method
from bot.sandbox.slack.blocks import check_blocks, check_metadata, with_ids
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.permits import SlackError
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
    """The bot's message with this text and these blocks, once both are found acceptable.

    ``may_be_empty`` is for one that carries something else.
    """
    text, blocks = args.get("text") or "", args.get("blocks") or []
    if args.get("attachments"):
        raise SlackError("invalid_attachments")
    check_blocks(blocks)
    if not isinstance(text, str) or not (text.strip() or blocks or may_be_empty):
        raise SlackError("no_text")
    if len(text) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    message: Json = {"user": BOT_USER, "bot_id": BOT, "app_id": APP, "text": text}
    message["bot_profile"] = BOT_PROFILE
    return message | ({"blocks": with_ids(blocks, workspace.new_id)} if blocks else {})


@method("chat.postMessage", Tier.POSTING, "chat:write")
def post_message(ask: Ask) -> Json:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    ask.workspace.check_may_post(channel, ask.scopes)
    message = from_bot(ask.workspace, ask.args) | _metadata(ask)
    thread_ts = ask.text("thread_ts")
    if thread_ts and ask.flag("reply_broadcast"):
        message["subtype"] = "thread_broadcast"
    posted = ask.workspace.post(channel.id, message, thread_ts)
    return {"channel": channel.id, "ts": posted["ts"], "message": posted}


def _metadata(ask: Ask) -> Json:
    metadata = ask.args.get("metadata")
    if not metadata:
        return {}
    check_metadata(metadata)
    return {"metadata": metadata}


@method("chat.postEphemeral", Tier.FOUR, "chat:write")
def post_ephemeral(ask: Ask) -> Json:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    user = str(ask.need("user"))
    ask.workspace.check_may_post(channel, ask.scopes)
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    message = from_bot(ask.workspace, ask.args)
    shown = ask.workspace.whisper(user, channel.id, message, ask.text("thread_ts"))
    return {"message_ts": shown["ts"]}


@method("chat.update", Tier.THREE, "chat:write")
def update(ask: Ask) -> Json:
    """What is left out stays; an empty list of blocks or empty metadata removes them.

    In an archived channel it is ``is_inactive``, where the other methods say ``is_archived``:
    https://docs.slack.dev/reference/methods/chat.update
    """
    channel, message = _own_message(ask, "cant_update_message")
    if channel.is_archived:
        raise SlackError("is_inactive")
    kept = {key: message[key] for key in ("text", "blocks") if key in message}
    given = {key: ask.args[key] for key in ("text", "blocks") if ask.args.get(key) is not None}
    new = from_bot(ask.workspace, kept | given) | _metadata(ask)
    for key in ("blocks", "metadata"):
        if ask.args.get(key) in ([], {}):
            message.pop(key, None)
    ask.workspace.change(message, new)
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}


@method("chat.delete", Tier.THREE, "chat:write")
def delete(ask: Ask) -> Json:
    channel, message = _own_message(ask, "cant_delete_message")
    ask.workspace.delete(channel.id, message)
    return {"channel": channel.id, "ts": message["ts"]}


def _own_message(ask: Ask, refusal: str) -> tuple[Channel, Json]:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    message = _message(ask, channel, ask.need("ts"))
    if message.get("bot_id") != BOT:
        raise SlackError(refusal)
    return channel, message


def _message(ask: Ask, channel: Channel, ts: Any) -> Json:
    message = ask.workspace.message(channel.id, str(ts))
    if message is None:
        raise SlackError("message_not_found")
    return message


@method("chat.getPermalink", Tier.HUNDREDS)
def get_permalink(ask: Ask) -> Json:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    message = _message(ask, channel, ask.need("message_ts"))
    link = (
        f"https://{TEAM_DOMAIN}.slack.com/archives/{channel.id}/p{message['ts'].replace('.', '')}"
    )
    if message.get("thread_ts", message["ts"]) != message["ts"]:
        link += f"?thread_ts={message['thread_ts']}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


@method("reactions.add", Tier.THREE, "reactions:write")
def add_reaction(ask: Ask) -> Json:
    channel = ask.workspace.find_channel(str(ask.need("channel")))
    if channel.is_archived:
        raise SlackError("is_archived")
    message = _message(ask, channel, ask.need("timestamp"))
    ask.workspace.react(message, str(ask.need("name")), BOT_USER)
    return {}
