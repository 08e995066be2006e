"""What the browser page asks for: the workspace once, and what changed for one person since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.slack.payloads import without_metadata
from bot.sandbox.slack.reading import shown_in_channel, shown_in_thread
from bot.sandbox.slack.timeline import is_top_level
from bot.sandbox.slack.unread import MOST_COUNTED, calls_for, unread
from bot.sandbox.slack.workspace import BOT_USER, TEAM, TEAM_NAME, Channel, Json, Workspace

if TYPE_CHECKING:
    from bot.sandbox.slack.server import SlackSandbox

MOST_SHOWN = 600  # messages of a channel or a thread, the newest


def described(sandbox: "SlackSandbox") -> Json:
    """Who and what there is, which a page reads once."""
    workspace = sandbox.workspace
    named = [one for one in workspace.channels.values() if not one.person]
    return {
        "team": {"id": TEAM, "name": TEAM_NAME},
        "people": [_person(workspace, one) for one in workspace.users.values()],
        "groups": [
            {key: group[key] for key in ("id", "handle", "name", "users")}
            for group in workspace.groups.values()
        ],
        "channels": [{"id": one.id, "name": one.name} for one in named],
        "app": sandbox.manifest.described(),
        "links": [{"name": name, "url": url} for name, url in sandbox.links],
    }


def _person(workspace: Workspace, user: Json) -> Json:
    dm = workspace.dm(user["id"])
    return {
        "id": user["id"],
        "handle": user["name"],
        "name": user["real_name"],
        "kind": _kind(user),
        "dm": dm.id if dm else None,
    }


def _kind(user: Json) -> str:
    if user["is_bot"]:
        return "bot"
    if user["team_id"] != TEAM:
        return "outsider"
    if user["is_ultra_restricted"]:
        return "single-channel guest"
    return "guest" if user["is_restricted"] else "member"


def seen_since(sandbox: "SlackSandbox", query: Mapping[str, str]) -> Json:
    """What ``user`` sees now; of messages, those that changed after ``since`` changes.

    ``channel``, and within it ``thread``, say which of them the person has open.
    """
    user, where, ts = (query.get(name, "") for name in ("user", "channel", "thread"))
    if user not in sandbox.workspace.users:
        raise ValueError(f"nobody is called {user}")
    page = Page(sandbox, user, _since(sandbox, query.get("since") or "0"))
    return {
        "changes": sandbox.changes.count,
        "channels": page.channels(),
        "channel": page.channel(where) if where else None,
        "thread": page.thread(where, ts) if ts else None,
        "views": sandbox.views(user),
        "home": sandbox.home(user),
    }


def _since(sandbox: "SlackSandbox", since: str) -> int:
    if not since.isdecimal():
        raise ValueError(f"since is a count of changes, not {since}")
    # A page that outlived the sandbox it knew has counted further: it needs everything.
    return int(since) if int(since) <= sandbox.changes.count else 0


@dataclass(frozen=True)
class Page:
    """One person's view of the workspace."""

    sandbox: "SlackSandbox"
    user: str
    since: int

    def channels(self) -> list[Json]:
        everywhere = self.sandbox.workspace.channels.values()
        return [self._listed(one) for one in everywhere if self.user in one.members]

    def _listed(self, channel: Channel) -> Json:
        workspace = self.sandbox.workspace
        new = unread(workspace, self.user, channel)
        mentioned = any(channel.person or calls_for(workspace, self.user, one) for one in new)
        return {
            "id": channel.id,
            "name": self.sandbox.manifest.name if channel.person else channel.name,
            "kind": channel.kind,
            "is_archived": channel.is_archived,
            "is_member": self.user in channel.members,
            "has_app": BOT_USER in channel.members,
            "unread": sum(map(is_top_level, new)),
            "more_unread": len(new) >= MOST_COUNTED,
            "mentioned": mentioned,
        }

    def channel(self, channel: str) -> Json:
        place = self.sandbox.readable(channel, self.user)
        workspace = self.sandbox.workspace
        shown = shown_in_channel(workspace, place.id, self.user, MOST_SHOWN)
        older = max(0, len(workspace.in_channel(place.id).top) - len(shown))
        return {"id": place.id, "older": older, **self._news(shown)}

    def thread(self, channel: str, ts: str) -> Json:
        place = self.sandbox.readable(channel, self.user)
        workspace = self.sandbox.workspace
        if workspace.message(place.id, ts) is None:
            raise ValueError(f"there is no thread {ts} in {channel}")
        shown = shown_in_thread(workspace, place.id, ts, self.user, MOST_SHOWN)
        older = max(0, len(workspace.in_channel(place.id).replies(ts)) - MOST_SHOWN)
        return {"ts": ts, "older": older, **self._news(shown)}

    def _news(self, shown: list[Json]) -> Json:
        touched = self.sandbox.workspace.touched
        return {
            "order": [one["ts"] for one in shown],
            "messages": [without_metadata(one) for one in shown if touched(one) > self.since],
        }
