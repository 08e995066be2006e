"""Slack refuses the bot's token: all stands still, somebody is told, and nothing is lost."""

import asyncio
import logging
from functools import partial
from typing import Any

import aiohttp
import pytest

from bot.app import App, StartError
from bot.cli.demo_story import POLICY
from bot.domain.operations import OperationState, Outcome, PolicyTerms
from bot.domain.slack import Destination
from bot.operations import replies, steps
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.operations import OperationStage
from tests.support.people import ALICE, ONCALL, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.watch import ROUTES, first_poll_finished

CARDS = 40
STEP = 20  # seconds


@pytest.fixture
def rules() -> str:
    return POLICY + ROUTES


async def readiness(environment: BotEnvironment) -> tuple[int, Any]:
    """Return what /readyz says: its status, and its part about Slack."""
    url = f"{environment.app.health_url}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, (await response.json()).get("slack")


async def pass_minute(environment: BotEnvironment) -> None:
    """Let a minute pass, in which the bot polls all the time."""
    for _ in range(60 // STEP):
        environment.clock.forward(seconds=STEP)
        await environment.polls(1)


def cards(environment: BotEnvironment) -> list[str]:
    """Return the objects whose cards stand in the channel, in order."""
    payloads = [message["metadata"]["event_payload"] for message in environment.slack.messages(SOC)]
    return [payload["ref"] for payload in payloads if "ref" in payload]


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= level]


async def test_nothing_is_posted_or_read_for_it_until_it_is_taken_again_and_then_all_is_there(
    environment: BotEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    slack, secmaster = environment.slack, environment.secmaster
    await first_poll_finished(environment)
    await environment.posted(SOC, "👋 Now watching SecMaster.")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    assert await readiness(environment) == (200, None)
    slack.revoke_token()
    await slack.press(ALICE, SOC, ts, "task.approve")
    for number in range(CARDS):
        secmaster.world.add_task(name=f"Burst {number:02}")
    outbox, channel = environment.app.services.store.outbox, Destination.parse(SOC)
    await secmaster.until(lambda: outbox.count() >= CARDS)
    await secmaster.until(lambda: secmaster.writes("UpdateTask", seed.TASK_ISOLATE))
    await pass_minute(environment)
    calls, reads = len(slack.calls), shown_tasks(environment)
    await pass_minute(environment)
    assert {call.method for call in slack.calls[calls:]} <= {"auth.test"}
    assert len(slack.calls) - calls <= 2
    assert shown_tasks(environment) == reads
    assert await readiness(environment) == (503, "token refused: token_revoked")
    waiting = [
        str(entry.notification.ref)
        for entry in outbox.ready_entries(channel, environment.clock.now(), CARDS + 1)
    ]
    slack.restore_token()
    environment.clock.forward(minutes=1)
    [reply] = await environment.replies(ts)
    assert f"*Approved by <@{ALICE}>" in reply
    await slack.until(lambda: len(cards(environment)) == CARDS + 1)
    await slack.until(lambda: not environment.buttons(ts))
    assert cards(environment)[1:] == waiting
    assert await readiness(environment) == (200, None)
    assert not [record for record in lines(caplog, logging.WARNING) if record.exc_info]
    # A step waits without using up its attempts: they would be over in an hour.
    assert not [record for record in lines(caplog, logging.WARNING) if record.name == "dbos"]
    [began] = lines(caplog, logging.CRITICAL)
    assert vars(began)["code"] == "token_revoked"


@pytest.mark.parametrize("rules", [POLICY])
async def test_what_was_posted_when_the_token_was_refused_beside_it_is_not_posted_again(
    environment: BotEnvironment,
) -> None:
    slack, services = environment.slack, environment.app.services
    stage = OperationStage(services, slack, environment.secmaster, environment.clock)
    terms = PolicyTerms(break_glass_channel=ONCALL)
    operation = stage.operation("task.approve", terms=terms.model_dump())
    outcome = Outcome(state=OperationState.DONE)
    await slack.faults.set(Fault(on="chat.postMessage", hang_up=True, applied=True, times=1))
    runs: list[bool] = []

    async def refused_once() -> None:
        runs.append(steps.ran_before())
        if len(runs) == 1:
            await slack.until(lambda: slack.messages(ONCALL))  # and the answer to that is lost
            slack.revoke_token()
        await services.slack.open_dm(ALICE)

    announce = partial(replies.announce_break_glass, services, operation, outcome)
    report = asyncio.create_task(steps.run_side_by_side(services, "report", refused_once, announce))
    await services.slack.token.until_refused()
    slack.restore_token()
    await services.slack.client.auth_test()
    await report
    [announcement] = slack.messages(ONCALL)
    assert f"<@{ALICE}>" in announcement["text"]
    assert runs == [False, True]
    assert not steps.ran_before()


def shown_tasks(environment: BotEnvironment) -> int:
    requests = environment.secmaster.requests
    return sum(request.endpoint == "ShowTask" for request in requests)


async def test_the_bot_does_not_start_with_it_and_says_why_in_a_sentence(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str
) -> None:
    slack.revoke_token("account_inactive")
    settings = settings_for(slack.url, secmaster.url, database_url)
    with pytest.raises(StartError) as caught:
        async with App(settings, policy(POLICY)):
            raise AssertionError("it started")
    sentence = str(caught.value)
    assert sentence.startswith("Slack refuses the bot's token (account_inactive), so the bot was")
    assert sentence.endswith("set SLACK_BOT_TOKEN to its new token, and reload or restart the bot.")
