"""``secmaster-bot policy``: what the bot would answer, without Slack and SecMaster."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.process import refuse

PolicyFile = Annotated[Path, typer.Option("--config", help="The policy.")]

policy = typer.Typer(no_args_is_help=True, help="Ask the policy without Slack and SecMaster.")


@policy.command()
def check(
    cases: Annotated[Path, typer.Argument(help="A TOML file of cases.")],
    config_file: PolicyFile = Path("secmaster-bot.toml"),
) -> None:
    """Hold the policy against cases that say what it must answer; a difference exits 1."""
    from bot.cli import policy_check
    from bot.policy.cases import CasesError
    from bot.policy.config import ConfigError

    try:
        as_expected = policy_check.check(cases, config_file)
    except (CasesError, ConfigError) as error:
        refuse(str(error))
    if not as_expected:
        raise typer.Exit(1)


@policy.command()
def explain(  # noqa: PLR0913, PLR0917 - each is an option
    user: Annotated[
        str,
        typer.Option(help="Slack member ID (profile, ⋮, Copy member ID), or e-mail in the cases."),
    ],
    action: Annotated[str, typer.Option(help="Such as task.approve.")],
    task: Annotated[str, typer.Option(help="One of the cases' [tasks].")] = "",
    instance: Annotated[str, typer.Option(help="One of the cases' [instances].")] = "",
    playbook: Annotated[str, typer.Option(help="One of the cases' [playbooks].")] = "",
    workspace: Annotated[str, typer.Option(help="Where it is done.")] = "main",
    break_glass: Annotated[bool, typer.Option("--break-glass", help="Alone.")] = False,  # noqa: FBT002
    cases: Annotated[Path | None, typer.Option(help="A TOML file of cases.")] = None,
    config_file: PolicyFile = Path("secmaster-bot.toml"),
) -> None:
    """Say whether somebody may do something, why, and who could; a no exits 1."""
    from bot.cli import policy_check
    from bot.policy.cases import CasesError
    from bot.policy.config import ConfigError

    question = {"user": user, "action": action, "workspace": workspace, "break_glass": break_glass}
    objects = {"task": task, "instance": instance, "playbook": playbook}
    question |= {key: name for key, name in objects.items() if name}
    try:
        allowed = policy_check.explain(question, cases, config_file)
    except (CasesError, ConfigError) as error:
        refuse(str(error))
    if not allowed:
        raise typer.Exit(1)
