"""The Web API methods of files: ``files.*``.

https://docs.slack.dev/messaging/working-with-files
"""

import re
from typing import Any

from bot.sandbox.slack.chat import from_bot
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.file_store import LARGEST
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.methods import MethodCall, method
from bot.sandbox.slack.workspace import BOT_USER, Channel, Json

ALT_TXT = 1000
SNIPPET = 1024**2
CHANNEL_ID = re.compile(r"^[CGDZ][A-Z0-9]+$")


@method("files.getUploadURLExternal", Tier.FOUR, "files:write")
def announce(call: MethodCall) -> Json:
    """Announce a file; returns its id, and the URL to send its bytes to.

    https://docs.slack.dev/reference/methods/files.getUploadURLExternal
    """
    name, length = str(call.need("filename")), call.number("length", 0)
    if length <= 0:
        raise SlackError("missing_argument")
    if length > LARGEST:
        raise SlackError("file_upload_size_restricted")
    alt_txt, snippet_type = call.text("alt_txt"), call.text("snippet_type")
    if len(alt_txt) > ALT_TXT:
        raise SlackError("alt_txt_too_large")
    if snippet_type and length > SNIPPET:
        raise SlackError("snippet_too_large")
    file_id, url = call.files.announce(name, length, alt_txt, snippet_type)
    return {"upload_url": url, "file_id": file_id}


@method("files.completeUploadExternal", Tier.FOUR, "files:write")
def complete(call: MethodCall) -> Json:
    """Complete uploads and share the files. Everything is checked before anything changes.

    https://docs.slack.dev/reference/methods/files.completeUploadExternal
    """
    titles = _titles(call.need("files"))
    files = [call.files.received(file_id) for file_id in titles]
    channels = _channels(call)
    message, thread_ts = _message(call, channels), call.text("thread_ts")
    for file in files:
        call.files.complete(file, titles[file.id])
    for channel in channels:
        shared = message | {"files": call.files.share(files, channel)}
        call.workspace.post(channel.id, shared, thread_ts)
    return {"files": [call.files.described(file) for file in files]}


def _titles(files: Any) -> dict[str, str]:
    """Return the title of each file in the call's ``files``, by file id."""
    if not isinstance(files, list) or not files:
        raise SlackError("invalid_arguments")
    if not all(isinstance(file, dict) and isinstance(file.get("id"), str) for file in files):
        raise SlackError("invalid_arguments")
    return {file["id"]: str(file.get("title") or "") for file in files}


def _channels(call: MethodCall) -> list[Channel]:
    """Return the channels to share in. ``chat:write.public`` does not extend to files."""
    channel_id, channel_names = call.text("channel_id"), call.text("channels")
    if channel_id and not CHANNEL_ID.match(channel_id):
        raise call.invalid(f"input must match regex pattern: {CHANNEL_ID.pattern}", "/channel_id")
    names = [name.strip() for name in (channel_id or channel_names).split(",") if name.strip()]
    channels = [call.workspace.find_channel(name) for name in names]
    for channel in channels:
        call.workspace.check_may_post(channel, call.scopes - {"chat:write.public"})
    return channels


def _message(call: MethodCall, channels: list[Channel]) -> Json:
    """Build the message that shares the files, after checking its thread."""
    thread_ts, comment = call.text("thread_ts"), call.text("initial_comment")
    if thread_ts and len(channels) != 1:
        raise call.invalid("a thread is in one channel", "/thread_ts")
    if thread_ts and call.workspace.message(channels[0].id, thread_ts) is None:
        raise SlackError("thread_not_found")
    fields = {"text": comment} if comment else {"blocks": call.args.get("blocks")}
    return from_bot(call.workspace, fields, may_be_empty=True)


@method("files.info", Tier.FOUR, "files:read")
def info(call: MethodCall) -> Json:
    file = call.files.for_app(str(call.need("file")))
    metadata = {"next_cursor": ""}
    return {"file": call.files.described(file), "comments": [], "response_metadata": metadata}


@method("files.delete", Tier.THREE, "files:write")
def delete(call: MethodCall) -> Json:
    file = call.files.for_app(str(call.need("file")))
    if file.user != BOT_USER:
        raise SlackError("cant_delete_file")
    call.files.delete(file)
    return {}
