"""The workflow instances a sandbox starts with, their times relative to its clock."""

from datetime import datetime, timedelta

from bot.sandbox.secmaster.arrivals import THROTTLED, TRACEBACK, UNREACHABLE
from bot.sandbox.secmaster.findings import ALERT, INCIDENT
from bot.sandbox.secmaster.findings import INDICATOR as INDICATOR_CLASS
from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.seed import (
    INCIDENT_LEAKED_KEY,
    INDICATOR,
    INSTANCE_BLOCK_IP,
    INSTANCE_CHINESE,
    INSTANCE_DEBUG,
    INSTANCE_DISABLE_USER,
    INSTANCE_FAILED,
    INSTANCE_FAILED_AGAIN,
    INSTANCE_FAILED_SCRIPT,
    INSTANCE_FINISHED,
    INSTANCE_HOSTILE,
    INSTANCE_ISOLATE,
    INSTANCE_RETRYING,
    INSTANCE_RUNNING,
    INSTANCE_TERMINATED,
    INSTANCE_TERMINATING,
    WORKFLOW_BLOCKING,
    WORKFLOW_CONTAINMENT,
    WORKFLOW_ENRICHMENT,
)
from bot.sandbox.secmaster.wire import Record, node_record, stamp
from bot.sandbox.secmaster.world import World

_WORKFLOWS = {
    WORKFLOW_CONTAINMENT: ("Host containment", "host_containment"),
    WORKFLOW_BLOCKING: ("Block malicious address", "block_malicious_address"),
    WORKFLOW_ENRICHMENT: ("Alert enrichment", "alert_enrichment"),
}
# What is special about the objects of some: all others are about alerts of their own number.
_DATACLASSES = {
    INSTANCE_DISABLE_USER: INCIDENT,
    INSTANCE_CHINESE: ALERT | {"name": "告警"},
    INSTANCE_TERMINATING: {"id": None, "name": None, "en_name": None},
    INSTANCE_DEBUG: INDICATOR_CLASS,
}
_DATAOBJECTS = {
    INSTANCE_DISABLE_USER: INCIDENT_LEAKED_KEY,
    INSTANCE_TERMINATING: "",
    INSTANCE_DEBUG: INDICATOR,
}
# Which runs are of an older version of their workflow than the one that is active.
_VERSIONS = {
    INSTANCE_DISABLE_USER: ("v0.9", "fa163e8"),
    INSTANCE_CHINESE: ("v0.8", "fa163e8"),
    INSTANCE_HOSTILE: ("v0.7", "fa163e9"),
}
_RUNNING, _FAILED, _DONE = "RUNNING", "FAILED", "FINISHED"


def add_instances(world: World) -> None:
    """Add every seeded instance; those that wait have a script for after the approval."""
    add_waiting(world)
    add_failed(world)
    add_others(world)


def add_waiting(world: World) -> None:
    """Add the instances that wait at an approval node."""
    containment, blocking = WORKFLOW_CONTAINMENT, WORKFLOW_BLOCKING
    waiting = [
        (INSTANCE_ISOLATE, "Contain ecs-web-07", containment, "Isolate host"),
        (INSTANCE_BLOCK_IP, "Block 203.0.113.77", blocking, "Add to blocklist"),
        (INSTANCE_DISABLE_USER, "Disable svc-backup", containment, "Disable IAM user"),
        (INSTANCE_CHINESE, "封禁恶意IP 203.0.113.200", blocking, "下发封禁策略"),
        (INSTANCE_HOSTILE, "Quarantine mail <!here> *urgent*", containment, "Quarantine"),
    ]
    for id_, name, workflow, response in waiting:
        steps = [("Get alert", _DONE), ("Query intelligence", _DONE), ("Approval", _RUNNING)]
        _add(world, id_, name, workflow, steps, script=Script(upcoming=[response]))


def add_failed(world: World) -> None:
    """Add the failed instances, each with the error its retry meets, if any."""
    steps = [("Get alert", _DONE), ("Query intelligence", _DONE), ("Respond", _FAILED)]
    failed = [
        (INSTANCE_FAILED, "Enrich alert 20250819-114", WORKFLOW_ENRICHMENT, THROTTLED, ""),
        (
            INSTANCE_FAILED_AGAIN,
            "Push blocklist to fw-edge-01",
            WORKFLOW_BLOCKING,
            UNREACHABLE,
            UNREACHABLE,
        ),
        (
            INSTANCE_FAILED_SCRIPT,
            "Normalize indicators of alert 20250819-131",
            WORKFLOW_ENRICHMENT,
            TRACEBACK,
            "",
        ),
    ]
    for id_, name, workflow, error_msg, relapse in failed:
        script = Script(relapse=relapse)
        _add(world, id_, name, workflow, steps, script=script, status=_FAILED, error_msg=error_msg)


def add_others(world: World) -> None:
    """Add an instance of every other status, and one that is debugged."""
    done = [("Get alert", _DONE), ("Query intelligence", _DONE), ("Approval", _DONE)]
    busy = [*done, ("Respond", _RUNNING)]
    over = [*done, ("Respond", _DONE), ("Close alert", _DONE)]
    others = [
        (INSTANCE_RUNNING, "Collect evidence from ecs-web-03", busy, "RUNNING", "TIMER"),
        (INSTANCE_FINISHED, "Block 198.51.100.23", over, "FINISHED", "EVENT"),
        (INSTANCE_RETRYING, "Enrich alert 20250819-092", busy, "RETRYING", "EVENT"),
        (INSTANCE_TERMINATING, "Sweep for web shells", busy, "TERMINATING", "MANUAL"),
        (INSTANCE_TERMINATED, "Isolate host ecs-test-01", done, "TERMINATED", "MANUAL"),
        (INSTANCE_DEBUG, "Debug of Alert enrichment", busy, "RUNNING", "DEBUG"),
    ]
    for id_, name, steps, status, trigger in others:
        _add(world, id_, name, WORKFLOW_ENRICHMENT, steps, status=status, trigger_type=trigger)


def _add(  # noqa: PLR0913 -- one row of the tables above
    world: World,
    id_: str,
    name: str,
    workflow: str,
    steps: list[tuple[str, str]],
    *,
    script: Script | None = None,
    status: str = "RUNNING",
    trigger_type: str = "EVENT",
    error_msg: str = "",
) -> None:
    number = int(id_[-2:])
    start = world.clock() - timedelta(minutes=20 * number)
    nodes = [_node(id_, position, step, start) for position, step in enumerate(steps)]
    nodes[-1]["error_msg"] = error_msg
    ended = status in ("FAILED", "FINISHED", "TERMINATED")
    workflow_name, workflow_name_en = _WORKFLOWS[workflow]
    version, version_prefix = _VERSIONS.get(id_, ("v1", "fa163e7"))
    world.add_instance(
        script,
        id=id_,
        name=name,
        workflow={
            "id": workflow,
            "name": workflow_name,
            "name_en": workflow_name_en,
            "version": version,
            "version_id": workflow.replace("fa163e6", version_prefix),
        },
        dataclass=dict(_DATACLASSES.get(id_, ALERT)),
        playbook={"id": "pb000001", "name": "Alert response", "en_name": "Alert response"},
        trigger_type=trigger_type,
        status=status,
        start_time=stamp(start),
        end_time=stamp(start + timedelta(minutes=5)) if ended else "",
        retry_count=1 if status == "RETRYING" else 0,
        defense_id=f"defense-{number:02d}",
        dataobject_id=_DATAOBJECTS.get(id_, f"alert-{number:02d}"),
        topology={"audit_logs": nodes},
    )


def _node(instance_id: str, position: int, step: tuple[str, str], start: datetime) -> Record:
    name, status = step
    node_start = start + timedelta(minutes=position)
    return node_record(
        f"b5848121-79a5-11f0-9f91-fa163e8{instance_id[-2:]}{position:03d}",
        name,
        start_time=stamp(node_start),
        end_time="" if status == _RUNNING else stamp(node_start + timedelta(seconds=40)),
        input='[{"key": "alert_id", "type": "String", "value": "20250819-114"}]',
        output='{"verdict": "malicious"}' if status == _DONE else "",
        parent_instance_id=instance_id,
        status=status,
        succeed=status == _DONE,
    )
