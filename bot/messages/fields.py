"""The words and the places of each field. A new row of the fields' tables needs its row here.

The card and the Details begin with the same facts; below them a field may have a passage of its
own in either. Comments, attachments and nodes are several things each, and have blocks of their
own there.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic

from slack_sdk.models.blocks import Block

from bot.domain.fields import INSTANCE_FIELDS, TASK_FIELDS, S
from bot.domain.objects import ObjectKind
from bot.domain.snapshots import Snapshot
from bot.messages.blocks import plain_text, section
from bot.messages.catalogue import Catalogue
from bot.messages.text import code, code_block, date_token, inline, relative_time
from bot.secmaster import (
    BusinessType,
    DueHandle,
    Instance,
    InstanceStatus,
    Task,
    TaskStatus,
)

DESCRIPTION = 600
WHOLE = 2800  # characters of a passage in the Details

BUSINESS_TYPES: dict[str, str] = {
    BusinessType.WORKFLOWNODEAPPROVE: "An approval in a workflow",
    BusinessType.PLAYBOOKNODEAPPROVE: "An approval in a playbook",
    BusinessType.WORKFLOWPUBLISH: "A workflow version to publish",
    BusinessType.PLAYBOOKPUBLISH: "A playbook version to publish",
}
TASK_STATES: dict[str, str] = {
    TaskStatus.WAITING: "🟡 Waiting for a decision",
    TaskStatus.FINISHED: "✅ Finished",
    TaskStatus.CANCELED: "⛔ Canceled",
}
INSTANCE_STATES: dict[str, str] = {
    InstanceStatus.RUNNING: "🔵 Running",
    InstanceStatus.FAILED: "🔴 Failed",
    InstanceStatus.FINISHED: "✅ Finished",
    InstanceStatus.RETRYING: "🔁 Retrying",
    InstanceStatus.TERMINATING: "🟠 Terminating",
    InstanceStatus.TERMINATED: "⛔ Terminated",
}
DUE_HANDLES: dict[str, str] = {
    DueHandle.CONTINUE: "it goes on by itself",
    DueHandle.INTERRUPT: "it is interrupted",
}

# A passage's label and text in; its blocks out, none for a text that says nothing.
Passage = Callable[[str, str], list[Block]]


def paragraphs(_label: str, text: str) -> list[Block]:
    """Show a text as somebody's own paragraphs, without its label."""
    return [plain_text(text, DESCRIPTION)] if text else []


def parameters(label: str, text: str) -> list[Block]:
    """Show a text that may be JSON, laid out for reading."""
    return [labelled(label, laid_out(text))] if text.strip(" \n[]{}") else []


def in_full(label: str, text: str) -> list[Block]:
    """Show a text as it is, as much of it as fits one block."""
    return [labelled(label, text, WHOLE)] if text.strip() else []


def labelled(label: str, text: str, limit: int = 800) -> Block:
    """Return a block of code under its label."""
    return section(f"*{label}*\n{code_block(text, limit)}")


@dataclass(frozen=True, slots=True)
class FieldWords(Generic[S]):
    """How people are shown a field.

    ``label`` names it, and ``values`` are the words for those texts of it that have any.
    ``fact`` returns its value among the facts, "" where it is left out there, from the snapshot
    and the current time; ``fact_label`` is its label there where that depends on the snapshot.
    ``card`` and ``details`` render its passages.
    """

    label: str
    values: Mapping[str, str] = field(default_factory=dict)
    is_time: bool = False
    fact: Callable[[Catalogue, S, datetime], str] | None = None
    fact_label: Callable[[S], str] | None = None
    card: Passage | None = None
    details: Passage | None = None


def task_state(catalogue: Catalogue, task: Task) -> str:
    """Name a task's status, with its sign."""
    return TASK_STATES.get(task.status, f"▫️ {inline(task.status, 40)}")


def instance_state(catalogue: Catalogue, run: Instance) -> str:
    """Name an instance's status, with its sign."""
    return INSTANCE_STATES.get(run.status, f"▫️ {inline(run.status, 40)}")


def due(catalogue: Catalogue, task: Task, now: datetime) -> str:
    """Say when a waiting task is due and what happens then; "—" without a due date.

    That it goes on by itself is a warning on a line of its own.
    """
    if task.due_date is None:
        return "—"
    when = f"{date_token(task.due_date)} ({relative_time(catalogue, task.due_date, now)})"
    text = f"⏰ *Overdue* since {when}" if task.due_date < now else when
    if task.due_handle == DueHandle.CONTINUE:
        return f"{text}\n⚠️ then it *goes on by itself*"
    return f"{text}\nthen it is interrupted" if task.due_handle == DueHandle.INTERRUPT else text


def _held_up(_catalogue: Catalogue, task: Task, _now: datetime) -> str:
    waiting = task.status == TaskStatus.WAITING
    return code(task.action_instance_id) if waiting and task.action_instance_id else ""


def _workflow(_catalogue: Catalogue, run: Instance, _now: datetime) -> str:
    version = f" {inline(run.workflow.version, 40)}" if run.workflow.version else ""
    return (inline(run.workflow.name) or "—") + version


def _end(catalogue: Catalogue, run: Instance, now: datetime) -> str:
    duration = catalogue.duration((run.end_time or now) - run.start_time) if run.start_time else "—"
    return f"{date_token(run.end_time)} (after {duration})" if run.end_time else duration


# In the order of the facts. Passages and differences are in that of the fields' own tables.
TASK_WORDS: Mapping[str, FieldWords[Task]] = {
    "name": FieldWords("Name"),  # the header of both
    "status": FieldWords(
        "Status", values=TASK_STATES, fact=lambda catalogue, task, _: task_state(catalogue, task)
    ),
    "business_type": FieldWords(
        "Decision",
        values=BUSINESS_TYPES,
        fact=lambda _catalogue, task, _: (
            BUSINESS_TYPES.get(task.business_type) or inline(task.business_type, 60) or "—"
        ),
    ),
    "related_object": FieldWords(
        "Workflow or playbook",
        fact=lambda _catalogue, task, _: inline(task.related_object) or "—",
        fact_label=lambda task: (
            "Playbook" if task.business_type.startswith("PLAYBOOK") else "Workflow"
        ),
    ),
    "due_date": FieldWords(
        "Due",
        is_time=True,
        fact=lambda catalogue, task, now: (
            due(catalogue, task, now) if task.status == TaskStatus.WAITING else ""
        ),
    ),
    "due_handle": FieldWords("When due", values=DUE_HANDLES),  # said with the due date
    "creator_name": FieldWords(
        "Created by", fact=lambda _catalogue, task, _: inline(task.creator_name, 80) or "—"
    ),
    "create_time": FieldWords(
        "Created", fact=lambda _catalogue, task, _: date_token(task.create_time)
    ),
    "action_instance_id": FieldWords("Holds up", fact=_held_up),
    "approver": FieldWords("Handler"),
    "description": FieldWords("Description", card=paragraphs, details=in_full),
    "view_parameters": FieldWords("Details", card=parameters, details=in_full),
    "handle_parameters": FieldWords("Parameters", card=parameters, details=in_full),
    "notes": FieldWords("Note", card=parameters),
    "review_comments": FieldWords("Review comments", details=in_full),
    "attachments": FieldWords("Attachments"),
}
INSTANCE_WORDS: Mapping[str, FieldWords[Instance]] = {
    "name": FieldWords("Name"),  # the header of both
    "status": FieldWords(
        "Status",
        values=INSTANCE_STATES,
        fact=lambda catalogue, run, _: instance_state(catalogue, run),
    ),
    "workflow": FieldWords("Workflow", fact=_workflow),
    "playbook": FieldWords("Playbook", fact=lambda _catalogue, run, _: inline(run.playbook.name)),
    "trigger_type": FieldWords(
        "Trigger", fact=lambda _catalogue, run, _: inline(run.trigger_type, 40).capitalize() or "—"
    ),
    "start_time": FieldWords("Started", fact=lambda _catalogue, run, _: date_token(run.start_time)),
    "end_time": FieldWords(
        "Ended", fact=_end, fact_label=lambda run: "Ended" if run.end_time else "Running for"
    ),
    "retry_count": FieldWords("Retries", fact=lambda _catalogue, run, _: str(run.retry_count)),
    "failed_node": FieldWords("Failed at"),
    "error_msg": FieldWords("Error"),
}
WORDS: Mapping[ObjectKind, Mapping[str, FieldWords[Any]]] = {
    "task": TASK_WORDS,
    "instance": INSTANCE_WORDS,
}


def facts(catalogue: Catalogue, snapshot: Snapshot, now: datetime) -> list[tuple[str, str]]:
    """Return the facts of an object as pairs of label and value."""
    if isinstance(snapshot, Task):
        return _facts(catalogue, TASK_WORDS, snapshot, now)
    return _facts(catalogue, INSTANCE_WORDS, snapshot, now)


def _facts(
    catalogue: Catalogue, words: Mapping[str, FieldWords[S]], snapshot: S, now: datetime
) -> list[tuple[str, str]]:
    return [
        (row.fact_label(snapshot) if row.fact_label else row.label, value)
        for row in words.values()
        if row.fact and (value := row.fact(catalogue, snapshot, now))
    ]


def card_passages(catalogue: Catalogue, snapshot: Snapshot) -> list[Block]:
    """Return the passages below the facts of a card."""
    return [
        block
        for words, text in _words_and_texts(catalogue, snapshot)
        if words.card
        for block in words.card(words.label, text)
    ]


def details_passages(catalogue: Catalogue, snapshot: Snapshot) -> list[Block]:
    """Return the passages below the facts of the Details."""
    return [
        block
        for words, text in _words_and_texts(catalogue, snapshot)
        if words.details
        for block in words.details(words.label, text)
    ]


def _words_and_texts(catalogue: Catalogue, snapshot: Snapshot) -> list[tuple[FieldWords[Any], str]]:
    if isinstance(snapshot, Task):
        return [(TASK_WORDS[row.name], row.read(snapshot)) for row in TASK_FIELDS]
    return [(INSTANCE_WORDS[row.name], row.read(snapshot)) for row in INSTANCE_FIELDS]


def laid_out(text: str) -> str:
    """Return parameters as "name: value", other JSON indented, and anything else as it is."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(document, list) and all(
        isinstance(item, dict) and "value" in item for item in document
    ):
        lines = []
        for item in document:
            value = item["value"]
            value = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"{item.get('name') or item.get('key') or '—'}: {value}")
        result = "\n".join(lines)
    else:
        result = json.dumps(document, indent=1, ensure_ascii=False)
    # JSON can spell half a character, which no message can carry.
    return result.encode("utf-8", "replace").decode()
