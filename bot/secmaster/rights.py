"""The rights in IAM that the bot's credential needs: for which operation, and what is lost without.

The actions' names are those of Huawei's tables, as far as they could be read:
https://support.huaweicloud.com/intl/en-us/usermanual-secmaster/secmaster_02_0008.html
"""

from dataclasses import dataclass
from enum import StrEnum

UNSTATED = ""  # no page that could be read says which action it is


class Access(StrEnum):
    """Whether an operation reads or writes; a right to write can't be tried without writing."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Right:
    """The right to an operation of SecMaster's, by its name there; ``action`` is IAM's name."""

    operation: str
    purpose: str
    loss: str
    access: Access
    action: str = UNSTATED


LIST_TASKS = Right(
    "ListTasks",
    "listing tasks",
    "no task is found, so there are no cards, lists, reminders and digests",
    Access.READ,
)
SHOW_TASK = Right(
    "ShowTask",
    "reading one task",
    "no task's card, and nothing can be decided on a task",
    Access.READ,
    "secmaster:task:get",
)
LIST_INSTANCES = Right(
    "ListAopWorkflowInstance",
    "listing workflow instances",
    "no cards of failed instances, and no list of them",
    Access.READ,
)
SHOW_INSTANCE = Right(
    "ShowAopWorkflowInstance",
    "reading one workflow instance",
    "no instance's card, no retry, termination or debug, and no outcome of one",
    Access.READ,
    "secmaster:workflow:getInstance",
)
RIGHTS = (
    LIST_TASKS,
    SHOW_TASK,
    LIST_INSTANCES,
    SHOW_INSTANCE,
    Right(
        "UpdateTask",
        "approving, terminating and commenting on tasks",
        "tasks can be read, and not decided",
        Access.WRITE,
    ),
    Right(
        "UploadAttachment",
        "attaching files to tasks",
        "no file can be attached",
        Access.WRITE,
    ),
    Right(
        "UpdateWorkflowInstance",
        "retrying, terminating and debugging workflow instances",
        "instances can be read, and not retried, terminated or debugged",
        Access.WRITE,
    ),
)
