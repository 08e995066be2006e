"""Socket Mode: two connections, each kept open by itself, so that one is there without the other.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.deliveries import DeliveryKind, DeliveryOutcome
from bot.messages import slack_delivery as words
from bot.metrics import Metrics
from bot.runtime.background import BackgroundTasks
from bot.runtime.timeouts import SocketTimeouts
from bot.web.server import Bolt
from bot.web.socket_connection import (
    LINK_DISABLED,
    Connection,
    NotOpened,
    app_id,
    new_address,
    open_connection,
)

log = logging.getLogger(__name__)

CONNECTIONS = 2


class SocketMode:
    """The connections to Slack, kept open until closed, however long Slack is away."""

    def __init__(
        self,
        bolt: Bolt,
        client: AsyncWebClient,
        app_token: str,
        timeouts: SocketTimeouts,
        metrics: Metrics,
    ) -> None:
        self._bolt = bolt
        self._client = client
        self._app_token = app_token
        self._timeouts = timeouts
        self._metrics = metrics
        self._open: set[Connection] = set()
        metrics.watch_sockets(lambda: len(self._open))
        self._keepers: list[asyncio.Task[None]] = []
        self._readers = BackgroundTasks()
        self._listeners = BackgroundTasks()
        self._read_from: set[Connection] = set()  # the open ones, and those that were replaced
        self._is_closing = False
        self._token_changed = asyncio.Event()
        self._problems: dict[int, str] = {}  # why a connection can't be opened, by its number
        # The last event that was logged, and the problems that were since all were open.
        self._event = words.CONNECTED_AGAIN
        self._logged: set[str] = set()
        self._has_logged_other_app = False

    def open(self) -> None:
        """Begin to keep the connections open, and wait for none: the bot does more than listen."""
        self._keepers = [asyncio.create_task(self._keep(n)) for n in range(CONNECTIONS)]

    async def use_token(self, app_token: str) -> None:
        """Open connections with another token from now on; raises NotOpened if it is refused.

        Those that are open stay so; whoever pauses because the one before was refused goes on.
        That of another app is refused here: Slack would send what that app's people do.
        """
        app_ids = {app_id(self._app_token), app_id(app_token)} - {""}
        if len(app_ids) > 1:
            raise NotOpened(words.OTHER_APP, is_final=True)
        try:
            await new_address(self._client, app_token, self._timeouts)
        except NotOpened as error:
            if error.is_final:
                raise
        self._app_token = app_token
        changed, self._token_changed = self._token_changed, asyncio.Event()
        changed.set()

    async def close(self) -> None:
        """Have what was received acknowledged, and close each connection that has nothing left.

        Until it is closed Slack sends requests over a connection, which are carried out as well.
        """
        deadline = time.monotonic() + self._timeouts.answer
        self._is_closing = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        idle = [connection for connection in self._read_from if not connection.under_way]
        await asyncio.gather(*(connection.close() for connection in idle))
        for tasks in (self._readers, self._listeners):
            await tasks.drain(max(0, deadline - time.monotonic()))

    @property
    def state(self) -> str:
        """Return "ok" where a click can arrive, or why none can."""
        if self._open:
            return "ok"
        return ": ".join(["no open connection", *sorted(set(self._problems.values()))[:1]])

    async def _keep(self, number: int) -> None:
        """Open a connection, and another when Slack is about to end it or it has ended."""
        failures = 0
        while True:
            try:
                await self._hold(number)
                failures = 0
            except NotOpened as error:
                self._note_failure(number, error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause(failures, error)):
                        await self._token_changed.wait()
                failures += 1

    async def _hold(self, number: int) -> None:
        """Open a connection and wait until it ends; raises NotOpened if it did not last."""
        connection = await open_connection(self._client, self._app_token, self._timeouts)
        began = time.monotonic()
        self._note_open(number, connection)
        self._readers.start(self._read(connection), _log_failure)
        await connection.ending.wait()
        if connection.reason == LINK_DISABLED:
            self._open.discard(connection)
            raise NotOpened(words.SWITCHED_OFF, is_final=True)
        if time.monotonic() - began < self._timeouts.steady:
            raise NotOpened(words.CLOSED_SOON)

    async def _read(self, connection: Connection) -> None:
        """Have what comes over a connection carried out, until some time after its replacement."""
        loop, linger = asyncio.get_running_loop(), self._timeouts.linger
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    async for message in connection.messages():
                        if connection.ending.is_set():
                            limit.reschedule(limit.when() or loop.time() + linger)
                        if request := await connection.request(message):
                            self._carry_out(connection, request)
        finally:
            connection.ending.set()
            self._open.discard(connection)
            self._read_from.discard(connection)
            await connection.close()

    def _carry_out(self, connection: Connection, request: SocketModeRequest) -> None:
        """Have Bolt answer a request, and acknowledge it over the connection that it came over."""

        async def answer() -> None:
            try:
                if self._is_of_this_app(request.payload):
                    response = await self._bolt.answer(request.payload)
                else:
                    self._note_other_app()
                    response = BoltResponse(status=200)
                await send_async_response(connection, request, response, time.time())
            finally:
                connection.under_way -= 1
                if self._is_closing and not connection.under_way:
                    await connection.close()

        connection.under_way += 1
        self._listeners.start(answer(), _log_unacknowledged)

    def _is_of_this_app(self, payload: Mapping[str, Any]) -> bool:
        """Return whether a payload is the app's that the token is of, where both say whose."""
        ours, other = app_id(self._app_token), payload.get("api_app_id")
        return not ours or other is None or other == ours

    def _note_other_app(self) -> None:
        """Count what is ignored, and log the first of it."""
        self._metrics.deliver(DeliveryKind.OTHER, DeliveryOutcome.IGNORED)
        if not self._has_logged_other_app:
            log.warning(words.NOT_OF_THIS_APP)
        self._has_logged_other_app = True

    def _pause(self, failures: int, error: NotOpened) -> float:
        """Return how long to wait: ever longer, shortened by chance, and as Slack says."""
        pauses = self._timeouts.pauses
        pause = self._timeouts.refused if error.is_final else pauses[min(failures, len(pauses) - 1)]
        return max(error.retry_after, pause * random.uniform(0.5, 1))  # noqa: S311 - no secret

    def _note_failure(self, number: int, error: NotOpened) -> None:
        """Log that no connection is left or one is missing, once until it is over, and why."""
        self._problems[number] = str(error)
        # The switch in the app's settings closes all of them, if not in the same instant.
        is_open = bool(self._open) and error.problem != words.SWITCHED_OFF
        event = words.CONNECTION_MISSING if is_open else words.NOTHING_IS_HEARD
        is_new_outage = not is_open and self._event != words.NOTHING_IS_HEARD
        if error.problem in self._logged and not is_new_outage:
            return
        self._logged.add(error.problem)
        self._event = event
        level = logging.ERROR if error.is_final else logging.WARNING
        log.log(level, event, extra={"problem": str(error)})

    def _note_open(self, number: int, connection: Connection) -> None:
        """Log that clicks arrive again, or that none of the connections is missing any more."""
        self._metrics.open_socket()
        self._open.add(connection)
        self._read_from.add(connection)
        self._problems.pop(number, None)
        was_deaf = self._event == words.NOTHING_IS_HEARD
        if was_deaf or (self._event == words.CONNECTION_MISSING and not self._problems):
            self._event = words.CONNECTED_AGAIN
            log.info(words.CONNECTED_AGAIN, extra={"open": len(self._open)})
        if not self._problems:
            self._logged.clear()


async def _log_failure(error: Exception) -> None:
    log.error("a connection to Slack failed", exc_info=error)


async def _log_unacknowledged(error: Exception) -> None:
    if isinstance(error, ConnectionError):
        log.warning("not acknowledged: the connection was closed meanwhile")
    else:
        log.error("not acknowledged", exc_info=error)
