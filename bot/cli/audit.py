"""``secmaster-bot audit``: whether the audit is whole, its signature, and a copy of it."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.process import refuse

Noted = Annotated[str, typer.Option(help="A head written down earlier.")]
Database = Annotated[str, typer.Option(help="The bot's database; left out, that of the settings.")]

audit = typer.Typer(no_args_is_help=True, help="Check or copy the record of who did what.")


@audit.command()
def verify(noted: Noted = "", database: Database = "") -> None:
    """Find records that were changed, removed, inserted or moved."""
    from bot.cli import audit_report

    try:
        whole = audit_report.verify(database, noted)
    except audit_report.AuditUnavailable as error:
        refuse(str(error))
    if not whole:
        raise typer.Exit(1)


@audit.command()
def sign(noted: Noted = "", database: Database = "") -> None:
    """Sign the head with AUDIT_KEY, if all records are whole: for a new key."""
    from bot.cli import audit_report

    try:
        whole = audit_report.sign(database, noted)
    except audit_report.AuditUnavailable as error:
        refuse(str(error))
    if not whole:
        raise typer.Exit(1)


@audit.command()
def export(
    since: Annotated[str, typer.Option(help="2026-11-01, 2026-11-01T10:00 (UTC), 7d or 12h.")] = "",
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or md.")] = "jsonl",
    output: Annotated[Path | None, typer.Option(help="A new file to write to.")] = None,
    database: Database = "",
) -> None:
    """Copy the records, oldest first."""
    from bot.cli import audit_report

    try:
        audit_report.export(form, database, since, output)
    except audit_report.AuditUnavailable as error:
        refuse(str(error))
