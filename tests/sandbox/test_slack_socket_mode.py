"""Socket Mode: envelopes, acks, and connections that come, go, and go silent."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.faults import Fault
from bot.sandbox.slack import SlackSandbox

BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "go"}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox()
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def bolt(slack: SlackSandbox, client: AsyncWebClient) -> AsyncIterator[AsyncApp]:
    """A Bolt app on a websocket of its own."""
    app = AsyncApp(client=client, process_before_response=True)
    handler = AsyncSocketModeHandler(app, "xapp-demo", ping_interval=0.05)
    # Bolt declares no types for it.
    await handler.connect_async()  # type: ignore[no-untyped-call]
    await slack.until(lambda: slack.socket_mode.connections)
    yield app
    # Nor for this.
    await handler.close_async()  # type: ignore[no-untyped-call]


@pytest.fixture
async def connect(
    client: AsyncWebClient, session: aiohttp.ClientSession
) -> AsyncIterator[Callable[[], Awaitable[ClientWebSocketResponse]]]:
    """Open bare websockets, which answer nothing by themselves."""
    sockets = []

    async def open_one() -> ClientWebSocketResponse:
        address = await client.apps_connections_open(app_token="xapp-demo")
        socket = await session.ws_connect(address["url"], autoping=False)
        sockets.append(socket)
        return socket

    yield open_one
    for socket in sockets:
        await socket.close()


async def test_a_command_is_answered_with_its_ack(slack: SlackSandbox, bolt: AsyncApp) -> None:
    @bolt.command("/secmaster")
    async def run(ack: AsyncAck, command: dict[str, Any]) -> None:
        await ack(text=f"you said {command['text']}")

    delivered = await slack.command("U0ALICE", "C0SOC", "/secmaster hello")
    assert (delivered.status, delivered.error) == (200, "")
    assert [one["text"] for one in slack.ephemerals("U0ALICE")] == ["you said hello"]


async def test_a_press_a_submission_and_an_event_arrive(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    received = []

    @bolt.action("go")
    async def go(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        title = {"type": "plain_text", "text": "T"}
        view = {"type": "modal", "callback_id": "v", "title": title, "blocks": []}
        await client.views_open(trigger_id=body["trigger_id"], view={**view, "submit": title})
        await ack()

    @bolt.view("v")
    async def submitted(ack: AsyncAck) -> None:
        await ack(response_action="clear")

    @bolt.event("app_mention")
    async def mentioned(event: dict[str, Any]) -> None:
        received.append(event["text"])

    blocks = [{"type": "actions", "elements": [BUTTON]}]
    posted = await client.chat_postMessage(channel="C0SOC", text="t", blocks=blocks)
    await slack.press("U0ALICE", "C0SOC", posted["ts"], "go")
    [view] = slack.views("U0ALICE")
    assert (await slack.submit("U0ALICE", view["id"], {})).body == {"response_action": "clear"}
    assert slack.views("U0ALICE") == []
    await slack.say("U0DAVE", "C0SOC", "@secmaster hello")
    assert received == ["<@U0BOT> hello"]


async def test_an_app_told_to_refresh_comes_back_on_a_new_connection(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.command("/secmaster")
    async def run(ack: AsyncAck) -> None:
        await ack()

    [old] = slack.socket_mode.connections
    assert await slack.socket_mode.disconnect("refresh_requested") == 1
    await slack.until(
        lambda: slack.socket_mode.connections and old not in slack.socket_mode.connections
    )
    assert (await slack.command("U0ALICE", "C0SOC", "/secmaster")).error == ""


async def test_a_redelivered_event_says_which_attempt_it_is(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    attempts = []

    @bolt.event("message")
    async def written(body: dict[str, Any], request: AsyncBoltRequest) -> None:
        attempts.append((body["event_id"], request.headers["x-slack-retry-num"]))

    await slack.say("U0DAVE", "D0DAVE", "hello")
    [event_id] = slack.delivery.events
    await slack.redeliver(event_id)
    assert attempts == [(event_id, ["0"]), (event_id, ["1"])]


async def test_a_connection_is_greeted_and_its_envelopes_can_be_acked_by_hand(
    slack: SlackSandbox, connect: Callable[[], Awaitable[ClientWebSocketResponse]]
) -> None:
    socket = await connect()
    hello = await socket.receive_json()
    assert (hello["type"], hello["num_connections"]) == ("hello", 1)
    assert "debug_info" in hello
    command = asyncio.create_task(slack.command("U0ALICE", "C0SOC", "/secmaster"))
    envelope = await socket.receive_json()
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    await socket.send_str("not an ack")
    await socket.send_json({"envelope_id": envelope["envelope_id"], "payload": {"text": "hi"}})
    assert (await command).body == {"text": "hi"}


async def test_an_envelope_goes_to_any_connection_and_none_is_skipped(
    slack: SlackSandbox, connect: Callable[[], Awaitable[ClientWebSocketResponse]]
) -> None:
    sockets = [await connect(), await connect()]
    assert [(await one.receive_json())["num_connections"] for one in sockets] == [1, 2]
    received: list[list[str]] = [[], []]

    async def acknowledge(socket: ClientWebSocketResponse, texts: list[str]) -> None:
        async for message in socket:
            envelope = message.json()
            texts.append(envelope["payload"]["text"])
            await socket.send_json({"envelope_id": envelope["envelope_id"]})

    listening = [
        asyncio.create_task(acknowledge(*one)) for one in zip(sockets, received, strict=True)
    ]
    expected = [str(one) for one in range(20)]
    for one in expected:
        assert (await slack.command("U0ALICE", "C0SOC", f"/secmaster {one}")).error == ""
    assert sorted(received[0] + received[1], key=int) == expected
    assert all(received)
    assert received != [expected[0::2], expected[1::2]]
    for task in listening:
        task.cancel()


async def test_an_eleventh_connection_is_turned_away(
    slack: SlackSandbox, connect: Callable[[], Awaitable[ClientWebSocketResponse]]
) -> None:
    for _ in range(10):
        await connect()
    extra = await connect()
    assert (await extra.receive_json())["reason"] == "too_many_websockets"
    assert (await extra.receive()).type == aiohttp.WSMsgType.CLOSE
    assert len(slack.socket_mode.connections) == 10


async def test_a_silent_connection_loses_envelopes_and_answers_no_ping(
    slack: SlackSandbox, connect: Callable[[], Awaitable[ClientWebSocketResponse]]
) -> None:
    slack.delivery.patience = 0.05
    socket = await connect()
    await socket.receive_json()
    await socket.ping(b"are you there")
    pong = await socket.receive()
    assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"are you there")
    await slack.socket_mode.go_silent()
    await socket.ping(b"and now")
    lost = await slack.command("U0ALICE", "C0SOC", "/secmaster")
    assert lost.error == "operation_timeout"
    await slack.socket_mode.go_silent(silent=False)
    command = asyncio.create_task(slack.command("U0ALICE", "C0SOC", "/secmaster again"))
    envelope = await socket.receive_json()
    assert envelope["payload"]["text"] == "again"
    await socket.send_json({"envelope_id": envelope["envelope_id"]})
    assert (await command).error == ""


async def test_an_app_without_a_connection_cannot_be_reached(slack: SlackSandbox) -> None:
    delivered = await slack.command("U0ALICE", "C0SOC", "/secmaster")
    assert delivered.error == "dispatch_failed"


async def test_an_address_is_good_for_one_connection(
    client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    address = (await client.apps_connections_open(app_token="xapp-demo"))["url"]
    async with session.ws_connect(address):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(address)


async def test_an_address_is_good_for_half_a_minute(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    now = [1000.0]
    slack.socket_mode.clock = lambda: now[0]
    addresses = [(await client.apps_connections_open(app_token="xapp-demo"))["url"] for _ in "12"]
    async with session.ws_connect(addresses[0]):
        now[0] += 31
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(addresses[1])


async def test_a_handshake_can_be_refused_and_a_hello_withheld(
    slack: SlackSandbox,
    session: aiohttp.ClientSession,
    connect: Callable[[], Awaitable[ClientWebSocketResponse]],
) -> None:
    await slack.faults.set(Fault(on="socket", status=429, retry_after=7, times=1))
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await connect()
    assert caught.value.status == 429
    assert caught.value.headers
    assert caught.value.headers["Retry-After"] == "7"
    body = json.dumps({"greets": False})
    async with session.post(slack.url + "/_sandbox/socket/greet", data=body) as answer:
        assert answer.status == 200
    socket = await connect()
    await socket.ping(b"are you there")
    assert (await socket.receive()).type == aiohttp.WSMsgType.PONG  # and no hello before
    assert slack.socket_mode.connections == []


async def test_where_socket_mode_is_switched_off_every_connection_is_told_so(
    slack: SlackSandbox,
    session: aiohttp.ClientSession,
    connect: Callable[[], Awaitable[ClientWebSocketResponse]],
) -> None:
    socket = await connect()
    await socket.receive_json()
    async with session.post(slack.url + "/_sandbox/socket/warn") as answer:
        assert await answer.json() == 1
    assert (await socket.receive_json())["reason"] == "warning"
    body = json.dumps({"is_enabled": False})
    switching = asyncio.create_task(session.post(slack.url + "/_sandbox/socket/enable", data=body))
    assert (await socket.receive_json())["reason"] == "link_disabled"
    await socket.close()
    assert (await switching).status == 200
    assert (await (await connect()).receive_json())["reason"] == "link_disabled"


async def test_connections_are_closed_over_http_with_a_reason(
    slack: SlackSandbox,
    session: aiohttp.ClientSession,
    connect: Callable[[], Awaitable[ClientWebSocketResponse]],
) -> None:
    socket = await connect()
    await socket.receive_json()
    body = json.dumps({"reason": "warning"})
    async with session.post(slack.url + "/_sandbox/socket/disconnect", data=body) as answer:
        assert await answer.json() == 1
    goodbye = await socket.receive_json()
    assert (goodbye["type"], goodbye["reason"]) == ("disconnect", "warning")
    assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
    assert slack.socket_mode.connections == []


async def test_stopping_hangs_up_on_everybody_and_leaves_nothing_running(
    session: aiohttp.ClientSession,
) -> None:
    before = asyncio.all_tasks()
    slack = SlackSandbox()
    await slack.start()
    client = AsyncWebClient("xoxb-demo", base_url=slack.url + "/api/", session=session)
    address = await client.apps_connections_open(app_token="xapp-demo")
    socket = await session.ws_connect(address["url"])
    await slack.faults.set(Fault(on="auth.test", hold=True))
    waiting = asyncio.create_task(client.auth_test())
    await slack.faults.until_held("auth.test")
    await slack.stop()
    assert (await waiting)["ok"]
    assert (await socket.receive_json())["type"] == "hello"
    assert (await socket.receive_json())["type"] == "disconnect"
    assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
    assert asyncio.all_tasks() <= before
