"""Read secrets and addresses from the environment and ``.env``; only the command line does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.network import Network, NetworkSettingError, open_network, unused_proxy
from bot.secret_files import SecretFiles, Unusable, setting_names
from bot.validation import IN_TOML, sentence

CONSOLE = "secmaster_console_url"  # a page, and the only address that may have a query
ADDRESSES = (
    "slack_api_url",
    "secmaster_endpoint",
    "iam_endpoint",
    "ecs_metadata_endpoint",
    CONSOLE,
)
IDS = ("secmaster_project_id", "secmaster_workspace_id")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
NO_DATABASE = "DATABASE_URL must be sqlite:///file or postgresql://user@host/database"
ONE_WORD = ("slack_bot_token", "slack_app_token", "slack_signing_secret", "ak", "sk")


class LogLevel(StrEnum):
    """From which level on lines are logged."""

    DEBUG = auto()
    INFO = auto()
    WARNING = auto()
    ERROR = auto()


# In the place of a secret that can't be read from its file, so that it is not called missing too.
STAND_IN = "http://not-read-from-its-file"
AGENCY = "ecs_agency"


class SignIn(StrEnum):
    """How the bot signs in to SecMaster; the values name the settings of each way."""

    KEYS = "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"
    PASSWORD = "IAM_USERNAME, IAM_PASSWORD and IAM_DOMAIN"  # noqa: S105 - names of settings
    AGENCY = "ECS_AGENCY"
    TOKEN = "SECMASTER_AUTH_TOKEN"  # noqa: S105 - likewise


# What each way needs, all of it.
SIGN_IN_FIELDS: Mapping[SignIn, tuple[str, ...]] = {
    SignIn.KEYS: ("ak", "sk"),
    SignIn.PASSWORD: ("iam_username", "iam_password", "iam_domain"),
    SignIn.AGENCY: (AGENCY,),
    SignIn.TOKEN: ("secmaster_auth_token",),
}


@dataclass(frozen=True, slots=True)
class Domains:
    """Where a region's services answer: ``https://{service}.{region}.{domain}``."""

    secmaster: str = "myhuaweicloud.com"
    iam: str = "myhuaweicloud.com"
    console: str = "console.huaweicloud.com"


# The regions that differ, by the tables of Huawei's Python SDK 3.1.219 (``iam_region.py`` and
# ``secmaster_region.py``): of this one IAM has .eu, as most services have, and SecMaster .com.
DOMAINS: Mapping[str, Domains] = {
    "eu-west-101": Domains(iam="myhuaweicloud.eu", console="console.eu.huaweicloud.com"),
}


class SettingsError(Exception):
    """Settings are missing, malformed or contradictory; the text has one line for each problem."""


class Database(BaseSettings):
    """The database's address and the audit's key: all that commands on the audit need."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    # Kept out of the repr, for the password in it.
    database_url: str = Field("sqlite:///secmaster-bot.db", repr=False)
    audit_key: SecretStr | None = Field(None, min_length=16)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a folder of pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read ``NAME_FILE`` beside each secret, from the environment and from ``.env``."""
        files = SecretFiles(settings_cls, env_settings, dotenv_settings)
        return init_settings, files, env_settings, dotenv_settings


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Settings(Database):
    """Everything that differs between two installations; an empty value counts as not set."""

    slack_bot_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"
    slack_proxy: SecretStr | None = None
    slack_ca_file: Path | None = None

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
    secmaster_proxy: SecretStr | None = None
    secmaster_ca_file: Path | None = None

    iam_username: str = ""
    iam_password: SecretStr | None = None
    iam_domain: str = ""
    ecs_agency: bool = False
    ecs_metadata_endpoint: str = "http://169.254.169.254"
    secmaster_auth_token: SecretStr | None = None

    bot_host: str = "127.0.0.1"
    bot_port: int = Field(3000, ge=0, le=65535)
    bot_health_port: int | None = Field(None, ge=0, le=65535)
    bot_config: Path = Path("secmaster-bot.toml")
    retention_days: int = Field(90, ge=0, le=36_500)  # 0: for ever
    log_level: Annotated[LogLevel, BeforeValidator(_lower)] = LogLevel.INFO
    bot_replica: str = Field("main", pattern=r"^[A-Za-z0-9_-]{1,40}$")

    @property
    def socket_mode(self) -> bool:
        """Whether Slack reaches the bot through Socket Mode instead of HTTP."""
        return self.slack_app_token is not None

    @property
    def names_policy(self) -> bool:
        """Whether the policy file is named, and not the one that is looked for by default."""
        return "bot_config" in self.model_fields_set

    @cached_property
    def slack_network(self) -> Network:
        """How Slack is reached: the Web API, its files and Socket Mode. Files are read once."""
        return open_network("SLACK", text_of(self.slack_proxy), self.slack_ca_file)

    @cached_property
    def secmaster_network(self) -> Network:
        """How SecMaster and IAM are reached. Files are read once."""
        return open_network("SECMASTER", text_of(self.secmaster_proxy), self.secmaster_ca_file)

    @property
    def unused_proxy(self) -> str:
        """Say that the environment names a proxy that is not used, "" where there is none."""
        return unused_proxy(
            SECMASTER_PROXY=text_of(self.secmaster_proxy), SLACK_PROXY=text_of(self.slack_proxy)
        )

    @property
    def endpoint(self) -> str:
        """SecMaster's endpoint, without a slash at the end."""
        if self.secmaster_endpoint:
            return self.secmaster_endpoint.rstrip("/")
        return f"https://secmaster.{self.secmaster_region}.{self._domains.secmaster}"

    @property
    def console_url(self) -> str:
        """The console's front page: the address of a single task there is not documented."""
        if self.secmaster_console_url or not self.secmaster_region:
            return self.secmaster_console_url
        return f"https://{self._domains.console}/secmaster/?region={self.secmaster_region}"

    @property
    def iam(self) -> str:
        """IAM's endpoint, without a slash at the end."""
        if self.iam_endpoint:
            return self.iam_endpoint.rstrip("/")
        return f"https://iam.{self.secmaster_region}.{self._domains.iam}"

    @property
    def sign_in(self) -> SignIn:
        """The way to sign in to SecMaster that is set."""
        return next(way for way in SignIn if self._is_begun(way))

    @property
    def ending_credential(self) -> str:
        """The setting whose credential ends within a day and is not renewed; "" where none does."""
        if self.sign_in is SignIn.KEYS and self.security_token:
            return "HUAWEICLOUD_SDK_SECURITY_TOKEN"
        return "SECMASTER_AUTH_TOKEN" if self.sign_in is SignIn.TOKEN else ""

    @property
    def _domains(self) -> Domains:
        return DOMAINS.get(self.secmaster_region, Domains())

    def _is_begun(self, way: SignIn) -> bool:
        return any(getattr(self, name) for name in SIGN_IN_FIELDS[way])

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Check that nothing is missing or contradictory; raises with one line for each problem."""
        problems = [
            *self._missing_settings(),
            *self._credential_problems(),
            *self._malformed_values(),
            *self._network_problems(),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _missing_settings(self) -> list[str]:
        problems = []
        if not self.slack_bot_token:
            problems.append("SLACK_BOT_TOKEN is missing (Slack app, OAuth & Permissions: xoxb-…)")
        if not self.slack_app_token and not self.slack_signing_secret:
            problems.append(
                "SLACK_SIGNING_SECRET (HTTP mode) or SLACK_APP_TOKEN (Socket Mode) is missing"
            )
        if not _names_a_database(self.database_url):
            problems.append(NO_DATABASE)
        if not self.secmaster_region and not self.secmaster_endpoint:
            problems.append(
                "SECMASTER_REGION (such as cn-north-4) or SECMASTER_ENDPOINT is missing"
            )
        if not self.secmaster_project_id:
            problems.append("SECMASTER_PROJECT_ID is missing")
        if not self.secmaster_workspace_id:
            problems.append("SECMASTER_WORKSPACE_ID is missing")
        return problems

    def _credential_problems(self) -> list[str]:
        """Check that exactly one way to authenticate with SecMaster is set, and is complete."""
        begun = [way for way in SignIn if self._is_begun(way)]
        if len(begun) > 1:
            return [
                "Only one way to sign in to SecMaster may be set; these are begun: "
                + "; ".join(begun)
            ]
        if not begun:
            return [f"No way to sign in to SecMaster is set: give {', or '.join(SignIn)}"]
        is_whole = all(getattr(self, name) for name in SIGN_IN_FIELDS[begun[0]])
        problems = [] if is_whole else [f"{begun[0]} are needed together"]
        if self.iam_username and not (self.iam_endpoint or self.secmaster_region):
            problems.append("IAM_ENDPOINT is missing: without SECMASTER_REGION it can't be derived")
        return problems

    def _malformed_values(self) -> list[str]:
        """Check what would fail only later, in a header or an address made of it."""
        problems = []
        for name in sorted(type(self).model_fields):
            value = getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            plain = not isinstance(text, str) or (text.isascii() and text.isprintable())
            if not plain or (name in ONE_WORD and " " in str(text)):
                problems.append(f"{label(name)} has characters that can't be part of it")
        problems += [
            f"{label(name)} {problem}"
            for name in ADDRESSES
            if (problem := _address_problem(getattr(self, name), with_query=name == CONSOLE))
        ]
        problems += [
            f"{label(name)} may have letters, digits, - and _ only"
            for name in IDS
            if not re.fullmatch(r"[A-Za-z0-9_-]*", getattr(self, name))
        ]
        # Beside an endpoint it may be a private cloud's, which are called as their owners like.
        pattern = r"[A-Za-z0-9_-]*" if self.secmaster_endpoint else REGION
        if self.secmaster_region and not re.fullmatch(pattern, self.secmaster_region):
            problems.append(
                "SECMASTER_REGION is not a region, such as cn-north-4 or eu-west-101; a private "
                "cloud needs SECMASTER_ENDPOINT"
            )
        return problems

    def _network_problems(self) -> list[str]:
        """Check what proxies and files of certificates are given; files are read."""
        problems = []
        for name in ("slack_network", "secmaster_network"):
            try:
                getattr(self, name)
            except NetworkSettingError as error:
                problems.append(str(error))
        return list(dict.fromkeys(problems))  # a variable of the environment may be both's


def text_of(secret: SecretStr | None) -> str:
    """Return a secret's text, "" for none."""
    return secret.get_secret_value() if secret else ""


def _names_a_database(address: str) -> bool:
    scheme, separator, rest = address.partition(":///")
    if scheme == "sqlite" and separator:
        return rest.partition("?")[0] not in ("", ":memory:")
    parts = _split_address(address)
    return parts is not None and parts.scheme == "postgresql"


def _address_problem(address: str, *, with_query: bool) -> str:
    """Return what is wrong with an address that may be empty, "" for nothing; never its text."""
    parts = _split_address(address)
    if not address:
        return ""
    if parts is None or parts.scheme not in ("http", "https") or not _is_host(parts):
        return "is not a valid URL: https://host…"
    if "@" in parts.netloc:
        return "has a name or a password in it: give https://host… without them"
    if not with_query and (parts.query or parts.fragment):
        return "has more than host and path in it: give https://host…"
    return ""


def _split_address(address: str) -> SplitResult | None:
    """Return an address's parts; None if it can't be parsed."""
    try:
        parts = urlsplit(address)
        usable = parts.port != 0  # an odd port raises only here
    except ValueError:
        return None
    return parts if usable else None


def _is_host(parts: SplitResult) -> bool:
    """Return whether an address's host can be asked for: a name, or an IP address."""
    host = parts.hostname or ""
    return bool(HOST.fullmatch(host)) or ":" in host  # urlsplit has checked what is in brackets


def label(name: str) -> str:
    """Return a setting's name as an operator writes it."""
    return setting_names(name, Settings.model_fields[name])[0]


def load(env_file: Path | None = Path(".env")) -> Settings:
    """Read the settings; raises SettingsError with every problem at once."""
    try:
        return Settings(_env_file=env_file)
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file} is not UTF-8 text") from None
    except ValidationError as error:
        problems = _problems(error)
        malformed = {
            str(detail["loc"][0]): detail["input"] for detail in error.errors() if detail["loc"]
        }
    if malformed:
        # Once more with something well-formed in the place of the malformed fields: pydantic
        # reports what is missing only when each field is well-formed.
        try:
            Settings(_env_file=env_file, **_well_formed(malformed))
        except ValidationError as error:
            problems += _problems(error)
    raise SettingsError("\n".join(problems))


def _well_formed(malformed: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for these fields, by what pydantic calls them, that add no second problem.

    They are the defaults, but for what would then be called missing: a secret whose file can't be
    read, and a way to sign in.
    """
    values = {}
    for name, field in Settings.model_fields.items():
        key = label(name) if field.validation_alias else name
        if key in malformed:
            is_file = isinstance(malformed[key], Unusable) and field.default is None
            values[key] = STAND_IN if is_file else name == AGENCY or field.default
    return values


def load_database(address: str = "", env_file: Path | None = Path(".env")) -> Database:
    """Read what commands on the audit need; ``address`` is that of another database.

    Raises SettingsError.
    """
    overrides: dict[str, Any] = {"database_url": address} if address else {}
    try:
        settings = Database(_env_file=env_file, **overrides)
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file} is not UTF-8 text") from None
    except ValidationError as error:
        raise SettingsError("\n".join(_problems(error))) from None
    if not _names_a_database(settings.database_url):
        raise SettingsError(NO_DATABASE)
    return settings


def _problems(error: ValidationError) -> list[str]:
    """Return one line for each problem: its setting and the rule, for the value may be a secret."""
    lines = []
    for detail in error.errors():
        location = detail["loc"]
        if isinstance(detail["input"], Unusable):
            lines.append(detail["input"].problem)
        else:
            setting = f"{str(location[0]).upper()}: " if location else ""
            lines.append(f"{setting}{sentence(detail).removesuffix(IN_TOML)}")
    return lines
