"""The bot in a process of its own that a test can kill."""

import asyncio
import multiprocessing
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from bot.cli.demo_story import POLICY
from bot.runtime.timeouts import Timeouts
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.support import bot_main
from tests.support.people import ALICE, CHANNELS, SOC
from tests.support.timeouts import QUICK_TIMEOUTS

QUIETLY = '[attribution]\ncomment = "reason"\n'
# Each process is forked from one that has imported everything: that is most of a start.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["bot.app", bot_main.__name__])


LOG_ROOM = 16 * 1024**2  # bytes: a process whose log nobody reads must not wait for that


class BotProcess:
    """The bot in a process of its own that can be killed; it listens at ``url``.

    ``log`` has what it logged, as far as that was read: all of it once it has ended.
    ``ready_line`` is what its log said when it was ready.
    """

    stderr: asyncio.StreamReader
    ready_line: str

    def __init__(
        self, variables: dict[str, str], folder: Path, url: str, timeouts: Timeouts
    ) -> None:
        self.url = url
        self.log: list[str] = []
        self._timeouts = timeouts
        self._variables = variables
        self._folder = folder
        self._process: multiprocessing.process.BaseProcess | None = None

    @property
    def pid(self) -> int:
        """The process that runs, or ran last."""
        assert self._process is not None, "the bot was never started"
        assert self._process.pid is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        log, stderr = PROCESSES.Pipe(duplex=False)
        self._process = PROCESSES.Process(
            target=bot_main.run,
            args=(self._variables, self._folder, stderr, self._timeouts),
            daemon=True,  # it ends with the tests, whatever happens to them
        )
        await asyncio.to_thread(self._process.start)
        stderr.close()
        self.stderr = asyncio.StreamReader(limit=LOG_ROOM)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self.stderr), os.fdopen(os.dup(log.fileno()), "rb")
        )
        log.close()
        self.ready_line = await self.log_line('"ready"')

    async def log_line(self, containing: str) -> str:
        """Wait for a line of its log; that it ends before is an error with all its lines."""
        while line := (await self.stderr.readline()).decode():
            self.log.append(line)
            if containing in line:
                return line
        raise AssertionError("".join(self.log))

    def hang_up(self) -> None:
        """SIGHUP: the policy is to be read again."""
        os.kill(self.pid, signal.SIGHUP)

    def stop_after_ack(self) -> None:
        """From now on it is as if it were killed right after each acknowledgement."""
        os.kill(self.pid, signal.SIGUSR1)

    async def kill(self) -> None:
        """SIGKILL: no handler, no clean-up, no last word."""
        os.kill(self.pid, signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        """SIGTERM, where it runs, and a clean end."""
        if self._process and self._process.is_alive():
            os.kill(self.pid, signal.SIGTERM)
            assert await self._ended() == 0

    async def _ended(self) -> int | None:
        """Wait for its end and that of its output, and return its exit code."""
        assert self._process is not None
        self.log += (await self.stderr.read()).decode().splitlines(keepends=True)
        await asyncio.to_thread(self._process.join)
        return self._process.exitcode


@asynccontextmanager
async def bot_process(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    database_url: str,
    folder: Path,
    *,
    rules: str = POLICY,
    replica: str = "main",
    timeouts: Timeouts = QUICK_TIMEOUTS,
    settings: Mapping[str, str] = MappingProxyType({}),
    longest: float = 60,
) -> AsyncIterator[BotProcess]:
    """Run the bot between the two, with nothing but environment variables and a policy file.

    ``longest`` is how many seconds the whole story may take. A decision without a reason leaves no
    comment, its run is not followed, nobody is called for an approval, and cards may be posted in
    every channel, unless the rules say otherwise.
    """
    if "call = " not in rules:
        rules = re.sub(r"^approvals = [2-9]$", r'\g<0>\ncall = "none"', rules, flags=re.MULTILINE)
    if "results = " not in rules:
        rules = rules if "[watch]\n" in rules else f"{rules}\n[watch]\n"
        rules = rules.replace("[watch]\n", "[watch]\nresults = false\n")
    quiet = "" if "[attribution]" in rules else QUIETLY
    channels = "" if "[channels]" in rules else f"\n[channels]\nallow = {list(CHANNELS)}\n"
    (folder / "secmaster-bot.toml").write_text(rules + quiet + channels)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    variables = {
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
        **settings,
    }
    url = f"http://127.0.0.1:{port}"
    slack.request_url = f"{url}/slack/events"
    process = BotProcess(variables, folder, url, timeouts)
    async with asyncio.timeout(longest):
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
