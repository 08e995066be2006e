"""What an operator types, and what comes back: what is printed, and the exit code."""

import asyncio
import json
import re
import socket
from pathlib import Path

import httpx
import pytest

from bot import __version__
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.store import connect, hold_name
from tests.support.command_line import (
    BOT,
    file_names,
    installation,
    process_environment,
    run_beside,
    run_command,
    run_process,
)

STORY = (
    "*Approved by @Alice",
    "@Alice is approving this task right now. The termination was not sent",
    "*Comment added by @Carol",
    "*Retry started by @Carol",
    "✅ Finished",
)


def test_the_manifest_is_printed_for_either_way_in(tmp_path: Path) -> None:
    result = run_command("manifest", "--url", "https://bot.example.com/", folder=tmp_path)
    assert result.exit_code == 0
    interactivity = json.loads(result.stdout)["settings"]["interactivity"]
    assert interactivity["request_url"] == "https://bot.example.com/slack/events"
    for address in ("https://bot.example.com/slack/events", "https://bot.example.com"):
        assert run_command("manifest", "--url", address, folder=tmp_path) == result
    result = run_command("manifest", "--socket", folder=tmp_path)
    assert json.loads(result.stdout)["settings"]["socket_mode_enabled"]
    for arguments in (
        (),
        ("--url", "http://plain.example.com"),
        ("--socket", "--url", "https://a"),
    ):
        result = run_command("manifest", *arguments, folder=tmp_path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "https://" in result.stderr


@pytest.mark.parametrize("argument", ["--version", "version"])
def test_the_version_is_printed(tmp_path: Path, argument: str) -> None:
    result = run_command(argument, folder=tmp_path)
    assert (result.exit_code, result.stdout) == (0, f"{__version__}\n")


def test_a_manifest_is_printed_without_a_policy_but_not_of_one_that_is_named_and_missing(
    tmp_path: Path,
) -> None:
    assert run_command("manifest", "--socket", folder=tmp_path).exit_code == 0
    result = run_command("manifest", "--socket", "--config", "nothere.toml", folder=tmp_path)
    assert (result.exit_code, result.stderr) == (2, "nothere.toml: there is no such file\n")


async def test_a_policy_that_is_named_and_not_there_stops_the_start(
    slack: SlackSandbox, secmaster: SecMasterSandbox, tmp_path: Path
) -> None:
    environment = installation(slack, secmaster) | {"BOT_CONFIG": "nothere.toml"}
    result = await run_process("run", folder=tmp_path, **environment)
    assert (result.exit_code, result.stderr) == (2, "nothere.toml: there is no such file\n")
    assert file_names(tmp_path) == []


async def test_a_wrong_policy_stops_the_start_and_names_every_line(
    slack: SlackSandbox, secmaster: SecMasterSandbox, tmp_path: Path
) -> None:
    (tmp_path / "secmaster-bot.toml").write_text(
        '[roles.a]\nusers = ["U1"]\n[[rules]]\nactions = ["task.aprove"]\nroles = ["a"]\n'
        "approvals = 0\n[[routes]]\nchannel = 'C1'\n"
    )
    result = await run_process("run", folder=tmp_path, **installation(slack, secmaster))
    assert result.exit_code == 2
    assert "task.aprove" in result.output
    assert "[[rules]] 1: approvals" in result.output
    assert "is no channel's id" in result.output
    assert "Traceback" not in result.output


async def test_a_token_that_slack_refuses_stops_the_start_with_one_sentence(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    environment = installation(slack, secmaster) | {"SLACK_BOT_TOKEN": "xoxb-wrong"}
    result = await run_process("run", folder=installed, **environment)
    assert result.exit_code == 2
    assert (
        "Slack refuses the bot's token (invalid_auth), so the bot was not started" in result.output
    )
    assert "Traceback" not in result.output
    assert "xoxb-wrong" not in result.output


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"SLACK_API_URL": "http://127.0.0.1:1/api/"}, "127.0.0.1:1 refuses the connection"),
        ({"DATABASE_URL": "postgresql://bot@127.0.0.1:1/bot"}, "nothing listens at that host"),
    ],
    ids=["Slack", "database"],
)
async def test_what_can_not_be_reached_yet_ends_the_start_so_that_it_is_tried_again(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    installed: Path,
    setting: dict[str, str],
    reason: str,
) -> None:
    """The unit of systemd restarts it: after a power cut the network may come last."""
    environment = installation(slack, secmaster) | setting
    result = await run_process("run", folder=installed, **environment)
    assert result.exit_code == 75
    assert reason in result.output.splitlines()[-1]
    assert "Traceback" not in result.output


async def test_a_database_that_somebody_has_to_mend_ends_the_start_for_good(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    """The unit of systemd would else start it again every five seconds, for ever."""
    (installed / "notes.txt").write_text("no database" * 200)
    setting = {"DATABASE_URL": f"sqlite:///{installed / 'notes.txt'}"}
    result = await run_process("run", folder=installed, **installation(slack, secmaster) | setting)
    assert result.exit_code == 2
    sentence = "DATABASE_URL can't be used: the file is no SQLite database: name another."
    assert result.output.splitlines()[-1] == sentence


async def test_an_answer_of_slacks_that_may_be_another_soon_ends_the_start_alike(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    await slack.faults.set(Fault(on="auth.test", status=200, code="internal_error"))
    result = await run_process("run", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 75
    assert "Slack refused: internal_error" in result.output


async def test_a_name_that_is_taken_stops_the_start_with_one_sentence(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    url = f"sqlite:///{installed / 'bot.db'}"
    environment = installation(slack, secmaster) | {"DATABASE_URL": url}
    engine = connect(url)
    with hold_name(engine, "main"):
        result = await run_process("run", folder=installed, **environment)
    engine.dispose()
    assert result.exit_code == 2
    assert "A bot named main is running on this database already." in result.output
    assert "BOT_REPLICA" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("setting", ["BOT_PORT", "BOT_HEALTH_PORT"])
async def test_a_port_that_is_taken_stops_the_start_with_one_sentence(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path, setting: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        environment = installation(slack, secmaster) | {setting: port}
        result = await run_process("run", folder=installed, **environment)
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} can't be listened on" in result.output
    assert setting in result.output
    assert "Traceback" not in result.output
    assert file_names(installed) == ["secmaster-bot.toml"]


@pytest.mark.parametrize("option", ["--slack-port", "--secmaster-port"])
async def test_a_demo_whose_port_is_taken_says_so_in_one_sentence(
    tmp_path: Path, option: str
) -> None:
    ports = {"--slack-port": "0", "--secmaster-port": "0"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports[option] = str(listener.getsockname()[1])
        arguments = [part for pair in ports.items() for part in pair]
        result = await run_beside("demo", "--once", *arguments, folder=tmp_path)
    assert result.exit_code == 2
    [line] = result.output.splitlines()
    assert line.startswith(f"Port {ports[option]} is taken.")
    assert option in line


@pytest.mark.parametrize("service", ["slack", "secmaster"])
async def test_a_sandbox_whose_port_is_taken_says_so_in_one_sentence(
    tmp_path: Path, service: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = await run_beside("sandbox", service, "--port", port, folder=tmp_path)
    assert result.exit_code == 2
    [line] = result.output.splitlines()
    assert f"127.0.0.1:{port} can't be listened on" in line
    assert "--port" in line


async def test_odd_settings_stop_the_start_with_one_message(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    settings = {
        "SLACK_BOT_TOKEN": "xoxb-wrong\u00e4",
        "SLACK_API_URL": "slack.example/api/",
        "SECMASTER_ENDPOINT": "secmaster.example",
        "SECMASTER_PROJECT_ID": "demo/project",
        "SECMASTER_WORKSPACE_ID": "../demo",
        "HUAWEICLOUD_SDK_SK": "wrong-secret\n",
    }
    environment = installation(slack, secmaster) | settings
    for command, exit_code in (("run", 2), ("doctor", 1)):
        result = await run_process(command, folder=installed, **environment)
        assert result.exit_code == exit_code
        for name in settings:
            assert name in result.output
        assert len(result.output.splitlines()) == len(settings)
        assert "Traceback" not in result.output
        assert "wrong" not in result.output
    assert slack.calls == []


@pytest.mark.parametrize(
    "setting",
    [
        {"BOT_HOST": "nowhere.invalid"},
        {"BOT_HOST": "-"},
        {"SECMASTER_ENDPOINT": "http://["},
        {"SECMASTER_ENDPOINT": "https://secmaster.example:port"},
        {"SLACK_API_URL": "http://["},
        {"SLACK_API_URL": "https://slack.example:port/api/"},
        {"DATABASE_URL": "postgresql://bot@localhost:port/bot"},
        {"DATABASE_URL": "postgresql://[/bot"},
        {"DATABASE_URL": "sqlite:////nowhere/at/all.db"},
        {"DATABASE_URL": "sqlite:///."},
        {"DATABASE_URL": "sqlite:///"},
        {"DATABASE_URL": "sqlite:///:memory:"},
        {"DATABASE_URL": "sqlite:///bot.db?timeout=long"},
        {"DATABASE_URL": "sqlite:///" + "x" * 300},
        {"SECMASTER_ENDPOINT": "https://bot:wrong-secret@secmaster.example"},
        {"SLACK_API_URL": "https://bot:wrong-secret@slack.example/api/"},
        {"SLACK_API_URL": "https://slack..example/api/"},
        {"SECMASTER_ENDPOINT": f"https://{'x' * 64}.example"},
        {"BOT_CONFIG": "."},
    ],
    ids=lambda setting: "=".join(*setting.items()),
)
async def test_an_address_that_leads_nowhere_stops_the_start_without_a_traceback(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path, setting: dict[str, str]
) -> None:
    environment = installation(slack, secmaster) | setting
    result = await run_beside("doctor", folder=installed, **environment)
    assert "Traceback" not in result.output
    assert "wrong-secret" not in result.output
    result = await run_process("run", folder=installed, **environment)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "wrong-secret" not in result.output


@pytest.mark.parametrize(
    "policy",
    [b"a = " + b"[" * 20_000, b"a = " + b"{a=" * 20_000, b"a = " + b"9" * 5000, b"\xff", b"\0"],
    ids=["arrays", "tables", "number", "not UTF-8", "NUL"],
)
async def test_a_policy_that_is_none_stops_the_start_with_one_sentence(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path, policy: bytes
) -> None:
    (installed / "secmaster-bot.toml").write_bytes(policy)
    result = await run_process("run", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 2
    [line] = result.output.splitlines()
    assert line.startswith("secmaster-bot.toml: ")
    assert file_names(installed) == ["secmaster-bot.toml"]


async def test_missing_settings_stop_the_start_with_one_message(tmp_path: Path) -> None:
    result = await run_process("run", folder=tmp_path)
    assert result.exit_code == 2
    for name in (
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SECMASTER_REGION",
        "HUAWEICLOUD_SDK_AK",
    ):
        assert name in result.output
    assert "Traceback" not in result.output


@pytest.mark.slow  # the story itself is played by the next test too
async def test_the_demo_plays_its_story_to_the_end(tmp_path: Path) -> None:
    result = await run_process(
        *("demo", "--once", "--slack-port", "0", "--secmaster-port", "0"), folder=tmp_path
    )
    assert result.exit_code == 0, result.output
    for sentence in STORY:
        assert sentence in result.stdout


@pytest.mark.slow
async def test_the_pages_that_the_demo_prints_can_be_opened(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        *(*BOT, "demo", "--slack-port", "0", "--secmaster-port", "0"),
        cwd=tmp_path,
        env=process_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout
    output = (await child.stdout.readuntil(b"Ctrl-C")).decode()
    slack, secmaster = re.findall(r"^  (http://\S+) ", output, re.MULTILINE)
    async with httpx.AsyncClient() as http:
        pages = [(await http.get(address)).text for address in (slack, secmaster)]
        channel = (await http.get(f"{slack}/_sandbox/channels/C0SOC")).text
    child.terminate()
    await child.communicate()
    assert child.returncode == 0
    for sentence in STORY:
        assert sentence in output
    assert all(page.startswith("<!doctype html>") for page in pages)
    assert "Isolate host ecs-web-07: \\u2705 Finished" in channel
    assert "Waiting for a decision" in channel
