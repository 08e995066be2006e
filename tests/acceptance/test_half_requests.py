"""Eleven hundred half-sent requests: a whole one is answered, and the log is short."""

import asyncio
import resource
from pathlib import Path

import pytest

from bot.sandbox.secmaster import SecMasterSandbox
from tests.support.people import ALICE, SOC
from tests.support.process import bot_process
from tests.support.slack_recorder import SlackRecorder

pytestmark = pytest.mark.deadline

MANY = 1100
DESCRIPTORS = 1024  # what a process may have open on many machines, unless told otherwise
POST = b"POST /slack/events HTTP/1.1\r\nHost: bot\r\n"
HALVES = {"headers": POST + b"X-Slack-Sig", "body": POST + b"Content-Length: 500\r\n\r\npayload="}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits a process from outside")
@pytest.mark.parametrize("half", HALVES.values(), ids=list(HALVES))
async def test_half_requests_keep_nobody_from_being_answered(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    database_url: str,
    tmp_path: Path,
    half: bytes,
) -> None:
    slack.ignore_messages("How to use /secmaster")
    log = bytearray()
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        _soft, hard = resource.prlimit(bot.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(bot.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))

        async def read_log() -> None:
            while chunk := await bot.stderr.read(65536):
                log.extend(chunk)

        reading = asyncio.create_task(read_log())
        port = int(bot.url.rpartition(":")[2])
        writers = []
        for _ in range(MANY):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(half)
            writers.append(writer)
        for _ in range(5):
            before = len(slack.ephemerals(ALICE))
            await slack.command(ALICE, SOC, "/secmaster help")
            await slack.until(lambda before=before: len(slack.ephemerals(ALICE)) > before)
        reading.cancel()
        await asyncio.wait([reading])  # who stops the bot reads the rest
        for writer in writers:
            writer.close()
    assert 0 < log.count(b"\n") < 20
    assert b"too many connections" in log
