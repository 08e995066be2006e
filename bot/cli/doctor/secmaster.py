"""Check SecMaster: its address, the credentials, the ids, and its clock."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from bot.cli.doctor.results import CheckFailed, Result, ok
from bot.cli.doctor.subject import Subject
from bot.messages.secmaster_access import access_problem
from bot.runtime.clock import Clock
from bot.secmaster import SecMasterError, open_http
from bot.secmaster.connect import open_secmaster, read_first
from bot.secmaster.replies import SECMASTER, broken

MAX_CLOCK_SKEW = 60.0  # seconds; the gateway refuses signatures more than 15 minutes off


async def check_secmaster(subject: Subject) -> list[Result]:
    """Read one task: it needs the address, the credentials, the ids and the right to read."""
    settings, endpoint = subject.settings, subject.settings.endpoint
    async with AsyncExitStack() as stack:
        try:
            client = await open_secmaster(settings, stack, Clock().now)
            page = await read_first(client)
        except SecMasterError as error:
            raise CheckFailed(access_problem(error, settings)) from error
        except ValueError as error:
            raise CheckFailed(f"{endpoint} can't be read: {error}") from error
    return [ok(f"{endpoint}, {page.total} tasks waiting")]


async def check_clock(subject: Subject) -> list[Result]:
    """Compare this machine's clock with SecMaster's: a signature carries the time."""
    settings = subject.settings
    route = settings.secmaster_network.route(settings.endpoint)
    try:
        async with open_http(route=route) as http:
            date = (await http.get(settings.endpoint)).headers.get("Date")
    except httpx.HTTPError as error:
        peer = SECMASTER.at(settings.endpoint, route)
        raise CheckFailed(f"SecMaster's clock can't be read: {broken(error, peer)}") from error
    if not date:
        return [ok("SecMaster tells no time")]
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if skew > MAX_CLOCK_SKEW:
        raise CheckFailed(f"this machine's clock is {skew:.0f} s off SecMaster's: synchronise it")
    return [ok(f"{skew:.0f} s off SecMaster's")]
