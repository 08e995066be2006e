"""The file of cases: what Slack and SecMaster would say, what is asked, and what must be answered.

A key that changes no answer is refused, as in the policy itself.
"""

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from bot.domain.actions import BY_NAME, Action
from bot.domain.reasons import RefusalReason
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, needs_snapshot
from bot.policy.rules import Section
from bot.secmaster import Instance, Task
from bot.secmaster.values import moment

# What the file can make the policy answer: it has no Slack or SecMaster that fails.
Reason = Literal[
    RefusalReason.GUEST,
    RefusalReason.OUTSIDER,
    RefusalReason.RULE,
    RefusalReason.SELF,
    RefusalReason.BREAK_GLASS,
    RefusalReason.NO_BREAK_GLASS,
    RefusalReason.NO_RULE,
    RefusalReason.UNMAPPED,
    RefusalReason.UNSTATED,
]
ONE = {"task": "a task", "instance": "an instance"}
PLAIN = {"extra_forbidden": "nothing reads this key", "missing": "is missing"}


class CasesError(Exception):
    """The cases or the question are wrong: one line for each problem."""


def _time(value: object) -> datetime:
    found = moment(value) if isinstance(value, str | datetime) else None
    if found is None:
        raise ValueError(f"{value!s} is no time: write it as 2026-11-21T12:00:00Z")
    return found


def _known(name: str) -> str:
    if name not in BY_NAME:
        raise ValueError(f"{name!r} is no action; there are {', '.join(BY_NAME)}")
    return name


def _several(given: object) -> object:
    return [given] if isinstance(given, str) else given


Time = Annotated[datetime, BeforeValidator(_time)]
YesNo = Annotated[bool, Field(strict=True)]
Id = Annotated[str, Field(min_length=1)]
Ids = tuple[Id, ...]


class Person(Section):
    """What Slack says of somebody, and whose rights they have been lent."""

    email: str = ""
    guest: YesNo = False
    outsider: YesNo = False
    borrows: Ids = ()


class TaskFacts(Section):
    """What the policy reads of a task, by SecMaster's names."""

    name: str = ""
    business_type: str = ""
    related_object: str = ""
    creator_id: str = ""
    creator_name: str = ""
    due_date: Time | None = None

    def read(self) -> Task:
        return Task.model_validate(self.model_dump())


class WorkflowFacts(Section):
    name: str = ""


class InstanceFacts(Section):
    """What the policy reads of an instance, by SecMaster's names."""

    name: str = ""
    workflow: WorkflowFacts = WorkflowFacts()

    def read(self) -> Instance:
        return Instance.model_validate(self.model_dump())


@dataclass(frozen=True, slots=True)
class CaseScope:
    """What a question may speak of: the objects of the file, and what the rules ask about."""

    policy: Config
    task: frozenset[str] = frozenset()
    instance: frozenset[str] = frozenset()


def _known_here(info: ValidationInfo) -> CaseScope:
    if not isinstance(info.context, CaseScope):
        raise TypeError("a question is read with what it may speak of")
    return info.context


class Question(Section):
    """May this person do this? ``workspace`` may list all the names that one goes by."""

    user: Id
    action: Annotated[str, AfterValidator(_known)]
    task: str = ""
    instance: str = ""
    workspace: Annotated[Ids, BeforeValidator(_several), Field(min_length=1)] = ("main",)
    break_glass: YesNo = False

    @property
    def row(self) -> Action:
        return BY_NAME[self.action]

    @property
    def about(self) -> str:
        return self.task or self.instance

    @field_validator("task", "instance")
    @classmethod
    def is_in_the_file(cls, name: str, info: ValidationInfo) -> str:
        noun = info.field_name or ""
        names = getattr(_known_here(info), noun)
        if name not in names:
            there = f"there are {', '.join(sorted(names))}" if names else "there are none"
            raise ValueError(f"{name!r} is not defined under [{noun}s]; {there}")
        return name

    @model_validator(mode="after")
    def is_about_what_it_is_done_on(self, info: ValidationInfo) -> Self:
        noun, other = ("task", "instance") if self.row.kind == "task" else ("instance", "task")
        if getattr(self, other):
            raise ValueError(f"{self.action} is done on {ONE[noun]}, and this names {ONE[other]}")
        if not self.about and needs_snapshot(_known_here(info).policy.rules, self.row):
            raise ValueError(f"a rule asks what {self.action} is done on: name the {noun}")
        return self

    def __str__(self) -> str:
        glass = "breaking the glass" if self.break_glass else ""
        place = "" if self.workspace == ("main",) else f"in {self.workspace[0]}"
        return " ".join(filter(None, (self.user, self.action, self.about, place, glass)))


class Case(Question):
    """A question, and what must be answered."""

    expect: Literal["allowed", "refused"]
    rule: str = ""
    why: Reason | None = None
    approvals: int | None = Field(None, ge=1, strict=True)

    @model_validator(mode="after")
    def expects_what_can_be(self) -> Self:
        if self.why and self.expect == "allowed":
            raise ValueError("why: only a refusal has one")
        if self.approvals and self.expect == "refused":
            raise ValueError("approvals: a refusal asks for none")
        return self

    @property
    def expected(self) -> str:
        parts = [self.expect, f"({self.why})" if self.why else ""]
        parts += [f"by {self.rule}" if self.rule else ""]
        parts += [f"with approvals = {self.approvals}" if self.approvals else ""]
        return " ".join(filter(None, parts))

    def is_met(self, answer: Decision) -> bool:
        if self.rule and not _is_called(answer.rule, self.rule):
            return False
        if isinstance(answer, Allowed):
            return self.expect == "allowed" and self.approvals in (None, answer.approvals)
        return self.expect == "refused" and self.why in (None, answer.reason)


def _is_called(title: str, wanted: str) -> bool:
    """Whether a rule goes by this name: its number, its own name, or both."""
    number, _, name = title.partition(" (")
    if re.fullmatch(r"rule \d+", wanted):
        return wanted == number
    return wanted in (title, name.removesuffix(")"))


class Cases(Section):
    """The file: what Slack and SecMaster would say, and what is asked."""

    now: Time = Field(default_factory=lambda: datetime.now(UTC))
    usergroups: dict[str, Ids] = Field({})
    people: dict[str, Person] = Field({})
    tasks: dict[str, TaskFacts] = Field({})
    instances: dict[str, InstanceFacts] = Field({})
    cases: tuple[Case, ...] = ()


def load(path: Path, policy: Config) -> Cases:
    """Read the file; raises CasesError with everything that is wrong with it."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as wrong:
        raise CasesError(f"{path}: not TOML: {wrong}") from None
    except FileNotFoundError:
        raise CasesError(f"{path}: not there") from None
    except (OSError, UnicodeDecodeError) as wrong:
        raise CasesError(f"{path}: can't be read: {wrong}") from None
    if not given.keys().isdisjoint({"rules", "roles"}):
        raise CasesError(
            f"{path}: is a policy, and here cases are meant: give it with --config, and as CASES "
            "a file whose [[cases]] say what it must answer"
        )
    objects = CaseScope(policy, _keys(given, "tasks"), _keys(given, "instances"))
    try:
        return Cases.model_validate(given, context=objects)
    except ValidationError as wrong:
        lines = (f"{path}: {_line(error)}" for error in wrong.errors())
        raise CasesError("\n".join(lines)) from None


def _keys(given: dict[str, Any], table: str) -> frozenset[str]:
    found = given.get(table)
    return frozenset(found) if isinstance(found, dict) else frozenset()


def parse_question(given: dict[str, Any], cases: Cases, policy: Config) -> Question:
    """Read one question about what the file describes; raises CasesError."""
    objects = CaseScope(policy, frozenset(cases.tasks), frozenset(cases.instances))
    try:
        return Question.model_validate(given, context=objects)
    except ValidationError as wrong:
        raise CasesError("\n".join(map(_line, wrong.errors()))) from None


def _line(error: ErrorDetails) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    why = PLAIN.get(error["type"], error["msg"]).removeprefix("Value error, ")
    return f"{place}: {why}".removeprefix(": ")
