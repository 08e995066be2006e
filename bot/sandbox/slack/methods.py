"""The table of Web API methods, and one call of a method: its arguments and who may make it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.file_store import Files
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.rules import complaint
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Json, Workspace

ALL_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:write",
        "links:read",
        "links:write",
        "reactions:write",
        "usergroups:read",
        "users:read",
        "users:read.email",
    }
)
CHANNEL_KINDS = ("channels", "groups", "im")


@dataclass(frozen=True)
class MethodCall:
    """One call as its method sees it. Argument values are text, or decoded JSON."""

    workspace: Workspace
    views: Views
    files: Files
    args: Json
    scopes: frozenset[str]
    socket_url: Callable[[], str]

    def text(self, name: str, default: str = "") -> str:
        value = self.args.get(name)
        return default if value is None else str(value)

    def need(self, name: str) -> Any:
        """Return a required argument, or raise ``SlackError``."""
        if self.args.get(name) in (None, ""):
            raise self.invalid(f"missing required field: {name}", "")
        return self.args[name]

    def invalid(self, message: str, pointer: str) -> SlackError:
        """Build the error about an argument; ``pointer`` is its JSON pointer."""
        messages = [str(complaint(message, pointer))]
        return SlackError("invalid_arguments", response_metadata={"messages": messages})

    def flag(self, name: str) -> bool:
        return self.args.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.text(name) or default)
        except ValueError:
            raise SlackError("invalid_arguments") from None

    def page(self, items: list[Json], default: int = 100) -> tuple[list[Json], Json]:
        """Return one page of a list, and the metadata that leads to the next page.

        https://docs.slack.dev/apis/web-api/pagination
        """
        cursor = self.text("cursor")
        if cursor and not cursor.removeprefix("next:").isdigit():
            raise SlackError("invalid_cursor")
        start = int(cursor.removeprefix("next:") or 0)
        limit = self.number("limit", default) or default
        if limit < 0:
            raise SlackError("invalid_limit")
        next_cursor = f"next:{start + limit}" if start + limit < len(items) else ""
        return items[start : start + limit], {"next_cursor": next_cursor}

    def require(self, scope: str) -> None:
        """Raise ``SlackError`` unless the token has ``scope``."""
        if scope not in self.scopes:
            provided = ",".join(sorted(self.scopes))
            raise SlackError("missing_scope", needed=scope, provided=provided)


MethodFunction = Callable[[MethodCall], Json]


@dataclass(frozen=True)
class Method:
    """A Web API method: its function, its rate limit tier, and the scope it needs, if any.

    A ``*`` in the scope stands for the kind of the call's channel, which its function looks up.
    """

    run: MethodFunction
    tier: Tier
    scope: str

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes any of which it may need."""
        kinds = CHANNEL_KINDS if "*" in self.scope else ("",)
        return tuple(self.scope.replace("*", kind) for kind in kinds if self.scope)


METHODS: dict[str, Method] = {}


def method(name: str, tier: Tier, scope: str = "") -> Callable[[MethodFunction], MethodFunction]:
    """Enter a function in the table of Web API methods."""

    def enter(function: MethodFunction) -> MethodFunction:
        METHODS[name] = Method(function, tier, scope)
        return function

    return enter
