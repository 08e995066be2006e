"""A workspace as Slack keeps it: people, channels, groups and messages.

It knows who can see what and which error Slack gives. It knows nothing of HTTP, of the shape
of a call, or of who is listening.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.changes import Changes
from bot.sandbox.slack.mentions import called
from bot.sandbox.slack.permits import Permits, SlackError
from bot.sandbox.slack.timeline import Shelf, Timeline

Json = dict[str, Any]

TEAM = "T0DEMO"
TEAM_NAME = "Demo"
TEAM_DOMAIN = "demo"
BOT_USER = "U0BOT"
BOT = "B0BOT"
APP = "A0BOT"

TEXT_LIMIT = 40_000


@dataclass
class Channel:
    id: str
    name: str
    members: list[str]
    is_private: bool = False
    is_archived: bool = False
    posting_restricted: bool = False
    person: str = ""

    @property
    def kind(self) -> str:
        """The word Slack's scopes use: ``im``, ``groups`` or ``channels``."""
        if self.person:
            return "im"
        return "groups" if self.is_private else "channels"

    def described(self) -> Json:
        if self.person:
            return {"id": self.id, "is_im": True, "user": self.person, "is_archived": False}
        return {
            "id": self.id,
            "name": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_im": False,
            "is_private": self.is_private,
            "is_archived": self.is_archived,
            "is_member": BOT_USER in self.members,
            "num_members": len(self.members),
        }


@dataclass
class Ephemeral:
    """A message only one person sees, and no method reads back."""

    user: str
    channel: str
    message: Json


@dataclass
class Workspace:
    """Everything there is. ``read`` is the last ts each person has read of each channel."""

    clock: Callable[[], float]
    changes: Changes = field(default_factory=Changes)
    users: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: dict[str, Timeline] = field(default_factory=dict)
    ephemerals: list[Ephemeral] = field(default_factory=list)
    read: dict[tuple[str, str], str] = field(default_factory=dict)
    permits: Permits = field(init=False)
    _touched: dict[str, int] = field(default_factory=dict)
    _called: dict[str, frozenset[str]] = field(default_factory=dict)
    _channel_of: dict[str, str] = field(default_factory=dict)
    _last_ts: int = 0
    _last_id: int = 0

    def __post_init__(self) -> None:
        self.permits = Permits(self.clock)

    def ts(self) -> str:
        """The next timestamp: the clock's second, and always later than the one before."""
        self._last_ts = max(int(self.clock()) * 10_000, self._last_ts) + 1
        seconds, fraction = divmod(self._last_ts, 10_000)
        return f"{seconds}.{fraction * 100:06d}"

    def new_id(self, prefix: str) -> str:
        self._last_id += 1
        return f"{prefix}{self._last_id:04d}{secrets.token_hex(3).upper()}"

    # Who may speak and read where.

    def find_channel(self, name: str) -> Channel:
        """The channel of this id, ``#name`` or person, as far as the app can see it."""
        channel = self.channels.get(name) or self.dm(name) or self._named(name.removeprefix("#"))
        hidden = channel and channel.is_private and BOT_USER not in channel.members
        if channel is None or hidden:
            raise SlackError("channel_not_found")
        return channel

    def _named(self, name: str) -> Channel | None:
        return next((one for one in self.channels.values() if one.name == name != ""), None)

    def dm(self, user: str) -> Channel | None:
        return next((one for one in self.channels.values() if one.person == user != ""), None)

    def check_may_post(self, channel: Channel, scopes: frozenset[str]) -> None:
        if channel.is_archived:
            raise SlackError("is_archived")
        if channel.person or BOT_USER in channel.members:
            return
        if channel.posting_restricted:
            raise SlackError("restricted_action")
        if "chat:write.public" not in scopes:
            raise SlackError("not_in_channel")

    # Messages.

    def post(self, channel: str, message: Json, thread_ts: str = "") -> Json:
        """Add a message, at the end of a thread when there is one."""
        root = self.message(channel, thread_ts) if thread_ts else None
        if thread_ts and root is None:
            raise SlackError("thread_not_found")
        stored = {"type": "message", "team": TEAM, **message, "ts": self.ts()}
        if root is not None:
            root = self.message(channel, root.get("thread_ts", thread_ts)) or root
            stored["thread_ts"] = root["ts"]
        self.messages.setdefault(channel, Timeline()).put(stored)
        self._channel_of[stored["ts"]] = channel
        if root is not None:
            self._count_reply(root, stored)
        self.touch(stored)
        return stored

    def touch(self, *messages: Json) -> None:
        """Note that these look different now; every visible change of a message ends here."""
        self.changes.happened()
        for message in messages:
            self._touched[message["ts"]] = self.changes.count
            self._called[message["ts"]] = called(message)
            self.in_channel(self._channel_of.get(message["ts"], "")).changed(message["ts"])

    def touched(self, message: Json) -> int:
        """The count of changes at which the message last came to look different."""
        return self._touched[message["ts"]]

    def called(self, message: Json) -> frozenset[str]:
        """Whom the message calls, as ``mentions`` tells it."""
        return self._called[message["ts"]]

    def _count_reply(self, root: Json, reply: Json) -> None:
        authors = root.get("reply_users", [])
        authors = authors if reply["user"] in authors else [*authors, reply["user"]]
        self._say_replies(root, root.get("reply_count", 0) + 1, authors, reply["ts"])

    def _recount_replies(self, channel: str, root: Json) -> None:
        replies = self.in_channel(channel).replies(root["ts"]).newest()
        authors = list(dict.fromkeys(reply["user"] for reply in replies))
        self._say_replies(root, len(replies), authors, [root, *replies][-1]["ts"])

    def _say_replies(self, root: Json, count: int, authors: list[str], latest: str) -> None:
        root.update(
            thread_ts=root["ts"],
            reply_count=count,
            reply_users=authors,
            reply_users_count=len(authors),
            latest_reply=latest,
        )
        self.touch(root)

    def in_channel(self, channel: str) -> Timeline:
        """The channel's messages; for a channel without any, an empty timeline."""
        return self.messages.get(channel) or Timeline()

    def message(self, channel: str, ts: str) -> Json | None:
        return self.in_channel(channel).by_ts.get(ts)

    def copies(self, channel: str) -> Shelf:
        """The channel's messages as they look now, for whoever is to hold on to a moment."""
        return self.in_channel(channel).copies()

    def change(self, message: Json, new: Json) -> None:
        message.update(new, edited={"user": message["user"], "ts": self.ts()})
        self.touch(message)

    def react(self, message: Json, name: str, user: str) -> None:
        reactions = message.setdefault("reactions", [])
        reaction = next((one for one in reactions if one["name"] == name), None)
        if reaction is None:
            reaction = {"name": name, "users": [], "count": 0}
            reactions.append(reaction)
        if user in reaction["users"]:
            raise SlackError("already_reacted")
        reaction["users"].append(user)
        reaction["count"] += 1
        self.touch(message)

    def drop_file(self, file_id: str) -> None:
        """Leave of a file, wherever it was shown, only that there was one."""
        for message in [one for channel in self.messages.values() for one in channel]:
            files = message.get("files", [])
            if any(file["id"] == file_id for file in files):
                gone = {"id": file_id, "mode": "tombstone"}
                message["files"] = [gone if one["id"] == file_id else one for one in files]
                self.touch(message)

    def delete(self, channel: str, message: Json) -> None:
        self.messages[channel].drop(message)
        root = self.message(channel, message.get("thread_ts", ""))
        if root is not None:
            self._recount_replies(channel, root)
        self.touch()

    def whisper(self, user: str, channel: str, message: Json, thread_ts: str = "") -> Json:
        """Show a message to one person only."""
        stored = {"type": "message", "team": TEAM, **message, "ts": self.ts(), "is_ephemeral": True}
        if thread_ts:
            stored["thread_ts"] = thread_ts
        self.ephemerals.append(Ephemeral(user, channel, stored))
        self.touch(stored)
        return stored

    def unwhisper(self, ephemeral: Ephemeral) -> None:
        self.ephemerals.remove(ephemeral)
        self.touch()

    def whispered(self, user: str, channel: str | None = None) -> Iterator[Ephemeral]:
        for one in self.ephemerals:
            if one.user == user and channel in (None, one.channel):
                yield one

    def find_ephemeral(self, user: str, channel: str, ts: str) -> Ephemeral | None:
        mine = self.whispered(user, channel)
        return next((one for one in mine if one.message["ts"] == ts), None)
