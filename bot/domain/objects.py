"""Which object of SecMaster is meant, and the base of all values that are written down.

Values are frozen, can be written to the database as JSON, and read back by a newer version.
"""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

ObjectKind = Literal["task", "instance"]
OBJECT_KINDS: tuple[ObjectKind, ...] = ("task", "instance")


# SecMaster's ids are UUIDs; anything longer or stranger is not one, and would not fit a button.
ObjectId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


def visible(text: str) -> str:
    """The text without what no eye sees: control and formatting characters, and space around."""
    kept = (each for each in text if each in "\n\t\u200d" or unicodedata.category(each)[0] != "C")
    return "".join(kept).strip()


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Ref(Value):
    """A task or instance of one SecMaster workspace, known here by its alias."""

    kind: ObjectKind
    id: ObjectId
    workspace: ObjectId = "main"

    def __str__(self) -> str:
        """Opaque and versioned: what buttons and the database carry is read for ever."""
        return f"1:{self.kind}:{self.workspace}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read it back; None for one that this version cannot read."""
        version, _, rest = text.partition(":")
        kind, _, rest = rest.partition(":")
        workspace, _, object_id = rest.partition(":")
        try:
            found = cls.model_validate({"kind": kind, "workspace": workspace, "id": object_id})
        except ValidationError:
            return None
        return found if version == "1" else None


class ListQuery(Value):
    """One page of a list: of what, in which state, whose name holds which text, from where on."""

    kind: ObjectKind
    filter: str = ""
    text: str = ""
    offset: int = 0
