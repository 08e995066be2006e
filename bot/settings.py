"""Secrets and addresses, from the environment and ``.env``. Read by the command line alone."""

import re
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ADDRESSES = ("slack_api_url", "secmaster_endpoint", "iam_endpoint", "secmaster_console_url")
IDS = ("secmaster_project_id", "secmaster_workspace_id", "secmaster_region")
NO_DATABASE = "DATABASE_URL must be sqlite:///file or postgresql://user@host/database"
ONE_WORD = ("slack_bot_token", "slack_app_token", "slack_signing_secret", "ak", "sk")


class SettingsError(Exception):
    """Settings are missing or contradict each other: one line for each problem."""


class Database(BaseSettings):
    """Where the bot's memory is: all that somebody needs who only reads it."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    # Its password must not show in any repr.
    database_url: str = Field("sqlite:///secmaster-bot.db", repr=False)


class Settings(Database):
    """Everything that differs between two installations. An empty value counts as not set."""

    slack_bot_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"

    secmaster_region: str = ""
    secmaster_endpoint: str = ""
    secmaster_project_id: str = Field(
        "", validation_alias=AliasChoices("SECMASTER_PROJECT_ID", "HUAWEICLOUD_SDK_PROJECT_ID")
    )
    secmaster_workspace_id: str = ""

    ak: SecretStr | None = Field(
        None, validation_alias=AliasChoices("HUAWEICLOUD_SDK_AK", "CLOUD_SDK_AK")
    )
    sk: SecretStr | None = Field(
        None, validation_alias=AliasChoices("HUAWEICLOUD_SDK_SK", "CLOUD_SDK_SK")
    )
    security_token: SecretStr | None = Field(
        None, validation_alias="HUAWEICLOUD_SDK_SECURITY_TOKEN"
    )
    iam_endpoint: str = Field(
        "", validation_alias=AliasChoices("IAM_ENDPOINT", "HUAWEICLOUD_SDK_IAM_ENDPOINT")
    )
    secmaster_console_url: str = ""

    iam_username: str = ""
    iam_password: SecretStr | None = None
    iam_domain: str = ""
    secmaster_auth_token: SecretStr | None = None

    bot_host: str = "127.0.0.1"
    bot_port: int = Field(3000, ge=0, le=65535)
    bot_config: Path = Path("secmaster-bot.toml")
    bot_replica: str = Field("main", pattern=r"^[A-Za-z0-9_-]{1,40}$")

    @property
    def socket_mode(self) -> bool:
        return self.slack_app_token is not None

    @property
    def endpoint(self) -> str:
        if self.secmaster_endpoint:
            return self.secmaster_endpoint.rstrip("/")
        return f"https://secmaster.{self.secmaster_region}.myhuaweicloud.com"

    @property
    def console_url(self) -> str:
        """The console's front page; a task's own address there is not documented."""
        if self.secmaster_console_url or not self.secmaster_region:
            return self.secmaster_console_url
        return f"https://console.huaweicloud.com/secmaster/?region={self.secmaster_region}"

    @property
    def iam(self) -> str:
        if self.iam_endpoint:
            return self.iam_endpoint.rstrip("/")
        return f"https://iam.{self.secmaster_region}.myhuaweicloud.com"

    @model_validator(mode="after")
    def complete(self) -> Self:
        problems = (self._slack_problems, self._secmaster_problems, self._ways_in, self._odd_ones)
        if wrong := [line for check in problems for line in check()]:
            raise ValueError("\n".join(wrong))
        return self

    def _slack_problems(self) -> list[str]:
        wrong = []
        if not self.slack_bot_token:
            wrong.append("SLACK_BOT_TOKEN is missing (Slack app, OAuth & Permissions: xoxb-…)")
        if not self.slack_app_token and not self.slack_signing_secret:
            wrong.append(
                "SLACK_SIGNING_SECRET (HTTP mode) or SLACK_APP_TOKEN (Socket Mode) is missing"
            )
        if not _names_a_database(self.database_url):
            wrong.append(NO_DATABASE)
        return wrong

    def _secmaster_problems(self) -> list[str]:
        wrong = []
        if not self.secmaster_region and not self.secmaster_endpoint:
            wrong.append("SECMASTER_REGION (such as cn-north-4) or SECMASTER_ENDPOINT is missing")
        if not self.secmaster_project_id:
            wrong.append("SECMASTER_PROJECT_ID is missing")
        if not self.secmaster_workspace_id:
            wrong.append("SECMASTER_WORKSPACE_ID is missing")
        return wrong

    def _ways_in(self) -> list[str]:
        """Check that exactly one way to authenticate is given, and given whole."""
        ways = {
            "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK": (self.ak, self.sk),
            "IAM_USERNAME, IAM_PASSWORD and IAM_DOMAIN": (
                self.iam_username,
                self.iam_password,
                self.iam_domain,
            ),
            "SECMASTER_AUTH_TOKEN": (self.secmaster_auth_token,),
        }
        begun = [name for name, parts in ways.items() if any(parts)]
        if len(begun) > 1:
            told = "; ".join(begun)
            return [f"Only one way to sign in to SecMaster may be set; these are begun: {told}"]
        if not begun:
            return [f"No way to sign in to SecMaster is set: give {', or '.join(ways)}"]
        wrong = [] if all(ways[begun[0]]) else [f"{begun[0]} are needed together"]
        if self.iam_username and not (self.iam_endpoint or self.secmaster_region):
            wrong.append("IAM_ENDPOINT is missing: without SECMASTER_REGION it can't be derived")
        return wrong

    def _odd_ones(self) -> list[str]:
        """Check what would only fail later, when a header or an address is made of it."""
        wrong = []
        for name in sorted(type(self).model_fields):
            value = getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            plain = not isinstance(text, str) or (text.isascii() and text.isprintable())
            if not plain or (name in ONE_WORD and " " in str(text)):
                wrong.append(f"{_label(name)} has characters that can't be part of it")
        addresses = [name for name in ADDRESSES if not _leads_somewhere(getattr(self, name))]
        wrong += [f"{_label(name)} is no address: https://host…" for name in addresses]
        return wrong + self._unlike(
            IDS, r"[A-Za-z0-9_-]*", "may have letters, digits, - and _ only"
        )

    def _unlike(self, names: tuple[str, ...], pattern: str, why: str) -> list[str]:
        odd = [name for name in names if not re.fullmatch(pattern, getattr(self, name))]
        return [f"{_label(name)} {why}" for name in odd]


def _leads_somewhere(address: str) -> bool:
    scheme, host = _parts(address)
    return not address or (scheme in ("http", "https") and host)


def _names_a_database(address: str) -> bool:
    return address.startswith("sqlite:///") or _parts(address)[0] == "postgresql"


def _parts(address: str) -> tuple[str, bool]:
    """An address's scheme, "" if it can't be read, and whether it names a host."""
    try:
        parts = urlsplit(address)
        usable = parts.port != 0 and bool(parts.hostname)  # an odd port raises only here
    except ValueError:
        return "", False
    return parts.scheme, usable


def _label(name: str) -> str:
    """A setting's name as an operator writes it."""
    alias = Settings.model_fields[name].validation_alias
    first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    return str(first or name).upper()


def load(env_file: Path | None = Path(".env")) -> Settings:
    """Read the settings; raises SettingsError naming every problem at once."""
    try:
        return Settings(_env_file=env_file)
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file} is not UTF-8 text") from None
    except ValidationError as wrong:
        problems = _problems(wrong)
        malformed = {str(error["loc"][0]) for error in wrong.errors() if error["loc"]}
    if malformed:
        problems += _also_missing(env_file, malformed)
    raise SettingsError("\n".join(problems))


def database_url(given: str = "", env_file: Path | None = Path(".env")) -> str:
    """The database's address: this one, or else the one that the settings name."""
    try:
        address = given or Database(_env_file=env_file).database_url
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file} is not UTF-8 text") from None
    if not _names_a_database(address):
        raise SettingsError(NO_DATABASE)
    return address


def _also_missing(env_file: Path | None, malformed: set[str]) -> list[str]:
    """Check again without the malformed ones: pydantic stops before it looks at the whole."""
    fine = {name: Settings.model_fields[name].default for name in malformed}
    try:
        Settings(_env_file=env_file, **fine)
    except ValidationError as wrong:
        return _problems(wrong)
    return []


def _problems(wrong: ValidationError) -> list[str]:
    return [_line(tuple(error["loc"]), error["msg"]) for error in wrong.errors()]


def _line(where: tuple[int | str, ...], message: str) -> str:
    # Only the name and the rule: the value may be a secret.
    words = message.removeprefix("Value error, ")
    return f"{str(where[0]).upper()}: {words}" if where else words
