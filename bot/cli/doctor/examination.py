"""Check an installation part by part, and say what is wrong with it and what to do; change nothing.

A check takes the installation and returns its results. A new one is a function, and its row here.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

from rich.console import Console

from bot.cli.doctor.channels import check_channels
from bot.cli.doctor.database import check_database
from bot.cli.doctor.network import check_network
from bot.cli.doctor.people import check_approvals, check_people
from bot.cli.doctor.policy import check_policy
from bot.cli.doctor.ports import check_ports
from bot.cli.doctor.results import Result, State, failed, ok, outcome, print_result
from bot.cli.doctor.secmaster import check_clock, check_rights, check_secmaster
from bot.cli.doctor.slack import (
    check_delivery,
    check_organisation,
    check_scopes,
    check_slack,
)
from bot.cli.doctor.subject import Subject
from bot.settings import Settings, SettingsError
from bot.settings import load as load_settings

Check = Callable[[Subject], Awaitable[Iterable[Result]]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("network", check_network),
    ("policy", check_policy),
    ("Slack", check_slack),
    ("scopes", check_scopes),
    ("organisation", check_organisation),
    ("people", check_people),
    ("channels", check_channels),
    ("approvals", check_approvals),
    ("way in", check_delivery),
    ("port", check_ports),
    ("SecMaster", check_secmaster),
    ("rights", check_rights),
    ("clock", check_clock),
    ("database", check_database),
)


async def examine(console: Console | None = None) -> bool:
    """Print what each check comes to, and return whether all is well."""
    console = console or Console()
    settings = usable_settings(console)
    if settings is None:
        return False
    print_result(console, "settings", ok("complete"))
    well = True
    unchecked: defaultdict[str, list[str]] = defaultdict(list)  # the names of checks, by reason
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        subject = Subject(settings, stack)
        running = [(name, group.create_task(outcome(check(subject)))) for name, check in CHECKS]
        for name, task in running:
            for result in await task:
                if result.state is State.NOT_CHECKED:
                    unchecked[result.sentence].append(name)
                else:
                    print_result(console, name, result)
                well = well and result.is_well
    for reason, names in unchecked.items():
        result = Result(State.NOT_CHECKED, f"{reason}: {', '.join(names)}")
        print_result(console, "not checked", result)
    return well


def usable_settings(console: Console) -> Settings | None:
    """Return the settings; None where they can't be used, after a line for each problem."""
    try:
        return load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            print_result(console, "settings", failed(line))
        return None
