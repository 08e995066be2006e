"""One policy for all replicas: who puts another in force records it, and the others follow.

Reading the policy file again is the same by signal and by command.
"""

import asyncio
import logging
import secrets
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.domain.audit import OPERATOR
from bot.messages.catalogue import Catalogue
from bot.messages.permissions import missing_read_rules, nobody_reads
from bot.policy.config import Config, ConfigError, PolicyHolder, parse
from bot.services import Services
from bot.store import Policies, PolicySource, RecordedPolicy

log = logging.getLogger(__name__)


class UnusablePolicy(Exception):
    """The policy in force can't be used by this version; the text says why, and what to do."""


def operator_record(at: datetime) -> dict[str, Any]:
    """Return the audit's record of a policy that an operator puts in force."""
    return {
        "at": at,
        "operation_id": secrets.token_hex(16),
        "outcome": "done",
        "action": "reload",
        "target": "policy",
        "actor": {"id": OPERATOR},
    }


async def reload_policy(services: Services, config: Config, record: dict[str, Any]) -> None:
    """Put a policy in force here and in every replica, on record, and check all that is open.

    ``record`` says in the audit who asked for it; the reminders of what is open may be others now.
    """
    policies, before = services.store.policies, services.policy.current
    entry = record | {"terms": {"policy": config.fingerprint}, "before": before.fingerprint}
    source = _source(config, record["at"], str(record["actor"]["id"]), services.replica)
    number = await asyncio.to_thread(policies.put_in_force, source, entry)
    if number is not None:  # otherwise it is followed as any other
        services.policy.unused_file = ""
        _put_in_force(services.policy, config, RecordedPolicy(number, source))
    await asyncio.to_thread(services.store.tracked.reschedule_all, services.clock.now())


def choose_policy(policies: Policies, holder: PolicyHolder, replica: str, now: datetime) -> None:
    """Put in force at a start what counts: this replica's file, or the last policy.

    A file that was never in force counts if the last policy came from a start as well. After a
    reload no file does by a start, nor does ever one that was in force and was replaced: whoever
    lost a right must not have it again because a process starts where an older file is. A policy
    that this version can't use is replaced by any file that was never in force.
    Raises UnusablePolicy. Blocks.
    """
    config, newest = holder.current, policies.newest()
    source = replace(_source(config, now, OPERATOR, replica), at_start=True)
    if newest is None:
        if config.text is not None:
            number = policies.put_in_force(source, None)
            holder.put_in_force(config, number or 0)
        return
    if config.text == newest.source.text or config.fingerprint == newest.source.fingerprint:
        holder.put_in_force(config, newest.number)
        return
    in_force, problems = _parse_recorded(newest)
    was_in_force = policies.was_in_force(config.fingerprint, config.text or "")
    is_new = config.text is not None and not was_in_force
    if is_new and (newest.source.at_start or in_force is None):
        facts = {"terms": {"policy": config.fingerprint}, "before": newest.source.fingerprint}
        entry = operator_record(now) | facts
        number = policies.put_in_force(source, entry, before=newest.number)
        if number is None:  # another was put in force meanwhile, and may be a reload
            choose_policy(policies, holder, replica, now)
            return
        holder.put_in_force(config, number)
        log.info(
            "the policy file is new, and in force for all replicas",
            extra={"before": newest.source.fingerprint, "now": config.fingerprint},
        )
        return
    if in_force is None:
        raise UnusablePolicy(
            f"The policy that was put in force last ({newest.source.fingerprint}) can't be used by "
            f"this version, and the policy file is older. Write a new one: what was never in "
            f"force is used at the start.\n{problems}"
        )
    _warn_of_file(config, newest, was_in_force=was_in_force)
    holder.unused_file = "" if config.text is None else config.fingerprint
    holder.put_in_force(in_force, newest.number)


def _warn_of_file(config: Config, newest: RecordedPolicy, *, was_in_force: bool) -> None:
    """Say in the log why this replica's file does not count, and how it is put in force."""
    if config.text is None:
        sentence = "the policy file is not there, so the last policy in force counts"
    elif was_in_force:
        sentence = (
            "the policy file was replaced since it was in force, so the last policy in force counts"
        )
    else:
        sentence = (
            "the policy file is another than the policy that was reloaded last, which counts until "
            "the file is reloaded"
        )
    details = {
        "file": config.fingerprint,
        "in_force": newest.source.fingerprint,
        **_by(newest),
        "to_use_the_file": "send this process SIGHUP, or use /secmaster reload on it",
    }
    log.warning(sentence, extra=details)


def _parse_recorded(recorded: RecordedPolicy) -> tuple[Config | None, str]:
    """Return a policy that was put in force, or None and why this version can't use it."""
    try:
        return parse(recorded.source.text, "the policy in force"), ""
    except ConfigError as error:
        return None, str(error)


class PolicyFollower:
    """Puts in force here what another replica has put in force."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._unusable = 0  # the number of a policy that this version can't use
        self._is_cut_off = False

    async def run(self) -> None:
        """Look now and at regular times; never ends."""
        services = self._services
        while True:
            try:
                await self.follow()
            except Exception as error:  # noqa: BLE001 - the database will be back
                if not self._is_cut_off:
                    extra = {"error": str(error)}
                    log.warning("it can't be looked up which policy is in force", extra=extra)
                self._is_cut_off = True
            else:
                self._is_cut_off = False
            await services.clock.sleep(services.timeouts.follow_policy)

    async def follow(self) -> None:
        """Put the last policy in force, unless it is; one that can't be used leaves the other."""
        services, policies = self._services, self._services.store.policies
        number = await asyncio.to_thread(policies.newest_number)
        if number <= services.policy.number or number == self._unusable:
            return
        newest = await asyncio.to_thread(policies.newest)
        if newest is None:
            return
        config, problems = _parse_recorded(newest)
        if config is None:
            self._unusable = newest.number
            log.error(
                "the policy that another replica put in force can't be used here: the one before "
                "stays in force, and people may have other rights here than there",
                extra={
                    "in_force": newest.source.fingerprint,
                    "here": services.policy.current.fingerprint,
                    "problems": problems,
                    **_by(newest),
                },
            )
            return
        _put_in_force(services.policy, config, newest)
        await asyncio.to_thread(services.store.tracked.reschedule_all, services.clock.now())


def _put_in_force(holder: PolicyHolder, config: Config, recorded: RecordedPolicy) -> None:
    """Put a policy in force in this process, and say so in the log; an older one is ignored.

    Between reading a policy and this, a later one may have been put in force here.
    """
    if recorded.number <= holder.number:
        return
    before = holder.current
    holder.put_in_force(config, recorded.number)
    extra = {"before": before.fingerprint, "now": config.fingerprint, **_by(recorded)}
    log.info("policy reloaded", extra=extra)
    if (before.commands, before.watch.every) != (config.commands, config.watch.every):
        log.warning("what changed of [commands] or of [watch] every needs a restart")
    if unread := nobody_reads(Catalogue.english(), config):
        log.warning(unread, extra={"add_to_the_policy": missing_read_rules(config)})


def _source(config: Config, at: datetime, actor_id: str, replica: str) -> PolicySource:
    return PolicySource(config.text or "", config.fingerprint, at, actor_id, replica)


def _by(recorded: RecordedPolicy) -> dict[str, str]:
    """Return who put a policy in force, when and where."""
    source = recorded.source
    return {"by": source.actor_id, "at": source.at.isoformat(), "replica": source.replica}
