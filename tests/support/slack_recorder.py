"""A local Slack that remembers which messages of the bot a story has read.

A story names what it expects by reading it. What the bot posted beyond that, wherever it did, is
a message that nobody expected: a double post, an answer to the wrong person, a stray reminder.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.delivery import Delivered
from bot.sandbox.slack.workspace import BOT_USER, Json

T = TypeVar("T")
# What a story needs to find a message or to count it. Whoever reads only these has not yet
# looked at what the message says.
RECORDED = "📝"  # how the acknowledgement begins of a command that changes something
PLACE = frozenset({"ts", "thread_ts", "channel", "user", "type", "subtype", "team"})


class RecordedMessage(dict[str, Any]):
    """A message that notes when more of it is read than its place."""

    def __init__(self, message: Json, mark_read: Callable[[str], None]) -> None:
        super().__init__(message)
        self._mark_read = mark_read

    def _note(self, key: str | None = None) -> None:
        if key not in PLACE:
            self._mark_read(super().__getitem__("ts"))

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        self._note()
        return super().__iter__()

    # json.dumps, str and a comparison read a dictionary through these.

    def items(self) -> Any:
        self._note()
        return super().items()

    def values(self) -> Any:
        self._note()
        return super().values()

    def __repr__(self) -> str:
        self._note()
        return super().__repr__()

    def __eq__(self, other: object) -> bool:
        self._note()
        return super().__eq__(other)

    __hash__ = None


@dataclass(frozen=True)
class PostedMessage:
    """A message that the bot posted; ``user`` is set where one person alone sees it."""

    ts: str
    channel: str
    user: str
    text: str

    def __str__(self) -> str:
        addressee = f" to {self.user} alone" if self.user else ""
        return f"in {self.channel}{addressee}: {self.text!r}"


class SlackRecorder(SlackSandbox):
    """A local Slack whose messages are marked as read when their words are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.read_messages: set[str] = set()
        self._acknowledgements: set[str] = set()
        self._texts: dict[str, str] = {}  # as they were when they were read, by ts
        self._ignored: list[Callable[[PostedMessage], bool]] = []

    def mark_read(self, ts: str) -> None:
        self.read_messages.add(ts)

    def read_first(self, messages: list[Json], containing: tuple[str, ...]) -> str:
        """Read the oldest message that was not read yet and has all these parts.

        Returns its text, or nothing where there is none.
        """
        for message in messages:
            text = str(dict.__getitem__(message, "text"))
            ts = message["ts"]
            # A message that takes another's place has its ts, and is read by itself.
            unread = ts not in self.read_messages or self._texts.get(ts, text) != text
            if unread and all(part in text for part in containing):
                self.mark_read(ts)
                self._texts[ts] = text
                return text
        return ""

    def stored(self, channel: str, ts: str) -> Json:
        """Return the message itself, for a story that changes or deletes it."""
        message = self.workspace.message(channel, ts)
        assert message is not None
        return message

    def chat_with(self, user: str) -> str:
        """Return the id of somebody's chat with the bot."""
        chat = self.workspace.dm(user)
        assert chat is not None
        return chat.id

    def messages(self, channel: str, user: str | None = None) -> list[Json]:
        return self._recorded(super().messages(channel, user))

    def thread(self, channel: str, ts: str, user: str | None = None) -> list[Json]:
        return self._recorded(super().thread(channel, ts, user))

    def ephemerals(self, user: str, channel: str | None = None) -> list[Json]:
        return self._recorded(super().ephemerals(user, channel))

    def _recorded(self, messages: list[Json]) -> list[Json]:
        return [RecordedMessage(message, self.mark_read) for message in messages]

    async def press(
        self, user: str, channel: str, ts: str, *element: str, **fields: Any
    ) -> Delivered:
        self.mark_read(ts)  # whoever presses a button has seen its message
        return await super().press(user, channel, ts, *element, **fields)

    async def command(
        self, user: str, channel: str, text: str, *, escape: bool = True
    ) -> Delivered:
        """Type a slash command.

        Whoever types it sees at once that what it does is recorded: that one acknowledgement in
        the command's own response is expected. Whatever else is answered must be read.
        """
        before = {message["ts"] for message in super().ephemerals(user, channel)}
        delivered = await super().command(user, channel, text, escape=escape)
        body = delivered.body
        text = str(body.get("text", "") if isinstance(body, dict) else body)
        if text.startswith(RECORDED):
            posted = (m for m in super().ephemerals(user, channel) if m["ts"] not in before)
            self._acknowledgements.add(next(m["ts"] for m in posted if m["text"] == text))
        return delivered

    async def until(self, predicate: Callable[[], T | Literal[False] | None]) -> T:
        def evaluate() -> T | Literal[False] | None:
            read_before = set(self.read_messages)
            value = predicate()
            if not value:
                # A wait passes over what it is not for; that alone makes nothing expected.
                self.read_messages = read_before
            return value

        try:
            value = await super().until(evaluate)
        except asyncio.CancelledError as error:
            # Whoever reads of a wait in vain asks first what came instead.
            for message in self.unexpected_messages()[-5:]:
                error.add_note(f"posted and not read: {message}")
            raise
        assert value
        return value

    def ignore_messages(self, containing: str = "", *, channel: str = "", user: str = "") -> None:
        """Let the bot post messages that the story is not about.

        Ignored is what has all that is given: a part of its text, its channel, and the one
        person who sees it.
        """
        self._ignored.append(
            lambda message: (
                containing in message.text
                and channel in ("", message.channel)
                and user in ("", message.user)
            )
        )

    def unexpected_messages(self) -> list[PostedMessage]:
        """Return the bot's messages that were neither read nor expected, oldest first."""
        posted = [
            PostedMessage(message["ts"], channel, "", message.get("text", ""))
            for channel, timeline in self.workspace.messages.items()
            for message in timeline
            if message["user"] == BOT_USER
        ]
        posted += [
            PostedMessage(item.message["ts"], item.channel, item.user, item.message.get("text", ""))
            for item in self.workspace.ephemerals
        ]
        return sorted(
            (
                message
                for message in posted
                if message.ts not in self.read_messages | self._acknowledgements
                and not any(ignores(message) for ignores in self._ignored)
            ),
            key=lambda message: float(message.ts),
        )
