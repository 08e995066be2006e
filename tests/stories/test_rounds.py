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
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.wire import stamp
from bot.sandbox.slack import SlackSandbox
from tests.stories.test_arrivals import ROUTES, began, card_of
from tests.stories.test_crashes import process
from tests.stories.test_oncall import again
from tests.stories.test_routes_in_slack import asked
from tests.town import (
    ALICE,
    ONCALL,
    QUICK,
    SOC,
    Hands,
    Town,
    both_databases,
    policy,
    settings_for,
)

RULES = POLICY + ROUTES


class Heard(Hands):
    """A clock that tells when somebody began to wait by it."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: asyncio.Queue[float] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        self._waits.put_nowait(seconds)
        await super().sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait until somebody waits for so many seconds at least."""
        while await self._waits.get() < seconds:
            pass


@pytest.fixture
def hands() -> Heard:
    return Heard()


@pytest.fixture
def rules() -> str:
    return RULES


@both_databases
async def test_the_first_round_sums_up_what_is_old_and_brings_what_is_young(
    slack: SlackSandbox, secmaster: SecMasterSandbox, hands: Hands, database_url: str
):
    before(secmaster, "Isolate old", minutes=90)
    before(secmaster, "Isolate young", minutes=30)
    settings = settings_for(slack, secmaster, database_url)
    async with App(settings, policy(RULES), QUICK, hands) as app:
        town = Town(slack, secmaster, app, hands)
        await slack.until(lambda: card_of(town, SOC, "Isolate young"))
        [said] = await slack.until(lambda: summaries(town, SOC))
        assert "13 tasks wait" in said
        [said] = await slack.until(lambda: summaries(town, ONCALL))
        assert "3 runs failed" in said
        await began(town)
        await town.rounds()
        assert not card_of(town, SOC, "Isolate old")
        assert len(slack.messages(ONCALL)) == 1


@both_databases
async def test_a_first_round_that_broke_off_is_made_again_and_says_nothing_twice(
    slack: SlackSandbox, secmaster: SecMasterSandbox, hands: Hands, database_url: str
):
    before(secmaster, "Isolate old", minutes=90)
    before(secmaster, "Isolate young", minutes=30)
    await secmaster.faults.set(Fault(on="ListWorkflowInstances", status=503))
    settings = settings_for(slack, secmaster, database_url)
    async with App(settings, policy(RULES), QUICK, hands) as app:
        town = Town(slack, secmaster, app, hands)
        await slack.until(lambda: card_of(town, SOC, "Isolate young"))
        assert summaries(town, SOC) == []
    await secmaster.faults.clear()
    async with again(town, database_url, RULES) as town:
        await slack.until(lambda: summaries(town, SOC) and summaries(town, ONCALL))
        await began(town)
        await town.rounds()
    [said] = summaries(town, SOC)
    assert "13 tasks wait" in said
    assert len([m for m in slack.messages(SOC) if m["text"].startswith("Isolate young")]) == 1
    assert not card_of(town, SOC, "Isolate old")


@pytest.mark.parametrize("rules", [RULES.replace("0.02", "1")], ids=["each second"])
async def test_how_it_fares_is_told_alike_to_people_probes_and_prometheus(town: Town):
    await began(town)
    told = await asked(town, ALICE, "/secmaster status")
    for part in ("*main* is watched since", "by main", "last good round", "not behind"):
        assert part in told
    assert "tasks wait, 3 runs are failed." in told
    watch = (await ready(town))["watch"]["main"]
    assert (watch["behind_by"], watch["trouble"], watch["replica"]) == (0, "", "main")
    gauges = await metrics(town)
    assert gauges["secmaster_bot_watch_behind_seconds", "main", ""] < 1
    assert gauges["secmaster_bot_waiting", "main", "instance"] == 3
    assert gauges["secmaster_bot_waiting", "main", "task"] > 5
    since, last = (gauges[f"secmaster_bot_watch_{each}_seconds", "main", ""] for each in TIMES)
    assert since <= last


async def test_an_outage_is_named_grows_and_is_over_when_it_is_over(town: Town, hands: "Heard"):
    await began(town)
    await town.secmaster.faults.set(Fault(on="ListTasks", status=503))
    # The pause is twice as long each time: none is asked for earlier.
    for count in range(1, 8):
        await hands.asleep(2**count)
        assert len(refused(town, 503)) == count
        if count > 3:
            hands.forward(seconds=0.7 * 2**count)
            assert "Trouble: Unavailable" in await asked(town, ALICE, "/secmaster status")
            assert len(refused(town, 503)) == count
        hands.forward(seconds=2**count)
    await hands.asleep(2**8)
    watch = (await ready(town))["watch"]["main"]
    assert watch["behind_by"] >= 200
    assert watch["trouble"] == "Unavailable"
    assert (await metrics(town))["secmaster_bot_watch_behind_seconds", "main", ""] >= 200
    assert "*behind by " in await asked(town, ALICE, "/secmaster status")
    town.secmaster.world.add_task(name="Isolate meanwhile")
    await town.secmaster.faults.clear()
    town.hands.forward(minutes=5)
    await town.slack.until(lambda: card_of(town, SOC, "Isolate meanwhile"))
    await town.rounds()
    watch = (await ready(town))["watch"]["main"]
    assert (watch["behind_by"], watch["trouble"]) == (0, "")


async def test_it_waits_for_as_long_as_secmaster_asks_to_be_left_alone(town: Town, hands: "Heard"):
    await began(town)
    await town.secmaster.faults.set(Fault(on="ListTasks", status=429, retry_after=100))
    await hands.asleep(100)
    town.hands.forward(seconds=80)
    assert "Trouble: Unavailable" in await asked(town, ALICE, "/secmaster status")
    assert len(refused(town, 429)) == 1
    await town.secmaster.faults.clear()
    asked_before = len(town.lists())
    town.hands.forward(seconds=30)
    await town.secmaster.until(lambda: len(town.lists()) > asked_before)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_of_two_replicas_one_watches_and_the_other_takes_over(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    database_url: str,
    tmp_path: Path,
    end: str,
):
    async with AsyncExitStack() as stack:
        both = {}
        for name in ("a", "b"):
            (folder := tmp_path / name).mkdir()
            bot = process(slack, secmaster, database_url, folder, rules=RULES, replica=name)
            both[name] = await stack.enter_async_context(bot)
        secmaster.world.add_task(name="Isolate first")
        await slack.until(lambda: named(slack, "Isolate first"))
        leader = (await told(both["a"].url))["watch"]["main"]["replica"]
        assert leader == (await told(both["b"].url))["watch"]["main"]["replica"]
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
        await slack.until(lambda: all(named(slack, name) for name in names))
        assert (await told(second.url))["watch"]["main"]["replica"] == other
    assert [len(named(slack, name)) for name in names] == [1, 1, 1]
    assert len([m for m in slack.messages(SOC) if "I watch SecMaster" in m["text"]]) == 1


TIMES = ("since", "last_round")


def before(secmaster: SecMasterSandbox, name: str, *, minutes: float) -> None:
    """A task that came so long ago."""
    came = stamp(secmaster.world.clock() - timedelta(minutes=minutes))
    secmaster.world.add_task(name=name, create_time=came, update_time=came)


def summaries(town: Town, channel: str) -> list[str]:
    return [m["text"] for m in town.slack.messages(channel) if "I watch SecMaster" in m["text"]]


def named(slack: SlackSandbox, name: str) -> list[dict[str, Any]]:
    return [m for m in slack.messages(SOC) if m["text"].startswith(name)]


async def told(url: str) -> dict[str, Any]:
    """What ``/readyz`` says."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as reply:
        assert reply.status == 200
        return json.loads(await reply.text())


async def ready(town: Town) -> dict[str, Any]:
    return await told(town.app.url)


async def metrics(town: Town) -> dict[tuple[str, str, str], float]:
    """Each gauge's value by its name, workspace and kind."""
    async with aiohttp.ClientSession() as session, session.get(f"{town.app.url}/metrics") as reply:
        families = text_string_to_metric_families(await reply.text())
    return {
        (each.name, each.labels.get("workspace", ""), each.labels.get("kind", "")): each.value
        for family in families
        for each in family.samples
    }


def refused(town: Town, status: int) -> list[Any]:
    return [one for one in town.lists() if one.status == status]
