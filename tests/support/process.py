"""The bot in a process of its own that a test can kill."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.support.people import ALICE, CHANNELS, SOC

QUIETLY = '[attribution]\ncomment = "reason"\n'
# What `python -m bot run` does, but less patient: a test can't wait a minute for each doubt.
RUN = """
import asyncio
import signal
from bot import logs, settings
from bot.policy import config
from bot.runtime.background import BackgroundTasks
from bot.cli.run import serve
from tests.support.timeouts import QUICK_TIMEOUTS
logs.open_log()


def stop_after_ack(*_signal):
    # From now on nothing that was to be done after an acknowledgement has its turn.
    BackgroundTasks.start = lambda _tasks, work, _on_error: work.close()


signal.signal(signal.SIGUSR1, stop_after_ack)
loaded = settings.load()
asyncio.run(serve(loaded, config.load(loaded.bot_config), QUICK_TIMEOUTS))
"""


class BotProcess:
    """The bot in a process of its own that can be killed; it listens at ``url``."""

    def __init__(self, variables: dict[str, str], folder: Path, url: str) -> None:
        self.url = url
        self._variables = variables
        self._folder = folder
        self._child: asyncio.subprocess.Process | None = None

    @property
    def child(self) -> asyncio.subprocess.Process:
        """The process that runs, or ran last."""
        assert self._child is not None, "the bot was never started"
        return self._child

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", RUN),
            env=self._variables,
            cwd=self._folder,
            stderr=asyncio.subprocess.PIPE,
        )
        await self.log_line("ready")

    async def log_line(self, containing: str) -> str:
        """Wait for a line of its log; that it ends before is an error with all its lines."""
        log = self.child.stderr
        assert log is not None
        lines: list[str] = []
        while line := (await log.readline()).decode():
            lines.append(line)
            if containing in line:
                return line
        raise AssertionError("".join(lines))

    def hang_up(self) -> None:
        """SIGHUP: the policy is to be read again."""
        os.kill(self.child.pid, signal.SIGHUP)

    def stop_after_ack(self) -> None:
        """From now on it is as if it were killed right after each acknowledgement."""
        os.kill(self.child.pid, signal.SIGUSR1)

    async def kill(self) -> None:
        """SIGKILL: no handler, no clean-up, no last word."""
        os.kill(self.child.pid, signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        """SIGTERM, where it runs, and a clean end."""
        if self._child and self._child.returncode is None:
            os.kill(self._child.pid, signal.SIGTERM)
            await self._ended()
            assert self._child.returncode == 0

    async def _ended(self) -> None:
        # To the end of its output, or the pipe would be closed over what is still to come.
        await self.child.communicate()


@asynccontextmanager
async def bot_process(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    database_url: str,
    folder: Path,
    *,
    rules: str = POLICY,
    replica: str = "main",
) -> AsyncIterator[BotProcess]:
    """Run the bot between the two, with nothing but environment variables and a policy file.

    A decision without a reason leaves no comment, and cards may be posted in every channel, unless
    the rules say otherwise.
    """
    quiet = "" if "[attribution]" in rules else QUIETLY
    channels = "" if "[channels]" in rules else f"\n[channels]\nallow = {list(CHANNELS)}\n"
    (folder / "secmaster-bot.toml").write_text(rules + quiet + channels)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SLACK_BOT_TOKEN": "xoxb-demo",
        "SLACK_SIGNING_SECRET": "demo-signing-secret",
        "SLACK_API_URL": f"{slack.url}/api/",
        "SECMASTER_ENDPOINT": secmaster.url,
        "SECMASTER_PROJECT_ID": "demo-project",
        "SECMASTER_WORKSPACE_ID": "demo-workspace",
        "HUAWEICLOUD_SDK_AK": "demo-ak",
        "HUAWEICLOUD_SDK_SK": "demo-sk",
        "DATABASE_URL": database_url,
        "BOT_PORT": str(port),
        "BOT_REPLICA": replica,
    }
    url = f"http://127.0.0.1:{port}"
    slack.request_url = f"{url}/slack/events"
    process = BotProcess(variables, folder, url)
    async with asyncio.timeout(60):
        await process.start()
        try:
            yield process
        finally:
            await process.stop()


async def post_card(slack: SlackSandbox) -> str:
    """Have Alice post a task's card into an empty channel; returns its ts."""
    await slack.command(ALICE, SOC, f"/task show {seed.TASK_ISOLATE}")
    [message] = await slack.until(lambda: slack.messages(SOC))
    return str(message["ts"])
