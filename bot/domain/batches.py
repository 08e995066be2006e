"""One action on many objects at once: what they are selected by, and what is recorded."""

from typing import Literal, Self

from pydantic import ValidationError

from bot.domain.objects import ObjectId, ObjectKind, Ref, Value
from bot.domain.operations import Operation
from bot.domain.reasons import SkipReason


class BatchQuery(Value):
    """What a batch is selected by: a text in the name, or the definition whose runs failed.

    That is a workflow, or a playbook.
    """

    kind: ObjectKind
    workspace: ObjectId = "main"
    text: str = ""
    definition_id: ObjectId | Literal[""] = ""

    def __str__(self) -> str:
        """Return the text that a button carries."""
        return f"1|{self.kind}|{self.workspace}|{self.text}|{self.definition_id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the text that a button carries; None for one that can't be read."""
        version, _, rest = text.partition("|")
        kind, _, rest = rest.partition("|")
        workspace, _, rest = rest.partition("|")
        name, bar, definition = rest.rpartition("|")
        fields = {"kind": kind, "workspace": workspace, "text": name, "definition_id": definition}
        try:
            query = cls.model_validate(fields)
        except ValidationError:
            return None
        return query if version == "1" and bar else None


class BatchItem(Value):
    """One operation of a batch, and the name that its object had."""

    operation: Operation
    name: str


class SkippedItem(Value):
    """An object that is left out of a batch; ``detail`` is how the policy refused it."""

    ref: Ref
    name: str
    reason: SkipReason
    detail: str = ""


class Batch(Value):
    """The operations that one person confirmed at once, as they are recorded.

    ``skipped`` are those that were confirmed, and were no longer allowed by then.
    """

    id: str
    items: tuple[BatchItem, ...]
    skipped: tuple[SkippedItem, ...] = ()

    @property
    def operation(self) -> Operation:
        """An operation that stands for all of them: who asked for what, where and when."""
        return self.items[0].operation.model_copy(update={"id": self.id})
