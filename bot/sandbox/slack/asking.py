"""One call of a Web API method: its arguments, who may make it, and the table of methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.filestore import Files
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.rules import complaint
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Json, Workspace

ALL_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
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


@dataclass(frozen=True)
class Ask:
    """A call as a method sees it. Values are text, or what was JSON."""

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
        """An argument the method cannot do without."""
        if self.args.get(name) in (None, ""):
            raise self.refused(f"missing required field: {name}", "")
        return self.args[name]

    def refused(self, why: str, pointer: str) -> SlackError:
        """The error about an argument, with the words for it."""
        messages = [str(complaint(why, pointer))]
        return SlackError("invalid_arguments", response_metadata={"messages": messages})

    def flag(self, name: str) -> bool:
        return self.args.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.text(name) or default)
        except ValueError:
            raise SlackError("invalid_arguments") from None

    def page(self, items: list[Json], default: int = 100) -> tuple[list[Json], Json]:
        """One page of a list, and the metadata that leads to the next.

        https://docs.slack.dev/apis/web-api/pagination
        """
        cursor = self.text("cursor")
        if cursor and not cursor.removeprefix("next:").isdigit():
            raise SlackError("invalid_cursor")
        start = int(cursor.removeprefix("next:") or 0)
        limit = self.number("limit", default) or default
        if limit < 0:
            raise SlackError("invalid_limit")
        following = f"next:{start + limit}" if start + limit < len(items) else ""
        return items[start : start + limit], {"next_cursor": following}

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            provided = ",".join(sorted(self.scopes))
            raise SlackError("missing_scope", needed=scope, provided=provided)


Method = Callable[[Ask], Json]


@dataclass(frozen=True)
class Listed:
    run: Method
    tier: Tier
    scope: str


METHODS: dict[str, Listed] = {}


def method(name: str, tier: Tier, scope: str = "") -> Callable[[Method], Method]:
    """Enter a function in the table of Web API methods."""

    def enter(run: Method) -> Method:
        METHODS[name] = Listed(run, tier, scope)
        return run

    return enter
