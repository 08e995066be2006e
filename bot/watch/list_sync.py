"""SecMaster's lists, read so that a round costs a handful of requests however long they are.

A list is read newest first until a page says nothing new. Where SecMaster's count then differs
from ours, something left the list unseen: the list of what was handled tells most of it, and a
walk over the whole list, some pages a round, the rest. What a list can't tell, a look does.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from bot.domain.objects import ObjectKind, Ref
from bot.domain.snapshots import Snapshot, rendered_fingerprint
from bot.secmaster import InstanceStatus, QueryType
from bot.services import services

log = logging.getLogger(__name__)

PAGE = 100  # as many as SecMaster gives at once
LAST = 9900  # the highest offset of which it gives a whole page
WALKED = 25  # pages of a walk in one round


@dataclass(frozen=True, slots=True)
class ListedRow:
    """An object as a list has it, with the digest of that."""

    ref: Ref
    snapshot: Snapshot
    fingerprint: str


@dataclass(slots=True)
class ListDelta:
    """What a list says that was not known, oldest first."""

    added: list[ListedRow] = field(default_factory=list)
    changed: list[ListedRow] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed)


@dataclass(slots=True)
class ListSynchronizer:
    """The list of what waits in a workspace: tasks, or runs that failed.

    A walk goes on from round to round; ``explained`` is by how much SecMaster's count differs
    from ours though a whole walk found nothing missing.
    """

    workspace: str
    kind: ObjectKind
    total: int = 0
    accepted_difference: int = 0
    _offset: int = 0
    _found: set[str] = field(default_factory=set)
    _began: datetime | None = None
    _last: bool = True

    async def newest(self) -> ListDelta:
        """Read newest first until a page says nothing new."""
        news = ListDelta()
        async for rows in self._pages("newest"):
            page = await self._sorted(rows)
            news.added += page.added
            news.changed += page.changed
            if not page:
                break
        news.added.reverse()
        news.changed.reverse()
        return news

    async def count_differs(self, *, anew: bool = False) -> bool:
        """Whether SecMaster's count and ours differ by what nothing has explained yet.

        ``anew`` asks SecMaster once more: people decide between the two counts.
        """
        if anew:
            await self._page("newest", 0)
        return await self._difference() != self.accepted_difference

    async def handled(self) -> ListDelta:
        """Read what was handled, newest first, until a page has nothing that is open here."""
        news = ListDelta()
        if self.kind != "task":
            return news  # of runs there is no such list
        async for rows in self._pages("handled"):
            known = await self._known(rows)
            still = [row for row in rows if known.get(str(row.ref), ("", False))[1]]
            news.changed += still
            if not still:
                break
        return news

    async def full_scan(self) -> ListDelta:
        """Go on along the whole list; at its end what was not met is marked to be looked at."""
        store = services().store.tracked
        if self._began is None:
            self._offset, self._found, self._began = 0, set(), services().clock()
        news, pages, ended = ListDelta(), 0, True
        async for rows in self._pages("oldest", self._offset):
            self._found |= {str(row.ref) for row in rows}
            page = await self._sorted(rows)
            news.added += page.added
            news.changed += page.changed
            pages += 1
            self._offset += PAGE
            ended = self._last
            if pages == WALKED:
                break
        if not ended and self._offset <= LAST:
            return news
        began, self._began = self._began, None
        if not ended:  # SecMaster lists no more than this, so who knows what lies behind
            self.accepted_difference = await self._difference()
            return news
        mark = (self.workspace, self.kind, self._found, began)
        await asyncio.to_thread(store.mark_missing, *mark)
        # By so much its count differs from what it lists, whatever the reason.
        self.accepted_difference = self.total - len(self._found)
        return news

    @property
    def scanning(self) -> bool:
        return self._began is not None

    async def _difference(self) -> int:
        here = await asyncio.to_thread(services().store.tracked.count, self.workspace, self.kind)
        return self.total - here

    async def _pages(self, which: str, offset: int = 0) -> AsyncIterator[list[ListedRow]]:
        while offset <= LAST:
            rows = await self._page(which, offset)
            yield rows
            if self._last:
                return
            offset += PAGE
        log.warning("SecMaster lists no more than this", extra={"kind": self.kind})

    async def _page(self, which: str, offset: int) -> list[ListedRow]:
        client = services().secmaster[self.workspace]
        order = "ASC" if which == "oldest" else "DESC"
        key = "create_time" if which == "oldest" else "update_time"
        found: tuple[Snapshot, ...]
        if self.kind == "instance":
            runs = await client.list_workflow_instances(
                status=InstanceStatus.FAILED,
                sort_key=key,
                sort_dir=order,
                offset=offset,
                limit=PAGE,
            )
            found, total = runs.instances, runs.total
        else:
            kind = QueryType.ALL_HANDLED if which == "handled" else QueryType.MY_TODO
            tasks = await client.list_tasks(
                query_type=kind, sort_key=key, sort_dir=order, offset=offset, limit=PAGE
            )
            found, total = tasks.tasks, tasks.total
        self._last = len(found) < PAGE
        if which != "handled":
            self.total = total
        return [row for each in found if (row := self._row(each))]

    def _row(self, snapshot: Snapshot) -> ListedRow | None:
        try:
            ref = Ref(kind=self.kind, workspace=self.workspace, id=snapshot.id)
        except ValidationError:  # an id that no button can carry
            log.warning("an object has no usable id", extra={"kind": self.kind})
            return None
        return ListedRow(ref, snapshot, rendered_fingerprint(snapshot))

    async def _sorted(self, rows: list[ListedRow]) -> ListDelta:
        """What of a page is new, and what has changed."""
        known = await self._known(rows)
        news = ListDelta()
        for row in rows:
            before = known.get(str(row.ref))
            if before is None:
                news.added.append(row)
            elif before != (row.fingerprint, True):
                news.changed.append(row)
        return news

    async def _known(self, rows: list[ListedRow]) -> dict[str, tuple[str, bool]]:
        refs = [row.ref for row in rows]
        return await asyncio.to_thread(services().store.tracked.fingerprints, refs)
