"""SecMaster's objects as models: tasks, workflow instances, attachments, and their enumerations.

It knows SecMaster's names and nothing of what we do with them. Statuses and types stay plain
strings, since SecMaster may add one any day; the enumerations are for comparing and sending.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from bot.secmaster.findings import Evidence
from bot.secmaster.shapes import Named, Node, Rows, Shape, WorkflowRef, answered
from bot.secmaster.values import Flag, Moment, Text, Whole


class TaskStatus(StrEnum):
    """The statuses of a task."""

    WAITING = "waiting"
    FINISHED = "finished"
    CANCELED = "canceled"


class BusinessType(StrEnum):
    """What a task is about: a version to publish, or a node that waits for a person."""

    WORKFLOWPUBLISH = "WORKFLOWPUBLISH"
    WORKFLOWNODEAPPROVE = "WORKFLOWNODEAPPROVE"
    PLAYBOOKPUBLISH = "PLAYBOOKPUBLISH"
    PLAYBOOKNODEAPPROVE = "PLAYBOOKNODEAPPROVE"


class DueHandle(StrEnum):
    """What happens at the due date when nobody decides."""

    CONTINUE = "CONTINUE"
    INTERRUPT = "INTERRUPT"


class TaskAction(StrEnum):
    """https://support.huaweicloud.com/api-secmaster/UpdateTask.html."""

    CONTINUE = "CONTINUE"
    TERMINATE = "TERMINATE"
    ADD_COMMENT = "ADD_COMMENT"
    DELETE_COMMENT = "DELETE_COMMENT"
    ADD_ATTACHMENT = "ADD_ATTACHMENT"
    DELETE_ATTACHMENT = "DELETE_ATTACHMENT"


class QueryType(StrEnum):
    """Whose tasks ListTasks lists."""

    MY_TODO = "my_todo"
    ALL_HANDLED = "all_handled"


class InstanceStatus(StrEnum):
    """The statuses of a workflow instance."""

    RUNNING = "RUNNING"
    FAILED = "FAILED"
    FINISHED = "FINISHED"
    RETRYING = "RETRYING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"


class TriggerType(StrEnum):
    """What started a workflow instance."""

    DEBUG = "DEBUG"
    TIMER = "TIMER"
    EVENT = "EVENT"
    MANUAL = "MANUAL"


class CommandType(StrEnum):
    """https://support.huaweicloud.com/api-secmaster/UpdateWorkflowInstance.html."""

    RETRY = "ActionInstanceRetryCommand"
    TERMINATE = "ActionInstanceTerminateCommand"
    DEBUG = "ActionInstanceDebugCommand"


class TaskComment(Shape):
    """A comment on a task."""

    id: Text = ""
    message: Text = ""
    user_id: Text = ""
    user_name: Text = ""
    time: Moment = None


class Task(Shape):
    """A to-do task. ``action_instance_id`` is the workflow or playbook instance it holds up.

    ``evidence`` is what was read around it: it is no part of SecMaster's answer.
    """

    id: Text = ""
    aopengine_task_id: Text = ""
    name: Text = ""
    project_id: Text = ""
    description: Text = ""
    create_time: Moment = None
    creator_id: Text = ""
    creator_name: Text = ""
    update_time: Moment = None
    modifier_id: Text = ""
    modifier_name: Text = ""
    approveuser_id: Text = ""
    approveuser_name: Text = ""
    approver: Text = ""
    notes: Text = ""
    note: Text = ""
    definition_key: Text = ""
    due_date: Moment = None
    action_id: Text = ""
    action_version_id: Text = ""
    action_instance_id: Text = ""
    workspace_id: Text = ""
    review_comments: Text = ""
    view_parameters: Text = ""
    handle_parameters: Text = ""
    business_type: Text = ""
    related_object: Text = ""
    attachment_id_list: Annotated[tuple[Text, ...], Rows] = ()
    comments: Annotated[tuple[TaskComment, ...], Rows] = ()
    status: Text = ""
    due_handle: Text = ""
    evidence: Evidence | None = None

    @property
    def decider(self) -> str:
        """Who decided the task, from whichever field SecMaster names them in; "" if in none."""
        return self.approver or self.approveuser_name or self.modifier_name


class Instance(Shape):
    """One run of a workflow; ``nodes`` are empty unless the topology was asked for.

    ``evidence`` is what was read around it: it is no part of SecMaster's answer.
    """

    id: Text = ""
    name: Text = ""
    workflow: WorkflowRef = WorkflowRef()
    dataclass_: Named = Field(default=Named(), alias="dataclass")
    playbook: Named = Named()
    trigger_type: Text = ""
    status: Text = ""
    start_time: Moment = None
    end_time: Moment = None
    retry_count: Whole = 0
    defense_id: Text = ""
    dataobject_id: Text = ""
    evidence: Evidence | None = None
    nodes: Annotated[tuple[Node, ...], Rows] = Field(
        default=(), validation_alias=AliasPath("topology", "audit_logs")
    )

    @property
    def failed_node(self) -> Node | None:
        """The first node that failed; one that still runs has not succeeded either."""
        unfinished = (InstanceStatus.RUNNING, "")
        for node in self.nodes:
            if node.status == InstanceStatus.FAILED:
                return node
            if node.succeed is False and node.status not in unfinished:
                return node
        return None

    @property
    def running_node(self) -> Node | None:
        """The node that runs now."""
        return next((n for n in self.nodes if n.status == InstanceStatus.RUNNING), None)


class Attachment(Shape):
    """A file in SecMaster."""

    id: Text = ""
    file_name: Text = ""
    file_folder: Text = ""
    workspace_id: Text = ""
    creator_id: Text = ""
    creator_name: Text = ""
    create_time: Moment = None
    update_time: Moment = None
    modifier_id: Text = ""
    modifier_name: Text = ""
    is_deleted: Flag = None
    storage_type: Text = ""
    storage_url: Text = ""


class TaskPage(BaseModel):
    """A page of the ``total`` tasks that match."""

    model_config = ConfigDict(frozen=True)

    total: int
    tasks: tuple[Task, ...]

    @classmethod
    def of(cls, total: int, rows: Sequence[Any]) -> Self:
        # Where SecMaster's count is missing, what we hold is the least it can be.
        tasks = tuple(answered(Task, row) for row in rows)
        return cls(total=max(total, len(rows)), tasks=tasks)


class InstancePage(BaseModel):
    """A page of the ``total`` instances that match."""

    model_config = ConfigDict(frozen=True)

    total: int
    instances: tuple[Instance, ...]

    @classmethod
    def of(cls, total: int, rows: Sequence[Any]) -> Self:
        instances = tuple(answered(Instance, row) for row in rows)
        return cls(total=max(total, len(rows)), instances=instances)


class Receipt(BaseModel):
    """SecMaster's answer to a write; ``task`` when it sent the task along."""

    model_config = ConfigDict(frozen=True)

    status: int
    request_id: str
    task: Task | None = None
