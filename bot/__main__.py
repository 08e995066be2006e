"""The command line: run · demo · doctor · policy · audit · operations · manifest · sandbox."""

from typing import Annotated

import typer

from bot import __version__
from bot.cli.audit import audit
from bot.cli.demo import demo
from bot.cli.doctor import doctor
from bot.cli.manifest import manifest
from bot.cli.operations import operations
from bot.cli.policy import policy
from bot.cli.run import run
from bot.cli.sandbox import sandbox

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A traceback with its locals would show secrets.
    pretty_exceptions_enable=False,
)


def print_version(value: bool) -> None:  # noqa: FBT001 - typer passes it so
    """Print the version and end, where the option is given."""
    if value:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def options(
    version: Annotated[  # noqa: FBT002 - its callback does all
        bool,
        typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True),
    ] = False,
) -> None:
    """Run Huawei Cloud SecMaster from Slack."""


for command in (run, doctor, manifest, demo):
    cli.command()(command)


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


groups = {"sandbox": sandbox, "audit": audit, "operations": operations, "policy": policy}
for name, group in groups.items():
    cli.add_typer(group, name=name)


def main() -> None:
    """Enter from the console script and from ``python -m bot``."""
    cli()


if __name__ == "__main__":
    main()
