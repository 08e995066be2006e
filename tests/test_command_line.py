"""What an operator types."""

import asyncio
import json
import os
import re
import socket
import sys
from pathlib import Path

import httpx
import pytest

from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.store import connect, hold_name

ROOT = Path(__file__).parents[1]


async def bot(*arguments: str, folder: Path, **environment: str) -> tuple[int, str]:
    """Run ``python -m bot``; returns its exit code and all it said."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(45):
            said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode, said.decode()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def environment(slack: SlackSandbox, secmaster: SecMasterSandbox) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": "xoxb-demo",
        "SLACK_SIGNING_SECRET": "demo-signing-secret",
        "SLACK_API_URL": f"{slack.url}/api/",
        "SECMASTER_ENDPOINT": secmaster.url,
        "SECMASTER_PROJECT_ID": "demo-project",
        "SECMASTER_WORKSPACE_ID": "demo-workspace",
        "HUAWEICLOUD_SDK_AK": "demo-ak",
        "HUAWEICLOUD_SDK_SK": "demo-sk",
    }


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a policy, as an operator has it."""
    policy = (ROOT / "secmaster-bot.example.toml").read_text()
    (tmp_path / "secmaster-bot.toml").write_text(policy)
    return tmp_path


async def test_the_doctor_finds_a_whole_installation_well(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
):
    code, said = await bot("doctor", folder=installed, **environment(slack, secmaster))
    assert code == 0, said
    assert said.count("✓") == 7
    assert [each.endpoint for each in secmaster.requests if each.method != "GET"] == []


async def test_the_doctor_leaves_nothing_behind(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
):
    given = environment(slack, secmaster)
    code, said = await bot("doctor", folder=installed, **given)
    assert "secmaster-bot.db will be made" in said
    given |= {"DATABASE_URL": f"sqlite:///{installed / 'other.db'}"}
    code, said = await bot("doctor", folder=installed, **given)
    assert code == 0, said
    assert files_in(installed) == ["secmaster-bot.toml"]


async def test_the_doctor_finds_a_whole_installation_in_socket_mode_well(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
):
    given = environment(slack, secmaster) | {"SLACK_APP_TOKEN": "xapp-demo"}
    code, said = await bot("doctor", folder=installed, **given)
    assert code == 0, said
    assert "Socket Mode: connections may be opened" in said


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "SLACK_BOT_TOKEN is refused: invalid_auth"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "SLACK_APP_TOKEN is refused"),
        ({"HUAWEICLOUD_SDK_SK": "wrong-secret"}, "refuses these credentials: APIGW.0301"),
        ({"SECMASTER_WORKSPACE_ID": "other"}, "can't be read"),
        ({"SECMASTER_ENDPOINT": "http://127.0.0.1:9"}, "can't be read"),
        ({"SLACK_API_URL": "http://127.0.0.1:9/"}, "can't be reached"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "DATABASE_URL can't be used"),
        ({"BOT_CONFIG": "missing.toml"}, "no rules, so nobody may do anything"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_the_doctor_names_what_is_wrong_and_no_secret(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    installed: Path,
    wrong: dict[str, str],
    told: str,
):
    given = environment(slack, secmaster) | wrong
    code, said = await bot("doctor", folder=installed, **given)
    assert code == 1
    assert told in said
    for secret in ("xoxb-", "xapp-", "demo-signing-secret", "demo-sk", "wrong-secret"):
        assert secret not in said
    assert "Traceback" not in said


async def test_the_doctor_names_the_scopes_that_are_missing(
    secmaster: SecMasterSandbox, installed: Path
):
    slack = SlackSandbox(scopes=("chat:write", "commands"))
    await slack.start()
    try:
        code, said = await bot("doctor", folder=installed, **environment(slack, secmaster))
    finally:
        await slack.stop()
    assert code == 1
    assert "usergroups:read" in said


async def test_the_manifest_is_printed_for_either_way_in(tmp_path: Path):
    code, said = await bot("manifest", "--url", "https://bot.example.com/", folder=tmp_path)
    assert code == 0
    made = json.loads(said)
    assert (
        made["settings"]["interactivity"]["request_url"] == "https://bot.example.com/slack/events"
    )
    for address in ("https://bot.example.com/slack/events", "https://bot.example.com"):
        assert await bot("manifest", "--url", address, folder=tmp_path) == (0, said)
    code, said = await bot("manifest", "--socket", folder=tmp_path)
    assert json.loads(said)["settings"]["socket_mode_enabled"]
    for arguments in (
        (),
        ("--url", "http://plain.example.com"),
        ("--socket", "--url", "https://a"),
    ):
        code, said = await bot("manifest", *arguments, folder=tmp_path)
        assert code == 2
        assert "https://" in said


async def test_a_wrong_policy_stops_the_start_and_names_every_line(
    slack: SlackSandbox, secmaster: SecMasterSandbox, tmp_path: Path
):
    (tmp_path / "secmaster-bot.toml").write_text(
        '[roles.a]\nusers = ["U1"]\n[[rules]]\nactions = ["task.aprove"]\nroles = ["a"]\n'
        "approvals = 0\n[[routes]]\nchannel = 'C1'\n"
    )
    code, said = await bot("run", folder=tmp_path, **environment(slack, secmaster))
    assert code == 2
    assert "task.aprove" in said
    assert "rules.1.approvals" in said
    assert "is no channel's id" in said
    assert "Traceback" not in said


async def test_a_token_that_slack_refuses_stops_the_start_with_one_sentence(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
):
    given = environment(slack, secmaster) | {"SLACK_BOT_TOKEN": "xoxb-wrong", "BOT_PORT": "0"}
    code, said = await bot("run", folder=installed, **given)
    assert code == 2
    assert "Slack refused: invalid_auth" in said
    assert "Traceback" not in said
    assert "xoxb-wrong" not in said


async def test_a_name_that_is_taken_stops_the_start_with_one_sentence(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
):
    url = f"sqlite:///{installed / 'bot.db'}"
    given = environment(slack, secmaster) | {"DATABASE_URL": url, "BOT_PORT": "0"}
    with hold_name(connect(url), "main"):
        code, said = await bot("run", folder=installed, **given)
    assert code == 2
    assert "A bot named main is running on this database already." in said
    assert "BOT_REPLICA" in said
    assert "Traceback" not in said


async def test_a_port_that_is_taken_stops_the_start_with_one_sentence(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        given = environment(slack, secmaster) | {"BOT_PORT": port}
        code, said = await bot("run", folder=installed, **given)
    assert code == 2
    assert f"127.0.0.1:{port} can't be listened on" in said
    assert "BOT_PORT" in said
    assert "Traceback" not in said
    assert files_in(installed) == ["secmaster-bot.toml"]


@pytest.mark.parametrize("option", ["--slack-port", "--secmaster-port"])
async def test_a_demo_whose_port_is_taken_says_so_in_one_sentence(tmp_path: Path, option: str):
    ports = {"--slack-port": "0", "--secmaster-port": "0"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports[option] = str(other.getsockname()[1])
        arguments = [part for pair in ports.items() for part in pair]
        code, said = await bot("demo", "--once", *arguments, folder=tmp_path)
    assert code == 2
    [line] = said.splitlines()
    assert line.startswith(f"Port {ports[option]} is taken.")
    assert option in line


@pytest.mark.parametrize("service", ["slack", "secmaster"])
async def test_a_sandbox_whose_port_is_taken_says_so_in_one_sentence(tmp_path: Path, service: str):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, said = await bot("sandbox", service, "--port", port, folder=tmp_path)
    assert code == 2
    [line] = said.splitlines()
    assert f"127.0.0.1:{port} can't be listened on" in line
    assert "--port" in line


async def test_the_demo_plays_its_story_to_the_end(tmp_path: Path):
    code, said = await bot(
        *("demo", "--once", "--slack-port", "0", "--secmaster-port", "0"), folder=tmp_path
    )
    assert code == 0, said
    for part in (
        "*Approved* by @Alice",
        "@Alice is approving this task right now. Your termination was not sent",
        "*Comment added* by @Carol",
        "*Retry started* by @Carol",
        "*Status* ✅ Finished",
    ):
        assert part in said


async def test_odd_settings_stop_the_start_with_one_message(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
):
    odd = {
        "SLACK_BOT_TOKEN": "xoxb-wrong\u00e4",
        "SLACK_API_URL": "slack.example/api/",
        "SECMASTER_ENDPOINT": "secmaster.example",
        "SECMASTER_PROJECT_ID": "demo/project",
        "SECMASTER_WORKSPACE_ID": "../demo",
        "HUAWEICLOUD_SDK_SK": "wrong-secret\n",
    }
    for command in ("run", "doctor"):
        given = environment(slack, secmaster) | odd
        code, said = await bot(command, folder=installed, **given)
        assert code == (2 if command == "run" else 1)
        for name in odd:
            assert name in said
        assert len(said.splitlines()) == len(odd)
        assert "Traceback" not in said
        assert "wrong" not in said
    assert slack.calls == []


@pytest.mark.parametrize(
    "odd",
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
        {"BOT_CONFIG": "."},
    ],
    ids=lambda odd: "=".join(*odd.items()),
)
async def test_an_address_that_leads_nowhere_stops_the_start_without_a_traceback(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path, odd: dict[str, str]
):
    given = environment(slack, secmaster) | {"BOT_PORT": "0"} | odd
    _code, said = await bot("doctor", folder=installed, **given)
    assert "Traceback" not in said
    code, said = await bot("run", folder=installed, **given)
    assert code == 2
    assert "Traceback" not in said


async def test_missing_settings_stop_the_start_with_one_message(tmp_path: Path):
    code, said = await bot("run", folder=tmp_path)
    assert code == 2
    for name in (
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SECMASTER_REGION",
        "HUAWEICLOUD_SDK_AK",
    ):
        assert name in said
    assert "Traceback" not in said


async def test_the_pages_that_the_demo_prints_can_be_opened(tmp_path: Path):
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--slack-port", "0", "--secmaster-port", "0"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await child.stdout.readuntil(b"Ctrl-C")).decode()
    slack, secmaster = re.findall(r"^  (http://\S+) ", said, re.MULTILINE)
    async with httpx.AsyncClient() as http:
        pages = [(await http.get(address)).text for address in (slack, secmaster)]
        shown = (await http.get(f"{slack}/_sandbox/channels/C0SOC")).text
    child.terminate()
    await child.communicate()
    assert child.returncode == 0
    assert all(page.startswith("<!doctype html>") for page in pages)
    assert "Isolate host ecs-web-07: \\u2705 Finished" in shown
    assert "Waiting for a decision" in shown
