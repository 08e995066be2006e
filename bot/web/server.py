"""The HTTP server: what Slack posts, and what is asked about our health.

Size, timestamp and signature are checked on the raw bytes before anything is parsed: Bolt parses
first, and unsigned garbage must not get that far.
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

MAX_BYTES = 1024 * 1024
MAX_CLOCK_SKEW = 300

Clock = Callable[[], datetime]

_now: Clock = partial(datetime.now, UTC)


class Health(Protocol):
    """Answers for ``/readyz`` and ``/metrics``: each part's state, and metrics for Prometheus."""

    async def parts(self) -> dict[str, Any]: ...

    async def metrics(self) -> bytes: ...


def is_genuine(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Return whether Slack signed exactly these bytes, within the last five minutes."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):  # noqa: PLR2004
        return False
    if abs(now - int(timestamp)) > MAX_CLOCK_SKEW:
        return False
    signed = f"v0:{timestamp}:".encode() + body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return signature.isascii() and hmac.compare_digest(expected, signature)


def web_app(
    bolt: AsyncApp | None, secret: str, health: Health | None, clock: Clock = _now
) -> web.Application:
    """Return an application of a port: what Slack posts to, what tells our health, or both.

    There is no ``bolt`` in Socket Mode, and no ``health`` where it has a port of its own.
    """
    app = web.Application(client_max_size=MAX_BYTES)
    if health:
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/readyz", _readyz(health))
        app.router.add_get("/metrics", _metrics(health))
    if bolt:
        app.router.add_post("/slack/events", _slack(bolt, secret, clock))
    return app


def _slack(
    bolt: AsyncApp, secret: str, clock: Clock
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def receive(request: web.Request) -> web.Response:
        raw = await request.read()  # answers 413 by itself beyond the application's limit
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not is_genuine(secret, stamp, signature, raw, clock().timestamp()):
            return web.Response(status=401)
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return web.Response(status=401)
        return await _dispatch(bolt, body, dict(request.headers))

    return receive


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
