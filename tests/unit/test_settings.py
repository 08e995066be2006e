"""Settings: every problem in one message, and no secret in any."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.network import ADDRESS_FORM
from bot.secret_files import is_secret, setting_names
from bot.settings import (
    ADDRESSES,
    Database,
    Settings,
    SettingsError,
    SignIn,
    label,
    load,
    load_database,
)
from tests.support.authorities import Authority

HTTP = {"SLACK_BOT_TOKEN": "xoxb-secret-1", "SLACK_SIGNING_SECRET": "signing-secret-2"}
SOCKET = {"SLACK_BOT_TOKEN": "xoxb-secret-1", "SLACK_APP_TOKEN": "xapp-secret-3"}
WHERE = {
    "SECMASTER_REGION": "cn-north-4",
    "SECMASTER_PROJECT_ID": "project",
    "SECMASTER_WORKSPACE_ID": "workspace",
}
SIGNED = {"HUAWEICLOUD_SDK_AK": "ak-secret-4", "HUAWEICLOUD_SDK_SK": "sk-secret-5"}
IAM = {"IAM_USERNAME": "robot", "IAM_PASSWORD": "password-secret-6", "IAM_DOMAIN": "domain"}
TOKEN = {"SECMASTER_AUTH_TOKEN": "token-secret-7"}
AGENCY = {"ECS_AGENCY": "true"}
WAYS = {"signed": SIGNED, "iam": IAM, "agency": AGENCY, "token": TOKEN}
MORE = {"HUAWEICLOUD_SDK_SECURITY_TOKEN": "sts-secret-8"}
HTTP_PROXY = f"give an HTTP proxy as {ADDRESS_FORM}"
SECRETS = ("secret-1", "secret-2", "secret-3", "secret-4", "secret-5", "secret-6", "secret-7")

Read = Callable[..., Settings]
Problems = Callable[..., list[str]]


def secret_of(value: SecretStr | None) -> str:
    assert value
    return value.get_secret_value()


def aliases(name: str) -> tuple[str, ...]:
    """Every name of a setting in the environment."""
    return setting_names(name, Settings.model_fields[name])


every_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nothing of ours is set."""
    names = {alias for name in Settings.model_fields for alias in aliases(name)}
    names |= {f"{name}_FILE" for name in names}
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read settings from a .env file that says this."""

    def read(*parts: dict[str, str], **more: str) -> Settings:
        values = {key: value for part in parts for key, value in part.items()} | more
        path = tmp_path / "given.env"
        path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), "utf-8")
        return load(path)

    return read


@pytest.fixture
def problems(read: Read) -> Problems:
    """What a person is told whose settings are wrong."""

    def problems(*parts: dict[str, str], **more: str) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            read(*parts, **more)
        text = str(caught.value)
        assert not any(secret in text for secret in SECRETS)
        assert not any(secret in repr(caught.value) for secret in SECRETS)
        return text.splitlines()

    return problems


# What is enough.


@every_way
@pytest.mark.parametrize("slack", [HTTP, SOCKET, HTTP | SOCKET], ids=["http", "socket", "both"])
def test_a_way_to_slack_and_a_way_to_secmaster_are_enough(
    read: Read, slack: dict[str, str], way: dict[str, str]
) -> None:
    settings = read(slack, WHERE, way)
    assert settings.socket_mode == ("SLACK_APP_TOKEN" in slack)
    assert settings.endpoint == "https://secmaster.cn-north-4.myhuaweicloud.com"
    assert settings.iam == "https://iam.cn-north-4.myhuaweicloud.com"


def test_the_defaults_are_the_documented_ones(read: Read) -> None:
    settings = read(HTTP, WHERE, TOKEN)
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.database_url == "sqlite:///secmaster-bot.db"
    assert (settings.bot_host, settings.bot_port) == ("127.0.0.1", 3000)
    assert str(settings.bot_config) == "secmaster-bot.toml"


def test_an_endpoint_of_ones_own_takes_the_place_of_the_region(read: Read) -> None:
    where = {key: WHERE[key] for key in WHERE if key != "SECMASTER_REGION"}
    settings = read(HTTP, where, SIGNED, SECMASTER_ENDPOINT="https://sm.example/")
    assert settings.endpoint == "https://sm.example"
    assert settings.console_url == ""


def test_temporary_keys_come_with_their_token(read: Read) -> None:
    settings = read(HTTP, WHERE, SIGNED, MORE)
    assert secret_of(settings.security_token) == "sts-secret-8"


def test_the_other_names_of_a_setting_are_read_too(read: Read) -> None:
    where = {key: WHERE[key] for key in WHERE if key != "SECMASTER_PROJECT_ID"}
    keys = {"CLOUD_SDK_AK": "ak", "CLOUD_SDK_SK": "sk"}
    settings = read(HTTP, where, keys, HUAWEICLOUD_SDK_PROJECT_ID="other")
    assert settings.secmaster_project_id == "other"
    assert secret_of(settings.ak) == "ak"
    assert secret_of(settings.sk) == "sk"


def test_our_own_name_of_a_setting_wins_over_the_other(read: Read) -> None:
    settings = read(
        HTTP, WHERE, SIGNED, {"CLOUD_SDK_AK": "other"}, HUAWEICLOUD_SDK_PROJECT_ID="other"
    )
    assert settings.secmaster_project_id == "project"
    assert secret_of(settings.ak) == "ak-secret-4"


def test_the_environment_wins_over_the_file(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECMASTER_REGION", "eu-west-101")
    monkeypatch.setenv("BOT_PORT", "4000")
    settings = read(HTTP, WHERE, TOKEN, BOT_PORT="3001")
    assert settings.secmaster_region == "eu-west-101"
    assert settings.bot_port == 4000


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (HTTP | WHERE | TOKEN).items():
        monkeypatch.setenv(name, value)
    assert load().secmaster_workspace_id == "workspace"


def test_the_file_is_looked_for_where_the_bot_is_started(tmp_path: Path) -> None:
    lines = "".join(f"{key}={value}\n" for key, value in (HTTP | WHERE | TOKEN).items())
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    assert load().secmaster_workspace_id == "workspace"


def test_quotes_comments_and_other_peoples_settings_in_the_file_do_no_harm(read: Read) -> None:
    settings = read(HTTP, WHERE, {"# a": "comment"}, OTHER="x", SECMASTER_AUTH_TOKEN='"a b # c"')
    assert secret_of(settings.secmaster_auth_token) == "a b # c"


# What is missing.


def test_with_nothing_set_everything_missing_is_named_at_once(problems: Problems) -> None:
    text = "\n".join(problems())
    for name in (
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SLACK_APP_TOKEN",
        "SECMASTER_REGION",
        "SECMASTER_ENDPOINT",
        "SECMASTER_PROJECT_ID",
        "SECMASTER_WORKSPACE_ID",
        "HUAWEICLOUD_SDK_AK",
        "IAM_USERNAME",
        "SECMASTER_AUTH_TOKEN",
    ):
        assert name in text


NEEDED = {
    "SLACK_BOT_TOKEN": HTTP["SLACK_BOT_TOKEN"],
    "SLACK_SIGNING_SECRET": HTTP["SLACK_SIGNING_SECRET"],
    **WHERE,
    **TOKEN,
}


@pytest.mark.parametrize(
    "missing",
    [each for count in (1, 2, 3) for each in combinations(NEEDED, count)],
    ids="+".join,
)
def test_each_missing_setting_has_its_own_line(
    problems: Problems, missing: tuple[str, ...]
) -> None:
    lines = problems({key: NEEDED[key] for key in NEEDED if key not in missing})
    assert len(lines) == len(missing)
    for name in missing:
        assert sum(name in line for line in lines) == 1


def test_an_empty_value_counts_as_missing(problems: Problems) -> None:
    (line,) = problems(HTTP, WHERE, TOKEN, SECMASTER_WORKSPACE_ID="")
    assert "SECMASTER_WORKSPACE_ID is missing" in line


@pytest.mark.parametrize("way", [SIGNED, IAM], ids=["signed", "iam"])
def test_half_a_way_in_is_said_to_be_half(problems: Problems, way: dict[str, str]) -> None:
    for missing in way:
        (line,) = problems(HTTP, WHERE, {key: way[key] for key in way if key != missing})
        assert "are needed together" in line
        assert missing in line


@pytest.mark.parametrize("pair", list(combinations(WAYS, 2)), ids="+".join)
def test_two_ways_in_contradict_each_other(problems: Problems, pair: tuple[str, str]) -> None:
    (line,) = problems(HTTP, WHERE, *(WAYS[name] for name in pair))
    assert line.startswith("Only one way")
    assert all(next(iter(WAYS[name])) in line for name in pair)


def test_half_of_one_way_beside_another_is_a_contradiction_too(problems: Problems) -> None:
    (line,) = problems(HTTP, WHERE, TOKEN, HUAWEICLOUD_SDK_AK="ak-secret-4")
    assert line.startswith("Only one way")


def test_a_password_without_a_region_needs_to_know_where_to_ask(
    problems: Problems, read: Read
) -> None:
    where = {key: WHERE[key] for key in WHERE if key != "SECMASTER_REGION"}
    where |= {"SECMASTER_ENDPOINT": "https://sm.example"}
    (line,) = problems(HTTP, where, IAM)
    assert line.startswith("IAM_ENDPOINT is missing")
    assert read(HTTP, where, IAM, IAM_ENDPOINT="https://iam.example/").iam == "https://iam.example"


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://x", "secmaster-bot.db", "postgres://x", "sqlite://"),
        *("sqlite:///", "sqlite:///:memory:", "sqlite:///?mode=rw"),
    ],
)
def test_a_database_of_another_kind_is_refused(problems: Problems, url: str) -> None:
    (line,) = problems(HTTP, WHERE, TOKEN, DATABASE_URL=url)
    assert line.startswith("DATABASE_URL must be")


# What is malformed.


@pytest.mark.parametrize("port", ["http", "-1", "65536", "3000.5", "1e3"])
def test_a_bad_port_is_named(problems: Problems, port: str) -> None:
    (line,) = problems(HTTP, WHERE, TOKEN, BOT_PORT=port)
    assert line.startswith("BOT_PORT: ")


ODD = {
    "SLACK_BOT_TOKEN": "xoxb-secret-1ä",
    "SLACK_SIGNING_SECRET": "signing secret-2",
    "SLACK_API_URL": "slack.example/api/",
    "SECMASTER_ENDPOINT": "secmaster.example",
    "SECMASTER_PROJECT_ID": "project/../other",
    "SECMASTER_WORKSPACE_ID": "work space",
    "SECMASTER_REGION": "cn-north-4/",
    "SECMASTER_CONSOLE_URL": "ftp://console.example",
    "HUAWEICLOUD_SDK_AK": "ak-secret-4\u200b",
    "HUAWEICLOUD_SDK_SK": "sk-secret-5 ",
    "IAM_ENDPOINT": "//iam.example",
    "BOT_HOST": "127.0.0.1\u00a0",
}


def test_everything_that_could_not_be_sent_as_it_is_is_listed_at_once(
    problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ODD.items():
        monkeypatch.setenv(name, value)
    lines = problems()
    for name in ODD:
        assert sum(line.startswith(f"{name} ") for line in lines) == 1, name
    assert len(lines) == len(ODD)


@pytest.mark.parametrize("name", ODD)
def test_each_odd_setting_is_named_alone(
    problems: Problems, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    values = NEEDED if name not in SIGNED else {**HTTP, **WHERE, **SIGNED}
    monkeypatch.setenv(name, ODD[name])
    (line,) = problems({key: values[key] for key in values if key != name})
    assert line.startswith(f"{name} ")


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("credentials", ["bot:hunter2", "hunter2", ":hunter2", "bot:hunter2@x"])
def test_an_address_with_credentials_in_it_is_refused_without_telling_them(
    problems: Problems, name: str, credentials: str
) -> None:
    address = {name.upper(): f"https://{credentials}@host.example/"}
    [line] = problems(HTTP, WHERE, TOKEN, address)
    assert line.startswith(f"{name.upper()} has a name or a password in it")
    assert "hunter2" not in line


@pytest.mark.parametrize("host", ["a..b", ".host", "x" * 64, "host/?x=hunter2", "host#hunter2"])
def test_an_address_that_nobody_could_be_asked_at_is_refused(problems: Problems, host: str) -> None:
    [line] = problems(HTTP, WHERE, TOKEN, SECMASTER_ENDPOINT=f"https://{host}")
    assert line.startswith("SECMASTER_ENDPOINT ")
    assert "hunter2" not in line


@pytest.mark.parametrize("host", ["127.0.0.1:8600", "[::1]:8600", "sm_1.example.", "host/a/b/"])
def test_names_and_ip_addresses_may_be_asked(read: Read, host: str) -> None:
    settings = read(HTTP, WHERE, TOKEN, SECMASTER_ENDPOINT=f"http://{host}")
    assert settings.secmaster_endpoint == f"http://{host}"
    page = "https://console.example/?region=x#y"
    assert read(HTTP, WHERE, TOKEN, SECMASTER_CONSOLE_URL=page).console_url == page


@pytest.mark.parametrize("character", ["\x01", "\n", "\x7f", "\t"])
def test_what_no_header_can_carry_is_refused(
    problems: Problems, monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", f"xoxb-secret-1{character}x")
    (line,) = problems({key: NEEDED[key] for key in NEEDED if key != "SLACK_BOT_TOKEN"})
    assert line.startswith("SLACK_BOT_TOKEN ")


@pytest.mark.parametrize("level", ["debug", "DEBUG", "Warning"])
def test_a_level_of_the_log_is_written_anyhow(read: Read, level: str) -> None:
    assert read(HTTP, WHERE, TOKEN, LOG_LEVEL=level).log_level == level.lower()


def test_a_level_that_is_none_is_named(problems: Problems) -> None:
    (line,) = problems(HTTP, WHERE, TOKEN, LOG_LEVEL="loud")
    assert line.startswith("LOG_LEVEL: ")
    assert "warning" in line


@pytest.mark.parametrize("name", ["", " ", "a b", "ä", "x" * 41, "a/b"])
def test_a_bad_name_of_a_replica_is_named(problems: Problems, read: Read, name: str) -> None:
    if not name.strip():
        assert read(HTTP, WHERE, TOKEN, BOT_REPLICA=name).bot_replica == "main"
        return
    (line,) = problems(HTTP, WHERE, TOKEN, BOT_REPLICA=name)
    assert line.startswith("BOT_REPLICA: ")


@pytest.mark.parametrize(("days", "expected"), [("", 90), ("0", 0), ("36500", 36_500)])
def test_how_long_what_is_over_is_kept(read: Read, days: str, expected: int) -> None:
    assert read(HTTP, WHERE, TOKEN, RETENTION_DAYS=days).retention_days == expected


@pytest.mark.parametrize("days", ["-1", "36501", "90d", "1.5"])
def test_days_that_can_not_be_are_named(problems: Problems, days: str) -> None:
    (line,) = problems(HTTP, WHERE, TOKEN, RETENTION_DAYS=days)
    assert line.startswith("RETENTION_DAYS: ")


def test_what_is_malformed_and_what_is_missing_are_told_together(problems: Problems) -> None:
    lines = problems(BOT_PORT="http", BOT_REPLICA="a b")
    text = "\n".join(lines)
    for name in (
        "BOT_PORT",
        "BOT_REPLICA",
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SECMASTER_REGION",
    ):
        assert name in text
    assert len(lines) == len(set(lines))


def test_what_a_network_can_not_be_reached_with_is_told_with_all_else(
    problems: Problems, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pem"
    lines = problems(
        SOCKET,
        WHERE,
        SIGNED,
        SLACK_PROXY="socks5://robot:password-secret-6@proxy.example:1080",
        SECMASTER_PROXY="http://robot:password-secret-6@",
        SECMASTER_CA_FILE=str(missing),
    )
    assert lines == [
        f"SLACK_PROXY is a SOCKS proxy, which is not supported: {HTTP_PROXY}",
        f"SECMASTER_PROXY is not a valid URL: {ADDRESS_FORM}",
    ]
    [line] = problems(SOCKET, WHERE, SIGNED, SLACK_CA_FILE=str(missing))
    assert line == f"SLACK_CA_FILE can't be used: {missing}: No such file or directory"


def test_a_proxys_password_is_not_seen_in_settings_that_are_printed(read: Read) -> None:
    proxy = "http://robot:password-secret-6@proxy.example:3128"
    settings = read(SOCKET, WHERE, SIGNED, SLACK_PROXY=proxy, SECMASTER_PROXY=proxy)
    assert "secret-6" not in repr(settings) + repr(settings.slack_network)
    assert settings.secmaster_network.route("https://x").proxy


def test_a_file_that_is_not_utf_8_is_a_problem_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "latin.env"
    path.write_bytes(b"IAM_PASSWORD=caf\xe9\n")
    with pytest.raises(SettingsError):
        load(path)


def test_a_region_that_is_none_is_refused_unless_a_private_cloud_calls_it_so(
    problems: Problems, read: Read
) -> None:
    for region in ("cn-north", "cn_north_4", "CN-North-4", "cnnorth4", "cn-north-4a", "eu"):
        (line,) = problems(HTTP, WHERE, TOKEN, SECMASTER_REGION=region)
        assert line.startswith("SECMASTER_REGION is not a region, such as cn-north-4")
        assert "SECMASTER_ENDPOINT" in line
        private = read(
            HTTP, WHERE, TOKEN, SECMASTER_REGION=region, SECMASTER_ENDPOINT="https://sm.example"
        )
        assert private.secmaster_region == region


@pytest.mark.parametrize(
    ("region", "endpoint", "iam", "console"),
    [
        (
            "ap-southeast-3",
            "https://secmaster.ap-southeast-3.myhuaweicloud.com",
            "https://iam.ap-southeast-3.myhuaweicloud.com",
            "https://console.huaweicloud.com/secmaster/?region=ap-southeast-3",
        ),
        (
            "eu-west-101",
            "https://secmaster.eu-west-101.myhuaweicloud.com",
            "https://iam.eu-west-101.myhuaweicloud.eu",
            "https://console.eu.huaweicloud.com/secmaster/?region=eu-west-101",
        ),
    ],
)
def test_addresses_are_derived_from_the_region(
    read: Read, region: str, endpoint: str, iam: str, console: str
) -> None:
    settings = read(HTTP, WHERE, TOKEN, SECMASTER_REGION=region)
    assert (settings.endpoint, settings.iam, settings.console_url) == (endpoint, iam, console)


def test_a_credential_that_ends_within_a_day_is_named(read: Read) -> None:
    assert read(HTTP, WHERE, TOKEN).ending_credential == "SECMASTER_AUTH_TOKEN"
    assert read(HTTP, WHERE, SIGNED, MORE).ending_credential == "HUAWEICLOUD_SDK_SECURITY_TOKEN"
    for way in (SIGNED, IAM, AGENCY):
        assert read(HTTP, WHERE, way).ending_credential == ""


def test_an_agency_that_is_switched_off_is_no_way_in(problems: Problems, read: Read) -> None:
    (line,) = problems(HTTP, WHERE, ECS_AGENCY="false")
    assert line.startswith("No way to sign in to SecMaster is set")
    assert read(HTTP, WHERE, TOKEN, ECS_AGENCY="false").sign_in is SignIn.TOKEN
    assert read(HTTP, WHERE, AGENCY).sign_in is SignIn.AGENCY


def test_an_agency_that_is_neither_on_nor_off_is_the_only_problem(problems: Problems) -> None:
    (line,) = problems(HTTP, WHERE, ECS_AGENCY="maybe")
    assert line.startswith("ECS_AGENCY: ")


def test_files_of_certificates_are_read_at_the_start_alone(
    read: Read, problems: Problems, tmp_path: Path, authority: Authority
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.file.read_bytes())
    files = {"SLACK_CA_FILE": str(file), "SECMASTER_CA_FILE": str(file)}
    settings = read(HTTP, WHERE, TOKEN, files)
    file.unlink()
    assert settings.slack_network is settings.slack_network
    assert settings.secmaster_network.tls is settings.secmaster_network.tls
    assert len(problems(HTTP, WHERE, TOKEN, files)) == 2


# Secrets from files.

SECRET_FIELDS = sorted(name for name, field in Settings.model_fields.items() if is_secret(field))
VALUES = {
    "database_url": "sqlite:///from-a-file.db",
    "audit_key": "0123456789abcdef-key",
    "secmaster_proxy": "http://name:word@proxy:3128",
    "slack_proxy": "http://name:word@proxy:3128",
}
BESIDE = {  # what a secret needs beside it, and its own
    "ak": {key: SIGNED[key] for key in SIGNED if key != "HUAWEICLOUD_SDK_AK"},
    "sk": {key: SIGNED[key] for key in SIGNED if key != "HUAWEICLOUD_SDK_SK"},
    "security_token": SIGNED,
    "iam_password": {key: IAM[key] for key in IAM if key != "IAM_PASSWORD"},
    "secmaster_auth_token": {},
}
EVERY_ALIAS = [(name, alias) for name in SECRET_FIELDS for alias in aliases(name)]


def beside(name: str) -> dict[str, str]:
    """Settings that are complete but for this secret."""
    values = HTTP | SOCKET | WHERE | BESIDE.get(name, TOKEN)
    return {key: value for key, value in values.items() if key not in aliases(name)}


def plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def test_every_secret_may_come_from_a_file() -> None:
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field)}
    assert {*secrets, "database_url"} == set(SECRET_FIELDS)
    assert {"slack_bot_token", "ak", "sk", "audit_key"} <= secrets


@pytest.mark.parametrize(("name", "alias"), EVERY_ALIAS)
def test_a_file_holds_what_the_setting_would_be(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, alias: str
) -> None:
    value = VALUES.get(name, "https-or-word-from-file")
    file = tmp_path / "secret"
    file.write_text(value + "\n", "utf-8")
    setting = f"{alias}_FILE"
    settings = read(beside(name), {setting: str(file)})
    assert plain(getattr(settings, name)) == value
    monkeypatch.setenv(setting, str(file))
    assert plain(getattr(read(beside(name)), name)) == value


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_only_the_line_break_at_the_end_is_left_out(read: Read, tmp_path: Path, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f" a b {end}".encode())
    password = read(HTTP, WHERE, beside("iam_password"), IAM_PASSWORD_FILE=str(file)).iam_password
    assert secret_of(password) == " a b "


def test_a_relative_name_is_looked_for_where_the_bot_is_started(read: Read, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-from-file\n")
    settings = read(beside("slack_bot_token"), SLACK_BOT_TOKEN_FILE="token")
    assert secret_of(settings.slack_bot_token) == "xoxb-from-file"


UNUSABLE = {
    "missing": (None, "names a file that is not there"),
    "empty": (b"\n", "names a file that is empty"),
    "bytes": (b"secret-1\xff", "names a file that is not UTF-8 text"),
    "folder": (..., "names a file that can't be read (Is a directory)"),
}


@pytest.mark.parametrize(("content", "problem"), UNUSABLE.values(), ids=list(UNUSABLE))
@pytest.mark.parametrize("name", SECRET_FIELDS)
def test_a_file_that_gives_no_secret_is_said_in_one_line_without_its_name(
    problems: Problems, tmp_path: Path, name: str, content: object, problem: str
) -> None:
    file = tmp_path / "xoxb-secret-1"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is ...:
        file.mkdir()
    lines = problems(beside(name), {f"{aliases(name)[-1]}_FILE": str(file)}, BOT_PORT="http")
    [line] = [each for each in lines if not each.startswith("BOT_PORT: ")]
    assert line == f"{aliases(name)[-1]}_FILE {problem}"


@pytest.mark.parametrize(("name", "alias"), EVERY_ALIAS)
def test_a_setting_beside_its_file_is_a_contradiction(
    problems: Problems, monkeypatch: pytest.MonkeyPatch, name: str, alias: str
) -> None:
    monkeypatch.setenv(f"{alias}_FILE", "xoxb-secret-1")
    lines = problems(beside(name), {label(name): VALUES.get(name, "signing-secret-2")})
    assert lines == [f"{label(name)} and {alias}_FILE are both set: keep one of them"]


def test_an_empty_name_of_a_file_counts_as_not_set(read: Read) -> None:
    settings = read(HTTP, WHERE, TOKEN, SLACK_BOT_TOKEN_FILE="")
    assert secret_of(settings.slack_bot_token) == "xoxb-secret-1"


def test_what_a_file_holds_is_checked_like_the_setting(problems: Problems, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("xoxb-secret-1\nxoxb-secret-1\n")
    (line,) = problems(beside("slack_bot_token"), SLACK_BOT_TOKEN_FILE=str(file))
    assert line == "SLACK_BOT_TOKEN has characters that can't be part of it"
    file.write_text("mysql://bot:secret-1@db.example/bot\n")
    (line,) = problems(beside("database_url"), DATABASE_URL_FILE=str(file))
    assert line.startswith("DATABASE_URL must be")


def test_commands_on_the_audit_read_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VALUES.items():
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(f"{label(name)}_FILE", name)
    settings: Database = load_database()
    assert settings.database_url == VALUES["database_url"]
    assert secret_of(settings.audit_key) == VALUES["audit_key"]
    assert load_database("sqlite:///copy.db").database_url == "sqlite:///copy.db"
    (tmp_path / "audit_key").unlink()
    with pytest.raises(SettingsError, match=r"^AUDIT_KEY_FILE names a file that is not there$"):
        load_database()


# Secrets.


def test_no_secret_is_seen_in_settings_that_are_printed(read: Read) -> None:
    for way in WAYS.values():
        settings = read(HTTP, SOCKET, WHERE, way, MORE)
        printed = f"{settings!r} {settings} {settings.model_dump()}"
        assert not any(secret in printed for secret in (*SECRETS, "sts-secret-8"))


def test_the_password_of_the_database_is_not_seen_either(read: Read) -> None:
    url = "postgresql://bot:hunter2@db.example/bot"
    settings = read(HTTP, WHERE, TOKEN, DATABASE_URL=url)
    assert "hunter2" not in f"{settings!r} {settings}"


def test_the_password_of_a_refused_database_is_not_told(problems: Problems) -> None:
    (line,) = problems(HTTP, WHERE, TOKEN, DATABASE_URL="mysql://bot:hunter2@db.example/bot")
    assert "hunter2" not in line


def test_no_secret_hangs_on_to_the_error_through_its_causes(read: Read) -> None:
    with pytest.raises(SettingsError) as caught:
        read(HTTP, TOKEN, BOT_PORT="http")
    error: BaseException | None = caught.value
    while error is not None:
        assert not any(secret in f"{error!r}{error}" for secret in SECRETS)
        error = error.__cause__ or error.__context__
