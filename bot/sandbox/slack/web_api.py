"""The Web API over HTTP: reads a call, checks its token, runs the method, builds the answer.

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
from bot.sandbox.slack.arguments import note_unknown
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.file_store import Files
from bot.sandbox.slack.limits import Limits
from bot.sandbox.slack.methods import METHODS, Method, MethodCall
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
    """The record of one call. ``error`` is ``unanswered`` until an answer is under way."""

    method: str
    args: Json
    at: float
    ok: bool = False
    error: str = "unanswered"

    def answered(self, error: str = "") -> None:
        """Record the answer: an error code, or success."""
        self.ok, self.error = not error, error


@dataclass
class WebApi:
    """The endpoint of all Web API methods. Faults can be set on a method's name.

    ``other_apps`` is what auth.test says of the tokens of other apps, where that differs.
    """

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
    other_apps: dict[str, Json] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/api/{method}", self.answer)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, through whatever fault is set on its method."""
        args, parse_error = await _arguments(request)
        args_token = args.pop("token", "")
        scheme, _, header_token = request.headers.get("Authorization", "").partition(" ")
        token = header_token if scheme == "Bearer" and header_token else str(args_token)
        name = request.match_info["method"]
        call = Call(name, args, self.workspace.clock())
        note_unknown(self.workspace, name, args)
        self.calls.append(call)
        self.workspace.changes.happened()

        async def run(_request: web.Request) -> web.Response:
            return self._run(call, token, parse_error)

        def refuse(fault: Fault) -> web.Response:
            response, code = fault_response(fault)
            call.answered(code)
            return response

        response = await self.faults.meet(name, request, run, refuse)
        self.workspace.changes.happened()
        return response

    def _run(self, call: Call, token: str, parse_error: str) -> web.Response:
        method = METHODS.get(call.method)
        if method is not None and self.limits.on:
            wait = self.limits.wait(call.method, method.tier, self._channel_id(call))
            if wait:
                limit = Fault(on=call.method, status=RATE_LIMITED, retry_after=wait)
                response, code = fault_response(limit)
                call.answered(code)
                return response
        try:
            body = {"ok": True, **self._result(call, token, parse_error)}
            if warning := self.workspace.warnings.get(call.method):
                metadata = {**body.get("response_metadata", {}), "warnings": [warning]}
                body |= {"warning": warning, "response_metadata": metadata}
        except SlackError as error:
            body = {"ok": False, "error": error.code, **error.extra}
        call.answered(body.get("error", ""))
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        if method is not None:
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        return web.json_response(body, headers=headers, dumps=strict_json.dumps)

    def _channel_id(self, call: Call) -> str:
        """Return the id of the call's channel, which has one limit under all of its names."""
        try:
            return self.workspace.find_channel(str(call.args.get("channel", ""))).id
        except SlackError:
            return ""

    def _result(self, call: Call, token: str, parse_error: str) -> Json:
        """Run the method, or raise the ``SlackError`` that Slack would answer with."""
        if parse_error:
            raise SlackError(parse_error)
        method = METHODS.get(call.method)
        if method is None:
            raise SlackError("unknown_method", req_method=call.method)
        if call.method not in FOR_ANYONE:
            if not token:
                raise SlackError("not_authed")
            if token in self.other_apps:
                return self._run_method(method, call) | self.other_apps[token]
            if token not in (self.bot_token, self.app_token):
                raise SlackError("invalid_auth")
            if (token == self.app_token) != (call.method in FOR_THE_APP):
                raise SlackError("not_allowed_token_type")
            if token == self.bot_token and self.workspace.token_refusal:
                raise SlackError(self.workspace.token_refusal)
        return self._run_method(method, call)

    def _run_method(self, method: Method, call: Call) -> Json:
        method_call = MethodCall(
            self.workspace, self.views, self.files, call.args, self.scopes, self.socket_url
        )
        if method.scope and "*" not in method.scope:
            method_call.require(method.scope)
        return method.run(method_call)


def fault_response(fault: Fault) -> tuple[web.Response, str]:
    """Build the answer for a fault's status as Slack words it, and return its error code too."""
    limited = fault.status == RATE_LIMITED
    code = fault.code or ("ratelimited" if limited else "internal_error")
    wait = fault.retry_after if fault.retry_after is not None else 1 if limited else None
    headers = {} if wait is None else {"Retry-After": str(wait)}
    body = {"ok": False, "error": code}
    return web.json_response(body, status=fault.status or 200, headers=headers), code


async def _arguments(request: web.Request) -> tuple[Json, str]:
    """Read the arguments from query, form or JSON, with nested values decoded.

    Also returns the error code of a body that cannot be read, or "".
    """
    args: Json = dict(request.query)
    try:
        args |= await _body_arguments(request)
    except SlackError as error:
        return args, error.code
    for name in NESTED:
        if isinstance(args.get(name), str):
            args[name] = _decode(args[name])
    return args, ""


async def _body_arguments(request: web.Request) -> Json:
    if request.content_type == "application/json":
        body = await request.read()
        try:
            value = strict_json.loads(body) if body else {}
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(value, dict):
            raise SlackError("json_not_object")
        return value
    try:
        form = await request.post() if request.can_read_body else {}
    except LookupError:
        raise SlackError("invalid_charset") from None
    except (ValueError, HttpProcessingError):
        raise SlackError("invalid_form_data") from None
    # No method takes a file among its arguments.
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _decode(value: str) -> Any:
    """Decode JSON; text that is none is returned as it is, for the method to refuse."""
    try:
        return strict_json.loads(value) if value else None
    except ValueError:
        return value
