"""Shapes that several of SecMaster's objects share on the wire, and how they are read."""

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from bot.secmaster.values import Flag, JsonText, Moment, Text

Rows = BeforeValidator(lambda value: value if isinstance(value, list | tuple) else ())
RowsOrNone = BeforeValidator(lambda value: value if isinstance(value, list | tuple) else None)


class Shape(BaseModel):
    """An object on the wire; something else in its place reads as one with empty fields."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return value if isinstance(value, dict | cls) else {}


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
