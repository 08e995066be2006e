"""What the client sends, once, and what it makes of any answer."""

import asyncio
import gzip
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.secmaster import (
    LIMITS,
    TIMEOUT,
    AnswerLost,
    Auth,
    CommandType,
    Conflict,
    Finding,
    InstanceStatus,
    PlaybookOperation,
    QueryType,
    Refused,
    SecMaster,
    TaskAction,
    TokenAuth,
    Unavailable,
    Unreachable,
    Unreadable,
    open_http,
)
from bot.secmaster.connection import AT_ONCE
from bot.secmaster.models import Receipt
from bot.secmaster.wire import segment
from tests.support.http_stand import OpenClient, Stand, StartWire

SOC = "/v1/p1/workspaces/w1/soc"

OK = {"code": "00000000", "message": "", "success": True, "request_id": "r-body"}


async def approve(client: SecMaster) -> Receipt:
    return await client.update_task("t1", action=TaskAction.CONTINUE)


async def test_showing_a_task_asks_once_and_reads_it(stand: Stand, client: SecMaster) -> None:
    stand.says({**OK, "data": {"id": "t1", "name": "block ip"}})
    task = await client.show_task("t1")
    assert task.name == "block ip"
    [request] = stand.requests
    assert (request.method, request.target) == ("GET", f"{SOC}/tasks/t1")
    assert request.headers["x-auth-token"] == "given-token"
    assert request.headers["accept"] == "application/json"


async def test_approving_sends_the_action_as_documented(stand: Stand, client: SecMaster) -> None:
    stand.says({**OK, "data": {"id": "t1", "status": "finished"}}, X_Request_Id="r-header")
    receipt = await approve(client)
    [request] = stand.requests
    assert (request.method, request.target) == ("PUT", f"{SOC}/tasks/t1")
    assert request.headers["content-type"] == "application/json;charset=UTF-8"
    assert request.json == {"action": "CONTINUE"}
    assert receipt.task
    assert (receipt.status, receipt.request_id, receipt.task.status) == (
        200,
        "r-header",
        "finished",
    )


async def test_a_comment_is_sent_with_its_action(stand: Stand, client: SecMaster) -> None:
    await client.update_task("t1", action=TaskAction.ADD_COMMENT, comment="误报 🙂")
    assert stand.requests[0].json == {"action": "ADD_COMMENT", "comment": "误报 🙂"}


async def test_a_write_that_answers_without_the_task_is_still_a_success(
    stand: Stand, client: SecMaster
) -> None:
    stand.says({**OK, "data": "what"})
    assert (await approve(client)).task is None


@pytest.mark.parametrize(
    ("action", "missing"),
    [
        (TaskAction.ADD_COMMENT, "comment"),
        (TaskAction.DELETE_COMMENT, "comment_id"),
        (TaskAction.ADD_ATTACHMENT, "attachment_id"),
        (TaskAction.DELETE_ATTACHMENT, "attachment_id"),
    ],
)
async def test_an_action_without_what_it_needs_is_not_sent(
    stand: Stand, client: SecMaster, action: TaskAction, missing: str
) -> None:
    with pytest.raises(ValueError, match=f"needs {missing}"):
        await client.update_task("t1", action=action)
    assert stand.requests == []


async def test_retrying_an_instance_sends_only_the_command(stand: Stand, client: SecMaster) -> None:
    stand.says(OK)
    receipt = await client.update_workflow_instance("i1", command_type=CommandType.RETRY)
    [request] = stand.requests
    assert (request.method, request.target) == ("PUT", f"{SOC}/workflows/instances/i1")
    assert request.json == {"command_type": "ActionInstanceRetryCommand"}
    assert (receipt.request_id, receipt.task) == ("r-body", None)


async def test_debugging_a_node_sends_its_parameters_as_text(
    stand: Stand, client: SecMaster
) -> None:
    await client.update_workflow_instance(
        "i1", command_type=CommandType.DEBUG, task_id="n1", input_dataobject='[{"a":1}]'
    )
    assert stand.requests[0].json == {
        "command_type": "ActionInstanceDebugCommand",
        "task_id": "n1",
        "input_dataobject": '[{"a":1}]',
    }
    with pytest.raises(ValueError, match="input_dataobject"):
        await client.update_workflow_instance("i1", command_type=CommandType.DEBUG, task_id="n1")


async def test_listing_tasks_sends_only_what_was_given(stand: Stand, client: SecMaster) -> None:
    stand.says({**OK, "total": 12, "data": [{"id": "a"}, {"id": "b"}]})
    page = await client.list_tasks(
        offset=10,
        query_type=QueryType.ALL_HANDLED,
        name="a b+c",
        from_date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    assert (page.total, [task.id for task in page.tasks]) == (12, ["a", "b"])
    target = urlsplit(stand.requests[0].target)
    assert target.path == f"{SOC}/tasks"
    assert "name=a%20b%2Bc" in target.query
    assert dict(parse_qsl(target.query)) == {
        "offset": "10",
        "limit": "10",
        "query_type": "all_handled",
        "name": "a b+c",
        "from_date": "2026-01-02T03:04:05.000Z+0000",
    }


async def test_no_tasks_at_all_may_come_as_null(stand: Stand, client: SecMaster) -> None:
    stand.says({**OK, "total": 0, "data": None})
    assert (await client.list_tasks()).tasks == ()


async def test_an_instance_comes_without_an_envelope(stand: Stand, client: SecMaster) -> None:
    stand.says(
        {"id": "i1", "status": "RUNNING", "topology": {"audit_logs": [{"status": "RUNNING"}]}}
    )
    instance = await client.show_workflow_instance("i1")
    assert instance.status == InstanceStatus.RUNNING
    assert len(instance.nodes) == 1
    assert stand.requests[0].target == f"{SOC}/workflows/instances/i1?show_topology=true"
    await client.show_workflow_instance("i1", show_topology=False)
    assert stand.requests[1].target.endswith("?show_topology=false")


async def test_listing_instances_uses_their_own_words(stand: Stand, client: SecMaster) -> None:
    stand.says({"count": 1, "instances": [{"id": "i1"}]})
    page = await client.list_workflow_instances(status="FAILED", instance_id="i1", limit=100)
    assert (page.total, page.instances[0].id) == (1, "i1")
    assert dict(parse_qsl(urlsplit(stand.requests[0].target).query)) == {
        "offset": "0",
        "limit": "100",
        "id": "i1",
        "status": "FAILED",
    }


async def test_an_upload_is_a_form_with_the_file_in_it(stand: Stand, client: SecMaster) -> None:
    stand.says({**OK, "data": {"id": "a1", "file_name": "证据.txt"}})
    attachment = await client.upload_attachment("证据.txt", b"\x00bytes")
    assert attachment.id == "a1"
    [request] = stand.requests
    assert (request.method, request.target) == ("POST", f"{SOC}/attachment/upload")
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="fileType"\r\n\r\nuser_task' in request.body
    assert 'name="uploadFile"; filename="证据.txt"'.encode() in request.body
    assert b"\x00bytes" in request.body


async def test_an_upload_that_names_no_attachment_is_unreadable(
    stand: Stand, client: SecMaster
) -> None:
    stand.says({**OK, "data": {}})
    with pytest.raises(Unreadable):
        await client.upload_attachment("a.txt", b"")
    with pytest.raises(ValueError, match="file name"):
        await client.upload_attachment("", b"")


async def test_an_attachment_is_shown_and_located(stand: Stand, client: SecMaster) -> None:
    stand.says({**OK, "data": {"id": "a1", "is_deleted": False}})
    assert (await client.show_attachment("a1")).is_deleted is False
    stand.says({**OK, "data": "https://obs.example/x"})
    assert await client.download_attachment("a1") == "https://obs.example/x"
    assert [request.target for request in stand.requests] == [
        f"{SOC}/attachment/a1",
        f"{SOC}/attachment/a1/download",
    ]


FINDINGS: dict[str, Callable[[SecMaster], Awaitable[Finding]]] = {
    "/alerts/o1": lambda client: client.show_alert("o1"),
    "/incidents/o1": lambda client: client.show_incident("o1"),
    "/indicators/o1": lambda client: client.show_dataobject("indicators", "o1"),
}


@pytest.mark.parametrize("path", FINDINGS)
async def test_a_finding_is_read_with_what_lies_around_it(
    stand: Stand, client: SecMaster, path: str
) -> None:
    inner = {"id": "o1", "title": "Web shell", "severity": "High"}
    data = {"id": "o1", "dataclass_ref": {"id": "d1", "name": "Alert"}, "data_object": inner}
    stand.says({**OK, "data": data})
    finding = await FINDINGS[path](client)
    assert (finding.title, finding.severity, finding.dataclass_.name) == (
        "Web shell",
        "High",
        "Alert",
    )
    [request] = stand.requests
    assert (request.method, request.target) == ("GET", SOC + path)


async def test_a_resource_lies_beside_the_other_objects(stand: Stand, client: SecMaster) -> None:
    user = {"type": "USER", "name": "Ana Sousa"}
    stand.says({**OK, "data": {"id": "r1", "level": 0, "governance_user": user}})
    resource = await client.show_resource("r/1")
    assert (resource.level, resource.governance_user) == ("0", "Ana Sousa")
    assert stand.requests[0].target == "/v1/p1/workspaces/w1/sa/resources/r%2F1"


async def test_definitions_are_shown_by_their_ids(stand: Stand, client: SecMaster) -> None:
    stand.says({**OK, "data": {"id": "x1", "version_id": "v1", "status": "APPROVED"}})
    assert (await client.show_workflow("x1")).version_id == "v1"
    assert (await client.show_workflow_version("x1")).status == "APPROVED"
    assert (await client.show_playbook("x1")).version_id == "v1"
    assert (await client.show_playbook_version("x1")).status == "APPROVED"
    assert [request.target.removeprefix(SOC) for request in stand.requests] == [
        "/workflows/x1",
        "/workflows/versions/x1",
        "/playbooks/x1",
        "/playbooks/versions/x1",
    ]


async def test_playbook_instances_are_listed_and_shown_bare(
    stand: Stand, client: SecMaster
) -> None:
    stand.says({"count": 7, "instances": [{"id": "p1", "actions": []}, "odd"]})
    page = await client.list_playbook_instances(
        status="FAILED", date_type="START", from_date=datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert (page.total, page.instances[0].id) == (7, "p1")
    assert page.instances[0].actions is None  # its topology was not asked for
    assert dict(parse_qsl(urlsplit(stand.requests[0].target).query)) == {
        "offset": "0",
        "limit": "10",
        "status": "FAILED",
        "date_type": "START",
        "from_date": "2026-01-02T00:00:00.000Z+0000",
    }
    stand.says(
        {"id": "p1", "dataobject": {"id": "o1", "content": "{}"}, "evidence": {}, "actions": [{}]}
    )
    instance = await client.show_playbook_instance("p1")
    assert (instance.dataobject.id, instance.evidence, instance.actions) == ("o1", None, None)
    stand.says({"count": 1, "action_instances": [None, {"instance_log": {"instance_id": "i1"}}]})
    assert [one.instance_id for one in await client.show_playbook_topology("p1")] == ["i1"]
    assert [urlsplit(request.target).path for request in stand.requests] == [
        f"{SOC}/playbooks/instances",
        f"{SOC}/playbooks/instances/p1",
        f"{SOC}/playbooks/instances/p1/topology",
    ]


async def test_operating_a_playbook_instance_answers_with_the_instance(
    stand: Stand, client: SecMaster
) -> None:
    stand.says({"id": "p1", "status": "RETRYING"}, X_Request_Id="r-header")
    receipt = await client.operate_playbook_instance("p1", PlaybookOperation.RETRY)
    [request] = stand.requests
    assert (request.method, request.target) == ("POST", f"{SOC}/playbooks/instances/p1/operation")
    assert request.json == {"operation": "RETRY"}
    assert (receipt.status, receipt.request_id, receipt.instance.status) == (
        200,
        "r-header",
        "RETRYING",
    )


async def test_policy_records_are_searched_with_all_conditions(
    stand: Stand, client: SecMaster
) -> None:
    wrapped = {"data_object": {"block_target": "203.0.113.8"}, "id": "b2"}
    stand.says({**OK, "total": 2, "data": [{"block_target": "203.0.113.7"}, 7, wrapped]})
    page = await client.search_policy_records({"block_target": "203.0.113.7", "a": "b"}, limit=5)
    assert [one.block_target for one in page.records] == ["203.0.113.7", "203.0.113.8"]
    [request] = stand.requests
    assert (request.method, request.target) == ("POST", f"{SOC}/policy-records/search")
    assert request.headers["x-secmaster-version"] == "25.5.0"
    assert request.json == {
        "offset": 0,
        "limit": 5,
        "condition": {
            "conditions": [
                {"name": "block_target", "data": ["block_target", "=", "203.0.113.7"]},
                {"name": "a", "data": ["a", "=", "b"]},
            ],
            "logics": ["block_target", "and", "a"],
        },
    }
    await client.search_policy_records({})
    assert "condition" not in stand.requests[1].json


async def test_an_answer_never_brings_evidence_along(stand: Stand, client: SecMaster) -> None:
    evidence = {"finding": {"title": "made up"}, "decisive": True}
    stand.says({**OK, "data": {"id": "t1", "evidence": evidence}})
    assert (await client.show_task("t1")).evidence is None
    receipt = await approve(client)
    assert receipt.task
    assert receipt.task.evidence is None
    stand.says({**OK, "total": 1, "data": [{"id": "t1", "evidence": evidence}]})
    assert (await client.list_tasks()).tasks[0].evidence is None
    stand.says({"id": "i1", "evidence": evidence, "count": 1, "instances": [{"evidence": {}}]})
    assert (await client.show_workflow_instance("i1")).evidence is None
    assert (await client.list_workflow_instances()).instances[0].evidence is None


@pytest.mark.parametrize("body", [OK, {**OK, "data": "text"}, {**OK, "data": None}, {}, []])
async def test_a_reply_without_what_was_asked_for_is_unreadable(
    stand: Stand, client: SecMaster, body: object
) -> None:
    stand.says(body)
    for call in (
        client.show_task("t"),
        client.list_tasks(),
        client.show_workflow_instance("i"),
        client.list_workflow_instances(),
        client.show_attachment("a"),
        *(show(client) for show in FINDINGS.values()),
        client.show_resource("r"),
        client.search_policy_records({}),
        client.show_workflow("w"),
        client.show_workflow_version("w"),
        client.show_playbook("p"),
        client.show_playbook_version("p"),
        client.show_playbook_instance("p"),
        client.list_playbook_instances(),
        client.show_playbook_topology("p"),
        client.operate_playbook_instance("p", PlaybookOperation.TERMINATE),
    ):
        with pytest.raises(Unreadable):
            await call


@pytest.mark.parametrize("data", [None, 3, "", {}])
async def test_a_download_without_a_url_is_unreadable(
    stand: Stand, client: SecMaster, data: object
) -> None:
    stand.says({**OK, "data": data})
    with pytest.raises(Unreadable):
        await client.download_attachment("a1")


@pytest.mark.parametrize("status", [409, 429, 500, 503])
async def test_nothing_is_ever_sent_twice(stand: Stand, client: SecMaster, status: int) -> None:
    stand.says({"code": "x"}, status, Retry_After="0")
    with pytest.raises((Conflict, Unavailable)):
        await approve(client)
    assert len(stand.requests) == 1


async def test_a_redirect_is_not_followed(stand: Stand, client: SecMaster) -> None:
    stand.says(b"", 307, Location="/elsewhere")
    with pytest.raises(Unreadable):
        await approve(client)
    assert len(stand.requests) == 1


async def test_a_refusal_inside_a_200_is_a_refusal(stand: Stand, client: SecMaster) -> None:
    stand.says({"code": "SecMaster.20010", "message": "already handled", "success": False})
    with pytest.raises(Refused, match="already handled") as caught:
        await approve(client)
    assert caught.value.code == "SecMaster.20010"


async def test_html_in_place_of_an_answer_is_unreadable(stand: Stand, client: SecMaster) -> None:
    stand.says(b"<html>login</html>", Content_Type="text/html")
    with pytest.raises(Unreadable) as caught:
        await approve(client)
    assert "html" not in str(caught.value)


async def test_nobody_there_means_nothing_was_sent(client_for: OpenClient) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # taken, but nobody listens
        client = await client_for(f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(Unreachable) as caught:
            await approve(client)
    assert not caught.value.in_doubt


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        HEAD + b"Content-Length: 400\r\n\r\n" + b'{"code":"00000000"',
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["hang-up", "half a status", "half a body", "half a chunk", "not HTTP", "not gzip"],
)
async def test_an_answer_that_breaks_off_is_lost_and_in_doubt(
    wire: StartWire, client_for: OpenClient, answer: bytes
) -> None:
    url, requests = await wire(answer)
    client = await client_for(url)
    with pytest.raises(AnswerLost) as caught:
        await approve(client)
    assert caught.value.in_doubt
    assert len(requests) == 1


async def test_a_compressed_answer_is_read(wire: StartWire, client_for: OpenClient) -> None:
    body = gzip.compress(b'{"code":"00000000","data":{"id":"t1"}}')
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    client = await client_for((await wire(head + body))[0])
    assert (await client.show_task("t1")).id == "t1"


@pytest.mark.parametrize("answer", [b"", HEAD + b"Content-Length: 400\r\n\r\n{"])
async def test_a_server_that_stops_answering_leaves_a_doubt(
    wire: StartWire, client_for: OpenClient, answer: bytes
) -> None:
    url, requests = await wire(answer, hang_up=False)
    client = await client_for(url, wait=httpx.Timeout(5, read=0.05))
    with pytest.raises(AnswerLost, match="ReadTimeout"):
        await approve(client)
    assert len(requests) == 1


async def test_waiting_in_vain_for_a_free_connection_sends_nothing(stand: Stand) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(open_http(httpx.Timeout(5, pool=0.05)))
        for _ in range(AT_ONCE):
            await stack.enter_async_context(http.stream("GET", stand.url))
        client = SecMaster(
            endpoint=stand.url, project_id="p", workspace_id="w", auth=TokenAuth("t"), http=http
        )
        with pytest.raises(Unreachable):
            await approve(client)
    assert len(stand.requests) == AT_ONCE


class SlowAuth(Auth):
    """Waits for a credential, before the first request and where that is refused."""

    def __init__(self, on_credential: Callable[[], None]) -> None:
        self._on_credential = on_credential

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        self._on_credential()
        response = yield request
        if response.status_code == 401:
            self._on_credential()
            yield request


class NameLost(BaseException):
    """What a caller raises who may not send any more."""


@pytest.mark.parametrize("waits", [1, 2], ids=["for a credential", "for another credential"])
async def test_a_write_asks_whether_it_may_be_sent_after_it_has_waited_for_its_credential(
    stand: Stand, client_for: OpenClient, waits: int
) -> None:
    credentials: list[int] = []
    client = await client_for(stand.url, SlowAuth(lambda: credentials.append(1)))
    stand.says({}, status=401)

    def check() -> None:
        if len(credentials) == waits:
            raise NameLost

    for write in (
        client.update_task("t1", action=TaskAction.CONTINUE, before_send=check),
        client.update_workflow_instance("i1", command_type=CommandType.RETRY, before_send=check),
        client.operate_playbook_instance("p1", PlaybookOperation.RETRY, before_send=check),
    ):
        credentials.clear()
        stand.requests.clear()
        with pytest.raises(NameLost):
            await write
        assert len(stand.requests) == waits - 1
    stand.says({**OK, "data": {"id": "t1"}})
    await client.show_task("t1")  # the connection is free


async def test_a_write_asks_whether_it_may_be_sent_once_it_has_a_connection(
    stand: Stand, client: SecMaster
) -> None:
    is_lost = False

    def check() -> None:
        if is_lost:
            raise NameLost

    async with AsyncExitStack() as slots:
        for _ in range(AT_ONCE):
            await slots.enter_async_context(client._connection_slot())  # noqa: SLF001
        write = client.update_task("t1", action=TaskAction.CONTINUE, before_send=check)
        waiting = asyncio.ensure_future(write)
        await asyncio.sleep(0)
        is_lost = True
    with pytest.raises(NameLost):
        await waiting
    assert stand.requests == []


async def test_the_client_goes_on_after_an_answer_was_lost(
    wire: StartWire, client_for: OpenClient
) -> None:
    url, requests = await wire(b"")
    client = await client_for(url)
    for _ in range(12):
        with pytest.raises(AnswerLost):
            await approve(client)
    assert len(requests) == 12


@pytest.mark.parametrize("identifier", ["", " ", ".", "..", " .. "])
async def test_an_id_that_is_no_id_is_refused_before_anything_is_sent(
    stand: Stand, client: SecMaster, identifier: str
) -> None:
    for call in (
        client.show_task(identifier),
        client.update_task(identifier, action=TaskAction.CONTINUE),
        client.show_workflow_instance(identifier),
        client.update_workflow_instance(identifier, command_type=CommandType.RETRY),
        client.show_attachment(identifier),
        client.download_attachment(identifier),
    ):
        with pytest.raises(ValueError, match="an id"):
            await call
    assert stand.requests == []


@pytest.mark.parametrize(
    "identifier", ["../w2", "a/../../b", "a?x=1", "a#b", "a%2Fb", "任务", "a b;c"]
)
async def test_an_id_cannot_leave_its_place_in_the_path(
    stand: Stand, client: SecMaster, identifier: str
) -> None:
    stand.says({**OK, "data": {}})
    await client.show_task(identifier)
    target = stand.requests[0].target
    prefix = f"{SOC}/tasks/"
    assert target.startswith(prefix)
    assert unquote(target.removeprefix(prefix)) == identifier


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_id_is_exactly_one_segment_of_the_url(identifier: str) -> None:
    if identifier.strip() in ("", ".", ".."):
        with pytest.raises(ValueError, match="an id"):
            segment(identifier)
        return
    path = httpx.URL(f"https://x.example/tasks/{segment(identifier)}/end").raw_path.decode()
    assert path.count("/") == 3
    assert unquote(path.split("/")[2]) == identifier


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "secmaster.example",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x?y=1",
        "http://x\n",
    ],
)
def test_an_endpoint_that_is_none_is_refused_at_the_start(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        SecMaster(endpoint=endpoint, project_id="p", workspace_id="w", auth=TokenAuth("t"))


async def test_connections_are_few_and_direct_and_every_wait_has_an_end(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert None not in TIMEOUT.as_dict().values()
    assert LIMITS.max_connections == 8
    async with open_http() as http:
        assert not http.follow_redirects
        assert not http.trust_env
        assert http.timeout == TIMEOUT
        responses = await asyncio.gather(*(http.get(stand.url) for _ in range(20)))
    assert {response.http_version for response in responses} == {"HTTP/1.1"}
    assert len({request.peer for request in stand.requests}) <= 8
