"""What is read of a workflow's flow: what is certain, and nothing else."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.taskflow import Flow, next_node, parse, playbook_changes, workflow_changes
from bot.secmaster import Instance, PlaybookVersion, Task, VersionChanges, WorkflowVersion
from tests.support.examples import examples

NODES = [
    {"id": "a", "name": "Get alert"},
    {"id": "b", "name": "Approval"},
    {"id": "c", "name": "Isolate"},
]
EDGES = [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["nodes", "edges", "id", "name", "source", "target", "condition"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
ids = st.sampled_from(["a", "b", "c", "d"])
flows = st.fixed_dictionaries(
    {
        "nodes": st.lists(
            st.fixed_dictionaries({"id": ids, "name": st.sampled_from(["", "A", "B", "C"])}),
            max_size=4,
            unique_by=lambda node: node["id"],
        ),
        "edges": st.lists(st.fixed_dictionaries({"source": ids, "target": ids}), max_size=5),
    }
)


def encoded(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def waiting(name: str = "Approval", *, running: int = 1, key: str = "") -> tuple[Task, Instance]:
    """Return a task, and the run that waits at a node of a name."""
    node = {"action_id": "t1", "action_name": name, "status": "RUNNING"}
    run = Instance.model_validate({"id": "i1", "topology": {"audit_logs": [node] * running}})
    return Task(id="t", definition_key=key), run


def version(document: Any, **fields: Any) -> WorkflowVersion:
    return WorkflowVersion(taskflow=encoded(document), **fields)


@given(
    st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode())
)
@examples(100)
def test_whatever_stands_in_a_taskflow_raises_nothing(taskflow: str) -> None:
    assert next_node(parse(taskflow), *waiting()) == ""
    other = version({"nodes": NODES, "edges": EDGES})
    if parse(taskflow) is None:
        assert workflow_changes(WorkflowVersion(taskflow=taskflow), other) is None


@given(json_values)
@examples(200)
def test_what_is_named_as_next_stands_in_the_flow_after_the_node_that_waits(document: Any) -> None:
    flow = parse(encoded(document))
    name = next_node(flow, *waiting())
    assert not name or (flow and name in flow.names.values())
    changes = workflow_changes(version(document), version(document))
    # Nothing differs from itself.
    assert changes in (None, VersionChanges(), VersionChanges(partial=True))


@given(flows, st.sampled_from(["A", "B", "C"]))
@examples(200)
def test_only_the_one_follower_of_the_one_node_of_that_name_is_next(
    document: dict[str, Any], name: str
) -> None:
    nodes, edges = document["nodes"], document["edges"]
    node_ids = {node["id"] for node in nodes}
    alike = [node["id"] for node in nodes if node["name"] == name]
    certain = len(alike) == 1 and all({*edge.values()} <= node_ids for edge in edges)
    targets = [edge["target"] for edge in edges if [edge["source"]] == alike]
    expected = (
        next(node["name"] for node in nodes if node["id"] == targets[0])
        if certain and len(targets) == 1
        else ""
    )
    assert next_node(parse(encoded(document)), *waiting(name)) == expected


@given(flows, flows)
@examples(100)
def test_what_is_added_one_way_is_removed_the_other(
    active: dict[str, Any], submitted: dict[str, Any]
) -> None:
    forwards = workflow_changes(version(active), version(submitted))
    backwards = workflow_changes(version(submitted), version(active))
    assert (forwards is None) is (backwards is None)
    if forwards and backwards:
        assert sorted(forwards.added) == sorted(backwards.removed)
        assert sorted(forwards.changed) == sorted(backwards.changed)
        assert forwards.reordered is backwards.reordered


@pytest.mark.parametrize(
    "document",
    [
        {"nodes": NODES},
        {"nodes": NODES, "edges": [*EDGES, {"source": "b", "target": "a"}]},
        {"nodes": NODES, "edges": [EDGES[0], EDGES[1] | {"condition": "${approved}"}]},
        {"nodes": NODES, "edges": [*EDGES, {"source": "c", "target": "gone"}]},
        {"nodes": [*NODES, {"id": "d", "name": "Approval"}], "edges": EDGES},
        {"nodes": [*NODES, {"id": "a", "name": "again"}], "edges": EDGES},
        {"nodes": [*NODES, {"name": "without id"}], "edges": EDGES},
        {"cells": NODES, "edges": EDGES},
        [NODES, EDGES],
    ],
    ids=[
        "no edges",
        "two ways",
        "a condition",
        "a gap",
        "two alike",
        "one id",
        "no id",
        "other",
        "list",
    ],
)
def test_nothing_is_guessed(document: Any) -> None:
    assert next_node(parse(encoded(document)), *waiting()) == ""


def test_the_node_is_known_by_the_tasks_key_and_by_the_only_node_that_runs() -> None:
    flow = parse(encoded({"nodes": NODES, "edges": EDGES}))
    assert isinstance(flow, Flow)
    assert next_node(flow, *waiting()) == "Isolate"
    assert next_node(flow, *waiting("other", key="b")) == "Isolate"
    assert next_node(flow, *waiting("other")) == ""
    assert next_node(flow, *waiting(running=2)) == ""
    assert next_node(flow, *waiting("Isolate")) == ""  # it is the last


def test_where_a_node_is_drawn_and_what_its_id_is_changes_nothing_and_its_settings_do() -> None:
    before = version({"nodes": NODES, "edges": EDGES}, taskconfig="{}")
    moved = [node | {"id": f"x{node['id']}", "x": 7} for node in NODES]
    edges = [{end: f"x{id_}" for end, id_ in edge.items()} for edge in EDGES]
    same = version({"nodes": moved, "edges": edges}, taskconfig="{}")
    assert workflow_changes(before, same) == VersionChanges()
    set_otherwise = [NODES[0], NODES[1] | {"approvers": 1}, NODES[2]]
    after = version({"nodes": set_otherwise, "edges": EDGES[:1]}, taskconfig='{"a": 1}')
    assert workflow_changes(before, after) == VersionChanges(
        changed=("Approval",), reordered=True, reconfigured=True
    )


YES, NO = EDGES[1] | {"condition": "${yes}"}, {"source": "b", "target": "a", "condition": "${no}"}


@pytest.mark.parametrize(
    "edges",
    [
        [EDGES[0], NO | {"condition": "${yes}"}, YES | {"condition": "${no}"}],
        [EDGES[0], YES | {"target": "a"}, NO | {"target": "c"}],
        [EDGES[0], YES | {"condition": "${ any }"}, NO],
        [EDGES[0], YES],
        [{"source": "a", "target": "c"}, YES, NO],
    ],
    ids=["conditions turned", "ends turned", "another condition", "one less", "round the approval"],
)
def test_another_way_through_the_same_nodes_is_seen_where_edges_have_conditions(
    edges: list[dict[str, str]],
) -> None:
    before = version({"nodes": NODES, "edges": [EDGES[0], YES, NO]})
    after = version({"nodes": NODES, "edges": edges})
    assert workflow_changes(before, after) == VersionChanges(reordered=True)
    turned = version({"nodes": NODES, "edges": [NO | {"id": "e7"}, YES, EDGES[0]]})
    assert workflow_changes(before, turned) == VersionChanges()


def test_edges_that_can_not_be_read_are_compared_as_they_are() -> None:
    before = version({"nodes": NODES, "edges": {"a": "b", "b": "c"}})
    after = version({"nodes": NODES, "edges": {"a": "c"}})
    assert workflow_changes(before, after) == VersionChanges(reordered=True)
    assert workflow_changes(before, before) == VersionChanges()


def test_nodes_of_one_name_are_not_taken_for_each_other() -> None:
    nodes = [*NODES, {"id": "d", "name": "Approval"}]
    before = version({"nodes": nodes, "edges": [*EDGES, {"source": "c", "target": "d"}]})
    after = version({"nodes": nodes, "edges": [*EDGES, {"source": "c", "target": "b"}]})
    assert workflow_changes(before, after) == VersionChanges(reordered=True)


@pytest.mark.parametrize("edges", [{}, {"edges": None}, {"edges": []}, {"links": EDGES}])
def test_what_says_nothing_of_edges_is_not_called_the_same(edges: dict[str, Any]) -> None:
    before = version({"nodes": NODES} | edges)
    assert workflow_changes(before, before) == VersionChanges(partial=True)


ENRICH = {"id": "1", "name": "Enrich", "action_id": "w1"}
BLOCK = {"id": "2", "name": "Block", "action_id": "w2"}
RULE = {"id": "r1", "rule": '{"severity": "Fatal"}'}


def playbook(*actions: object, **fields: object) -> PlaybookVersion:
    return PlaybookVersion.of({"actions": list(actions), "rules": RULE} | fields)


def test_the_actions_of_a_playbook_are_compared_by_name() -> None:
    before = playbook(ENRICH, BLOCK)
    assert playbook_changes(before, playbook(BLOCK)) == VersionChanges(removed=("Enrich",))
    assert playbook_changes(before, playbook(BLOCK, ENRICH)) == VersionChanges(reordered=True)
    # What each version has anew is no difference.
    anew = {"id": "7", "playbook_version_id": "v2", "update_time": "2026-03-01T12:00:00.000Z+0800"}
    same = playbook(ENRICH | anew, BLOCK | anew, rules=RULE | {"id": "r2"}, id="v2", version="v2")
    assert playbook_changes(before, same) == VersionChanges()


@pytest.mark.parametrize(
    "action",
    [
        BLOCK | {"action_id": "w3"},
        BLOCK | {"action_type": "PLAYBOOK"},
        BLOCK | {"parameters": {"scope": "all"}},
        {"id": "3", "name": "Block"},
    ],
)
def test_an_action_of_the_same_name_that_does_something_else_has_changed(
    action: dict[str, object],
) -> None:
    changes = playbook_changes(playbook(ENRICH, BLOCK), playbook(ENRICH, action))
    assert changes == VersionChanges(changed=("Block",))


@pytest.mark.parametrize(
    "fields",
    [
        {"rules": {"id": "r1", "rule": "{}"}},
        {"rules": {"id": "r1"}},
        {"rules": None},
        {"rules": [RULE, RULE]},
        {"rule_enable": False},
        {"dataobject_update": True},
    ],
)
def test_other_rules_of_a_playbook_are_seen(fields: dict[str, object]) -> None:
    changes = playbook_changes(playbook(BLOCK), playbook(BLOCK, **fields))
    assert changes == VersionChanges(reconfigured=True)


def test_what_a_version_of_a_playbook_does_not_state_is_not_called_the_same() -> None:
    before = playbook(BLOCK)
    for definition in ({"actions": [BLOCK]}, {"rules": RULE}, {}):
        version = PlaybookVersion.of(definition)
        assert playbook_changes(before, version) == VersionChanges(partial=True)
        assert playbook_changes(version, version) == VersionChanges(partial=True)


@pytest.mark.parametrize("text", ['{"actions": [%s]}', '{"rules": {"rule": %s}}', "%s"])
def test_what_is_nested_without_end_raises_nothing(text: str) -> None:
    for depth in range(900, 1010):
        nested = text % ("[" * depth + "]" * depth)
        rules = PlaybookVersion(definition=nested)
        assert playbook_changes(rules, rules).partial
        flow = f'{{"nodes": [{{"id": "a", "config": {nested}}}], "edges": [{nested}]}}'
        version = WorkflowVersion(taskflow=base64.b64encode(flow.encode()).decode())
        assert workflow_changes(version, version) in (None, VersionChanges())


@given(json_values, json_values)
@examples(200)
def test_whatever_stands_in_a_playbook_nothing_differs_from_itself(
    actions: Any, rules: Any
) -> None:
    version = PlaybookVersion.of({"actions": actions, "rules": rules})
    assert playbook_changes(version, version) == VersionChanges()
