"""Who may do what, and what the commands are called: ``secmaster-bot.toml``.

A file because people review it in pull requests. A key that the code does not honour is refused
when the file is read: a rule somebody believes in must never be silently ignored.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.actions import BY_NAME

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


Pattern = Annotated[str, AfterValidator(_pattern)]
ActionName = Annotated[str, AfterValidator(_known_action)]
Slash = Annotated[str, AfterValidator(_slash)]


ReasonRule = Literal["required", "optional", "none"]


class Role(Section):
    users: tuple[str, ...] = ()
    usergroups: tuple[str, ...] = ()


class When(Section):
    """What a rule is limited to; every key given must match, patterns from the start."""

    business_type: tuple[str, ...] = ()
    name: Pattern = ""
    related_object: Pattern = ""

    def __bool__(self) -> bool:
        return bool(self.business_type or self.name or self.related_object)


class Rule(Section):
    """One rule: who may take these actions, on what, and whether they must say why."""

    actions: tuple[ActionName, ...] = Field(min_length=1)
    roles: tuple[str, ...] = Field(min_length=1)
    when: When = When()
    reason: ReasonRule = "optional"


class Commands(Section):
    """The slash commands' names; an empty one is left out."""

    root: Slash = "/secmaster"
    task: Slash = "/task"
    instance: Slash = "/instance"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.root, self.task, self.instance) if name)

    def prefix(self, command: str) -> str:
        """The words a short command stands for: ``/task`` is ``task``, the root is nothing."""
        return {self.task: "task", self.instance: "instance"}.get(command, "")


class Config(Section):
    roles: dict[str, Role] = {}
    rules: tuple[Rule, ...] = ()
    commands: Commands = Commands()

    @model_validator(mode="after")
    def roles_exist(self) -> "Config":
        for number, rule in enumerate(self.rules, 1):
            if missing := [role for role in rule.roles if role not in self.roles]:
                raise ValueError(f"rule {number} names roles that are not defined: {missing}")
        return self


def parse(text: str, source: str = "secmaster-bot.toml") -> Config:
    """Read the file's text; raises ConfigError with everything that is wrong with it."""
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError(f"{source}: not TOML: {wrong}") from None
    except ValidationError as wrong:
        lines = [_line(tuple(error["loc"]), error["msg"]) for error in wrong.errors()]
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None


def load(path: Path) -> Config:
    """Read the file; a file that is not there leaves nobody any right."""
    return parse(path.read_text(encoding="utf-8"), str(path)) if path.exists() else Config()


def _line(where: tuple[int | str, ...], message: str) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
    why = NOT_YET.get(str(where[-1]), message) if where else message
    return f"{place}: {why}" if place else why.removeprefix("Value error, ")
