"""``secmaster-bot sandbox``: a local stand-in of one of the services, until it is stopped."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.process import refuse, run_to_end, until_stopped

if TYPE_CHECKING:
    from bot.sandbox.secmaster import SecMasterSandbox
    from bot.sandbox.slack import SlackSandbox

Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]

Certificate = Annotated[
    Path | None, typer.Option(help="Serve HTTPS with this certificate, in PEM with its chain.")
]
Key = Annotated[Path | None, typer.Option(help="The certificate's private key, in PEM.")]
Name = Annotated[str, typer.Option(help="The host's name in its address, if not --host.")]

sandbox = typer.Typer(no_args_is_help=True, help="Run a local stand-in of one of the services.")


@sandbox.command()
def secmaster(
    host: Host = "127.0.0.1",
    port: Port = 8610,
    name: Name = "",
    certificate: Certificate = None,
    key: Key = None,
) -> None:
    """A local SecMaster: AK demo-ak, SK demo-sk, project demo-project, workspace demo-workspace."""
    from bot.sandbox.secmaster import SecMasterSandbox

    tls = read_certificate(certificate, key)
    run_to_end(serve_until_stopped(SecMasterSandbox(), host, port, tls, name))


@sandbox.command()
def slack(  # noqa: PLR0913, PLR0917 - a command's options, each by its name
    host: Host = "127.0.0.1",
    port: Port = 8600,
    name: Name = "",
    certificate: Certificate = None,
    key: Key = None,
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
    tls = read_certificate(certificate, key)
    run_to_end(serve_until_stopped(service, host, port, tls, name))


def read_certificate(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return what serves HTTPS with a certificate, None without one."""
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        refuse(f"{certificate} can't be used with --key: {error.strerror or error}.")
    return context


async def serve_until_stopped(
    service: "SlackSandbox | SecMasterSandbox",
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    name: str = "",
) -> None:
    """Start a stand-in, print its address, and stop it at SIGINT or SIGTERM."""
    try:
        await service.start(host, port, tls=tls, name=name)
    except OSError as error:
        refuse(f"{host}:{port} can't be listened on: {error}. Choose another with --port.")
    typer.echo(f"{service.url} (Ctrl-C stops it)")
    try:
        await until_stopped()
    finally:
        await service.stop()
