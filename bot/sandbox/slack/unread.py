"""The messages of a channel that a person has not read, and whether they mention the person."""

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile

from bot.sandbox.slack.mentions import EVERYBODY
from bot.sandbox.slack.workspace import Channel, Json, Workspace

MOST_COUNTED = 999


def unread(workspace: Workspace, user: str, channel: Channel) -> list[Json]:
    """Return what others wrote since this person last read the channel, threads included.

    At most the newest ``MOST_COUNTED``.
    """
    last_read = float(workspace.read.get((user, channel.id), 0))

    def newer(messages: Iterable[Json]) -> Iterator[Json]:
        new = takewhile(lambda message: float(message["ts"]) > last_read, messages)
        return islice((message for message in new if message["user"] != user), MOST_COUNTED)

    posted = newer(reversed(workspace.in_channel(channel.id).all))
    ephemerals = [ephemeral.message for ephemeral in workspace.ephemerals_of(user, channel.id)]
    return [*posted, *newer(reversed(ephemerals))][:MOST_COUNTED]


def mentions_person(workspace: Workspace, user: str, message: Json) -> bool:
    """Whether the message mentions this person, a group they are in, or everybody."""
    groups = [id_ for id_, group in workspace.groups.items() if user in group["users"]]
    return not workspace.mentions(message).isdisjoint((user, EVERYBODY, *groups))


def mark_read(workspace: Workspace, user: str, channel: Channel) -> bool:
    """Mark a channel as read up to its newest message; returns whether anything was unread."""
    new = unread(workspace, user, channel)
    if new:
        newest = max((message["ts"] for message in new), key=float)
        workspace.read[user, channel.id] = newest
        workspace.changes.happened()
    return bool(new)
