"""Attach to an object what SecMaster knows around it: as it is stored, or read anew.

Everything that shows an object, asks the policy about it or compares it gets it with its evidence
from here, so that all of them speak of one reading.
"""

import asyncio
import logging

from bot.domain.actions import Action
from bot.domain.evidence import OBJECT_TTL, Subject, finding_id, may_pass, unread_by
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot, with_evidence, without_evidence
from bot.policy.config import Config
from bot.policy.rules import asks_evidence
from bot.secmaster import PlaybookInstance, SecMasterError, Task, Unread
from bot.services import Services
from bot.slack.cards import IncompleteCards

log = logging.getLogger(__name__)


async def read_object(services: Services, ref: Ref) -> Snapshot:
    """Read an object, with what is stored around it; raises SecMasterError."""
    return await attach_stored(services, ref, await services.workspaces.read(ref))


async def attach_stored(services: Services, ref: Ref, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with what is stored around its object, unless it has evidence."""
    if snapshot.evidence:
        return snapshot
    attached = await asyncio.to_thread(services.store.evidence.attach, {ref: snapshot})
    return attached[ref]


async def attach_recent(services: Services, ref: Ref, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with what is known around its object, read up to a minute ago.

    Where it can't be read in time for somebody who waits, it is what is stored.
    """
    snapshot = await attach_stored(services, ref, snapshot)
    if is_recent(services, snapshot):
        return snapshot
    try:
        async with asyncio.timeout(services.timeouts.read):
            evidence = await services.evidence.read(ref.workspace, snapshot)
    except TimeoutError:
        return snapshot
    saved = await asyncio.to_thread(
        services.store.evidence.save, ref, evidence, services.clock.now()
    )
    if saved.changed:
        services.cards.incomplete.put_nowait(IncompleteCards(ref))
    return snapshot.model_copy(update={"evidence": saved.evidence})


async def attach_fresh(services: Services, ref: Ref, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with what SecMaster says now around its object, for a decision.

    What can't be read is missing from it, whatever is stored.
    """
    evidence = await services.evidence.read(ref.workspace, snapshot, fresh=True)
    saved = await asyncio.to_thread(
        services.store.evidence.save, ref, evidence, services.clock.now()
    )
    if saved.changed:
        services.cards.incomplete.put_nowait(IncompleteCards(ref))
    return without_evidence(snapshot).model_copy(update={"evidence": evidence})


async def attach_for_decision(
    services: Services, action: Action, ref: Ref, snapshot: Snapshot
) -> tuple[Snapshot, Config]:
    """Return a snapshot with what a decision is made on, and the policy that it was read for.

    Read anew only where a rule asks for it; and once more where the policy was reloaded meanwhile,
    since that one's rules may ask for it.
    """
    while True:
        config = services.policy.current
        attach = attach_fresh if asks_evidence(config.rules, action) else attach_stored
        snapshot = await attach(services, ref, snapshot)
        if services.policy.current is config:
            return snapshot, config


async def attach_listed(services: Services, ref: Ref, snapshot: Snapshot) -> Snapshot:
    """Return an object of a list with what SecMaster knows around it, which is stored.

    What was read up to a minute ago is as good. A list may leave out what a run is about: such a
    run is read before, and where it can't be, that is in ``unread``.
    """
    unread: tuple[Unread, ...] = ()
    if not isinstance(snapshot, Task) and not finding_id(snapshot):
        try:
            snapshot = await services.workspaces.read(ref)
        except SecMasterError as error:
            log.warning("run not read", extra={"ref": str(ref), "error": str(error)})
            is_playbook = isinstance(snapshot, PlaybookInstance)
            unread = (unread_by(Subject.PLAYBOOK_RUN if is_playbook else Subject.RUN, error),)
    evidence = await services.evidence.read(ref.workspace, snapshot)
    evidence = evidence.model_copy(update={"unread": (*unread, *evidence.unread)})
    now = services.clock.now()
    saved = await asyncio.to_thread(services.store.evidence.save, ref, evidence, now)
    return with_evidence(without_evidence(snapshot), saved.evidence)


def is_all_read(snapshot: Snapshot) -> bool:
    """Return whether nothing around an object may be read yet that could not be read before."""
    evidence = snapshot.evidence
    return evidence is not None and not any(map(may_pass, evidence.unread))


def is_recent(services: Services, snapshot: Snapshot) -> bool:
    """Return whether what is known around an object was read in the last minute."""
    evidence = snapshot.evidence
    if evidence is None or evidence.read_at is None or evidence.unread:
        return False
    return (services.clock.now() - evidence.read_at).total_seconds() <= OBJECT_TTL
