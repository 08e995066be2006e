"""What a person has not read in a channel yet, and whether it calls for them."""

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile

from bot.sandbox.slack.mentions import EVERYBODY
from bot.sandbox.slack.workspace import Channel, Json, Workspace

MOST_COUNTED = 999


def unread(workspace: Workspace, user: str, channel: Channel) -> list[Json]:
    """What others wrote there since this person last read it, replies in threads included.

    Of a great many, the newest.
    """
    read = float(workspace.read.get((user, channel.id), 0))

    def newer(messages: Iterable[Json]) -> Iterator[Json]:
        new = takewhile(lambda one: float(one["ts"]) > read, messages)
        return islice((one for one in new if one["user"] != user), MOST_COUNTED)

    posted = newer(reversed(workspace.in_channel(channel.id).all))
    whispered = [one.message for one in workspace.whispered(user, channel.id)]
    return [*posted, *newer(reversed(whispered))][:MOST_COUNTED]


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
