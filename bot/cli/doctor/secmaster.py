"""Check SecMaster: its address, the credentials, the ids, each right to read, and its clock."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TypeVar

import httpx

from bot.cli.doctor.results import CheckFailed, NotChecked, Result, failed, note, ok
from bot.cli.doctor.subject import SECMASTER_UNREAD, Subject
from bot.messages.secmaster_access import error_details
from bot.secmaster import Forbidden, SecMasterError, open_http
from bot.secmaster.rights import (
    LIST_INSTANCES,
    LIST_TASKS,
    RIGHTS,
    SHOW_INSTANCE,
    SHOW_TASK,
    Access,
    Right,
)

T = TypeVar("T")

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
    written = [right.purpose for right in RIGHTS if right.access is Access.WRITE]
    results = trial.results or [ok("what there is can be listed and read")]
    if trial.untried:
        results.append(note(f"not tried, with nothing to read: {'; '.join(trial.untried)}"))
    return [*results, note(f"can't be tried without writing: {'; '.join(written)}")]


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
