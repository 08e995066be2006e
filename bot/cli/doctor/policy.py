"""Check the policy by itself."""

from bot.cli.doctor.results import CheckFailed, Result, ok
from bot.cli.doctor.subject import Subject
from bot.messages.permissions import missing_read_rules, nobody_reads


async def check_policy(subject: Subject) -> list[Result]:
    """Check that the policy can be read, has rules, and lets somebody read what there is."""
    config = await subject.policy.get()
    file = subject.settings.bot_config
    if not config.rules:
        raise CheckFailed(f"{file} has no rules, so nobody may do anything")
    if unread := nobody_reads(config):
        raise CheckFailed(f"{unread}; add to {file}:\n{missing_read_rules(config)}")
    return [ok(f"{len(config.roles)} roles, {len(config.rules)} rules")]
