"""``secmaster-bot doctor``: what keeps this installation from working."""

import asyncio

import typer


def doctor() -> None:
    """Check settings, Slack, SecMaster, clocks and database; change nothing."""
    from bot.cli.doctor_checks import examine

    if not asyncio.run(examine()):
        raise typer.Exit(1)
