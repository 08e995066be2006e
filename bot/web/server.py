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
from urllib.parse import parse_qsl

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from slack_bolt import BoltResponse

from bot.domain.slack import CLOCK_SKEW

MAX_BYTES = 1024 * 1024

Clock = Callable[[], datetime]

_now: Clock = partial(datetime.now, UTC)


class Bolt(Protocol):
    """Answers what Slack sent."""

    async def answer(self, content: object) -> BoltResponse: ...


class Health(Protocol):
    """Answers for ``/readyz`` and ``/metrics``: each part's state, and metrics for Prometheus."""

    async def parts(self) -> dict[str, Any]: ...

    async def metrics(self) -> bytes: ...


def is_genuine(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Return whether Slack signed exactly these bytes, within the last five minutes."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):  # noqa: PLR2004
        return False
    if abs(now - int(timestamp)) > CLOCK_SKEW.total_seconds():
        return False
    signed = f"v0:{timestamp}:".encode() + body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return signature.isascii() and hmac.compare_digest(expected, signature)


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
    bolt: Bolt | None, secret: str, health: Health | None, clock: Clock = _now
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
    bolt: Bolt, secret: str, clock: Clock
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
        return await _dispatch(bolt, body, request.content_type)

    return receive


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
