"""What the service's handlers share: the envelope of an answer, the caller, a request's body."""

from typing import Any

from aiohttp import web

from bot.sandbox import strict_json
from bot.sandbox.secmaster.gateway import CALLER, REQUEST_ID
from bot.sandbox.secmaster.wire import INVALID, OK, Person, Record, Rejection

WORKSPACE = "/v1/{project_id}/workspaces/{workspace_id}"
SOC = f"{WORKSPACE}/soc"


def envelope(request: web.Request, **fields: Any) -> web.Response:
    """Answer in the envelope that most operations have."""
    answer = {
        "code": OK,
        "message": "",
        "request_id": request[REQUEST_ID],
        "success": True,
    }
    return web.json_response(answer | fields)


def person(request: web.Request) -> Person:
    return request[CALLER].person


async def json_object(request: web.Request) -> Record:
    """Return the object in a request's body, or raise a rejection."""
    try:
        body = strict_json.loads(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Rejection(400, INVALID, "the body must be a JSON object")
    return body
