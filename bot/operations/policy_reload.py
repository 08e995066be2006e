"""Reading the policy file again: the same by signal and by command."""

import asyncio
import logging
from typing import Any

from bot.messages.permissions import missing_read_rules, nobody_reads
from bot.policy.config import Config
from bot.services import Services

log = logging.getLogger(__name__)


def reload_policy(services: Services) -> Config:
    """Read the policy file again and return the policy that stood before; raises ConfigError.

    A file that can't be used leaves the policy before in force.
    """
    before = services.policy.reload()
    fingerprint = services.policy.current.fingerprint
    log.info("policy reloaded", extra={"before": before.fingerprint, "now": fingerprint})
    if unread := nobody_reads(services.policy.current):
        lines = missing_read_rules(services.policy.current)
        log.warning(unread, extra={"add_to_the_policy": lines})
    return before


async def record_reload(services: Services, record: dict[str, Any], before: Config) -> None:
    """Put a reload on record, and have everything that is open checked again.

    ``record`` says in the audit who asked for it; the reminders of what is open may be others now.
    """
    fingerprint = services.policy.current.fingerprint
    record = record | {"terms": {"policy": fingerprint}, "before": before.fingerprint}
    await asyncio.to_thread(services.store.audit.record, record)
    await asyncio.to_thread(services.store.tracked.reschedule_all, services.clock.now())
