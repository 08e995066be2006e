"""References to SecMaster's objects, and the base of all values that are recorded.

Values are frozen, can be written to the database as JSON, and read back by a newer version.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, Self, TypeVar, assert_never

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

ObjectKind = Literal["task", "instance", "playbook"]
MAX_SEARCH = 200  # characters of what a list is narrowed to: its buttons carry them
OBJECT_KINDS: tuple[ObjectKind, ...] = ("task", "instance", "playbook")
RUN_KINDS: tuple[ObjectKind, ...] = ("instance", "playbook")  # what fails and is retried

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ByKind(Generic[T]):
    """Something for each kind of object: where one is missing, the types say so."""

    task: T
    instance: T
    playbook: T

    def __getitem__(self, kind: ObjectKind) -> T:
        match kind:
            case "task":
                return self.task
            case "instance":
                return self.instance
            case "playbook":
                return self.playbook
            case _:
                assert_never(kind)

    def items(self) -> Iterator[tuple[ObjectKind, T]]:
        """Yield each kind with what there is for it."""
        return ((kind, self[kind]) for kind in OBJECT_KINDS)


# SecMaster's ids are UUIDs; anything longer or stranger is not one, and would not fit a button.
ObjectId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


def visible(text: str) -> str:
    """Return the text without control and formatting characters, and without space around it.

    Line breaks, tabs and the zero-width joiner, which emoji need, stay.
    """
    characters = (c for c in text if c in "\n\t\u200d" or unicodedata.category(c)[0] != "C")
    return "".join(characters).strip()


class Value(BaseModel):
    """The base of the values that are recorded: frozen, and unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Ref(Value):
    """A reference to an object; ``workspace`` is the alias of its workspace here.

    A "task" is a to-do task, an "instance" one run of a workflow, a "playbook" one of a playbook.
    """

    kind: ObjectKind
    id: ObjectId
    workspace: ObjectId = "main"

    def __str__(self) -> str:
        """Return opaque and versioned text: buttons and the database keep it for ever."""
        return f"1:{self.kind}:{self.workspace}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a reference back from its text; None for one that this version can't read."""
        version, _, rest = text.partition(":")
        kind, _, rest = rest.partition(":")
        workspace, _, object_id = rest.partition(":")
        try:
            ref = cls.model_validate({"kind": kind, "workspace": workspace, "id": object_id})
        except ValidationError:
            return None
        return ref if version == "1" else None


class ListQuery(Value):
    """One page of a list: which objects, in which state, and what they are narrowed to.

    ``filter`` is the state, "" for what is open. ``text`` has the filters and the words to search
    for as they were typed. ``offset`` is how many objects come before the page.
    """

    kind: ObjectKind
    filter: str = ""
    text: str = ""
    offset: int = 0
