"""A relay between a bot and its Postgres, in a process of its own, that can fall silent."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from tests.support.child import HOME, READY_WITHIN, say


@dataclass(frozen=True)
class Relay:
    """``url`` is the database's by way of the relay, which is process ``pid``."""

    url: str
    pid: int

    def freeze(self) -> None:
        """Let nothing through: its connections stay, and are acknowledged by the system."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def forget(self) -> None:
        """Lose what comes over the connections that there are, as a NAT does; new ones work."""
        os.kill(self.pid, signal.SIGUSR1)


@asynccontextmanager
async def relay_to(database_url: str) -> AsyncIterator[Relay]:
    """Run a relay to a database on Postgres, which listens on a Unix socket, until the end."""
    url = sa.make_url(database_url)
    folder = url.query["host"]
    command = (sys.executable, "-m", __name__, f"{folder}/.s.PGSQL.{url.port or 5432}")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=HOME
    )
    try:
        assert process.stdout is not None, "it was started with a pipe"
        port = int(await asyncio.wait_for(process.stdout.readline(), READY_WITHIN))
        through = url.set(host="127.0.0.1", port=port, query={})
        yield Relay(through.render_as_string(hide_password=False), process.pid)
    finally:
        process.kill()
        await process.wait()


async def main(target: str) -> None:
    connections: list[asyncio.Event] = []

    def forget() -> None:
        for is_lost in connections:
            is_lost.set()

    async def accept(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(target)
        connections.append(is_lost := asyncio.Event())
        both_ways = (pass_on(client, to_server, is_lost), pass_on(server, to_client, is_lost))
        await asyncio.gather(*both_ways)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    say(listener.sockets[0].getsockname()[1])
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, forget)
    await listener.serve_forever()


async def pass_on(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_lost: asyncio.Event
) -> None:
    """Pass on what comes, until one side ends or all is lost from then on."""
    try:
        while content := await source.read(65536):
            if not is_lost.is_set():
                sink.write(content)
                await sink.drain()
    except ConnectionError:
        pass
    if not is_lost.is_set():
        sink.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
