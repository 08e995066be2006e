"""What a person sees: channels, threads, their own ephemerals, views and home."""

import copy

from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Json, Workspace


class Reading:
    """Copies of what is shown, so that a reader holds on to a moment."""

    workspace: Workspace
    modals: Views

    def messages(self, channel: str, user: str | None = None) -> list[Json]:
        """A channel without its threads opened, with what only ``user`` sees in it."""
        self._check(channel, user)
        whispers = [one for one in self.ephemerals(user or "", channel) if "thread_ts" not in one]
        shown = [*copy.deepcopy(self.workspace.top_level(channel)), *whispers]
        return sorted(shown, key=lambda one: float(one["ts"]))

    def thread(self, channel: str, ts: str, user: str | None = None) -> list[Json]:
        """A message and its replies, with what only ``user`` sees in the thread."""
        self._check(channel, user)
        whispers = [
            one for one in self.ephemerals(user or "", channel) if one.get("thread_ts") == ts
        ]
        shown = [*copy.deepcopy(self.workspace.thread(channel, ts)), *whispers]
        return sorted(shown, key=lambda one: float(one["ts"]))

    def ephemerals(self, user: str, channel: str | None = None) -> list[Json]:
        """What only this person sees, with the channel it is shown in."""
        return [
            {**copy.deepcopy(one.message), "channel": one.channel}
            for one in self.workspace.whispered(user, channel)
        ]

    def views(self, user: str) -> list[Json]:
        """The stack of modals, the one on top last, each with the errors it shows."""
        return [
            {**copy.deepcopy(view), "errors": dict(self.modals.errors.get(view["id"], {}))}
            for view in self.modals.stacks.get(user, [])
        ]

    def home(self, user: str) -> Json | None:
        return copy.deepcopy(self.modals.homes.get(user))

    def _check(self, channel: str, user: str | None) -> None:
        place = self.workspace.channels.get(channel)
        if place is None:
            raise ValueError(f"there is no channel {channel}")
        if user and place.kind != "channels" and user not in place.members:
            raise ValueError(f"{user} does not see {channel}")
