"""The definitions a sandbox starts with, which the publish tasks are about, and planned blocks."""

from typing import Any

from bot.sandbox.secmaster.definitions import defense, taskflow
from bot.sandbox.secmaster.seed import (
    INSTANCE_BLOCK_IP,
    INSTANCE_CHINESE,
    INSTANCE_DISABLE_USER,
    INSTANCE_FINISHED,
    PLAYBOOK_RESPONSE,
    TASK_PUBLISH_PLAYBOOK,
    TASK_PUBLISH_WORKFLOW,
    TASK_PUBLISH_WORKFLOW_SOON,
    WORKFLOW_BLOCKING,
    WORKFLOW_CONTAINMENT,
    WORKFLOW_ENRICHMENT,
)
from bot.sandbox.secmaster.wire import Record, stamp
from bot.sandbox.secmaster.world import World

AUTHOR = {"creator_id": "user-ana", "creator_name": "Ana Sousa"}
# Of each workflow: its type, the steps that run now, and those of the version that is submitted.
WORKFLOWS = (
    (
        WORKFLOW_ENRICHMENT,
        "Alert enrichment",
        "SURVEY",
        ("Get alert", "Query intelligence", "Respond"),
        ("Get alert", "Query intelligence", "Query asset", "Respond"),
        TASK_PUBLISH_WORKFLOW,
    ),
    (
        WORKFLOW_BLOCKING,
        "Block malicious address",
        "HEMOSTASIS",
        ("Get alert", "Query intelligence", "Approval", "Add to blocklist"),
        ("Get alert", "Query intelligence", "Add to blocklist"),
        TASK_PUBLISH_WORKFLOW_SOON,
    ),
    (
        WORKFLOW_CONTAINMENT,
        "Host containment",
        "HEMOSTASIS",
        ("Get alert", "Query intelligence", "Approval", "Isolate host"),
        (),
        "",
    ),
)


# What runs of older versions continue with, by the run; that of the hostile one can't be read.
OLDER_VERSIONS = (
    (INSTANCE_DISABLE_USER, WORKFLOW_CONTAINMENT, "Disable IAM user"),
    (INSTANCE_CHINESE, WORKFLOW_BLOCKING, "下发封禁策略"),
)


def add_definitions(world: World) -> None:
    """Add each workflow and the playbook, with its active version and the submitted one."""
    for id_, name, aop_type, active, submitted, task_id in WORKFLOWS:
        version_id = id_.replace("fa163e6", "fa163e7")
        submitted_id = world.task(task_id)["action_version_id"] if task_id else None
        world.definitions.workflows[id_] = {
            "id": id_,
            "name": name,
            "description": None,
            "aop_type": aop_type,
            "version_id": version_id,
            "current_approval_version_id": submitted_id,
            "enabled": True,
            "approve_role": "approver",
            "labels": "",
            **AUTHOR,
        }
        _add_version(world, version_id, id_, "v1", active, status="APPROVED", name=name)
        if submitted_id:
            fields: Record = {"status": "PENDING_APPROVE", "name": name, "aop_type": aop_type}
            _add_version(world, submitted_id, id_, "v2", submitted, **fields)
    for run_id, workflow_id, response in OLDER_VERSIONS:
        steps = ("Get alert", "Query intelligence", "Approval", response)
        run = world.instances[run_id]["workflow"]
        _add_version(
            world, run["version_id"], workflow_id, run["version"], steps, status="APPROVED"
        )
    active_id = f"{PLAYBOOK_RESPONSE}-v2"
    submitted_id = world.task(TASK_PUBLISH_PLAYBOOK)["action_version_id"]
    world.definitions.playbooks[PLAYBOOK_RESPONSE] = {
        "id": PLAYBOOK_RESPONSE,
        "name": "Phishing response",
        "description": "Finds a mail, and takes it out of all mailboxes.",
        "version_id": active_id,
        "version": "v2",
        "unaudited_version_id": submitted_id,
        "reject_version_id": None,
        "enabled": True,
        "dataclass_name": "Alert",
    }
    _add_playbook_version(world, active_id, "v2", [WORKFLOW_ENRICHMENT], "APPROVED")
    workflows = [WORKFLOW_ENRICHMENT, WORKFLOW_BLOCKING]
    _add_playbook_version(world, submitted_id, "v3", workflows, "APPROVING")


def add_blocks(world: World) -> None:
    """Plan the blocks of the blocking runs: all set, some set, and those of a run that is over."""
    quota = "The quota of IP address groups is used up."
    waf, cfw = defense("WAF"), defense("CFW")
    world.blocks.plan(INSTANCE_BLOCK_IP, "203.0.113.77", waf, defense("VPC", quota))
    world.blocks.plan(INSTANCE_CHINESE, "203.0.113.200", waf, cfw)
    world.blocks.plan(INSTANCE_FINISHED, "198.51.100.23", cfw, defense("VPC", quota))


def _add_version(
    world: World, id_: str, workflow_id: str, version: str, steps: tuple[str, ...], **fields: Any
) -> None:
    world.definitions.workflow_versions[id_] = {
        "id": id_,
        "version_id": id_,
        "aopworkflow_id": workflow_id,
        "version": version,
        "description": f"{version}: {len(steps)} steps",
        "taskflow": taskflow(steps, version=version),
        "taskflow_type": "JSON",
        "taskconfig": "{}",
        "input": None,
        "output": None,
        "create_time": stamp(world.clock()),
        **AUTHOR,
        **fields,
    }


def _add_playbook_version(
    world: World, id_: str, version: str, workflows: list[str], status: str
) -> None:
    names = {row[0]: row[1] for row in WORKFLOWS}
    world.definitions.playbook_versions[id_] = {
        "id": id_,
        "playbook_id": PLAYBOOK_RESPONSE,
        "version": version,
        "status": status,
        "description": "",
        "trigger_type": "EVENT",
        "action_strategy": "ASYNC",
        "rules": {"id": f"rule-{version}", "rule": '{"severity": "High"}'},
        "rule_enable": True,
        "actions": [
            {
                "id": f"action-{version}-{workflow_id}",
                "name": names[workflow_id],
                "action_type": "AOP_WORKFLOW",
                "action_id": workflow_id,
                "playbook_version_id": id_,
            }
            for workflow_id in workflows
        ],
        "create_time": stamp(world.clock()),
        "creator_id": AUTHOR["creator_id"],
        "approve_name": None,
    }
