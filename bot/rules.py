"""One rule of the policy, and what its keys may say. Knows no file and no person."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from bot.actions import BY_NAME, TABLE, Action
from bot.secmaster import BusinessType

ReasonRule = Literal["required", "optional", "none"]
ConfirmRule = Literal["", "type-name"]

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=30)


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
    nouns = {"*", *(f"{action.noun}.*" for action in TABLE)}
    if text not in BY_NAME and text not in nouns:
        raise ValueError(
            f"{text!r} is no action; there are {', '.join(sorted({*BY_NAME, *nouns}))}"
        )
    return text


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("an empty list covers nothing")
    return names


def length(text: object) -> timedelta:
    """Read a length of time such as "90s", "30m", "4h" or "2d"; raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,6}) ?([smhd])", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is no length of time: write a number with s, m, h or d")
    span = timedelta(**{UNITS[found[2]]: int(found[1])})
    if span > LONGEST:
        raise ValueError(f"{text!r} is longer than {LONGEST.days} days")
    return span


Length = Annotated[timedelta, BeforeValidator(length)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ActionName = Annotated[str, AfterValidator(_known_action)]
RuleName = Annotated[str, StringConstraints(pattern=r"^[\w .:/-]{0,40}$")]
Names = Annotated[tuple[str, ...], AfterValidator(_some)]


class Role(Section):
    users: tuple[str, ...] = ()
    usergroups: tuple[str, ...] = ()


class When(Section):
    """What a rule is limited to; every key given must match, patterns from the start.

    A task without a due date is not overdue, and an instance never is.
    """

    business_type: tuple[BusinessType, ...] = Field((), min_length=1)
    name: Pattern = Field("", min_length=1)
    related_object: Pattern = Field("", min_length=1)
    workspace: tuple[str, ...] = Field((), min_length=1)
    overdue: bool | None = Field(None, strict=True)

    @property
    def asks_the_object(self) -> bool:
        """Whether it can only be answered by who knows the object."""
        stated = self.business_type or self.name or self.related_object
        return bool(stated) or self.overdue is not None

    def __bool__(self) -> bool:
        return self.asks_the_object or bool(self.workspace)


class Rule(Section):
    """One rule: who may take these actions, on what, and under which terms.

    ``approvals`` distinct people must ask for the same within ``expires``; ``own`` (``self`` in
    the file) is whether the person whom the task names as its creator may. A ``break_glass``
    role may decide alone all the same.
    """

    name: RuleName = ""
    actions: Annotated[tuple[ActionName, ...], AfterValidator(_some)]
    roles: Names
    when: When = When()
    reason: ReasonRule = "optional"
    approvals: int = Field(1, ge=1, le=9, strict=True)
    expires: Length = timedelta(hours=1)
    own: bool = Field(default=True, alias="self", strict=True)
    confirm: ConfirmRule = ""
    break_glass: Annotated[tuple[str, ...], AfterValidator(_some)] = Field(())

    @property
    def covered(self) -> tuple[Action, ...]:
        return tuple(action for action in TABLE if covers(self, action))

    @model_validator(mode="after")
    def fits_what_it_covers(self) -> Self:
        if self.approvals > 1 and (rest := _names(a for a in self.covered if not a.once)):
            raise ValueError(f"approvals: several people can't share {rest}; give it its own rule")
        if not self.own and (rest := _names(a for a in self.covered if a.noun != "task")):
            raise ValueError(f"self: SecMaster names no creator for {rest}; give it its own rule")
        if self.break_glass and self.approvals == 1:
            raise ValueError("break_glass: there is no second approver to pass; add approvals")
        if "expires" in self.model_fields_set and self.approvals == 1:
            raise ValueError("expires: one approval does not wait for another; add approvals")
        return self


def _names(actions: Iterable[Action]) -> str:
    return ", ".join(action.name for action in actions)


def covers(rule: Rule, action: Action) -> bool:
    return not {"*", f"{action.noun}.*", action.name}.isdisjoint(rule.actions)
