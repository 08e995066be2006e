"""What is read from SecMaster's snapshot of a run: where it is, and where it failed."""

import pytest

from bot.secmaster import Instance, InstanceStatus, Node


def run(*nodes: dict[str, object]) -> Instance:
    return Instance.model_validate({"topology": {"audit_logs": list(nodes)}})


def node(name: str, status: str = "", *, succeed: bool | None = None) -> dict[str, object]:
    return {"action_id": name, "status": status, "succeed": succeed}


def action_id(node: Node | None) -> str:
    assert node
    return node.action_id


DONE = node("done", "FINISHED", succeed=True)
FAILED = node("failed", "FAILED", succeed=False)
RUNNING = node("running", "RUNNING", succeed=False)


def test_a_node_that_still_runs_has_not_failed() -> None:
    assert run(DONE, RUNNING).failed_node is None
    assert action_id(run(DONE, RUNNING, FAILED).failed_node) == "failed"


def test_a_node_that_has_not_begun_has_not_failed() -> None:
    assert run(DONE, node("waiting", succeed=False)).failed_node is None


@pytest.mark.parametrize("succeed", [False, True, None])
def test_a_node_that_calls_itself_failed_has_failed(succeed: bool | None) -> None:
    assert action_id(run(DONE, node("x", "FAILED", succeed=succeed)).failed_node) == "x"


@pytest.mark.parametrize("status", ["FINISHED", "TERMINATED", "ODD"])
def test_a_node_that_ended_without_success_has_failed(status: str) -> None:
    assert action_id(run(node("x", status, succeed=False)).failed_node) == "x"
    assert run(node("x", status, succeed=True), node("y", status)).failed_node is None


def test_of_several_nodes_that_failed_the_first_is_told() -> None:
    assert action_id(run(DONE, FAILED, node("later", "FAILED")).failed_node) == "failed"


def test_the_node_that_runs_is_where_the_run_is() -> None:
    assert action_id(run(DONE, FAILED, RUNNING, node("next", "RUNNING")).running_node) == "running"


@pytest.mark.parametrize("status", [each for each in InstanceStatus if each != "RUNNING"])
def test_where_no_node_runs_the_run_is_nowhere(status: str) -> None:
    assert run(DONE, node("x", status)).running_node is None
    assert run().running_node is None
    assert run().failed_node is None
