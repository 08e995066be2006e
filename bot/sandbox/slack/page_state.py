"""The data behind the browser page: the workspace once, then one person's changes.

It reads the workspace through ``PersonQueries`` and knows nothing of HTTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.sandbox.slack.manifest import Manifest
from bot.sandbox.slack.payloads import without_metadata
from bot.sandbox.slack.person_queries import PersonQueries, channel_messages, thread_messages
from bot.sandbox.slack.timeline import is_top_level
from bot.sandbox.slack.unread import MOST_COUNTED, mentions_person, unread
from bot.sandbox.slack.workspace import BOT_USER, TEAM, TEAM_NAME, Channel, Json, Workspace

MOST_SHOWN = 600  # messages of a channel or a thread, the newest


@dataclass
class PageState:
    """What the page shows. ``links`` are names and addresses beside the channels."""

    queries: PersonQueries
    manifest: Manifest
    links: list[tuple[str, str]] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        return self.queries.workspace

    def describe(self) -> Json:
        """Return the people, groups, channels and app, which a page reads once."""
        channels = [channel for channel in self.workspace.channels.values() if not channel.person]
        return {
            "team": {"id": TEAM, "name": TEAM_NAME},
            "people": [
                self._person(user)
                for id_, user in self.workspace.users.items()
                if id_ not in self.workspace.second_ids
            ],
            "groups": [
                {key: group[key] for key in ("id", "handle", "name", "users")}
                for group in self.workspace.groups.values()
            ],
            "channels": [{"id": channel.id, "name": channel.name} for channel in channels],
            "app": self.manifest.described(),
            "links": [{"name": name, "url": url} for name, url in self.links],
        }

    def _person(self, user: Json) -> Json:
        dm = self.workspace.dm(user["id"])
        if user["is_bot"]:
            kind = "bot"
        elif not self.workspace.is_colleague(user["id"]):
            kind = "outsider"
        elif user["is_ultra_restricted"]:
            kind = "single-channel guest"
        else:
            kind = "guest" if user["is_restricted"] else "member"
        return {
            "id": user["id"],
            "handle": user["name"],
            "name": user["real_name"],
            "kind": kind,
            "dm": dm.id if dm else None,
        }

    def changes(self, query: Mapping[str, str]) -> Json:
        """Return what ``user`` sees now; of messages, those changed after ``since`` changes.

        The query's ``channel``, and within it ``thread``, name what the person has open.
        """
        user, channel, ts = (query.get(name, "") for name in ("user", "channel", "thread"))
        since = query.get("since") or "0"
        if user not in self.workspace.users:
            raise ValueError(f"nobody is called {user}")
        if not since.isdecimal():
            raise ValueError(f"since is a count of changes, not {since}")
        count = self.workspace.changes.count
        # A page that outlived the sandbox it knew has counted further: it needs everything.
        baseline = int(since) if int(since) <= count else 0
        channels = self.workspace.channels.values()
        return {
            "changes": count,
            "channels": [self._listing(user, item) for item in channels if user in item.members],
            "channel": self._channel(user, channel, baseline) if channel else None,
            "thread": self._thread(user, channel, ts, baseline) if ts else None,
            "views": self.queries.views(user),
            "home": self.queries.home(user),
        }

    def _listing(self, user: str, channel: Channel) -> Json:
        """Return a channel's line in the list of channels."""
        new = unread(self.workspace, user, channel)
        return {
            "id": channel.id,
            "name": self.manifest.name if channel.person else channel.name,
            "kind": channel.kind,
            "is_archived": channel.is_archived,
            "is_member": user in channel.members,
            "has_app": BOT_USER in channel.members,
            "unread": sum(map(is_top_level, new)),
            "more_unread": len(new) >= MOST_COUNTED,
            "mentioned": any(
                channel.person or mentions_person(self.workspace, user, message) for message in new
            ),
        }

    def _channel(self, user: str, channel_id: str, since: int) -> Json:
        channel = self.queries.readable(channel_id, user)
        messages = channel_messages(self.workspace, channel.id, user, MOST_SHOWN)
        older = max(0, len(self.workspace.in_channel(channel.id).top) - len(messages))
        return {"id": channel.id, "older": older, **self._changed(messages, since)}

    def _thread(self, user: str, channel_id: str, ts: str, since: int) -> Json:
        channel = self.queries.readable(channel_id, user)
        if self.workspace.message(channel.id, ts) is None:
            raise ValueError(f"there is no thread {ts} in {channel_id}")
        messages = thread_messages(self.workspace, channel.id, ts, user, MOST_SHOWN)
        older = max(0, len(self.workspace.in_channel(channel.id).replies(ts)) - MOST_SHOWN)
        return {"ts": ts, "older": older, **self._changed(messages, since)}

    def _changed(self, messages: list[Json], since: int) -> Json:
        """Return the order of all messages, and those that changed after ``since`` changes."""
        touched = self.workspace.touched
        return {
            "order": [message["ts"] for message in messages],
            "messages": [
                without_metadata(message) for message in messages if touched(message) > since
            ],
        }
