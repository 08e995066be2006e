"""The command line: run · demo · doctor · policy · audit · manifest · sandbox."""

import asyncio
import json
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bot import __version__

if TYPE_CHECKING:
    from bot.policy.config import Config
    from bot.runtime.timeouts import Timeouts
    from bot.settings import Settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A traceback with its locals would show secrets.
    pretty_exceptions_enable=False,
    help="Run Huawei Cloud SecMaster from Slack.",
)
sandbox = typer.Typer(no_args_is_help=True, help="Run a local stand-in of one of the services.")
cli.add_typer(sandbox, name="sandbox")
audit = typer.Typer(no_args_is_help=True, help="Check or copy the record of who did what.")
cli.add_typer(audit, name="audit")
policy = typer.Typer(no_args_is_help=True, help="Ask the policy without Slack and SecMaster.")
cli.add_typer(policy, name="policy")

Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.")]
Database = Annotated[str, typer.Option(help="The bot's database; left out, that of the settings.")]
Policy = Annotated[Path, typer.Option("--config", help="The policy.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


@cli.command()
def run() -> None:
    """Run the bot with the settings of the environment and .env."""
    from bot import settings
    from bot.logs import open_log
    from bot.policy import config

    open_log()
    try:
        given = settings.load()
        rights = config.load(given.bot_config)
    except (settings.SettingsError, config.ConfigError) as wrong:
        _refuse(str(wrong))
    if not rights.rules:
        logging.getLogger("bot").warning(
            "%s allows nobody anything: people can look, and change nothing", given.bot_config
        )

    _main(serve(given, rights))


@cli.command()
def doctor() -> None:
    """Check settings, Slack, SecMaster, clocks and database; change nothing."""
    from bot.cli.doctor_checks import examine

    if not asyncio.run(examine()):
        raise typer.Exit(1)


@cli.command()
def manifest(
    url: Annotated[str, typer.Option(help="Where Slack reaches the bot: https://…")] = "",
    socket: Annotated[bool, typer.Option("--socket", help="For Socket Mode.")] = False,  # noqa: FBT002
    config_file: Annotated[Path, typer.Option("--config")] = Path("secmaster-bot.toml"),
) -> None:
    """Print the app manifest to paste into Slack."""
    from bot.policy import config
    from bot.slack.manifest import manifest as make

    if bool(url) == socket:
        _refuse("Give either --url https://… or --socket.")
    if url and not url.startswith("https://"):
        _refuse("Slack posts only to https:// addresses.")
    try:
        rights = config.load(config_file)
    except config.ConfigError as wrong:
        _refuse(str(wrong))
    typer.echo(json.dumps(make(rights, url), indent=2))


@cli.command()
def demo(
    slack_port: Port = 8600,
    secmaster_port: Port = 8610,
    once: Annotated[bool, typer.Option("--once", help="Play the story and leave.")] = False,  # noqa: FBT002
) -> None:
    """Play one story on local stand-ins of Slack and SecMaster, and stay up."""
    from bot.cli.demo_story import play
    from bot.logs import open_log

    open_log(logging.WARNING)
    _main(play(slack_port, secmaster_port, None if once else _until_told))


@audit.command("verify")
def audit_verify(
    noted: Annotated[str, typer.Option(help="A head written down earlier.")] = "",
    database: Database = "",
) -> None:
    """Find records that were changed, removed, inserted or moved."""
    from bot.cli.audit_report import Refused, verify

    try:
        whole = verify(database, noted)
    except Refused as wrong:
        _refuse(str(wrong))
    if not whole:
        raise typer.Exit(1)


@audit.command("export")
def audit_export(
    since: Annotated[str, typer.Option(help="2026-11-01, 2026-11-01T10:00 (UTC), 7d or 12h.")] = "",
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or md.")] = "jsonl",
    output: Annotated[Path | None, typer.Option(help="A new file to write to.")] = None,
    database: Database = "",
) -> None:
    """Copy the records, oldest first."""
    from bot.cli.audit_report import Refused, export

    try:
        export(form, database, since, output)
    except Refused as wrong:
        _refuse(str(wrong))


@policy.command("check")
def policy_check(
    cases: Annotated[Path, typer.Argument(help="A TOML file of cases.")],
    config_file: Policy = Path("secmaster-bot.toml"),
) -> None:
    """Hold the policy against cases that say what it must answer; a difference exits 1."""
    from bot.cli.policy_check import check
    from bot.policy.cases import CasesError
    from bot.policy.config import ConfigError

    try:
        met = check(cases, config_file)
    except (CasesError, ConfigError) as wrong:
        _refuse(str(wrong))
    if not met:
        raise typer.Exit(1)


@policy.command("explain")
def policy_explain(  # noqa: PLR0913, PLR0917 - each is an option
    user: Annotated[str, typer.Option(help="Slack member id.")],
    action: Annotated[str, typer.Option(help="Such as task.approve.")],
    task: Annotated[str, typer.Option(help="One of the cases' [tasks].")] = "",
    instance: Annotated[str, typer.Option(help="One of the cases' [instances].")] = "",
    workspace: Annotated[str, typer.Option(help="Where it is done.")] = "main",
    break_glass: Annotated[bool, typer.Option("--break-glass", help="Alone.")] = False,  # noqa: FBT002
    cases: Annotated[Path | None, typer.Option(help="A TOML file of cases.")] = None,
    config_file: Policy = Path("secmaster-bot.toml"),
) -> None:
    """Say whether somebody may do something, why, and who could; a no exits 1."""
    from bot.cli.policy_check import explain
    from bot.policy.cases import CasesError
    from bot.policy.config import ConfigError

    asked = {"user": user, "action": action, "workspace": workspace, "break_glass": break_glass}
    asked |= {key: name for key, name in {"task": task, "instance": instance}.items() if name}
    try:
        allowed = explain(asked, cases, config_file)
    except (CasesError, ConfigError) as wrong:
        _refuse(str(wrong))
    if not allowed:
        raise typer.Exit(1)


@sandbox.command("secmaster")
def sandbox_secmaster(host: Host = "127.0.0.1", port: Port = 8610) -> None:
    """A local SecMaster: AK demo-ak, SK demo-sk, project demo-project, workspace demo-workspace."""
    from bot.sandbox.secmaster import SecMasterSandbox

    _main(_serve(SecMasterSandbox(), host, port))


@sandbox.command("slack")
def sandbox_slack(
    host: Host = "127.0.0.1",
    port: Port = 8600,
    request_url: Annotated[
        str, typer.Option(help="Where to deliver; left out, only Socket Mode is served.")
    ] = "",
) -> None:
    """A local Slack: token xoxb-demo, app token xapp-demo, secret demo-signing-secret."""
    from bot.policy.config import Config
    from bot.sandbox.slack import SlackSandbox
    from bot.slack.manifest import manifest

    app = manifest(Config())
    _main(_serve(SlackSandbox(request_url=request_url or None, manifest=app), host, port))


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


async def serve(given: "Settings", rights: "Config", patience: "Timeouts | None" = None) -> None:
    """Run the bot until SIGINT or SIGTERM."""
    from bot.app import App

    log = logging.getLogger("bot")
    async with App(given, rights, patience) as app:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, app.reload)
        log.info("ready", extra={"url": app.url, "socket_mode": given.socket_mode})
        await _until_told()
        log.info("stopping")


async def _serve(service: Any, host: str, port: int) -> None:
    try:
        await service.start(host, port)
    except OSError as wrong:
        _refuse(f"{host}:{port} can't be listened on: {wrong}. Choose another with --port.")
    typer.echo(f"{service.url} (Ctrl-C stops it)")
    try:
        await _until_told()
    finally:
        await service.stop()


async def _until_told() -> None:
    """Wait for SIGINT or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()


def _main(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; what keeps it from starting is said in a sentence."""
    from aiohttp import ClientError
    from slack_sdk.errors import SlackApiError
    from sqlalchemy.exc import SQLAlchemyError

    from bot.app import StartError
    from bot.store import NameInUse, UnsupportedDatabase

    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(work)
    except SlackApiError as wrong:
        _refuse(f"Slack refused: {wrong.response.get('error')}. Run `secmaster-bot doctor`.")
    except (ClientError, TimeoutError) as wrong:
        _refuse(f"Slack can't be reached: {wrong}. Run `secmaster-bot doctor`.")
    except SQLAlchemyError as wrong:
        _refuse(f"The database can't be used: {type(wrong).__name__}. Check DATABASE_URL.")
    except NameInUse as wrong:
        _refuse(
            f"A bot named {wrong} is running on this database already. End it, or give this one "
            "another BOT_REPLICA."
        )
    except (StartError, UnsupportedDatabase) as wrong:
        _refuse(str(wrong))
    except OSError as wrong:
        _refuse(f"{wrong.strerror or wrong}.")


def _refuse(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(2)


def main() -> None:
    """Enter from the console script and from ``python -m bot``."""
    cli()


if __name__ == "__main__":
    main()
