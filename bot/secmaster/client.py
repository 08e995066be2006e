"""SecMaster's endpoints as methods, by SecMaster's own names: tasks, runs and attachments.

The endpoints of findings, playbook instances and definitions are in modules of their own; the one
client has them all. Each method sends one request once and returns what SecMaster said, or raises
one of the errors. Deciding whether to ask again is left to the caller, who knows what is at stake.

https://support.huaweicloud.com/api-secmaster/
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from bot.secmaster.connection import send_anyhow
from bot.secmaster.definition_endpoints import DefinitionEndpoints
from bot.secmaster.finding_endpoints import FindingEndpoints
from bot.secmaster.measured import Endpoint, measured
from bot.secmaster.models import (
    Attachment,
    CommandType,
    Instance,
    InstancePage,
    QueryType,
    Receipt,
    Task,
    TaskAction,
    TaskPage,
)
from bot.secmaster.playbook_endpoints import PlaybookEndpoints
from bot.secmaster.replies import Reply
from bot.secmaster.shapes import answered
from bot.secmaster.values import stamp
from bot.secmaster.wire import segment

# Fields without which the action means nothing.
NEEDS: Mapping[str, tuple[str, ...]] = {
    TaskAction.ADD_COMMENT: ("comment",),
    TaskAction.DELETE_COMMENT: ("comment_id",),
    TaskAction.ADD_ATTACHMENT: ("attachment_id",),
    TaskAction.DELETE_ATTACHMENT: ("attachment_id",),
    CommandType.DEBUG: ("task_id", "input_dataobject"),
}


class SecMaster(FindingEndpoints, PlaybookEndpoints, DefinitionEndpoints):
    """One workspace of SecMaster, asked with one credential.

    ``endpoint`` is ``https://secmaster.{region}.myhuaweicloud.com``. Ids are one path segment
    whatever they contain; an empty one is a ``ValueError`` before anything is sent. ``http`` is
    closed with it, and is one from ``open_http`` by default. ``auth`` may be exchanged at any time:
    a request keeps the one that it began with. ``on_request`` is told how each request ended.

    ``certificate_ends_at`` is when the certificate expires that the server showed last.
    """

    @measured(Endpoint.SHOW_TASK)
    async def show_task(self, task_id: str) -> Task:
        """https://support.huaweicloud.com/api-secmaster/ShowTask.html."""
        reply = await self._get(f"/soc/tasks/{segment(task_id)}")
        return answered(Task, reply.object("data"))

    @measured(Endpoint.LIST_TASKS)
    async def list_tasks(  # noqa: PLR0913 - the endpoint's own parameters, each by name
        self,
        *,
        offset: int = 0,
        limit: int = 10,
        query_type: QueryType = QueryType.MY_TODO,
        name: str = "",
        business_type: str = "",
        creator_name: str = "",
        note: str = "",
        sort_key: str = "",
        sort_dir: str = "",
        from_date: datetime | None = None,
        to_date: datetime | None = None,
    ) -> TaskPage:
        """https://support.huaweicloud.com/api-secmaster/ListTasks.html.

        ``offset`` is 0 to 9999, ``limit`` 1 to 100; ``sort_key`` is ``create_time`` or
        ``update_time``, ``sort_dir`` is ``ASC`` or ``DESC``.
        """
        params = {
            "offset": offset,
            "limit": limit,
            "query_type": query_type,
            "name": name,
            "business_type": business_type,
            "creator_name": creator_name,
            "note": note,
            "sort_key": sort_key,
            "sort_dir": sort_dir,
            "from_date": from_date and stamp(from_date),
            "to_date": to_date and stamp(to_date),
        }
        reply = await self._get("/soc/tasks", params)
        return TaskPage.of(*reply.rows("data", "total"))

    @measured(Endpoint.UPDATE_TASK)
    async def update_task(  # noqa: PLR0913 - the endpoint's own parameters, and ``before_send``
        self,
        task_id: str,
        *,
        action: TaskAction,
        comment: str = "",
        comment_id: str = "",
        attachment_id: str = "",
        before_send: Callable[[], None] = send_anyhow,
    ) -> Receipt:
        """https://support.huaweicloud.com/api-secmaster/UpdateTask.html.

        ``CONTINUE`` approves, ``TERMINATE`` rejects. ``before_send`` may raise as the request is
        about to leave, and nothing is sent.
        """
        fields = {"comment": comment, "comment_id": comment_id, "attachment_id": attachment_id}
        _check(action, fields)
        path, body = f"/soc/tasks/{segment(task_id)}", {"action": action, **fields}
        return _receipt(await self._send_json("PUT", path, body, before_send))

    @measured(Endpoint.SHOW_INSTANCE)
    async def show_workflow_instance(
        self, instance_id: str, *, show_topology: bool = True
    ) -> Instance:
        """https://support.huaweicloud.com/api-secmaster/ShowAopWorkflowInstance.html."""
        params = {"show_topology": "true" if show_topology else "false"}
        reply = await self._get(f"/soc/workflows/instances/{segment(instance_id)}", params)
        # It comes without an envelope, so an id is all that tells it from any other object.
        if "id" not in reply.body:
            raise reply.unreadable("without a workflow instance")
        return answered(Instance, reply.body)

    @measured(Endpoint.LIST_INSTANCES)
    async def list_workflow_instances(  # noqa: PLR0913 - the endpoint's own parameters, by name
        self,
        *,
        offset: int = 0,
        limit: int = 10,
        workflow_id: str = "",
        instance_id: str = "",
        name: str = "",
        dataobject_id: str = "",
        dataclass_id: str = "",
        playbook_id: str = "",
        defence_id: str = "",
        status: str = "",
        trigger_type: str = "",
        sort_key: str = "",
        sort_dir: str = "",
        from_date: datetime | None = None,
        to_date: datetime | None = None,
    ) -> InstancePage:
        """https://support.huaweicloud.com/api-secmaster/ListAopWorkflowInstance.html.

        ``offset`` is 0 to 10000, ``limit`` 1 to 100.
        """
        params = {
            "offset": offset,
            "limit": limit,
            "workflow_id": workflow_id,
            "id": instance_id,
            "name": name,
            "dataobject_id": dataobject_id,
            "dataclass_id": dataclass_id,
            "playbook_id": playbook_id,
            "defence_id": defence_id,
            "status": status,
            "trigger_type": trigger_type,
            "sort_key": sort_key,
            "sort_dir": sort_dir,
            "from_date": from_date and stamp(from_date),
            "to_date": to_date and stamp(to_date),
        }
        reply = await self._get("/soc/workflows/instances", params)
        return InstancePage.of(*reply.rows("instances", "count"))

    @measured(Endpoint.UPDATE_INSTANCE)
    async def update_workflow_instance(
        self,
        instance_id: str,
        *,
        command_type: CommandType,
        task_id: str = "",
        input_dataobject: str = "",
        before_send: Callable[[], None] = send_anyhow,
    ) -> Receipt:
        """https://support.huaweicloud.com/api-secmaster/UpdateWorkflowInstance.html.

        ``DEBUG`` needs the node's id in ``task_id``, and in ``input_dataobject`` the JSON text
        of an array of node parameters. What became of it, only reading the instance tells.
        ``before_send`` may raise as the request is about to leave, and nothing is sent.
        """
        fields = {"task_id": task_id, "input_dataobject": input_dataobject}
        _check(command_type, fields)
        path = f"/soc/workflows/instances/{segment(instance_id)}"
        command = {"command_type": command_type, **fields}
        return _receipt(await self._send_json("PUT", path, command, before_send))

    @measured(Endpoint.UPLOAD_ATTACHMENT)
    async def upload_attachment(self, file_name: str, content: bytes) -> Attachment:
        """https://support.huaweicloud.com/api-secmaster/UploadAttachment.html."""
        if not file_name:
            raise ValueError("an attachment needs a file name")
        reply = await self._request(
            "POST",
            "/soc/attachment/upload",
            data={"fileType": "user_task"},
            files={"uploadFile": (file_name, content)},
        )
        attachment = Attachment.model_validate(reply.object("data"))
        if not attachment.id:
            raise reply.unreadable("without the attachment's id")
        return attachment

    @measured(Endpoint.SHOW_ATTACHMENT)
    async def show_attachment(self, attachment_id: str) -> Attachment:
        """https://support.huaweicloud.com/api-secmaster/ShowAttachment.html."""
        reply = await self._get(f"/soc/attachment/{segment(attachment_id)}")
        return Attachment.model_validate(reply.object("data"))

    @measured(Endpoint.DOWNLOAD_ATTACHMENT)
    async def download_attachment(self, attachment_id: str) -> str:
        """https://support.huaweicloud.com/api-secmaster/DownloadAttachment.html.

        Returns a URL in object storage, good for a while; fetching it is the caller's affair.
        """
        reply = await self._get(f"/soc/attachment/{segment(attachment_id)}/download")
        url = reply.body.get("data")
        if not isinstance(url, str) or not url:
            raise reply.unreadable("without a download URL")
        return url


def _check(action: str, fields: Mapping[str, str]) -> None:
    for field in NEEDS.get(action, ()):
        if not fields[field]:
            raise ValueError(f"{action} needs {field}")


def _receipt(reply: Reply) -> Receipt:
    data = reply.body.get("data")
    task = answered(Task, data) if isinstance(data, dict) else None
    return Receipt(status=reply.status, request_id=reply.request_id, task=task)
