"""The acts and the reads as JSON over HTTP, for a page or a test in another process.

``POST /_sandbox/<act>`` takes the fields of the method of that name in ``person.py``, or in
``arranging.py``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import ValidationError, validate_call

from bot.sandbox import strict_json
from bot.sandbox.slack import page_api
from bot.sandbox.slack.delivery import Delivered
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.workspace import Json

if TYPE_CHECKING:
    from bot.sandbox.slack.server import SlackSandbox

ACTS = (
    "command",
    "press",
    "press_in_view",
    "submit",
    "close",
    "say",
    "mark",
    "open_home",
    "shortcut",
    "redeliver",
    "deliver_raw",
)
ARRANGEMENTS = ("archive", "unarchive", "remove_bot", "add_bot")


def routes(sandbox: "SlackSandbox") -> list[web.RouteDef]:
    """The endpoints under ``/_sandbox``."""
    names = (*ACTS, *ARRANGEMENTS)
    acts = [web.post(f"/_sandbox/{name}", _act(getattr(sandbox, name))) for name in names]
    socket = sandbox.socket_mode

    async def limit(*, on: bool) -> Json:
        sandbox.limits.on = on
        return {"on": on}

    return [
        *acts,
        web.post("/_sandbox/limits", _act(limit)),
        web.post("/_sandbox/socket/disconnect", _act(socket.disconnect)),
        web.post("/_sandbox/socket/silence", _act(socket.go_silent)),
        *_reads(sandbox),
    ]


def _act(method: Callable[..., Any]) -> Callable[[web.Request], Any]:
    checked = validate_call(method)

    async def handle(request: web.Request) -> web.Response:
        try:
            done = checked(**await _fields(request))
            done = await done if isawaitable(done) else done
        except ValidationError as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        except SlackError as no:
            return web.json_response({"error": no.code}, status=409)
        except ValueError as wrong:
            return web.json_response({"error": str(wrong)}, status=404)
        done = asdict(done) if isinstance(done, Delivered) else done
        return web.json_response({} if done is None else done)

    return handle


async def _fields(request: web.Request) -> dict[str, Any]:
    try:
        fields = strict_json.loads(await request.read() or b"{}")
    except ValueError as wrong:
        raise web.HTTPBadRequest(text=str(wrong)) from wrong
    if not isinstance(fields, dict):
        raise web.HTTPBadRequest(text="the fields of an act are a JSON object")
    return fields


def _reads(sandbox: "SlackSandbox") -> list[web.RouteDef]:
    async def channel(request: web.Request) -> Any:
        return sandbox.messages(request.match_info["id"], request.query.get("user"))

    async def thread(request: web.Request) -> Any:
        where, ts = request.match_info["channel"], request.match_info["ts"]
        return sandbox.thread(where, ts, request.query.get("user"))

    async def views(request: web.Request) -> Any:
        user = request.query.get("user", "")
        return {"views": sandbox.views(user), "home": sandbox.home(user)}

    async def page(request: web.Request) -> Any:
        return page_api.seen_since(sandbox, request.query)

    return [
        web.get("/_sandbox/channels/{id}", _read(channel)),
        web.get("/_sandbox/threads/{channel}/{ts}", _read(thread)),
        web.get("/_sandbox/views", _read(views)),
        web.get("/_sandbox/page", _read(page)),
        web.get("/_sandbox/workspace", _read(_shows(lambda: page_api.described(sandbox)))),
        web.get("/_sandbox/limits", _read(_shows(lambda: {"on": sandbox.limits.on}))),
        web.get("/_sandbox/people", _read(_shows(lambda: _people(sandbox)))),
        web.get("/_sandbox/channels", _read(_shows(lambda: _channels(sandbox)))),
        web.get("/_sandbox/calls", _read(_shows(lambda: [asdict(one) for one in sandbox.calls]))),
        web.get("/_sandbox/sent", _read(_shows(lambda: [asdict(one) for one in sandbox.sent]))),
    ]


def _shows(look: Callable[[], Any]) -> Callable[[web.Request], Awaitable[Any]]:
    async def read(_request: web.Request) -> Any:
        return look()

    return read


def _read(look: Callable[[web.Request], Awaitable[Any]]) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(await look(request), dumps=strict_json.dumps)
        except ValueError as wrong:
            return web.json_response({"error": str(wrong)}, status=404)

    return handle


def _people(sandbox: "SlackSandbox") -> list[Json]:
    workspace = sandbox.workspace
    return [
        {**person, "dm": dm.id if (dm := workspace.dm(id_)) else None}
        for id_, person in workspace.users.items()
    ]


def _channels(sandbox: "SlackSandbox") -> list[Json]:
    channels = sandbox.workspace.channels.values()
    return [{**channel.described(), "members": channel.members} for channel in channels]
