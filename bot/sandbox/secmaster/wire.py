"""SecMaster's words: its records, its times and its refusals. No state, no HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

Record = dict[str, Any]
Clock = Callable[[], datetime]

CHINA = timezone(timedelta(hours=8))
OK = "00000000"

# The documents give no list of codes: these are ours, in the service's style.
INVALID = "SecMaster.20010002"
NOT_FOUND = "SecMaster.20010004"
NOT_WAITING = "SecMaster.20010005"
WRONG_STATE = "SecMaster.20030007"

BUSINESS_TYPES = (
    "WORKFLOWPUBLISH",
    "WORKFLOWNODEAPPROVE",
    "PLAYBOOKPUBLISH",
    "PLAYBOOKNODEAPPROVE",
)
STATUSES = ("RUNNING", "FAILED", "FINISHED", "RETRYING", "TERMINATING", "TERMINATED")
TRIGGERS = ("DEBUG", "TIMER", "EVENT", "MANUAL")

_TASK_FIELDS = [
    "id",
    "aopengine_task_id",
    "name",
    "project_id",
    "description",
    "create_time",
    "creator_id",
    "creator_name",
    "modifier_id",
    "modifier_name",
    "update_time",
    "approveuser_id",
    "approveuser_name",
    "approver",
    "definition_key",
    "notes",
    "note",
    "due_date",
    "action_id",
    "action_version_id",
    "action_instance_id",
    "workspace_id",
    "view_parameters",
    "handle_parameters",
    "review_comments",
    "business_type",
    "related_object",
]


class Rejection(Exception):
    """The service says no: ``{code, message}``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self, _request_id: str) -> Record:
        return {"code": self.code, "message": self.message}


class GatewayRejection(Rejection):
    """The gateway in front of the service says no, in its own shape."""

    def body(self, request_id: str) -> Record:
        return {"error_code": self.code, "error_msg": self.message, "request_id": request_id}


class IamRejection(Rejection):
    """The identity service says no, in a third shape; its code is the HTTP status."""

    def body(self, _request_id: str) -> Record:
        return {"error": {"code": self.status, "message": self.message, "title": self.code}}


@dataclass(frozen=True)
class Person:
    """Whoever SecMaster writes down as the one who did it, and the way they came in by."""

    id: str
    name: str
    via: str = "console"


SYSTEM = Person("system", "system", via="")


def stamp(moment: datetime) -> str:
    """``2025-08-19T14:53:42.424Z+0800``: a literal Z, then the offset that counts."""
    local = moment.astimezone(CHINA)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}Z{local:%z}"


@lru_cache(maxsize=65_536)  # the lists read the same few thousand again and again
def read_stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ%z")


def text(body: Record, key: str) -> str:
    """A field of a request, "" when it is missing; anything but a string is refused."""
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise Rejection(400, INVALID, f"parameter {key} must be a string")
    return value or ""


def needed(body: Record, key: str) -> str:
    value = text(body, key)
    if not value.strip():
        raise Rejection(400, INVALID, f"parameter {key} is required")
    return value


def found(records: dict[str, Record], kind: str, id_: str) -> Record:
    if id_ not in records:
        raise Rejection(404, NOT_FOUND, f"{kind} {id_} does not exist")
    return records[id_]


def task_record(**fields: Any) -> Record:
    """A waiting task: every field of TaskInfo is there, empty unless given."""
    empty: Record = dict.fromkeys(_TASK_FIELDS, "")
    rest: Record = {
        "attachment_id_list": [],
        "comments": [],
        "due_handle": "",
        "status": "waiting",
    }
    return empty | rest | fields


def node_record(action_id: str, name: str, **fields: Any) -> Record:
    """A node of a run's topology, as running unless told."""
    running: Record = {
        "instance_type": "TASK",
        "action_id": action_id,
        "action_name": name,
        "start_time": "",
        "end_time": "",
        "error_msg": "",
        "input": "[]",
        "output": "",
        "parent_instance_id": "",
        "status": "RUNNING",
        "succeed": False,
    }
    return running | fields


def instance_record(**fields: Any) -> Record:
    """A running instance with an empty topology."""
    empty: Record = {
        "id": "",
        "name": "",
        "workflow": {"id": "", "name": "", "name_en": "", "version": "", "version_id": ""},
        "dataclass": {"id": "", "name": "", "en_name": ""},
        "playbook": {"id": "", "name": "", "en_name": ""},
        "trigger_type": "EVENT",
        "status": "RUNNING",
        "start_time": "",
        "end_time": "",
        "retry_count": 0,
        "defense_id": "",
        "dataobject_id": "",
        "topology": {"audit_logs": []},
    }
    return empty | fields
