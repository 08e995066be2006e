"""The messages of one channel, in order, found by ts and by thread without a search.

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


class Row:
    """Messages, oldest first: what is added is newer than all before, or takes its own place."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._messages: list[Message] = []

    def __len__(self) -> int:
        return len(self._at)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    def __reversed__(self) -> Iterator[Message]:
        return reversed(self._messages)

    def put(self, message: Message) -> None:
        at = float(message["ts"])
        place = bisect_left(self._at, at)
        here = slice(place, bisect_right(self._at, at))
        self._at[here], self._messages[here] = [at], [message]

    def drop(self, ts: str) -> None:
        place = bisect_left(self._at, float(ts))
        if self._at[place : place + 1] == [float(ts)]:
            del self._at[place], self._messages[place]

    def newest(self, most: int | None = None) -> list[Message]:
        """The newest few, or all, oldest first."""
        return self._messages[-most:] if most else self._messages[:]

    def between(
        self, oldest: float = 0, latest: float = math.inf, *, inclusive: bool = False
    ) -> list[Message]:
        """Those after ``oldest`` and before ``latest``, in seconds; the edges where asked."""
        after, before = (bisect_left, bisect_right) if inclusive else (bisect_right, bisect_left)
        return self._messages[after(self._at, oldest) : before(self._at, latest)]


class Shelf:
    """A channel's messages: all of them, those at the top level, and the replies of each thread."""

    def __init__(self) -> None:
        self.all = Row()
        self.top = Row()
        self.by_ts: dict[str, Message] = {}
        self._replies: dict[str, Row] = {}

    def put(self, message: Message) -> None:
        self.by_ts[message["ts"]] = message
        self.all.put(message)
        if is_top_level(message):
            self.top.put(message)
        root = str(message.get("thread_ts", message["ts"]))
        if root != message["ts"]:
            self._replies.setdefault(root, Row()).put(message)

    def drop(self, message: Message) -> None:
        ts = message["ts"]
        del self.by_ts[ts]
        for row in (self.all, self.top, self.replies(message.get("thread_ts", ""))):
            row.drop(ts)

    def replies(self, root: str) -> Row:
        return self._replies.get(root) or Row()

    def thread(self, ts: str, most: int | None = None) -> list[Message]:
        """The message, if it is there, and its replies, or the newest of them, oldest first."""
        root = self.by_ts.get(ts)
        return [*([root] if root else []), *self.replies(ts).newest(most)]


class Timeline(Shelf):
    """The messages themselves, and a copy of each for whoever is to hold on to a moment.

    A copy is made when somebody looks, once for each time the message came to look different.
    """

    def __init__(self) -> None:
        super().__init__()
        self._copies = Shelf()
        self._stale: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.all)

    def changed(self, ts: str) -> None:
        """The message looks different now."""
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

    def copies(self) -> Shelf:
        """The same messages as they look now, in copies that later changes leave alone."""
        for ts in self._stale:
            self._copies.put(copy.deepcopy(self.by_ts[ts]))
        self._stale.clear()
        return self._copies
