"""What somebody saw of a task or an instance, and what of it matters to whoever decides.

A card's buttons carry the digest of what it showed, so that a click on an old picture is noticed
and a record says on what was decided.
"""

import hashlib
import json
from collections.abc import Collection

from bot.domain.objects import ObjectKind, Value
from bot.secmaster import Instance, Task, TaskComment

Snapshot = Task | Instance

FINGERPRINT_LENGTH = (
    32  # of a digest: a button has room for it, and nobody finds another sight with the same
)


class Change(Value):
    """One thing about an object that is no longer as it was shown."""

    label: str
    before: str = ""
    after: str = ""


class StoredSnapshot(Value):
    """An object as it was read: the digest of what of it matters, and all of it as JSON."""

    fingerprint: str = ""
    snapshot: str = ""


def rendered_fingerprint(snapshot: Snapshot) -> str:
    """The digest of everything: another one means that a card may look different."""
    return hashlib.sha256(snapshot.model_dump_json().encode()).hexdigest()


def decision_fingerprint(snapshot: Snapshot) -> str:
    """The digest of what matters, and of which object it is."""
    facts = [snapshot.id, _facts(snapshot), _comments(snapshot)]
    told = json.dumps(facts, sort_keys=True)  # in ASCII: half a character has bytes as well
    return hashlib.sha256(told.encode()).hexdigest()[:FINGERPRINT_LENGTH]


def stored(snapshot: Snapshot) -> StoredSnapshot:
    """What is kept of it."""
    return StoredSnapshot(
        fingerprint=decision_fingerprint(snapshot), snapshot=snapshot.model_dump_json()
    )


def parse(noun: ObjectKind, kept: str) -> Snapshot | None:
    """What was kept, read back; None where nothing was."""
    if not kept:
        return None
    kind = Task if noun == "task" else Instance
    return kind.model_validate_json(kept)


def changes(before: Snapshot, after: Snapshot, own: Collection[str] = ()) -> tuple[Change, ...]:
    """What matters and is no longer the same, by the names of SecMaster's fields.

    ``own`` are the marks of what the reader has said from here: it is no news to them.
    """
    old, new = _facts(before), _facts(after)
    facts = [
        Change(label=key, before=old.get(key, ""), after=text)
        for key, text in new.items()
        if text != old.get(key, "")
    ]
    had, has = _comments(before, own), _comments(after, own)
    gone = [Change(label="comment", before=had[key]) for key in had if has.get(key) != had[key]]
    come = [Change(label="comment", after=has[key]) for key in has if has[key] != had.get(key)]
    return (*facts, *gone, *come)


def _facts(snapshot: Snapshot) -> dict[str, str]:
    return _of_task(snapshot) if isinstance(snapshot, Task) else _of_run(snapshot)


def _of_task(task: Task) -> dict[str, str]:
    return {
        "status": task.status,
        "name": task.name,
        "business_type": task.business_type,
        "related_object": task.related_object,
        "action_instance_id": task.action_instance_id,
        "description": task.description,
        "due_date": task.due_date.isoformat() if task.due_date else "",
        "due_handle": task.due_handle,
        "approver": task.approver or task.approveuser_name or task.approveuser_id,
        "view_parameters": task.view_parameters,
        "handle_parameters": task.handle_parameters,
        "notes": task.notes or task.note,
        "attachments": ", ".join(task.attachment_id_list),
    }


def _of_run(run: Instance) -> dict[str, str]:
    failed = run.failed_node
    return {
        "status": run.status,
        "name": run.name,
        "workflow": f"{run.workflow.name} {run.workflow.version}".strip(),
        "retry_count": str(run.retry_count),
        "failed_node": f"{failed.action_name or failed.action_id}" if failed else "",
        "error_msg": failed.error_msg if failed else "",
    }


def _comments(snapshot: Snapshot, own: Collection[str] = ()) -> dict[str, str]:
    """Each comment by its id: who, and what; without the reader's own.

    Of several with one mark only the first is theirs: whoever copies it comes later.
    """
    comments = snapshot.comments if isinstance(snapshot, Task) else ()
    left, told = set(own), {}
    for comment in comments:
        mine = {mark for mark in left if mark in comment.message}
        left -= mine
        if not mine:
            told[comment.id] = _said(comment)
    return told


def _said(comment: TaskComment) -> str:
    return f"{comment.user_name or comment.user_id}: {comment.message}"
