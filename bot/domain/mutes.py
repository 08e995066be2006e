"""Mutes: a workflow whose failures and tasks get no cards and call nobody until a time."""

import hashlib
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from bot.domain.objects import Value
from bot.domain.ordering import auto_approves
from bot.domain.snapshots import Snapshot
from bot.secmaster import Instance, PlaybookInstance, Task

LONGEST = timedelta(days=7)  # what is forgotten must end
MAX_KEY = 200  # characters of a key; a longer one is hashed


class Mute(Value):
    """A workflow that somebody muted in a workspace, by its ``key``: until when, and why.

    ``held`` is how many tasks and runs arrived meanwhile.
    """

    workspace: str
    key: str
    name: str
    actor_id: str
    actor_name: str = ""
    reason: str = ""
    at: datetime
    until: datetime
    held: int = 0


def workflow_name(snapshot: Snapshot) -> str:
    """Return the workflow that a run is of, or a task belongs to; "" where that is not stated.

    A run of a playbook may start several workflows, and is of none.
    """
    match snapshot:
        case Task():
            is_of_workflow = snapshot.business_type.startswith("WORKFLOW")
            return snapshot.related_object if is_of_workflow else ""
        case Instance():
            return snapshot.workflow.name or snapshot.workflow.id
        case PlaybookInstance():
            return ""
        case _:
            assert_never(snapshot)


def mute_key(name: str) -> str:
    """Return what a workflow's mute is stored under: its name, however it is written."""
    folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return folded if len(folded) <= MAX_KEY else hashlib.sha256(folded.encode()).hexdigest()


def mute_of(mutes: Sequence[Mute], workspace: str, snapshot: Snapshot) -> Mute | None:
    """Return the mute that an object falls under; None for a task that silence approves."""
    if isinstance(snapshot, Task) and auto_approves(snapshot):
        return None
    key = mute_key(workflow_name(snapshot))
    matching = (mute for mute in mutes if key and (mute.workspace, mute.key) == (workspace, key))
    return next(matching, None)
