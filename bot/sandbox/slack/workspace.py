"""The state of a Slack workspace: people, channels, groups and messages.

It knows who can see what and which error Slack gives. It knows nothing of HTTP, of the shape
of a call, or of who is listening.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.changes import Changes
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.mentions import find_mentions
from bot.sandbox.slack.permits import Permits
from bot.sandbox.slack.timeline import MessageIndex, Timeline

Json = dict[str, Any]

TEAM = "T0DEMO"
TEAM_NAME = "Demo"
TEAM_DOMAIN = "demo"
BOT_USER = "U0BOT"
BOT = "B0BOT"
APP = "A0BOT"

ENTERPRISE = "E0DEMO"
ENTERPRISE_NAME = "Demo Group"

TEXT_LIMIT = 40_000


def enterprise_user(user: str, enterprise: str, *teams: str) -> Json:
    """Return what a profile says of a person of an enterprise, who is in these workspaces.

    https://docs.slack.dev/reference/objects/user-object
    """
    return {
        "id": user,
        "enterprise_id": enterprise,
        "enterprise_name": ENTERPRISE_NAME if enterprise == ENTERPRISE else "",
        "teams": list(teams),
        "is_admin": False,
        "is_owner": False,
    }


@dataclass
class Channel:
    """A channel, or with ``person`` set, the direct messages of that person and the app.

    Another organisation shares an ``is_ext_shared`` one, or is invited to a pending one; an
    ``is_org_shared`` one has other workspaces of the same organisation in it.
    """

    id: str
    name: str
    members: list[str]
    is_private: bool = False
    is_archived: bool = False
    posting_restricted: bool = False
    person: str = ""
    is_ext_shared: bool = False
    is_pending_ext_shared: bool = False
    is_org_shared: bool = False

    @property
    def kind(self) -> str:
        """The word Slack's scopes use: ``im``, ``groups`` or ``channels``."""
        if self.person:
            return "im"
        return "groups" if self.is_private else "channels"

    def described(self) -> Json:
        """Return Slack's conversation object."""
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
            "is_ext_shared": self.is_ext_shared,
            "is_pending_ext_shared": self.is_pending_ext_shared,
            "is_org_shared": self.is_org_shared,
            "is_shared": self.is_ext_shared or self.is_org_shared,
            "is_member": BOT_USER in self.members,
            "num_members": len(self.members),
        }


@dataclass
class Ephemeral:
    """A message that only one person sees, and that no method reads back."""

    user: str
    channel: str
    message: Json


@dataclass
class Workspace:
    """All people, groups, channels and messages, by id.

    ``clock`` is in Unix seconds. ``second_ids`` lead from a person's other id to their own.
    ``enterprise`` is the id of the Enterprise Grid that the workspace belongs to, "" for none; the
    app of an ``is_org_wide`` one is installed for all workspaces of it but ``teams_without_app``.
    ``groups_elsewhere`` are groups of other workspaces, by workspace, that share an id with ours.
    ``read`` is the last ts that each person has read of each channel, by person and channel.
    ``token_refusal`` is the code with which the bot's token is refused, ``blocks_refusal`` what
    every message with blocks is refused with, ``warnings`` are those in the answers, by method.
    ``unknown_arguments`` are what the app sent in vain: Slack documents none of them.
    """

    clock: Callable[[], float]
    changes: Changes = field(default_factory=Changes)
    users: dict[str, Json] = field(default_factory=dict)
    second_ids: dict[str, str] = field(default_factory=dict)
    enterprise: str = ""
    is_org_wide: bool = False
    teams_without_app: set[str] = field(default_factory=set)
    groups_elsewhere: dict[str, dict[str, Json]] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: dict[str, Timeline] = field(default_factory=dict)
    ephemerals: list[Ephemeral] = field(default_factory=list)
    read: dict[tuple[str, str], str] = field(default_factory=dict)
    token_refusal: str = ""
    blocks_refusal: SlackError | None = None
    warnings: dict[str, str] = field(default_factory=dict)
    unknown_arguments: list[str] = field(default_factory=list)
    permits: Permits = field(init=False)
    _touched: dict[str, int] = field(default_factory=dict)
    _mentions: dict[str, frozenset[str]] = field(default_factory=dict)
    _channel_of: dict[str, str] = field(default_factory=dict)
    _last_ts: int = 0
    _last_id: int = 0

    def __post_init__(self) -> None:
        self.permits = Permits(self.clock)

    def join_enterprise(self, *, org_wide: bool = False) -> None:
        """Make the workspace, with the people of its own, a part of an Enterprise Grid.

        https://docs.slack.dev/enterprise/developing-for-enterprise-organizations
        """
        self.enterprise, self.is_org_wide = ENTERPRISE, org_wide
        for user, person in self.users.items():
            if person["team_id"] == TEAM and not person["is_bot"]:
                person["enterprise_user"] = enterprise_user(user, ENTERPRISE, TEAM)

    def give_enterprise_id(self, user: str, enterprise_id: str) -> None:
        """Have a person go by a second id as well, which is that of their organisation."""
        person = self.users[user]
        person["enterprise_user"] = enterprise_user(enterprise_id, ENTERPRISE, TEAM)
        self.users[enterprise_id] = person
        self.second_ids[enterprise_id] = user
        for channel in self.channels.values():
            if user in channel.members:
                channel.members.append(enterprise_id)

    def is_colleague(self, user: str) -> bool:
        """Whether a person is of this workspace, or of another one of its enterprise."""
        person = self.users[user]
        enterprise = (person.get("enterprise_user") or {}).get("enterprise_id")
        is_ours = enterprise == self.enterprise if self.enterprise and enterprise else False
        return is_ours or person.get("team_id", TEAM) == TEAM

    def groups_of(self, team: str) -> dict[str, Json]:
        """Return the user groups of a workspace of the enterprise, by id."""
        groups = {
            id_: each for id_, each in self.groups.items() if each.get("team_id", TEAM) == team
        }
        return groups | self.groups_elsewhere.get(team, {})

    def local_id(self, user: str) -> str:
        """Return a person's id in this workspace, whichever of theirs is given."""
        return self.second_ids.get(user, user)

    def ts(self) -> str:
        """Return the next timestamp: the clock's second, always later than the one before."""
        self._last_ts = max(int(self.clock()) * 10_000, self._last_ts) + 1
        seconds, fraction = divmod(self._last_ts, 10_000)
        return f"{seconds}.{fraction * 100:06d}"

    def new_id(self, prefix: str) -> str:
        self._last_id += 1
        return f"{prefix}{self._last_id:04d}{secrets.token_hex(3).upper()}"

    # Channels, and who may post in them.

    def find_channel(self, name: str) -> Channel:
        """Return the channel of this id, ``#name`` or person, if the app can see it."""
        label = name.removeprefix("#")
        by_name = (channel for channel in self.channels.values() if channel.name == label != "")
        channel = self.channels.get(name) or self.dm(name) or next(by_name, None)
        hidden = channel and channel.is_private and BOT_USER not in channel.members
        if channel is None or hidden:
            raise SlackError("channel_not_found")
        return channel

    def dm(self, user: str) -> Channel | None:
        """Return the direct messages of a person and the app."""
        channels, person = self.channels.values(), self.local_id(user)
        return next((channel for channel in channels if channel.person == person != ""), None)

    def check_may_post(self, channel: Channel, scopes: frozenset[str]) -> None:
        """Raise ``SlackError`` unless an app with these scopes may post in the channel."""
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
        """Add a message to a channel, or to its thread ``thread_ts``; returns it as stored."""
        root = self.message(channel, thread_ts) if thread_ts else None
        if thread_ts and root is None:
            raise SlackError("thread_not_found")
        stored = {"type": "message", "team": TEAM, **message, "ts": self.ts()}
        if root is not None:
            root = self.message(channel, root.get("thread_ts", thread_ts)) or root
            if root.get("is_locked"):
                raise SlackError("restricted_action_thread_locked")
            stored["thread_ts"] = root["ts"]
        self.messages.setdefault(channel, Timeline()).put(stored)
        self._channel_of[stored["ts"]] = channel
        if root is not None:
            authors = root.get("reply_users", [])
            authors = authors if stored["user"] in authors else [*authors, stored["user"]]
            self._set_replies(root, root.get("reply_count", 0) + 1, authors, stored["ts"])
        self.touch(stored)
        return stored

    def touch(self, *messages: Json) -> None:
        """Note that messages were changed; every visible change of a message ends here."""
        self.changes.happened()
        for message in messages:
            self._touched[message["ts"]] = self.changes.count
            self._mentions[message["ts"]] = find_mentions(message)
            self.in_channel(self._channel_of.get(message["ts"], "")).changed(message["ts"])

    def touched(self, message: Json) -> int:
        """Return the count of changes at which the message was last changed."""
        return self._touched[message["ts"]]

    def mentions(self, message: Json) -> frozenset[str]:
        """Return the mentions in a stored message, as ``find_mentions`` does."""
        return self._mentions[message["ts"]]

    def _set_replies(self, root: Json, count: int, authors: list[str], latest: str) -> None:
        """Write on a thread's first message how many replies it has, by whom, and the latest."""
        root.update(
            thread_ts=root["ts"],
            reply_count=count,
            reply_users=authors,
            reply_users_count=len(authors),
            latest_reply=latest,
        )
        self.touch(root)

    def in_channel(self, channel: str) -> Timeline:
        """Return the channel's messages; an empty timeline for a channel without any."""
        return self.messages.get(channel) or Timeline()

    def message(self, channel: str, ts: str) -> Json | None:
        return self.in_channel(channel).by_ts.get(ts)

    def copies(self, channel: str) -> MessageIndex:
        """Return copies of the channel's messages as they are now."""
        return self.in_channel(channel).copies()

    def change(self, message: Json, fields: Json) -> None:
        """Overwrite fields of a message, and mark it as edited."""
        message.update(fields, edited={"user": message["user"], "ts": self.ts()})
        self.touch(message)

    def react(self, message: Json, name: str, user: str) -> None:
        """Add a person's reaction, the emoji ``name``, to a message."""
        reactions = message.setdefault("reactions", [])
        reaction = next((item for item in reactions if item["name"] == name), None)
        if reaction is None:
            reaction = {"name": name, "users": [], "count": 0}
            reactions.append(reaction)
        if user in reaction["users"]:
            raise SlackError("already_reacted")
        reaction["users"].append(user)
        reaction["count"] += 1
        self.touch(message)

    def drop_file(self, file_id: str) -> None:
        """Replace a deleted file by a tombstone in every message that shows it."""
        tombstone = {"id": file_id, "mode": "tombstone"}
        for message in [message for timeline in self.messages.values() for message in timeline]:
            files = message.get("files", [])
            if any(file["id"] == file_id for file in files):
                message["files"] = [tombstone if file["id"] == file_id else file for file in files]
                self.touch(message)

    def delete(self, channel: str, message: Json) -> None:
        """Delete a message, and count the replies of its thread anew."""
        self.messages[channel].drop(message)
        root = self.message(channel, message.get("thread_ts", ""))
        if root is not None:
            replies = self.in_channel(channel).replies(root["ts"]).newest()
            authors = list(dict.fromkeys(reply["user"] for reply in replies))
            self._set_replies(root, len(replies), authors, [root, *replies][-1]["ts"])
        self.touch()

    # Ephemeral messages.

    def post_ephemeral(self, user: str, channel: str, message: Json, thread_ts: str = "") -> Json:
        """Show a message to one person only; returns it as stored."""
        stored = {"type": "message", "team": TEAM, **message, "ts": self.ts(), "is_ephemeral": True}
        if thread_ts:
            stored["thread_ts"] = thread_ts
        self.ephemerals.append(Ephemeral(self.local_id(user), channel, stored))
        self.touch(stored)
        return stored

    def delete_ephemeral(self, ephemeral: Ephemeral) -> None:
        self.ephemerals.remove(ephemeral)
        self.touch()

    def ephemerals_of(self, user: str, channel: str | None = None) -> Iterator[Ephemeral]:
        """Yield the ephemeral messages that a person sees, in one channel or in all."""
        for ephemeral in self.ephemerals:
            if ephemeral.user == self.local_id(user) and channel in (None, ephemeral.channel):
                yield ephemeral

    def find_ephemeral(self, user: str, channel: str, ts: str) -> Ephemeral | None:
        ephemerals = self.ephemerals_of(user, channel)
        return next((item for item in ephemerals if item.message["ts"] == ts), None)
