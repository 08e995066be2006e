"""The SecMaster workspaces that the bot serves, by the aliases that references carry."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.secmaster import (
    AnswerLost,
    NotFound,
    PlaybookInstance,
    SecMaster,
    SecMasterError,
    Unavailable,
    Unreachable,
)


@dataclass(frozen=True, slots=True)
class Workspaces:
    """Each workspace's client, and the name that people know it by.

    ``answered`` is set whenever SecMaster has answered a read: who leaves it alone for a while, for
    it was in trouble, need not any longer.
    """

    clients: Mapping[str, SecMaster]
    names: Mapping[str, str]
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def __contains__(self, alias: str) -> bool:
        return alias in self.clients

    def __iter__(self) -> Iterator[str]:
        return iter(self.clients)

    def client(self, alias: str) -> SecMaster:
        """Return a workspace's client; raises NotFound: an old card may name one that is gone."""
        try:
            return self.clients[alias]
        except KeyError:
            raise NotFound(f"the workspace {alias} is not configured here") from None

    async def read(self, ref: Ref, *, needs_topology: bool = False) -> Snapshot:
        """Read an object as SecMaster has it now; raises SecMasterError.

        A run of a playbook comes with its topology, where that can be read. ``needs_topology``:
        what keeps it from being read and may pass is raised, as for the run itself.
        """
        client = self.client(ref.workspace)
        snapshot: Snapshot
        match ref.kind:
            case "task":
                snapshot = await client.show_task(ref.id)
            case "instance":
                snapshot = await client.show_workflow_instance(ref.id)
            case "playbook":
                snapshot = await _read_playbook_instance(
                    client, ref.id, needs_topology=needs_topology
                )
            case _:
                assert_never(ref.kind)
        self.answered.set()
        return snapshot

    def name(self, alias: str) -> str:
        """Return what people call a workspace."""
        return self.names.get(alias, alias)

    def all_names(self, alias: str) -> frozenset[str]:
        """Return every name that the policy may know a workspace by."""
        return frozenset({alias, self.name(alias)})


async def _read_playbook_instance(
    client: SecMaster, instance_id: str, *, needs_topology: bool
) -> PlaybookInstance:
    """Read a playbook instance, then its topology: a right that is missing holds nothing up."""
    run = await client.show_playbook_instance(instance_id)
    try:
        actions = await client.show_playbook_topology(instance_id)
    except SecMasterError as error:
        if needs_topology and isinstance(error, Unreachable | AnswerLost | Unavailable):
            raise
        return run
    return run.model_copy(update={"actions": tuple(actions)})
