"""Run commands of the command line for a test: in this process, or in one of their own."""

import asyncio
import functools
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

import pytest

from bot.__main__ import cli
from bot.logs import CHATTY, OURS
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack import SlackSandbox

ROOT = Path(__file__).parents[2]
BOT = (sys.executable, "-m", "bot")
PROCESS_TIMEOUT = 45  # seconds


@dataclass(frozen=True)
class CommandResult:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def run_command(*arguments: object, folder: Path, **environment: str) -> CommandResult:
    """Run a command in this process, in a folder and with this environment alone.

    What it writes goes to real files: some commands write to the descriptor of standard output.
    """
    with (
        _surroundings(folder, environment),
        _own_logging(),
        TemporaryFile("w+", encoding="utf-8", newline="") as stdout,
        TemporaryFile("w+", encoding="utf-8", newline="") as stderr,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            cli([str(argument) for argument in arguments])
        except SystemExit as ended:
            exit_code = ended.code
        assert isinstance(exit_code, int)
        return CommandResult(exit_code, _content(stdout), _content(stderr))


async def run_beside(*arguments: object, folder: Path, **environment: str) -> CommandResult:
    """Run a command in a thread of this process, while the test's own loop serves it.

    Not ``run``, which takes signals over: that is for a main thread alone.
    """
    run = functools.partial(run_command, *arguments, folder=folder, **environment)
    return await asyncio.to_thread(run)


async def run_process(*arguments: str, folder: Path, **environment: str) -> CommandResult:
    """Run ``python -m bot`` to its end."""
    child = await asyncio.create_subprocess_exec(
        *BOT,
        *arguments,
        cwd=folder,
        env=process_environment(**environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PROCESS_TIMEOUT):
            stdout, stderr = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode is not None
    return CommandResult(child.returncode, stdout.decode(), stderr.decode())


def process_environment(**environment: str) -> dict[str, str]:
    """Return what a process of the bot needs to start, and this."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}


def installation(slack: SlackSandbox, secmaster: SecMasterSandbox) -> dict[str, str]:
    """Return the environment of a bot between the two."""
    return {
        "SLACK_BOT_TOKEN": "xoxb-demo",
        "SLACK_SIGNING_SECRET": "demo-signing-secret",
        "SLACK_API_URL": f"{slack.url}/api/",
        "SECMASTER_ENDPOINT": secmaster.url,
        "SECMASTER_PROJECT_ID": "demo-project",
        "SECMASTER_WORKSPACE_ID": "demo-workspace",
        "HUAWEICLOUD_SDK_AK": "demo-ak",
        "HUAWEICLOUD_SDK_SK": "demo-sk",
        "BOT_PORT": "0",
    }


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def _surroundings(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        yield


@contextmanager
def _own_logging() -> Iterator[None]:
    """Let a command set up its logging, which would otherwise end that of the test."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("", *OURS, *CHATTY)}
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _content(file: TextIO) -> str:
    file.flush()
    file.seek(0)
    return file.read()
