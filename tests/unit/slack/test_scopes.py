"""The scopes that are asked for are those that are used: by methods, by events, by the policy."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.policy.config import Config, parse
from bot.sandbox.slack.delivery import EVENT_SCOPES
from bot.sandbox.slack.methods import METHODS
from bot.slack.manifest import EVENTS, manifest
from bot.slack.scopes import losses, missing_scopes, scopes

ROOT = Path(__file__).parents[3]
EVERYTHING = parse(
    '[identities]\nemail_domain = "example.com"\n[roles.a]\nusergroups = ["S0SOC"]\n'
)
# What belongs to no one method: a command's payload, a channel's door, a person's field.
OTHER_SCOPES = {"commands", "chat:write.public", "users:read.email"}
# What the SDK makes of several calls.
COMPOSED = {"files_upload_v2": ("files.getUploadURLExternal", "files.completeUploadExternal")}
# Nothing is asked about the channel of a direct message, which the bot opens itself.
UNASKED = {"im:read"}


def sdk_methods() -> set[str]:
    """What the SDK calls the methods; `api_call` is how it makes each of these calls."""
    methods = inspect.getmembers(AsyncWebClient, inspect.iscoroutinefunction)
    return {name for name, _ in methods if not name.startswith("_")} - {"api_call"}


def methods_called() -> Iterator[str]:
    """Every Web API method that the bot's code calls through the SDK."""
    by_sdk_name = {name.replace(".", "_"): (name,) for name in METHODS} | COMPOSED
    known = sdk_methods()
    for folder in ("bot", "handlers"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "sandbox" in file.parts:
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in known:
                    yield from by_sdk_name[node.attr]


def test_what_is_asked_for_is_what_is_used() -> None:
    called = set(methods_called())
    assert {"chat.postMessage", "conversations.info", "users.list", "views.open"} <= called
    by_methods = {scope for name in called for scope in METHODS[name].scopes}
    kinds = {event.partition(".")[0] for event in EVENTS}
    by_events = {EVENT_SCOPES[kind] for kind in kinds & EVENT_SCOPES.keys()}
    needed = by_methods | by_events | OTHER_SCOPES
    assert {scope.name for scope in scopes(EVERYTHING)} == needed - UNASKED
    assert len(scopes(EVERYTHING)) == len(needed - UNASKED)


@pytest.mark.parametrize(
    ("policy", "scope", "optional"),
    [
        ("", "usergroups:read", True),
        ('[roles.a]\nusergroups = ["S0SOC"]\n', "usergroups:read", False),
        ('[[routes]]\nusergroup = "S0SOC"\ntasks = true\n', "usergroups:read", False),
        ('[roles.a]\nusers = ["U0ALICE"]\n', "usergroups:read", True),
        ("", "users:read.email", None),
        ('[identities]\nemail_domain = "example.com"\n', "users:read.email", False),
        # Without these a look at who shares a channel is not possible, and cards are posted.
        ("", "channels:read", False),
        ("", "groups:read", False),
    ],
)
def test_what_may_be_left_out_depends_on_the_policy(
    policy: str, scope: str, *, optional: bool | None
) -> None:
    config = parse(policy) if policy else Config()
    assert {item.name: item.optional for item in scopes(config)}.get(scope) is optional
    requested = manifest(config)["oauth_config"]["scopes"]
    assert (scope in requested["bot"]) is (optional is not None)
    assert (scope in requested["bot_optional"]) is bool(optional)


def test_what_a_token_lacks_is_named_with_what_is_lost() -> None:
    granted = ", ".join(scope.name for scope in scopes(Config()) if scope.name != "files:read")
    missing = missing_scopes(Config(), granted)
    assert losses(missing) == "without files:read no file from Slack can be attached"
    assert len(missing_scopes(Config(), "")) == len(scopes(Config()))
