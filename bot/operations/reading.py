"""Read SecMaster's objects for one person: what the policy does not let them read stays here.

Whatever shows a person something of a task or a run asks a ``Reader`` for it. No answer of
the policy means no, and where a whole kind is refused SecMaster is not even asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from bot.domain.actions import Action
from bot.domain.objects import RUN_KINDS, ObjectKind, Ref
from bot.domain.slack import Actor
from bot.domain.snapshots import ListPage, ListSource, Snapshot
from bot.operations.around import attach_stored
from bot.policy.config import Config
from bot.policy.decide import (
    Allowed,
    Decision,
    PolicyContext,
    Principal,
    ReadScope,
    Refused,
    decide,
    decide_read,
    read_scope,
)
from bot.policy.rules import READS
from bot.secmaster import (
    Instance,
    InstanceStatus,
    PlaybookInstance,
    QueryType,
    SecMaster,
    Task,
)
from bot.services import Services
from bot.slack.directory import LookupFailed

# Rows of a list that are looked through for somebody whose right depends on the object.
MAX_ROWS = 1000
MAX_TRACKED = 5000  # the same of what sync knows: a failed run may be long
MAX_LIMIT = 100  # rows that SecMaster lists at once
PLAYBOOK_RUNS = 9999  # and of playbooks' runs in all: offset and limit stay below 10000 together

# So long after the poll that should have followed a good one, what it found is no longer shown.
LATE = timedelta(seconds=30)
ACTIVE_STATUSES = (InstanceStatus.RETRYING, InstanceStatus.RUNNING, InstanceStatus.TERMINATING)

ListedRows = tuple[Sequence[Snapshot], int]
# One request of a list: the client, the offset and the limit; returns rows and SecMaster's total.
Listing = Callable[[SecMaster, int, int], Awaitable[ListedRows]]


class ReadRefused(Exception):
    """The policy does not let a person read an object, or anything of its kind."""

    def __init__(self, kind: ObjectKind, refused: Refused) -> None:
        super().__init__(kind, refused)
        self.kind = kind
        self.refused = refused


@dataclass(frozen=True, slots=True)
class OpenObjects:
    """What is open and a person may read; the other fields are those of a list's page."""

    rows: Sequence[Snapshot]
    source: ListSource
    as_of: datetime | None
    restricted: bool
    looked_through: int | None

    def page(self, rows: Sequence[Snapshot], offset: int, size: int) -> ListPage:
        """Return a page of ``rows``, some of these; the last one where there are not so many."""
        offset = min(offset, max(0, len(rows) - 1) // size * size)
        return ListPage(
            rows[offset : offset + size],
            len(rows),
            offset,
            restricted=self.restricted,
            looked_through=self.looked_through,
            source=self.source,
            as_of=self.as_of,
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """A person, and what one policy lets them read: ``open_reader`` alone makes one.

    The ``principal`` has those roles that decide about that.
    """

    principal: Principal
    config: Config
    services: Services

    def require(self, *kinds: ObjectKind) -> None:
        """Raise ReadRefused for whoever may read nothing of any of these kinds."""
        refusals = [(kind, self._scope(kind)) for kind in kinds]
        if all(isinstance(scope, Refused) for _, scope in refusals):
            for kind, scope in refusals:
                if isinstance(scope, Refused):
                    raise ReadRefused(kind, scope)

    def reads(self, kind: ObjectKind) -> bool:
        """Whether the person may read anything of a kind."""
        return not isinstance(self._scope(kind), Refused)

    def reads_all(self, kind: ObjectKind) -> bool:
        """Whether the person may read everything of a kind, so that counts are theirs to know."""
        return self._scope(kind) is ReadScope.EVERYTHING

    def may_read(self, ref: Ref, snapshot: Snapshot) -> bool:
        """Whether the person may read an object that is like this."""
        if self._scope_in(ref.workspace, ref.kind) is ReadScope.EVERYTHING:
            return True  # whatever its name is
        return isinstance(self._decide(ref.kind, ref.workspace, snapshot), Allowed)

    async def read(self, ref: Ref, *, track: bool = False) -> Snapshot:
        """Read an object; ``track`` records what it is like now.

        Raises ReadRefused, or SecMasterError.
        """
        scope = self._require_in(ref.workspace, ref.kind)
        read = self.services.cards.read_and_track if track else self.services.workspaces.read
        snapshot = await attach_stored(self.services, ref, await read(ref))
        decision = self._decide(ref.kind, ref.workspace, snapshot)
        if scope is not ReadScope.EVERYTHING and isinstance(decision, Refused):
            raise ReadRefused(ref.kind, decision)
        return snapshot

    async def require_object(self, ref: Ref) -> None:
        """Raise ReadRefused unless the person may read this object.

        It is read where that depends on what it is like; then this raises SecMasterError too.
        """
        if self._require_in(ref.workspace, ref.kind) is ReadScope.SOME:
            await self.read(ref)

    async def page(
        self, kind: ObjectKind, workspace: str, listing: Listing, offset: int, size: int
    ) -> ListPage:
        """Return one page of those rows of a list that the person may read.

        Where the right depends on the object, rows are left out before pages are cut, and only
        the first of a long list are looked through. Raises ReadRefused, or SecMasterError.
        """
        scope = self._require_in(workspace, kind)
        client = self.services.workspaces.client(workspace)
        if scope is ReadScope.EVERYTHING:
            rows, total = await listing(client, offset, size)
            self.services.workspaces.answered.set()
            rows = await self._with_evidence(kind, workspace, rows[:size])
            return ListPage(rows, total, offset)
        rows, looked_through = await self._read_all(workspace, listing)
        readable = self._readable(kind, workspace, rows)
        return ListPage(
            await self._with_evidence(kind, workspace, readable[offset : offset + size]),
            len(readable),
            offset,
            restricted=True,
            looked_through=looked_through,
        )

    async def open_objects(
        self, kind: ObjectKind, workspace: str, *, fresh: bool = False, definition_id: str = ""
    ) -> OpenObjects:
        """Return the tasks that wait, or the runs that failed, of those that the person may read.

        Sync knows them, in one query. SecMaster is asked where that is off or late, or where what
        is ``fresh`` is asked for; then only the first of a long list are looked through. Of a
        workflow or playbook with a ``definition_id`` only its runs are returned. Raises
        ReadRefused, or SecMasterError.
        """
        scope = self._require_in(workspace, kind)
        source, as_of = await asyncio.to_thread(self._source, workspace, kind)
        looked_through = None
        rows: Sequence[Snapshot]
        if source is ListSource.SYNC and not fresh:
            tracked = self.services.store.tracked
            objects = await asyncio.to_thread(tracked.open_in, workspace, kind, MAX_TRACKED + 1)
            rows = [each.snapshot for each in objects[:MAX_TRACKED]]
            looked_through = MAX_TRACKED if len(objects) > MAX_TRACKED else None
        else:
            as_of = None
            listing = open_listing(kind, definition_id)
            listed, looked_through = await self._read_all(workspace, listing)
            rows = await self._with_evidence(kind, workspace, listed)
        readable = self._readable(kind, workspace, rows)
        return OpenObjects(
            rows=[row for row in readable if definition_id in ("", _definition_id(row))],
            source=source,
            as_of=as_of,
            restricted=scope is not ReadScope.EVERYTHING,
            looked_through=looked_through,
        )

    async def active_runs(self, kind: ObjectKind, workspace: str) -> Sequence[Snapshot]:
        """Return the runs of a kind that go on by themselves, of those that the person may read.

        SecMaster is asked, since sync knows only what failed; of many the latest are returned.
        Raises ReadRefused, or SecMasterError.
        """
        if kind not in RUN_KINDS:
            return []
        self._require_in(workspace, kind)
        pages = await asyncio.gather(
            *(self._read_all(workspace, run_listing(kind, status)) for status in ACTIVE_STATUSES)
        )
        rows = [row for page, _looked_through in pages for row in page]
        readable = self._readable(kind, workspace, rows)
        return await self._with_evidence(kind, workspace, readable)

    def allowed_actions(
        self, ref: Ref, snapshot: Snapshot, actions: Iterable[Action]
    ) -> tuple[Action, ...]:
        """Return those of the actions that an object is open to and the person may take on it.

        The reader must have been opened for them.
        """
        context = self._context(ref.workspace, snapshot)
        return tuple(
            action
            for action in actions
            if snapshot.status in action.button_statuses
            and isinstance(decide(self.config.rules, self.principal, action, context), Allowed)
        )

    async def _with_evidence(
        self, kind: ObjectKind, workspace: str, rows: Sequence[Snapshot]
    ) -> Sequence[Snapshot]:
        """Return rows of a list with what is stored around each of them, by one query."""
        refs = [Ref.parse(f"1:{kind}:{workspace}:{row.id}") for row in rows]
        objects = {ref: row for ref, row in zip(refs, rows, strict=True) if ref}
        attached = await asyncio.to_thread(self.services.store.evidence.attach, objects)
        return [attached[ref] if ref else row for ref, row in zip(refs, rows, strict=True)]

    def _readable(
        self, kind: ObjectKind, workspace: str, rows: Iterable[Snapshot]
    ) -> list[Snapshot]:
        if self._scope_in(workspace, kind) is ReadScope.EVERYTHING:
            return list(rows)
        return [row for row in rows if isinstance(self._decide(kind, workspace, row), Allowed)]

    async def _read_all(
        self, workspace: str, listing: Listing
    ) -> tuple[Sequence[Snapshot], int | None]:
        """Return the rows of a list, and how many of a longer one were read; None for all."""
        client = self.services.workspaces.client(workspace)
        rows, total = await listing(client, 0, MAX_LIMIT)
        self.services.workspaces.answered.set()
        listed = {row.id: row for row in rows}
        for first in range(MAX_LIMIT, min(total, MAX_ROWS), MAX_LIMIT):
            rows, _ = await listing(client, first, MAX_LIMIT)
            listed |= {row.id: row for row in rows}  # one may have moved to this request's rows
        return list(listed.values()), MAX_ROWS if total > MAX_ROWS else None

    def _source(self, workspace: str, kind: ObjectKind) -> tuple[ListSource, datetime | None]:
        """Return where to read what is open of a kind, and as of when sync knows it; blocks."""
        interval = timedelta(seconds=self.services.poll_interval)
        if not interval:
            return ListSource.SYNC_OFF, None
        status = self.services.store.poll_statuses.get(workspace)
        as_of = status.last_success_at if status else None
        if kind == "playbook" and status and status.playbooks_answer:  # sync knows nothing of them
            as_of = None
        if as_of is None or self.services.clock.now() - as_of > 2 * interval + LATE:
            return ListSource.SYNC_LATE, None
        return ListSource.SYNC, as_of

    def _require_in(self, workspace: str, kind: ObjectKind) -> ReadScope:
        """Return how much of a kind the person may read in a workspace; raises ReadRefused."""
        scope = self._scope_in(workspace, kind)
        if isinstance(scope, Refused):
            raise ReadRefused(kind, scope)
        return scope

    def _scope(self, kind: ObjectKind) -> ReadScope | Refused:
        """Return how much of a kind the person may read, over all workspaces."""
        scopes = [self._scope_in(alias, kind) for alias in self.services.workspaces]
        if all(isinstance(scope, Refused) for scope in scopes):
            return scopes[0]
        everything = all(scope is ReadScope.EVERYTHING for scope in scopes)
        return ReadScope.EVERYTHING if everything else ReadScope.SOME

    def _scope_in(self, workspace: str, kind: ObjectKind) -> ReadScope | Refused:
        context = self._context(workspace, None)
        return read_scope(self.config.rules, self.principal, kind, context)

    def _decide(self, kind: ObjectKind, workspace: str, snapshot: Snapshot) -> Decision:
        context = self._context(workspace, snapshot)
        return decide_read(self.config.rules, self.principal, kind, context)

    def _context(self, workspace: str, snapshot: Snapshot | None) -> PolicyContext:
        names = self.services.workspaces.all_names(workspace)
        return PolicyContext(names, self.services.clock.now(), snapshot)


def open_listing(kind: ObjectKind, definition_id: str = "") -> Listing:
    """Return the request of the tasks that wait, oldest first, or of the runs that failed.

    SecMaster narrows the runs of workflows alone to those of one definition.
    """
    if kind in RUN_KINDS:
        workflow_id = definition_id if kind == "instance" else ""
        return run_listing(kind, InstanceStatus.FAILED, workflow_id=workflow_id)

    async def tasks(client: SecMaster, offset: int, limit: int) -> ListedRows:
        page = await client.list_tasks(
            query_type=QueryType.MY_TODO,
            sort_key="create_time",
            sort_dir="ASC",
            offset=offset,
            limit=limit,
        )
        return page.tasks, page.total

    return tasks


def run_listing(kind: ObjectKind, status: str, *, workflow_id: str = "", name: str = "") -> Listing:
    """Return the request of the runs of a kind with a status, "" for any."""

    async def workflow_runs(client: SecMaster, offset: int, limit: int) -> ListedRows:
        page = await client.list_workflow_instances(
            status=status, workflow_id=workflow_id, name=name, offset=offset, limit=limit
        )
        return page.instances, page.total

    async def playbook_runs(client: SecMaster, offset: int, limit: int) -> ListedRows:
        limit = min(limit, PLAYBOOK_RUNS - offset)  # it takes no request beyond those
        if limit < 1:
            return (), 0
        page = await client.list_playbook_instances(
            status=status, name=name, offset=offset, limit=limit
        )
        return page.instances, min(page.total, PLAYBOOK_RUNS)

    match kind:
        case "instance":
            return workflow_runs
        case "playbook":
            return playbook_runs
        case "task":
            raise ValueError("tasks are listed by whether they are handled")
        case _:
            assert_never(kind)


def _definition_id(snapshot: Snapshot) -> str:
    """Return the id of the workflow or playbook that this is a run of; "" for a task."""
    match snapshot:
        case Task():
            return ""
        case Instance():
            return snapshot.workflow.id
        case PlaybookInstance():
            return snapshot.playbook.id
        case _:
            assert_never(snapshot)


async def open_reader(services: Services, actor: Actor, *actions: Action) -> Reader:
    """Return what a person may read, by the policy in force; raises LookupFailed.

    Whether they may take any of these ``actions`` can be asked of its principal as well.
    """
    config = services.policy.current  # of the moment of the question, whatever is reloaded then
    roles = config.roles_about(*READS, *actions)
    return Reader(await services.directory.principal(actor, roles), config, services)


async def may_read(services: Services, actor: Actor, ref: Ref, snapshot: Snapshot) -> bool:
    """Whether a person may read this object; False as well while Slack can't say who it is."""
    try:
        reader = await open_reader(services, actor)
    except LookupFailed:
        return False
    return reader.may_read(ref, snapshot)
