"""What comes in SecMaster is brought to where the routes say, once."""

import json

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster import Person
from bot.sandbox.secmaster.arrivals import new_failure, new_task
from tests.town import ALICE, ONCALL, SOC, Town, both_databases

EVERA = Person("console-evera", "Evera")
ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
mention = ["S0SOC"]

[[routes]]
name = "oncall"
channel = "C0ONCALL"
instances = ["FAILED"]
"""


@pytest.fixture
def rules() -> str:
    return POLICY + ROUTES


@both_databases
async def test_a_task_that_comes_gets_a_card_where_its_route_leads(town: Town):
    await began(town)
    task = new_task(town.secmaster.world, 0)
    ts = await town.slack.until(lambda: card_of(town, SOC, task["name"]))
    message = town.message(ts)
    assert "<!subteam^S0SOC>" in json.dumps(message)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.secmaster.until(lambda: town.secmaster.writes("UpdateTask", task["id"]))
    await town.slack.until(lambda: not town.buttons(ts))
    assert not card_of(town, ONCALL, task["name"])


async def test_a_run_that_fails_gets_a_card_that_says_where_and_how(town: Town):
    await began(town)
    run = new_failure(town.secmaster.world, 0)
    ts = await town.slack.until(lambda: card_of(town, ONCALL, run["name"]))
    assert "throttling" in json.dumps(town.message(ts, channel=ONCALL))


async def test_what_waited_before_is_summed_up_in_one_message(town: Town):
    await began(town)
    said = await town.slack.until(
        lambda: [m["text"] for m in town.slack.messages(SOC) if "I watch SecMaster" in m["text"]]
    )
    assert len(said) == 1


@both_databases
async def test_a_card_follows_what_is_done_in_the_console(town: Town):
    await began(town)
    task = new_task(town.secmaster.world, 0)
    ts = await town.slack.until(lambda: card_of(town, SOC, task["name"]))
    town.secmaster.world.update_task(task["id"], {"action": "TERMINATE"}, EVERA)
    await town.slack.until(lambda: not town.buttons(ts))
    assert "Decided outside Slack by Evera" in json.dumps(town.message(ts))


async def began(town: Town) -> None:
    """Wait until the first round is through."""
    rounds = town.app.services.store.poll_statuses
    await town.secmaster.until(lambda: bool((r := rounds.get("main")) and r.last_success_at))


def card_of(town: Town, channel: str, name: str) -> str:
    found = [m["ts"] for m in town.slack.messages(channel) if m["text"].startswith(name)]
    return str(found[-1]) if found else ""
