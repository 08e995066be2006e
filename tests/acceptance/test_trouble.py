"""What keeps the bot from its work is told once, alike everywhere, and once that it is over."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.cli.demo_story import POLICY
from bot.runtime.clock import Clock
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster.wire import stamp
from bot.watch.poller import MAX_PAUSE
from tests.support.clock import FakeClock
from tests.support.database_faults import Fault as DatabaseFault
from tests.support.database_faults import broken, each_fault
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment, restarted
from tests.support.people import ALICE, DAVE, ONCALL, SOC
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import card_of, first_poll_finished, ignore_seeded_tasks

RULES = f'{POLICY}\n[watch]\nevery = 0.02\nadmins = ["{ALICE}"]\nfallback = "{ONCALL}"\n'
REFUSED = Fault(on="*", status=401, code="APIGW.0301")
REFUSES = "SecMaster does not accept the bot's credentials"


class WatchedClock(FakeClock):
    """A clock that tells when troubles have been looked for: somebody waits for the next look."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = asyncio.Event()
        self.poller_pauses = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds == QUICK_TIMEOUTS.trouble_check:
            self._looked.set()
        if seconds == MAX_PAUSE:
            self.poller_pauses.set()
        await super().sleep(seconds)

    async def pass_time(self, *, minutes: float) -> None:
        """Let time pass, in steps in each of which troubles are looked for."""
        for _ in range(round(minutes * 60 / 20)):
            self._looked.clear()
            self.forward(seconds=20)
            await self._looked.wait()


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
def rules() -> str:
    return RULES


async def read(environment: BotEnvironment, path: str) -> tuple[int, Any]:
    """Return the status of an answer about the bot's health, and what it says."""
    url = f"{environment.app.health_url}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        text = path == "/metrics"
        return response.status, await (response.text() if text else response.json())


async def troubles(environment: BotEnvironment) -> list[str]:
    """Return the kinds of trouble that there are now, on which JSON and metrics agree."""
    _, ready = await read(environment, "/readyz")
    kinds = [trouble["kind"] for trouble in ready["troubles"]]
    _, text = await read(environment, "/metrics")
    [family] = [
        each for each in text_string_to_metric_families(text) if each.name.endswith("_trouble")
    ]
    assert sorted(kinds) == sorted(s.labels["kind"] for s in family.samples if s.value)
    return kinds


def told(environment: BotEnvironment, channel: str) -> list[str]:
    """Return what was told of troubles in a channel, and has it marked as read."""
    slack = environment.slack
    texts = [str(message["text"]) for message in slack.messages(channel)]
    return [text for text in texts if text.startswith(("🚨", "✅"))]


async def told_everybody(environment: BotEnvironment, count: int) -> str:
    """Wait until an admin and the fallback channel are told so many things; return the last."""
    slack = environment.slack
    await slack.until(lambda: slack.workspace.dm(ALICE) is not None)
    channels = (slack.chat_with(ALICE), ONCALL)
    texts = [
        await slack.until(
            lambda channel=channel: len(texts := told(environment, channel)) >= count and texts
        )
        for channel in channels
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) == count
    return str(texts[0][-1])


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.exc_info]


def lines(caplog: pytest.LogCaptureFixture, event: str) -> int:
    return sum(record.getMessage() == event for record in caplog.records)


def add_due_task(environment: BotEnvironment, clock: Clock, name: str) -> None:
    due = stamp(clock.now() + timedelta(hours=1))
    environment.secmaster.world.add_task(name=name, due_handle="CONTINUE", due_date=due)


@both_databases
async def test_three_minutes_of_refused_credentials_are_told_once_and_once_that_they_are_over(
    environment: BotEnvironment,
    clock: WatchedClock,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await first_poll_finished(environment)
    add_due_task(environment, clock, "Isolate web-07")
    await environment.polls(2)
    assert await troubles(environment) == []
    await environment.secmaster.faults.set(REFUSED)
    await clock.until_waiting(2)  # after the first refusal, which the three minutes begin with
    await clock.pass_time(minutes=2)
    assert await troubles(environment) == []
    await clock.pass_time(minutes=2)
    text = await told_everybody(environment, 1)
    for part in (
        REFUSES,
        "`HTTP 401 APIGW.0301`",
        "HTTP 401",
        "Request ID: `",
        "names the setting",
        "Isolate web-07",
    ):
        assert part in text
    assert (await read(environment, "/readyz"))[0] == 200
    assert await troubles(environment) == ["secmaster"]
    status = await environment.answer(DAVE, "/secmaster status")
    for part in (REFUSES, "`HTTP 401 APIGW.0301`", "Isolate web-07"):
        assert part in status
    async with restarted(environment, database_url, RULES) as second:
        await clock.pass_time(minutes=2)
        assert await troubles(second) == ["secmaster"]
        await second.secmaster.faults.clear()
        # Whoever has SecMaster answer has it polled at once.
        assert REFUSES not in await second.answer(DAVE, "/secmaster status")
        await second.polls(2)
        assert await troubles(second) == []
        for _ in range(6):
            await clock.pass_time(minutes=1)
            await second.polls(1)
        assert "SecMaster can be read again" in await told_everybody(second, 2)
    assert tracebacks(caplog) == []
    assert lines(caplog, "SecMaster can't be polled") == 1
    assert lines(caplog, "SecMaster can be polled again") == 1


@each_fault
async def test_a_database_that_takes_no_writes_is_told_once_by_its_replica_and_once_when_it_does(
    environment: BotEnvironment, clock: WatchedClock, fault: DatabaseFault
) -> None:
    await first_poll_finished(environment)
    async with broken(fault, environment.app.engine):
        await clock.pass_time(minutes=2)
        assert (await read(environment, "/readyz"))[0] == 503
        await clock.pass_time(minutes=2)
        text = await told_everybody(environment, 1)
        for part in ("database takes no writes from replica main", "Decide in SecMaster"):
            assert part in text
        assert await troubles(environment) == ["database"]
        await clock.pass_time(minutes=4)
    await clock.pass_time(minutes=1)
    assert await troubles(environment) == []
    for _ in range(5):
        await environment.polls(1)
        await clock.pass_time(minutes=1)
    assert "takes writes from replica main again" in await told_everybody(environment, 2)
    assert await troubles(environment) == []


async def test_a_token_that_was_refused_is_told_once_it_is_taken_with_from_when_to_when(
    environment: BotEnvironment, clock: WatchedClock
) -> None:
    await first_poll_finished(environment)
    environment.slack.revoke_token()
    await environment.slack.command(ALICE, ONCALL, "/secmaster status")
    await environment.ephemeral(ALICE, "Slack could not confirm who you are")
    await clock.pass_time(minutes=4)
    assert (await read(environment, "/readyz"))[0] == 503
    assert await troubles(environment) == ["slack_token"]
    environment.slack.restore_token()
    await clock.pass_time(minutes=2)
    text = await told_everybody(environment, 1)
    assert "Nothing could be posted from" in text
    assert "`token_revoked`" in text
    assert await troubles(environment) == []


async def test_a_day_that_secmaster_asks_for_puts_off_neither_reminders_nor_the_next_poll(
    environment: BotEnvironment, clock: WatchedClock
) -> None:
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="*", status=429, retry_after=86_400))
    await clock.poller_pauses.wait()
    asked_before = len(environment.list_requests())
    await clock.pass_time(minutes=5.5)
    await environment.secmaster.until(lambda: len(environment.list_requests()) > asked_before)
    assert "SecMaster limits the bot's requests" in await told_everybody(environment, 1)


ROUTE = """
[[routes]]
channel = "C0SOC"
tasks = true
remind = ["30m"]
"""


@pytest.mark.parametrize("rules", [RULES + ROUTE], ids=["reminds"])
async def test_a_reminder_of_what_is_auto_approved_does_not_wait_for_a_secmaster_that_is_away(
    environment: BotEnvironment, clock: WatchedClock
) -> None:
    await first_poll_finished(environment)
    ignore_seeded_tasks(environment)
    environment.ignore_messages("🚨 *SecMaster")
    add_due_task(environment, clock, "Isolate web-07")
    ts = await environment.slack.until(lambda: card_of(environment, SOC, "Isolate web-07"))
    await environment.secmaster.faults.set(Fault(on="*", status=503, retry_after=86_400))
    await clock.poller_pauses.wait()
    clock.forward(minutes=31)
    [reminder] = await environment.replies(ts)
    assert "will be auto-approved" in reminder
    card = await environment.slack.until(
        lambda: "can't be read now" in str(environment.message(ts)) and environment.message(ts)
    )
    assert "Isolate web-07" in str(card["text"])
    [message] = environment.slack.thread(SOC, ts)[1:]
    assert "this is what was last known" in str(message["blocks"])
