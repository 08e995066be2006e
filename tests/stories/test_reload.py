"""The policy is read again while the bot runs; one that can't be used changes nothing."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.policy import config
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.stories.test_crashes import Process, process
from tests.town import ALICE, CAROL, DAVE, GUEST, QUICK, SOC, Town, settings_for

BEFORE = POLICY + '[rights]\nreload = ["approver"]\n[watch]\nevery = 0\n'
AFTER = BEFORE.replace('usergroups = ["S0ONCALL"]', f'users = ["{DAVE}"]')
WRONG = [
    ("not toml [", "not TOML"),
    (AFTER.replace('roles = ["oncall"]', 'roles = ["nobody"]'), "'nobody' is not defined"),
    (AFTER + '[[routes]]\nchannel = "C0SOC"\n', "a route takes something"),
    (AFTER.replace("task.approve", "task.aprove"), "'task.aprove' is no action"),
    (AFTER + '[attribution]\ncomment = "<!channel>```"\n', "attribution.comment"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secmaster-bot.toml"
    path.write_text(BEFORE)
    return path


@pytest.fixture
async def town(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, file: Path
) -> AsyncIterator[Town]:
    """A town whose bot was started with a policy file."""
    given = settings_for(slack, secmaster, database_url)
    settings = given.model_copy(update={"bot_config": file})
    async with App(settings, config.load(file), QUICK) as app:
        slack.request_url = f"{app.url}/slack/events"
        yield Town(slack, secmaster, app)


async def test_the_changed_file_holds_from_then_on_and_is_on_record(town: Town, file: Path):
    before = town.app.policy.current.fingerprint
    write(file, AFTER)
    await retried(town, CAROL, "*Retry started* by <@U0CAROL>", seed.INSTANCE_FAILED)
    await town.slack.command(ALICE, SOC, "/secmaster reload")
    now = town.app.policy.current.fingerprint
    told = await town.whispered(ALICE, "The policy is read again", "It holds from now on.")
    assert f"`{before}` → `{now}`" in told
    await town.slack.command(CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED_AGAIN}")
    await town.whispered(CAROL, "rule 3 leaves it to *oncall*", "<@U0DAVE>")
    await retried(town, DAVE, "*Retry started* by <@U0DAVE>", seed.INSTANCE_FAILED_AGAIN)
    [entry] = town.app.services.store.audit_entries("policy")
    assert (entry["action"], entry["actor"]["id"]) == ("reload", ALICE)
    assert (entry["before"], entry["terms"]["policy"]) == (before, now)
    assert "response_url" not in str(entry)


async def test_what_has_not_changed_is_said_to_be_the_same(town: Town):
    await town.slack.command(ALICE, SOC, "/secmaster reload")
    await town.whispered(ALICE, "it says what it said")


async def test_what_needs_a_restart_is_said_to_need_one(town: Town, file: Path):
    write(file, BEFORE.replace("every = 0", "every = 5"))
    await town.slack.command(ALICE, SOC, "/secmaster reload")
    await town.whispered(ALICE, "What changed of [commands] or of [watch] every needs a restart.")


@pytest.mark.parametrize("user", [CAROL, DAVE, GUEST])
async def test_others_are_refused_and_the_file_is_not_read(town: Town, file: Path, user: str):
    write(file, "not toml [")
    before = town.app.policy.current
    await town.slack.command(user, SOC, "/secmaster reload")
    await town.whispered(user, "`reload` is for *approver*", "Nothing was done.")
    assert town.app.policy.current is before
    [entry] = town.app.services.store.audit_entries("policy")
    assert (entry["outcome"], entry["action"], entry["actor"]["id"]) == ("refused", "reload", user)


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[problem for _, problem in WRONG])
async def test_a_file_that_is_wrong_leaves_the_rules_before_in_force_and_says_why(
    town: Town, file: Path, text: str, problem: str
):
    before = town.app.policy.current
    write(file, text)
    await town.slack.command(ALICE, SOC, "/secmaster reload")
    told = await town.whispered(ALICE, "can't be used", "the one before stays in force")
    assert problem in told
    assert "<!channel>" not in told
    assert town.app.policy.current is before
    await retried(town, CAROL, "*Retry started* by <@U0CAROL>", seed.INSTANCE_FAILED)


async def test_a_file_that_is_gone_does_not_take_everybodys_rights(town: Town, file: Path):
    write(file, None)
    await town.slack.command(ALICE, SOC, "/secmaster reload")
    await town.whispered(ALICE, "can't be used", "not there")
    await retried(town, CAROL, "*Retry started* by <@U0CAROL>", seed.INSTANCE_FAILED)


async def test_a_right_that_went_while_a_form_was_open_is_gone_when_it_is_sent(
    town: Town, file: Path
):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = town.slack.views(ALICE)
    write(file, BEFORE.replace('usergroups = ["S0SOC"]', f'users = ["{DAVE}"]'))
    await town.slack.command(ALICE, SOC, "/secmaster reload")
    await town.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    assert "leaves it to *approver*" in str(town.slack.views(ALICE)[-1]["blocks"])
    assert town.secmaster.writes("UpdateTask") == []


async def test_a_name_asked_for_since_the_form_was_opened_is_not_skipped(town: Town, file: Path):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = town.slack.views(ALICE)
    rule = 'actions = ["task.approve", "task.terminate"]\n'
    write(file, BEFORE.replace(rule, f'{rule}confirm = "type-name"\n'))
    await town.slack.command(ALICE, SOC, "/secmaster reload")
    await town.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    assert "asks for the task's name to be typed" in str(town.slack.views(ALICE)[-1]["blocks"])
    assert town.secmaster.writes("UpdateTask") == []


async def test_on_sighup_a_process_reads_it_again_and_its_log_says_so(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        write(tmp_path / "secmaster-bot.toml", "not toml [")
        told = await hang_up(bot)
        assert "policy not reloaded, the one before stays in force" in told
        assert "not TOML" in told
        await slack.command(CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED}")
        await secmaster.until(lambda: len(secmaster.writes("UpdateWorkflowInstance")) == 1)
        write(tmp_path / "secmaster-bot.toml", AFTER)
        assert '"policy reloaded"' in await hang_up(bot)
        await slack.command(CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED_AGAIN}")
        told = slack.ephemerals(CAROL)[-1]["text"]
        assert "leaves it to *oncall*" in told


def write(file: Path, text: str | None) -> None:
    """Change the policy's file, or take it away."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


async def hang_up(bot: Process) -> str:
    """Send SIGHUP, and return the log's line about the policy."""
    child = bot._child
    os.kill(child.pid, signal.SIGHUP)
    async with asyncio.timeout(10):
        while line := await child.stderr.readline():
            if b"policy" in line:
                return line.decode()
    raise AssertionError("the process is gone")


async def retried(town: Town, user: str, said: str, run: str) -> None:
    ts = await town.card("instance", run, user=user)
    await town.slack.press(user, SOC, ts, "instance.retry")
    assert said in (await town.replies(ts))[0]
