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
def export(  # noqa: PLR0913, PLR0917 - an option each
    since: Annotated[
        str, typer.Option("--from", "--since", help="2026-11-01, 2026-11-01T10:00, 7d or 12h.")
    ] = "",
    until: Annotated[str, typer.Option(help="As --from; a day is in it as a whole.")] = "",
    person: Annotated[str, typer.Option(help="A Slack id, a name, or an e-mail.")] = "",
    object_: Annotated[
        str, typer.Option("--object", help="An id, a link, or a part of the name.")
    ] = "",
    action: Annotated[
        str, typer.Option(help="An action by its name or verb, or as delegate, reload.")
    ] = "",
    outcome: Annotated[str, typer.Option(help="done, refused, declined, expired, …")] = "",
    zone: Annotated[str, typer.Option(help="The zone of times, as Europe/Berlin.")] = "UTC",
    form: Annotated[str, typer.Option("--format", help="jsonl, csv, report or html.")] = "jsonl",
    bom: Annotated[bool, typer.Option(help="Begin a CSV with a BOM, for Excel.")] = True,  # noqa: FBT002
    delimiter: Annotated[
        str,
        typer.Option(help="Between a CSV's cells: ; for Excel in many European locales."),
    ] = ",",
    output: Annotated[Path | None, typer.Option(help="A new file to write to.")] = None,
    database: Database = "",
) -> None:
    """Copy the records, oldest first, or write a report of them."""
    from bot.cli import audit_report

    selection = audit_report.Selection(person, object_, action, outcome, since, until, zone)
    try:
        audit_report.export(form, database, selection, output, with_bom=bom, delimiter=delimiter)
    except audit_report.AuditUnavailable as error:
        refuse(str(error))
