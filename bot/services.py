"""What every flow works with, and the one place where it lies.

DBOS is one for the whole process and starts recovered flows by itself, with nothing but what was
recorded; so the desk is one for the whole process too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.actions import Snapshot
from bot.domain.models import Operation, Ref
from bot.messages import Frame
from bot.policy.config import Config
from bot.runtime.coalesce import Redraws
from bot.secmaster import NotFound, SecMaster
from bot.store import Store

MOST_KNOWN = 10_000  # operations, and addresses, remembered


@dataclass(frozen=True, slots=True)
class Patience:
    """How long everything may take; all of it in seconds.

    ``pauses`` lie between the rounds of an operation that SecMaster's trouble keeps waiting; when
    they are used up it is given up. A doubtful write is looked for during ``trust`` before it is
    believed lost and sent again: longer than a gateway goes on working on what it took. ``redraw``
    is the least between two drawings of one object's cards, ``pace`` that between two messages
    that the bot posts into a channel by itself: Slack takes one a second, and people's come first.
    Posting one of those may last ``post``, waiting for Slack's limit included; what another
    process is posting is taken over after ``takeover``, which is longer.
    Each thing that is asked before an acknowledgement may take ``ask``, for Slack waits three
    seconds and recording needs some of them; what is only nice to have may take ``aside``.
    """

    pauses: tuple[float, ...] = (1, 2, 4, 8, 15, 30, *(60,) * 9)
    trust: float = 60
    redraw: float = 1
    pace: float = 1.2
    post: float = 15
    takeover: float = 20
    ask: float = 0.8
    aside: float = 0.5

    @property
    def seconds(self) -> float:
        return sum(self.pauses)


class Time:
    """The time, and waiting for it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _nobody(_group: str) -> frozenset[str]:
    return frozenset()


@dataclass(slots=True)
class Desk:
    """The clients, the memory and the manners.

    ``launch`` names this run of the process, ``bot_user`` is who we are in Slack; ``members``
    are those of a user group now.
    """

    secmaster: Mapping[str, SecMaster]
    slack: AsyncWebClient
    store: Store
    launch: str
    bot_user: str
    names: Mapping[str, str] = field(default_factory=dict)
    console: str = ""
    patience: Patience = Patience()
    clock: Callable[[], datetime] = field(default_factory=lambda: Time().now)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    policy: Callable[[], Config] = Config
    members: Callable[[str], Awaitable[frozenset[str]]] = _nobody
    replica: str = "main"
    # What wants to know that a round of the watch is through.
    after_round: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    # A file is in memory on its way: few at a time, and decisions keep their connections.
    bringing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    # Where cards are, by channel and ts: their addresses never change.
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    # Our chats with people, by their ids; as many as there are people.
    chats: dict[str, str] = field(default_factory=dict)
    redraws: Redraws = field(init=False)
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _begun: dict[str, None] = field(default_factory=dict)
    _reached: dict[str, int] = field(default_factory=dict)
    _flows: set[asyncio.Task[object]] = field(default_factory=set)
    _resting: set[asyncio.Task[object]] = field(default_factory=set)
    _calmer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.redraws = Redraws(self.patience.redraw)

    def reach(self, operation: Operation) -> None:
        """Count a step of a resumed operation that really runs here, and not over its record."""
        if operation.id in self._reached:
            self._reached[operation.id] += 1

    def inherited(self, operation: Operation) -> bool:
        """Whether the step at hand may have been begun before: the first of a resumed operation."""
        return self._reached.get(operation.id) == 1

    def drawing(self, ref: Ref) -> asyncio.Lock:
        """One at a time draws the cards of an object, or the older picture might stay."""
        return self._lock(str(ref))

    def placing(self, ref: Ref, channel: str) -> asyncio.Lock:
        """One at a time looks for an object's card in a channel and posts one.

        A lock of its own: a decision must not wait until Slack has let all cards be drawn.
        """
        return self._lock(f"{ref} in {channel}")

    def _lock(self, name: str) -> asyncio.Lock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

    def begin(self, operation: Operation) -> None:
        """Note that the task at hand is a flow, and whether it was begun before.

        By another process that died, or by this one: if DBOS hands an operation out again, its
        steps must be as careful as after a crash.
        """
        if operation.launch != self.launch or operation.id in self._begun:
            self._reached[operation.id] = 0
        self._begun[operation.id] = None
        if len(self._begun) > MOST_KNOWN:
            del self._begun[next(iter(self._begun))]
        if task := asyncio.current_task():
            self._flows.add(task)
            task.add_done_callback(self._ended)

    def finish(self, operation: Operation) -> None:
        """Forget what only mattered while it was under way."""
        self._reached.pop(operation.id, None)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._flows.discard(task)
        self._calmer.set()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Note that the flow at hand only waits, so that no shutdown waits for it."""
        task = asyncio.current_task()
        self._resting |= {task} if task else set()
        self._calmer.set()
        try:
            yield
        finally:
            self._resting -= {task}

    async def settle(self, seconds: float) -> None:
        """Give the flows that are at work a moment to end, or to come to rest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._flows - self._resting:
                    self._calmer.clear()
                    await self._calmer.wait()

    async def drain(self) -> None:
        """Break off the others: nothing more can be recorded, and the next start resumes them."""
        left = list(self._flows)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.redraws.close()

    def client(self, ref: Ref) -> SecMaster:
        """The workspace that an object belongs to; an old card may name one that is gone."""
        try:
            return self.secmaster[ref.workspace]
        except KeyError:
            raise NotFound(f"the workspace {ref.workspace} is not configured here") from None

    async def look(self, ref: Ref) -> Snapshot:
        """Read a task or an instance as SecMaster has it now."""
        client = self.client(ref)
        if ref.noun == "task":
            return await client.show_task(ref.id)
        return await client.show_workflow_instance(ref.id)

    def name(self, ref: Ref) -> str:
        """What people call the workspace that an object belongs to."""
        return self.names.get(ref.workspace, ref.workspace)

    def frame(self, ref: Ref) -> Frame:
        """What a card needs to be drawn beyond the object itself."""
        return Frame(ref, self.clock(), self.name(ref), self.console)


_desks: list[Desk] = []


def open_desk(desk: Desk) -> None:
    """Hand the flows what they work with; before DBOS is launched."""
    _desks[:] = [desk]


def desk() -> Desk:
    return _desks[0]
