"""The sandbox's own endpoints: people's actions and reads as JSON, for a page or a test.

``POST /_sandbox/<action>`` takes the parameters of the method of that name in
``person_actions.py``, ``person_queries.py`` or ``admin_actions.py``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import cache
from inspect import isawaitable
from typing import Any

from aiohttp import web
from pydantic import ValidationError, validate_call

from bot.sandbox import strict_json
from bot.sandbox.slack.admin_actions import AdminActions
from bot.sandbox.slack.delivery import Delivered, Sent
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.limits import Limits
from bot.sandbox.slack.page_state import PageState
from bot.sandbox.slack.person_actions import PersonActions
from bot.sandbox.slack.person_queries import PersonQueries
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.web_api import Call
from bot.sandbox.slack.workspace import Json

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class Control:
    """Handlers for everything under ``/_sandbox/`` but what both sandboxes have."""

    person: PersonActions
    admin: AdminActions
    queries: PersonQueries
    page: PageState
    socket_mode: SocketMode
    limits: Limits
    calls: list[Call]
    sent: list[Sent]

    def routes(self) -> list[web.RouteDef]:
        actions: tuple[Callable[..., Any], ...] = (
            self.person.command,
            self.person.press,
            self.person.press_in_view,
            self.person.submit,
            self.person.close,
            self.person.say,
            self.person.edit,
            self.person.open_home,
            self.person.shortcut,
            self.person.redeliver,
            self.person.deliver_raw,
            self.queries.mark,
            self.admin.archive,
            self.admin.unarchive,
            self.admin.lock_thread,
            self.admin.remove_bot,
            self.admin.add_bot,
            self.admin.revoke_token,
            self.admin.restore_token,
            self.admin.refuse_blocks,
            self.admin.warn,
        )
        reads: dict[str, Callable[[web.Request], Any]] = {
            "calls": lambda _request: [asdict(call) for call in self.calls],
            "channels": self.channels,
            "channels/{id}": self.channel,
            "limits": lambda _request: {"on": self.limits.on},
            "page": lambda request: self.page.changes(request.query),
            "people": self.people,
            "sent": lambda _request: [asdict(sent) for sent in self.sent],
            "threads/{channel}/{ts}": self.thread,
            "views": self.views,
            "workspace": lambda _request: self.page.describe(),
        }
        return [
            *(web.post(f"/_sandbox/{action.__name__}", _action(action)) for action in actions),
            web.post("/_sandbox/limits", _action(self.limit)),
            web.post("/_sandbox/socket/disconnect", _action(self.socket_mode.disconnect)),
            web.post("/_sandbox/socket/silence", _action(self.socket_mode.go_silent)),
            web.post("/_sandbox/socket/warn", _action(self.socket_mode.warn)),
            web.post("/_sandbox/socket/greet", _action(self.socket_mode.greet)),
            web.post("/_sandbox/socket/enable", _action(self.socket_mode.enable)),
            *(web.get(f"/_sandbox/{path}", _read(read)) for path, read in reads.items()),
        ]

    async def limit(self, *, on: bool) -> Json:
        """Switch Slack's rate limits on or off."""
        self.limits.on = on
        return {"on": on}

    def channel(self, request: web.Request) -> list[Json]:
        return self.queries.messages(request.match_info["id"], request.query.get("user"))

    def thread(self, request: web.Request) -> list[Json]:
        channel, ts = request.match_info["channel"], request.match_info["ts"]
        return self.queries.thread(channel, ts, request.query.get("user"))

    def views(self, request: web.Request) -> Json:
        user = request.query.get("user", "")
        return {"views": self.queries.views(user), "home": self.queries.home(user)}

    def people(self, _request: web.Request) -> list[Json]:
        workspace = self.queries.workspace
        return [
            {**person, "dm": dm.id if (dm := workspace.dm(id_)) else None}
            for id_, person in workspace.users.items()
        ]

    def channels(self, _request: web.Request) -> list[Json]:
        channels = self.queries.workspace.channels.values()
        return [{**channel.described(), "members": channel.members} for channel in channels]


def _action(method: Callable[..., Any]) -> Handler:
    """Turn a method into a handler that takes its parameters from a JSON object."""

    # With the first request: most tests make none, and all of these take longer than the rest of
    # the start.
    @cache
    def checked() -> Callable[..., Any]:
        return validate_call(method)

    async def handle(request: web.Request) -> web.Response:
        try:
            fields = strict_json.loads(await request.read() or b"{}")
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        if not isinstance(fields, dict):
            raise web.HTTPBadRequest(text="the fields of an act are a JSON object")
        try:
            result = checked()(**fields)
            result = await result if isawaitable(result) else result
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        except SlackError as error:
            return web.json_response({"error": error.code}, status=409)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=404)
        result = asdict(result) if isinstance(result, Delivered) else result
        return web.json_response({} if result is None else result)

    return handle


def _read(read: Callable[[web.Request], Any]) -> Handler:
    """Turn a read into a handler that answers with JSON."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(read(request), dumps=strict_json.dumps)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=404)

    return handle
