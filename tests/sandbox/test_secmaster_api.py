import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.sandbox.secmaster.scheduler import TIMER
from bot.sandbox.secmaster.wire import BUSINESS_TYPES, STATUSES, read_stamp
from bot.sandbox.secmaster.world import World
from tests.support.secmaster_caller import SOC, Caller, signed

LIN = Person("user-lin", "Lin Yue")
RETRY = {"command_type": "ActionInstanceRetryCommand"}


@pytest.fixture
async def sandbox() -> AsyncIterator[SecMasterSandbox]:
    sandbox = SecMasterSandbox(pace=0)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def http(sandbox: SecMasterSandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-Auth-Token": "demo-token"}
    async with httpx.AsyncClient(base_url=sandbox.url, headers=headers, timeout=5) as http:
        yield http


@pytest.fixture
def caller(http: httpx.AsyncClient) -> Caller:
    return Caller(http)


def status_of(sandbox: SecMasterSandbox, id_: str) -> str:
    status: str = (sandbox.world.tasks | sandbox.world.instances)[id_]["status"]
    return status


def assert_refused(answer: httpx.Response, status: int = 400) -> None:
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] != "00000000"
    assert answer.headers["X-Request-Id"]


# The world it starts with


def test_the_seeded_tasks_cover_every_type_and_status(sandbox: SecMasterSandbox) -> None:
    tasks = sandbox.world.tasks.values()
    assert len(tasks) == 15
    assert Counter(task["business_type"] for task in tasks) == {
        "WORKFLOWNODEAPPROVE": 7,
        "PLAYBOOKNODEAPPROVE": 3,
        "WORKFLOWPUBLISH": 2,
        "PLAYBOOKPUBLISH": 3,
    }
    assert set(BUSINESS_TYPES) == {task["business_type"] for task in tasks}
    by_status = Counter(task["status"] for task in tasks)
    assert by_status == {"waiting": 12, "finished": 2, "canceled": 1}


def test_some_seeded_tasks_are_overdue_and_some_are_due_within_three_hours(
    sandbox: SecMasterSandbox,
) -> None:
    now = datetime.now(UTC)
    waiting = [one for one in sandbox.world.tasks.values() if one["status"] == "waiting"]
    left = [read_stamp(one["due_date"]) - now for one in waiting if one["due_date"]]
    assert sum(one < timedelta() for one in left) == 2
    assert sum(timedelta() < one < timedelta(hours=3) for one in left) == 3
    assert {"CONTINUE", "INTERRUPT", ""} == {one["due_handle"] for one in waiting}


def test_the_seeded_instances_cover_every_status_and_failures_say_why(
    sandbox: SecMasterSandbox,
) -> None:
    instances = sandbox.world.instances.values()
    assert {one["status"] for one in instances} == set(STATUSES)
    for one in instances:
        nodes = one["topology"]["audit_logs"]
        assert 3 <= len(nodes) <= 5
        failed = [node for node in nodes if node["status"] == "FAILED"]
        assert bool(failed) is (one["status"] == "FAILED")
        assert all(node["error_msg"] for node in failed)


def test_every_waiting_node_approval_holds_up_a_running_instance(sandbox: SecMasterSandbox) -> None:
    for task in sandbox.world.tasks.values():
        if (task["business_type"], task["status"]) == ("WORKFLOWNODEAPPROVE", "waiting"):
            instance = sandbox.world.instance(task["action_instance_id"])
            assert instance["status"] == "RUNNING"
            assert instance["topology"]["audit_logs"][-1]["action_name"] == "Approval"


def test_ids_are_the_same_in_two_fresh_sandboxes_and_all_different() -> None:
    def ids(world: World) -> list[str]:
        nodes = [
            node["action_id"]
            for instance in world.instances.values()
            for node in instance["topology"]["audit_logs"]
        ]
        return [*world.tasks, *world.instances, *world.attachments, *nodes]

    one, other = ids(SecMasterSandbox().world), ids(SecMasterSandbox().world)
    assert one == other
    assert len(set(one)) == len(one)
    assert {len(id_) for id_ in one} == {36}


def test_parameters_are_json_in_strings(sandbox: SecMasterSandbox) -> None:
    task = sandbox.world.task(seed.TASK_ISOLATE)
    assert json.loads(task["handle_parameters"])[0]["key"] == "duration_hours"
    assert json.loads(task["view_parameters"])[0]["value"] == "ecs-web-07"


async def test_times_carry_a_literal_z_and_an_offset(caller: Caller) -> None:
    task = await caller.show(seed.TASK_ISOLATE)
    assert task["create_time"].endswith("Z+0800")


# Who is asking


# Computed with openssl from the canonical request written out by hand. It names no project, and so
# is for the key's own.
HAND_SIGNED = {
    "Host": "localhost",
    "X-Sdk-Date": "20250819T065342Z",
    "Authorization": (
        "SDK-HMAC-SHA256 Access=demo-ak, SignedHeaders=host;x-sdk-date, "
        "Signature=21fa5a4c1d018d3085a0945ff2402d7fc66a4189477c042da388a715a74091b9"
    ),
}


async def send(request: httpx.Request) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.send(request)


async def test_a_right_signature_is_let_in(sandbox: SecMasterSandbox) -> None:
    url = f"{sandbox.url}{SOC}/tasks?name=IAM%20user&note=006&limit=5"
    answer = await send(signed(url))
    assert answer.status_code == 200
    assert [task["id"] for task in answer.json()["data"]] == [seed.TASK_DISABLE_USER]
    assert sandbox.requests[-1].signed_by == "aksk"


async def test_a_signed_body_is_checked_too(sandbox: SecMasterSandbox) -> None:
    url = f"{sandbox.url}{SOC}/tasks/{seed.TASK_ISOLATE}"
    request = signed(url, method="PUT", body={"action": "CONTINUE"})
    other = httpx.Request("PUT", url, headers=request.headers, content=b'{"action":"TERMINATE"}')
    assert (await send(other)).status_code == 401
    assert (await send(request)).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"sk": "other"},
        {"ak": "other"},
        {"late": timedelta(minutes=16)},
        {"late": timedelta(minutes=-16)},
        {"x_security_token": "not configured"},
        {"content_type": "text/plain"},
    ],
    ids=str,
)
async def test_a_wrong_signature_is_a_401_in_the_gateways_shape(
    sandbox: SecMasterSandbox, wrong: dict[str, Any]
) -> None:
    if "late" in wrong:
        wrong = {"at": datetime.now(UTC) - wrong["late"]}
    answer = await send(signed(f"{sandbox.url}{SOC}/tasks", **wrong))
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "APIGW.0301"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert "demo-sk" not in answer.text


async def test_a_signed_request_is_for_the_project_that_it_names_or_for_the_keys_own(
    sandbox: SecMasterSandbox,
) -> None:
    url = f"{sandbox.url}{SOC}/tasks"
    named = signed(url)
    assert (await send(named)).status_code == 200
    other = await send(signed(url, x_project_id="other"))
    assert (other.status_code, other.json()["error_code"]) == (403, "APIGW.0302")
    upload: dict[str, Any] = {"x_sdk_content_sha256": "UNSIGNED-PAYLOAD"}
    answer = await send(
        signed(url, content_type="text/plain", x_project_id="other", **upload),
    )
    assert answer.status_code == 403
    named.headers["X-Project-Id"] = "demo-default-project"
    assert (await send(named)).status_code == 401  # the signature covers it


async def test_a_project_that_is_not_signed_is_a_401() -> None:
    then = datetime(2025, 8, 19, 6, 53, 42, tzinfo=UTC)
    sandbox = SecMasterSandbox(clock=lambda: then)
    await sandbox.start()
    request = httpx.Request("GET", f"{sandbox.url}{SOC}/tasks?limit=1", headers=HAND_SIGNED)
    assert (await send(request)).status_code == 403  # for the key's own project
    request.headers["X-Project-Id"] = "demo-project"
    assert (await send(request)).status_code == 401
    await sandbox.stop()


async def test_the_clock_that_counts_is_the_sandboxs() -> None:
    then = datetime(2025, 8, 19, 6, 53, 42, tzinfo=UTC)
    sandbox = SecMasterSandbox(clock=lambda: then)
    await sandbox.start()
    url = f"{sandbox.url}{SOC}/tasks"
    late = await send(signed(url, at=then + timedelta(minutes=16)))
    assert "15 minutes" in late.json()["error_msg"]
    assert (await send(signed(url, at=then + timedelta(minutes=14)))).status_code == 200
    await sandbox.stop()


async def test_a_hand_computed_signature_is_let_in() -> None:
    then = datetime(2025, 8, 19, 6, 53, 42, tzinfo=UTC)
    sandbox = SecMasterSandbox(clock=lambda: then, default_project_id="demo-project")
    await sandbox.start()
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        answer = await http.get(f"{SOC}/tasks?limit=1", headers=HAND_SIGNED)
    await sandbox.stop()
    assert answer.status_code == 200


async def test_an_unsigned_payload_is_for_bodies_that_are_not_json(
    sandbox: SecMasterSandbox,
) -> None:
    url = f"{sandbox.url}{SOC}/tasks"
    unsigned: dict[str, Any] = {"x_sdk_content_sha256": "UNSIGNED-PAYLOAD"}
    assert (await send(signed(url, content_type="text/plain", **unsigned))).status_code == 200
    assert (await send(signed(url, **unsigned))).status_code == 401


async def test_temporary_credentials_need_their_security_token() -> None:
    sandbox = SecMasterSandbox(security_token="temporary")
    await sandbox.start()
    url = f"{sandbox.url}{SOC}/tasks"
    assert (await send(signed(url))).status_code == 401
    assert (await send(signed(url, x_security_token="temporary"))).status_code == 200
    unsigned = signed(url)
    unsigned.headers["X-Security-Token"] = "temporary"
    assert (await send(unsigned)).status_code == 401
    await sandbox.stop()


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Auth-Token": "stolen"}, {"X-Auth-Token": b"\xff"}, {"Authorization": "Basic x"}],
    ids=str,
)
async def test_no_proof_or_a_false_one_is_a_401(
    sandbox: SecMasterSandbox, headers: dict[str, Any]
) -> None:
    answer = await send(httpx.Request("GET", f"{sandbox.url}{SOC}/tasks", headers=headers))
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "APIGW.0301"


async def test_another_project_is_a_403_and_another_workspace_a_404(
    http: httpx.AsyncClient,
) -> None:
    other = await http.get(SOC.replace("demo-project", "other") + "/tasks")
    assert (other.status_code, other.json()["error_code"]) == (403, "APIGW.0302")
    assert_refused(await http.get(SOC.replace("demo-workspace", "other") + "/tasks"), 404)


async def test_an_unknown_path_is_a_404_from_the_gateway(http: httpx.AsyncClient) -> None:
    for answer in (await http.get(f"{SOC}/nothing"), await http.delete(f"{SOC}/tasks")):
        assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")
        assert answer.headers["X-Request-Id"]


def password(**changes: Any) -> dict[str, Any]:
    user = {"name": "demo", "password": "demo", "domain": {"name": "demo"}} | changes
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": {"id": "demo-project"}}}}


async def test_a_token_is_issued_for_a_password_and_lets_in(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    issued = await http.post("/v3/auth/tokens", json=password())
    assert issued.status_code == 201
    expires = datetime.fromisoformat(issued.json()["token"]["expires_at"])
    assert timedelta(hours=23) < expires - datetime.now(UTC) <= timedelta(hours=24)
    headers = {"X-Auth-Token": issued.headers["X-Subject-Token"]}
    assert (await http.get(f"{SOC}/tasks", headers=headers)).status_code == 200
    assert sandbox.requests[-1].signed_by == "iam"
    assert len(sandbox.writes("CreateToken")) == 1
    sandbox.authenticator.revoke()
    assert (await http.get(f"{SOC}/tasks", headers=headers)).status_code == 401


async def test_an_issued_token_ends_after_a_day() -> None:
    now = [datetime(2025, 8, 19, tzinfo=UTC)]
    sandbox = SecMasterSandbox(clock=lambda: now[0])
    await sandbox.start()
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        issued = await http.post("/v3/auth/tokens", json=password())
        headers = {"X-Auth-Token": issued.headers["X-Subject-Token"]}
        now[0] += timedelta(hours=23)
        assert (await http.get(f"{SOC}/tasks", headers=headers)).status_code == 200
        now[0] += timedelta(hours=1)
        assert (await http.get(f"{SOC}/tasks", headers=headers)).status_code == 401
    await sandbox.stop()


async def test_a_wrong_password_is_a_401_and_a_wrong_body_a_400_in_iams_shape(
    http: httpx.AsyncClient,
) -> None:
    wrong = await http.post("/v3/auth/tokens", json=password(password="guess"))
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, 401)
    assert (await http.post("/v3/auth/tokens", json={})).status_code == 400
    assert (await http.post("/v3/auth/tokens", content=b"{")).status_code == 400


# Tasks


async def test_continue_finishes_the_task_and_its_instance_goes_on(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    answer = await caller.update(seed.TASK_ISOLATE, "CONTINUE")
    envelope = answer.json()
    assert answer.status_code == 200
    assert (envelope["code"], envelope["success"], envelope["message"]) == ("00000000", True, "")
    assert envelope["request_id"] == answer.headers["X-Request-Id"]
    task = envelope["data"]
    assert (task["status"], task["approver"]) == ("finished", "secmaster-bot")
    assert task["modifier_name"] == "secmaster-bot"
    assert task["update_time"] > task["create_time"]
    await sandbox.until(lambda: status_of(sandbox, seed.INSTANCE_ISOLATE) == "FINISHED")
    instance = (await caller.instance(seed.INSTANCE_ISOLATE, show_topology="true")).json()
    nodes = instance["topology"]["audit_logs"]
    assert [node["action_name"] for node in nodes[-2:]] == ["Approval", "Isolate host"]
    assert all(node["succeed"] for node in nodes)


async def test_terminate_cancels_the_task_and_ends_its_instance(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    answer = await caller.update(seed.TASK_BLOCK_IP, "TERMINATE")
    assert answer.json()["data"]["status"] == "canceled"
    assert status_of(sandbox, seed.INSTANCE_BLOCK_IP) == "TERMINATED"


@pytest.mark.parametrize("task_id", [seed.TASK_FINISHED, seed.TASK_CANCELED])
@pytest.mark.parametrize("action", ["CONTINUE", "TERMINATE"])
async def test_a_decided_task_is_not_decided_again(
    sandbox: SecMasterSandbox, caller: Caller, task_id: str, action: str
) -> None:
    before = json.dumps(sandbox.world.task(task_id))
    assert_refused(await caller.update(task_id, action))
    assert json.dumps(sandbox.world.task(task_id)) == before
    assert sandbox.writes("UpdateTask") == []


@pytest.mark.parametrize(
    "task_id", [seed.TASK_PLAYBOOK, seed.TASK_PUBLISH_WORKFLOW, seed.TASK_SPARSE]
)
async def test_a_task_without_a_workflow_instance_is_just_decided(
    caller: Caller, task_id: str
) -> None:
    assert (await caller.update(task_id, "CONTINUE")).json()["data"]["status"] == "finished"


async def test_comments_come_and_go(caller: Caller) -> None:
    added = (await caller.update(seed.TASK_SPARSE, "ADD_COMMENT", comment="看过了")).json()["data"]
    (comment,) = added["comments"]
    assert (comment["message"], comment["user_name"]) == ("看过了", "secmaster-bot")
    assert isinstance(comment["time"], int)
    gone = await caller.update(seed.TASK_SPARSE, "DELETE_COMMENT", comment_id=comment["id"])
    assert gone.json()["data"]["comments"] == []
    again = await caller.update(seed.TASK_SPARSE, "DELETE_COMMENT", comment_id=comment["id"])
    assert_refused(again, 404)


async def test_a_comment_may_be_long_but_not_endless(caller: Caller) -> None:
    longest = await caller.update(seed.TASK_FINISHED, "ADD_COMMENT", comment="x" * 4096)
    assert longest.status_code == 200
    assert_refused(await caller.update(seed.TASK_FINISHED, "ADD_COMMENT", comment="x" * 4097))


async def test_attachments_are_listed_once_and_taken_off(caller: Caller) -> None:
    async def change(action: str) -> httpx.Response:
        return await caller.update(
            seed.TASK_ISOLATE, action, attachment_id=seed.ATTACHMENT_UNLISTED
        )

    assert_refused(await change("DELETE_ATTACHMENT"))
    added = await change("ADD_ATTACHMENT")
    assert added.json()["data"]["attachment_id_list"] == [seed.ATTACHMENT_UNLISTED]
    assert_refused(await change("ADD_ATTACHMENT"))
    taken_off = await change("DELETE_ATTACHMENT")
    assert taken_off.json()["data"]["attachment_id_list"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": ""},
        {"action": "APPROVE"},
        {"action": ["CONTINUE"]},
        {"action": "ADD_COMMENT"},
        {"action": "ADD_COMMENT", "comment": "  "},
        {"action": "DELETE_COMMENT"},
        {"action": "ADD_ATTACHMENT"},
        {"action": "DELETE_ATTACHMENT"},
    ],
    ids=str,
)
async def test_an_incomplete_update_is_a_400(caller: Caller, body: dict[str, Any]) -> None:
    assert_refused(await caller.update(seed.TASK_ISOLATE, **body))


async def test_a_body_that_is_no_json_object_is_a_400(http: httpx.AsyncClient) -> None:
    for content in (b"", b"[]", b"{"):
        assert_refused(await http.put(f"{SOC}/tasks/{seed.TASK_ISOLATE}", content=content))


async def test_unknown_ids_are_404(caller: Caller, http: httpx.AsyncClient) -> None:
    for path in ("tasks/none", "workflows/instances/none", "attachment/none"):
        assert_refused(await http.get(f"{SOC}/{path}"), 404)
    assert_refused(await http.get(f"{SOC}/attachment/none/download"), 404)
    assert_refused(await caller.update("none", "CONTINUE"), 404)
    assert_refused(await caller.command("none", "Retry"), 404)
    unknown = await caller.update(seed.TASK_ISOLATE, "ADD_ATTACHMENT", attachment_id="none")
    assert_refused(unknown, 404)


# Instances


async def test_a_retry_retries_runs_and_finishes(sandbox: SecMasterSandbox, caller: Caller) -> None:
    answer = await caller.command(seed.INSTANCE_FAILED, "Retry")
    assert set(answer.json()) == {"code", "message", "success", "request_id"}
    await sandbox.until(lambda: status_of(sandbox, seed.INSTANCE_FAILED) == "FINISHED")
    instance = (await caller.instance(seed.INSTANCE_FAILED, show_topology="true")).json()
    assert instance["retry_count"] == 1
    assert [node["status"] for node in instance["topology"]["audit_logs"]] == ["FINISHED"] * 3
    assert instance["topology"]["audit_logs"][-1]["error_msg"] == ""


async def test_a_retry_goes_through_its_statuses_one_step_at_a_time() -> None:
    world = SecMasterSandbox().world
    world.update_instance(seed.INSTANCE_FAILED, RETRY, LIN)
    statuses = [world.instance(seed.INSTANCE_FAILED)["status"]]
    while seed.INSTANCE_FAILED in world.moving:
        world.advance(seed.INSTANCE_FAILED)
        statuses.append(world.instance(seed.INSTANCE_FAILED)["status"])
    assert statuses == ["RETRYING", "RUNNING", "FINISHED"]


async def test_a_retry_may_fail_again_and_be_retried_again(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    for count in (1, 2):
        await caller.command(seed.INSTANCE_FAILED_AGAIN, "Retry")
        await sandbox.until(lambda: status_of(sandbox, seed.INSTANCE_FAILED_AGAIN) == "FAILED")
        instance = (await caller.instance(seed.INSTANCE_FAILED_AGAIN, show_topology="true")).json()
        assert instance["retry_count"] == count
        assert "Max retries exceeded" in instance["topology"]["audit_logs"][-1]["error_msg"]


@pytest.mark.parametrize(
    "instance_id",
    [
        seed.INSTANCE_RUNNING,
        seed.INSTANCE_RETRYING,
        seed.INSTANCE_FINISHED,
        seed.INSTANCE_TERMINATING,
        seed.INSTANCE_TERMINATED,
    ],
)
async def test_only_a_failed_instance_can_be_retried(
    sandbox: SecMasterSandbox, caller: Caller, instance_id: str
) -> None:
    assert_refused(await caller.command(instance_id, "Retry"))
    assert sandbox.writes("UpdateWorkflowInstance", instance_id) == []


@pytest.mark.parametrize(
    "instance_id", [seed.INSTANCE_RUNNING, seed.INSTANCE_RETRYING, seed.INSTANCE_FAILED]
)
async def test_an_instance_that_has_not_ended_can_be_terminated(
    sandbox: SecMasterSandbox, caller: Caller, instance_id: str
) -> None:
    assert (await caller.command(instance_id, "Terminate")).status_code == 200
    await sandbox.until(lambda: status_of(sandbox, instance_id) == "TERMINATED")
    assert_refused(await caller.command(instance_id, "Terminate"))


async def test_terminating_an_instance_leaves_its_task_canceled(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    await caller.command(seed.INSTANCE_ISOLATE, "Terminate")
    await sandbox.until(lambda: status_of(sandbox, seed.TASK_ISOLATE) == "canceled")
    assert_refused(await caller.update(seed.TASK_ISOLATE, "CONTINUE"))


async def test_debug_adds_parameters_to_a_nodes_input(caller: Caller) -> None:
    async def node() -> Any:
        response = await caller.instance(seed.INSTANCE_DEBUG, show_topology="true")
        return response.json()["topology"]["audit_logs"][0]

    before = await node()
    parameters = '[{"key": "uuid", "value": "11f8ebde"}]'
    answer = await caller.command(
        seed.INSTANCE_DEBUG, "Debug", task_id=before["action_id"], input_dataobject=parameters
    )
    assert answer.status_code == 200
    added = json.loads((await node())["input"])[-1]
    assert added == {"key": "uuid", "value": "11f8ebde"}


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": ""},
        {"task_id": "none"},
        {"input_dataobject": ""},
        {"input_dataobject": "{}"},
        {"input_dataobject": "[not json"},
        {"input_dataobject": [{"key": "uuid"}]},
    ],
    ids=str,
)
async def test_debug_needs_a_node_and_a_json_array_in_a_string(
    sandbox: SecMasterSandbox, caller: Caller, change: dict[str, Any]
) -> None:
    instance = sandbox.world.instance(seed.INSTANCE_DEBUG)
    right = {
        "task_id": instance["topology"]["audit_logs"][0]["action_id"],
        "input_dataobject": "[]",
    }
    assert_refused(await caller.command(seed.INSTANCE_DEBUG, "Debug", **(right | change)))


async def test_debug_is_not_for_an_instance_that_has_ended(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    node = sandbox.world.instance(seed.INSTANCE_FINISHED)["topology"]["audit_logs"][0]
    answer = await caller.command(
        seed.INSTANCE_FINISHED, "Debug", task_id=node["action_id"], input_dataobject="[]"
    )
    assert_refused(answer)


async def test_an_unknown_command_is_a_400(caller: Caller) -> None:
    assert_refused(await caller.command(seed.INSTANCE_FAILED, "Restart"))


async def test_an_instance_comes_bare_and_with_its_topology_only_when_asked(caller: Caller) -> None:
    bare = (await caller.instance(seed.INSTANCE_RUNNING)).json()
    assert bare["id"] == seed.INSTANCE_RUNNING
    assert "topology" not in bare
    full = (await caller.instance(seed.INSTANCE_RUNNING, show_topology="true")).json()
    assert {key: full[key] for key in bare} == bare
    assert full["topology"]["audit_logs"][-1]["status"] == "RUNNING"


# Lists


async def ids(answer: httpx.Response) -> list[str]:
    return [task["id"] for task in answer.json()["data"]]


async def test_pages_of_tasks_neither_repeat_nor_lose_one(caller: Caller) -> None:
    pages = [(await caller.tasks(offset=at, limit=5)).json() for at in (0, 5, 10, 15)]
    assert [len(page["data"]) for page in pages] == [5, 5, 2, 0]
    assert {(page["total"], page["size"]) for page in pages} == {(12, 5)}
    assert [page["page"] for page in pages] == [1, 2, 3, 4]
    assert len({task["id"] for page in pages for task in page["data"]}) == 12


async def test_ten_tasks_come_when_nothing_is_said(caller: Caller) -> None:
    answer = await caller.tasks()
    times = [task["create_time"] for task in answer.json()["data"]]
    assert len(times) == 10
    assert times == sorted(times, reverse=True)


async def test_tasks_are_filtered(caller: Caller) -> None:
    async def found(**query: Any) -> set[str]:
        return set(await ids(await caller.tasks(limit=100, **query)))

    handled = {seed.TASK_FINISHED, seed.TASK_CANCELED, seed.TASK_PUBLISHED}
    assert await found(query_type="all_handled") == handled
    assert await found(name="恶意IP") == {seed.TASK_CHINESE}
    assert await found(creator_name="王芳") == {seed.TASK_CHINESE}
    assert await found(note="006") == {seed.TASK_DISABLE_USER}
    publish = {seed.TASK_PUBLISH_WORKFLOW, seed.TASK_PUBLISH_WORKFLOW_SOON}
    assert await found(business_type="WORKFLOWPUBLISH") == publish
    chinese = await caller.show(seed.TASK_CHINESE)
    overdue = await found(to_date=chinese["create_time"])
    assert overdue == {seed.TASK_CHINESE, seed.TASK_PLAYBOOK_OVERDUE}
    since = await found(from_date=chinese["create_time"])
    assert seed.TASK_PLAYBOOK_OVERDUE not in since
    assert len(since) == 11


async def test_tasks_are_sorted_as_asked(caller: Caller) -> None:
    await caller.update(seed.TASK_CHINESE, "ADD_COMMENT", comment="now")
    newest = await ids(await caller.tasks(sort_key="update_time"))
    oldest = await ids(await caller.tasks(sort_dir="ASC"))
    assert newest[0] == seed.TASK_CHINESE
    assert oldest[0] == seed.TASK_PLAYBOOK_OVERDUE


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "ten"},
        {"offset": -1},
        {"offset": 10000},
        {"sort_key": "name"},
        {"sort_dir": "UP"},
        {"query_type": "mine"},
        {"business_type": "OTHER"},
        {"from_date": "2025-08-19"},
    ],
    ids=str,
)
async def test_a_query_out_of_bounds_is_a_400(caller: Caller, query: dict[str, Any]) -> None:
    assert_refused(await caller.tasks(**query))


async def test_instances_are_filtered_and_paged(caller: Caller) -> None:
    async def found(**query: Any) -> set[str]:
        reply = (await caller.instances(limit=100, **query)).json()
        assert reply["count"] == len(reply["instances"])
        return {one["id"] for one in reply["instances"]}

    failed = {seed.INSTANCE_FAILED, seed.INSTANCE_FAILED_AGAIN, seed.INSTANCE_FAILED_SCRIPT}
    assert await found(status="FAILED") == failed
    assert await found(trigger_type="DEBUG") == {seed.INSTANCE_DEBUG}
    assert await found(id=seed.INSTANCE_RUNNING) == {seed.INSTANCE_RUNNING}
    assert await found(name="blocklist") == {seed.INSTANCE_FAILED_AGAIN}
    assert await found(defence_id="defense-07") == {seed.INSTANCE_FAILED}
    assert await found(dataobject_id="alert-07") == {seed.INSTANCE_FAILED}
    blocking = {seed.INSTANCE_BLOCK_IP, seed.INSTANCE_CHINESE, seed.INSTANCE_FAILED_AGAIN}
    assert await found(workflow_id=seed.WORKFLOW_BLOCKING) == blocking
    assert await found(playbook_id="none") == set()
    assert await found(dataclass_id="none") == set()
    page = (await caller.instances(limit=3, offset=12)).json()
    assert (page["count"], len(page["instances"])) == (14, 2)
    assert_refused(await caller.instances(status="BROKEN"))
    assert_refused(await caller.instances(offset=10001))


# Attachments


async def test_a_file_goes_up_is_listed_and_comes_down_again(
    sandbox: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    content = bytes(range(256)) * 40
    uploaded = (await caller.upload("证据.bin", content)).json()
    attach_id = uploaded["data"]["id"]
    assert uploaded["data"] == {
        "id": attach_id,
        "file_name": "证据.bin",
        "workspace_id": "demo-workspace",
    }
    added = await caller.update(seed.TASK_ISOLATE, "ADD_ATTACHMENT", attachment_id=attach_id)
    assert added.json()["data"]["attachment_id_list"] == [attach_id]
    attachment = (await http.get(f"{SOC}/attachment/{attach_id}")).json()["data"]
    assert (attachment["file_name"], attachment["creator_name"]) == ("证据.bin", "secmaster-bot")
    link = (await http.get(f"{SOC}/attachment/{attach_id}/download")).json()["data"]
    assert link.startswith(sandbox.url)
    async with httpx.AsyncClient() as anyone:
        assert (await anyone.get(link)).content == content
        assert (await anyone.get(link + "0")).status_code == 403


async def test_an_upload_needs_its_file_and_its_type(
    caller: Caller, http: httpx.AsyncClient
) -> None:
    assert_refused(await caller.upload("a.txt", b"a", fileType="picture"))
    assert_refused(await http.post(f"{SOC}/attachment/upload", json={"fileType": "user_task"}))
    parts = {"fileType": (None, "user_task"), "uploadFile": (None, "no file")}
    assert_refused(await http.post(f"{SOC}/attachment/upload", files=parts))


async def test_a_broken_form_is_a_400(sandbox: SecMasterSandbox, http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for content in (b"--x\r\nnothing", b"no boundary at all"):
        url = f"{SOC}/attachment/upload"
        assert_refused(await http.post(url, content=content, headers=headers))
    assert sandbox.writes("UploadAttachment") == []


async def test_an_upload_beyond_the_gateways_limit_is_a_413(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    answer = await caller.upload("big.bin", bytes(64 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error_code"]) == (413, "APIGW.0201")
    assert sandbox.requests[-1].status == 413


async def test_a_signed_upload_goes_unhashed(sandbox: SecMasterSandbox) -> None:
    form = httpx.Request(
        "POST",
        f"{sandbox.url}{SOC}/attachment/upload",
        data={"fileType": "user_task"},
        files={"uploadFile": ("a.txt", b"a")},
    )
    request = signed(
        str(form.url),
        method="POST",
        content_type=form.headers["content-type"],
        x_sdk_content_sha256="UNSIGNED-PAYLOAD",
    )
    headers = {**request.headers, "content-length": form.headers["content-length"]}
    answer = await send(httpx.Request("POST", form.url, headers=headers, content=form.read()))
    assert answer.status_code == 200
    assert [one.body for one in sandbox.writes("UploadAttachment")] == [None]


# Trouble


async def test_a_throttled_call_says_when_to_come_back(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    await sandbox.faults.set(Fault(on="UpdateTask", status=429, retry_after=7, times=1))
    answer = await caller.update(seed.TASK_ISOLATE, "CONTINUE")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error_code"] == "APIGW.0308"
    assert answer.headers["X-Request-Id"]
    assert sandbox.writes("UpdateTask") == []
    assert sandbox.requests[-1].status == 429
    assert (await caller.update(seed.TASK_ISOLATE, "CONTINUE")).status_code == 200


@pytest.mark.parametrize(
    ("fault", "shape"),
    [
        ({"status": 500}, ["code", "message"]),
        ({"status": 409, "code": "SecMaster.1"}, ["code", "message"]),
        ({"status": 403}, ["error_code", "error_msg", "request_id"]),
        ({"status": 503}, ["error_code", "error_msg", "request_id"]),
        ({"status": 400, "code": "APIGW.0106"}, ["error_code", "error_msg", "request_id"]),
        ({"status": 200, "code": "SecMaster.1"}, ["code", "message", "request_id", "success"]),
    ],
    ids=str,
)
async def test_a_fault_is_worded_as_the_service_or_the_gateway_would(
    sandbox: SecMasterSandbox, caller: Caller, fault: dict[str, Any], shape: list[str]
) -> None:
    await sandbox.faults.set(Fault(on="ListTasks", **fault))
    answer = await caller.tasks()
    assert answer.status_code == fault["status"]
    assert sorted(answer.json()) == shape


async def test_iam_has_trouble_in_its_own_shape(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    await sandbox.faults.set(Fault(on="CreateToken", status=503))
    answer = await http.post("/v3/auth/tokens", json=password())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, 503)


@pytest.mark.parametrize(("applied", "status"), [(False, "waiting"), (True, "finished")])
async def test_a_hang_up_loses_the_request_or_only_its_answer(
    sandbox: SecMasterSandbox, caller: Caller, applied: bool, status: str
) -> None:
    await sandbox.faults.set(Fault(on="UpdateTask", hang_up=True, applied=applied))
    with pytest.raises(httpx.TransportError):
        await caller.update(seed.TASK_ISOLATE, "CONTINUE")
    assert status_of(sandbox, seed.TASK_ISOLATE) == status
    assert len(sandbox.writes("UpdateTask", seed.TASK_ISOLATE)) == int(applied)
    assert [one.status for one in sandbox.requests] == [200 if applied else 0]
    assert sandbox.requests[0].body == {"action": "CONTINUE"}


async def test_a_proxy_may_answer_html_after_the_write_was_done(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    await sandbox.faults.set(Fault(on="UpdateTask", html=True, applied=True))
    answer = await caller.update(seed.TASK_ISOLATE, "CONTINUE")
    assert answer.status_code == 502
    assert answer.text.startswith("<html>")
    assert answer.headers["X-Request-Id"] == sandbox.writes("UpdateTask")[0].request_id


async def test_an_answer_may_drip_and_still_be_whole(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    await sandbox.faults.set(Fault(on="ListAopWorkflowInstance", drip=0.00001))
    answer = await caller.instances(limit=1)
    assert answer.json()["count"] == 14
    assert answer.headers["X-Request-Id"]


async def test_an_answer_may_be_cut_in_the_middle(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    await sandbox.faults.set(Fault(on="UpdateTask", cut=True))
    with pytest.raises(httpx.TransportError):
        await caller.update(seed.TASK_ISOLATE, "CONTINUE")
    assert len(sandbox.writes("UpdateTask")) == 1


async def test_a_delayed_answer_comes_late(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    await sandbox.faults.set(Fault(on="ShowTask", delay=0.2, times=1))
    with pytest.raises(httpx.ReadTimeout):
        await http.get(f"{SOC}/tasks/{seed.TASK_ISOLATE}", timeout=0.05)
    await sandbox.until(lambda: len(sandbox.requests) == 1)
    assert sandbox.requests[0].status == 0


async def test_a_held_write_has_no_effect_when_its_caller_has_gone(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    await sandbox.faults.set(Fault(on="UpdateTask", hold=True))
    write = asyncio.create_task(caller.update(seed.TASK_ISOLATE, "CONTINUE"))
    await sandbox.faults.until_held("UpdateTask")
    write.cancel()
    await asyncio.gather(write, return_exceptions=True)
    await caller.tasks()
    await sandbox.faults.clear()
    await sandbox.until(lambda: len(sandbox.requests) == 2)
    assert status_of(sandbox, seed.TASK_ISOLATE) == "waiting"
    assert sandbox.writes("UpdateTask") == []


async def test_a_write_held_after_it_was_done_is_known_at_once(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    await sandbox.faults.set(Fault(on="UpdateTask", hold=True, applied=True))
    write = asyncio.create_task(caller.update(seed.TASK_ISOLATE, "CONTINUE"))
    await sandbox.until(lambda: len(sandbox.writes("UpdateTask")) == 1)
    await sandbox.faults.clear()
    assert (await write).json()["data"]["status"] == "finished"
    assert len(sandbox.requests) == 1


async def test_faults_can_be_switched_over_http(http: httpx.AsyncClient) -> None:
    await http.post("/_sandbox/faults", json={"on": "*", "status": 500})
    assert (await http.get(f"{SOC}/tasks")).status_code == 500
    await http.delete("/_sandbox/faults")
    assert (await http.get(f"{SOC}/tasks")).status_code == 200


# Its own controls


async def test_the_state_shows_tasks_and_instances(http: httpx.AsyncClient) -> None:
    state = (await http.get("/_sandbox/state")).json()
    assert (len(state["tasks"]), len(state["instances"])) == (15, 14)
    assert state["clock"] == {"tasks_every": 0, "failures_every": 0}


async def test_the_requests_are_shown_without_secrets(
    caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.update(seed.TASK_ISOLATE, "CONTINUE")
    response = await http.get("/_sandbox/requests")
    (one,) = response.json()["requests"]
    assert (one["endpoint"], one["signed_by"], one["applied"]) == ("UpdateTask", "token", True)
    assert "demo-token" not in response.text


async def test_someone_else_decides_in_the_console(caller: Caller, http: httpx.AsyncClient) -> None:
    path = f"tasks/{seed.TASK_ISOLATE}/decide"
    decided = await caller.control(path, action="TERMINATE", user_name="Lin Yue")
    assert (decided.json()["status"], decided.json()["approver"]) == ("canceled", "Lin Yue")
    assert (await caller.control(path, action="CONTINUE")).status_code == 400
    assert (await caller.control(path, action="LATER")).status_code == 400
    assert (await http.get("/_sandbox/requests")).json() == {"requests": []}


async def test_a_new_task_brings_the_run_it_holds_up(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    added = (await caller.control("tasks", name="Look at this")).json()
    assert (await caller.show(added["id"]))["status"] == "waiting"
    assert (await caller.update(added["id"], "CONTINUE")).status_code == 200
    await sandbox.until(lambda: status_of(sandbox, added["action_instance_id"]) == "FINISHED")


async def test_a_running_instance_can_be_made_to_fail(caller: Caller) -> None:
    failed = await caller.control(f"instances/{seed.INSTANCE_RUNNING}/fail", error_msg="no disk")
    assert failed.json()["status"] == "FAILED"
    assert failed.json()["topology"]["audit_logs"][-1]["error_msg"] == "no disk"
    again = await caller.control(f"instances/{seed.INSTANCE_RUNNING}/fail")
    assert again.status_code == 400


async def test_an_instance_can_be_added_that_breaks_whenever_retried(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    added = (await caller.control("instances", status="FAILED", relapse="still no disk")).json()
    await caller.command(added["id"], "Retry")
    await sandbox.until(lambda: status_of(sandbox, added["id"]) == "FAILED")
    node = sandbox.world.instance(added["id"])["topology"]["audit_logs"][0]
    assert node["error_msg"] == "still no disk"


async def test_tasks_and_failures_arrive_on_a_clock_until_it_is_stopped(
    sandbox: SecMasterSandbox, caller: Caller
) -> None:
    def arrived() -> bool:
        failed = [one for one in sandbox.world.instances.values() if one["status"] == "FAILED"]
        return len(sandbox.world.tasks) >= 15 + 5 and len(failed) >= 3 + 4

    await caller.control("clock", tasks_every=0.001, failures_every=0.001)
    await sandbox.until(arrived)
    stopped = await caller.control("clock")
    assert stopped.json() == {"tasks_every": 0, "failures_every": 0}
    assert (await caller.control("clock", tasks_every=-1)).status_code == 400


async def test_stopping_ends_everything_and_the_world_survives_a_restart(
    sandbox: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.update(seed.TASK_ISOLATE, "TERMINATE")
    await caller.control("clock", tasks_every=1000)
    await sandbox.faults.set(Fault(on="ShowTask", hold=True))
    held = asyncio.create_task(caller.show(seed.TASK_BLOCK_IP))
    reader = asyncio.create_task(http.get("/_sandbox/news"))
    await sandbox.faults.until_held("ShowTask")
    url = sandbox.url
    await sandbox.stop()
    await asyncio.gather(held, reader, return_exceptions=True)
    with pytest.raises(httpx.TransportError):
        await caller.tasks()
    await sandbox.start(port=int(url.rsplit(":", 1)[1]))
    assert sandbox.url == url
    assert (await caller.show(seed.TASK_ISOLATE))["status"] == "canceled"


async def test_stopping_ends_the_timers_of_runs_and_arrivals() -> None:
    sandbox = SecMasterSandbox(pace=1000)
    await sandbox.start()
    sandbox.world.update_instance(seed.INSTANCE_FAILED, RETRY, LIN)
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        await Caller(http).control("clock", tasks_every=1000, failures_every=1000)
    timers = [task for task in asyncio.all_tasks() if task.get_name() == TIMER]
    assert len(timers) == 4
    await sandbox.stop()
    assert all(timer.done() for timer in timers)
    assert status_of(sandbox, seed.INSTANCE_FAILED) == "RETRYING"
