"""What an operator reads when the doctor looks at an installation."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiohttp import web

from bot.cli.doctor.channels import check_channels
from bot.cli.doctor.database import check_database
from bot.cli.doctor.results import CheckFailed, NotChecked
from bot.cli.doctor.slack import check_delivery, check_slack, check_workspaces
from bot.cli.doctor.slack_access import SlackAccess
from bot.cli.doctor.subject import Subject
from bot.policy.config import Config, Organisation
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import FINDINGS, READS, SecMasterSandbox
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.methods import ALL_SCOPES
from bot.slack.connect import open_slack
from bot.slack.installation import Installation
from bot.store import connect, file_systems, migrate
from bot.store.tables import VERSION_TABLE
from tests.support.command_line import ROOT, file_names, installation, run_beside, run_process
from tests.support.environment import settings_for
from tests.support.odd_slack import odd_slack


async def test_the_doctor_finds_a_whole_installation_well(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    result = await run_process("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 0, result.output
    assert result.stdout.count("✓") == 14
    assert result.stderr == ""
    writes = [request for request in secmaster.requests if request.write]
    assert writes == []


async def test_the_doctor_leaves_nothing_behind(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    environment = installation(slack, secmaster)
    result = await run_beside("doctor", folder=installed, **environment)
    assert "secmaster-bot.db will be made" in result.stdout
    environment |= {"DATABASE_URL": f"sqlite:///{installed / 'other.db'}"}
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 0, result.output
    assert file_names(installed) == ["secmaster-bot.toml"]


async def test_the_doctor_opens_no_connection_beside_a_bot_in_socket_mode(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    environment = installation(slack, secmaster) | {"SLACK_APP_TOKEN": "xapp-demo"}
    await slack.faults.set(Fault(on="socket", status=407))
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 0, result.output
    assert "✓ way in: Socket Mode: Slack gave an address; `doctor --listen`" in result.stdout


ODD_ANSWERS: list[tuple[Callable[[], web.Response], str]] = [
    (lambda: web.Response(text="<html>", content_type="text/html", status=503), "unreadable"),
    (lambda: web.Response(text="no", status=503), "unreadable"),
    (lambda: web.Response(text="a proxy says no"), "unreadable"),
    (lambda: web.Response(text="{", content_type="application/json"), "unreadable"),
    (lambda: web.json_response([]), "unreadable"),
    (lambda: web.json_response([1]), "unreadable"),
    (lambda: web.json_response(None), "unreadable"),
    (lambda: web.json_response({"ok": False}), "unreadable"),
    (lambda: web.json_response({"ok": False, "error": "internal_error"}), "internal_error"),
]


@pytest.mark.parametrize(("answer", "reason"), ODD_ANSWERS)
async def test_an_answer_that_is_no_refusal_is_slacks_trouble(
    answer: Callable[[], web.Response], reason: str
) -> None:
    async with odd_slack(lambda _: answer()) as url:
        settings = settings_for(url, "http://127.0.0.1:9", "sqlite:///unused.db", socket=True)
        settings = settings.model_copy(update={"bot_config": ROOT / "secmaster-bot.example.toml"})
        async with AsyncExitStack() as stack:
            subject = Subject(settings, stack)
            with pytest.raises(CheckFailed, match=rf"^Slack is in trouble \({reason}"):
                await check_slack(subject)
            with pytest.raises(NotChecked, match=r"^Slack can.t be asked"):
                await check_channels(subject)
            with pytest.raises(CheckFailed, match=rf"^Slack gave no address .* \({reason}"):
                await check_delivery(subject)


async def test_a_channel_is_not_to_blame_for_slacks_trouble(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    await slack.faults.set(Fault(on="conversations.info", status=200, code="internal_error"))
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 1
    assert "✗ channels: Slack is in trouble (internal_error)" in result.stdout


async def test_each_right_to_read_is_used_and_what_is_lost_without_it_is_said(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    environment = installation(slack, secmaster)
    for operation in ("ListAopWorkflowInstance", "ShowTask"):
        await secmaster.faults.set(Fault(on=operation, status=403, code="APIGW.0302"))
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 1
    for line in (
        "✗ rights: listing workflow instances is refused (403 APIGW.0302, ",
        "Without it no cards of failed instances, and no list of them\n",
        "✗ rights: reading one task is refused (403 APIGW.0302, ",
        "): give the credential secmaster:task:get. Without it no task's card, and nothing can be",
        "! rights: not tried, with nothing to read: reading one workflow instance\n",
        "! rights: can't be tried without writing: approving, terminating and commenting ",
    ):
        assert line in result.stdout
    await secmaster.faults.clear()
    await secmaster.faults.set(Fault(on="ListTasks", status=403, code="APIGW.0302"))
    result = await run_beside("doctor", folder=installed, **environment)
    assert "Without listing tasks no task is found, so there are no cards" in result.stdout
    assert "! rights: not tried, with nothing to read: reading one task\n" in result.stdout
    read = {request.endpoint for request in secmaster.requests}
    assert {"ListAopWorkflowInstance", "ShowAopWorkflowInstance"} <= read
    assert [request for request in secmaster.requests if request.write] == []


async def test_reads_that_the_bot_can_do_without_are_tried_and_missing_ones_do_not_fail(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    environment = installation(slack, secmaster)
    await secmaster.refuse_reads(READS, 404)
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 0, result.output
    absent = "does not exist in this region (404 APIGW.0101, "
    assert result.stdout.count(absent) == len(READS)
    assert f"! rights: reading alerts {absent}" in result.stdout
    assert "Without it the alert is not on the card\n" in result.stdout
    await secmaster.faults.clear()
    await secmaster.refuse_reads(FINDINGS, 403)
    await secmaster.faults.set(Fault(on="ShowResource", status=500))
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("! rights: ") == len(FINDINGS) + 2
    for line in (
        "! rights: reading alerts is refused (403 APIGW.0302, ",
        "): give the credential secmaster:alert:get. Without it the alert is not on the card\n",
        "! rights: reading resources failed (500 ",
    ):
        assert line in result.stdout
    # A rule that asks for what can't be read would refuse everybody.
    policy = installed / "secmaster-bot.toml"
    rule = '[[rules]]\nactions = ["task.approve"]\neffect = "deny"\nwhen.asset_level = ["key"]\n'
    policy.write_text(f"{policy.read_text()}\n{rule}")
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 1, result.output
    assert result.stdout.count("and rules of the policy that ask for it refuse") == 3
    await secmaster.faults.clear()
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.stdout.count("! rights: ") == 1
    assert set(READS) <= {request.endpoint for request in secmaster.requests}


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "SLACK_BOT_TOKEN is refused: invalid_auth. Reinstall"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "SLACK_APP_TOKEN is refused"),
        (
            {"HUAWEICLOUD_SDK_SK": "wrong-secret"},
            "refuses these credentials: check whether HUAWEICLOUD_SDK_AK is active",
        ),
        ({"SECMASTER_WORKSPACE_ID": "other"}, "knows no such project or workspace"),
        (
            {"SECMASTER_ENDPOINT": "http://127.0.0.1:9"},
            "refuses the connection: look at the address",
        ),
        ({"SLACK_API_URL": "http://127.0.0.1:9/"}, "✗ Slack: 127.0.0.1:9 refuses the connection"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "DATABASE_URL can't be used"),
        ({"BOT_CONFIG": "missing.toml"}, "✗ policy: missing.toml: there is no such file"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_the_doctor_names_what_is_wrong_and_no_secret(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    installed: Path,
    setting: dict[str, str],
    sentence: str,
) -> None:
    environment = installation(slack, secmaster) | setting
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 1
    assert sentence in result.stdout
    for secret in ("xoxb-", "xapp-", "demo-signing-secret", "demo-sk", "wrong-secret"):
        assert secret not in result.output
    assert "Traceback" not in result.output


async def test_each_problem_is_said_once_and_what_it_hides_in_one_line(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    environment = installation(slack, secmaster)
    refused = environment | {"SLACK_BOT_TOKEN": "xoxb-wrong"}
    result = await run_beside("doctor", folder=installed, **refused)
    assert result.stdout.count("✗") == result.stdout.count("invalid_auth") == 1
    assert "- not checked: Slack can't be asked: scopes, organisation, people, channels, appr" in (
        result.stdout
    )
    (installed / "secmaster-bot.toml").write_text("[wacht]\nevery = 3\n[watch]\nevery = 'x'\n")
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.stdout.count("✗") == 2
    for line in (
        "✗ policy: secmaster-bot.toml: [wacht]: there is no such key; did you mean watch?\n",
        "✗ policy: secmaster-bot.toml: [watch] every: write a number, without quotes\n",
        "- not checked: the policy can't be read: scopes, organisation, people, channels, appr",
    ):
        assert result.stdout.count(line) == 1


async def test_the_doctor_names_the_lines_without_which_nobody_reads(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    file = installed / "secmaster-bot.toml"
    file.write_text(file.read_text().replace('"task.read", "instance.read"', '"task.read"'))
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 1
    assert "No rule lets anybody read runs" in result.stdout
    added = '[[rules]]\nactions = ["instance.read"]\nroles = ["approver", "oncall"]\n'
    assert added in result.stdout
    file.write_text(f"{file.read_text()}\n{added}")
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("missing", "exit_code", "lines"),
    [
        (
            {"channels:read", "files:read"},
            1,
            [
                "✗ scopes: missing: channels:read; without channels:read cards are ",
                "; without files:read no file from Slack can be attached. Print the manifest",
                "reinstall the app",
            ],
        ),
        (
            {"files:read", "chat:write.public"},
            0,
            [
                "✓ Slack: secmaster in Demo\n! scopes: optional ones are missing: ",
                "without chat:write.public public channels are closed to the bot until it is ",
                "; without files:read no file from Slack can be attached\n",
            ],
        ),
    ],
    ids=["required", "optional"],
)
async def test_the_doctor_says_what_each_missing_scope_costs(
    secmaster: SecMasterSandbox,
    installed: Path,
    missing: set[str],
    exit_code: int,
    lines: list[str],
) -> None:
    slack = SlackSandbox(scopes=ALL_SCOPES - missing)
    await slack.start()
    try:
        environment = installation(slack, secmaster)
        result = await run_beside("doctor", folder=installed, **environment)
    finally:
        await slack.stop()
    assert (result.exit_code, result.stderr) == (exit_code, "")
    assert [line for line in lines if line not in result.stdout] == [], result.stdout


@pytest.mark.parametrize(
    ("channels", "exit_code", "line"),
    [
        (
            'allow = ["C0SOC"]',
            0,
            "✓ channels: 1 named by the policy\n! channels: 3 guests read what is posted in #",
        ),
        (
            'allow = ["C0ONCALL", "C0PARTNERS"]',
            1,
            "✗ channels: another organisation shares #partners (C0PARTNERS), so nothing is posted",
        ),
        (
            'allow = ["C0PARTNERS"]\nshared = true',
            0,
            "another organisation reads what is posted in #partners (C0PARTNERS)",
        ),
        ('allow = ["C0NONE"]', 1, "✗ channels: Slack shows the bot no channel C0NONE ([channels] "),
        ("", 0, "✓ channels: 0 named by the policy\n"),
    ],
    ids=["guests", "shared", "allowed", "missing", "none"],
)
async def test_the_doctor_names_who_else_reads_the_channels_of_the_policy(  # noqa: PLR0917
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    installed: Path,
    channels: str,
    exit_code: int,
    line: str,
) -> None:
    policy = installed / "secmaster-bot.toml"
    example = policy.read_text().replace('[channels]\nallow = ["C0SOC"]', f"[channels]\n{channels}")
    policy.write_text(example)
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == exit_code, result.output
    assert line in result.stdout


async def test_the_doctor_finds_a_database_of_this_version_usable(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    url = f"sqlite:///{installed / 'bot.db'}"
    engine = connect(url)
    migrate(engine)
    engine.dispose()
    environment = installation(slack, secmaster) | {"DATABASE_URL": url}
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 0, result.output
    assert "✓ database: usable" in result.stdout


async def test_the_doctor_refuses_a_file_on_a_network_file_system_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 8:1 / / rw,relatime shared:1 - nfs4 host:/export rw\n")
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    settings = settings_for("http://127.0.0.1:9", "http://127.0.0.1:9", url)
    with pytest.raises(CheckFailed, match=r"is on a network file system \(nfs4\)"):
        await check_database(Subject(settings, AsyncExitStack()))


async def test_the_doctor_refuses_a_database_from_before_the_first_release(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    url = f"sqlite:///{installed / 'bot.db'}"
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE bot_schema_version (version_num VARCHAR(32))"))
    engine.dispose()
    environment = installation(slack, secmaster) | {"DATABASE_URL": url}
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 1
    assert "✗ database: This database was made by a build from before the first" in result.stdout


async def test_the_doctor_refuses_a_database_of_a_newer_version(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    url = f"sqlite:///{installed / 'bot.db'}"
    engine = connect(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    environment = installation(slack, secmaster) | {"DATABASE_URL": url}
    result = await run_beside("doctor", folder=installed, **environment)
    assert result.exit_code == 1
    assert "✗ database: This database was written by a newer version" in result.stdout


@pytest.mark.parametrize(
    ("organisation", "line"),
    [
        ("", "a part of the Enterprise Grid E0DEMO: the people of all its workspaces belong here"),
        (
            "[organisation]\nworkspaces = ['T0SOC', 'T0IT']\n",
            "a part of the Enterprise Grid E0DEMO: those who are in T0SOC, T0IT and T0DEMO belong",
        ),
    ],
)
async def test_the_doctor_says_who_belongs_here_on_an_enterprise_grid(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    installed: Path,
    organisation: str,
    line: str,
) -> None:
    slack.workspace.join_enterprise()
    file = installed / "secmaster-bot.toml"
    file.write_text(f"{organisation}{file.read_text()}")
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 0, result.output
    assert f"✓ organisation: {line}" in result.stdout


async def test_the_doctor_asks_an_app_of_the_whole_enterprise_for_its_workspaces(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    slack.workspace.join_enterprise(org_wide=True)
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 1
    assert "name workspaces under [organisation] in the policy" in result.stdout
    file = installed / "secmaster-bot.toml"
    file.write_text(f"[organisation]\nworkspaces = ['T0DEMO']\n{file.read_text()}")
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert result.exit_code == 0, result.output
    assert "installed for all of the Enterprise Grid E0DEMO: those who are in T0DEMO" in (
        result.stdout
    )


async def test_the_doctor_names_the_workspaces_that_are_closed_to_the_app(
    slack: SlackSandbox,
) -> None:
    slack.workspace.join_enterprise(org_wide=True)
    slack.workspace.teams_without_app.add("T0GONE")
    settings = settings_for(slack.url, "http://127.0.0.1:9", "sqlite:///unused.db", socket=True)
    config = Config(organisation=Organisation(workspaces=("T0DEMO", "T0GONE")))
    async with AsyncExitStack() as stack:
        org_wide = Installation("", "E0DEMO", is_org_wide=True)
        access = SlackAccess(await open_slack(settings, stack), org_wide, name="", granted="")
        with pytest.raises(CheckFailed, match=r"workspaces T0GONE \(workspace_closed\) can't be"):
            await check_workspaces(settings, access, config)
        slack.workspace.teams_without_app.clear()
        await check_workspaces(settings, access, config)


async def test_the_doctor_says_of_a_workspace_alone_that_it_can_not_be_narrowed(
    slack: SlackSandbox, secmaster: SecMasterSandbox, installed: Path
) -> None:
    file = installed / "secmaster-bot.toml"
    file.write_text(f"[organisation]\nworkspaces = ['T0DEMO']\n{file.read_text()}")
    result = await run_beside("doctor", folder=installed, **installation(slack, secmaster))
    assert "[organisation] changes nothing: this workspace is a part of no" in result.stdout
