"""What a person sees: channels, threads, their own ephemerals, views and home."""

import copy

from bot.sandbox.slack.timeline import is_top_level
from bot.sandbox.slack.unread import mark_read
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import TEAM, Channel, Json, Workspace


class Reading:
    """Copies of what is shown, so that a reader holds on to a moment.

    All readers of a moment share its copies: they are there to be looked at.
    """

    workspace: Workspace
    modals: Views

    def messages(self, channel: str, user: str | None = None) -> list[Json]:
        """A channel without its threads opened, with what only ``user`` sees in it."""
        place = self.readable(channel, user)
        return shown_in_channel(self.workspace, place.id, user or "")

    def thread(self, channel: str, ts: str, user: str | None = None) -> list[Json]:
        """A message and its replies, with what only ``user`` sees in the thread."""
        place = self.readable(channel, user)
        return shown_in_thread(self.workspace, place.id, ts, user or "")

    def ephemerals(self, user: str, channel: str | None = None) -> list[Json]:
        """What only this person sees, with the channel it is shown in."""
        return [
            {**copy.deepcopy(one.message), "channel": one.channel}
            for one in self.workspace.whispered(user, channel)
        ]

    async def mark(self, user: str, channel: str) -> bool:
        """Read a channel up to its newest message; whether there was anything new in it."""
        return mark_read(self.workspace, user, self.readable(channel, user))

    def views(self, user: str) -> list[Json]:
        """The stack of modals, the one on top last, each with the errors it shows."""
        return [
            {**copy.deepcopy(view), "errors": dict(self.modals.errors.get(view["id"], {}))}
            for view in self.modals.stacks.get(user, [])
        ]

    def home(self, user: str) -> Json | None:
        return copy.deepcopy(self.modals.homes.get(user))

    def readable(self, channel: str, user: str | None) -> Channel:
        """The channel, which this person may look into."""
        place = self.workspace.channels.get(channel)
        if place is None:
            raise ValueError(f"there is no channel {channel}")
        if user and user not in self.workspace.users:
            raise ValueError(f"nobody is called {user}")
        if user and not (user in place.members or self._may_look_round(user, place)):
            raise ValueError(f"{user} does not see {channel}")
        return place

    def _may_look_round(self, user: str, place: Channel) -> bool:
        """Public channels are open to the workspace's own full members."""
        person = self.workspace.users[user]
        own = person["team_id"] == TEAM and not person["is_restricted"]
        return own and place.kind == "channels"


def shown_in_channel(
    workspace: Workspace, channel: str, user: str, most: int | None = None
) -> list[Json]:
    """What everybody and what only ``user`` sees there, oldest first; the newest few where asked.

    The messages are copies that all readers share.
    """
    whispers = [copy.deepcopy(one.message) for one in workspace.whispered(user, channel)]
    posted = workspace.copies(channel).top.newest(most)
    shown = _by_time(posted, [one for one in whispers if is_top_level(one)])
    return shown[-most:] if most else shown


def shown_in_thread(
    workspace: Workspace, channel: str, ts: str, user: str, most: int | None = None
) -> list[Json]:
    """A message and its replies, or the newest of them, with what only ``user`` sees among them."""
    whispers = [copy.deepcopy(one.message) for one in workspace.whispered(user, channel)]
    mine = [message for message in whispers if message.get("thread_ts") == ts]
    return _by_time(workspace.copies(channel).thread(ts, most), mine)


def _by_time(posted: list[Json], whispers: list[Json]) -> list[Json]:
    if not whispers:
        return posted
    return sorted([*posted, *whispers], key=lambda one: float(one["ts"]))
