"""One rule of the policy, and what its keys may say. Knows no file and no person.

Rules and routes are limited in the same words, and so both are matched here.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.objects import visible
from bot.domain.snapshots import Snapshot
from bot.secmaster import BusinessType, Task

ReasonRule = Literal["required", "optional", "none"]
ConfirmRule = Literal["", "type-name"]

T = TypeVar("T")

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_DURATION = timedelta(days=30)

# What only the object can answer, in the order in which it is asked.
OBJECT_KEYS = ("business_type", "name", "related_object", "workflow", "playbook")


class Section(BaseModel):
    """A table of the file. A key that nothing honours is refused, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as wrong:
        raise ValueError(f"{text!r} is not a pattern: {wrong}") from None
    return text


def _known_action(text: str) -> str:
    nouns = {"*", *(f"{action.kind}.*" for action in TABLE)}
    if text not in BY_NAME and text not in nouns:
        raise ValueError(
            f"{text!r} is no action; there are {', '.join(sorted({*BY_NAME, *nouns}))}"
        )
    return text


def non_empty(given: tuple[T, ...]) -> tuple[T, ...]:
    """Return them; raises ValueError where there are none."""
    if not given:
        raise ValueError("an empty list covers nothing")
    return given


def parse_duration(text: object) -> timedelta:
    """Read a length of time such as "90s", "30m", "4h" or "2d"; raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,6}) ?([smhd])", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is no length of time: write a number with s, m, h or d")
    span = timedelta(**{UNITS[found[2]]: int(found[1])})
    if span > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than {MAX_DURATION.days} days")
    return span


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ActionName = Annotated[str, AfterValidator(_known_action)]
RuleName = Annotated[str, StringConstraints(pattern=r"^[\w .:/-]{0,40}$")]
Names = Annotated[tuple[str, ...], AfterValidator(non_empty)]


class Role(Section):
    users: tuple[str, ...] = ()
    usergroups: tuple[str, ...] = ()


class Conditions(Section):
    """What something must be like; every key given must match, patterns from the start."""

    business_type: Annotated[tuple[BusinessType, ...], AfterValidator(non_empty)] = ()
    name: Pattern = Field("", min_length=1)
    related_object: Pattern = Field("", min_length=1)
    workspace: Names = ()

    @property
    def object_keys(self) -> tuple[str, ...]:
        """The keys given that only the object can answer."""
        return tuple(key for key in OBJECT_KEYS if getattr(self, key, ()))

    @property
    def needs_snapshot(self) -> bool:
        """Whether it can only be answered by who knows the object."""
        return bool(self.object_keys)

    def includes_workspace(self, workspaces: frozenset[str]) -> bool:
        """Whether the workspace that goes by these names is one of those given, if any are."""
        return not self.workspace or not workspaces.isdisjoint(self.workspace)

    def __bool__(self) -> bool:
        return self.needs_snapshot or bool(self.workspace)


class RuleConditions(Conditions):
    """What a rule is limited to. A task without a due date is not overdue, an instance never is."""

    overdue: bool | None = Field(None, strict=True)

    @property
    def asks_the_object(self) -> bool:
        return super().needs_snapshot or self.overdue is not None


class Entry(Section):
    """One of an ordered list in the file."""

    name: RuleName = ""


EntryT = TypeVar("EntryT", bound=Entry)


class Rule(Entry):
    """One rule: who may take these actions, on what, and under which terms.

    ``approvals`` distinct people must ask for the same within ``expires``; ``own`` (``self`` in
    the file) is whether the person whom the task names as its creator may. A ``break_glass``
    role may decide alone all the same.
    """

    actions: Annotated[tuple[ActionName, ...], AfterValidator(non_empty)]
    roles: Names
    when: RuleConditions = RuleConditions()
    reason: ReasonRule = "optional"
    approvals: int = Field(1, ge=1, le=9, strict=True)
    expires: Duration = timedelta(hours=1)
    creator_allowed: bool = Field(default=True, alias="self", strict=True)
    confirm: ConfirmRule = ""
    break_glass: Names = ()

    @property
    def covered_actions(self) -> tuple[Action, ...]:
        return tuple(action for action in TABLE if covers(self, action))

    @model_validator(mode="after")
    def fits_what_it_covers(self) -> Self:
        if self.approvals > 1 and (
            rest := _names(a for a in self.covered_actions if not a.claim_group)
        ):
            raise ValueError(f"approvals: several people can't share {rest}; give it its own rule")
        if not self.creator_allowed and (
            rest := _names(a for a in self.covered_actions if a.kind != "task")
        ):
            raise ValueError(f"self: SecMaster names no creator for {rest}; give it its own rule")
        if self.break_glass and self.approvals == 1:
            raise ValueError("break_glass: there is no second approver to pass; add approvals")
        if "expires" in self.model_fields_set and self.approvals == 1:
            raise ValueError("expires: one approval does not wait for another; add approvals")
        return self


def _names(actions: Iterable[Action]) -> str:
    return ", ".join(action.name for action in actions)


def covers(rule: Rule, action: Action) -> bool:
    return not {"*", f"{action.kind}.*", action.name}.isdisjoint(rule.actions)


def numbered(kind: str, entries: Sequence[EntryT]) -> Iterator[tuple[str, EntryT]]:
    """Each entry with what it is called: its number, and its name if it has one."""
    for number, entry in enumerate(entries, 1):
        yield f"{kind} {number}" + (f" ({entry.name})" if entry.name else ""), entry


def stated_values(about: Snapshot) -> dict[str, str]:
    """What SecMaster states of an object by the keys that may be asked; "" where it does not.

    A key is missing where such an object never has it.
    """
    if not isinstance(about, Task):
        workflow, playbook = normalize(about.workflow.name), normalize(about.playbook.name)
        return {
            "name": normalize(about.name),
            "related_object": workflow,
            "workflow": workflow,
            "playbook": playbook,
        }
    kind, related = about.business_type, normalize(about.related_object)
    owners = [key for key in ("workflow", "playbook") if kind.startswith(key.upper())]
    return {
        "business_type": kind,
        "name": normalize(about.name),
        "related_object": related,
        **dict.fromkeys(owners, related),
    }


def matches(limits: Conditions, key: str, value: str) -> bool:
    """Whether what SecMaster states is what this key asks for."""
    if key == "business_type":
        return value in limits.business_type
    return re.match(getattr(limits, key), value) is not None


def normalize(text: str) -> str:
    """What a pattern is held against: what hides in a name must not hide it from a rule."""
    return visible(text.replace("\u200d", ""))
