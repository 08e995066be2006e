"""What a person has not read in a channel yet, and whether it calls for them."""

from collections.abc import Iterable, Iterator
from itertools import takewhile

from bot.sandbox.slack.mentions import EVERYBODY
from bot.sandbox.slack.workspace import Channel, Json, Workspace


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
    return not workspace.called(message).isdisjoint((user, EVERYBODY, *groups))


def mark_read(workspace: Workspace, user: str, channel: Channel) -> bool:
    """Read a channel up to its newest message; whether there was anything new in it."""
    new = unread(workspace, user, channel)
    if new:
        newest = max((message["ts"] for message in new), key=float)
        workspace.read[user, channel.id] = newest
        workspace.changes.happened()
    return bool(new)
