"""Links to the app's domains: the event about them, and the previews the app attaches.

https://docs.slack.dev/messaging/unfurling-links-in-messages
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from bot.sandbox.slack.blocks import check_blocks, with_ids
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.escaping import unescape
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.methods import MethodCall, method
from bot.sandbox.slack.rules import anything, shape, text
from bot.sandbox.slack.workspace import APP, BOT, BOT_USER, TEXT_LIMIT, Channel, Json, Workspace

LINK = re.compile(r"<(https?://[^>|]+)")
# https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
PREVIEW_TEXTS = dict.fromkeys(
    (
        "author_icon",
        "author_link",
        "author_name",
        "color",
        "fallback",
        "footer",
        "footer_icon",
        "image_url",
        "pretext",
        "text",
        "thumb_url",
        "title",
        "title_link",
    ),
    text(TEXT_LIMIT, 0),
)
PREVIEW = shape({}, {**PREVIEW_TEXTS, "blocks": anything})


def link_shared(
    workspace: Workspace, channel: Channel, message: Json, domains: Iterable[str]
) -> Json | None:
    """Return the event about a message's links to these domains, if it has any.

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
        "channel": channel.id,
        "message_ts": message["ts"],
        "unfurl_id": workspace.new_id("Uf"),
        "source": "conversations_history",
        "is_bot_user_member": BOT_USER in channel.members,
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
def unfurl(call: MethodCall) -> Json:
    """Attach previews to a message; a second preview of a link replaces the first.

    https://docs.slack.dev/reference/methods/chat.unfurl
    """
    message = _message(call)
    unfurls = call.args["unfurls"]
    if not isinstance(unfurls, dict) or not all(
        isinstance(preview, dict) for preview in unfurls.values()
    ):
        raise SlackError("invalid_unfurls_format")
    # In a message's text, and so in the event, "&" is "&amp;"; apps send back either.
    previews = {unescape(url): preview for url, preview in unfurls.items()}
    urls = {unescape(url) for url in LINK.findall(message["text"])}
    if previews.keys() - urls:
        raise SlackError("cannot_unfurl_message")
    new = [_attachment(call, url, preview) for url, preview in previews.items()]
    old = [item for item in message.get("attachments", []) if item["from_url"] not in previews]
    message["attachments"] = [*old, *new]
    call.workspace.touch(message)
    return {}


def _message(call: MethodCall) -> Json:
    """Find the call's message, with the errors that are particular to ``chat.unfurl``."""
    for name in ("channel", "ts", "unfurls"):
        if not call.args.get(name):
            raise SlackError(f"missing_{name}")
    try:
        channel = call.workspace.find_channel(call.text("channel"))
    except SlackError:
        raise SlackError("cannot_find_channel") from None
    message = call.workspace.message(channel.id, call.text("ts"))
    if message is None:
        raise SlackError("cannot_find_message")
    return message


def _attachment(call: MethodCall, url: str, preview: Json) -> Json:
    if list(PREVIEW(preview, "")):
        raise SlackError("invalid_unfurls_format")
    source = {"from_url": url, "is_app_unfurl": True, "app_id": APP, "bot_id": BOT}
    if "blocks" not in preview:
        return preview | source
    check_blocks(preview["blocks"])
    return preview | source | {"blocks": with_ids(preview["blocks"], call.workspace.new_id)}
