"""``secmaster-bot operations``: what has not ended, and how it is freed."""

import getpass
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.process import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.cli.unfinished import UnfinishedOperations

Reference = Annotated[str, typer.Argument(help="The ref in its thread, or its whole id.")]
Database = Annotated[str, typer.Option(help="The bot's database; left out, that of the settings.")]

operations = typer.Typer(no_args_is_help=True, help="Find and free operations that hang.")


@operations.command("list")
def list_all(database: Database = "") -> None:
    """List the operations that have not ended, oldest first."""
    with _unfinished(database) as unfinished:
        items = unfinished.all()
    for item in items:
        typer.echo(str(item))
    if not items:
        typer.echo("Nothing waits.")


@operations.command()
def show(reference: Reference, database: Database = "") -> None:
    """Show one, with the steps that are on record."""
    with _unfinished(database) as unfinished:
        item = unfinished.find(reference)
        steps = unfinished.steps(item)
    typer.echo(f"{item}\nid {item.operation.id}")
    for name, result in steps:
        typer.echo(f"  {name}: {result}")


@operations.command()
def retry(reference: Reference, database: Database = "") -> None:
    """Have one carried on: by a bot that runs, or at its next start."""
    with _unfinished(database) as unfinished:
        unfinished.retry(unfinished.find(reference))
    typer.echo(f"{reference} is carried on by a bot that runs, or at its next start.")


@operations.command()
def give_up(
    reference: Reference,
    by: Annotated[str, typer.Option(help="Who gives it up, for the audit.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Also while it runs.")] = False,  # noqa: FBT002
    database: Database = "",
) -> None:
    """End one as unknown: what it holds is free, and its thread is told."""
    with _unfinished(database) as unfinished:
        item = unfinished.find(reference)
        if force and (seconds := unfinished.seconds_to_stop(item)):
            typer.echo(f"Waiting for {seconds:.0f} s, by when it can write no more.")
        unfinished.give_up(item, by or getpass.getuser(), force=force)
    typer.echo(f"{reference} is given up, and what it held is free. Its thread will be told.")


@contextmanager
def _unfinished(database: str) -> "Iterator[UnfinishedOperations]":
    """Open the operations; what can't be done ends the command with a sentence."""
    from bot.cli.unfinished import CannotFree, open_unfinished

    try:
        with open_unfinished(database) as unfinished:
            yield unfinished
    except CannotFree as error:
        refuse(str(error))
