"""``secmaster-bot sandbox``: a local stand-in of one of the services, until it is stopped."""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.process import refuse, run_to_end, until_stopped

if TYPE_CHECKING:
    from bot.sandbox.secmaster import SecMasterSandbox
    from bot.sandbox.slack import SlackSandbox

Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]

sandbox = typer.Typer(no_args_is_help=True, help="Run a local stand-in of one of the services.")


@sandbox.command()
def secmaster(host: Host = "127.0.0.1", port: Port = 8610) -> None:
    """A local SecMaster: AK demo-ak, SK demo-sk, project demo-project, workspace demo-workspace."""
    from bot.sandbox.secmaster import SecMasterSandbox

    run_to_end(serve_until_stopped(SecMasterSandbox(), host, port))


@sandbox.command()
def slack(
    host: Host = "127.0.0.1",
    port: Port = 8600,
    request_url: Annotated[
        str, typer.Option(help="Where to deliver; left out, only Socket Mode is served.")
    ] = "",
    grid: Annotated[  # noqa: FBT002
        bool, typer.Option("--grid", help="Make it a workspace of an Enterprise Grid.")
    ] = False,
) -> None:
    """A local Slack: token xoxb-demo, app token xapp-demo, secret demo-signing-secret."""
    from bot.policy.config import Config
    from bot.sandbox.slack import SlackSandbox
    from bot.sandbox.slack.seed import add_grid
    from bot.slack.manifest import manifest

    service = SlackSandbox(request_url=request_url or None, manifest=manifest(Config()))
    if grid:
        add_grid(service.workspace)
    run_to_end(serve_until_stopped(service, host, port))


async def serve_until_stopped(
    service: "SlackSandbox | SecMasterSandbox", host: str, port: int
) -> None:
    """Start a stand-in, print its address, and stop it at SIGINT or SIGTERM."""
    try:
        await service.start(host, port)
    except OSError as error:
        refuse(f"{host}:{port} can't be listened on: {error}. Choose another with --port.")
    typer.echo(f"{service.url} (Ctrl-C stops it)")
    try:
        await until_stopped()
    finally:
        await service.stop()
