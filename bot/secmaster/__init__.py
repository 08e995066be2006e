"""A typed client for Huawei Cloud SecMaster.

It knows SecMaster's endpoints, shapes and errors, and how requests are signed; it refuses to
know Slack, settings, databases or who is allowed what, and it never sends a request twice.
``error.write_effect`` tells whether a write that failed may have taken effect all the same.
"""

from bot.secmaster.agency import AgencyAuth
from bot.secmaster.auth import Auth, IamAuth, SigningAuth, TokenAuth
from bot.secmaster.client import SecMaster
from bot.secmaster.connection import LIMITS, TIMEOUT, open_http
from bot.secmaster.errors import (
    AnswerLost,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotRouted,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
    WriteEffect,
)
from bot.secmaster.measured import Endpoint, RequestOutcome
from bot.secmaster.models import (
    Attachment,
    BusinessType,
    CommandType,
    DueHandle,
    Instance,
    InstancePage,
    InstanceStatus,
    Named,
    Node,
    QueryType,
    Receipt,
    Task,
    TaskAction,
    TaskComment,
    TaskPage,
    TaskStatus,
    TriggerType,
    WorkflowRef,
)

__all__ = [
    "LIMITS",
    "TIMEOUT",
    "AgencyAuth",
    "AnswerLost",
    "Attachment",
    "Auth",
    "BusinessType",
    "CommandType",
    "Conflict",
    "DueHandle",
    "Endpoint",
    "Forbidden",
    "IamAuth",
    "Instance",
    "InstancePage",
    "InstanceStatus",
    "Invalid",
    "Named",
    "Node",
    "NotFound",
    "NotRouted",
    "QueryType",
    "Receipt",
    "Refused",
    "RequestOutcome",
    "SecMaster",
    "SecMasterError",
    "SigningAuth",
    "Task",
    "TaskAction",
    "TaskComment",
    "TaskPage",
    "TaskStatus",
    "TokenAuth",
    "TriggerType",
    "Unavailable",
    "Unreachable",
    "Unreadable",
    "WorkflowRef",
    "WriteEffect",
    "open_http",
]
