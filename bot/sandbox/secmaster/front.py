"""The gateway: what every request passes on its way to the service and back.

Endpoint known, faults met, caller proved, project right; each request is written down once,
and each answer carries an ``X-Request-Id``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import web

from bot.sandbox import strict_json
from bot.sandbox.faults import Fault, Faults, Handler
from bot.sandbox.secmaster.gate import Caller, Gate
from bot.sandbox.secmaster.journal import Journal, Received, shortened
from bot.sandbox.secmaster.wire import (
    NOT_FOUND,
    Clock,
    GatewayRejection,
    IamRejection,
    Rejection,
)

CALLER = web.RequestKey("caller", Caller)
REQUEST_ID = web.RequestKey("request_id", str)

_GATEWAY = {
    401: ("APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"),
    403: ("APIGW.0302", "The IAM user is not authorized"),
    429: ("APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit"),
    502: ("APIGW.0202", "Backend unavailable"),
    503: ("APIGW.0202", "Backend unavailable"),
    504: ("APIGW.0203", "Backend timeout"),
}


@dataclass
class Call:
    """A request on its way through."""

    endpoint: str
    request: web.Request
    raw: bytes
    caller: Caller | None = None
    written_down: bool = False


class Front:
    """The middleware in front of SecMaster's and IAM's endpoints."""

    def __init__(
        self, *, gate: Gate, faults: Faults, journal: Journal, clock: Clock, workspace_id: str
    ) -> None:
        self._gate = gate
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._workspace_id = workspace_id

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(("/v1/", "/v3/")):
            return await handler(request)
        request[REQUEST_ID] = uuid4().hex
        # An upload is left to its handler, which reads it part by part.
        upload = request.content_type.startswith("multipart/")
        endpoint = request.match_info.route.name or ""
        call = Call(endpoint, request, b"" if upload else await request.read())

        async def serve(_request: web.Request) -> web.StreamResponse:
            return await self._serve(call, handler)

        answer = await self._faults.meet(endpoint, request, serve, _refusal(call))
        if not call.written_down:
            self._write_down(call, 0 if _gone(request) else answer.status, applied=False)
        return answer

    async def _serve(self, call: Call, handler: Handler) -> web.StreamResponse:
        try:
            self._admit(call)
            answer = await _bounded(call.request, handler)
        except Rejection as no:
            answer = web.json_response(no.body(call.request[REQUEST_ID]), status=no.status)
        self._write_down(
            call, answer.status, applied=answer.status < web.HTTPBadRequest.status_code
        )
        return answer

    def _admit(self, call: Call) -> None:
        request = call.request
        if request.match_info.http_exception is not None:
            raise GatewayRejection(
                404, "APIGW.0101", "The API does not exist or has not been published"
            )
        if call.endpoint == "CreateToken":
            return
        call.caller = self._gate.admit(request.method, request.raw_path, request.headers, call.raw)
        request[CALLER] = call.caller
        self._gate.check_project(request.match_info["project_id"])
        if request.match_info["workspace_id"] != self._workspace_id:
            raise Rejection(404, NOT_FOUND, "the workspace does not exist")

    def _write_down(self, call: Call, status: int, *, applied: bool) -> None:
        call.written_down = True
        request, body = call.request, _parsed(call.raw)
        self._journal.add(
            Received(
                endpoint=call.endpoint,
                method=request.method,
                path=request.path,
                query=dict(request.query),
                # Whoever proves nothing gets little to be remembered.
                body=body if call.caller else shortened(body),
                status=status,
                signed_by=call.caller.signed_by if call.caller else "",
                key=call.caller.key if call.caller else "",
                request_id=request[REQUEST_ID],
                at=self._clock(),
                applied=applied,
            )
        )


async def add_request_id(request: web.Request, response: web.StreamResponse) -> None:
    """Put the request's id on its answer, whatever kind of answer it is."""
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]


def _refusal(call: Call) -> Callable[[Fault], web.Response]:
    """Words a fault's status as whoever would answer it: IAM, the gateway or the service."""

    def answer(fault: Fault) -> web.Response:
        status = fault.status or 500
        body = _worded(call.endpoint, status, fault.code).body(call.request[REQUEST_ID])
        if status < web.HTTPBadRequest.status_code:
            body |= {"success": False, "request_id": call.request[REQUEST_ID]}
        waiting = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return web.json_response(body, status=status, headers=waiting)

    return answer


def _worded(endpoint: str, status: int, code: str) -> Rejection:
    usual, message = _GATEWAY.get(status, ("", "Internal trouble"))
    if endpoint == "CreateToken":
        return IamRejection(status, code or "Trouble", message)
    if code.startswith("APIGW.") or (usual and not code):
        return GatewayRejection(status, code or usual, message)
    return Rejection(status, code or "SecMaster.20010000", message)


async def _bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge as no:
        raise GatewayRejection(no.status, "APIGW.0201", "Request entity too large") from no


def _parsed(raw: bytes) -> Any:
    try:
        return strict_json.loads(raw)
    except ValueError:
        return None


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
