"""The tasks a sandbox starts with, their times relative to its clock."""

import json
from datetime import timedelta
from typing import Any

from bot.sandbox.secmaster.seed import (
    ATTACHMENT_REPORT,
    ATTACHMENT_UNLISTED,
    COMMENT_FIRST,
    COMMENT_SECOND,
    HOSTILE_NAME,
    INSTANCE_BLOCK_IP,
    INSTANCE_CHINESE,
    INSTANCE_DISABLE_USER,
    INSTANCE_FINISHED,
    INSTANCE_HOSTILE,
    INSTANCE_ISOLATE,
    INSTANCE_TERMINATED,
    PLAYBOOK_INSTANCE_LONG,
    PLAYBOOK_INSTANCE_OVERDUE,
    PLAYBOOK_INSTANCE_WAITING,
    PLAYBOOK_RESPONSE,
    TASK_BLOCK_IP,
    TASK_CANCELED,
    TASK_CHINESE,
    TASK_DISABLE_USER,
    TASK_FINISHED,
    TASK_HOSTILE,
    TASK_ISOLATE,
    TASK_LONG,
    TASK_PLAYBOOK,
    TASK_PLAYBOOK_OVERDUE,
    TASK_PUBLISH_PLAYBOOK,
    TASK_PUBLISH_WORKFLOW,
    TASK_PUBLISH_WORKFLOW_SOON,
    TASK_PUBLISHED,
    TASK_SPARSE,
    WORKFLOW_BLOCKING,
    WORKFLOW_CONTAINMENT,
    WORKFLOW_ENRICHMENT,
)
from bot.sandbox.secmaster.wire import Person, Record, stamp
from bot.sandbox.secmaster.world import World

_ANALYST = Person("user-lin", "Lin Yue")
_ENGINEER = Person("user-ana", "Ana Sousa")
_AGE = timedelta(hours=6)
_FAR = timedelta(days=12)
_REPORT = b"Host ecs-web-07: 3 web shells under /var/www/uploads, first seen 04:12.\n"


def add_tasks(world: World) -> None:
    """Add every seeded task, with its attachments and comments.

    The instances must have been added before.
    """
    add_node_approvals(world)
    add_awkward_approvals(world)
    add_playbook_approvals(world)
    add_publications(world)
    add_handled(world)
    add_discussion(world)


def add_node_approvals(world: World) -> None:
    """Add approvals of workflow nodes that are due soon, later and much later."""
    _add(
        world,
        TASK_ISOLATE,
        "Isolate host ecs-web-07",
        description="HSS found three web shells. Isolation cuts the host off from its VPC.",
        action_id=WORKFLOW_CONTAINMENT,
        action_instance_id=INSTANCE_ISOLATE,
        related_object="Host containment",
        due_handle="INTERRUPT",
        due_in=timedelta(hours=2),
        view_parameters=_parameters(host="ecs-web-07", severity="High", alert="20250819-114"),
        handle_parameters=_parameters(duration_hours="24"),
    )
    _add(
        world,
        TASK_BLOCK_IP,
        "Block IP 203.0.113.77 at the edge firewall",
        description="Scanned 1,024 ports on 12 public addresses within five minutes.",
        action_id=WORKFLOW_BLOCKING,
        action_instance_id=INSTANCE_BLOCK_IP,
        related_object="Block malicious address",
        due_handle="CONTINUE",
        due_in=timedelta(minutes=50),
        view_parameters=_parameters(ip="203.0.113.77", confidence="85"),
    )
    _add(
        world,
        TASK_DISABLE_USER,
        "Disable IAM user svc-backup",
        description="Its access key was found in a public repository.",
        action_id=WORKFLOW_CONTAINMENT,
        action_instance_id=INSTANCE_DISABLE_USER,
        related_object="Host containment",
        due_handle="INTERRUPT",
        notes="006",
    )


def add_awkward_approvals(world: World) -> None:
    """Add an overdue approval in Chinese, and one whose name an attacker chose."""
    _add(
        world,
        TASK_CHINESE,
        "封禁恶意IP 203.0.113.200",
        description="威胁情报判定为恶意,置信度 92。请确认是否在 WAF 上封禁。",
        action_id=WORKFLOW_BLOCKING,
        action_instance_id=INSTANCE_CHINESE,
        related_object="封禁恶意地址",
        creator_name="王芳",
        due_handle="INTERRUPT",
        due_in=-timedelta(hours=3),
        age=timedelta(days=15, hours=3),
    )
    _add(
        world,
        TASK_HOSTILE,
        HOSTILE_NAME,
        description=f"Subject of a phishing mail, as it was sent: {HOSTILE_NAME}",
        action_id=WORKFLOW_CONTAINMENT,
        action_instance_id=INSTANCE_HOSTILE,
        related_object="<https://evil.example|Host containment>",
        creator_name="<!here>",
        handle_parameters="{not json",
    )


def add_playbook_approvals(world: World) -> None:
    """Add approvals of playbook nodes: an ordinary, an overdue and a very long one."""
    playbook: Record = {"business_type": "PLAYBOOKNODEAPPROVE", "action_id": PLAYBOOK_RESPONSE}
    _add(
        world,
        TASK_PLAYBOOK,
        "Quarantine mailbox of finance@corp.example",
        action_instance_id=PLAYBOOK_INSTANCE_WAITING,
        related_object="Phishing response",
        due_handle="INTERRUPT",
        **playbook,
    )
    _add(
        world,
        TASK_PLAYBOOK_OVERDUE,
        "Reset the passwords of 14 users",
        action_instance_id=PLAYBOOK_INSTANCE_OVERDUE,
        related_object="Credential leak response",
        due_in=-timedelta(days=1),
        age=timedelta(days=16),
        **playbook,
    )
    _add(
        world,
        TASK_LONG,
        "Restore the file server from last night's backup " + "and check every share " * 12,
        description="A share was encrypted; the finding lists every file. " * 120,
        action_instance_id=PLAYBOOK_INSTANCE_LONG,
        related_object="Ransomware response",
        **playbook,
    )


def add_publications(world: World) -> None:
    """Add approvals of workflows and playbooks to publish, one with hardly any fields."""
    workflow: Record = {"business_type": "WORKFLOWPUBLISH", "creator_name": _ENGINEER.name}
    playbook: Record = {"business_type": "PLAYBOOKPUBLISH", "creator_name": _ENGINEER.name}
    _add(
        world,
        TASK_PUBLISH_WORKFLOW,
        "Publish workflow Alert enrichment v2",
        action_id=WORKFLOW_ENRICHMENT,
        related_object="Alert enrichment",
        **workflow,
    )
    _add(
        world,
        TASK_PUBLISH_WORKFLOW_SOON,
        "Publish workflow Block malicious address v4",
        action_id=WORKFLOW_BLOCKING,
        related_object="Block malicious address",
        due_handle="CONTINUE",
        due_in=timedelta(hours=1, minutes=30),
        **workflow,
    )
    _add(
        world,
        TASK_PUBLISH_PLAYBOOK,
        "Publish playbook Phishing response v3",
        action_id=PLAYBOOK_RESPONSE,
        related_object="Phishing response",
        **playbook,
    )
    # Every field that the documents allow to be missing, null or empty is so here.
    sparse = _add(world, TASK_SPARSE, "Publish playbook Untitled", **playbook)
    sparse |= dict.fromkeys(["description", "due_date", "notes", "comments", "handle_parameters"])
    for field in ("note", "review_comments", "related_object", "attachment_id_list"):
        del sparse[field]


def add_handled(world: World) -> None:
    """Add tasks that are decided already."""
    handled: Record = {
        "approver": _ANALYST.name,
        "modifier_id": _ANALYST.id,
        "modifier_name": _ANALYST.name,
        "age": timedelta(days=2),
    }
    finished = _add(
        world,
        TASK_FINISHED,
        "Block IP 198.51.100.23 at the edge firewall",
        action_id=WORKFLOW_BLOCKING,
        action_instance_id=INSTANCE_FINISHED,
        related_object="Block malicious address",
        status="finished",
        **handled,
    )
    canceled = _add(
        world,
        TASK_CANCELED,
        "Isolate host ecs-test-01",
        action_id=WORKFLOW_CONTAINMENT,
        action_instance_id=INSTANCE_TERMINATED,
        related_object="Host containment",
        status="canceled",
        **handled,
    )
    published = _add(
        world,
        TASK_PUBLISHED,
        "Publish playbook Credential leak response v1",
        business_type="PLAYBOOKPUBLISH",
        related_object="Credential leak response",
        status="finished",
        **handled,
    )
    for task, what in ((finished, "continued"), (canceled, "terminated"), (published, "continued")):
        world.history.add(task["id"], what, _ANALYST, at=task["update_time"])


def add_discussion(world: World) -> None:
    """Add comments and an attachment to one task, and a file that no task lists."""
    world.upload("web-shells.txt", _REPORT, _ANALYST, id_=ATTACHMENT_REPORT)
    world.upload("网络拓扑.txt", b"edge -> waf -> ecs\n", _ANALYST, id_=ATTACHMENT_UNLISTED)
    task = world.task(TASK_DISABLE_USER)
    task["attachment_id_list"].append(ATTACHMENT_REPORT)
    attached_at = stamp(world.clock() - timedelta(minutes=55))
    world.history.add(
        TASK_DISABLE_USER, "file attached", _ANALYST, detail="web-shells.txt", at=attached_at
    )
    comments = [
        (COMMENT_FIRST, _ANALYST, "The key was used from 192.0.2.14 this morning."),
        (COMMENT_SECOND, _ENGINEER, "备份任务今晚 22:00 之前不运行,可以停用。"),
    ]
    for minutes, (id_, person, message) in zip((40, 15), comments, strict=True):
        time = world.clock() - timedelta(minutes=minutes)
        world.history.add(TASK_DISABLE_USER, "commented", person, detail=message, at=stamp(time))
        task["comments"].append(
            {
                "id": id_,
                "message": message,
                "user_id": person.id,
                "user_name": person.name,
                "time": int(time.timestamp() * 1000),
            }
        )


def _add(
    world: World,
    id_: str,
    name: str,
    *,
    due_in: timedelta = _FAR,
    age: timedelta = _AGE,
    **fields: Any,
) -> Record:
    number = int(id_[-2:])
    # A minute apart each, so that no order is left to chance.
    created = stamp(world.clock() - age - timedelta(minutes=number))
    times = {"create_time": created, "due_date": stamp(world.clock() + due_in)}
    versions = {"action_version_id": f"0696648d-9d20-4e21-b1fd-fa163eb000{number:02d}"}
    key = {"definition_key": f"Activity_1xkg6{number:02d}", "update_time": created}
    return world.add_task(id=id_, name=name, **(times | versions | key | fields))


def _parameters(**values: str) -> str:
    return json.dumps(
        [
            {"key": key, "name": key, "type": "String", "value": value}
            for key, value in values.items()
        ]
    )
