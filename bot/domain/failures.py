"""What of a run failed: a node of a workflow's, or a workflow's run within a playbook's."""

from dataclasses import dataclass
from typing import assert_never

from bot.domain.snapshots import Snapshot
from bot.secmaster import Instance, Node, PlaybookAction, PlaybookInstance, Task


@dataclass(frozen=True, slots=True)
class Failure:
    """The part of a run that failed, by its name and id, and its error."""

    name: str
    id: str
    error: str


def failure_of(snapshot: Snapshot) -> Failure | None:
    """Return what of a run failed; None for a task, and where SecMaster does not say."""
    match snapshot:
        case Instance(failed_node=Node() as node):
            return Failure(node.action_name, node.action_id, node.error_msg)
        case PlaybookInstance(failed_action=PlaybookAction() as action):
            return Failure(action.name, action.instance_id, action.log.error_msg)
        case Task() | Instance() | PlaybookInstance():
            return None
        case _:
            assert_never(snapshot)
