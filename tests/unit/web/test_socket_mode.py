"""Connections in Socket Mode: each is opened anew, watched and closed by itself."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.messages import slack_delivery as words
from bot.metrics import Metrics
from bot.runtime.timeouts import SocketTimeouts
from bot.sandbox.faults import Fault
from bot.sandbox.slack import SlackSandbox
from bot.web.socket_connection import NotOpened, open_connection
from bot.web.socket_mode import CONNECTIONS, SocketMode
from tests.support.odd_slack import odd_slack
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
        self.arrivals = asyncio.Semaphore(0)

    async def answer(self, _content: object) -> BoltResponse:
        self.arrived.set()
        self.arrivals.release()
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

    async def until(self, level: int, event: str, times: int = 1) -> None:
        while self.lines.count((level, event)) < times:
            self._written.clear()
            await self._written.wait()


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    handler, logger = Log(), logging.getLogger("bot.web")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@asynccontextmanager
async def opened(
    bolt: Answerer,
    client: AsyncWebClient,
    token: str = "xapp-demo",
    metrics: Metrics | None = None,
    **timeouts: Any,
) -> AsyncIterator[SocketMode]:
    metrics = metrics or Metrics()
    socket_mode = SocketMode(bolt, client, token, replace(QUICK, **timeouts), metrics)
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


async def test_another_token_ends_the_pause_that_a_refused_one_began(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    async with opened(bolt, client, "xapp-old", refused=3600) as socket_mode:
        await log.until(logging.ERROR, words.NOTHING_IS_HEARD)
        with pytest.raises(NotOpened, match="SLACK_APP_TOKEN is refused"):
            await socket_mode.use_token("xapp-other")
        await slack.faults.set(Fault(on=OPEN, status=503, times=1))  # that says nothing of it
        await socket_mode.use_token("xapp-demo")
        await all_open(slack)


async def test_a_token_of_another_app_is_not_taken_over(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    token = "xapp-1-A0BOT-{}-0f".format
    slack.rotate(app_token=token(1))
    async with opened(bolt, client, token(1)) as socket_mode:
        await all_open(slack)
        slack.rotate(app_token="xapp-1-A0OTHER-2-0f")
        before = address_requests(slack)
        with pytest.raises(NotOpened, match="is of another app"):
            await socket_mode.use_token("xapp-1-A0OTHER-2-0f")
        assert address_requests(slack) == before
        slack.rotate(app_token=token(3))
        await socket_mode.use_token(token(3))


async def test_what_is_of_another_app_is_acknowledged_and_ignored(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    slack.rotate(app_token="xapp-1-A0BOT-1-0f")
    metrics, times = Metrics(), 2
    async with opened(bolt, client, "xapp-1-A0BOT-1-0f", metrics, steady=PATIENCE):
        await all_open(slack)
        for _ in range(times):
            payload = {"type": "block_actions", "api_app_id": "A0OTHER"}
            assert not await slack.socket_mode.send("interactive", payload, {})
        assert not bolt.arrived.is_set()
        assert (await slack.command(ALICE, SOC, "/secmaster")).body == {"text": "heard"}
    assert log.lines == [(logging.WARNING, words.NOT_OF_THIS_APP)]
    labels = {"kind": "other", "outcome": "ignored"}
    count = metrics.registry.get_sample_value("secmaster_bot_deliveries_total", labels)
    assert count == times


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


async def test_each_outage_and_each_recovery_is_one_line(
    slack: SlackSandbox,
    client: AsyncWebClient,
    bolt: Answerer,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def allow(connections: int) -> None:
        monkeypatch.setattr("bot.sandbox.slack.socket_mode.CONNECTIONS", connections)

    allow(0)
    async with opened(bolt, client), asyncio.timeout(PATIENCE):
        for times in (1, 2):
            await log.until(logging.WARNING, words.NOTHING_IS_HEARD, times)
            # One connection is enough to hear, and the other one's outage goes on meanwhile.
            allow(1)
            await log.until(logging.INFO, words.CONNECTED_AGAIN, times)
            allow(0)
            await slack.socket_mode.disconnect()
    assert log.lines[:4] == 2 * [
        (logging.WARNING, words.NOTHING_IS_HEARD),
        (logging.INFO, words.CONNECTED_AGAIN),
    ]


REFUSALS = [
    ("invalid_auth", logging.ERROR, "SLACK_APP_TOKEN is refused (invalid_auth). Make an app-level"),
    ("missing_scope", logging.ERROR, "(missing_scope). Make an app-level token with connections:"),
    ("not_allowed_token_type", logging.ERROR, "(not_allowed_token_type). Make an app-level token"),
    ("accesslimited", logging.ERROR, "(accesslimited). Allow this machine's address"),
    ("org_login_required", logging.ERROR, "(org_login_required). Wait until the workspace has"),
    ("team_access_not_granted", logging.ERROR, "Have the organisation add the app"),
    ("access_denied", logging.ERROR, "Slack refuses the app a connection (access_denied): ask"),
    ("ekm_access_denied", logging.ERROR, "refuses the app a connection (ekm_access_denied): ask"),
    ("enterprise_is_restricted", logging.ERROR, "(enterprise_is_restricted): ask those who"),
    ("internal_error", logging.WARNING, "Slack gave no address for a connection (internal_error)"),
]


@pytest.mark.parametrize(("code", "level", "problem"), REFUSALS)
async def test_what_to_do_is_told_by_slacks_code(  # noqa: PLR0917
    client: AsyncWebClient, bolt: Answerer, log: Log, code: str, level: int, problem: str
) -> None:
    async with odd_slack(lambda _: web.json_response({"ok": False, "error": code})) as url:
        client.base_url = f"{url}/api/"
        async with opened(bolt, client) as socket_mode:
            await log.until(level, words.NOTHING_IS_HEARD)
            assert problem in socket_mode.state


async def test_a_long_pause_that_slack_asks_for_is_cut_and_told(
    client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    headers = {"Retry-After": "999999"}
    answer = {"ok": False, "error": "ratelimited"}
    async with odd_slack(lambda _: web.json_response(answer, status=429, headers=headers)) as url:
        client.base_url = f"{url}/api/"
        async with opened(bolt, client, refused=300) as socket_mode:
            await log.until(logging.WARNING, words.NOTHING_IS_HEARD)
            assert socket_mode.state.endswith("(ratelimited); Slack is not asked again for 5 min")
        with pytest.raises(NotOpened) as raised:
            await open_connection(client, "xapp-demo", replace(QUICK, refused=300))
        assert raised.value.retry_after == 300


@pytest.mark.parametrize("count", ['"two"', '{"a": 1}', "null", "[]"])
async def test_a_hello_counts_as_one_whatever_is_in_it(client: AsyncWebClient, count: str) -> None:
    greeting = '{"type": "hello", "num_connections": ' + count + "}"
    answer = {"ok": True}
    async with odd_slack(lambda url: web.json_response(answer | {"url": url}), greeting) as url:
        client.base_url = f"{url}/api/"
        connection = await open_connection(client, "xapp-demo", QUICK)
        assert connection.app_connections == 1
        await connection.close()


async def test_what_can_not_be_read_ends_no_connection_and_loses_no_answer(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer, log: Log
) -> None:
    bolt.released.clear()
    async with opened(bolt, client, steady=PATIENCE), asyncio.timeout(PATIENCE):
        await all_open(slack)
        first, second = slack.socket_mode.connections
        command = asyncio.create_task(slack.command(ALICE, SOC, "/secmaster"))
        await bolt.arrived.wait()
        odd: list[Any] = [None, [], [{}], 1, True, "text"]
        sent = [slack.socket_mode.send("interactive", payload, {}) for payload in odd]
        sent += [slack.socket_mode.send("interactive", {}, {"type": kind}) for kind in odd[:-1]]
        sent += [slack.socket_mode.send("interactive", {}, {"payload": payload}) for payload in odd]
        assert set(await asyncio.gather(*sent)) == {""}
        for connection in (first, second):
            for text in ("[]", "null", '{"envelope_id": {}}', '{"type": [], "envelope_id": 1}'):
                await connection.socket.send_str(text)
        bolt.released.set()
        assert (await command).body == {"text": "heard"}
        assert slack.socket_mode.connections == [first, second]
    assert log.lines == CONNECTIONS * [(logging.WARNING, "Slack sent what can't be read")]


async def test_slack_is_not_asked_before_it_says(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    loop = asyncio.get_running_loop()
    await slack.faults.set(Fault(on=OPEN, status=429, retry_after=1, times=1))
    await slack.faults.set(Fault(on="socket", status=429, retry_after=1, times=1))
    began = loop.time()
    async with opened(bolt, client, refused=PATIENCE):
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


async def test_what_arrives_while_a_replica_is_closed_is_carried_out(
    slack: SlackSandbox, client: AsyncWebClient, bolt: Answerer
) -> None:
    bolt.released.clear()
    async with opened(bolt, client, answer=PATIENCE) as closed, asyncio.timeout(PATIENCE):
        await all_open(slack)
        commands = [asyncio.create_task(slack.command(ALICE, SOC, "/secmaster"))]
        await bolt.arrivals.acquire()
        async with opened(bolt, client):
            await slack.until(lambda: len(slack.socket_mode.connections) == 2 * CONNECTIONS)
            # Of the two that are closed the one with nothing under way is gone at once.
            closing = asyncio.create_task(closed.close())
            await slack.until(lambda: len(slack.socket_mode.connections) < 2 * CONNECTIONS)
            for _ in range(12):
                commands.append(asyncio.create_task(slack.command(ALICE, SOC, "/secmaster")))
                await bolt.arrivals.acquire()
            bolt.released.set()
            assert [answer.error for answer in await asyncio.gather(*commands)] == 13 * [""]
            await closing
            assert len(slack.socket_mode.connections) == CONNECTIONS


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
