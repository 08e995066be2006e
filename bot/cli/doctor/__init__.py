"""``secmaster-bot doctor``: what keeps this installation from working.

One module a part of the installation. `examination` has the table of all checks, and runs them.
"""

import asyncio
import logging
from typing import Annotated

import typer

from bot.cli.process import refuse


def doctor(
    listen: Annotated[  # noqa: FBT002
        bool, typer.Option("--listen", help="Wait for one request of Slack's, in the bot's place.")
    ] = False,
    within: Annotated[
        float, typer.Option(min=0.1, help="For how many seconds --listen waits.")
    ] = 300,
) -> None:
    """Check settings, policy, Slack, SecMaster, clocks and database; change nothing."""
    from bot.app import StartError
    from bot.cli.doctor.examination import examine
    from bot.cli.doctor.listen import listen_once

    # What is logged on the way is said by the check that meets it.
    logging.getLogger("bot").addHandler(logging.NullHandler())
    try:
        well = asyncio.run(listen_once(within) if listen else examine())
    except StartError as error:
        refuse(str(error))
    if not well:
        raise typer.Exit(1)
