"""The HTTP server: what Slack posts, and what is asked about our health.

Size, timestamp and signature are checked on the raw bytes before anything is parsed: Bolt parses
first, and unsigned garbage must not get that far.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST
from slack_bolt import BoltResponse

from bot.domain.slack import EVENTS_PATH
from bot.web.signature import Finding, RequestVerifier, Verdict

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024


class Bolt(Protocol):
    """Answers what Slack sent."""

    async def answer(self, content: object) -> BoltResponse: ...


class Health(Protocol):
    """Answers for ``/readyz`` and ``/metrics``: each part's state, and metrics for Prometheus."""

    async def parts(self) -> dict[str, Any]: ...

    async def metrics(self) -> bytes: ...


def is_ready(parts: Mapping[str, Any]) -> bool:
    """Return whether a click can be taken; how polling goes is no part of that."""
    return all(state == "ok" for state in parts.values() if isinstance(state, str))


def parse(body: str, content_type: str) -> Any:
    """Return what was posted: an event's JSON, that in a form's ``payload``, or a form's fields.

    Raises ValueError or RecursionError for what is no JSON. Bolt's own parser takes every command
    for an empty one that has the word "payload" in it.
    """
    if content_type == "application/json" or body.startswith("{"):
        return json.loads(body) if body else {}
    fields = dict(parse_qsl(body, keep_blank_values=True))
    return json.loads(fields["payload"]) if "payload" in fields else fields


def web_app(
    bolt: Bolt | None, verifier: RequestVerifier | None, health: Health | None
) -> web.Application:
    """Return an application of a port: what Slack posts to, what tells our health, or both.

    There is neither ``bolt`` nor ``verifier`` in Socket Mode, and no ``health`` where it has a port
    of its own.
    """
    app = web.Application(client_max_size=MAX_BYTES)
    if health:
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/readyz", _readyz(health))
        app.router.add_get("/metrics", _metrics(health))
    if bolt and verifier:
        app.router.add_post(EVENTS_PATH, _slack(bolt, verifier))
        app.middlewares.append(_notice_wrong_path(verifier))
    return app


def _slack(
    bolt: Bolt, verifier: RequestVerifier
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def receive(request: web.Request) -> web.Response:
        raw = await request.read()  # answers 413 by itself beyond the application's limit
        verdict = verifier.verify(request.headers, raw)
        if verdict.finding is not Finding.GENUINE:
            _warn(verdict)
            return web.Response(status=401)
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return web.Response(status=401)
        return await _dispatch(bolt, body, request.content_type)

    return receive


def _notice_wrong_path(verifier: RequestVerifier) -> Middleware:
    """Return what looks at each request for a path that we don't have: it may be Slack's."""

    @web.middleware
    async def notice(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            if request.method == "POST":
                body = await request.read()
                _warn(verifier.verify(request.headers, body, lost_at=request.path))
            raise

    return notice


def _warn(verdict: Verdict) -> None:
    """Log what is wrong with a request; the log damps this, since anybody may cause some of it."""
    if verdict.problem:
        # The damper tells kinds of lines apart by their first words.
        event = f"{verdict.finding}: a request was refused"
        log.warning(event, extra={"problem": verdict.problem})


async def _dispatch(bolt: Bolt, body: str, content_type: str) -> web.Response:
    try:
        content = parse(body, content_type)
    except (ValueError, RecursionError):
        return web.Response(status=400)  # signed, and yet not what Slack sends
    if isinstance(content, dict) and content.get("type") == "url_verification":
        # https://docs.slack.dev/reference/events/url_verification
        return web.json_response({"challenge": content.get("challenge")})
    response = await bolt.answer(content)
    kind = (response.headers.get("content-type") or ["text/plain"])[0].partition(";")[0]
    return web.Response(status=response.status, text=response.body, content_type=kind)


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _readyz(health: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        parts = await health.parts()
        return web.Response(
            status=200 if is_ready(parts) else 503,
            text=json.dumps(parts) + "\n",
            content_type="application/json",
        )

    return answer


def _metrics(health: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=await health.metrics(), headers=headers)

    return answer
