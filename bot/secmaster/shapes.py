"""Shapes that several of SecMaster's objects share on the wire, and how they are read."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from bot.secmaster.values import Flag, JsonText, Moment, Text

Rows = BeforeValidator(lambda value: value if isinstance(value, list | tuple) else ())
RowsOrNone = BeforeValidator(lambda value: value if isinstance(value, list | tuple) else None)


def _objects(value: object) -> list[object]:
    rows = value if isinstance(value, list | tuple) else [value]
    return [row for row in rows if isinstance(row, dict | BaseModel)]


# The objects of a list, without whatever else is in it; one object outside of a list counts too.
Objects = BeforeValidator(_objects)


class Shape(BaseModel):
    """An object on the wire; something else in its place reads as one with empty fields.

    ``READ_APART`` are its fields that are other requests: an answer about it has none of them.
    """

    READ_APART: ClassVar[frozenset[str]] = frozenset({"evidence"})

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value if isinstance(value, cls) else {}
        # A field that is null or empty is missing: where it has several names, the next counts.
        return {name: field for name, field in value.items() if not _is_empty(field)}


def _is_empty(field: object) -> bool:
    return field is None or field == ""


class DataObject(Shape):
    """An object of a data class, which lies in ``data_object`` of what SecMaster answers."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read an object together with what is around it, which counts where both say something."""
        around, inner = answered(cls, data), answered(cls, data.get("data_object"))
        empty = cls()
        fields = {name: value for name, value in around if value != getattr(empty, name)}
        return inner.model_copy(update=fields)


S = TypeVar("S", bound=Shape)


def answered(shape: type[S], value: object) -> S:
    """Read an object of SecMaster's answer; what was read around one is never a part of it."""
    fields = value if isinstance(value, dict) else {}
    return shape.model_validate({k: v for k, v in fields.items() if k not in shape.READ_APART})


class Named(Shape):
    """An object that is referred to by id and name, such as a playbook."""

    id: Text = ""
    name: Text = ""
    en_name: Text = ""


class WorkflowRef(Shape):
    """The workflow that an instance is a run of."""

    id: Text = ""
    name: Text = ""
    name_en: Text = ""
    version: Text = ""
    version_id: Text = ""


class Node(Shape):
    """One step of a run. ``input`` and ``output`` are JSON text when SecMaster sent objects."""

    instance_type: Text = ""
    action_id: Text = ""
    action_name: Text = ""
    start_time: Moment = None
    end_time: Moment = None
    error_msg: Text = ""
    input: JsonText = ""
    output: JsonText = ""
    parent_instance_id: Text = ""
    status: Text = ""
    succeed: Flag = None
