"""Several replicas have one policy: whoever loses a right in one has lost it in all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.app import App, identify
from bot.cli.demo_story import POLICY
from bot.operations.policy_reload import operator_record, reload_policy
from bot.policy import config
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.slack.client import SlackClient
from tests.support.databases import Databases
from tests.support.environment import BotEnvironment, settings_for
from tests.support.people import ALICE, BOB, SOC
from tests.support.process import bot_process
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

WITHIN = 10  # seconds until a replica has the policy of the other
RULES = POLICY.replace('usergroups = ["S0SOC"]', f'users = ["{ALICE}", "{BOB}"]') + (
    '[rights]\nreload = ["approver"]\n[watch]\nevery = 0\nresults = false\n'
    f'[channels]\nallow = ["{SOC}"]\n'
    '[attribution]\ncomment = "reason"\n'
)
WITHOUT_BOB = RULES.replace(f'"{ALICE}", "{BOB}"', f'"{ALICE}"')


@pytest.fixture
def url(databases: Databases, tmp_path: Path) -> str:
    return databases.with_tables("postgres", tmp_path)


@pytest.fixture
async def environment(
    slack: SlackRecorder, secmaster: SecMasterSandbox, url: str, tmp_path: Path
) -> AsyncIterator[BotEnvironment]:
    """The replica "one", with a policy file of its own."""
    file = tmp_path / "secmaster-bot.toml"
    file.write_text(RULES)
    settings = settings_for(slack.url, secmaster.url, url).model_copy(
        update={"bot_config": file, "bot_replica": "one"}
    )
    async with App(settings, config.load(file), QUICK_TIMEOUTS) as app:
        yield BotEnvironment(slack, secmaster, app)


async def test_who_is_removed_in_one_replica_is_refused_by_the_other_and_after_its_crash(
    environment: BotEnvironment, url: str, tmp_path: Path
) -> None:
    slack, secmaster, app = environment.slack, environment.secmaster, environment.app
    slack.ignore_messages(channel=SOC)
    (tmp_path / "two").mkdir()
    async with bot_process(
        slack, secmaster, url, tmp_path / "two", rules=RULES, replica="two"
    ) as other:
        await approved(environment, BOB, seed.TASK_ISOLATE)
        (tmp_path / "secmaster-bot.toml").write_text(WITHOUT_BOB)
        slack.request_url = f"{app.url}/slack/events"
        await slack.command(ALICE, SOC, "/secmaster reload")
        await environment.ephemeral(ALICE, "Policy reloaded")
        slack.request_url = f"{other.url}/slack/events"
        line = await asyncio.wait_for(other.log_line("policy reloaded"), WITHIN)
        assert f'"by": "{ALICE}"' in line
        assert '"replica": "one"' in line
        await refused(environment, BOB, seed.TASK_BLOCK_IP)
        # Its own file still has the one who was removed.
        await other.kill()
        await other.start()
        await refused(environment, BOB, seed.TASK_BLOCK_IP)
        # To go back is to say so.
        other.hang_up()
        await other.log_line("policy reloaded")
        await approved(environment, BOB, seed.TASK_BLOCK_IP)
        async with asyncio.timeout(WITHIN):
            while app.policy.current.text != RULES:  # noqa: ASYNC110 - it is followed unasked
                await asyncio.sleep(0.05)
    entries = app.services.store.audit.entries("policy")
    assert [entry["actor"]["id"] for entry in entries] == [ALICE, "operator"]


async def test_who_is_removed_while_another_replica_starts_is_removed_there_as_it_begins_to_work(
    environment: BotEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack, services = environment.slack, environment.app.services
    settings = environment.app.settings.model_copy(update={"bot_replica": "two"})
    waiting, is_reloaded = asyncio.Event(), asyncio.Event()

    async def identify_late(client: SlackClient) -> AsyncSlackResponse:
        waiting.set()
        await is_reloaded.wait()
        return await identify(client)

    class LaunchedError(Exception):
        """Workflows are about to run."""

    def launch(_app: App, _stack: AsyncExitStack) -> None:
        raise LaunchedError

    slack.ignore_messages()
    monkeypatch.setattr("bot.app.identify", identify_late)
    monkeypatch.setattr(App, "_launch_workflows", launch)
    other = App(settings, config.load(settings.bot_config), QUICK_TIMEOUTS)
    starting = asyncio.create_task(other.__aenter__())
    await waiting.wait()
    assert other.policy.current.text == RULES
    record = operator_record(services.clock.now())
    await reload_policy(services, config.parse(WITHOUT_BOB), record)
    is_reloaded.set()
    with pytest.raises(LaunchedError):
        await starting
    assert other.policy.current.text == WITHOUT_BOB


async def test_on_sqlite_a_restart_does_not_bring_back_who_was_removed_and_a_reload_does(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "secmaster-bot.toml"
    settings = settings_for(slack.url, secmaster.url, database_url)
    settings = settings.model_copy(update={"bot_config": file})
    slack.ignore_messages(channel=SOC)
    for rules in (RULES, WITHOUT_BOB):
        file.write_text(rules)
        async with App(settings, config.load(file), QUICK_TIMEOUTS) as app:
            assert app.policy.current.text == rules
    file.write_text(RULES)
    async with App(settings, config.load(file), QUICK_TIMEOUTS) as app:
        slack.request_url = f"{app.url}/slack/events"
        environment = BotEnvironment(slack, secmaster, app)
        await refused(environment, BOB, seed.TASK_ISOLATE)
        await slack.command(ALICE, SOC, "/secmaster reload")
        await environment.ephemeral(ALICE, "Policy reloaded")
        await approved(environment, BOB, seed.TASK_ISOLATE)


async def approved(environment: BotEnvironment, user: str, task: str) -> None:
    await environment.slack.command(user, SOC, f"/task approve {task}")
    await environment.secmaster.until(lambda: environment.secmaster.writes("UpdateTask", task))


async def refused(environment: BotEnvironment, user: str, task: str) -> None:
    await environment.slack.command(user, SOC, f"/task approve {task}")
    await environment.ephemeral(user, "approver", "can do this")
    assert environment.secmaster.writes("UpdateTask", task) == []
