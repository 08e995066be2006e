"""Connections that are slow or many: each has its time, and whoever is served keeps their place."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from bot.web.connections import ConnectionLimits, serve
from tests.support.timeouts import PATIENCE

PATIENT = ConnectionLimits(
    connections=4, headers=PATIENCE, body=PATIENCE, answer=PATIENCE, idle=PATIENCE
)
HALF_HEADERS = b"POST / HTTP/1.1\r\nHost: bot\r\nX-Slack-Sig"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: 90\r\n\r\nhal"
WHOLE = b"POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: 5\r\n\r\nwhole"
HELD = WHOLE.replace(b"POST /", b"POST /held")


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self, request: bytes) -> bytes:
        """Send a request, and return the head of what comes back."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        await self.reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        return head

    async def closed(self) -> bool:
        """Wait until the other side has closed, without another word."""
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True


@dataclass
class Door:
    """A port that answers what it was sent, at ``/held`` not before it may."""

    limits: ConnectionLimits
    port: int
    held: asyncio.Event
    may_answer: asyncio.Event
    clients: list[Client]

    async def connect(self, begin: bytes = b"") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        client.writer.write(begin)
        self.clients.append(client)
        return client

    async def serves(self) -> bool:
        """Whether somebody new is answered."""
        return b" 200 " in await (await self.connect()).answer(WHOLE)


@pytest.fixture
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    held, may_answer = asyncio.Event(), asyncio.Event()

    async def echo(received: web.Request) -> web.Response:
        return web.Response(body=await received.read())

    async def hold(_received: web.Request) -> web.Response:
        held.set()
        await may_answer.wait()
        return web.Response()

    application = web.Application(client_max_size=100)
    application.router.add_post("/", echo)
    application.router.add_post("/held", hold)
    listener = socket.create_server(("127.0.0.1", 0))
    limits: ConnectionLimits = request.param
    async with serve(application, listener, limits) as url:
        door = Door(limits, int(url.rpartition(":")[2]), held, may_answer, [])
        yield door
        may_answer.set()
        for client in door.clients:
            client.writer.close()


def limits(**changes: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "door", [replace(PATIENT, **changes)], indirect=True, ids=["-".join(changes)]
    )


@limits(headers=0.2, body=0.2)
@pytest.mark.parametrize("half", [b"", HALF_HEADERS, HALF_BODY], ids=["nothing", "headers", "body"])
async def test_half_a_request_is_waited_for_no_longer_than_its_time(
    door: Door, half: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = await door.connect(half)
    assert await client.closed()
    [record] = caplog.records
    assert record.getMessage() == "a connection was too slow, and closed"
    assert record.exc_info is None


@limits(headers=0.3, body=0.3)
@pytest.mark.parametrize("half", [HALF_HEADERS, HALF_BODY], ids=["headers", "body"])
async def test_one_byte_at_a_time_buys_no_more_time(door: Door, half: bytes) -> None:
    client = await door.connect(half)

    async def drip() -> None:
        while True:
            client.writer.write(b"x")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    assert await client.closed()
    dripping.cancel()


@limits(headers=0.2, body=0.2)
async def test_a_connection_that_was_served_stays_for_the_next_request(door: Door) -> None:
    client = await door.connect()
    assert b" 200 " in await client.answer(WHOLE)
    slow = await door.connect(HALF_HEADERS)
    assert await slow.closed()  # the time for headers has passed
    assert b" 200 " in await client.answer(WHOLE)
    client.writer.write(HALF_HEADERS)
    assert await client.closed()


@limits(idle=0.1)
async def test_a_connection_without_a_next_request_is_closed_in_the_end(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    client = await door.connect()
    assert b" 200 " in await client.answer(WHOLE)
    assert await client.closed()
    assert caplog.records == []


@limits(answer=0.1)
async def test_an_answer_that_never_comes_is_not_waited_for(door: Door) -> None:
    client = await door.connect(HELD)
    assert await client.closed()
    assert await door.serves()


@limits(connections=4)
@pytest.mark.parametrize("half", [HALF_HEADERS, HALF_BODY], ids=["headers", "body"])
async def test_half_requests_make_room_the_oldest_first(door: Door, half: bytes) -> None:
    busy = await door.connect(HELD)
    await door.held.wait()
    idle = await door.connect()
    assert b" 200 " in await idle.answer(WHOLE)
    slow = [await door.connect(half) for _ in range(20)]
    assert await door.serves()
    for client in slow[:-2]:
        assert await client.closed()
    assert b" 200 " in await idle.answer(WHOLE)
    door.may_answer.set()
    assert b" 200 " in await busy.answer(b"")


@limits(connections=2)
async def test_who_is_idle_makes_room_where_nobody_is_slow(door: Door) -> None:
    first, second = await door.connect(), await door.connect()
    assert b" 200 " in await first.answer(WHOLE)
    assert b" 200 " in await second.answer(WHOLE)
    assert await door.serves()
    assert await first.closed()
    assert b" 200 " in await second.answer(WHOLE)


@limits(connections=1)
async def test_where_everybody_is_being_served_a_new_one_is_turned_away(door: Door) -> None:
    busy = await door.connect(HELD)
    await door.held.wait()
    assert await (await door.connect(WHOLE)).closed()
    door.may_answer.set()
    assert b" 200 " in await busy.answer(b"")
    assert await door.serves()


@limits(connections=4)
async def test_what_is_no_request_is_answered_as_such(door: Door) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    zipped = WHOLE.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    large = WHOLE.replace(b"Length: 5", b"Length: 101") + b"x" * 96
    for request, status in ((chunked, b" 400 "), (zipped, b" 400 "), (large, b" 413 ")):
        client = await door.connect()
        assert status in await client.answer(request)


@limits(connections=4)
async def test_who_hangs_up_in_the_middle_is_no_line_in_the_log(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    for half in (HALF_HEADERS, HALF_BODY):
        client = await door.connect(half)
        client.writer.close()
        await client.writer.wait_closed()
        assert await door.serves()
    assert caplog.records == []


def test_half_of_the_descriptors_are_left_for_all_else() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert ConnectionLimits().room == 128
        assert ConnectionLimits(connections=10).room == 10
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
