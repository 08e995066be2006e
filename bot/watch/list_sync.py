"""SecMaster's lists, read so that a poll costs a handful of requests however long they are.

A list is read newest first until a page says nothing new. Where SecMaster's count then differs
from ours, something left the list unseen: the list of handled tasks names most of it, and a scan
of the whole list, some pages a poll, the rest. Now and then the whole list is scanned though the
counts agree: what leaves can hide what comes, where that sorts behind the first page. What no list
tells, reading single objects does.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from pydantic import ValidationError

from bot.domain.objects import ByKind, ObjectKind, Ref
from bot.domain.snapshots import Snapshot, rendered_fingerprint
from bot.domain.watch_status import FailedAnswer
from bot.secmaster import InstanceStatus, PlaybookInstanceStatus, QueryType
from bot.services import Services

log = logging.getLogger(__name__)

PAGE = 100  # as many as SecMaster gives at once
# The highest offset of which it gives a whole page: of playbooks' runs offset and limit stay below
# 10000 together.
MAX_OFFSETS = ByKind(task=9900, instance=9900, playbook=9800)
PAGES_PER_POLL = 25  # pages of a full scan in one poll


class Listing(StrEnum):
    """Which list is read, and in which order."""

    NEWEST = "newest"
    OLDEST = "oldest"
    HANDLED = "handled"


@dataclass(frozen=True, slots=True)
class ListedRow:
    """An object as a list has it, with the fingerprint of that."""

    ref: Ref
    snapshot: Snapshot
    fingerprint: str


@dataclass(slots=True)
class ListDelta:
    """What a list says that was not known, in the order in which it was read."""

    added: list[ListedRow] = field(default_factory=list)
    changed: list[ListedRow] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed)

    def extend(self, page: "ListDelta") -> None:
        """Add what a further page says."""
        self.added += page.added
        self.changed += page.changed


@dataclass(slots=True)
class ListSynchronizer:
    """Follows the list of what is open in a workspace: waiting tasks, or failed runs of a kind.

    A full scan goes on from poll to poll; one is due whenever ``full_scan`` of the timeouts has
    passed since the last one ended. ``accepted_difference`` is by how much SecMaster's count
    differs from ours though a whole scan missed nothing. ``listed_at`` is when SecMaster last
    listed it here, and ``answer`` what was said to the last poll where this list alone failed.
    """

    services: Services
    workspace: str
    kind: ObjectKind
    total: int = 0
    accepted_difference: int = 0
    listed_at: datetime | None = None
    answer: FailedAnswer | None = None
    _scan_began_at: datetime | None = None
    _scan_offset: int = 0
    _scanned: set[str] = field(default_factory=set)
    _is_last_page: bool = True
    _scan_due_at: float = field(init=False)  # by the monotonic clock

    def __post_init__(self) -> None:
        self._put_off_scan()  # the very first poll reads the whole list anyway

    @property
    def scanning(self) -> bool:
        """Whether a full scan is under way, or due."""
        due = self.services.clock.monotonic() >= self._scan_due_at
        return due or self._scan_began_at is not None

    def _put_off_scan(self) -> None:
        full_scan = self.services.timeouts.full_scan
        self._scan_due_at = self.services.clock.monotonic() + full_scan

    async def newest(self) -> ListDelta:
        """Read newest first until a page says nothing new; return what is new, oldest first."""
        delta = ListDelta()
        async for rows in self.pages(Listing.NEWEST):
            page = await self.compare(rows)
            delta.extend(page)
            if not page:
                break
        delta.added.reverse()
        delta.changed.reverse()
        return delta

    async def handled(self) -> ListDelta:
        """Read handled tasks, newest first, until a page has nothing that is open here."""
        delta = ListDelta()
        if self.kind != "task":
            return delta  # of runs there is no such list
        async for rows in self.pages(Listing.HANDLED):
            states = await self.load_states(rows)
            open_rows = [row for row in rows if states.get(str(row.ref), ("", False))[1]]
            delta.changed += open_rows
            if not open_rows:
                break
        return delta

    async def full_scan(self) -> ListDelta:
        """Go on along the whole list; at its end, mark as stale what is open here and not in it."""
        if self._scan_began_at is None:
            now = self.services.clock.now()
            self._scan_offset, self._scanned, self._scan_began_at = 0, set(), now
        delta, pages, is_complete = ListDelta(), 0, True
        async for rows in self.pages(Listing.OLDEST, self._scan_offset):
            self._scanned |= {str(row.ref) for row in rows}
            delta.extend(await self.compare(rows))
            pages += 1
            self._scan_offset += PAGE
            is_complete = self._is_last_page
            if pages == PAGES_PER_POLL:
                break
        if not is_complete and self._scan_offset <= MAX_OFFSETS[self.kind]:
            return delta
        began_at, self._scan_began_at = self._scan_began_at, None
        self._put_off_scan()
        if not is_complete:  # SecMaster lists no more than this, so who knows what lies behind
            self.accepted_difference = await self.difference()
            return delta
        mark_missing = self.services.store.tracked.mark_missing
        await asyncio.to_thread(mark_missing, self.workspace, self.kind, self._scanned, began_at)
        # By so much its count differs from what it lists, whatever the reason.
        self.accepted_difference = self.total - len(self._scanned)
        return delta

    async def count_differs(self, *, refresh: bool = False) -> bool:
        """Return whether SecMaster's count and ours differ by what nothing has explained yet.

        ``refresh`` asks SecMaster for its count first: people decide meanwhile.
        """
        if refresh:
            await self.read_page(Listing.NEWEST, 0)
        return await self.difference() != self.accepted_difference

    async def difference(self) -> int:
        """Return by how much SecMaster's last count exceeds the number of objects open here."""
        tracked = self.services.store.tracked
        return self.total - await asyncio.to_thread(tracked.count, self.workspace, self.kind)

    # Pages.

    async def pages(self, listing: Listing, offset: int = 0) -> AsyncIterator[list[ListedRow]]:
        """Yield a list's pages, as far as SecMaster lists them."""
        while offset <= MAX_OFFSETS[self.kind]:
            yield await self.read_page(listing, offset)
            if self._is_last_page:
                return
            offset += PAGE
        log.warning("the list is longer than SecMaster returns", extra={"kind": self.kind})

    async def read_page(self, listing: Listing, offset: int) -> list[ListedRow]:
        """Read one page; note SecMaster's count of what is open, and whether it was the last."""
        client = self.services.workspaces.client(self.workspace)
        is_oldest = listing is Listing.OLDEST
        order, key = ("ASC", "create_time") if is_oldest else ("DESC", "update_time")
        snapshots: tuple[Snapshot, ...]
        match self.kind:
            case "task":
                is_handled = listing is Listing.HANDLED
                tasks = await client.list_tasks(
                    query_type=QueryType.ALL_HANDLED if is_handled else QueryType.MY_TODO,
                    sort_key=key,
                    sort_dir=order,
                    offset=offset,
                    limit=PAGE,
                )
                snapshots, total = tasks.tasks, tasks.total
            case "instance":
                runs = await client.list_workflow_instances(
                    status=InstanceStatus.FAILED,
                    sort_key=key,
                    sort_dir=order,
                    offset=offset,
                    limit=PAGE,
                )
                snapshots, total = runs.instances, runs.total
            case "playbook":  # it can't be sorted, and comes newest first
                playbook_runs = await client.list_playbook_instances(
                    status=PlaybookInstanceStatus.FAILED, offset=offset, limit=PAGE
                )
                snapshots, total = playbook_runs.instances, playbook_runs.total
            case _:
                assert_never(self.kind)
        self._is_last_page = len(snapshots) < PAGE
        if listing is not Listing.HANDLED:
            self.total = total
        rows = []
        for snapshot in snapshots:
            try:
                ref = Ref(kind=self.kind, workspace=self.workspace, id=snapshot.id)
            except ValidationError:  # an id that no button can carry
                log.warning("an object has no usable id", extra={"kind": self.kind})
                continue
            rows.append(ListedRow(ref, snapshot, rendered_fingerprint(snapshot)))
        return rows

    async def compare(self, rows: list[ListedRow]) -> ListDelta:
        """Return what of a page is new here, and what has changed."""
        states = await self.load_states(rows)
        delta = ListDelta()
        for row in rows:
            state = states.get(str(row.ref))
            if state is None:
                delta.added.append(row)
            elif state != (row.fingerprint, True):
                delta.changed.append(row)
        return delta

    async def load_states(self, rows: list[ListedRow]) -> dict[str, tuple[str, bool]]:
        """Return (fingerprint, whether it is open) for those of the rows that are tracked."""
        refs = [row.ref for row in rows]
        return await asyncio.to_thread(self.services.store.tracked.fingerprints, refs)
