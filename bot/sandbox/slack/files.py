"""The methods of files: ``files.*``.

https://docs.slack.dev/messaging/working-with-files
"""

import re
from typing import Any

from bot.sandbox.slack.asking import Ask, method
from bot.sandbox.slack.chat import from_bot
from bot.sandbox.slack.filestore import LARGEST, StoredFile
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.workspace import BOT_USER, Channel, Json

ALT_TXT = 1000
SNIPPET = 1024**2
CHANNEL_ID = re.compile(r"^[CGDZ][A-Z0-9]+$")


@method("files.getUploadURLExternal", Tier.FOUR, "files:write")
def announce(ask: Ask) -> Json:
    """Expect a file; its id, and where to send its bytes.

    https://docs.slack.dev/reference/methods/files.getUploadURLExternal
    """
    name, length = str(ask.need("filename")), ask.number("length", 0)
    if length <= 0:
        raise SlackError("missing_argument")
    if length > LARGEST:
        raise SlackError("file_upload_size_restricted")
    alt_txt, snippet_type = ask.text("alt_txt"), ask.text("snippet_type")
    if len(alt_txt) > ALT_TXT:
        raise SlackError("alt_txt_too_large")
    if snippet_type and length > SNIPPET:
        raise SlackError("snippet_too_large")
    file_id, url = ask.files.announce(name, length, alt_txt, snippet_type)
    return {"upload_url": url, "file_id": file_id}


@method("files.completeUploadExternal", Tier.FOUR, "files:write")
def complete(ask: Ask) -> Json:
    """Nothing happens before everything is found acceptable.

    https://docs.slack.dev/reference/methods/files.completeUploadExternal
    """
    titles = _titles(ask.need("files"))
    files = [ask.files.received(file_id) for file_id in titles]
    places = _places(ask)
    message, thread_ts = _message(ask, places), ask.text("thread_ts")
    for file in files:
        ask.files.complete(file, titles[file.id])
    for place in places:
        shared = message | {"files": ask.files.share(files, place)}
        ask.workspace.post(place.id, shared, thread_ts)
    return {"files": [ask.files.described(file) for file in files]}


def _titles(files: Any) -> dict[str, str]:
    """The title of each file, by its id."""
    if not isinstance(files, list) or not files:
        raise SlackError("invalid_arguments")
    if not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in files):
        raise SlackError("invalid_arguments")
    return {one["id"]: str(one.get("title") or "") for one in files}


def _places(ask: Ask) -> list[Channel]:
    """Where to share. The ability to post anywhere does not reach as far as files."""
    only, several = ask.text("channel_id"), ask.text("channels")
    if only and not CHANNEL_ID.match(only):
        raise ask.refused(f"input must match regex pattern: {CHANNEL_ID.pattern}", "/channel_id")
    names = [name.strip() for name in (only or several).split(",") if name.strip()]
    places = [ask.workspace.find_channel(name) for name in names]
    for place in places:
        ask.workspace.check_may_post(place, ask.scopes - {"chat:write.public"})
    return places


def _message(ask: Ask, places: list[Channel]) -> Json:
    thread_ts, comment = ask.text("thread_ts"), ask.text("initial_comment")
    if thread_ts and len(places) != 1:
        raise ask.refused("a thread is in one channel", "/thread_ts")
    if thread_ts and ask.workspace.message(places[0].id, thread_ts) is None:
        raise SlackError("thread_not_found")
    said = {"text": comment} if comment else {"blocks": ask.args.get("blocks")}
    return from_bot(ask.workspace, said, may_be_empty=True)


@method("files.info", Tier.FOUR, "files:read")
def info(ask: Ask) -> Json:
    file = _file(ask)
    onward = {"next_cursor": ""}
    return {"file": ask.files.described(file), "comments": [], "response_metadata": onward}


@method("files.delete", Tier.THREE, "files:write")
def delete(ask: Ask) -> Json:
    file = _file(ask)
    if file.user != BOT_USER:
        raise SlackError("cant_delete_file")
    ask.files.delete(file)
    return {}


def _file(ask: Ask) -> StoredFile:
    return ask.files.for_app(str(ask.need("file")))
