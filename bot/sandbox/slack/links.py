"""Links of the app's domains: telling the app of them, and showing what it makes of them.

https://docs.slack.dev/messaging/unfurling-links-in-messages
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.slack.asking import Ask, method
from bot.sandbox.slack.blocks import check_blocks, with_ids
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.rules import text
from bot.sandbox.slack.text import unescape
from bot.sandbox.slack.workspace import APP, BOT, BOT_USER, TEXT_LIMIT, Channel, Json, Workspace

LINK = re.compile(r"<(https?://[^>|]+)")
# https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
_WORDS = ("author_icon", "author_link", "author_name", "color", "fallback", "footer", "footer_icon")
_MORE_WORDS = ("image_url", "pretext", "text", "thumb_url", "title", "title_link")
PREVIEW = dict.fromkeys((*_WORDS, *_MORE_WORDS), text(TEXT_LIMIT, 0))


def link_shared(
    workspace: Workspace, place: Channel, message: Json, domains: Iterable[str]
) -> Json | None:
    """The event about a message's links to these domains, if it has any.

    https://docs.slack.dev/reference/events/link_shared
    """
    links = [
        {"domain": domain, "url": url}
        for url in LINK.findall(message["text"])
        for domain in domains
        if f".{_host(url)}".endswith(f".{domain}")
    ]
    if not links:
        return None
    event = {
        "type": "link_shared",
        "user": message["user"],
        "channel": place.id,
        "message_ts": message["ts"],
        "unfurl_id": workspace.new_id("Uf"),
        "source": "conversations_history",
        "is_bot_user_member": BOT_USER in place.members,
        "links": links,
        "event_ts": message["ts"],
    }
    return event | ({"thread_ts": message["thread_ts"]} if "thread_ts" in message else {})


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


@method("chat.unfurl", Tier.THREE, "links:write")
def unfurl(ask: Ask) -> Json:
    """Attach previews to a message; the same link again replaces its preview.

    https://docs.slack.dev/reference/methods/chat.unfurl
    """
    message = _message(ask)
    unfurls = _unfurls(ask)
    shown = {unescape(url) for url in LINK.findall(message["text"])}
    if unfurls.keys() - shown:
        raise SlackError("cannot_unfurl_message")
    new = [_attachment(ask, url, unfurls[url]) for url in unfurls]
    kept = [one for one in message.get("attachments", []) if one["from_url"] not in unfurls]
    message["attachments"] = [*kept, *new]
    ask.workspace.touch(message)
    return {}


def _message(ask: Ask) -> Json:
    for name in ("channel", "ts", "unfurls"):
        if not ask.args.get(name):
            raise SlackError(f"missing_{name}")
    try:
        channel = ask.workspace.find_channel(ask.text("channel"))
    except SlackError:
        raise SlackError("cannot_find_channel") from None
    message = ask.workspace.message(channel.id, ask.text("ts"))
    if message is None:
        raise SlackError("cannot_find_message")
    return message


def _unfurls(ask: Ask) -> dict[str, Any]:
    """The previews by address.

    In a message's text, and so in the event, "&" is "&amp;"; apps send back either.
    """
    unfurls = ask.args["unfurls"]
    if not isinstance(unfurls, dict) or not all(isinstance(one, dict) for one in unfurls.values()):
        raise SlackError("invalid_unfurls_format")
    return {unescape(url): preview for url, preview in unfurls.items()}


def _attachment(ask: Ask, url: str, preview: Json) -> Json:
    if any(list(PREVIEW[key](preview[key], "")) for key in PREVIEW.keys() & preview.keys()):
        raise SlackError("invalid_unfurls_format")
    about = {"from_url": url, "is_app_unfurl": True, "app_id": APP, "bot_id": BOT}
    if "blocks" not in preview:
        return preview | about
    check_blocks(preview["blocks"])
    return preview | about | {"blocks": with_ids(preview["blocks"], ask.workspace.new_id)}
