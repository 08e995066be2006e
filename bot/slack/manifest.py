"""The Slack app's manifest, for the commands of the policy, by HTTP or Socket Mode.

https://docs.slack.dev/reference/app-manifest
"""

from typing import Any

from bot.domain.actions import MESSAGE_ACTIONS, TABLE, Action
from bot.domain.objects import ObjectKind
from bot.domain.slack import EVENTS_PATH
from bot.messages.labels import labels
from bot.policy.config import Commands, Config
from bot.slack.scopes import scopes

EVENTS = ("app_home_opened", "app_mention", "message.im")
WAITING_SHORTCUT = {
    "name": "What's waiting",
    "type": "global",
    "callback_id": "waiting",
    "description": "Tasks waiting for a decision, and failed runs",
}


def manifest(config: Config, url: str = "") -> dict[str, Any]:
    """Return the manifest to paste into Slack; without ``url`` for Socket Mode."""
    commands = config.commands
    url = url.rstrip("/").removesuffix(EVENTS_PATH)
    request = {"request_url": url + EVENTS_PATH} if url else {}
    requested = scopes(config)
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "SecMaster",
            "description": "Decide SecMaster tasks and retry failed workflows from Slack",
            "background_color": "#1d3557",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "secmaster", "always_online": True},
            "shortcuts": [WAITING_SHORTCUT, *map(_shortcut, MESSAGE_ACTIONS)],
            "slash_commands": [_command(name, commands, url) for name in commands.names],
        },
        "oauth_config": {
            "scopes": {
                "bot": [scope.name for scope in requested],
                # Slack has these in both lists: whoever installs the app may leave them out.
                "bot_optional": [scope.name for scope in requested if scope.optional],
            }
        },
        "settings": {
            "event_subscriptions": {**request, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **request},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }


def _usage_hint(kind: ObjectKind) -> str:
    verbs = [action.verb for action in TABLE if action.kind == kind]
    return f"list | {' | '.join(['show', *verbs])} <id> …"


def _shortcut(action: Action) -> dict[str, Any]:
    """Return the entry of an action in the menu of messages."""
    words = labels(action)
    return {
        "name": words.title or f"{words.button} {action.kind}",
        "type": "message",
        "callback_id": action.name,
        "description": words.shortcut,
    }


def _command(name: str, commands: Commands, url: str) -> dict[str, Any]:
    """Return the entry of a slash command; ``url`` is "" for Socket Mode."""
    texts = {
        commands.task: ("SecMaster tasks", _usage_hint("task")),
        commands.instance: ("Workflow runs", _usage_hint("instance")),
        commands.root: (
            "Operate SecMaster",
            "help | task … | instance … | playbook … | why <id> | delegate …",
        ),
    }
    description, hint = texts[name]
    request = {"url": url + EVENTS_PATH} if url else {}
    return {
        "command": name,
        "description": description,
        "usage_hint": hint,
        "should_escape": True,
        **request,
    }
