"""The words and the places of each field. A new row of the fields' tables needs its row here.

The card and the Details begin with the same facts; below them a field may have a passage of its
own in either. Comments, attachments and nodes are several things each, and have blocks of their
own there.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, assert_never

from slack_sdk.models.blocks import Block

from bot.domain.fields import INSTANCE_FIELDS, PLAYBOOK_FIELDS, TASK_FIELDS, S
from bot.domain.objects import ByKind
from bot.domain.snapshots import Run, Snapshot, kind_of
from bot.messages.blocks import RenderContext, link, plain_text, section
from bot.messages.catalogue import N_, Catalogue
from bot.messages.text import (
    ago_token,
    code,
    code_block,
    date_token,
    inline,
    prose,
    time_token,
)
from bot.secmaster import (
    BusinessType,
    DueHandle,
    Instance,
    InstanceStatus,
    PlaybookInstance,
    Task,
    TaskStatus,
    TriggerType,
)

DESCRIPTION = 600
SHORT = 60  # characters of a passage beside its label
WHOLE = 2800  # characters of a passage in the Details

BUSINESS_TYPES: dict[str, str] = {
    BusinessType.WORKFLOWNODEAPPROVE: N_("workflow approval"),
    BusinessType.PLAYBOOKNODEAPPROVE: N_("playbook approval"),
    BusinessType.WORKFLOWPUBLISH: N_("publish a workflow version"),
    BusinessType.PLAYBOOKPUBLISH: N_("publish a playbook version"),
}
TASK_STATES: dict[str, str] = {
    TaskStatus.WAITING: N_("Waiting for a decision"),
    TaskStatus.FINISHED: N_("Finished"),
    TaskStatus.CANCELED: N_("Cancelled"),
}
INSTANCE_STATES: dict[str, str] = {
    InstanceStatus.RUNNING: N_("Running"),
    InstanceStatus.FAILED: N_("Failed"),
    InstanceStatus.FINISHED: N_("Finished"),
    InstanceStatus.RETRYING: N_("Retrying"),
    InstanceStatus.TERMINATING: N_("Terminating"),
    InstanceStatus.TERMINATED: N_("Terminated"),
}
# The runs of playbooks have the statuses of those of workflows.
STATES = ByKind(task=TASK_STATES, instance=INSTANCE_STATES, playbook=INSTANCE_STATES)
SIGNS: dict[str, str] = {
    TaskStatus.WAITING: "🟡",
    TaskStatus.FINISHED: "✅",
    TaskStatus.CANCELED: "⛔",
    InstanceStatus.RUNNING: "🔵",
    InstanceStatus.FAILED: "🔴",
    InstanceStatus.FINISHED: "✅",
    InstanceStatus.RETRYING: "🔁",
    InstanceStatus.TERMINATING: "🟠",
    InstanceStatus.TERMINATED: "⛔",
}
DUE_HANDLES: dict[str, str] = {
    DueHandle.CONTINUE: N_("approved automatically"),
    DueHandle.INTERRUPT: N_("cancelled automatically"),
}
TRIGGERS: dict[str, str] = {
    TriggerType.DEBUG: N_("debugging"),
    TriggerType.TIMER: N_("timer"),
    TriggerType.EVENT: N_("event"),
    TriggerType.MANUAL: N_("started by hand"),
}

# A passage's label and text in; its blocks out, none for a text that says nothing.
Passage = Callable[[str, str], list[Block]]


def paragraphs(_label: str, text: str) -> list[Block]:
    """Show a text as somebody's own paragraphs, without its label."""
    return [plain_text(text, DESCRIPTION)] if text else []


def parameters(label: str, text: str) -> list[Block]:
    """Show a text that may be JSON, laid out for reading: a short line of it beside its label."""
    if not text.strip(" \n[]{}"):
        return []
    laid = laid_out(text)
    if len(laid) <= SHORT and "\n" not in laid:
        return [section(f"*{label}* {code(laid)}")]
    return [labelled(label, laid)]


def paragraphs_in_full(label: str, text: str) -> list[Block]:
    """Show a text as somebody's own paragraphs, as much of it as fits one block."""
    return [section(f"*{label}*"), plain_text(text, WHOLE)] if text.strip() else []


def in_full(label: str, text: str) -> list[Block]:
    """Show a text that may be JSON as much of it as fits one block, laid out for reading."""
    return [labelled(label, laid_out(text), WHOLE)] if text.strip() else []


def labelled(label: str, text: str, limit: int = 800) -> Block:
    """Return a block of code under its label."""
    return section(f"*{label}*\n{code_block(text, limit)}")


@dataclass(frozen=True, slots=True)
class FieldWords(Generic[S]):
    """How people are shown a field: English texts, each to be looked up in its reader's catalogue.

    ``label`` names it, and ``values`` are the words for those texts of it that have any.
    ``fact`` returns its value among the facts, "" where it is left out there; ``fact_label`` is
    its label there where that depends on the snapshot. ``card`` and ``details`` render its
    passages. On a card a fact ``in_small_print`` stands below what a decision needs.
    """

    label: str
    values: Mapping[str, str] = field(default_factory=dict)
    is_time: bool = False
    fact: Callable[[RenderContext, S], str] | None = None
    fact_label: Callable[[S], str] | None = None
    in_small_print: bool = False
    card: Passage | None = None
    details: Passage | None = None


def task_state(catalogue: Catalogue, task: Task) -> str:
    """Name a task's status, with its sign."""
    return state_name(catalogue, TASK_STATES, task.status)


def run_state(catalogue: Catalogue, run: Run) -> str:
    """Name a run's status, with its sign."""
    return state_name(catalogue, INSTANCE_STATES, run.status)


def state_name(catalogue: Catalogue, states: Mapping[str, str], status: str) -> str:
    """Name a status by one of the tables of states, with its sign."""
    if status not in states:
        return f"▫️ {inline(status, 40) or '—'}"
    return f"{SIGNS[status]} {catalogue.gettext(states[status])}"


def due(catalogue: Catalogue, task: Task, now: datetime) -> str:
    """Say when a waiting task is due and what SecMaster does then; "—" without a due date.

    That it is approved then is a warning on a line of its own. Of a task that is overdue and still
    waits nobody knows what SecMaster will do.
    """
    if task.due_date is None:
        return "—"
    when, ago = date_token(task.due_date), ago_token(task.due_date)
    if task.due_date < now:
        return f"⏰ {catalogue.gettext('*Overdue* since {when} ({ago})', when=when, ago=ago)}"
    match task.due_handle:
        case DueHandle.CONTINUE:
            warning = catalogue.gettext(
                "*auto-approves* at {time} if nobody decides", time=time_token(task.due_date)
            )
            return f"{catalogue.gettext('{when} ({ago})', when=when, ago=ago)}\n⚠️ {warning}"
        case DueHandle.INTERRUPT:
            return catalogue.gettext(
                "{when} ({ago}), then cancelled automatically", when=when, ago=ago
            )
        case _:  # SecMaster states nothing, or what no version of the bot knows yet
            return catalogue.gettext("{when} ({ago})", when=when, ago=ago)


def _waiting_run(render_context: RenderContext, task: Task) -> str:
    """Name the run that waits for a task, with a link to the console, and its id last."""
    id_ = task.action_instance_id
    if task.status != TaskStatus.WAITING or not id_:
        return ""
    name = render_context.names.get(id_, "")
    if not name and task.evidence and task.evidence.run.id == id_:
        name = task.evidence.run.name
    if not name or not render_context.may_name_runs:
        return code(id_)
    linked = link(render_context.console_url, f"“{name}”") or f"“{inline(name)}”"
    return f"{linked} ({code(id_)})"


def _workflow(_render_context: RenderContext, run: Instance) -> str:
    version = f" {inline(run.workflow.version, 40)}" if run.workflow.version else ""
    return (inline(run.workflow.name) or "—") + version


def _playbook(_render_context: RenderContext, run: PlaybookInstance) -> str:
    version = f" {inline(run.playbook.version, 40)}" if run.playbook.version else ""
    return (inline(run.playbook.name) or "—") + version


def _data_object(_render_context: RenderContext, run: PlaybookInstance) -> str:
    """Name what a playbook's run is about; "" where the card says more of it, or for nothing."""
    if run.evidence and run.evidence.finding:
        return ""
    return prose(run.dataobject.name) or (code(run.dataobject.id) if run.dataobject.id else "")


def _start(render_context: RenderContext, run: Run) -> str:
    start = date_token(run.start_time)
    if run.end_time or run.start_time is None:
        return start
    return render_context.catalogue.gettext(
        "{when} ({ago})", when=start, ago=ago_token(run.start_time)
    )


def _end(render_context: RenderContext, run: Run) -> str:
    if run.end_time is None or run.start_time is None:
        return date_token(run.end_time) if run.end_time else ""
    catalogue, end = render_context.catalogue, date_token(run.end_time)
    duration = catalogue.duration(run.end_time - run.start_time)
    return catalogue.gettext("{when} (after {duration})", when=end, duration=duration)


def _value(values: Mapping[str, str], render_context: RenderContext, text: str) -> str:
    """Return the words for a field's text, or the text itself where there are none."""
    if text in values:
        return render_context.catalogue.gettext(values[text])
    return inline(text, 60) or "—"


# In the order of the facts. Passages and differences are in that of the fields' own tables.
TASK_WORDS: Mapping[str, FieldWords[Task]] = {
    "name": FieldWords(N_("Name")),  # the header of both
    "status": FieldWords(
        N_("Status"),
        values=TASK_STATES,
        fact=lambda context, task: task_state(context.catalogue, task),
    ),
    "business_type": FieldWords(
        N_("Type"),
        values=BUSINESS_TYPES,
        fact=lambda context, task: _value(BUSINESS_TYPES, context, task.business_type),
        in_small_print=True,
    ),
    "related_object": FieldWords(
        N_("Workflow or playbook"),
        fact=lambda _context, task: inline(task.related_object) or "—",
        fact_label=lambda task: (
            N_("Playbook") if task.business_type.startswith("PLAYBOOK") else N_("Workflow")
        ),
    ),
    "due_date": FieldWords(
        N_("Due"),
        is_time=True,
        fact=lambda context, task: (
            due(context.catalogue, task, context.now) if task.status == TaskStatus.WAITING else ""
        ),
    ),
    "due_handle": FieldWords(N_("When due"), values=DUE_HANDLES),  # said with the due date
    "creator_name": FieldWords(
        N_("Created by"),
        fact=lambda _context, task: inline(task.creator_name, 80) or "—",
        in_small_print=True,
    ),
    "create_time": FieldWords(
        N_("Created"),
        fact=lambda _context, task: date_token(task.create_time),
        in_small_print=True,
    ),
    "action_instance_id": FieldWords(N_("Waiting run"), fact=_waiting_run, in_small_print=True),
    "approver": FieldWords(N_("Handler")),
    "description": FieldWords(N_("Description"), card=paragraphs, details=paragraphs_in_full),
    "view_parameters": FieldWords(N_("Details"), card=parameters, details=in_full),
    "handle_parameters": FieldWords(N_("Parameters"), card=parameters, details=in_full),
    "notes": FieldWords(N_("Note"), card=parameters, details=in_full),
    "review_comments": FieldWords(N_("Review comments"), details=in_full),
    "attachments": FieldWords(N_("Attachments")),
}
INSTANCE_WORDS: Mapping[str, FieldWords[Instance]] = {
    "name": FieldWords(N_("Name")),  # the header of both
    "status": FieldWords(
        N_("Status"),
        values=INSTANCE_STATES,
        fact=lambda context, run: run_state(context.catalogue, run),
    ),
    "workflow": FieldWords(N_("Workflow"), fact=_workflow),
    "playbook": FieldWords(N_("Playbook"), fact=lambda _context, run: inline(run.playbook.name)),
    "trigger_type": FieldWords(
        N_("Trigger"),
        fact=lambda context, run: _value(TRIGGERS, context, run.trigger_type),
        in_small_print=True,
    ),
    "start_time": FieldWords(N_("Started"), fact=_start),
    "end_time": FieldWords(N_("Ended"), fact=_end),
    "retry_count": FieldWords(
        N_("Retries"), fact=lambda context, run: context.catalogue.number(run.retry_count)
    ),
    "failed_node": FieldWords(N_("Failed at")),
    "error_msg": FieldWords(N_("Error")),
}
PLAYBOOK_WORDS: Mapping[str, FieldWords[PlaybookInstance]] = {
    "name": FieldWords(N_("Name")),  # the header of both
    "status": FieldWords(
        N_("Status"),
        values=INSTANCE_STATES,
        fact=lambda context, run: run_state(context.catalogue, run),
    ),
    "playbook": FieldWords(N_("Playbook"), fact=_playbook),
    "dataobject": FieldWords(N_("Data object"), fact=_data_object),
    "trigger_type": FieldWords(
        N_("Trigger"),
        fact=lambda context, run: _value(TRIGGERS, context, run.trigger_type),
        in_small_print=True,
    ),
    "start_time": FieldWords(N_("Started"), fact=_start),
    "end_time": FieldWords(N_("Ended"), is_time=True, fact=_end),
    "failed_action": FieldWords(N_("Failed at")),
    "error_msg": FieldWords(N_("Error")),
}
WORDS: ByKind[Mapping[str, FieldWords[Any]]] = ByKind(
    task=TASK_WORDS, instance=INSTANCE_WORDS, playbook=PLAYBOOK_WORDS
)


def facts(render_context: RenderContext, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the facts of an object as pairs of label and value."""
    return [*card_facts(render_context, snapshot), *small_facts(render_context, snapshot)]


def card_facts(render_context: RenderContext, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return those of the facts that a decision needs."""
    return _facts(render_context, snapshot, in_small_print=False)


def small_facts(render_context: RenderContext, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return those of the facts that a card has in small print."""
    return _facts(render_context, snapshot, in_small_print=True)


def _facts(
    render_context: RenderContext, snapshot: Snapshot, *, in_small_print: bool
) -> list[tuple[str, str]]:
    gettext = render_context.catalogue.gettext
    rows: Iterable[FieldWords[Any]] = WORDS[kind_of(snapshot)].values()
    return [
        (gettext(row.fact_label(snapshot) if row.fact_label else row.label), value)
        for row in rows
        if row.in_small_print is in_small_print
        and row.fact
        and (value := row.fact(render_context, snapshot))
    ]


def card_passages(catalogue: Catalogue, snapshot: Snapshot) -> list[Block]:
    """Return the passages below the facts of a card."""
    return [
        block
        for words, text in _words_and_texts(snapshot)
        if words.card
        for block in words.card(catalogue.gettext(words.label), text)
    ]


def details_passages(catalogue: Catalogue, snapshot: Snapshot) -> list[Block]:
    """Return the passages below the facts of the Details."""
    return [
        block
        for words, text in _words_and_texts(snapshot)
        if words.details
        for block in words.details(catalogue.gettext(words.label), text)
    ]


def _words_and_texts(snapshot: Snapshot) -> list[tuple[FieldWords[Any], str]]:
    match snapshot:
        case Task():
            return [(TASK_WORDS[row.name], row.read(snapshot)) for row in TASK_FIELDS]
        case Instance():
            return [(INSTANCE_WORDS[row.name], row.read(snapshot)) for row in INSTANCE_FIELDS]
        case PlaybookInstance():
            return [(PLAYBOOK_WORDS[row.name], row.read(snapshot)) for row in PLAYBOOK_FIELDS]
        case _:
            assert_never(snapshot)


def laid_out(text: str) -> str:
    """Return parameters as "name: value", other JSON indented, and anything else as it is."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    pairs = _pairs(document)
    if pairs:
        result = "\n".join(_parameter(name, value) for name, value in pairs)
    else:
        result = json.dumps(document, indent=1, ensure_ascii=False)
    # JSON can spell half a character, which no message can carry.
    return result.encode("utf-8", "replace").decode()


def _pairs(document: object) -> list[tuple[str, object]]:
    """Return the names and values of a list of parameters, or of an object of plain values."""
    if isinstance(document, dict) and not any(
        isinstance(value, (dict, list)) for value in document.values()
    ):
        return [*document.items()]
    if isinstance(document, list) and all(
        isinstance(item, dict) and "value" in item for item in document
    ):
        return [
            (str(item.get("name") or item.get("key") or "—"), item["value"]) for item in document
        ]
    return []


def _parameter(name: str, value: object) -> str:
    """Return a parameter on its line; what follows of its value can't pose as another one."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    first, *others = f"{' '.join(name.split())}: {text}".splitlines()
    return "\n".join([first, *(f"    {line}" for line in others)])
