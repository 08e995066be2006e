"""A real PgBouncer between a bot and its Postgres."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.child import READY_WITHIN
from tests.support.relay import relay_to

# Debian has it where only root looks for programs.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None and os.environ.get("CI") != "true",
    reason="no pgbouncer on this machine: apt-get install pgbouncer",
)


@asynccontextmanager
async def pooled(database_url: str, folder: Path, mode: str, **options: str) -> AsyncIterator[str]:
    """Run a pooler in front of a database, in a mode of its own; yields the address by way of it.

    It reaches the database by a relay: as root it becomes another user, who may not enter the
    folder of the server's socket.
    """
    url = sa.make_url(database_url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    async with relay_to(database_url) as relay:
        server = sa.make_url(relay.url)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": mode,
            **options,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        backend = f"host=127.0.0.1 port={server.port} dbname={url.database} user={url.username}"
        config = folder / f"pgbouncer-{mode}-{port}.ini"
        config.write_text(
            "\n".join(["[databases]", f"{url.database} = {backend}", "[pgbouncer]", *lines, ""])
        )
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        process = await asyncio.create_subprocess_exec(
            PGBOUNCER or "pgbouncer", "-q", *user, str(config), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(READY_WITHIN):
                await _listens(port, process)
            yield f"postgresql://{url.username}:@127.0.0.1:{port}/{url.database}"
        finally:
            process.terminate()
            await process.wait()


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.02)  # it says so nowhere
        else:
            writer.close()
            return
    raise AssertionError("pgbouncer did not start")
