"""What Slack allows for a short while: trigger ids and response_urls."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 3.0  # seconds that an app may take to answer, and to use a trigger id
HOOK_SECONDS = 30 * 60
HOOK_USES = 5


class SlackError(Exception):
    """Slack said no: its error code, and whatever else its answer carries."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra


@dataclass
class Trigger:
    user: str
    at: float
    used: bool = False


@dataclass
class Hook:
    """A ``response_url``: where it answers, to whom, and which message it came from."""

    user: str
    channel: str
    at: float
    original: str = ""
    uses: int = 0


@dataclass
class Permits:
    clock: Callable[[], float]
    patience: float = PATIENCE
    triggers: dict[str, Trigger] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)

    def new_trigger(self, user: str) -> str:
        trigger_id = f"{len(self.triggers)}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user, self.clock())
        return trigger_id

    def use_trigger(self, trigger_id: str) -> str:
        """Exchange a trigger id for the person it was made for.

        https://docs.slack.dev/surfaces/modals#trigger_id
        """
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("trigger_exchanged")
        if self.clock() - trigger.at > self.patience:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def new_hook(self, user: str, channel: str, original: str = "") -> str:
        hook_id = secrets.token_hex(12)
        self.hooks[hook_id] = Hook(user, channel, self.clock(), original)
        return hook_id

    def find_hook(self, hook_id: str) -> Hook:
        """A response_url that still answers.

        https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
        """
        hook = self.hooks.get(hook_id)
        if hook is None:
            raise SlackError("no_such_url")
        if hook.uses >= HOOK_USES:
            raise SlackError("used_url")
        if self.clock() - hook.at > HOOK_SECONDS:
            raise SlackError("expired_url")
        return hook
