"""What comes in SecMaster is brought to where the routes say, once."""

import json

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster.arrivals import new_failure, new_task
from tests.support.databases import both_databases, postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, ONCALL, SOC
from tests.support.watch import EVERA, ROUTES, card_of, first_poll_finished


@pytest.fixture
def rules() -> str:
    return POLICY + ROUTES


@both_databases
async def test_a_task_that_comes_gets_a_card_where_its_route_leads(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    task = new_task(environment.secmaster.world, 0)
    ts = await environment.slack.until(lambda: card_of(environment, SOC, task["name"]))
    message = environment.message(ts)
    assert "<!subteam^S0SOC>" in json.dumps(message)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.until(
        lambda: environment.secmaster.writes("UpdateTask", task["id"])
    )
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert not card_of(environment, ONCALL, task["name"])
    assert "*Approved by" in (await environment.replies(ts))[0]


async def test_a_run_that_fails_gets_a_card_that_says_where_and_how(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    run = new_failure(environment.secmaster.world, 0)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, run["name"]))
    assert "throttling" in json.dumps(environment.message(ts, channel=ONCALL))


async def test_what_waited_before_is_summed_up_in_one_message(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    texts = await environment.slack.until(
        lambda: [
            m["text"]
            for m in environment.slack.messages(SOC)
            if "Now watching SecMaster" in m["text"]
        ]
    )
    assert len(texts) == 1


@postgres_in_full
async def test_a_card_follows_what_is_done_in_the_console(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    task = new_task(environment.secmaster.world, 0)
    ts = await environment.slack.until(lambda: card_of(environment, SOC, task["name"]))
    environment.secmaster.world.update_task(task["id"], {"action": "TERMINATE"}, EVERA)
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert "Decided outside Slack by Evera" in json.dumps(environment.message(ts))
