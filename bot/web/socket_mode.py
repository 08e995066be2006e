"""Socket Mode: two connections, so that one is open while the other is renewed, and a watchdog.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import logging
from time import time
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.slack.connect import TimelyBolt

log = logging.getLogger(__name__)

CONNECTIONS = 2
CHECK_INTERVAL = 1.0  # seconds


class PayloadHandler(AsyncSocketModeHandler):
    """Has payloads answered as those that are posted, before Bolt looks at them."""

    app: TimelyBolt[Any]

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        start = time()
        response = await self.app.answer(req.payload)
        await send_async_response(client, req, response, start)


class SocketMode:
    """The open connections to Slack."""

    def __init__(self, bolt: TimelyBolt[Any], app_token: str) -> None:
        self._handlers = [
            PayloadHandler(bolt, app_token, ping_interval=5) for _ in range(CONNECTIONS)
        ]
        for handler in self._handlers:
            # It would reconnect when the old connection closes, and again when Slack asks for
            # it, closing the new one with what has already arrived there. Slack's asking and
            # the watchdog suffice.
            handler.client.default_auto_reconnect_enabled = False
            handler.client.auto_reconnect_enabled = False
        self._watchdog_task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open both connections, and watch over them until closed."""
        for handler in self._handlers:
            await handler.client.connect_to_new_endpoint()
        self._watchdog_task = asyncio.create_task(self._watchdog())

    async def close(self) -> None:
        """Close both connections."""
        if self._watchdog_task:
            self._watchdog_task.cancel()
            await asyncio.gather(self._watchdog_task, return_exceptions=True)
        for handler in self._handlers:
            await handler.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it bare

    async def count_open(self) -> int:
        """Return how many connections are open and answer pings."""
        states = [await handler.client.is_connected() for handler in self._handlers]
        return sum(states)

    async def _watchdog(self) -> None:
        """Reopen a connection that broke silently, or does not answer pings."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            for handler in self._handlers:
                if await handler.client.is_connected():
                    continue
                try:
                    await handler.client.connect_to_new_endpoint()
                except Exception as error:  # noqa: BLE001 - whatever it was, the next check tries again
                    log.warning("socket not reopened", extra={"error": str(error)})
