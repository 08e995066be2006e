"""What the local SecMaster says around a task: the service's shapes, seeds that hang together."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import FINDINGS, READS, Person, SecMasterSandbox, seed
from tests.support.secmaster_caller import SOC, Caller

LIN = Person("user-lin", "Lin Yue")
WAITING, FAILED = seed.PLAYBOOK_INSTANCE_WAITING, seed.PLAYBOOK_INSTANCE_FAILED
RECORDS = f"{SOC}/policy-records/search"
VERSION = {"X-Secmaster-Version": "25.5.0"}


class Clock:
    """A time that stands still until a test lets it pass."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[SecMasterSandbox]:
    sandbox = SecMasterSandbox(clock=clock, pace=0)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def http(sandbox: SecMasterSandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-Auth-Token": "demo-token"}
    async with httpx.AsyncClient(base_url=sandbox.url, headers=headers) as client:
        yield client


async def data_of(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = (await http.get(f"{SOC}/{path}")).json()
    assert (answer["code"], answer["success"]) == ("00000000", True)
    data: dict[str, Any] = answer["data"]
    return data


async def bare(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await http.get(f"{SOC}/playbooks/instances{path}")).json()
    assert "code" not in answer
    return answer


async def test_each_waiting_node_approval_leads_to_what_it_is_about(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    plurals = {"Alert": "alerts", "Incident": "incidents"}
    for task in list(sandbox.world.tasks.values()):
        if (task["business_type"], task["status"]) == ("WORKFLOWNODEAPPROVE", "waiting"):
            run = await data_of_run(http, task["action_instance_id"])
            assert run["playbook"]["id"]
            plural = plurals[run["dataclass"]["en_name"]]
            finding = await data_of(http, f"{plural}/{run['dataobject_id']}")
            assert finding["data_object"]["title"]
            assert finding["dataclass_ref"]["id"] == run["dataclass"]["id"]


async def data_of_run(http: httpx.AsyncClient, id_: str) -> dict[str, Any]:
    run: dict[str, Any] = (await http.get(f"{SOC}/workflows/instances/{id_}")).json()
    return run


async def test_findings_have_the_types_of_the_real_ones(http: httpx.AsyncClient) -> None:
    alert = (await data_of(http, f"alerts/{seed.ALERT_WEB_SHELL}"))["data_object"]
    assert json.loads(alert["description"])["shells"] == 3
    [connection] = alert["network_list"]
    assert (connection["src_port"], connection["dest_port"]) == (51514, "443")
    assert (alert["owner"], alert["resource_list"][0]["tags"]) == (None, {"team": "web"})
    incident = (await data_of(http, f"incidents/{seed.INCIDENT_LEAKED_KEY}"))["data_object"]
    assert incident["resource_list"][0]["tags"] == "team=quality"
    indicator = await data_of(http, f"indicators/{seed.INDICATOR}")
    assert indicator["data_object"]["environment"] is None
    resources = SOC.replace("/soc", "/sa") + f"/resources/{seed.RESOURCE_KEY}"
    resource = (await http.get(resources)).json()["data"]
    assert (resource["level"], resource["department"]["name"]) == (2, "Web shop")


ABSENT = {
    f"alerts/{seed.ALERT_DELETED}": 404,
    f"incidents/{seed.ALERT_WEB_SHELL}": 404,
    "unicorns/1": 400,
    "workflows/1": 404,
    "workflows/versions/1": 404,
    "playbooks/1": 404,
    "playbooks/versions/1": 404,
    "playbooks/instances/1": 404,
    "playbooks/instances/1/topology": 404,
    "playbooks/instances?limit=0": 400,
    "playbooks/instances?limit=9000&offset=1000": 400,
    "playbooks/instances?status=BROKEN": 400,
    "playbooks/instances?trigger_type=MANUAL": 400,
}


async def test_what_is_not_there_is_refused_with_a_code(http: httpx.AsyncClient) -> None:
    for path, status in ABSENT.items():
        answer = await http.get(f"{SOC}/{path}")
        assert (answer.status_code, path) == (status, path)
        assert answer.json()["code"].startswith("SecMaster.")


async def test_an_alert_is_counted_on_and_can_be_changed(
    http: httpx.AsyncClient, clock: Clock
) -> None:
    path = f"alerts/{seed.ALERT_SCAN}"
    before = await data_of(http, path)
    assert await data_of(http, path) == before
    clock.time += timedelta(seconds=150)
    after = await data_of(http, path)
    assert after["data_object"]["count"] == before["data_object"]["count"] + 2
    assert after["update_time"] > before["update_time"]
    assert (await data_of(http, path)) == after
    change = {"severity": "Fatal", "handle_status": "Closed", "count": 9}
    await Caller(http).control(f"findings/{seed.ALERT_SCAN}", **change)
    assert change.items() <= (await data_of(http, path))["data_object"].items()
    answer = await Caller(http).control(f"findings/{seed.ALERT_SCAN}", severity="Worst")
    assert answer.status_code == 400
    assert (await Caller(http).control("findings/none")).status_code == 404


async def test_a_new_task_and_a_new_instance_may_be_about_a_finding(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    caller = Caller(http)
    finding = {"severity": "High", "asset": "ecs-1", "level": 0, "addresses": ["203.0.113.9"]}
    task = (await caller.control("tasks", finding=finding)).json()
    run = await data_of_run(http, task["action_instance_id"])
    alert = (await data_of(http, f"alerts/{run['dataobject_id']}"))["data_object"]
    assert (alert["severity"], alert["network_list"][0]["src_ip"]) == ("High", "203.0.113.9")
    resource = sandbox.world.findings.resource(alert["resource_list"][0]["id"])
    assert (resource["name"], resource["level"]) == ("ecs-1", 0)
    incident = {"dataclass": "Incident", "id": "incident-9"}
    added = (await caller.control("instances", finding=incident)).json()
    assert (added["dataobject_id"], added["dataclass"]["en_name"]) == ("incident-9", "Incident")
    kind = "PLAYBOOKNODEAPPROVE"
    task = (await caller.control("tasks", business_type=kind, finding={"id": "alert-9"})).json()
    playbook = await bare(http, f"/{task['action_instance_id']}")
    assert playbook["dataobject"]["id"] == "alert-9"


async def test_playbook_instances_are_listed_as_asked(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient, clock: Clock
) -> None:
    async def found(**query: str) -> set[str]:
        page = (await http.get(f"{SOC}/playbooks/instances", params=query)).json()
        assert page["count"] == len(page["instances"])
        return {one["id"] for one in page["instances"]}

    assert len(await found()) == len(sandbox.world.playbooks.instances) == 7
    assert await found(status="FAILED") == {FAILED, seed.PLAYBOOK_INSTANCE_FAILED_AGAIN}
    assert await found(trigger_type="TIMER") == {seed.PLAYBOOK_INSTANCE_RUNNING}
    assert await found(playbook_name="Phishing") == {WAITING}
    overdue = {seed.PLAYBOOK_INSTANCE_OVERDUE}
    assert await found(dataclass_name="Incident") == overdue
    assert await found(dataobject_name="svc-backup", name="Credential") == overdue
    stamp = (clock.time - timedelta(minutes=45)).strftime("%Y-%m-%dT%H:%M:%S.000Z+0000")
    assert await found(from_date=stamp) == {WAITING}
    assert len(await found(to_date=stamp, date_type="END")) == 3
    page = (await http.get(f"{SOC}/playbooks/instances?limit=2&offset=6")).json()
    assert (page["count"], len(page["instances"])) == (7, 1)


async def operate(http: httpx.AsyncClient, id_: str, operation: str) -> httpx.Response:
    path = f"{SOC}/playbooks/instances/{id_}/operation"
    return await http.post(path, json={"operation": operation})


async def test_a_retry_of_a_playbook_instance_retries_its_failed_runs(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    topology = await bare(http, f"/{FAILED}/topology")
    logs = [action["instance_log"] for action in topology["action_instances"]]
    assert [log["instance_id"] for log in logs] == [seed.INSTANCE_FINISHED, seed.INSTANCE_FAILED]
    assert [log["status"] for log in logs] == ["FINISHED", "FAILED"]
    assert "APIGW.0308" in logs[1]["error_msg"]
    answer = (await operate(http, FAILED, "RETRY")).json()
    assert (answer["id"], answer["status"]) == (FAILED, "RETRYING")
    playbook, run = (
        sandbox.world.playbooks.get(FAILED),
        sandbox.world.instance(seed.INSTANCE_FAILED),
    )
    await sandbox.until(lambda: playbook["status"] == "FINISHED")
    assert (run["status"], run["retry_count"]) == ("FINISHED", 1)
    again = await operate(http, FAILED, "RETRY")
    assert (again.status_code, again.json()["code"]) == (400, "SecMaster.20030007")
    assert (await operate(http, FAILED, "PAUSE")).status_code == 400
    assert len(sandbox.writes("ChangePlaybookInstance", FAILED)) == 1


async def test_a_playbook_instance_fails_again_with_its_run(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    id_ = seed.PLAYBOOK_INSTANCE_FAILED_AGAIN
    playbook = sandbox.world.playbooks.get(id_)
    assert (await operate(http, id_, "RETRY")).json()["status"] == "RETRYING"
    await sandbox.until(lambda: playbook["status"] == "FAILED")
    assert sandbox.world.instance(seed.INSTANCE_FAILED_AGAIN)["retry_count"] == 1


async def test_terminating_a_playbook_instance_ends_its_runs_and_its_task(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    id_ = seed.PLAYBOOK_INSTANCE_OVERDUE
    assert (await operate(http, id_, "TERMINATE")).json()["status"] == "TERMINATING"
    playbook, run = sandbox.world.playbooks.get(id_), sandbox.world.instance(seed.INSTANCE_RUNNING)
    await sandbox.until(lambda: playbook["status"] == run["status"] == "TERMINATED")
    assert sandbox.world.task(seed.TASK_PLAYBOOK_OVERDUE)["status"] == "canceled"


async def test_an_approval_lets_a_playbook_instance_start_its_next_run(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    playbook = sandbox.world.playbooks.get(WAITING)
    topology = await bare(http, f"/{WAITING}/topology")
    assert topology["action_instances"][-1]["instance_log"]["status"] == "RUNNING"
    await Caller(http).update(seed.TASK_PLAYBOOK, "CONTINUE")
    await sandbox.until(lambda: playbook["status"] == "FINISHED")
    topology = await bare(http, f"/{WAITING}/topology")
    run = topology["action_instances"][-1]["instance_log"]["instance_id"]
    assert sandbox.world.instance(run)["status"] == "FINISHED"
    await Caller(http).update(seed.TASK_LONG, "TERMINATE")
    long = sandbox.world.playbooks.get(seed.PLAYBOOK_INSTANCE_LONG)
    assert (long["status"], "content" in long["dataobject"]) == ("TERMINATED", True)


async def test_a_blocking_run_leaves_its_records_once_it_is_finished(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    data = ["block_target", "=", "203.0.113.77"]
    condition = {"name": "block_target", "data": data}
    body = {"limit": 9, "condition": {"conditions": [condition], "logics": ["block_target"]}}
    answer = (await http.post(RECORDS, json=body, headers=VERSION)).json()
    assert (answer["total"], answer["data"]) == (0, [])
    await Caller(http).update(seed.TASK_BLOCK_IP, "CONTINUE")
    run = sandbox.world.instance(seed.INSTANCE_BLOCK_IP)
    await sandbox.until(lambda: run["status"] == "FINISHED")
    [record] = (await http.post(RECORDS, json=body, headers=VERSION)).json()["data"]
    assert record["workflow_instance"]["workflow_instance_id"] == run["id"]
    lines = {line["defense_type"]: line for line in record["defense_policy_list"]}
    assert lines["WAF"]["defense_block_status"] == "SUCCESS"
    assert "quota" in lines["VPC"]["defense_failure_description"]
    assert sandbox.requests[-1].write is False
    assert (await http.post(RECORDS, json=body)).status_code == 400
    data[1] = "~"
    assert (await http.post(RECORDS, json=body, headers=VERSION)).status_code == 400


async def test_what_is_to_be_published_differs_from_what_is_active(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    for id_ in (seed.TASK_PUBLISH_WORKFLOW, seed.TASK_PUBLISH_WORKFLOW_SOON):
        task = sandbox.world.task(id_)
        workflow = await data_of(http, f"workflows/{task['action_id']}")
        assert workflow["current_approval_version_id"] == task["action_version_id"]
        versions = [
            await data_of(http, f"workflows/versions/{version_id}")
            for version_id in (workflow["version_id"], task["action_version_id"])
        ]
        active, submitted = (
            [node["name"] for node in json.loads(base64.b64decode(one["taskflow"]))["nodes"]]
            for one in versions
        )
        assert active != submitted
    task = sandbox.world.task(seed.TASK_PUBLISH_PLAYBOOK)
    playbook = await data_of(http, f"playbooks/{task['action_id']}")
    assert playbook["unaudited_version_id"] == task["action_version_id"]
    before = await data_of(http, f"playbooks/versions/{playbook['version_id']}")
    after = await data_of(http, f"playbooks/versions/{task['action_version_id']}")
    assert len(before["actions"]) < len(after["actions"])


async def test_a_region_without_the_reads_and_a_user_without_the_right(
    sandbox: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    async def refusal(path: str) -> tuple[int, str]:
        answer = await http.get(f"{SOC}/{path}")
        return answer.status_code, answer.json().get("error_code", "")

    alert, playbook = f"alerts/{seed.ALERT_SCAN}", f"playbooks/instances/{WAITING}"
    await Caller(http).control("reads", refused="all")
    assert await refusal(alert) == await refusal(playbook) == (404, "APIGW.0101")
    assert (await http.get(f"{SOC}/tasks")).status_code == 200
    await Caller(http).control("reads", refused="findings")
    assert (await refusal(alert), await refusal(playbook)) == ((403, "APIGW.0302"), (200, ""))
    await Caller(http).control("reads")
    await sandbox.faults.set(Fault(on="ShowAlert", html=True, times=1))
    assert (await http.get(f"{SOC}/{alert}")).text.startswith("<html>")
    assert await refusal(alert) == (200, "")
    assert set(FINDINGS) < set(READS)
    state = (await http.get("/_sandbox/state")).json()
    assert set(READS) <= set(state["endpoints"])
