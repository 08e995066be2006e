"""New secrets are taken over while the bot runs; a wrong one changes nothing, and is logged."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.settings import Settings, SettingsError
from bot.web.signature import OVERLAP
from bot.web.socket_mode import CONNECTIONS
from tests.support.clock import FakeClock
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, SOC
from tests.support.process import bot_process
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

SECRETS = ("xoxb-new", "xoxb-other", "xapp-new", "signing-new", "ak-new", "sk-new", "wrong-new")


@dataclass
class Stage:
    """A bot, what its settings say when they are read again, and what its log says then."""

    environment: BotEnvironment
    settings: Settings
    caplog: pytest.LogCaptureFixture
    error: str = ""

    def read(self) -> Settings:
        if self.error:
            raise SettingsError(self.error)
        return self.settings

    async def reload(self, **changed: Any) -> dict[str, Any]:
        """Change settings, send SIGHUP, and return what the log says of secrets by its event."""
        self.caplog.clear()
        values = {
            name: SecretStr(value) if isinstance(value, str) and name not in PLAIN else value
            for name, value in changed.items()
        }
        self.settings = self.settings.model_copy(update=values)
        self.environment.app.reload()
        await self.environment.app.services.background.drain()
        records = [record for record in self.caplog.records if record.name == "bot.rotation"]
        text = " ".join(str(vars(record)) for record in records)
        assert not [secret for secret in SECRETS if secret in text]
        return {record.getMessage(): vars(record) for record in records}

    async def works(self) -> None:
        """Have a task read from SecMaster and its card posted."""
        await self.environment.card("task", seed.TASK_ISOLATE)


PLAIN = ("secmaster_project_id", "database_url", "iam_username", "iam_endpoint")
USED = "secrets read again"
REFUSED = "a new secret is not used, the one before is"
RESTART = "changed settings need a restart"


@pytest.fixture
def way() -> dict[str, Any]:
    """How the bot signs in to SecMaster."""
    return {}


@pytest.fixture
async def stage(  # noqa: PLR0917 - pytest passes fixtures by name
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    database_url: str,
    mode: str,
    way: dict[str, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Stage]:
    caplog.set_level(logging.INFO, "bot")
    base = settings_for(slack.url, secmaster.url, database_url, socket=mode == "socket")
    own = {
        "bot_config": tmp_path / "policy.toml",
        "iam_endpoint": secmaster.url,
        "ecs_metadata_endpoint": secmaster.url,
    }
    settings = base.model_copy(update=own | way)

    environment = BotEnvironment(slack, secmaster, None, clock)
    stage = Stage(environment, settings, caplog)
    async with App(settings, policy(), QUICK_TIMEOUTS, clock, stage.read) as app:
        slack.request_url = None if mode == "socket" else f"{app.url}/slack/events"
        environment.running_app = app
        yield stage


async def test_a_new_bot_token_is_used_at_once_also_where_the_one_before_was_revoked(
    stage: Stage,
) -> None:
    slack, token = stage.environment.slack, stage.environment.app.services.slack.token
    slack.rotate(bot_token="xoxb-new")
    await slack.command(ALICE, SOC, f"/task show {seed.TASK_ISOLATE}")
    await token.until_refused()
    await stage.environment.ephemeral(ALICE, "Slack could not confirm who you are")
    assert (await stage.environment.app.readiness.parts())["slack"] == "token refused: invalid_auth"
    # No minute passes: the clock stands still.
    log = await stage.reload(slack_bot_token="xoxb-new")
    assert log[USED]["new"] == ["SLACK_BOT_TOKEN"]
    assert list(log) == [USED]
    assert "slack" not in await stage.environment.app.readiness.parts()
    await stage.works()
    assert "Slack takes the bot's token again" in stage.caplog.messages


async def test_a_bot_token_that_is_refused_or_anothers_is_not_used(stage: Stage) -> None:
    slack = stage.environment.slack
    log = await stage.reload(slack_bot_token="xoxb-other")
    assert log[REFUSED]["settings"] == ["SLACK_BOT_TOKEN"]
    assert log[REFUSED]["problem"].startswith("Slack refuses it (invalid_auth). Reinstall the app")
    assert log[USED]["new"] == []
    for identity in ({"user_id": "U0OTHER"}, {"team_id": "T0OTHER"}):
        slack.other_apps["xoxb-other"] = identity
        log = await stage.reload()
        assert log[REFUSED]["problem"].startswith("it is of another app or workspace")
    await slack.faults.set(Fault(on="auth.test", hang_up=True))
    log = await stage.reload()
    assert log[REFUSED]["problem"].startswith("Slack can't be asked about it")
    await slack.faults.clear()
    assert not stage.environment.app.services.slack.token.refusal
    await stage.works()
    # What is put back is what is in use.
    assert list(await stage.reload(slack_bot_token="xoxb-demo")) == [USED]


async def test_a_new_signing_secret_is_valid_at_once_and_the_one_before_for_a_day(
    stage: Stage,
) -> None:
    environment = stage.environment
    slack = environment.slack
    assert "How to use" in await environment.answer(ALICE, "/secmaster help")
    log = await stage.reload(slack_signing_secret="signing-new")
    assert log[USED]["new"] == ["SLACK_SIGNING_SECRET"]
    await stage.works()
    slack.rotate(signing_secret="signing-new")
    assert "How to use" in await environment.answer(ALICE, "/secmaster help")
    environment.clock.forward(seconds=(OVERLAP - timedelta(minutes=1)).total_seconds())
    slack.rotate(signing_secret="demo-signing-secret")
    assert "How to use" in await environment.answer(ALICE, "/secmaster help")
    environment.clock.forward(minutes=2)
    await slack.command(ALICE, SOC, "/secmaster help")
    assert slack.sent[-1].delivered is not None
    assert slack.sent[-1].delivered.status == 401


@pytest.mark.parametrize("mode", ["socket"])
async def test_a_new_app_token_is_used_for_the_next_connection(stage: Stage) -> None:
    environment = stage.environment
    sockets = environment.slack.socket_mode
    await environment.slack.until(lambda: len(sockets.connections) == CONNECTIONS)
    log = await stage.reload(slack_app_token="wrong-new")
    assert log[REFUSED]["problem"].startswith("SLACK_APP_TOKEN is refused (invalid_auth)")
    environment.slack.rotate(app_token="xapp-new")
    log = await stage.reload(slack_app_token="xapp-new")
    assert log[USED]["new"] == ["SLACK_APP_TOKEN"]
    before = list(sockets.connections)
    await sockets.disconnect()
    await environment.slack.until(
        lambda: (
            len(sockets.connections) == CONNECTIONS
            and not any(connection in sockets.connections for connection in before)
        )
    )
    assert "How to use" in await environment.answer(ALICE, "/secmaster help")


async def test_new_keys_are_used_once_secmaster_took_them(stage: Stage) -> None:
    secmaster = stage.environment.secmaster
    log = await stage.reload(ak="ak-new", sk="wrong-new")
    assert log[REFUSED]["settings"] == ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"]
    assert "refuses these credentials: check whether HUAWEICLOUD_SDK_AK" in log[REFUSED]["problem"]
    await stage.works()
    secmaster.authenticator.replace(ak="ak-new", sk="sk-new")
    log = await stage.reload(sk="sk-new")
    assert log[USED]["new"] == ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"]
    await stage.works()
    assert {request.key for request in secmaster.requests[-1:]} == {"ak-new"}
    # While SecMaster can't be asked, whoever changed the key is believed.
    await secmaster.faults.set(Fault(on="ListTasks", status=503))
    secmaster.authenticator.replace(ak="ak-newer", sk="sk-new")
    log = await stage.reload(ak="ak-newer")
    assert log[USED]["new"] == ["HUAWEICLOUD_SDK_AK"]
    assert "is in trouble" in log["SecMaster's new credential is used untried"]["problem"]
    await stage.works()


async def test_keys_that_secmaster_answers_badly_replace_nothing(stage: Stage) -> None:
    faults = stage.environment.secmaster.faults
    for status in (400, 404, 409, 418, 302):  # 302: an answer that can't be read
        await faults.set(Fault(on="ListTasks", status=status))
        log = await stage.reload(ak="ak-new", sk="sk-new")
        assert log[USED]["new"] == []
        assert log[REFUSED]["settings"] == ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"]
        await faults.clear()
    await stage.works()


async def test_new_keys_sign_for_the_project_in_use_whatever_else_is_changed(stage: Stage) -> None:
    secmaster = stage.environment.secmaster
    secmaster.authenticator.replace(ak="ak-new", sk="sk-new")
    log = await stage.reload(ak="ak-new", sk="sk-new", secmaster_project_id="other-project")
    assert log[USED]["new"] == ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"]
    assert log[RESTART]["settings"] == ["SECMASTER_PROJECT_ID"]
    await stage.works()


PASSWORD = {
    "ak": None,
    "sk": None,
    "iam_username": "demo",
    "iam_password": SecretStr("demo"),
    "iam_domain": "demo",
}
AGENCY = {"ak": None, "sk": None, "ecs_agency": True}
TOKEN = {"ak": None, "sk": None, "secmaster_auth_token": SecretStr("demo-token")}


@pytest.mark.parametrize(
    ("way", "setting", "secret", "problem"),
    [
        (PASSWORD, "iam_password", "iam_password", "refuses this user"),
        (TOKEN, "secmaster_auth_token", "token", "check SECMASTER_AUTH_TOKEN"),
    ],
    ids=["password", "token"],
)
async def test_a_new_credential_is_used_once_it_was_taken(
    stage: Stage, setting: str, secret: str, problem: str
) -> None:
    log = await stage.reload(**{setting: "wrong-new"})
    assert problem in log[REFUSED]["problem"]
    await stage.works()
    stage.environment.secmaster.authenticator.replace(**{secret: "right-new"})
    log = await stage.reload(**{setting: "right-new"})
    assert log[USED]["new"] == [setting.upper()]
    await stage.works()


@pytest.mark.parametrize("way", [PASSWORD], ids=["password"])
async def test_a_new_password_goes_to_the_iam_in_use(stage: Stage) -> None:
    stage.environment.secmaster.authenticator.replace(iam_password="password-new")
    log = await stage.reload(iam_password="password-new", iam_endpoint="http://127.0.0.1:1")
    assert log[USED]["new"] == ["IAM_PASSWORD"]
    assert log[RESTART]["settings"] == ["IAM_ENDPOINT"]
    await stage.works()


@pytest.mark.parametrize("way", [TOKEN], ids=["token"])
async def test_the_first_read_warns_of_what_ends_and_says_what_is_wrong(stage: Stage) -> None:
    app, secmaster = stage.environment.app, stage.environment.secmaster
    assert await app.read_secmaster() == "ok"
    [warning] = [each for each in stage.caplog.messages if "ends within a day" in each]
    assert warning.startswith("SECMASTER_AUTH_TOKEN ends within a day and is not renewed")
    await secmaster.faults.set(Fault(on="ListTasks", status=403))
    problem = await app.read_secmaster()
    assert "give their IAM user or agency the right to read SecMaster" in problem
    [line] = [each for each in stage.caplog.records if each.levelno == logging.ERROR]
    assert vars(line)["problem"] == problem
    assert vars(line)["request_id"] == secmaster.requests[-1].request_id
    assert not line.exc_info


@pytest.mark.parametrize("way", [AGENCY], ids=["agency"])
async def test_with_an_agency_nothing_is_to_be_rotated(stage: Stage) -> None:
    environment = stage.environment
    secmaster = environment.secmaster
    secmaster.metadata.life = timedelta(minutes=30)
    assert await environment.app.read_secmaster() == "ok"
    ts = await environment.card("task", seed.TASK_ISOLATE)
    environment.clock.forward(minutes=26)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert f"*Approved by <@{ALICE}>" in (await environment.replies(ts))[0]
    [write] = secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert write.key != secmaster.requests[0].key
    assert secmaster.metadata.asked == 2
    assert list(await stage.reload()) == [USED]


async def test_what_takes_a_restart_is_named_and_stays_as_it_was(stage: Stage) -> None:
    log = await stage.reload(
        secmaster_project_id="other-project",
        audit_key="0123456789abcdef",
        bot_port=4000,
        database_url="sqlite:///other.db",
        slack_app_token="xapp-new",
        ak=None,
        sk=None,
        secmaster_auth_token="demo-token",
        slack_signing_secret="signing-new",
    )
    assert log[USED]["new"] == []
    assert log[RESTART]["settings"] == [
        "AUDIT_KEY",
        "BOT_PORT",
        "DATABASE_URL",
        "HUAWEICLOUD_SDK_AK",
        "HUAWEICLOUD_SDK_SK",
        "SECMASTER_AUTH_TOKEN",
        "SECMASTER_PROJECT_ID",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
    ]
    await stage.works()


async def test_neither_policy_nor_secrets_wait_for_the_other(stage: Stage) -> None:
    file = stage.settings.bot_config
    file.write_text(f'{POLICY}[watch]\nevery = 0\n[channels]\nallow = ["{SOC}"]\n')
    stage.error = "SLACK_BOT_TOKEN_FILE names a file that is not there"
    log = await stage.reload(sk="sk-new")
    assert list(log) == ["secrets not read again, those before stay in use"]
    assert log["secrets not read again, those before stay in use"]["problems"] == stage.error
    assert "policy reloaded" in stage.caplog.messages
    await stage.works()
    file.write_text("not toml [")
    stage.error = ""
    stage.environment.secmaster.authenticator.replace(sk="sk-new")
    log = await stage.reload()
    assert log[USED]["new"] == ["HUAWEICLOUD_SDK_SK"]
    assert "policy not reloaded, the one before stays in force" in stage.caplog.messages
    await stage.works()


@pytest.mark.slow
async def test_a_process_says_what_is_wrong_at_its_start_and_takes_files_over_on_sighup(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("wrong-new\n")
    files = {"HUAWEICLOUD_SDK_SK": "", "HUAWEICLOUD_SDK_SK_FILE": str(key)}
    async with bot_process(slack, secmaster, database_url, tmp_path, settings=files) as bot:
        assert "refuses these credentials: check whether HUAWEICLOUD_SDK_AK" in bot.ready_line
        assert "wrong-new" not in bot.ready_line
        for content, word in (
            (b"", "names a file that is empty"),
            (b"sk-new\n", REFUSED),
            (b"demo-sk\n", '"new": ["HUAWEICLOUD_SDK_SK"]'),
        ):
            key.write_bytes(content)
            bot.hang_up()
            async with asyncio.timeout(20):
                assert "sk-new" not in await bot.log_line(word)
        await slack.command(ALICE, SOC, f"/task show {seed.TASK_ISOLATE}")
        await slack.until(lambda: slack.messages(SOC))
        slack.mark_read(slack.messages(SOC)[0]["ts"])
