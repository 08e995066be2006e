"""``secmaster-bot manifest``: the Slack app, as JSON to paste into Slack."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.process import refuse

POLICY_FILE = Path("secmaster-bot.toml")


def manifest(
    url: Annotated[str, typer.Option(help="Where Slack reaches the bot: https://…")] = "",
    socket: Annotated[bool, typer.Option("--socket", help="For Socket Mode.")] = False,  # noqa: FBT002
    config_file: Annotated[Path, typer.Option("--config")] = POLICY_FILE,
) -> None:
    """Print the app manifest to paste into Slack."""
    from bot.policy import config
    from bot.slack.manifest import manifest as app_manifest

    if bool(url) == socket:
        refuse("Give either --url https://… or --socket.")
    if url and not url.startswith("https://"):
        refuse("Slack posts only to https:// addresses.")
    try:
        policy = config.load(config_file, required=config_file != POLICY_FILE)
    except config.ConfigError as error:
        refuse(str(error))
    typer.echo(json.dumps(app_manifest(policy, url), indent=2))
