"""The playbook instances a sandbox starts with; the workflow instances must have been added."""

import json
from datetime import timedelta
from typing import Any

from bot.sandbox.secmaster.findings import ALERT, INCIDENT
from bot.sandbox.secmaster.seed import (
    ALERT_HOSTILE,
    ALERT_WEB_SHELL,
    INCIDENT_LEAKED_KEY,
    INSTANCE_FAILED,
    INSTANCE_FAILED_AGAIN,
    INSTANCE_FINISHED,
    INSTANCE_RUNNING,
    PLAYBOOK_INSTANCE_FAILED,
    PLAYBOOK_INSTANCE_FAILED_AGAIN,
    PLAYBOOK_INSTANCE_FINISHED,
    PLAYBOOK_INSTANCE_LONG,
    PLAYBOOK_INSTANCE_OVERDUE,
    PLAYBOOK_INSTANCE_RUNNING,
    PLAYBOOK_INSTANCE_WAITING,
    PLAYBOOK_RESPONSE,
)
from bot.sandbox.secmaster.wire import Record, stamp
from bot.sandbox.secmaster.world import World


def add_playbook_instances(world: World) -> None:
    """Add those that wait at a task, and one of each other kind."""
    _add(world, PLAYBOOK_INSTANCE_WAITING, "Phishing response", [INSTANCE_FINISHED], waits=True)
    leak = _object(INCIDENT, INCIDENT_LEAKED_KEY, "Access key of svc-backup")
    _add(
        world,
        PLAYBOOK_INSTANCE_OVERDUE,
        "Credential leak response",
        [INSTANCE_RUNNING],
        waits=True,
        **leak,
    )
    # Some regions describe the object so, with its content as text and no name.
    content = {
        "id": ALERT_WEB_SHELL,
        "create_time": stamp(world.clock()),
        "update_time": stamp(world.clock()),
        "project_id": world.project_id,
        "dataclass_id": ALERT["id"],
        "content": json.dumps({"title": "Ransom note"}),
    }
    name = "Ransomware response"
    _add(world, PLAYBOOK_INSTANCE_LONG, name, [INSTANCE_FINISHED], waits=True, dataobject=content)
    others: list[tuple[str, str, list[str], str]] = [
        (
            PLAYBOOK_INSTANCE_FAILED,
            "Alert response",
            [INSTANCE_FINISHED, INSTANCE_FAILED],
            "FAILED",
        ),
        (PLAYBOOK_INSTANCE_FAILED_AGAIN, "Blocking", [INSTANCE_FAILED_AGAIN], "FAILED"),
        (PLAYBOOK_INSTANCE_FINISHED, "Blocking", [INSTANCE_FINISHED], "FINISHED"),
    ]
    for id_, name, runs, status in others:
        _add(world, id_, name, runs, status=status)
    hostile = _object(ALERT, ALERT_HOSTILE, "<!here> *urgent*")
    hostile["trigger_type"] = "TIMER"
    _add(world, PLAYBOOK_INSTANCE_RUNNING, "Evidence", [INSTANCE_RUNNING], **hostile)


def _object(dataclass: Record, id_: str, name: str) -> Record:
    reference = {"id": dataclass["id"], "name": dataclass["name"]}
    return {"dataclass": reference, "dataobject": {"id": id_, "name": name}}


def _add(
    world: World, id_: str, name: str, runs: list[str], *, waits: bool = False, **fields: Any
) -> None:
    start = world.clock() - timedelta(minutes=30 * int(id_[-2:]))
    ended = fields.get("status", "RUNNING") != "RUNNING"
    defaults = _object(ALERT, ALERT_WEB_SHELL, "Web shell found on ecs-web-07") | {
        "playbook": {
            "id": PLAYBOOK_RESPONSE,
            "version_id": f"{PLAYBOOK_RESPONSE}-v2",
            "name": name,
            "version": "v2",
        },
        "start_time": stamp(start),
        "end_time": stamp(start + timedelta(minutes=9)) if ended else "",
    }
    world.playbooks.add(runs, waits=waits, id=id_, name=f"{name} 1", **(defaults | fields))
