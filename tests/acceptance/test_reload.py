"""The policy is read again while the bot runs; one that can't be used changes nothing."""

import asyncio
import multiprocessing
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.policy import config
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from tests.support.database_faults import broken, sqlite_read_only
from tests.support.environment import BotEnvironment, settings_for
from tests.support.people import ALICE, CAROL, DAVE, GUEST, SOC
from tests.support.process import BotProcess, bot_process
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

BEFORE = (
    POLICY + f'[rights]\nreload = ["approver"]\n[watch]\nevery = 0\n[channels]\nallow = ["{SOC}"]\n'
)
AFTER = BEFORE.replace('usergroups = ["S0ONCALL"]', f'users = ["{DAVE}"]')
WRONG = [
    ("not toml [", "not TOML"),
    (AFTER.replace('roles = ["oncall"]', 'roles = ["nobody"]'), "'nobody' is not defined"),
    (AFTER + '[[routes]]\nchannel = "C0SOC"\n', "a route takes something"),
    (AFTER.replace("task.approve", "task.aprove"), "'task.aprove' is no action"),
    (AFTER + '[attribution]\ncomment = "<!channel>```"\n', "[attribution] comment"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secmaster-bot.toml"
    path.write_text(BEFORE)
    return path


@pytest.fixture
async def environment(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, file: Path
) -> AsyncIterator[BotEnvironment]:
    """A environment whose bot was started with a policy file."""
    base = settings_for(slack.url, secmaster.url, database_url)
    settings = base.model_copy(update={"bot_config": file})
    async with App(settings, config.load(file), QUICK_TIMEOUTS) as app:
        slack.request_url = f"{app.url}/slack/events"
        yield BotEnvironment(slack, secmaster, app)


async def test_the_changed_file_holds_from_then_on_and_is_on_record(
    environment: BotEnvironment, file: Path
) -> None:
    before = environment.app.policy.current.fingerprint
    write(file, AFTER)
    await retried(environment, CAROL, "*Retry started by <@U0CAROL>", seed.INSTANCE_FAILED)
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    now = environment.app.policy.current.fingerprint
    text = await environment.ephemeral(ALICE, "Policy reloaded, in force for all replicas.")
    assert f"`{before}` → `{now}`" in text
    await environment.slack.command(CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED_AGAIN}")
    await environment.ephemeral(CAROL, "oncall", "can do this (rule 3)", "<@U0DAVE>")
    await retried(environment, DAVE, "*Retry started by <@U0DAVE>", seed.INSTANCE_FAILED_AGAIN)
    [entry] = environment.app.services.store.audit.entries("policy")
    assert (entry["action"], entry["actor"]["id"]) == ("reload", ALICE)
    assert (entry["before"], entry["terms"]["policy"]) == (before, now)
    assert "response_url" not in str(entry)


async def test_what_has_not_changed_is_said_to_be_the_same(environment: BotEnvironment) -> None:
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    await environment.ephemeral(ALICE, "Policy reloaded, no changes.")


async def test_a_file_from_before_reading_was_a_right_is_said_to_lack_lines_that_end_that(
    environment: BotEnvironment, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head, _, rest = BEFORE.partition(
        '[[rules]]\nactions = ["task.read", "instance.read", "playbook.read"]'
    )
    older = head + rest[rest.index("[rights]") :]
    write(file, older)
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    text = await environment.ephemeral(ALICE, "No rule lets anybody read tasks or runs")
    assert "No rule lets anybody read tasks or runs" in caplog.text
    await environment.slack.command(ALICE, SOC, "/task list")
    await environment.ephemeral(ALICE, "No rule lets you read tasks. Ask whoever runs this bot")
    [lines] = re.findall(r"```\n?(.*?)\n?```", text, re.DOTALL)
    write(file, f"{older}\n{lines}\n")
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    text = await environment.ephemeral(ALICE, "Policy reloaded")
    assert "No rule" not in text
    await environment.slack.command(DAVE, SOC, "/task list")
    await environment.ephemeral(DAVE, "Waiting tasks · 1–8 of 12")


async def test_what_needs_a_restart_is_said_to_need_one(
    environment: BotEnvironment, file: Path
) -> None:
    write(file, BEFORE.replace("every = 0", "every = 5"))
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    await environment.ephemeral(
        ALICE, "Restart the bot for what changed in `[commands]` or in `[watch] every`."
    )


@pytest.mark.parametrize("user", [CAROL, DAVE, GUEST])
async def test_others_are_refused_and_the_file_is_not_read(
    environment: BotEnvironment, file: Path, user: str
) -> None:
    write(file, "not toml [")
    before = environment.app.policy.current
    await environment.slack.command(user, SOC, "/secmaster reload")
    await environment.ephemeral(
        user, "Only *approver*", "can reload the policy. Nothing was reloaded."
    )
    assert environment.app.policy.current is before
    [entry] = environment.app.services.store.audit.entries("policy")
    assert (entry["outcome"], entry["action"], entry["actor"]["id"]) == ("refused", "reload", user)


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[problem for _, problem in WRONG])
async def test_a_file_that_is_wrong_leaves_the_rules_before_in_force_and_says_why(
    environment: BotEnvironment, file: Path, text: str, problem: str
) -> None:
    before = environment.app.policy.current
    write(file, text)
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    answer = await environment.ephemeral(
        ALICE, "The policy file has errors", "The previous policy stays in force."
    )
    assert problem in answer
    assert "<!channel>" not in answer
    assert environment.app.policy.current is before
    await retried(environment, CAROL, "*Retry started by <@U0CAROL>", seed.INSTANCE_FAILED)


async def test_a_policy_that_can_not_be_recorded_is_not_in_force(
    environment: BotEnvironment, file: Path
) -> None:
    before = environment.app.policy.current
    write(file, AFTER)
    async with broken(sqlite_read_only, environment.app.engine):
        await environment.slack.command(ALICE, SOC, "/secmaster reload")
        await environment.ephemeral(ALICE, "not recorded and not done")
    assert environment.app.policy.current is before


async def test_a_file_that_is_gone_does_not_take_everybodys_rights(
    environment: BotEnvironment, file: Path
) -> None:
    write(file, None)
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    await environment.ephemeral(ALICE, "The policy file has errors", "there is no such file")
    await retried(environment, CAROL, "*Retry started by <@U0CAROL>", seed.INSTANCE_FAILED)


async def test_a_right_that_went_while_a_form_was_open_is_gone_when_it_is_sent(
    environment: BotEnvironment, file: Path
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    write(file, BEFORE.replace('usergroups = ["S0SOC"]', f'users = ["{DAVE}"]'))
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    assert "can do this (rule" in str(environment.slack.views(ALICE)[-1]["blocks"])
    assert environment.secmaster.writes("UpdateTask") == []
    await environment.ephemeral(ALICE, "Policy reloaded")


async def test_a_name_asked_for_since_the_form_was_opened_is_not_skipped(
    environment: BotEnvironment, file: Path
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    rule = 'actions = ["task.approve", "task.terminate"]\n'
    write(file, BEFORE.replace(rule, f'{rule}confirm = "type-name"\n'))
    await environment.slack.command(ALICE, SOC, "/secmaster reload")
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    assert "This requires the name to be typed." in str(
        environment.slack.views(ALICE)[-1]["blocks"]
    )
    assert environment.secmaster.writes("UpdateTask") == []
    await environment.ephemeral(ALICE, "Policy reloaded")


@pytest.mark.slow
async def test_on_sighup_a_process_reads_it_again_and_its_log_says_so(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        write(tmp_path / "secmaster-bot.toml", "not toml [")
        line = await hang_up(bot)
        assert "policy not reloaded, the one before stays in force" in line
        assert "not TOML" in line
        await slack.command(CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED}")
        await secmaster.until(lambda: len(secmaster.writes("UpdateWorkflowInstance")) == 1)
        write(tmp_path / "secmaster-bot.toml", AFTER)
        assert '"policy reloaded"' in await hang_up(bot)
        await slack.command(CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED_AGAIN}")
        text = slack.ephemerals(CAROL)[-1]["text"]
        assert "can do this (rule" in text
        [card] = await slack.until(lambda: slack.messages(SOC))
        assert card["text"].startswith("Enrich alert")
        [reply] = await slack.until(lambda: slack.thread(SOC, card["ts"])[1:])
        assert "*Retry started by" in reply["text"]


def write(file: Path, text: str | None) -> None:
    """Change the policy's file, or take it away."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


async def hang_up(bot: BotProcess) -> str:
    """Send SIGHUP, and return the log's line about the policy."""
    bot.hang_up()
    async with asyncio.timeout(10):
        return await bot.log_line("policy")


async def retried(environment: BotEnvironment, user: str, text: str, run: str) -> None:
    ts = await environment.card("instance", run, user=user)
    await environment.slack.press(user, SOC, ts, "instance.retry")
    assert text in (await environment.replies(ts))[0]


async def test_a_reload_while_the_bot_starts_ends_nothing_and_comes_after_it(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    await slack.faults.set(Fault(on="auth.test", hold=True))
    others = set(multiprocessing.active_children())
    bot = bot_process(slack, secmaster, database_url, tmp_path)
    starting = asyncio.create_task(bot.__aenter__())
    await slack.faults.until_held("auth.test")
    [process] = set(multiprocessing.active_children()) - others
    assert process.pid is not None
    os.kill(process.pid, signal.SIGHUP)
    await slack.faults.clear()
    running = await starting
    try:
        if not any('"policy reloaded"' in line for line in running.log):
            await running.log_line('"policy reloaded"')
    finally:
        await bot.__aexit__(None, None, None)
