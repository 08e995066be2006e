"""References to SecMaster's objects, and the base of all values that are recorded.

Values are frozen, can be written to the database as JSON, and read back by a newer version.
"""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

ObjectKind = Literal["task", "instance"]
MAX_SEARCH = 200  # characters of what a list is narrowed to: its buttons carry them
OBJECT_KINDS: tuple[ObjectKind, ...] = ("task", "instance")

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
    """A reference to a task or an instance; ``workspace`` is the alias of its workspace here."""

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
