"""Stories in a network where only a proxy with a password leads out, and certificates are private.

The names under ``.example`` are known to the proxy alone: what arrives there came through it.
"""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.app import App
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.web.socket_mode import CONNECTIONS
from tests.support.authorities import Authority
from tests.support.clock import FakeClock
from tests.support.command_line import installation, run_beside, run_process
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.forward_proxy import ENCODED_PASSWORD, FORBIDDEN, PROXY_PASSWORD
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

# A password, as it is written in a setting, and what "robot:" begins with in a header.
SECRETS = (PROXY_PASSWORD, ENCODED_PASSWORD, "cm9ib3Q6")


@pytest.fixture
async def secmaster(clock: FakeClock, authority: Authority) -> AsyncIterator[SecMasterSandbox]:
    sandbox = SecMasterSandbox(pace=0, clock=clock.now)
    await sandbox.start(tls=authority.server(), name="secmaster.example")
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def slack(slack: SlackRecorder, authority: Authority) -> SlackRecorder:
    """The local Slack, over TLS."""
    await slack.stop()
    await slack.start(tls=authority.server(), name="slack.example")
    return slack


@pytest.fixture
def ways(authority: Authority, locked_proxy: str) -> dict[str, Any]:
    """The settings with which all of it is reached."""
    proxy = f"http://robot:{ENCODED_PASSWORD}@{locked_proxy}"
    files = {"slack_ca_file": authority.file, "secmaster_ca_file": authority.file}
    return {"slack_proxy": proxy, "secmaster_proxy": proxy, **files}


@pytest.fixture
async def environment(  # noqa: PLR0917 - pytest passes fixtures by name
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    database_url: str,
    mode: str,
    clock: FakeClock,
    ways: dict[str, Any],
) -> AsyncIterator[BotEnvironment]:
    is_socket = mode == "socket"
    settings = settings_for(slack.url, secmaster.url, database_url, socket=is_socket, **ways)
    async with App(settings, policy(), QUICK_TIMEOUTS, clock) as app:
        slack.request_url = None if is_socket else f"{app.url}/slack/events"
        yield BotEnvironment(slack, secmaster, app, clock)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that is logged, whatever its level."""
    caplog.set_level(logging.DEBUG)
    return caplog


def assert_no_secret(log: pytest.LogCaptureFixture) -> None:
    formatted = [log.handler.format(record) for record in log.records]
    fields = [str(vars(record)) for record in log.records]
    assert len(formatted) > 20
    text = "\n".join(formatted + fields)
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("mode", ["http", "socket"], indirect=True)
async def test_a_task_is_approved_through_the_proxy(
    log: pytest.LogCaptureFixture, environment: BotEnvironment, mode: str
) -> None:
    slack, secmaster = environment.slack, environment.secmaster
    if mode == "socket":
        await slack.until(lambda: len(slack.socket_mode.connections) == CONNECTIONS)
    ts = await environment.card("task", seed.TASK_ISOLATE)
    # Its answer is lost behind the proxy, and what is read says that it took effect.
    await secmaster.faults.set(Fault(on="UpdateTask", times=1, applied=True, hang_up=True))
    await slack.press(ALICE, SOC, ts, "task.approve")
    [text] = await environment.replies(ts)
    assert "Approved" in text
    assert "answer was lost" in text
    assert len(secmaster.writes("UpdateTask")) == 1
    await environment.app.__aexit__()
    assert_no_secret(log)


@pytest.mark.parametrize("mode", ["socket"], indirect=True)
async def test_readyz_says_what_the_proxy_does_not_let_through(
    log: pytest.LogCaptureFixture, environment: BotEnvironment, locked_proxy: str
) -> None:
    slack, url = environment.slack, environment.slack.url
    await slack.until(lambda: len(slack.socket_mode.connections) == CONNECTIONS)
    slack.url = url.replace("slack.example", FORBIDDEN)  # also of the websockets that it hands out
    await slack.socket_mode.close()
    place = slack.url.partition("://")[2]
    problem = (
        f"the proxy http://{locked_proxy} does not connect to {place} (403): have it allowed "
        "there, or look whether it can get there itself"
    )
    async with httpx.AsyncClient(base_url=environment.app.health_url) as http:
        state = ""
        while problem not in state:  # until the first attempt has failed
            state = (await http.get("/readyz")).json()["slack"]
    assert state.startswith(f"no open connection: {problem}")
    slack.url = url
    await slack.until(lambda: len(slack.socket_mode.connections) == CONNECTIONS)
    assert_no_secret(log)


async def test_a_start_says_what_is_wrong_with_the_proxy_and_not_its_password(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    ways: dict[str, Any],
    locked_proxy: str,
    tmp_path: Path,
) -> None:
    environment = installation(slack, secmaster)
    environment |= {name.upper(): str(value) for name, value in ways.items()}
    result = await run_beside("doctor", folder=tmp_path, **environment)
    assert f"network: SecMaster through http://{locked_proxy}, Slack through" in result.stdout
    assert "✓ SecMaster: https://secmaster.example" in result.stdout
    assert "✓ clock" in result.stdout
    environment["SLACK_PROXY"] = f"http://robot:other{ENCODED_PASSWORD}@{locked_proxy}"
    environment["SECMASTER_PROXY"] = ""
    environment["HTTPS_PROXY"] = environment["SLACK_PROXY"]
    refused = await run_process("run", folder=tmp_path, **environment)
    assert refused.exit_code == 2
    sentence = "the proxy does not take the name and the password in SLACK_PROXY: correct them"
    assert f"{sentence}. Run `secmaster-bot doctor`.\n" in refused.stderr
    assert "Slack can't be reached: the proxy" not in refused.stderr
    assert "HTTPS_PROXY is set and not used for SECMASTER: SECMASTER_PROXY=env" in refused.stderr
    for secret in SECRETS:
        assert secret not in result.output + refused.output
