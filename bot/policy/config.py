"""Who may do what, where cards are brought to, and what the commands are called.

The policy file ``secmaster-bot.toml``: a file because people review it in pull requests. A key
that the code does not honour is refused when the file is read: a rule somebody believes in must
never be silently ignored.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)

from bot.domain.objects import visible
from bot.policy.routes import (
    Brake,
    ChannelId,
    DigestSchedule,
    Route,
    UsergroupId,
    UserId,
    check_consistency,
)
from bot.policy.rules import Duration, Role, Rule, Section


class ConfigError(Exception):
    """The file is wrong: one line for each problem."""


def _slash(text: str) -> str:
    if text and not re.fullmatch(r"/[a-z0-9_-]{1,31}", text):
        raise ValueError(f"{text!r} is no slash command: a slash, then 1 to 31 of a-z 0-9 - _")
    return text


def _domain(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", text):
        raise ValueError(f"{text!r} is no domain in small letters, such as example.com")
    return text


def _person_name(text: str) -> str:
    if not text or visible(text) != text:
        raise ValueError(f"{text!r} is no name: it is empty, or has what no eye sees")
    return text


Slash = Annotated[str, AfterValidator(_slash)]
Domain = Annotated[str, AfterValidator(_domain)]
PersonName = Annotated[str, AfterValidator(_person_name)]


class Commands(Section):
    """The slash commands' names; an empty one is left out."""

    root: Slash = "/secmaster"
    task: Slash = "/task"
    instance: Slash = "/instance"

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        if len(self.names) > len(set(self.names)):
            raise ValueError("two commands have the same name")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.root, self.task, self.instance) if name)

    def prefix(self, command: str) -> str:
        """The words a short command stands for: ``/task`` is ``task``, the root is nothing."""
        return {self.task: "task", self.instance: "instance"}.get(command, "")


class WatchConfig(Section):
    """How SecMaster is watched: ``every`` so many seconds; 0 is never.

    At the very first start what is older than ``fresh`` is summed up, and failures of one
    workflow within ``gather`` share a card. Cards of a closed channel go to ``fallback``.
    ``admins`` are told what keeps the bot from its work; ``oncall`` are the user groups whose
    members are on call, a ``shift`` at a time.
    """

    every: float = Field(15, ge=0, le=3600, strict=True, allow_inf_nan=False)
    fresh: Duration = timedelta(hours=1)
    gather: Duration = timedelta(hours=1)
    fallback: ChannelId = ""
    admins: tuple[UserId, ...] = ()
    oncall: tuple[UsergroupId, ...] = ()
    shift: Duration = timedelta(hours=12)


class Identities(Section):
    """Who people of Slack are in SecMaster: by their Slack id, or by their e-mail's domain.

    With ``email_domain = "example.com"``, alice@example.com is the IAM user of that name or of
    the name alice.
    """

    users: dict[str, PersonName] = Field({})
    email_domain: Domain | None = None

    @model_validator(mode="after")
    def nobody_is_two(self) -> Self:
        counted = Counter(name.casefold() for name in self.users.values())
        if twice := [name for name, times in counted.items() if times > 1]:
            raise ValueError(f"several people are {', '.join(twice)}; each is one person")
        return self

    def __bool__(self) -> bool:
        return bool(self.users or self.email_domain)


class Rights(Section):
    """The roles that may use what is not about a task or an instance; none, nobody."""

    audit: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    delegate: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()


class BreakGlass(Section):
    """The channel that is told whenever somebody decided alone what asks for several."""

    channel: str = ""


class Delegation(Section):
    """For how long rights may be lent at most."""

    longest: Duration = timedelta(hours=24)


class Attribution(Section):
    """Which decisions leave a comment in SecMaster that names who decided."""

    comment: Literal["always", "reason", "never"] = "always"


class Config(Section):
    roles: dict[str, Role] = Field({})
    rules: tuple[Rule, ...] = ()
    routes: Annotated[tuple[Route, ...], AfterValidator(check_consistency)] = ()
    digests: tuple[DigestSchedule, ...] = ()
    brake: Brake | None = None
    rights: Rights = Rights()
    identities: Identities = Identities()
    break_glass: BreakGlass = BreakGlass()
    delegation: Delegation = Delegation()
    attribution: Attribution = Attribution()
    commands: Commands = Commands()
    watch: WatchConfig = WatchConfig()

    @model_validator(mode="after")
    def has_what_it_needs(self) -> Self:
        wrong = []
        if not self.identities and any(not rule.creator_allowed for rule in self.rules):
            wrong.append("self = false needs [identities], to know who is who in SecMaster")
        if not self.break_glass.channel and any(rule.break_glass for rule in self.rules):
            wrong.append("break_glass needs a channel to be told: [break_glass] channel")
        if not self.watch.every and (self.routes or self.digests):
            wrong.append("routes and digests need [watch] every above 0: else nothing watches")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def fingerprint(self) -> str:
        """Names this policy in records: another digest is another policy."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:12]


class PolicyHolder:
    """The policy that stands now. A file that can't be used leaves the one before in force."""

    def __init__(self, config: Config, path: Path) -> None:
        self.current = config
        self._path = path

    def reload(self) -> Config:
        """Read the file again and return what stood before; raises ConfigError."""
        before = self.current
        if not self._path.exists():
            raise ConfigError(f"{self._path}: not there")
        self.current = load(self._path)
        return before


def parse(text: str, source: str = "secmaster-bot.toml") -> Config:
    """Read the file's text; raises ConfigError with everything that is wrong with it."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError(f"{source}: not TOML: {wrong}") from None
    problems = _undefined_roles(given)
    try:
        config = Config.model_validate(given)
    except ValidationError as wrong:
        problems += [_line(tuple(error["loc"]), error["msg"]) for error in wrong.errors()]
    if problems:
        raise ConfigError("\n".join(f"{source}: {line}" for line in problems))
    return config


def _undefined_roles(given: dict[str, Any]) -> list[str]:
    """Roles that are named and nothing defines; from the raw file, so that nothing hides them."""
    defined = given.get("roles", {})
    if not isinstance(defined, dict):
        return []
    return [
        f"{place}: {role!r} is not defined under [roles]"
        for place, roles in _named_roles(given)
        if isinstance(roles, list)
        for role in roles
        if isinstance(role, str) and role not in defined
    ]


def _named_roles(given: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    rules, rights = given.get("rules", []), given.get("rights", {})
    for number, rule in enumerate(rules if isinstance(rules, list) else [], 1):
        for key in ("roles", "break_glass"):
            if isinstance(rule, dict):
                yield f"rules.{number}.{key}", rule.get(key)
    for right, roles in rights.items() if isinstance(rights, dict) else ():
        yield f"rights.{right}", roles


def load(path: Path) -> Config:
    """Read the file; a file that is not there leaves nobody any right."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigError(f"{path}: can't be read: {wrong}") from None
    return parse(text, str(path))


def _line(where: tuple[int | str, ...], message: str) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
    return f"{place}: {message}".removeprefix(": ").replace("Value error, ", "")
