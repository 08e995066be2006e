"""The scopes that the app has in Slack: what each is for, and what is lost without it.

https://docs.slack.dev/reference/scopes
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.policy.config import Config


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope, what it is for, and what is lost without it.

    Without one that is not ``optional`` the bot does not do its work, or does it unchecked.
    """

    name: str
    purpose: str
    loss: str
    optional: bool = False


SCOPES = (
    Scope(
        "commands",
        "slash commands and shortcuts",
        "there are no commands and no shortcuts",
    ),
    Scope(
        "chat:write",
        "cards and answers",
        "nothing can be posted",
    ),
    Scope(
        "im:write",
        "cards and answers for one person",
        "what is for one person reaches nobody",
    ),
    Scope(
        "users:read",
        "recognising guests and people of other organisations; names and time zones",
        "nobody may do anything, since nobody can be looked up",
    ),
    # Required: where it can't be asked, cards are posted all the same.
    Scope(
        "channels:read",
        "whether another organisation shares a channel, and for `doctor` who is in it",
        "cards are posted in a public channel without a look at who shares it",
    ),
    Scope(
        "groups:read",
        "the same in private channels",
        "cards are posted in a private channel without a look at who shares it",
    ),
    Scope(
        "usergroups:read",
        "roles and routes by user group; required where the policy names one",
        "no user group can be looked up, and nobody may do anything where a role has one",
        optional=True,
    ),
    Scope(
        "chat:write.public",
        "cards in public channels that the bot is not a member of; after a crash it can't find its "
        "own message there, which may be posted twice",
        "public channels are closed to the bot until it is invited",
        optional=True,
    ),
    Scope(
        "app_mentions:read",
        "commands in a mention",
        "mentions are not heard",
        optional=True,
    ),
    Scope(
        "im:history",
        "commands in a direct message, and finding the bot's own there after a crash",
        "direct messages are not heard, and after a crash one of the bot's may come twice",
        optional=True,
    ),
    Scope(
        "channels:history",
        "finding the bot's own message after a crash, so that it is not posted twice",
        "after a crash a message in a public channel may be posted twice",
        optional=True,
    ),
    Scope(
        "groups:history",
        "the same in private channels",
        "after a crash a message in a private channel may be posted twice",
        optional=True,
    ),
    Scope(
        "files:read",
        "attaching a file from Slack",
        "no file from Slack can be attached",
        optional=True,
    ),
    Scope(
        "files:write",
        "the details of a failure as a file, where a card has no room",
        "the details of a failure are cut short where a card has no room",
        optional=True,
    ),
)
EMAILS = Scope(
    "users:read.email",
    "who people are in SecMaster; asked for only with `identities.email_domain`",
    "nobody is recognised in SecMaster by their address",
)


def scopes(config: Config) -> tuple[Scope, ...]:
    """Return the scopes that the app asks for with this policy."""
    names_group = any(role.usergroups for role in config.roles.values()) or any(
        route.usergroup for route in config.routes
    )
    required = ("usergroups:read",) if names_group else ()
    rows = [
        replace(scope, optional=scope.optional and scope.name not in required) for scope in SCOPES
    ]
    return (*rows, EMAILS) if config.identities.email_domain else tuple(rows)


def missing_scopes(config: Config, granted: str) -> list[Scope]:
    """Return the scopes that a token lacks; ``granted`` is Slack's header `x-oauth-scopes`."""
    names = {name.strip() for name in granted.split(",")}
    return [scope for scope in scopes(config) if scope.name not in names]


def losses(missing: Iterable[Scope]) -> str:
    """Return what is lost without these scopes, in words."""
    return "; ".join(f"without {scope.name} {scope.loss}" for scope in missing)
