"""The gateway that every request passes on its way to the service and back.

It applies faults, authenticates the caller, and checks endpoint and project. Each request is
recorded in the journal once, and each answer carries an ``X-Request-Id``.
"""

from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web

from bot.sandbox import strict_json
from bot.sandbox.connection import is_disconnected
from bot.sandbox.faults import Fault, Faults, Handler
from bot.sandbox.secmaster.authentication import Authenticator, Caller
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
    404: ("APIGW.0101", "The API does not exist or has not been published in the environment"),
    502: ("APIGW.0201", "Backend unavailable"),
    503: ("APIGW.0202", "Backend unavailable"),
    504: ("APIGW.0201", "Backend timeout"),
}


@dataclass
class Call:
    """A request on its way through; ``raw`` is its body, ``recorded`` if it is in the journal."""

    endpoint: str
    request: web.Request
    raw: bytes
    caller: Caller | None = None
    recorded: bool = False


class Gateway:
    """The middleware in front of SecMaster's and IAM's endpoints."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        faults: Faults,
        journal: Journal,
        clock: Clock,
        workspace_id: str,
    ) -> None:
        self._authenticator = authenticator
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

        def refuse(fault: Fault) -> web.Response:
            return _fault_response(call, fault)

        response = await self._faults.meet(endpoint, request, serve, refuse)
        if not call.recorded:
            status = 0 if is_disconnected(request) else response.status
            self._record(call, status, applied=False)
        return response

    async def _serve(self, call: Call, handler: Handler) -> web.StreamResponse:
        try:
            self._admit(call)
            response = await handler(call.request)
        except web.HTTPRequestEntityTooLarge as error:
            rejection = GatewayRejection(error.status, "APIGW.0201", "Request entity too large")
            response = _rejection_response(call, rejection)
        except Rejection as rejection:
            response = _rejection_response(call, rejection)
        self._record(
            call, response.status, applied=response.status < web.HTTPBadRequest.status_code
        )
        return response

    def _admit(self, call: Call) -> None:
        """Authenticate the caller and check endpoint and project, or raise a rejection."""
        request = call.request
        if request.match_info.http_exception is not None:
            raise GatewayRejection(
                404, "APIGW.0101", "The API does not exist or has not been published"
            )
        if call.endpoint == "CreateToken":
            return
        call.caller = self._authenticator.authenticate(
            request.method, request.raw_path, request.headers, call.raw
        )
        request[CALLER] = call.caller
        self._authenticator.check_project(call.caller, request.match_info["project_id"])
        if request.match_info["workspace_id"] != self._workspace_id:
            raise Rejection(404, NOT_FOUND, "the workspace does not exist")

    def _record(self, call: Call, status: int, *, applied: bool) -> None:
        call.recorded = True
        request, body = call.request, None
        with suppress(ValueError):
            body = strict_json.loads(call.raw)
        self._journal.add(
            Received(
                endpoint=call.endpoint,
                method=request.method,
                path=request.path,
                query=dict(request.query),
                # Of a caller without valid credentials, only the beginning is stored.
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


def _rejection_response(call: Call, rejection: Rejection) -> web.Response:
    body = rejection.body(call.request[REQUEST_ID])
    return web.json_response(body, status=rejection.status)


def _fault_response(call: Call, fault: Fault) -> web.Response:
    """Answer with a fault's status as IAM, the gateway or the service would word it."""
    status, code = fault.status or 500, fault.code
    gateway_code, message = _GATEWAY.get(status, ("", "Internal trouble"))
    if call.endpoint == "CreateToken":
        rejection: Rejection = IamRejection(status, code or "Trouble", message)
    elif code.startswith("APIGW.") or (gateway_code and not code):
        rejection = GatewayRejection(status, code or gateway_code, message)
    else:
        rejection = Rejection(status, code or "SecMaster.20010000", message)
    body = rejection.body(call.request[REQUEST_ID])
    if status < web.HTTPBadRequest.status_code:
        body |= {"success": False, "request_id": call.request[REQUEST_ID]}
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.json_response(body, status=status, headers=headers)
