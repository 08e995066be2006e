"""Delivery to the app: a signed POST to its request URL, or a Socket Mode envelope.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import asyncio
import copy
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.sandbox import strict_json
from bot.sandbox.slack.methods import ALL_SCOPES
from bot.sandbox.slack.permits import PATIENCE
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.workspace import APP, BOT_USER, TEAM, Json, Workspace

TIMEOUT = "operation_timeout"
FAILED = "dispatch_failed"
OK = 200
# https://docs.slack.dev/reference/events names the scope of each; the others here need none.
EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "link_shared": "links:read",
    "message": "im:history",
}


@dataclass(frozen=True)
class Delivered:
    """The app's answer. ``error`` is the code that the person is shown, if any."""

    status: int = 0
    body: Any = ""
    seconds: float = 0
    error: str = ""


@dataclass
class Sent:
    """One payload sent to the app. ``delivered`` is None while it is under way."""

    kind: str
    payload: Json
    delivered: Delivered | None = None


@dataclass
class Delivery:
    """Sends payloads to the app, and records them.

    ``patience`` is how long, in seconds, the app may take to acknowledge. An app without an event's
    scope is not told of it.
    """

    workspace: Workspace
    socket_mode: SocketMode
    signing_secret: str
    request_url: str | None
    patience: float = PATIENCE
    scopes: frozenset[str] = ALL_SCOPES
    sent: list[Sent] = field(default_factory=list)
    events: dict[str, Json] = field(default_factory=dict)
    _retries: dict[str, int] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def command(self, fields: Json) -> Delivered:
        """Deliver the form of a slash command."""
        return await self._send("slash_commands", fields)

    async def interaction(self, payload: Json) -> Delivered:
        """Deliver a press, a submission, a closed view or a shortcut."""
        return await self._send("interactive", payload)

    async def event(self, event: Json) -> Delivered:
        """Wrap an event in its envelope and deliver it; it can be redelivered by its id.

        https://docs.slack.dev/apis/events-api#callback-field
        """
        if not {EVENT_SCOPES.get(event["type"], "")} <= {"", *self.scopes}:
            return Delivered(OK)
        event_id = self.workspace.new_id("Ev")
        self.events[event_id] = _envelope(self.workspace, event, event_id)
        return await self._send("events_api", self.events[event_id])

    async def redeliver(self, event_id: str, reason: str = "http_timeout") -> Delivered:
        """Deliver an event once more with the same id, as Slack does when it got no answer."""
        if event_id not in self.events:
            raise ValueError(f"no event {event_id}")
        self._retries[event_id] = self._retries.get(event_id, 0) + 1
        payload, retry = self.events[event_id], (self._retries[event_id], reason)
        return await self._send("events_api", payload, retry)

    async def raw(
        self, body: bytes, content_type: str, *, timestamp: str = "", signature: str = ""
    ) -> Delivered:
        """POST any bytes to the request URL, correctly signed unless ``signature`` is set."""
        timestamp = timestamp or str(int(self.workspace.clock()))
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature or self.sign(timestamp, body),
        }
        return await self._within_patience(self._post(body, headers))

    def sign(self, timestamp: str, body: bytes) -> str:
        """Return the ``X-Slack-Signature`` of a request."""
        base = b"v0:" + timestamp.encode() + b":" + body
        return "v0=" + hmac.new(self.signing_secret.encode(), base, hashlib.sha256).hexdigest()

    async def _send(
        self, kind: str, payload: Json, retry: tuple[int, str] | None = None
    ) -> Delivered:
        """Send a payload over a websocket or HTTP; ``retry`` is which attempt it is, and why."""
        record = Sent(kind, copy.deepcopy(payload))
        self.sent.append(record)
        self.workspace.changes.happened()
        if self.socket_mode.connections or self.request_url is None:
            sending = self._over_socket(kind, payload, retry)
        else:
            sending = self._over_http(kind, payload, retry)
        record.delivered = await self._within_patience(sending)
        self.workspace.changes.happened()
        return record.delivered

    async def _within_patience(self, sending: Awaitable[tuple[int, Any]]) -> Delivered:
        start = time.monotonic()
        try:
            async with asyncio.timeout(self.patience):
                status, body = await sending
        except TimeoutError:
            return Delivered(0, "", time.monotonic() - start, TIMEOUT)
        except (aiohttp.ClientError, ConnectionError) as error:
            return Delivered(0, str(error), time.monotonic() - start, FAILED)
        return Delivered(status, body, time.monotonic() - start, "" if status == OK else FAILED)

    async def _over_socket(
        self, kind: str, payload: Json, retry: tuple[int, str] | None
    ) -> tuple[int, Any]:
        if not self.socket_mode.connections:
            raise ConnectionError("the app has no connection open")
        attempt, reason = retry or (0, "")
        extra: Json = {}
        if kind == "events_api":
            extra = {"retry_attempt": attempt, "retry_reason": reason}
        return OK, await self.socket_mode.send(kind, payload, extra)

    async def _over_http(
        self, kind: str, payload: Json, retry: tuple[int, str] | None
    ) -> tuple[int, Any]:
        body, content_type = encode_form(kind, payload)
        # The app compares this with its own clock.
        timestamp = str(int(self.workspace.clock()))
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": self.sign(timestamp, body),
        }
        if retry is not None:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
        return await self._post(body, headers)

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        if self._session is None or self.request_url is None:
            raise ConnectionError("the app has no request URL")
        posting = self._session.post(
            self.request_url, data=body, headers=headers, allow_redirects=False
        )
        async with posting as response:
            text = (await response.read()).decode(errors="replace")
            content: Any = text
            if response.content_type == "application/json" and text:
                with suppress(ValueError):
                    content = strict_json.loads(text)
            return response.status, content


def encode_form(kind: str, payload: Json) -> tuple[bytes, str]:
    """Encode a payload for the request URL; returns the body and its content type.

    An event is JSON; a command is a form, and an interaction is JSON in a form's ``payload``.
    """
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def _envelope(workspace: Workspace, event: Json, event_id: str) -> Json:
    authorization = {
        "enterprise_id": workspace.enterprise or None,
        "team_id": None if workspace.is_org_wide else TEAM,
        "user_id": BOT_USER,
        "is_bot": True,
        "is_enterprise_install": workspace.is_org_wide,
    }
    return {
        "token": "verification-token",
        "team_id": TEAM,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(workspace.clock()),
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
        "event_context": f"4-{event_id}",
    }
