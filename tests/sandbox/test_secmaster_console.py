import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from tests.support.secmaster_caller import SOC, Caller, signed


@pytest.fixture
async def http(secmaster: SecMasterSandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-Auth-Token": "demo-token"}
    async with httpx.AsyncClient(base_url=secmaster.url, headers=headers, timeout=5) as http:
        yield http


@pytest.fixture
def caller(http: httpx.AsyncClient) -> Caller:
    return Caller(http)


async def state(http: httpx.AsyncClient) -> Any:
    return (await http.get("/_sandbox/state")).json()


async def requests(http: httpx.AsyncClient, **query: str | int) -> Any:
    return (await http.get("/_sandbox/requests", params=query)).json()["requests"]


async def happened(http: httpx.AsyncClient, id_: str) -> list[tuple[str, str, str]]:
    events = (await state(http))["history"][id_]
    return [(one["what"], one["by"], one["via"]) for one in events]


# What happened to an object


async def test_a_task_remembers_who_did_what_and_by_which_way_in(
    secmaster: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    path = f"tasks/{seed.TASK_ISOLATE}"
    url = f"{secmaster.url}{SOC}/{path}"
    body = {"action": "ADD_COMMENT", "comment": "seen"}
    await http.send(signed(url, method="PUT", body=body))
    await caller.update(seed.TASK_ISOLATE, "ADD_ATTACHMENT", attachment_id=seed.ATTACHMENT_REPORT)
    await caller.control(f"{path}/decide", action="CONTINUE", user_name="Lin Yue")
    assert await happened(http, seed.TASK_ISOLATE) == [
        ("created", "system", ""),
        ("commented", "secmaster-bot", "aksk demo-ak"),
        ("file attached", "secmaster-bot", "token"),
        ("continued", "Lin Yue", "console"),
    ]
    details = [one["detail"] for one in (await state(http))["history"][seed.TASK_ISOLATE]]
    assert details == ["", "seen", "web-shells.txt", ""]


async def test_what_was_removed_is_still_told(caller: Caller, http: httpx.AsyncClient) -> None:
    id_ = seed.TASK_DISABLE_USER
    await caller.update(id_, "DELETE_COMMENT", comment_id=seed.COMMENT_FIRST)
    await caller.update(id_, "DELETE_ATTACHMENT", attachment_id=seed.ATTACHMENT_REPORT)
    *_, comment, file = (await state(http))["history"][id_]
    assert (comment["what"], file["what"]) == ("comment removed", "file taken off")
    assert comment["detail"].startswith("The key was used")
    assert file["detail"] == "web-shells.txt"


async def test_an_instance_remembers_its_failures_and_retries(
    secmaster: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.command(seed.INSTANCE_FAILED_AGAIN, "Retry")
    instance = secmaster.world.instance(seed.INSTANCE_FAILED_AGAIN)
    await secmaster.until(lambda: instance["status"] == "FAILED" and instance["retry_count"] == 1)
    assert await happened(http, seed.INSTANCE_FAILED_AGAIN) == [
        ("started", "", ""),
        ("failed at Respond", "", ""),
        ("retried", "secmaster-bot", "token"),
        ("failed at Respond", "", ""),
    ]
    last = (await state(http))["history"][seed.INSTANCE_FAILED_AGAIN][-1]
    assert "ConnectTimeoutError" in last["detail"]


async def test_an_approval_shows_at_the_run_it_held_up(
    secmaster: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.update(seed.TASK_ISOLATE, "CONTINUE")
    instance = secmaster.world.instance(seed.INSTANCE_ISOLATE)
    await secmaster.until(lambda: instance["status"] == "FINISHED")
    whats = [what for what, _, _ in await happened(http, seed.INSTANCE_ISOLATE)]
    assert whats == ["started", "reached Isolate host", "finished"]


async def test_a_terminated_run_cancels_its_task_by_itself(
    secmaster: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.command(seed.INSTANCE_ISOLATE, "Terminate")
    await secmaster.until(lambda: secmaster.world.task(seed.TASK_ISOLATE)["status"] == "canceled")
    run = await happened(http, seed.INSTANCE_ISOLATE)
    assert run[1:] == [("told to terminate", "secmaster-bot", "token"), ("terminated", "", "")]
    task = await happened(http, seed.TASK_ISOLATE)
    assert task[1:] == [("canceled with its instance", "", "")]


async def test_a_failure_made_in_the_console_says_so(
    caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.control(f"instances/{seed.INSTANCE_RUNNING}/fail", error_msg="no disk")
    assert (await happened(http, seed.INSTANCE_RUNNING))[-1] == ("failed at Respond", "", "console")


async def test_what_is_refused_leaves_no_trace(caller: Caller, http: httpx.AsyncClient) -> None:
    before = (await state(http))["history"]
    assert (await caller.update(seed.TASK_FINISHED, "CONTINUE")).status_code == 400
    assert (await caller.command(seed.INSTANCE_RUNNING, "Retry")).status_code == 400
    assert (await state(http))["history"] == before


# What was asked


async def test_requests_are_narrowed_to_an_object_to_writes_and_to_the_newest(
    caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.show(seed.TASK_ISOLATE)
    await caller.update(seed.TASK_ISOLATE, "ADD_COMMENT", comment="one")
    await caller.update(seed.TASK_BLOCK_IP, "ADD_COMMENT", comment="two")
    await caller.tasks()
    await http.post("/v3/auth/tokens", json={})
    everything = [one["endpoint"] for one in await requests(http)]
    assert everything == ["ShowTask", "UpdateTask", "UpdateTask", "ListTasks", "CreateToken"]
    about = await requests(http, target=seed.TASK_ISOLATE)
    assert [(one["endpoint"], one["write"]) for one in about] == [
        ("ShowTask", False),
        ("UpdateTask", True),
    ]
    writes = await requests(http, writes=1)
    assert [one["body"]["comment"] for one in writes] == ["one", "two"]
    newest = await requests(http, limit=2)
    assert [one["endpoint"] for one in newest] == ["ListTasks", "CreateToken"]
    assert (await http.get("/_sandbox/requests?limit=0")).status_code == 400


async def test_a_request_says_whose_key_signed_it(
    secmaster: SecMasterSandbox, http: httpx.AsyncClient
) -> None:
    url = f"{secmaster.url}{SOC}/tasks"
    await http.send(signed(url))
    await http.send(signed(url, sk="wrong"))
    await http.get(url)
    secmaster.authenticator.issued["from-iam"] = secmaster.world.clock() + timedelta(hours=1)
    await http.get(url, headers={"X-Auth-Token": "from-iam"})
    signers = [(one["signed_by"], one["key"]) for one in await requests(http)]
    assert signers == [("aksk", "demo-ak"), ("", ""), ("token", ""), ("iam", "demo")]


# Acts


async def test_a_comment_is_written_in_the_console(caller: Caller) -> None:
    path = f"tasks/{seed.TASK_ISOLATE}/comment"
    task = (await caller.control(path, comment="from the console", user_name="Ana")).json()
    comments = [(one["user_name"], one["message"]) for one in task["comments"]]
    assert comments == [("Ana", "from the console")]
    refused = await caller.control(path, comment=" ")
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "parameter comment is required",
    )


async def test_what_is_wrong_is_said_in_words(caller: Caller) -> None:
    nameless = await caller.control(
        f"tasks/{seed.TASK_ISOLATE}/decide", action="CONTINUE", user_name=""
    )
    assert nameless.status_code == 400
    assert nameless.json() == {"error": "user_name: String should have at least 1 character"}
    broken = await caller.http.post("/_sandbox/tasks", content=b"{")
    assert broken.status_code == 400
    assert broken.json()["error"].startswith("Invalid JSON")


@pytest.mark.parametrize(("due_in", "overdue"), [(3600, False), (-3600, True)])
async def test_a_task_is_due_in_so_many_seconds(caller: Caller, due_in: int, overdue: bool) -> None:
    task = (await caller.control("tasks", name="Look", due_in=due_in)).json()
    assert (task["due_date"] < task["create_time"]) is overdue
    assert (await caller.control("tasks", due_in=1e12)).status_code == 400


async def test_the_state_has_what_a_page_needs_besides(http: httpx.AsyncClient) -> None:
    page = await state(http)
    sizes = {one["file_name"]: one["size"] for one in page["attachments"]}
    assert sizes == {"web-shells.txt": 72, "网络拓扑.txt": 19}
    assert "UpdateTask" in page["endpoints"]
    assert (page["faults"], page["received"]) == ([], 0)


async def test_faults_are_listed_until_used_up_and_go_off_one_by_one(
    caller: Caller, http: httpx.AsyncClient
) -> None:
    await http.post("/_sandbox/faults", json={"on": "ShowTask", "status": 429, "times": 1})
    await http.post("/_sandbox/faults", json={"on": "ListTasks", "status": 500})
    await http.post("/_sandbox/faults", json={"on": "ListTasks", "delay": 0.5})
    assert [one["number"] for one in (await state(http))["faults"]] == [1, 2, 3]
    await http.get(f"{SOC}/tasks/{seed.TASK_ISOLATE}")
    assert [one["number"] for one in (await state(http))["faults"]] == [2, 3]
    await http.delete("/_sandbox/faults/3")
    assert [one["number"] for one in (await state(http))["faults"]] == [2]
    assert (await caller.tasks()).status_code == 500
    await http.delete("/_sandbox/faults?on=ListTasks")
    assert (await state(http))["faults"] == []
    assert (await http.delete("/_sandbox/faults/2")).status_code == 200
    assert (await caller.tasks()).status_code == 200


async def test_a_request_that_one_fault_holds_goes_on_when_it_is_off(
    secmaster: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    await secmaster.faults.set(Fault(on="ShowTask", hold=True))
    held = asyncio.create_task(caller.show(seed.TASK_ISOLATE))
    await secmaster.faults.until_held("ShowTask")
    await http.delete("/_sandbox/faults/1")
    assert (await held)["id"] == seed.TASK_ISOLATE


async def test_switching_a_fault_or_the_clock_is_news(http: httpx.AsyncClient) -> None:
    counts = [(await state(http))["changes"]]
    await http.post("/_sandbox/faults", json={"on": "*", "delay": 1})
    counts.append((await state(http))["changes"])
    await http.delete("/_sandbox/faults/1")
    counts.append((await state(http))["changes"])
    await http.post("/_sandbox/clock", json={"tasks_every": 1000})
    counts.append((await state(http))["changes"])
    assert counts == sorted(set(counts))


# What is too much


async def test_the_list_of_requests_cuts_long_bodies(
    secmaster: SecMasterSandbox, caller: Caller, http: httpx.AsyncClient
) -> None:
    await caller.update(seed.TASK_ISOLATE, "ADD_COMMENT", comment="x" * 30_000)
    await http.put(
        f"{SOC}/tasks/{seed.TASK_ISOLATE}", json=["y" * 30_000], headers={"X-Auth-Token": "no"}
    )
    proved, unproved = [one["body"] for one in await requests(http, target=seed.TASK_ISOLATE)]
    assert len(proved) == 20_000
    assert proved.endswith("x [cut: 30,040 characters]")
    assert unproved.endswith("y [cut: 30,004 characters]")
    bodies = [one.body for one in secmaster.requests]
    assert bodies == [{"action": "ADD_COMMENT", "comment": "x" * 30_000}, unproved]


@pytest.mark.parametrize("rate", ["tasks_every", "failures_every"])
@pytest.mark.parametrize(("seconds", "status"), [(0, 200), (0.001, 200), (1e-9, 400), (-1, 400)])
async def test_arrivals_leave_time_to_breathe(
    caller: Caller, rate: str, seconds: float, status: int
) -> None:
    assert (await caller.control("clock", **{rate: seconds})).status_code == status
