"""Many objects that one person decides at once: what they choose from, and what is recorded."""

from typing import Literal, Self

from pydantic import ValidationError

from bot.domain.objects import ObjectId, ObjectKind, Ref, Value
from bot.domain.operations import Operation
from bot.domain.reasons import SkipReason


class BatchQuery(Value):
    """What many are chosen from: those whose name holds a text, or one workflow's failed runs."""

    kind: ObjectKind
    workspace: ObjectId = "main"
    text: str = ""
    workflow_id: ObjectId | Literal[""] = ""

    def __str__(self) -> str:
        """What a button carries."""
        return f"1|{self.kind}|{self.workspace}|{self.text}|{self.workflow_id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a button's value; None for one that can't be read here."""
        version, _, rest = text.partition("|")
        kind, _, rest = rest.partition("|")
        workspace, _, rest = rest.partition("|")
        name, bar, workflow_id = rest.rpartition("|")
        given = {"kind": kind, "workspace": workspace, "text": name, "workflow_id": workflow_id}
        try:
            found = cls.model_validate(given)
        except ValidationError:
            return None
        return found if version == "1" and bar else None


class BatchItem(Value):
    """One of many operations, and what its object was called."""

    operation: Operation
    name: str


class SkippedItem(Value):
    """One of many objects that is left out.

    ``why`` names the kind of reason: refused (by the policy, ``detail`` says how), people or name
    (the rule asks for several people, or for the name typed), reason (it asks for one), settled,
    changed, gone or unread.
    """

    ref: Ref
    name: str
    reason: SkipReason
    detail: str = ""


class Batch(Value):
    """Many operations that one person confirmed at once, as they are recorded.

    ``omitted`` are those that were confirmed and then not allowed any more.
    """

    id: str
    items: tuple[BatchItem, ...]
    skipped: tuple[SkippedItem, ...] = ()

    @property
    def operation(self) -> Operation:
        """What stands for all of them: who asked for what, where and when."""
        return self.items[0].operation.model_copy(update={"id": self.id})
