"""What every flow works with, and the one place where it lies.

DBOS is one for the whole process and starts recovered flows by itself, with nothing but what was
recorded; so the desk is one for the whole process too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakValueDictionary

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.objects import Ref
from bot.domain.operations import Operation
from bot.domain.snapshots import Snapshot
from bot.messages import RenderContext
from bot.policy.config import Config
from bot.runtime.clock import Clock
from bot.runtime.coalesce import Coalescer
from bot.runtime.timeouts import Timeouts
from bot.secmaster import NotFound, SecMaster
from bot.store import Store

MAX_REMEMBERED = 10_000  # operations, and addresses, remembered


async def _nobody(_group: str) -> frozenset[str]:
    return frozenset()


@dataclass(slots=True)
class Services:
    """The clients, the memory and the manners.

    ``launch`` names this run of the process, ``bot_user`` is who we are in Slack; ``members``
    are those of a user group now.
    """

    secmaster: Mapping[str, SecMaster]
    slack: AsyncWebClient
    store: Store
    process_id: str
    bot_user: str
    workspace_names: Mapping[str, str] = field(default_factory=dict)
    console_url: str = ""
    timeouts: Timeouts = field(default_factory=Timeouts)
    clock: Callable[[], datetime] = field(default_factory=lambda: Clock().now)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    policy: Callable[[], Config] = Config
    members: Callable[[str], Awaitable[frozenset[str]]] = _nobody
    replica: str = "main"
    # What wants to know that a round of the watch is through.
    after_poll: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    # A file is in memory on its way: few at a time, and decisions keep their connections.
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    # Where cards are, by channel and ts: their addresses never change.
    permalinks: dict[tuple[str, str], str] = field(default_factory=dict)
    # Our chats with people, by their ids; as many as there are people.
    dm_channels: dict[str, str] = field(default_factory=dict)
    renders: Coalescer = field(init=False)
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _begun: dict[str, None] = field(default_factory=dict)
    _reached: dict[str, int] = field(default_factory=dict)
    _flows: set[asyncio.Task[object]] = field(default_factory=set)
    _resting: set[asyncio.Task[object]] = field(default_factory=set)
    _calmer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.renders = Coalescer(self.timeouts.render_interval)

    def count_step(self, operation: Operation) -> None:
        """Count a step of a resumed operation that really runs here, and not over its record."""
        if operation.id in self._reached:
            self._reached[operation.id] += 1

    def may_have_run(self, operation: Operation) -> bool:
        """Whether the step at hand may have been begun before: the first of a resumed operation."""
        return self._reached.get(operation.id) == 1

    def render_lock(self, ref: Ref) -> asyncio.Lock:
        """One at a time draws the cards of an object, or the older picture might stay."""
        return self._lock(str(ref))

    def card_lock(self, ref: Ref, channel: str) -> asyncio.Lock:
        """One at a time looks for an object's card in a channel and posts one.

        A lock of its own: a decision must not wait until Slack has let all cards be drawn.
        """
        return self._lock(f"{ref} in {channel}")

    def _lock(self, name: str) -> asyncio.Lock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

    def track(self, operation: Operation) -> None:
        """Note that the task at hand is a flow, and whether it was begun before.

        By another process that died, or by this one: if DBOS hands an operation out again, its
        steps must be as careful as after a crash.
        """
        if operation.process_id != self.process_id or operation.id in self._begun:
            self._reached[operation.id] = 0
        self._begun[operation.id] = None
        if len(self._begun) > MAX_REMEMBERED:
            del self._begun[next(iter(self._begun))]
        if task := asyncio.current_task():
            self._flows.add(task)
            task.add_done_callback(self._ended)

    def forget(self, operation: Operation) -> None:
        """Forget what only mattered while it was under way."""
        self._reached.pop(operation.id, None)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._flows.discard(task)
        self._calmer.set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
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
        await self.renders.close()

    def client(self, ref: Ref) -> SecMaster:
        """The workspace that an object belongs to; an old card may name one that is gone."""
        try:
            return self.secmaster[ref.workspace]
        except KeyError:
            raise NotFound(f"the workspace {ref.workspace} is not configured here") from None

    async def read(self, ref: Ref) -> Snapshot:
        """Read a task or an instance as SecMaster has it now."""
        client = self.client(ref)
        if ref.kind == "task":
            return await client.show_task(ref.id)
        return await client.show_workflow_instance(ref.id)

    def workspace_name(self, ref: Ref) -> str:
        """What people call the workspace that an object belongs to."""
        return self.workspace_names.get(ref.workspace, ref.workspace)

    def render_context(self, ref: Ref) -> RenderContext:
        """What a card needs to be drawn beyond the object itself."""
        return RenderContext(ref, self.clock(), self.workspace_name(ref), self.console_url)


_desks: list[Services] = []


def set_services(desk: Services) -> None:
    """Hand the flows what they work with; before DBOS is launched."""
    _desks[:] = [desk]


def services() -> Services:
    return _desks[0]
