"""Read SecMaster's objects for one person: what the policy does not let them read stays here.

Whatever shows a person something of a task or an instance asks a ``Reader`` for it. No answer of
the policy means no, and where a whole kind is refused SecMaster is not even asked.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.domain.actions import Action
from bot.domain.objects import ObjectKind, Ref
from bot.domain.slack import Actor
from bot.domain.snapshots import ListPage, Snapshot
from bot.policy.config import Config
from bot.policy.decide import (
    Allowed,
    Decision,
    PolicyContext,
    Principal,
    ReadScope,
    Refused,
    decide_read,
    read_scope,
)
from bot.policy.rules import READS
from bot.secmaster import SecMaster
from bot.services import Services
from bot.slack.directory import LookupFailed

# Rows of a list that are looked through for somebody whose right depends on the object.
MAX_ROWS = 1000
MAX_LIMIT = 100  # rows that SecMaster lists at once

# One request of a list: the client, the offset and the limit; returns rows and SecMaster's total.
Listing = Callable[[SecMaster, int, int], Awaitable[tuple[Sequence[Snapshot], int]]]


class ReadRefused(Exception):
    """The policy does not let a person read an object, or anything of its kind."""

    def __init__(self, kind: ObjectKind, refused: Refused) -> None:
        super().__init__(kind, refused)
        self.kind = kind
        self.refused = refused


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
        snapshot = await read(ref)
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
            return ListPage(rows[:size], total)
        rows, total = await listing(client, 0, MAX_LIMIT)
        self.services.workspaces.answered.set()
        listed = {row.id: row for row in rows}
        for first in range(MAX_LIMIT, min(total, MAX_ROWS), MAX_LIMIT):
            rows, _ = await listing(client, first, MAX_LIMIT)
            listed |= {row.id: row for row in rows}  # one may have moved to this request's rows
        readable = [
            row
            for row in listed.values()
            if isinstance(self._decide(kind, workspace, row), Allowed)
        ]
        return ListPage(
            readable[offset : offset + size],
            len(readable),
            restricted=True,
            looked_through=MAX_ROWS if total > MAX_ROWS else None,
        )

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
