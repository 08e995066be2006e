"""The runs within a run of a playbook: what a retry of it takes up again."""

from pydantic import ValidationError

from bot.domain.objects import ObjectKind, Ref
from bot.domain.snapshots import Snapshot
from bot.secmaster import PlaybookAction, PlaybookInstance

# What the topology calls those of its actions that are runs with an id of their own.
RUN_TYPES: dict[str, ObjectKind] = {"AOP_WORKFLOW": "instance", "PLAYBOOK": "playbook"}


def action_ref(parent: Ref, action: PlaybookAction) -> Ref | None:
    """Return the run that an action of a playbook instance is; None where it is none."""
    kind = RUN_TYPES.get(action.log.instance_type)
    if kind is None:
        return None
    try:
        return Ref(kind=kind, id=action.instance_id, workspace=parent.workspace)
    except ValidationError:
        return None


def runs_within(ref: Ref, snapshot: Snapshot | None) -> tuple[Ref, ...]:
    """Return the runs that a retry of this object takes up again, besides itself."""
    if not isinstance(snapshot, PlaybookInstance):
        return ()
    runs = (action_ref(ref, action) for action in snapshot.actions or ())
    return tuple(run for run in runs if run and run != ref)
