"""SecMaster's endpoints as methods, by SecMaster's own names.

Each method sends one request once and returns what SecMaster said, or raises one of the
errors. Deciding whether to ask again is left to the caller, who knows what is at stake.

https://support.huaweicloud.com/api-secmaster/
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from datetime import datetime
from typing import Any, Self

import httpx

from bot.network import STRAIGHT, Route, ends_at
from bot.secmaster.auth import Auth
from bot.secmaster.connection import (
    AT_ONCE,
    PATIENCE,
    TIMEOUT,
    WHOLE,
    RequestTrace,
    open_http,
    send_anyhow,
)
from bot.secmaster.errors import AnswerLost, Unreachable
from bot.secmaster.measured import Endpoint, OnRequest, ignore, measured
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
from bot.secmaster.replies import SECMASTER, Reply, broken, read
from bot.secmaster.values import stamp
from bot.secmaster.wire import JSON, base_url, json_body, query, segment

# Fields without which the action means nothing.
NEEDS: Mapping[str, tuple[str, ...]] = {
    TaskAction.ADD_COMMENT: ("comment",),
    TaskAction.DELETE_COMMENT: ("comment_id",),
    TaskAction.ADD_ATTACHMENT: ("attachment_id",),
    TaskAction.DELETE_ATTACHMENT: ("attachment_id",),
    CommandType.DEBUG: ("task_id", "input_dataobject"),
}


class SecMaster:
    """One workspace of SecMaster, asked with one credential.

    ``endpoint`` is ``https://secmaster.{region}.myhuaweicloud.com``. Ids are one path segment
    whatever they contain; an empty one is a ``ValueError`` before anything is sent. ``http`` is
    closed with it, and is one from ``open_http`` by default. ``auth`` may be exchanged at any time:
    a request keeps the one that it began with. ``on_request`` is told how each request ended.

    ``certificate_ends_at`` is when the certificate expires that the server showed last.
    """

    def __init__(  # noqa: PLR0913 - the workspace's address, its credential, and how it is asked
        self,
        *,
        endpoint: str,
        project_id: str,
        workspace_id: str,
        auth: Auth,
        timeout: httpx.Timeout = TIMEOUT,
        http: httpx.AsyncClient | None = None,
        on_request: OnRequest = ignore,
        route: Route = STRAIGHT,
    ) -> None:
        workspace = f"/v1/{segment(project_id)}/workspaces/{segment(workspace_id)}/soc"
        self._base = base_url(endpoint) + workspace
        self.on_request = on_request
        self.auth = auth
        self._http = http or open_http(timeout, route)
        self._peer = SECMASTER.at(self._base, route)
        self.certificate_ends_at: datetime | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def with_auth(self, auth: Auth) -> "SecMaster":
        """Return a client of the same workspace, over the same connections, that signs in so."""
        other = copy(self)
        other.auth = auth
        return other

    @measured(Endpoint.SHOW_TASK)
    async def show_task(self, task_id: str) -> Task:
        """https://support.huaweicloud.com/api-secmaster/ShowTask.html."""
        reply = await self._get(f"/tasks/{segment(task_id)}")
        return Task.model_validate(reply.object("data"))

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
        reply = await self._get("/tasks", params)
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
        path = f"/tasks/{segment(task_id)}"
        return await self._put(path, {"action": action, **fields}, before_send)

    @measured(Endpoint.SHOW_INSTANCE)
    async def show_workflow_instance(
        self, instance_id: str, *, show_topology: bool = True
    ) -> Instance:
        """https://support.huaweicloud.com/api-secmaster/ShowAopWorkflowInstance.html."""
        params = {"show_topology": "true" if show_topology else "false"}
        reply = await self._get(f"/workflows/instances/{segment(instance_id)}", params)
        # It comes without an envelope, so an id is all that tells it from any other object.
        if "id" not in reply.body:
            raise reply.unreadable("without a workflow instance")
        return Instance.model_validate(reply.body)

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
        reply = await self._get("/workflows/instances", params)
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
        path = f"/workflows/instances/{segment(instance_id)}"
        return await self._put(path, {"command_type": command_type, **fields}, before_send)

    @measured(Endpoint.UPLOAD_ATTACHMENT)
    async def upload_attachment(self, file_name: str, content: bytes) -> Attachment:
        """https://support.huaweicloud.com/api-secmaster/UploadAttachment.html."""
        if not file_name:
            raise ValueError("an attachment needs a file name")
        reply = await self._request(
            "POST",
            "/attachment/upload",
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
        reply = await self._get(f"/attachment/{segment(attachment_id)}")
        return Attachment.model_validate(reply.object("data"))

    @measured(Endpoint.DOWNLOAD_ATTACHMENT)
    async def download_attachment(self, attachment_id: str) -> str:
        """https://support.huaweicloud.com/api-secmaster/DownloadAttachment.html.

        Returns a URL in object storage, good for a while; fetching it is the caller's affair.
        """
        reply = await self._get(f"/attachment/{segment(attachment_id)}/download")
        url = reply.body.get("data")
        if not isinstance(url, str) or not url:
            raise reply.unreadable("without a download URL")
        return url

    @asynccontextmanager
    async def _connection_slot(self) -> AsyncIterator[None]:
        """Hold one of the connections; raises Unreachable when none is free for PATIENCE seconds.

        Waiting happens here because in httpx's pool each request that waits slows all others.
        """
        try:
            # Not wait_for: in Python 3.11 it may swallow that the caller is being cancelled.
            async with asyncio.timeout(PATIENCE):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unreachable(f"no connection was free within {PATIENCE} s") from error
        try:
            yield
        finally:
            self._slots.release()

    async def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Reply:
        return await self._request("GET", f"{path}?{query(params)}" if params else path)

    async def _put(
        self, path: str, fields: Mapping[str, Any], before_send: Callable[[], None]
    ) -> Receipt:
        content, headers = json_body(fields), {"Content-Type": JSON}
        trace = RequestTrace(before_send)
        reply = await self._request("PUT", path, trace, content=content, headers=headers)
        data = reply.body.get("data")
        task = Task.model_validate(data) if isinstance(data, dict) else None
        return Receipt(status=reply.status, request_id=reply.request_id, task=task)

    async def _request(
        self, method: str, path: str, trace: RequestTrace | None = None, **body: Any
    ) -> Reply:
        """Send one request, once: the only place of the client that touches the network."""
        url = self._base + path
        trace = trace or RequestTrace()
        body["extensions"] = {"trace": trace}
        try:
            async with self._connection_slot(), asyncio.timeout(WHOLE):
                response = await self._http.request(method, url, auth=self.auth, **body)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise broken(error, self._peer, may_be_sent=not trace.waits_for_tunnel) from error
        except TimeoutError as error:
            if trace.waits_for_tunnel:
                raise broken(error, self._peer, may_be_sent=False) from error
            raise AnswerLost(f"no whole answer within {WHOLE} s") from error
        if certificate := _certificate(response):
            self.certificate_ends_at = ends_at(certificate)
        return read(response, self._peer)


def _certificate(response: httpx.Response) -> Mapping[str, Any]:
    """Return the certificate of the server that answered, empty without TLS."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream else None
    return (tls and tls.getpeercert()) or {}


def _check(action: str, fields: Mapping[str, str]) -> None:
    for field in NEEDS.get(action, ()):
        if not fields[field]:
            raise ValueError(f"{action} needs {field}")
