"""What every listener works with, and who is asking from where."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from bot.domain.slack import Actor, Requester, SlackLocation
from bot.messages import Message, command_help
from bot.operations.batch import Batches
from bot.operations.workflow import Operations
from bot.policy.config import Config
from bot.services import Services


class SeenEvents:
    """What was asked lately. Slack delivers an event up to four times within five minutes."""

    def __init__(self, most: int = 5000) -> None:
        self._seen: dict[str, None] = {}
        self._most = most

    def is_new(self, event_id: str) -> bool:
        new = event_id not in self._seen
        self._seen[event_id] = None
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return new


@dataclass(frozen=True, slots=True)
class AppContext:
    """What every listener works with; ``workspace`` is the one that commands speak of."""

    services: Services
    operations: Operations
    batches: Batches
    workspace: str = "main"
    seen_events: SeenEvents = field(default_factory=SeenEvents)

    @property
    def config(self) -> Config:
        return self.services.policy.current

    @property
    def help(self) -> Message:
        names = self.config.commands
        return command_help.help_message(
            self.root, {"task": names.task, "instance": names.instance}
        )

    @property
    def root(self) -> str:
        """What a person types before the words of a command."""
        return self.config.commands.root or "@bot"


def stable_id(once: str) -> str:
    """The id of what happens only once: what is delivered twice is the same."""
    return hashlib.sha256(once.encode()).hexdigest()[:32]


def has_requester(body: dict[str, Any]) -> bool:
    """Whether somebody asks: Slack also posts notices of its own, such as app_rate_limited."""
    if "command" in body:
        return bool(body.get("user_id") and body.get("channel_id") and body.get("team_id"))
    if "event" in body:
        return isinstance(body["event"], dict)
    user = body.get("user")
    return isinstance(user, dict) and bool(user.get("id"))


def actor_of(body: dict[str, Any]) -> Actor:
    """The person behind a command, a click, a submission or an event."""
    if "command" in body:
        return Actor(id=body["user_id"], name=body.get("user_name", ""), team=body["team_id"])
    if "event" in body:
        event = body["event"]
        team = event.get("user_team") or event.get("team") or body.get("team_id", "")
        return Actor(id=event.get("user", ""), team=team)
    user = body["user"]
    team = user.get("team_id") or (body.get("team") or {}).get("id", "")
    return Actor(id=user["id"], name=user.get("username") or user.get("name", ""), team=team)


def location_of(body: dict[str, Any]) -> SlackLocation:
    """Where they asked; a click in a message knows the message, and perhaps its thread."""
    if "command" in body:
        return SlackLocation(
            channel=body["channel_id"],
            response_url=body.get("response_url", ""),
            channel_name=_named(body.get("channel_name")),
        )
    if "event" in body:
        event = body["event"]
        return SlackLocation(channel=event.get("channel", ""), thread=event.get("thread_ts", ""))
    container = body.get("container") or {}
    message = body.get("message") or {}
    ephemeral = container.get("is_ephemeral", False)
    return SlackLocation(
        channel=(body.get("channel") or {}).get("id") or container.get("channel_id", ""),
        card="" if ephemeral else container.get("message_ts", ""),
        thread=message.get("thread_ts") or container.get("thread_ts", ""),
        response_url=body.get("response_url", ""),
        channel_name=_named((body.get("channel") or {}).get("name")),
    )


def _named(name: str | None) -> str:
    """A channel's name; Slack calls what is private by its kind, and never by its name."""
    return "" if name in (None, "privategroup", "directmessage", "mpdm") else str(name)


def requester_of(body: dict[str, Any]) -> Requester:
    """Return who asks by a payload of Slack's, and from where."""
    return Requester(actor_of(body), location_of(body))
