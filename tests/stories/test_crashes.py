"""The process is killed at the worst moments: after the restart all is done once and told once."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.town import ALICE, POLICY, SOC, both_databases

pytestmark = both_databases
QUIETLY = '[attribution]\ncomment = "reason"\n'


# What `python -m bot run` does, but less patient: a test can't wait a minute for each doubt.
RUN = """
import asyncio
from bot import logs, settings
from bot.policy import config
from bot.cli.run import serve
from tests.town import QUICK
logs.open_log()
given = settings.load()
asyncio.run(serve(given, config.load(given.bot_config), QUICK))
"""


class Process:
    """The bot in a process of its own that can be killed; it listens at ``url``."""

    def __init__(self, environment: dict[str, str], folder: Path, url: str) -> None:
        self.url = url
        self._environment = environment
        self._folder = folder
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", RUN),
            env=self._environment,
            cwd=self._folder,
            stderr=asyncio.subprocess.PIPE,
        )
        lines = []
        while line := await self._child.stderr.readline():
            lines.append(line)
            if b'"ready"' in line:
                return
        raise AssertionError(b"".join(lines).decode())

    async def kill(self) -> None:
        """SIGKILL: no handler, no clean-up, no last word."""
        os.kill(self._child.pid, signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        if self._child and self._child.returncode is None:
            os.kill(self._child.pid, signal.SIGTERM)
            await self._ended()
            assert self._child.returncode == 0

    async def _ended(self) -> None:
        # To the end of its output, or the pipe would be closed over what is still to come.
        await self._child.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    database_url: str,
    folder: Path,
    *,
    rules: str = POLICY + QUIETLY,
    replica: str = "main",
) -> AsyncIterator[Process]:
    """Run the bot between the two, with nothing but environment variables and a policy file."""
    (folder / "secmaster-bot.toml").write_text(rules)
    url = f"http://127.0.0.1:{(port := _free_port())}"
    environment = {
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
    slack.request_url = f"{url}/slack/events"
    running = Process(environment, folder, url)
    async with asyncio.timeout(60):
        await running.start()
        try:
            yield running
        finally:
            await running.stop()


async def card(slack: SlackSandbox) -> str:
    await slack.command(ALICE, SOC, f"/task show {seed.TASK_ISOLATE}")
    [message] = await slack.until(lambda: slack.messages(SOC))
    return str(message["ts"])


async def the_reply(slack: SlackSandbox, ts: str) -> str:
    """The reply under the card, once the card is redrawn as well and all calls are through."""
    await slack.until(lambda: "Finished" in slack.thread(SOC, ts)[0]["text"])
    [reply] = await slack.until(lambda: slack.thread(SOC, ts)[1:])
    return str(reply["text"])


async def test_killed_after_the_acknowledgement_and_before_the_write(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await card(slack)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        acknowledged = await slack.press(ALICE, SOC, ts, "task.approve")
        assert acknowledged.status == 200
        await secmaster.faults.until_held("UpdateTask")
        await bot.kill()
        await secmaster.faults.clear()
        assert secmaster.writes("UpdateTask") == []
        await bot.start()
        assert f"*Approved* by <@{ALICE}>" in await the_reply(slack, ts)
    assert len(secmaster.writes("UpdateTask")) == 1
    assert len(slack.thread(SOC, ts)) == 2


async def test_killed_after_the_write_and_before_the_reply(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await card(slack)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await secmaster.faults.until_held("UpdateTask")
        await bot.kill()
        await secmaster.faults.clear()
        assert len(secmaster.writes("UpdateTask")) == 1
        await bot.start()
        assert f"*Approved* by <@{ALICE}>" in await the_reply(slack, ts)
    assert len(secmaster.writes("UpdateTask")) == 1
    assert len(slack.thread(SOC, ts)) == 2


async def test_killed_after_slack_took_the_reply_and_before_that_was_known(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await card(slack)
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.faults.until_held("chat.postMessage")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        await slack.until(
            lambda: any(call.method == "conversations.replies" for call in slack.calls)
        )
        assert "*Approved*" in await the_reply(slack, ts)
    assert len(secmaster.writes("UpdateTask")) == 1
    assert len(slack.thread(SOC, ts)) == 2


async def test_killed_after_slack_took_the_card_and_before_that_was_known(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE}")
        await slack.faults.until_held("chat.postMessage")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        [message] = await slack.until(lambda: slack.messages(SOC))
        assert "*Approved*" in await the_reply(slack, message["ts"])
    assert len(slack.messages(SOC)) == 1
    assert len(secmaster.writes("UpdateTask")) == 1


async def test_told_to_stop_it_leaves_what_waits_to_the_next_start(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await card(slack)
        await secmaster.faults.set(Fault(on="ShowTask", status=503))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.until(lambda: len(slack.thread(SOC, ts)) == 2)
        await bot.stop()
        await secmaster.faults.clear()
        await bot.start()
        await slack.until(lambda: len(slack.thread(SOC, ts)) == 3)
    assert "*Approved*" in slack.thread(SOC, ts)[-1]["text"]
    assert len(secmaster.writes("UpdateTask")) == 1
