"""What a person sees in Slack: channels, threads, ephemeral messages, views and the home tab."""

import copy

from bot.sandbox.slack.timeline import is_top_level
from bot.sandbox.slack.unread import mark_read
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Channel, Json, Workspace


class PersonQueries:
    """Reads of the workspace through a person's eyes.

    Everything returned is a copy that later changes leave alone. Readers of the same moment
    share the copies of messages, so nobody may change them.
    """

    workspace: Workspace
    modals: Views

    def messages(self, channel: str, user: str | None = None) -> list[Json]:
        """Return a channel's top-level messages, with the ephemeral ones of ``user``."""
        return channel_messages(self.workspace, self.readable(channel, user).id, user or "")

    def thread(self, channel: str, ts: str, user: str | None = None) -> list[Json]:
        """Return a message and its replies, with the ephemeral ones of ``user``."""
        return thread_messages(self.workspace, self.readable(channel, user).id, ts, user or "")

    def ephemerals(self, user: str, channel: str | None = None) -> list[Json]:
        """Return what only this person sees, each with the channel it is shown in."""
        return [
            {**copy.deepcopy(ephemeral.message), "channel": ephemeral.channel}
            for ephemeral in self.workspace.ephemerals_of(user, channel)
        ]

    async def mark(self, user: str, channel: str) -> bool:
        """Mark a channel as read; returns whether anything in it was unread."""
        return mark_read(self.workspace, user, self.readable(channel, user))

    def views(self, user: str) -> list[Json]:
        """Return the person's stack of modals, the top one last, each with its ``errors``."""
        return [
            {**copy.deepcopy(view), "errors": dict(self.modals.errors.get(view["id"], {}))}
            for view in self.modals.stacks.get(user, [])
        ]

    def home(self, user: str) -> Json | None:
        """Return the person's home tab, if the app has published one."""
        return copy.deepcopy(self.modals.homes.get(user))

    def readable(self, channel: str, user: str | None) -> Channel:
        """Return the channel, or raise ``ValueError`` if this person may not read it.

        Public channels are open to the full members of the workspace and of its enterprise.
        """
        target = self.workspace.channels.get(channel)
        if target is None:
            raise ValueError(f"there is no channel {channel}")
        if user and user not in self.workspace.users:
            raise ValueError(f"nobody is called {user}")
        if user and user not in target.members:
            person = self.workspace.users[user]
            full_member = self.workspace.is_colleague(user) and not person["is_restricted"]
            if not full_member or target.kind != "channels":
                raise ValueError(f"{user} does not see {channel}")
        return target


def channel_messages(
    workspace: Workspace, channel: str, user: str, most: int | None = None
) -> list[Json]:
    """Return the newest ``most`` messages of a channel's top level, or all, oldest first.

    Those that only ``user`` sees are among them. The messages are copies all readers share.
    """
    ephemerals = [copy.deepcopy(item.message) for item in workspace.ephemerals_of(user, channel)]
    posted = workspace.copies(channel).top.newest(most)
    messages = _by_time(posted, [message for message in ephemerals if is_top_level(message)])
    return messages[-most:] if most else messages


def thread_messages(
    workspace: Workspace, channel: str, ts: str, user: str, most: int | None = None
) -> list[Json]:
    """Return a message and its newest ``most`` replies, or all, oldest first.

    Those that only ``user`` sees are among them. The messages are copies all readers share.
    """
    ephemerals = [copy.deepcopy(item.message) for item in workspace.ephemerals_of(user, channel)]
    replies = [message for message in ephemerals if message.get("thread_ts") == ts]
    return _by_time(workspace.copies(channel).thread(ts, most), replies)


def _by_time(posted: list[Json], ephemerals: list[Json]) -> list[Json]:
    if not ephemerals:
        return posted
    return sorted([*posted, *ephemerals], key=lambda message: float(message["ts"]))
