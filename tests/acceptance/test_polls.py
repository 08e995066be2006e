"""How the watch begins, fares and is handed on: its first round, trouble, and two replicas."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.domain.notifications import OutboxEntry
from bot.domain.slack import Destination
from bot.notifications.kinds import BacklogNotification
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.wire import stamp
from bot.watch.poller import DISPATCH_INTERVAL
from bot.watch.retention import FIRST_PAUSE, INTERVAL
from tests.support.clock import FakeClock
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment, policy, restarted, settings_for
from tests.support.people import ALICE, ONCALL, SOC
from tests.support.process import bot_process
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import ROUTES, card_of, first_poll_finished

RULES = POLICY + ROUTES


# Waits of retention, of the subscribers and of whoever looks for troubles, beside the poller's.
OTHERS = (FIRST_PAUSE, INTERVAL, DISPATCH_INTERVAL, QUICK_TIMEOUTS.trouble_check)


class Heard(FakeClock):
    """A clock that tells when somebody first_poll_finished to wait by it."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: asyncio.Queue[float] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        if seconds not in OTHERS:
            self._waits.put_nowait(seconds)
        await super().sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait until somebody waits for so many seconds at least."""
        while await self._waits.get() < seconds:
            pass


@pytest.fixture
def clock() -> Heard:
    return Heard()


@pytest.fixture
def rules() -> str:
    return RULES


@both_databases
async def test_the_first_round_sums_up_what_is_old_and_brings_what_is_young(
    slack: SlackRecorder, secmaster: SecMasterSandbox, clock: FakeClock, database_url: str
) -> None:
    before(secmaster, "Isolate old", minutes=90)
    before(secmaster, "Isolate young", minutes=30)
    settings = settings_for(slack.url, secmaster.url, database_url)
    async with App(settings, policy(RULES), QUICK_TIMEOUTS, clock) as app:
        environment = BotEnvironment(slack, secmaster, app, clock)
        await slack.until(lambda: card_of(environment, SOC, "Isolate young"))
        [message] = await slack.until(lambda: summaries(environment, SOC))
        assert "13 tasks were already waiting" in message
        [message] = await slack.until(lambda: summaries(environment, ONCALL))
        assert "3 runs had already failed" in message
        await first_poll_finished(environment)
        await environment.polls()
        assert not card_of(environment, SOC, "Isolate old")
        assert len(slack.messages(ONCALL)) == 1


@both_databases
async def test_a_first_round_that_broke_off_is_made_again_and_says_nothing_twice(
    slack: SlackRecorder, secmaster: SecMasterSandbox, clock: FakeClock, database_url: str
) -> None:
    before(secmaster, "Isolate old", minutes=90)
    before(secmaster, "Isolate young", minutes=30)
    await secmaster.faults.set(Fault(on="ListWorkflowInstances", status=503))
    settings = settings_for(slack.url, secmaster.url, database_url)
    async with App(settings, policy(RULES), QUICK_TIMEOUTS, clock) as app:
        environment = BotEnvironment(slack, secmaster, app, clock)
        await slack.until(lambda: card_of(environment, SOC, "Isolate young"))
        assert summaries(environment, SOC) == []
    await secmaster.faults.clear()
    async with restarted(environment, database_url, RULES) as environment:
        await slack.until(lambda: summaries(environment, SOC) and summaries(environment, ONCALL))
        await first_poll_finished(environment)
        await environment.polls()
    [message] = summaries(environment, SOC)
    assert "13 tasks were already waiting" in message
    assert len([m for m in slack.messages(SOC) if m["text"].startswith("Isolate young")]) == 1
    assert not card_of(environment, SOC, "Isolate old")


@pytest.mark.parametrize("rules", [RULES.replace("0.02", "1")], ids=["each second"])
async def test_how_it_fares_is_told_alike_to_people_probes_and_prometheus(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    later = OutboxEntry(
        dedupe_key="later",
        destination=Destination.parse(SOC),
        notification=BacklogNotification(),
        not_before=environment.clock.now() + timedelta(hours=9),
    )
    environment.app.services.store.outbox.add([later], environment.clock.now())
    text = await environment.answer(ALICE, "/secmaster status")
    for part in (
        "Workspace *main*: last sync",
        "tasks are waiting. 3 runs have failed.",
        "0 messages queued.",
        "Policy: ",
    ):
        assert part in text
    assert "behind" not in text
    watch = (await ready(environment))["watch"]["main"]
    assert (watch["behind_by"], watch["failure"], watch["replica"]) == (0, "", "main")
    gauges = await metrics(environment)
    assert gauges["secmaster_bot_watch_behind_seconds", "main", ""] < 1
    assert gauges["secmaster_bot_waiting", "main", "instance"] == 3
    assert gauges["secmaster_bot_waiting", "main", "task"] > 5
    since, last = (gauges[f"secmaster_bot_watch_{each}_seconds", "main", ""] for each in TIMES)
    assert since <= last


async def test_an_outage_is_named_grows_and_is_over_when_it_is_over(
    environment: BotEnvironment, clock: "Heard"
) -> None:
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="ListTasks", status=503))
    # The pause is twice as long each time: none is asked for earlier.
    for count in range(1, 8):
        await clock.asleep(2**count)
        assert len(refused(environment, 503)) == count
        if count > 3:
            clock.forward(seconds=0.7 * 2**count)
            assert "SecMaster is not responding properly" in await environment.answer(
                ALICE, "/secmaster status"
            )
            assert len(refused(environment, 503)) == count
        clock.forward(seconds=2**count)
    await clock.asleep(2**8)
    watch = (await ready(environment))["watch"]["main"]
    assert watch["behind_by"] >= 200
    assert watch["failure"] == "Unavailable"
    assert (await metrics(environment))["secmaster_bot_watch_behind_seconds", "main", ""] >= 200
    assert " behind.*" in await environment.answer(ALICE, "/secmaster status")
    environment.secmaster.world.add_task(name="Isolate meanwhile")
    await environment.secmaster.faults.clear()
    environment.clock.forward(minutes=5)
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate meanwhile"))
    await environment.polls()
    watch = (await ready(environment))["watch"]["main"]
    assert (watch["behind_by"], watch["failure"]) == (0, "")


async def test_it_waits_for_as_long_as_secmaster_asks_to_be_left_alone(
    environment: BotEnvironment, clock: "Heard"
) -> None:
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="ListTasks", status=429, retry_after=100))
    await clock.asleep(100)
    environment.clock.forward(seconds=80)
    assert "SecMaster limits the bot's requests" in await environment.answer(
        ALICE, "/secmaster status"
    )
    assert len(refused(environment, 429)) == 1
    await environment.secmaster.faults.clear()
    asked_before = len(environment.list_requests())
    environment.clock.forward(seconds=30)
    await environment.secmaster.until(lambda: len(environment.list_requests()) > asked_before)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("end", [pytest.param("stop", marks=pytest.mark.slow), "kill"])
async def test_of_two_replicas_one_watches_and_the_other_takes_over(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    database_url: str,
    tmp_path: Path,
    end: str,
) -> None:
    async with AsyncExitStack() as stack:
        both = {}
        for name in ("a", "b"):
            (folder := tmp_path / name).mkdir()
            bot = bot_process(slack, secmaster, database_url, folder, rules=RULES, replica=name)
            both[name] = await stack.enter_async_context(bot)
        secmaster.world.add_task(name="Isolate first")
        await slack.until(lambda: messages_about(slack, "Isolate first"))
        leader = (await health(both["a"].url))["watch"]["main"]["replica"]
        assert leader == (await health(both["b"].url))["watch"]["main"]["replica"]
        first = both.pop(leader)
        if end == "kill":  # when Slack has taken a card, and nobody has been told so
            await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
            secmaster.world.add_task(name="Isolate second")
            await slack.faults.until_held("chat.postMessage")
            await first.kill()
            await slack.faults.clear()
        else:
            await first.stop()
            secmaster.world.add_task(name="Isolate second")
        [(other, second)] = both.items()
        secmaster.world.add_task(name="Isolate third")
        names = [f"Isolate {each}" for each in ("first", "second", "third")]
        await slack.until(lambda: all(messages_about(slack, name) for name in names))
        # Its cards are posted while its poll goes on, which is recorded once it has ended.
        while (await health(second.url))["watch"]["main"]["replica"] != other:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    assert [len(messages_about(slack, name)) for name in names] == [1, 1, 1]
    for channel in (SOC, ONCALL):
        assert (
            len([m for m in slack.messages(channel) if "Now watching SecMaster" in m["text"]]) == 1
        )


TIMES = ("since", "last_success")


def before(secmaster: SecMasterSandbox, name: str, *, minutes: float) -> None:
    """A task that came so long ago."""
    came = stamp(secmaster.world.clock() - timedelta(minutes=minutes))
    secmaster.world.add_task(name=name, create_time=came, update_time=came)


def summaries(environment: BotEnvironment, channel: str) -> list[str]:
    return [
        m["text"]
        for m in environment.slack.messages(channel)
        if "Now watching SecMaster" in m["text"]
    ]


def messages_about(slack: SlackRecorder, name: str) -> list[dict[str, Any]]:
    return [m for m in slack.messages(SOC) if m["text"].startswith(name)]


async def health(url: str) -> dict[str, Any]:
    """What ``/readyz`` says."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as reply:
        assert reply.status == 200
        parts: dict[str, Any] = json.loads(await reply.text())
        return parts


async def ready(environment: BotEnvironment) -> dict[str, Any]:
    return await health(environment.app.url)


async def metrics(environment: BotEnvironment) -> dict[tuple[str, str, str], float]:
    """Each gauge's value by its name, workspace and kind."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{environment.app.url}/metrics") as reply,
    ):
        families = text_string_to_metric_families(await reply.text())
    return {
        (each.name, each.labels.get("workspace", ""), each.labels.get("kind", "")): each.value
        for family in families
        for each in family.samples
    }


def refused(environment: BotEnvironment, status: int) -> list[Any]:
    """Return the polls that were refused, without what was asked for somebody's status."""
    requests = environment.list_requests()
    return [one for one in requests if one.status == status and one.query["limit"] != "1"]
