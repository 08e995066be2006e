"""Who may do what, and what the commands are called: ``secmaster-bot.toml``.

A file because people review it in pull requests. A key that the code does not honour is refused
when the file is read: a rule somebody believes in must never be silently ignored.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.actions import BY_NAME
from bot.secmaster import BusinessType

NOT_YET = {
    "routes": "cards are not posted by themselves yet",
    "approvals": "more than one approval is not supported yet",
    "self": "refusing the creator is not supported yet",
    "confirm": "typed confirmation is not supported yet",
    "break_glass": "passing a second approver is not supported yet",
}


class ConfigError(Exception):
    """The file is wrong: one line for each problem."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as wrong:
        raise ValueError(f"{text!r} is not a pattern: {wrong}") from None
    return text


def _known_action(text: str) -> str:
    nouns = {"*", *(f"{action.noun}.*" for action in BY_NAME.values())}
    if text not in BY_NAME and text not in nouns:
        raise ValueError(
            f"{text!r} is no action; there are {', '.join(sorted({*BY_NAME, *nouns}))}"
        )
    return text


def _slash(text: str) -> str:
    if text and not re.fullmatch(r"/[a-z0-9_-]{1,31}", text):
        raise ValueError(f"{text!r} is no slash command: a slash, then 1 to 31 of a-z 0-9 - _")
    return text


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("an empty list covers nothing")
    return names


Pattern = Annotated[str, AfterValidator(_pattern)]
ActionName = Annotated[str, AfterValidator(_known_action)]
Slash = Annotated[str, AfterValidator(_slash)]


ReasonRule = Literal["required", "optional", "none"]


class Role(Section):
    users: tuple[str, ...] = ()
    usergroups: tuple[str, ...] = ()


class When(Section):
    """What a rule is limited to; every key given must match, patterns from the start."""

    business_type: tuple[BusinessType, ...] = Field((), min_length=1)
    name: Pattern = Field("", min_length=1)
    related_object: Pattern = Field("", min_length=1)

    def __bool__(self) -> bool:
        return bool(self.business_type or self.name or self.related_object)


class Rule(Section):
    """One rule: who may take these actions, on what, and whether they must say why."""

    actions: Annotated[tuple[ActionName, ...], AfterValidator(_some)]
    roles: Annotated[tuple[str, ...], AfterValidator(_some)]
    when: When = When()
    reason: ReasonRule = "optional"


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


class Watch(Section):
    """How often cards are held against SecMaster, in seconds; 0 is never."""

    every: float = Field(15, ge=0, le=3600, strict=True, allow_inf_nan=False)


class Config(Section):
    roles: dict[str, Role] = {}
    rules: tuple[Rule, ...] = ()
    commands: Commands = Commands()
    watch: Watch = Watch()


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
    """Roles that rules name and nothing defines; from the raw file, so that nothing hides them."""
    roles, rules = given.get("roles", {}), given.get("rules", [])
    if not (isinstance(roles, dict) and isinstance(rules, list)):
        return []
    return [
        f"rules.{number}.roles: {role!r} is not defined under [roles]"
        for number, rule in enumerate(rules, 1)
        if isinstance(rule, dict)
        for role in rule.get("roles", [])
        if isinstance(role, str) and role not in roles
    ]


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
    why = NOT_YET.get(str(where[-1]), message) if where else message
    return f"{place}: {why}".removeprefix(": ").replace("Value error, ", "")
