"""The permits that Slack issues for a short while: trigger ids and response_urls."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sandbox.slack.errors import SlackError

PATIENCE = 3.0  # seconds that an app may take to answer, and to use a trigger id
HOOK_SECONDS = 30 * 60
HOOK_USES = 5


@dataclass
class Trigger:
    """A trigger id, which lets the app open one view for one person."""

    user: str
    at: float
    used: bool = False


@dataclass
class Hook:
    """A ``response_url``: its person and channel, and the ``original`` message, if any."""

    user: str
    channel: str
    at: float
    original: str = ""
    uses: int = 0


@dataclass
class Permits:
    """All trigger ids and response_urls issued so far, by id. ``patience`` is in seconds."""

    clock: Callable[[], float]
    patience: float = PATIENCE
    triggers: dict[str, Trigger] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)

    def new_trigger(self, user: str) -> str:
        """Issue a trigger id for an interaction of ``user``."""
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
            raise SlackError("exchanged_trigger_id")
        if self.clock() - trigger.at > self.patience:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def new_hook(self, user: str, channel: str, original: str = "") -> str:
        """Issue a response_url for ``user`` in ``channel``; returns its id."""
        hook_id = secrets.token_hex(12)
        self.hooks[hook_id] = Hook(user, channel, self.clock(), original)
        return hook_id

    def find_hook(self, hook_id: str) -> Hook:
        """Return a response_url that may still be used, or raise ``SlackError``.

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
