"""What ``python -m bot run`` does, but less patient: a test can't wait a minute for each doubt."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bot import logs, settings
from bot.cli.run import serve
from bot.policy import config
from bot.runtime.background import BackgroundTasks
from bot.runtime.timeouts import Timeouts
from tests.support.unsynced import write_without_sync


def run(variables: dict[str, str], folder: Path, stderr: Connection, timeouts: Timeouts) -> None:
    """Run the bot with nothing but these environment variables, in this folder."""
    os.dup2(stderr.fileno(), 2)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    signal.signal(signal.SIGUSR1, _stop_after_ack)
    write_without_sync()
    loaded = settings.load()
    logs.open_log(loaded.log_level)
    asyncio.run(serve(loaded, config.load(loaded.bot_config), timeouts))


def _stop_after_ack(*_signal: object) -> None:
    """From now on nothing that was to be done after an acknowledgement has its turn."""

    def close(_tasks: object, work: Coroutine[Any, Any, None], *_: object) -> None:
        work.close()

    setattr(BackgroundTasks, "start", close)  # noqa: B010 - in this process alone
