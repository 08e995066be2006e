"""A port is free, in use by a bot that runs, or by something else; none is taken from a bot."""

import socket
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web

from bot.app import listen
from bot.cli.doctor.ports import check_ports
from bot.cli.doctor.results import Result, failed, note, ok
from bot.cli.doctor.subject import Subject
from bot.web.connections import serve
from bot.web.server import web_app
from tests.support.environment import settings_for


async def ports(**changes: Any) -> list[Result]:
    settings = settings_for("http://127.0.0.1:9", "http://127.0.0.1:9", "sqlite:///unused.db")
    async with AsyncExitStack() as stack:
        return await check_ports(Subject(settings.model_copy(update=changes), stack))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_a_port_that_is_free_stays_so() -> None:
    assert await ports(bot_port=0) == [ok("any that is free")]
    port, other = free_port(), free_port()
    assert await ports(bot_port=port, bot_health_port=other) == [
        ok(f"127.0.0.1:{port} is free and 127.0.0.1:{other} is free")
    ]
    with socket.socket() as starting:  # a bot that has bound it, and does not listen yet
        starting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        starting.bind(("127.0.0.1", port))
        assert await ports(bot_port=port) == [ok(f"127.0.0.1:{port} is free")]
        starting.listen()


async def test_a_bot_that_runs_is_told_from_something_else() -> None:
    class Healthy:
        """What a bot is asked about itself, which /healthz does not need."""

        async def parts(self) -> dict[str, Any]:
            return {}

        async def metrics(self) -> bytes:
            return b""

    port = free_port()
    async with serve(web_app(None, None, Healthy()), listen("127.0.0.1", port)):
        assert await ports(bot_port=port) == [note("BOT_PORT in use by a bot that runs")]
        other = free_port()
        with socket.create_server(("127.0.0.1", other)):
            # As where the bot that runs has a port of its own for its health.
            assert await ports(bot_port=other, bot_health_port=port) == [
                note("BOT_PORT and BOT_HEALTH_PORT in use by a bot that runs")
            ]
    async with serve(web.Application(), listen("127.0.0.1", port)):
        [result] = await ports(bot_port=port)
    assert result == failed(
        f"127.0.0.1:{port} can't be listened on (Address already in use), and no bot answers "
        "there: set BOT_HOST and BOT_PORT, or end what has it"
    )


async def test_an_address_that_is_no_other_and_two_ports_that_are_one_are_said() -> None:
    [result] = await ports(bot_host="192.0.2.1", bot_port=free_port())
    assert "(Cannot assign requested address)" in result.sentence
    assert await ports(bot_port=3000, bot_health_port=3000) == [
        failed("BOT_PORT and BOT_HEALTH_PORT are the same: give each its own")
    ]
