"""No JSON breaks a finding, a definition or a playbook instance, or loses what is sound."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.secmaster import World
from bot.sandbox.secmaster.seed_findings import add_findings
from bot.secmaster import (
    Evidence,
    Finding,
    Playbook,
    PlaybookAction,
    PlaybookInstance,
    PlaybookVersion,
    PolicyRecord,
    Resource,
    Workflow,
    WorkflowVersion,
)
from bot.secmaster.shapes import Shape, answered
from tests.support.clock import FakeClock

CONNECTION = {"direction": "IN", "src_ip": "203.0.113.7", "src_port": 5, "dest_port": "443"}
ALERT = {
    "id": "o1",
    "type": "DATA_SOURCE",
    "create_time": "2026-01-02T03:04:05.000Z+0800",
    "dataclass_ref": {"id": "dc1", "name": "Alert"},
    "data_object": {
        "title": "Web shell",
        "description": '{"path": "/var/www"}',
        "severity": "High",
        "confidence": 90,
        "count": "3",
        "last_observed_time": 1767323045000,
        "handle_status": "Open",
        "verification_state": "Unknown",
        "alert_type": {"category": "Malware", "alert_type": "Web shell"},
        "environment": {"region_id": "cn-north-4"},
        "resource_list": [{"id": "r1", "name": "ecs-web-07"}, {"id": "r2"}],
        "network_list": [CONNECTION],
        "user_info": [{"user_name": "root"}],
        "process": [{"process_name": "sh", "process_pid": 4711}],
        "malware": {"malware_family": "China Chopper"},
        "remediation": {"recommendation": "Isolate."},
        "simulation": "false",
    },
}
INSTANCE = {
    "id": "p1",
    "status": "FAILED",
    "playbook": {"id": "b1", "version": 2},
    "dataclass": {"name": "Alert"},
    "dataobject": {"id": "o1"},
    "start_time": "2026-01-02T03:04:05.000Z+0800",
}
ACTION = {
    "action": {"name": "Block", "action_id": "w1"},
    "instance_log": {"instance_id": "i1", "status": "FAILED", "error_msg": "quota"},
}
POLICY = {"defense_type": "VPC", "defense_failure_description": "quota"}
RECORD = {
    "block_target": "203.0.113.7",
    "workflow_instance": {"workflow_instance_id": "i1"},
    "defense_policy_list": [POLICY, {"defense_type": "WAF"}],
}
RESOURCE = {
    "id": "r1",
    "level": 2,
    "department": {"name": "Web shop"},
    "environment": {"ep_name": "default"},
    "governance_user": {"type": "USER", "name": "Ana"},
}
DOCUMENTS: dict[type[Shape], dict[str, Any]] = {
    Finding: ALERT,
    PlaybookInstance: INSTANCE,
    PlaybookAction: ACTION,
    PolicyRecord: RECORD,
    Resource: RESOURCE,
    Workflow: {"id": "w1", "aop_type": "EASE", "version_id": "v1", "enabled": True},
    WorkflowVersion: {"id": "v1", "version": "v2", "taskflow": "e30="},
    Playbook: {"id": "b1", "unaudited_version_id": "v2"},
    PlaybookVersion: {"id": "v2", "creator": "Ana", "actions": [{"id": "a1", "name": "Block"}]},
    Evidence: {
        "finding": {"id": "o1", "connections": [CONNECTION]},
        "run": {"id": "i1"},
        "upcoming": ["Isolate host"],
        "unread": [{"subject": "resource", "status": 403}],
    },
}
TEXT = st.text(st.characters(), max_size=12)  # with half surrogate pairs and NUL
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just("9" * 4000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
Path = tuple[str | int, ...]


def paths_of(document: Any, start: Path = ()) -> list[Path]:
    """Return the paths of all fields and elements in a document."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    paths = []
    for key, value in items:
        paths.append((*start, key))
        if isinstance(value, dict | list):
            paths += paths_of(value, (*start, key))
    return paths


def replaced(document: Any, path: Path, value: object) -> Any:
    """Return a copy of a document with another value at a path."""
    copy = deepcopy(document)
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def read(shape: type[Shape], document: Any) -> Any:
    return (
        shape.of(document)
        if issubclass(shape, Finding | PolicyRecord)
        else answered(shape, document)
    )


def facts(value: Any) -> Any:
    """Return a value as plain data, without what is empty; the elements of lists in any place."""
    if isinstance(value, dict):
        rows = {key: facts(item) for key, item in value.items()}
        return {key: item for key, item in rows.items() if item}
    if isinstance(value, list | tuple):
        return [item for item in map(facts, value) if item]
    return value


def leaves(value: Any) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("shape", DOCUMENTS, ids=lambda shape: shape.__name__)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_one_odd_field_loses_nothing_that_is_beside_it(
    shape: type[Shape], data: st.DataObject
) -> None:
    document = DOCUMENTS[shape]
    path = data.draw(st.sampled_from(paths_of(document)))
    value = read(shape, replaced(document, path, data.draw(JSON)))
    sound = facts(read(shape, replaced(document, path, None)).model_dump())
    remaining = leaves(facts(value.model_dump()))
    assert [leaf for leaf in leaves(sound) if leaf not in remaining] == []
    assert type(value).model_validate_json(value.model_dump_json()) == value


@pytest.mark.parametrize("shape", DOCUMENTS, ids=lambda shape: shape.__name__)
@given(document=st.dictionaries(TEXT, JSON, max_size=3) | JSON, data=st.data())
@settings(max_examples=10, deadline=None)
def test_json_of_any_form_is_read_and_stored(
    shape: type[Shape], document: Any, data: st.DataObject
) -> None:
    if isinstance(document, dict):
        names = data.draw(st.lists(st.sampled_from(list(DOCUMENTS[shape])), max_size=4))
        document |= {name: data.draw(JSON) for name in names}
        value = read(shape, document)
    else:
        value = answered(shape, document)
    assert type(value).model_validate_json(value.model_dump_json()) == value


def test_what_lies_around_an_object_counts_where_it_says_something() -> None:
    inner = {"id": "o1", "title": "Web shell"}
    finding = Finding.of(ALERT | {"id": None, "type": 7, "data_object": inner})
    assert (finding.id, finding.title, finding.dataclass_.name) == ("o1", "Web shell", "Alert")
    assert Finding.of({"id": "o2", "data_object": {"id": "o1"}}).id == "o2"
    assert Finding.of({"id": "o3", "title": "Without a data_object"}).title


def test_a_field_of_several_names_is_read_from_the_one_that_is_filled() -> None:
    finding = Finding.of(
        {"data_object": {"region_id": None, "alert_type": None}}
        | {"environment": {"region_id": "eu"}, "incident_type": {"incident_type": "Leak"}}
    )
    assert (finding.region_id, finding.category.type) == ("eu", "Leak")
    assert PlaybookVersion.model_validate({"creator_name": "", "creator": "Ana"}).creator_name


def test_a_version_of_a_playbook_comes_with_all_that_is_stated_of_it() -> None:
    document = {"id": "v2", "rules": {"rule": "any"}, "definition": "of another kind"}
    version = PlaybookVersion.of(document)
    assert (version.id, json.loads(version.definition)) == ("v2", document)


def test_odd_elements_are_left_out_and_one_object_counts_as_a_list() -> None:
    rows = [None, "ecs", {"id": "r1"}, 7, {"id": "r2"}]
    finding = Finding.of({"data_object": {"resource_list": rows, "process": {"process_pid": 1}}})
    assert [resource.id for resource in finding.resources] == ["r1", "r2"]
    assert [process.process_pid for process in finding.processes] == ["1"]


def test_what_was_nested_too_deeply_to_be_written_again_is_empty() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert Finding.of({"data_object": {"id": "o1", "description": deep}}).id == "o1"


def test_each_seeded_object_is_read_and_stored() -> None:
    world = World(clock=FakeClock().now, project_id="p", workspace_id="w")
    add_findings(world)
    for envelope in world.findings.objects.values():
        finding = Finding.of(json.loads(json.dumps(envelope)))
        assert finding.title
        assert Finding.model_validate_json(finding.model_dump_json()) == finding
