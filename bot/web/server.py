"""The HTTP server: what Slack posts, and what is asked about our health.

Size, timestamp and signature are checked on the raw bytes before anything is parsed: Bolt parses
first, and unsigned garbage must not get that far.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot.web.signature import EVENTS_PATH, Finding, RequestVerifier, Verdict

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024


class Health(Protocol):
    """Answers for ``/readyz`` and ``/metrics``: each part's state, and metrics for Prometheus."""

    async def parts(self) -> dict[str, Any]: ...

    async def metrics(self) -> bytes: ...


def web_app(
    bolt: AsyncApp | None, verifier: RequestVerifier | None, health: Health | None
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
    bolt: AsyncApp, verifier: RequestVerifier
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
        return await _dispatch(bolt, body, dict(request.headers))

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


async def _dispatch(bolt: AsyncApp, body: str, headers: dict[str, str]) -> web.Response:
    try:
        bolt_request = AsyncBoltRequest(body=body, headers={k: [v] for k, v in headers.items()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return web.Response(status=400)  # signed, and yet not what Slack sends
    if not (
        isinstance(bolt_request.body, dict) and isinstance(bolt_request.body.get("event", {}), dict)
    ):
        return web.Response(status=400)
    response = await bolt.async_dispatch(bolt_request)
    kind = (response.headers.get("content-type") or ["text/plain"])[0].partition(";")[0]
    return web.Response(status=response.status, text=response.body, content_type=kind)


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _readyz(health: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        parts = await health.parts()
        # Whether a click can be taken; how polling goes is there to be read, and is no part of it.
        well = all(state == "ok" for state in parts.values() if isinstance(state, str))
        return web.Response(
            status=200 if well else 503,
            text=json.dumps(parts) + "\n",
            content_type="application/json",
        )

    return answer


def _metrics(health: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=await health.metrics(), headers=headers)

    return answer
