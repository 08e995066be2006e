"""Read the file of cases: people and objects, questions about them, and the expected answers.

A key that changes no answer is refused, as in the policy itself.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, assert_never

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.domain.actions import BY_NAME, Action
from bot.domain.evidence import Subject
from bot.domain.objects import OBJECT_KINDS, ByKind, ObjectKind
from bot.domain.reasons import RefusalReason
from bot.policy.config import Config, parse_toml
from bot.policy.decide import Allowed, Decision, Refused, needs_snapshot
from bot.policy.evidence import AssetLevel
from bot.policy.ids import UsergroupId, UserId
from bot.policy.problems import NO_SUCH_FILE, problems_of, unreadable
from bot.policy.rules import READS, Approvals, Read, Section, written
from bot.secmaster import Evidence, Finding, Instance, PlaybookInstance, Task
from bot.secmaster.values import moment

# The refusals that a case can expect: there is no Slack or SecMaster here that could fail.
Reason = Literal[
    RefusalReason.GUEST,
    RefusalReason.OUTSIDER,
    RefusalReason.RULE,
    RefusalReason.SELF,
    RefusalReason.BREAK_GLASS,
    RefusalReason.NO_BREAK_GLASS,
    RefusalReason.NO_RULE,
    RefusalReason.DENIED,
    RefusalReason.DENIED_UNREAD,
    RefusalReason.UNMAPPED,
    RefusalReason.UNSTATED,
    RefusalReason.EVIDENCE_UNREAD,
    RefusalReason.LOOKALIKE,
]
ONE = ByKind(task="a task", instance="an instance", playbook="a playbook instance")
ROWS: dict[str, Action | Read] = {**BY_NAME, **{read.name: read for read in READS}}


class CasesError(Exception):
    """The cases or the question are wrong; the text has one line for each problem."""


def _parse_time(value: object) -> datetime:
    time = moment(value) if isinstance(value, str | datetime) else None
    if time is None:
        raise ValueError(f"{value!s} is no time: write it as 2026-11-21T12:00:00Z")
    return time


def _check_action(name: str) -> str:
    if name not in ROWS:
        raise ValueError(f"{name!r} is no action; there are {', '.join(ROWS)}")
    return name


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Time = Annotated[datetime, BeforeValidator(_parse_time)]
YesNo = Annotated[bool, Field(strict=True)]
Id = Annotated[str, Field(min_length=1)]
Ids = tuple[Id, ...]


class Person(Section):
    """What Slack says of a person, and whose rights were delegated to them."""

    email: str = ""
    guest: YesNo = False
    outsider: YesNo = False
    borrows: tuple[UserId, ...] = ()


class AssetFacts(Section):
    """The facts about an asset of an alert or incident that the policy reads."""

    name: str = ""
    type: str = ""
    level: AssetLevel | None = None
    ep_name: str = ""


class EvidenceFacts(Section):
    """The facts around a task or an instance that the policy reads; ``unread`` is what can't be.

    Without an ``evidence`` table nothing of it was read.
    """

    severity: str = ""
    verification_state: str = ""
    simulation: bool | None = Field(None, strict=True)
    product_name: str = ""
    company_name: str = ""
    category: str = ""
    type: str = ""
    assets: tuple[AssetFacts, ...] = ()
    aop_type: str = ""
    unread: tuple[Subject, ...] = ()

    def read(self) -> Evidence:
        """Return the evidence that has these facts."""
        about_finding = self.model_dump(exclude={"aop_type", "unread"}, exclude_defaults=True)
        ids = [str(number) for number in range(1, len(self.assets) + 1)]
        levels = list(AssetLevel)
        finding = Finding(
            severity=self.severity,
            verification_state=self.verification_state,
            simulation="" if self.simulation is None else str(self.simulation).lower(),
            data_source={"product_name": self.product_name, "company_name": self.company_name},
            category={"category": self.category, "type": self.type},
            resources=[
                {"id": id_, **asset.model_dump(exclude={"level"})}
                for id_, asset in zip(ids, self.assets, strict=True)
            ],
        )
        return Evidence(
            finding=finding if about_finding else None,
            other_resources=[
                {"id": id_, "level": str(levels.index(asset.level))}
                for id_, asset in zip(ids, self.assets, strict=True)
                if asset.level
            ],
            workflow={"aop_type": self.aop_type} if self.aop_type else None,
            unread=[{"subject": subject} for subject in self.unread],
        )


class TaskFacts(Section):
    """The facts about a task that the policy reads, by SecMaster's names."""

    name: str = ""
    business_type: str = ""
    related_object: str = ""
    creator_id: str = ""
    creator_name: str = ""
    due_date: Time | None = None
    evidence: EvidenceFacts | None = None

    def read(self) -> Task:
        """Return the task that has these facts."""
        evidence = self.evidence.read() if self.evidence else None
        return Task(**self.model_dump(exclude={"evidence"}), evidence=evidence)


class WorkflowFacts(Section):
    """The facts about an instance's workflow that the policy reads."""

    name: str = ""


class InstanceFacts(Section):
    """The facts about an instance that the policy reads, by SecMaster's names."""

    name: str = ""
    workflow: WorkflowFacts = WorkflowFacts()
    evidence: EvidenceFacts | None = None

    def read(self) -> Instance:
        """Return the instance that has these facts."""
        evidence = self.evidence.read() if self.evidence else None
        return Instance(**self.model_dump(exclude={"evidence"}), evidence=evidence)


class PlaybookFacts(Section):
    """The facts about a playbook instance's playbook that the policy reads."""

    name: str = ""


class PlaybookInstanceFacts(Section):
    """The facts about a playbook instance that the policy reads, by SecMaster's names."""

    name: str = ""
    playbook: PlaybookFacts = PlaybookFacts()
    evidence: EvidenceFacts | None = None

    def read(self) -> PlaybookInstance:
        """Return the playbook instance that has these facts."""
        evidence = self.evidence.read() if self.evidence else None
        return PlaybookInstance(**self.model_dump(exclude={"evidence"}), evidence=evidence)


@dataclass(frozen=True, slots=True)
class CaseScope:
    """What a question is checked against: the policy, and the names of each kind's objects."""

    policy: Config
    names: ByKind[frozenset[str]]


def _scope(info: ValidationInfo) -> CaseScope:
    """Return what a question is checked against: the context of its validation."""
    if not isinstance(info.context, CaseScope):
        raise TypeError("a question is read with what it may speak of")
    return info.context


class Question(Section):
    """May this person take this action? ``workspace`` may list all names of one workspace."""

    user: UserId
    action: Annotated[str, AfterValidator(_check_action)]
    task: str = ""
    instance: str = ""
    playbook: str = ""
    workspace: Annotated[Ids, BeforeValidator(_as_list), Field(min_length=1)] = ("main",)
    break_glass: YesNo = False

    @property
    def row(self) -> Action | Read:
        """The action that is asked about."""
        return ROWS[self.action]

    @property
    def about(self) -> str:
        """The name of the object that it is taken on; "" for none."""
        return self.task or self.instance or self.playbook

    @property
    def objects(self) -> ByKind[str]:
        """The name of the object of each kind that it names; "" for none."""
        return ByKind(task=self.task, instance=self.instance, playbook=self.playbook)

    @field_validator("task", "instance", "playbook")
    @classmethod
    def is_in_the_file(cls, name: str, info: ValidationInfo) -> str:
        """Check that the file defines an object of this name and kind; raises ValueError."""
        [kind] = [kind for kind in OBJECT_KINDS if kind == info.field_name]
        names = _scope(info).names[kind]
        if name not in names:
            hint = f"there are {', '.join(sorted(names))}" if names else "there are none"
            raise ValueError(f"{name!r} is not defined under [{kind}s]; {hint}")
        return name

    @model_validator(mode="after")
    def is_about_what_it_is_done_on(self, info: ValidationInfo) -> Self:
        """Check that it names an object of the right kind if it needs one; raises ValueError."""
        kind: ObjectKind = self.row.kind
        for other, name in self.objects.items():
            if name and other != kind:
                problem = f"{self.action} is done on {ONE[kind]}, and this names {ONE[other]}"
                raise ValueError(problem)
        if not self.about and needs_snapshot(_scope(info).policy.rules, self.row):
            raise ValueError(f"a rule asks what {self.action} is done on: name the {kind}")
        return self

    def __str__(self) -> str:
        workspace = "" if self.workspace == ("main",) else f"in {self.workspace[0]}"
        emergency = "by emergency override" if self.break_glass else ""
        return " ".join(filter(None, (self.user, self.action, self.about, workspace, emergency)))


class Case(Question):
    """A question, and the answer that is expected."""

    expect: Literal["allowed", "refused"]
    rule: str = ""
    why: Reason | None = None
    approvals: Approvals | None = None

    @model_validator(mode="after")
    def expects_what_can_be(self) -> Self:
        """Check that one answer can be all that is expected; raises ValueError."""
        if self.why and self.expect == "allowed":
            raise ValueError("why: only a refusal has one")
        if self.approvals and self.expect == "refused":
            raise ValueError("approvals: a refusal asks for none")
        return self

    @property
    def expected(self) -> str:
        """The expected answer in words."""
        parts = [self.expect, f"({self.why})" if self.why else ""]
        parts += [f"by {self.rule}" if self.rule else ""]
        parts += [f"with approvals = {written(self.approvals)}" if self.approvals else ""]
        return " ".join(filter(None, parts))

    def is_met(self, answer: Decision) -> bool:
        """Whether a decision is the expected answer."""
        if self.rule and not _has_name(answer.rule, self.rule):
            return False
        match answer:
            case Allowed():
                return self.expect == "allowed" and self._asks_for(answer)
            case Refused():
                return self.expect == "refused" and self.why in (None, answer.reason)
            case _:
                assert_never(answer)

    def _asks_for(self, answer: Allowed) -> bool:
        """Whether a decision asks for the approvals that are expected: this number, or stages."""
        match self.approvals:
            case None:
                return True
            case int(needed):
                return answer.approvals == needed
            case entries:
                return answer.stages == tuple(entry.stage for entry in entries)


def _has_name(title: str, text: str) -> bool:
    """Whether a rule's title is meant by this text: its number, its own name, or both."""
    number, _, name = title.partition(" (")
    if re.fullmatch(r"rule \d+", text):
        return text == number
    return text in (title, name.removesuffix(")"))


class Cases(Section):
    """The file: the time, the people and objects of SecMaster and Slack, and the cases."""

    now: Time = Field(default_factory=lambda: datetime.now(UTC))
    usergroups: dict[UsergroupId, tuple[UserId, ...]] = Field({})
    people: dict[UserId, Person] = Field({})
    tasks: dict[str, TaskFacts] = Field({})
    instances: dict[str, InstanceFacts] = Field({})
    playbooks: dict[str, PlaybookInstanceFacts] = Field({})
    cases: tuple[Case, ...] = ()


def load(path: Path, policy: Config) -> Cases:
    """Read the file of cases; raises CasesError with everything that is wrong with it."""
    try:
        table = parse_toml(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise CasesError(f"{path}: {NO_SUCH_FILE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CasesError(f"{path}: {unreadable(error)}") from None
    except ValueError as error:
        raise CasesError(f"{path}: not TOML: {error}") from None
    if not table.keys().isdisjoint({"rules", "roles"}):
        raise CasesError(
            f"{path}: is a policy, and here cases are meant: give it with --config, and as CASES "
            "a file whose [[cases]] say what it must answer"
        )
    names = ByKind(
        task=_keys(table, "tasks"),
        instance=_keys(table, "instances"),
        playbook=_keys(table, "playbooks"),
    )
    scope = CaseScope(policy, names)
    try:
        return Cases.model_validate(table, context=scope)
    except ValidationError as error:
        lines = (f"{path}: {problem.line}" for problem in problems_of(error, table, Cases))
        raise CasesError("\n".join(lines)) from None


def _keys(table: dict[str, Any], name: str) -> frozenset[str]:
    section = table.get(name)
    return frozenset(section) if isinstance(section, dict) else frozenset()


def parse_question(fields: dict[str, Any], cases: Cases, policy: Config) -> Question:
    """Read one question about what the cases describe; raises CasesError."""
    names = ByKind(
        task=frozenset(cases.tasks),
        instance=frozenset(cases.instances),
        playbook=frozenset(cases.playbooks),
    )
    scope = CaseScope(policy, names)
    try:
        return Question.model_validate(fields, context=scope)
    except ValidationError as error:
        lines = (problem.line for problem in problems_of(error, {}, Question))
        raise CasesError("\n".join(lines)) from None
