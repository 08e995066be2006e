"""Check SecMaster: its address, the credentials, the ids, each right to read, and its clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TypeVar

import httpx

from bot.cli.doctor.results import CheckFailed, NotChecked, Result, failed, note, ok
from bot.cli.doctor.subject import SECMASTER_UNREAD, Subject
from bot.messages.secmaster_access import error_details
from bot.policy.config import Config
from bot.policy.evidence import ASSET_KEYS, FINDING_KEYS, RESOURCE_KEYS
from bot.secmaster import (
    Forbidden,
    NotRouted,
    Refused,
    SecMaster,
    SecMasterError,
    open_http,
)
from bot.secmaster.rights import (
    LIST_INSTANCES,
    LIST_PLAYBOOK_INSTANCES,
    LIST_TASKS,
    RIGHTS,
    SEARCH_POLICY_RECORDS,
    SHOW_ALERT,
    SHOW_DATAOBJECT,
    SHOW_INCIDENT,
    SHOW_INSTANCE,
    SHOW_PLAYBOOK,
    SHOW_PLAYBOOK_INSTANCE,
    SHOW_PLAYBOOK_TOPOLOGY,
    SHOW_PLAYBOOK_VERSION,
    SHOW_RESOURCE,
    SHOW_TASK,
    SHOW_WORKFLOW,
    SHOW_WORKFLOW_VERSION,
    Access,
    Right,
)

T = TypeVar("T")

NOTHING = "00000000-0000-0000-0000-000000000000"  # an id that no object has
MAX_CLOCK_SKEW = 60.0  # seconds; the gateway refuses signatures more than 15 minutes off


async def check_secmaster(subject: Subject) -> list[Result]:
    """Read one task: it needs the address, the credentials, the ids and the right to read."""
    access = await subject.secmaster.get()
    if access.refusal:
        return [failed(f"{access.refusal}. Without listing tasks {LIST_TASKS.loss}")]
    return [ok(f"{subject.settings.endpoint}, {access.total} tasks waiting")]


async def check_rights(subject: Subject) -> list[Result]:
    """Use each other right to read once, and say what is lost without those that are missing."""
    access = await subject.secmaster.need()
    client, trial = access.client, Trial()
    page = await trial.use(LIST_INSTANCES, partial(client.list_workflow_instances, limit=1))
    task = next(iter(access.tasks), None)
    instance = next(iter(page.instances), None) if page else None
    await trial.use(SHOW_TASK, partial(client.show_task, task.id) if task else None)
    show_instance = partial(client.show_workflow_instance, instance.id) if instance else None
    await trial.use(SHOW_INSTANCE, show_instance)
    asked_for = rights_asked_for(await subject.policy_or_none())
    reads = reads_around(client).items()
    notes = await asyncio.gather(
        *(_missed(right, call, is_asked_for=right in asked_for) for right, call in reads)
    )
    written = [right.purpose for right in RIGHTS if right.access is Access.WRITE]
    results = trial.results or [ok("what there is can be listed and read")]
    if trial.untried:
        results.append(note(f"not tried, with nothing to read: {'; '.join(trial.untried)}"))
    results += filter(None, notes)
    return [*results, note(f"can't be tried without writing: {'; '.join(written)}")]


def reads_around(client: SecMaster) -> dict[Right, Callable[[], Awaitable[object]]]:
    """Return a cheap read for each right that the bot can do without, mostly of no object.

    SecMaster says that there is no such object only to who may read it.
    """
    return {
        SHOW_ALERT: partial(client.show_alert, NOTHING),
        SHOW_INCIDENT: partial(client.show_incident, NOTHING),
        SHOW_DATAOBJECT: partial(client.show_dataobject, "indicators", NOTHING),
        SHOW_RESOURCE: partial(client.show_resource, NOTHING),
        SHOW_WORKFLOW: partial(client.show_workflow, NOTHING),
        SHOW_WORKFLOW_VERSION: partial(client.show_workflow_version, NOTHING),
        SHOW_PLAYBOOK: partial(client.show_playbook, NOTHING),
        SHOW_PLAYBOOK_VERSION: partial(client.show_playbook_version, NOTHING),
        LIST_PLAYBOOK_INSTANCES: partial(client.list_playbook_instances, limit=1),
        SHOW_PLAYBOOK_INSTANCE: partial(client.show_playbook_instance, NOTHING),
        SHOW_PLAYBOOK_TOPOLOGY: partial(client.show_playbook_topology, NOTHING),
        SEARCH_POLICY_RECORDS: partial(client.search_policy_records, {}, limit=1),
    }


def rights_asked_for(policy: Config) -> set[Right]:
    """Return the rights without which rules of the policy refuse, as they ask for what is read."""
    keys = {key for rule in policy.rules for key in rule.when.object_keys}
    rights: set[Right] = set()
    if not keys.isdisjoint({*FINDING_KEYS, *ASSET_KEYS}):
        rights |= {SHOW_ALERT, SHOW_INCIDENT}
    if not keys.isdisjoint(RESOURCE_KEYS):
        rights.add(SHOW_RESOURCE)
    if "workflow_kind" in keys:
        rights.add(SHOW_WORKFLOW)
    return rights


async def _missed(
    right: Right, call: Callable[[], Awaitable[object]], *, is_asked_for: bool
) -> Result | None:
    """Say what is lost where a right that the bot can do without can't be used.

    It fails where a rule of the policy asks for what is read by it.
    """
    try:
        await call()
    except SecMasterError as error:
        if isinstance(error, Refused) and not isinstance(error, Forbidden | NotRouted):
            return None  # by SecMaster itself, which found nothing: it was let in
        missing = _missing(right, error)
        if is_asked_for:
            return failed(f"{missing}, and rules of the policy that ask for it refuse")
        return note(missing)
    return None


class Trial:
    """Uses rights, and collects what is wrong with them and which could not be used."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.untried: list[str] = []

    async def use(self, right: Right, call: Callable[[], Awaitable[T]] | None) -> T | None:
        """Return the answer to a call that needs a right; None where there is none."""
        if call is None:
            self.untried.append(right.purpose)
            return None
        try:
            return await call()
        except SecMasterError as error:
            self.results.append(failed(_missing(right, error)))
        return None


def _missing(right: Right, error: SecMasterError) -> str:
    """Say that a right could not be used, why, and what is lost."""
    if isinstance(error, Forbidden):
        action = f"give the credential {right.action}" if right.action else "give the right to it"
        problem = f"is refused ({error_details(error)}): {action}"
    elif isinstance(error, NotRouted):
        problem = f"does not exist in this region ({error_details(error)})"
    else:
        problem = f"failed ({error_details(error)})"
    return f"{right.purpose} {problem}. Without it {right.loss}"


async def check_clock(subject: Subject) -> list[Result]:
    """Compare this machine's clock with SecMaster's: a signature carries the time."""
    settings = subject.settings
    route = settings.secmaster_network.route(settings.endpoint)
    try:
        async with open_http(route=route) as http:
            date = (await http.get(settings.endpoint)).headers.get("Date")
    except httpx.HTTPError as error:  # the first read says why
        raise NotChecked(SECMASTER_UNREAD) from error
    if not date:
        return [ok("SecMaster tells no time")]
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if skew > MAX_CLOCK_SKEW:
        raise CheckFailed(f"this machine's clock is {skew:.0f} s off SecMaster's: synchronise it")
    return [ok(f"{skew:.0f} s off SecMaster's")]
