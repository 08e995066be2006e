"""The messages of one channel, in order, indexed by ts and by thread.

It knows the shape of a thread and nothing of who may see it.
"""

import copy
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]


def is_top_level(message: Message) -> bool:
    """Whether a channel shows the message without its thread opened."""
    broadcast = message.get("subtype") == "thread_broadcast"
    return broadcast or message.get("thread_ts", message["ts"]) == message["ts"]


class MessageList:
    """Messages ordered by ts, oldest first."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._messages: list[Message] = []

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    def __reversed__(self) -> Iterator[Message]:
        return reversed(self._messages)

    def put(self, message: Message) -> None:
        """Insert a message at its ts, in place of one that has the same ts."""
        time = float(message["ts"])
        position = slice(bisect_left(self._times, time), bisect_right(self._times, time))
        self._times[position], self._messages[position] = [time], [message]

    def drop(self, ts: str) -> None:
        """Remove the message of this ts, if there is one."""
        index = bisect_left(self._times, float(ts))
        if self._times[index : index + 1] == [float(ts)]:
            del self._times[index], self._messages[index]

    def newest(self, most: int | None = None) -> list[Message]:
        """Return the newest ``most`` messages, or all, oldest first."""
        return self._messages[-most:] if most else self._messages[:]

    def between(
        self, oldest: float = 0, latest: float = math.inf, *, inclusive: bool = False
    ) -> list[Message]:
        """Return the messages after ``oldest`` and before ``latest``, which are in seconds.

        ``inclusive`` adds those exactly at ``oldest`` and ``latest``.
        """
        after, before = (bisect_left, bisect_right) if inclusive else (bisect_right, bisect_left)
        return self._messages[after(self._times, oldest) : before(self._times, latest)]


class MessageIndex:
    """A channel's messages: all, those at the top level, and the replies of each thread."""

    def __init__(self) -> None:
        self.all = MessageList()
        self.top = MessageList()
        self.by_ts: dict[str, Message] = {}
        self._replies: dict[str, MessageList] = {}

    def put(self, message: Message) -> None:
        self.by_ts[message["ts"]] = message
        self.all.put(message)
        if is_top_level(message):
            self.top.put(message)
        root = str(message.get("thread_ts", message["ts"]))
        if root != message["ts"]:
            self._replies.setdefault(root, MessageList()).put(message)

    def drop(self, message: Message) -> None:
        ts = message["ts"]
        del self.by_ts[ts]
        for messages in (self.all, self.top, self.replies(message.get("thread_ts", ""))):
            messages.drop(ts)

    def replies(self, root: str) -> MessageList:
        """Return the replies to the message whose ts is ``root``."""
        return self._replies.get(root) or MessageList()

    def thread(self, ts: str, most: int | None = None) -> list[Message]:
        """Return the message, if there is one, and its newest ``most`` replies, oldest first."""
        root = self.by_ts.get(ts)
        return [*([root] if root else []), *self.replies(ts).newest(most)]


class Timeline(MessageIndex):
    """A channel's messages, and a copy of each that later changes leave alone.

    Copies are made when they are read, and only of messages changed since the last read.
    """

    def __init__(self) -> None:
        super().__init__()
        self._copies = MessageIndex()
        self._stale: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.all)

    def changed(self, ts: str) -> None:
        """Note that a message was changed, so that its copy is made anew."""
        if ts in self.by_ts:
            self._stale[ts] = None

    def put(self, message: Message) -> None:
        super().put(message)
        self.changed(message["ts"])

    def drop(self, message: Message) -> None:
        super().drop(message)
        if message["ts"] in self._copies.by_ts:
            self._copies.drop(message)
        self._stale.pop(message["ts"], None)

    def copies(self) -> MessageIndex:
        """Return copies of the messages as they are now, which later changes leave alone."""
        for ts in self._stale:
            self._copies.put(copy.deepcopy(self.by_ts[ts]))
        self._stale.clear()
        return self._copies
