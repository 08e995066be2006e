"""``secmaster-bot demo``: one story on local stand-ins of both services."""

from typing import Annotated

import typer

from bot.cli.process import run_to_end, until_stopped
from bot.cli.sandbox import Port


def demo(
    slack_port: Port = 8600,
    secmaster_port: Port = 8610,
    once: Annotated[bool, typer.Option("--once", help="Play the story and leave.")] = False,  # noqa: FBT002
) -> None:
    """Play one story on local stand-ins of Slack and SecMaster, and stay up."""
    from bot.cli.demo_story import play
    from bot.logs import open_log

    open_log("warning")
    run_to_end(play(slack_port, secmaster_port, None if once else until_stopped))
