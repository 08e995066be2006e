"""Connections in Socket Mode: each is opened anew, watched and closed by itself."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_bolt import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.messages import slack_delivery as words
from bot.runtime.timeouts import SocketTimeouts
from bot.sandbox.faults import Fault
from bot.sandbox.slack import SlackSandbox
from bot.web.socket_mode import CONNECTIONS, SocketMode
from tests.support.people import ALICE, SOC
from tests.support.timeouts import PATIENCE

QUICK = SocketTimeouts(
    open=PATIENCE, ping=PATIENCE, pauses=(0.02,), refused=0.02, steady=0, linger=PATIENCE
)
OPEN = "apps.connections.open"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(patience=PATIENCE)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def client(slack: SlackSandbox) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        url = f"{slack.url}/api/"
        yield AsyncWebClient("xoxb-demo", base_url=url, session=session, retry_handlers=[])


class Answerer:
    """Answers each payload with "heard", as soon as it is ``released``."""

    def __init__(self) -> None:
        self.arrived, self.released = asyncio.Event(), asyncio.Event()
        self.released.set()

    async def answer(self, _content: object) -> BoltResponse:
        self.arrived.set()
        await self.released.wait()
        return BoltResponse(status=200, body="heard")


@pytest.fixture
def bolt() -> Answerer:
    return Answerer()


class Log(logging.Handler):
    """The levels and events that the connections log, which a test can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []
        self._written = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))
        self._written.set()

    async def until(self, level: int, event: str) -> None:
        while (level, event) not in self.lines:
            self._written.clear()
            await self._written.wait()


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    handler, logger = Log(), logging.getLogger("bot.web.socket_mode")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@asynccontextmanager
async def opened(
    bolt: Answerer, client: AsyncWebClient, token: str = "xapp-demo", **timeouts: Any
) -> AsyncIterator[SocketMode]:
    socket_mode = SocketMode(bolt, client, token, replace(QUICK, **timeouts))
    socket_mode.open()
    try:
        yield socket_mode
    finally:
        await socket_mode.close()


async def all_open(slack: SlackSandbox) -> None:
    await slack.until(lambda: len(slack.socket_mode.connections) == CONNECTIONS)


def address_requests(slack: SlackSandbox) -> int:
    """How often an address was asked for."""
    return sum(call.method == OPEN for call in slack.calls)


async def test_each_attempt_asks_for_an_address_of_its_own(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    await slack.faults.set(Fault(on="socket", status=503, times=6))
    async with opened(bolt, client) as socket_mode:
        await all_open(slack)
        assert address_requests(slack) == 6 + CONNECTIONS
        await log.until(logging.INFO, words.CONNECTED_AGAIN)
        assert socket_mode.state == "ok"
        assert (await slack.command(ALICE, SOC, "/secmaster")).error == ""
    assert log.lines == [
        (logging.WARNING, words.NOTHING_IS_HEARD),
        (logging.INFO, words.CONNECTED_AGAIN),
    ]


async def test_a_handshake_that_hangs_keeps_nobody_waiting_and_is_given_up(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    await slack.faults.set(Fault(on="socket", hold=True, times=1))
    async with opened(bolt, client, open=0.4) as socket_mode:
        await slack.faults.until_held("socket")
        await slack.until(lambda: slack.socket_mode.connections)
        assert (await slack.command(ALICE, SOC, "/secmaster")).error == ""
        assert socket_mode.state == "ok"
        await all_open(slack)
        assert slack.faults.held["socket"] == 1


async def test_a_connection_without_a_hello_is_none(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    await slack.socket_mode.greet(greets=False)
    async with opened(bolt, client, open=0.4) as socket_mode:
        await slack.until(lambda: len(slack.socket_mode.ungreeted) == CONNECTIONS)
        assert socket_mode.state == "no open connection"
        await slack.until(lambda: not slack.socket_mode.ungreeted)
        await slack.until(lambda: address_requests(slack) > CONNECTIONS)
        assert socket_mode.state == f"no open connection: {words.NO_HELLO}"
        await slack.socket_mode.greet(greets=True)
        await all_open(slack)


async def test_a_silent_connection_is_replaced(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    async with opened(bolt, client, ping=0.6):
        await all_open(slack)
        first, second = slack.socket_mode.connections
        await slack.socket_mode.go_silent(first.number)
        await slack.until(lambda: first not in slack.socket_mode.connections)
        await all_open(slack)
        assert second in slack.socket_mode.connections


async def test_socket_mode_that_is_switched_off_is_told_once_and_no_storm(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    async with opened(bolt, client) as socket_mode:
        await all_open(slack)
        await slack.socket_mode.enable(is_enabled=False)
        await slack.until(lambda: address_requests(slack) > 3 * CONNECTIONS)
        assert socket_mode.state == f"no open connection: {words.SWITCHED_OFF}"
        assert log.lines == [(logging.ERROR, words.NOTHING_IS_HEARD)]
        await slack.socket_mode.enable(is_enabled=True)
        await log.until(logging.INFO, words.CONNECTED_AGAIN)
        await all_open(slack)


async def test_what_a_person_has_to_mend_is_tried_rarely(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    async with opened(bolt, client, pauses=(0,), refused=3600):
        await all_open(slack)
        await slack.socket_mode.enable(is_enabled=False)
        await log.until(logging.ERROR, words.NOTHING_IS_HEARD)
        await slack.until(lambda: not slack.socket_mode.connections)
        assert address_requests(slack) == CONNECTIONS


async def test_a_token_that_is_refused_is_told_once(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    async with opened(bolt, client, "xapp-wrong") as socket_mode:
        await slack.until(lambda: address_requests(slack) > 4 * CONNECTIONS)
        assert "SLACK_APP_TOKEN is refused (invalid_auth)" in socket_mode.state
    assert log.lines == [(logging.ERROR, words.NOTHING_IS_HEARD)]


async def test_an_app_with_ten_connections_gets_no_more_until_one_is_closed(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    assert client.session
    others = []
    for _ in range(10):
        address = (await client.apps_connections_open(app_token="xapp-demo"))["url"]
        others.append(await client.session.ws_connect(address))
    await slack.until(lambda: len(slack.socket_mode.connections) == len(others))
    async with opened(bolt, client) as socket_mode:
        await log.until(logging.WARNING, words.NOTHING_IS_HEARD)
        assert socket_mode.state == f"no open connection: {words.TOO_MANY_CONNECTIONS}"
        await asyncio.gather(*(other.close() for other in others))
        await log.until(logging.INFO, words.CONNECTED_AGAIN)
        assert socket_mode.state == "ok"


async def test_slack_is_not_asked_before_it_says(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    loop = asyncio.get_running_loop()
    await slack.faults.set(Fault(on=OPEN, status=429, retry_after=1, times=1))
    await slack.faults.set(Fault(on="socket", status=429, retry_after=1, times=1))
    began = loop.time()
    async with opened(bolt, client):
        await all_open(slack)
        assert loop.time() - began >= 1
        assert address_requests(slack) == 2 * CONNECTIONS


async def test_what_came_over_an_old_connection_is_acknowledged_over_it(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    bolt = Answerer()
    bolt.released.clear()
    async with opened(bolt, client):
        await all_open(slack)
        old = [*slack.socket_mode.connections]
        command = asyncio.create_task(slack.command(ALICE, SOC, "/secmaster"))
        await bolt.arrived.wait()
        await slack.socket_mode.warn()
        await slack.until(lambda: len(slack.socket_mode.connections) == 2 * CONNECTIONS)
        bolt.released.set()
        delivered = await command
        assert (delivered.error, delivered.body) == ("", {"text": "heard"})
        # More comes over the old ones, until Slack closes them.
        slack.socket_mode.connections[:] = old
        assert (await slack.command(ALICE, SOC, "/secmaster")).error == ""


async def test_an_old_connection_that_slack_does_not_close_is_closed(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    async with opened(bolt, client, linger=0.05):
        await all_open(slack)
        old = [*slack.socket_mode.connections]
        await slack.socket_mode.warn()
        await slack.until(lambda: not set(old) & set(slack.socket_mode.connections))
        await all_open(slack)


async def test_a_close_lets_what_is_under_way_be_acknowledged_and_leaves_nothing(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    bolt = Answerer()
    bolt.released.clear()
    before = asyncio.all_tasks()
    async with opened(bolt, client, answer=PATIENCE) as socket_mode:
        await all_open(slack)
        command = asyncio.create_task(slack.command(ALICE, SOC, "/secmaster"))
        await bolt.arrived.wait()
        closing = asyncio.create_task(socket_mode.close())
        bolt.released.set()
        assert (await command).body == {"text": "heard"}
        await closing
        await slack.until(lambda: not slack.socket_mode.connections)
    await slack.faults.set(Fault(on="socket", hold=True))
    async with opened(bolt, client):
        await slack.faults.until_held("socket", CONNECTIONS)
    await slack.faults.clear()
    remaining = {task for task in asyncio.all_tasks() - before if "bot/web" in repr(task)}
    assert not remaining
