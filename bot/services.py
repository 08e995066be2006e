"""What workflows, the poller and the listeners work with, in one frozen bundle."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.evidence import EvidenceReader
from bot.domain.operations import Operation
from bot.domain.troubles import Expiring
from bot.domain.workspaces import Workspaces
from bot.messages.catalogue import Catalogue
from bot.metrics import Metrics
from bot.policy.config import PolicyHolder
from bot.runtime.background import BackgroundTasks
from bot.runtime.clock import Clock
from bot.runtime.outage import Outage
from bot.runtime.timeouts import Timeouts
from bot.runtime.workflow_tracker import WorkflowTracker
from bot.slack.cards import Cards
from bot.slack.directory import Directory
from bot.slack.gateway import SlackGateway
from bot.store import Store

ALWAYS_HELD = object()


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that is handed in, and nothing that is found in a global.

    ``evidence`` reads what SecMaster knows around an object.
    ``process_id`` names this run of the process, ``replica`` the place it has among others, and
    ``started_at`` is when this run began. ``name_hold`` returns what keeps that place from other
    processes, None where another may have it by now, and something else once it was lost and taken
    again. ``poll_interval`` is how often this process polls SecMaster while it leads, in seconds, 0
    for never: the policy's at its start. ``expiries`` returns when each credential and certificate
    ends that is known to end.
    """

    workspaces: Workspaces
    evidence: EvidenceReader
    slack: SlackGateway
    cards: Cards
    directory: Directory
    store: Store
    policy: PolicyHolder
    clock: Clock
    timeouts: Timeouts
    catalogue: Catalogue
    process_id: str
    replica: str = "main"
    name_hold: Callable[[], object | None] = lambda: ALWAYS_HELD
    started_at: datetime | None = None
    poll_interval: float = 0
    expiries: Callable[[], Mapping[Expiring, datetime]] = dict
    metrics: Metrics = field(default_factory=Metrics)
    tracker: WorkflowTracker = field(default_factory=WorkflowTracker)
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    # Set by whoever has written into the outbox, or opened a request for approvals: what is to be
    # posted is posted at once.
    outbox_written: asyncio.Event = field(default_factory=asyncio.Event)
    # Of the database, as this process meets it.
    database_outage: Outage = field(default_factory=Outage)
    # A file is in memory on its way: few at a time, and decisions keep their connections.
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    def holds_name(self) -> bool:
        """Return whether this process has its replica's name, as far as it knows."""
        return self.name_hold() is not None

    def is_resumed(self, operation: Operation) -> bool:
        """Return whether this operation was begun before, in another process or in this one."""
        begun_elsewhere = operation.process_id != self.process_id
        return begun_elsewhere or self.tracker.is_resumed(operation.id)
