"""What a person has not read in a channel yet, and whether it calls for them."""

import json
from collections.abc import Iterable, Iterator
from itertools import takewhile

from bot.sandbox.slack.workspace import Channel, Json, Workspace

TO_ALL = ("<!here", "<!channel", "<!everyone")


def unread(workspace: Workspace, user: str, channel: Channel) -> list[Json]:
    """What others wrote there since this person last read it, replies in threads included."""
    read = float(workspace.read.get((user, channel.id), 0))

    def newer(messages: Iterable[Json]) -> Iterator[Json]:
        return takewhile(lambda one: float(one["ts"]) > read, messages)

    posted = newer(reversed(workspace.messages.get(channel.id, [])))
    whispered = [one.message for one in workspace.whispered(user, channel.id)]
    both = [*posted, *newer(reversed(whispered))]
    return [message for message in both if message["user"] != user]


def calls_for(workspace: Workspace, user: str, message: Json) -> bool:
    """Whether the message mentions this person, a group they are in, or everybody."""
    groups = [id_ for id_, group in workspace.groups.items() if user in group["users"]]
    marks = (f"<@{user}", *(f"<!subteam^{id_}" for id_ in groups), *TO_ALL)
    # A message's blocks may mention whom its text, their stand-in in notifications, does not.
    said = json.dumps([message["text"], message.get("blocks", [])])
    return any(f"{mark}{end}" in said for mark in marks for end in ">|")


def mark_read(workspace: Workspace, user: str, channel: Channel) -> bool:
    """Read a channel up to its newest message; whether there was anything new in it."""
    new = unread(workspace, user, channel)
    if new:
        newest = max((message["ts"] for message in new), key=float)
        workspace.read[user, channel.id] = newest
        workspace.changes.happened()
    return bool(new)
