"""A bot that is well says so: what Slack's libraries warn of is a fault of ours."""

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.secmaster import seed
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOT, SOC

# As a service's environment has them, with what else the app's page shows to be copied.
PRODUCTION = {
    "SLACK_BOT_TOKEN": "xoxb-demo",
    "SLACK_SIGNING_SECRET": "demo-signing-secret",
    "SLACK_APP_TOKEN": "xapp-demo",
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "demo-client-secret",
    "SLACK_VERIFICATION_TOKEN": "demo-verification-token",
}


@pytest.fixture(params=["http", "socket"])
async def mode(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PRODUCTION.items():
            patch.setenv(name, value)
        yield str(request.param)


async def test_neither_a_start_nor_any_kind_of_payload_is_warned_of(
    environment: BotEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    slack = environment.slack
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await slack.say(ALICE, SOC, f"<@{BOT}> help")
    await environment.ephemeral(ALICE, "How to use")
    chat = slack.chat_with(ALICE)
    await slack.say(ALICE, chat, "help")
    await environment.posted(chat, "How to use")
    await slack.open_home(ALICE)
    await slack.until(lambda: slack.modals.homes.get(ALICE))
    await slack.shortcut(ALICE, "waiting")
    await slack.until(lambda: slack.modals.stacks.get(ALICE))
    records = [*caplog.get_records("setup"), *caplog.records]
    libraries = ("bot.bolt", "slack_bolt", "slack_sdk", "asyncio", "aiohttp")
    assert [record.getMessage() for record in records if record.name.startswith(libraries)] == []
