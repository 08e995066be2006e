"""A waiting task, a failed run, and what people do with them, for tests of what is rendered."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, StandingOperation
from bot.domain.slack import Actor, SlackLocation
from bot.messages.catalogue import Catalogue
from bot.secmaster import Instance, PlaybookAction, PlaybookInstance, Task

ENGLISH = Catalogue.english()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = Ref(kind="task", id="t-1")
RUN = Ref(kind="instance", id="i-1")
PLAYBOOK_RUN = Ref(kind="playbook", id="p-1")
WAITING = Task(
    id="t-1",
    name="Isolate host 10.0.0.7",
    business_type="PLAYBOOKNODEAPPROVE",
    related_object="Ransomware",
    creator_name="Robot",
    status="waiting",
    due_date=NOW + timedelta(hours=3),
    due_handle="CONTINUE",
)
FAILED = Instance.model_validate(
    {
        "id": "i-1",
        "name": "Phishing response",
        "workflow": {"name": "Phishing", "version": "v3"},
        "status": "FAILED",
        "start_time": NOW - timedelta(minutes=7),
        "end_time": NOW,
        "retry_count": 2,
        "topology": {
            "audit_logs": [
                {"action_id": "n-1", "action_name": "Fetch mail", "succeed": True},
                {
                    "action_id": "n-2",
                    "action_name": "Block sender",
                    "status": "FAILED",
                    "error_msg": "timed out",
                },
            ]
        },
    }
)

FAILED_PLAYBOOK = PlaybookInstance.model_validate(
    {
        "id": "p-1",
        "name": "Ransomware response",
        "playbook": {"id": "pb-1", "name": "Ransomware", "version": "v2"},
        "dataclass": {"id": "dc-1", "name": "Alert"},
        "dataobject": {"id": "a-1", "name": "Files renamed on web-3"},
        "trigger_type": "EVENT",
        "status": "FAILED",
        "start_time": NOW - timedelta(minutes=9),
        "end_time": NOW,
        "actions": [
            PlaybookAction.model_validate(
                {
                    "action": {"name": name, "action_id": f"w-{run}"},
                    "instance_log": {
                        "instance_type": "AOP_WORKFLOW",
                        "instance_id": run,
                        "status": status,
                        "error_msg": error,
                    },
                }
            )
            for name, run, status, error in (
                ("Notify", "i-0", "FINISHED", ""),
                ("Isolate host", "i-1", "FAILED", "timed out"),
            )
        ],
    }
)


def operation(action: str, *, user: str = "U0ALICE", reason: str = "", **params: str) -> Operation:
    """Return an operation on the waiting task or a failed run, asked for by ``user``."""
    refs = {"task": TASK, "instance": RUN, "playbook": PLAYBOOK_RUN}
    return Operation(
        id="abc123ffff",
        action=action,
        ref=refs[action.partition(".")[0]],
        actor=Actor(id=user),
        location=SlackLocation(channel="C0SOC"),
        params=params,
        reason=reason,
        accepted_at=NOW,
    )


def standing_operation(
    action: str, *, state: OperationState = OperationState.DONE, **fields: Any
) -> StandingOperation:
    """Return what was done to the waiting task or the failed run; ``fields`` as for `operation`."""
    return StandingOperation(operation=operation(action, **fields), state=state, at=NOW)
