"""SecMaster's wire format: its records, its times and its rejections. No state, no HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

Record = dict[str, Any]
Clock = Callable[[], datetime]

CHINA = timezone(timedelta(hours=8))
OK = "00000000"

# The documents list no error codes: these are made up, in the service's style.
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
    """A rejection by the service: ``{code, message}``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self, _request_id: str) -> Record:
        return {"code": self.code, "message": self.message}


class GatewayRejection(Rejection):
    """A rejection by the gateway in front of the service, in a shape of its own."""

    def body(self, request_id: str) -> Record:
        return {"error_code": self.code, "error_msg": self.message, "request_id": request_id}


class IamRejection(Rejection):
    """A rejection by the identity service, in a third shape; its code is the HTTP status."""

    def body(self, _request_id: str) -> Record:
        return {"error": {"code": self.status, "message": self.message, "title": self.code}}


@dataclass(frozen=True)
class Person:
    """A user as SecMaster records them, and ``via``: the console, or the proof and its key."""

    id: str
    name: str
    via: str = "console"


SYSTEM = Person("system", "system", via="")


def stamp(moment: datetime) -> str:
    """Write a time as SecMaster does: ``2025-08-19T14:53:42.424Z+0800``.

    The Z is literal; the offset after it is the one that applies.
    """
    local = moment.astimezone(CHINA)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}Z{local:%z}"


@lru_cache(maxsize=65_536)  # the lists read the same few thousand again and again
def read_stamp(text: str) -> datetime:
    """Read a time as SecMaster writes it, or raise ``ValueError``."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ%z")


def text(body: Record, key: str) -> str:
    """Return a text field of a request, "" when it is missing, or raise a rejection."""
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise Rejection(400, INVALID, f"parameter {key} must be a string")
    return value or ""


def required_text(body: Record, key: str) -> str:
    """Return a text field of a request that must not be blank, or raise a rejection."""
    value = text(body, key)
    if not value.strip():
        raise Rejection(400, INVALID, f"parameter {key} is required")
    return value


def find_record(records: dict[str, Record], kind: str, id_: str) -> Record:
    """Return the record of this id, or raise a rejection with 404."""
    if id_ not in records:
        raise Rejection(404, NOT_FOUND, f"{kind} {id_} does not exist")
    return records[id_]


def task_record(**fields: Any) -> Record:
    """Build a waiting task with every field of TaskInfo, empty by default."""
    empty: Record = dict.fromkeys(_TASK_FIELDS, "")
    defaults: Record = {
        "attachment_id_list": [],
        "comments": [],
        "due_handle": "",
        "status": "waiting",
    }
    return empty | defaults | fields


def node_record(action_id: str, name: str, **fields: Any) -> Record:
    """Build a node of an instance's topology, running by default."""
    defaults: Record = {
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
    return defaults | fields


def instance_record(**fields: Any) -> Record:
    """Build an instance, by default running and with an empty topology."""
    defaults: Record = {
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
    return defaults | fields
