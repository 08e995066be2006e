"""What every flow works with, and the one place where it lies.

DBOS is one for the whole process and starts recovered flows by itself, with nothing but what was
recorded; so the desk is one for the whole process too.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from slack_sdk.web.async_client import AsyncWebClient

from bot.actions import Snapshot
from bot.messages import Frame
from bot.models import Operation, Ref
from bot.secmaster import NotFound, SecMaster
from bot.store import Store


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an operation is kept while SecMaster is in trouble.

    ``pauses`` are the seconds between rounds; when they are used up the operation is given up.
    After a doubtful write, ``trust`` rounds must all read "not happened" before that is
    believed: the gateway may still be working on it.
    """

    pauses: tuple[float, ...] = (1, 2, 4, 8, 15, 30, *(60,) * 9)
    trust: int = 3

    @property
    def seconds(self) -> float:
        return sum(self.pauses)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Desk:
    """The clients, the memory and the manners. ``launch`` names this run of the process."""

    secmaster: Mapping[str, SecMaster]
    slack: AsyncWebClient
    store: Store
    launch: str
    names: Mapping[str, str] = field(default_factory=dict)
    console: str = ""
    patience: Patience = Patience()
    clock: Callable[[], datetime] = now
    redraws: defaultdict[Ref, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    _reached: dict[str, int] = field(default_factory=dict)
    _flows: set[asyncio.Task[object]] = field(default_factory=set)
    _resting: set[asyncio.Task[object]] = field(default_factory=set)
    _calmer: asyncio.Event = field(default_factory=asyncio.Event)

    def reach(self, operation: Operation) -> None:
        """Count a step of an operation that really runs here, and not over its record."""
        if operation.launch != self.launch:
            self._reached[operation.id] = self._reached.get(operation.id, 0) + 1

    def inherited(self, operation: Operation) -> bool:
        """Whether a process that died may have begun the step at hand: the first that runs here."""
        return self._reached.get(operation.id) == 1

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

    def begin(self) -> None:
        """Note that the task at hand is a flow, for the shutdown to wait for."""
        if task := asyncio.current_task():
            self._flows.add(task)
            task.add_done_callback(self._ended)

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
