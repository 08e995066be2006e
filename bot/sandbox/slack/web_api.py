"""The Web API over HTTP: reads a call, checks who makes it, runs the method, words the answer.

https://docs.slack.dev/apis/web-api
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.sandbox import strict_json
from bot.sandbox.faults import Fault, Faults
from bot.sandbox.slack import chat, directory, files, links, modals, validation
from bot.sandbox.slack.asking import METHODS, Ask
from bot.sandbox.slack.filestore import Files
from bot.sandbox.slack.limits import Limits
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Json, Workspace

# Named because they are imported only for the methods they enter in the table.
__all__ = ["Call", "WebApi", "chat", "directory", "files", "links", "modals", "validation"]

NESTED = ("attachments", "blocks", "files", "message", "metadata", "unfurls", "view")
FOR_ANYONE = ("api.test",)
FOR_THE_APP = ("apps.connections.open",)
RATE_LIMITED = 429


@dataclass
class Call:
    """One call of a method. ``error`` is ``unanswered`` until an answer is under way."""

    method: str
    args: Json
    at: float
    ok: bool = False
    error: str = "unanswered"

    def answered(self, error: str = "") -> None:
        self.ok, self.error = not error, error


@dataclass
class WebApi:
    workspace: Workspace
    views: Views
    files: Files
    faults: Faults
    limits: Limits
    bot_token: str
    app_token: str
    scopes: frozenset[str]
    socket_url: Callable[[], str]
    calls: list[Call] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/api/{method}", self.answer)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Take one call, through whatever fault is on for its method."""
        args, unreadable = await _arguments(request)
        token = _token(request, args)
        name = request.match_info["method"]
        call = Call(name, args, self.workspace.clock())
        self.calls.append(call)
        self.workspace.changes.happened()

        async def run(_request: web.Request) -> web.Response:
            return self._run(call, token, unreadable)

        def refuse(fault: Fault) -> web.Response:
            answer, code = refusal(fault)
            call.answered(code)
            return answer

        answer = await self.faults.meet(name, request, run, refuse)
        self.workspace.changes.happened()
        return answer

    def _run(self, call: Call, token: str, unreadable: str) -> web.Response:
        if wait := self._wait(call):
            limited = Fault(on=call.method, status=RATE_LIMITED, retry_after=wait)
            answer, code = refusal(limited)
            call.answered(code)
            return answer
        try:
            body = {"ok": True, **self._result(call, token, unreadable)}
        except SlackError as no:
            body = {"ok": False, "error": no.code, **no.extra}
        call.answered(body.get("error", ""))
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        if call.method in METHODS:
            headers["x-accepted-oauth-scopes"] = METHODS[call.method].scope
        return web.json_response(body, headers=headers, dumps=strict_json.dumps)

    def _wait(self, call: Call) -> int:
        if not self.limits.on or call.method not in METHODS:
            return 0
        return self.limits.wait(call.method, METHODS[call.method].tier, self._channel(call))

    def _channel(self, call: Call) -> str:
        """One channel has one limit, by whichever of its names it is called."""
        try:
            return self.workspace.find_channel(str(call.args.get("channel", ""))).id
        except SlackError:
            return ""

    def _result(self, call: Call, token: str, unreadable: str) -> Json:
        if unreadable:
            raise SlackError(unreadable)
        if call.method not in METHODS:
            raise SlackError("unknown_method", req_method=call.method)
        self._check_token(call.method, token)
        method = METHODS[call.method]
        ask = Ask(self.workspace, self.views, self.files, call.args, self.scopes, self.socket_url)
        if method.scope:
            ask.require(method.scope)
        return method.run(ask)

    def _check_token(self, method: str, token: str) -> None:
        if method in FOR_ANYONE:
            return
        if not token:
            raise SlackError("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise SlackError("invalid_auth")
        if (token == self.app_token) != (method in FOR_THE_APP):
            raise SlackError("not_allowed_token_type")


def refusal(fault: Fault) -> tuple[web.Response, str]:
    """A fault's status in Slack's words, and the error code in it."""
    limited = fault.status == RATE_LIMITED
    code = fault.code or ("ratelimited" if limited else "internal_error")
    wait = fault.retry_after if fault.retry_after is not None else 1 if limited else None
    headers = {} if wait is None else {"Retry-After": str(wait)}
    body = {"ok": False, "error": code}
    return web.json_response(body, status=fault.status or 200, headers=headers), code


async def _arguments(request: web.Request) -> tuple[Json, str]:
    """Whatever way they came: query, form, parts or JSON; nested values decoded.

    Beside them the error of a body that cannot be read.
    """
    args: Json = dict(request.query)
    try:
        args |= await _in_body(request)
    except SlackError as no:
        return args, no.code
    for name in NESTED:
        if isinstance(args.get(name), str):
            args[name] = _decoded(args[name])
    return args, ""


async def _in_body(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return _object(await request.read())
    try:
        form = await request.post() if request.can_read_body else {}
    except LookupError:
        raise SlackError("invalid_charset") from None
    except (ValueError, HttpProcessingError):
        raise SlackError("invalid_form_data") from None
    # No method takes a file among its arguments.
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _object(body: bytes) -> Json:
    try:
        value = strict_json.loads(body) if body else {}
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(value, dict):
        raise SlackError("json_not_object")
    return value


def _decoded(value: str) -> Any:
    """The JSON in a text, or the text itself, which the method then refuses."""
    try:
        return strict_json.loads(value) if value else None
    except ValueError:
        return value


def _token(request: web.Request, args: Json) -> str:
    in_args = args.pop("token", "")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" and token else str(in_args)
