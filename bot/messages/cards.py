"""Cards: one task or instance as SecMaster has it, and the buttons that fit its state."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import Block

from bot.domain.actions import BY_NAME, OPEN_STATUSES, TABLE
from bot.domain.approvals import ApprovalRequest
from bot.domain.operations import OperationState, StandingOperation
from bot.domain.snapshots import Snapshot
from bot.messages import approvals
from bot.messages.blocks import (
    Message,
    RenderContext,
    action_button,
    actions,
    context,
    fields,
    header,
    link,
    overflow_menu,
    plain_text,
    section,
)
from bot.messages.labels import labels
from bot.messages.text import (
    ELLIPSIS,
    clip,
    code,
    code_block,
    date_token,
    format_duration,
    inline,
    mention_all,
    mention_user,
    quote,
    relative_time,
)
from bot.secmaster import (
    BusinessType,
    DueHandle,
    Instance,
    InstanceStatus,
    Node,
    Task,
    TaskComment,
    TaskStatus,
)

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
TRANSIENT = (InstanceStatus.RETRYING, InstanceStatus.TERMINATING)
# What the menu offers to whoever wants to be left alone by it. An option carries 150 characters,
# and with the longest ids these names leave none over.
SNOOZES = [("snooze.1h", "Snooze 1 h"), ("snooze.9h", "Snooze until 9:00")]
END_SNOOZE = [("snooze.0h", "End the snooze")]
LATEST = 3
DESCRIPTION = 600
ERROR = 600
NODE_TEXT = 200  # characters of what a failed node was given and said


def card(
    frame: RenderContext,
    snapshot: Snapshot,
    verdict: StandingOperation | None,
    waiting: Sequence[ApprovalRequest] = (),
) -> Message:
    """Draw a card.

    ``verdict`` is what was last done to its object from here, ``waiting`` what waits for more
    people.
    """
    if isinstance(snapshot, Task):
        name, state, parts = snapshot.name, task_state(snapshot), _of_task(snapshot, frame, verdict)
    else:
        name, state, parts = snapshot.name, instance_state(snapshot), _of_run(snapshot, frame)
    if verdict and _worth_showing(snapshot, verdict):
        parts.append(section(_done_here(verdict)))
    for ballot in waiting:
        if snapshot.status in BY_NAME[ballot.action].allowed_statuses:
            parts += approvals.request_blocks(frame, snapshot, ballot)
    parts += _snoozed(frame, snapshot)
    comments = _attached(snapshot) if isinstance(snapshot, Task) else []
    parts.append(context(*comments, footer(frame)))
    parts[1:1] = mention_block(frame) if snapshot.status in OPEN_STATUSES else []
    return Message(f"{inline(name)}: {state}", (*parts, *_buttons(frame, snapshot)))


def mention_block(frame: RenderContext) -> list[Block]:
    """Whom the card calls."""
    return [section(mention_all(frame.mentions))] if frame.mentions else []


def _snoozed(frame: RenderContext, about: Snapshot) -> list[Block]:
    if frame.snoozed_until is None or about.status not in OPEN_STATUSES:
        return []
    left_alone = (
        f"{date_token(frame.snoozed_until)} ({relative_time(frame.snoozed_until, frame.now)})"
    )
    return [section(f"😴 Snoozed by {mention_user(frame.snoozed_by)} until {left_alone}.")]


def _worth_showing(snapshot: Snapshot, verdict: StandingOperation) -> bool:
    """Whether what was done here is still to be told: a task that waits was not decided by it."""
    waiting = isinstance(snapshot, Task) and snapshot.status == TaskStatus.WAITING
    return verdict.state is OperationState.IN_DOUBT or not waiting


def _of_task(task: Task, frame: RenderContext, verdict: StandingOperation | None) -> list[Block]:
    parts: list[Block] = [header(task.name), fields(facts(frame, task))]
    if task.description:
        parts.append(plain_text(task.description, DESCRIPTION))
    for label, text in (
        ("Details", task.view_parameters),
        ("Parameters", task.handle_parameters),
        ("Note", task.notes or task.note),
    ):
        if text.strip(" \n[]{}"):
            parts.append(section(f"*{label}*\n{code_block(_pretty(text))}"))
    if task.status != TaskStatus.WAITING and not verdict:
        parts.append(section(_decided_elsewhere(task)))
    return parts


def _of_run(run: Instance, frame: RenderContext) -> list[Block]:
    head = header(run.name or run.workflow.name)
    return [head, fields(facts(frame, run)), *_atnode_title(run)]


def _atnode_title(run: Instance) -> list[Block]:
    """Where the run is, or where it failed and how."""
    at, failed = run.running_node, run.failed_node
    if run.status == InstanceStatus.RUNNING and at:
        return [section(f"*Now at* {node_title(at)}")]
    if run.status == InstanceStatus.FINISHED or failed is None:
        return []
    parts: list[Block] = [section(f"*Failed at* {node_title(failed)}")]
    if failed.error_msg:
        parts.append(section(code_block(_ends(failed.error_msg))))
    for label, text in (("Input", failed.input), ("Output", failed.output)):
        if text.strip(" \n[]{}"):
            parts.append(section(f"*{label}* {code_block(clip(text, NODE_TEXT))}"))
    return parts


def _ends(text: str) -> str:
    """A long error's beginning and end: one of the two says what matters."""
    if len(text) <= ERROR:
        return text
    return f"{text[: ERROR // 2]}\n{ELLIPSIS}\n{text[-ERROR // 2 :]}"


def node_title(node: Node) -> str:
    return f"{inline(node.action_name or node.action_id)} ({code(node.action_id)})"


def vanished_card(frame: RenderContext, title: str) -> Message:
    """The card of something that SecMaster no longer knows: no buttons."""
    gone = f"⚪ This {frame.ref.kind} no longer exists in SecMaster."
    return Message(
        f"{inline(title)}: {gone}", (header(title), section(gone), context(footer(frame)))
    )


def task_state(task: Task) -> str:
    return TASK_STATES.get(task.status, f"▫️ {inline(task.status, 40)}")


def instance_state(run: Instance) -> str:
    return INSTANCE_STATES.get(run.status, f"▫️ {inline(run.status, 40)}")


def due(task: Task, now: datetime) -> str:
    """When a waiting task is due and what happens then; going on by itself is a warning."""
    if task.due_date is None:
        return "—"
    late = task.due_date < now
    when = f"{date_token(task.due_date)} ({relative_time(task.due_date, now)})"
    said = f"⏰ *Overdue* since {when}" if late else when
    if task.due_handle == DueHandle.CONTINUE:
        return f"{said}\n⚠️ then it *goes on by itself*"
    return f"{said}\nthen it is interrupted" if task.due_handle == DueHandle.INTERRUPT else said


def facts(frame: RenderContext, snapshot: Snapshot) -> list[tuple[str, str]]:
    """What a card says of its object in a few words, each with its label."""
    if isinstance(snapshot, Task):
        return _task_facts(snapshot, frame)
    return _run_facts(snapshot, frame)


def _task_facts(task: Task, frame: RenderContext) -> list[tuple[str, str]]:
    waiting = task.status == TaskStatus.WAITING
    facts = [
        ("Status", task_state(task)),
        ("Decision", BUSINESS_TYPES.get(task.business_type, inline(task.business_type, 60) or "—")),
        (_related(task), inline(task.related_object) or "—"),
        ("Due", due(task, frame.now) if waiting else ""),
        ("Created by", inline(task.creator_name, 80) or "—"),
        ("Created", date_token(task.create_time)),
        ("Holds up", code(task.action_instance_id) if waiting and task.action_instance_id else ""),
    ]
    return [(label, value) for label, value in facts if value]


def _related(task: Task) -> str:
    return "Playbook" if task.business_type.startswith("PLAYBOOK") else "Workflow"


def _run_facts(run: Instance, frame: RenderContext) -> list[tuple[str, str]]:
    version = f" {inline(run.workflow.version, 40)}" if run.workflow.version else ""
    took = format_duration((run.end_time or frame.now) - run.start_time) if run.start_time else "—"
    facts = [
        ("Status", instance_state(run)),
        ("Workflow", (inline(run.workflow.name) or "—") + version),
        ("Playbook", inline(run.playbook.name)),
        ("Trigger", inline(run.trigger_type, 40).capitalize() or "—"),
        ("Started", date_token(run.start_time)),
        ("Ended" if run.end_time else "Running for", _end(run, took)),
        ("Retries", str(run.retry_count)),
    ]
    return [(label, value) for label, value in facts if value]


def _end(run: Instance, took: str) -> str:
    return f"{date_token(run.end_time)} (after {took})" if run.end_time else took


def _decided_elsewhere(task: Task) -> str:
    """Who decided; what was decided from here tells more than SecMaster, which names the bot."""
    who = inline(task.decider, 80)
    if who:
        return f"Decided outside Slack by {who}, {date_token(task.update_time)}."
    return f"Decided outside Slack, or by itself at its due date, {date_token(task.update_time)}."


def _done_here(verdict: StandingOperation) -> str:
    operation = verdict.operation
    said, who = labels(BY_NAME[operation.action]), approvals.actor_names(operation)
    when = date_token(verdict.at)
    told = {
        OperationState.UNKNOWN: f"The {said.noun} by {who} from Slack, {when}, may have done this.",
        OperationState.IN_DOUBT: (
            f"❓ *Whether the {said.noun} by {who} took effect is not known yet.* SecMaster is "
            "read until it is, or given up; the thread will tell."
        ),
    }.get(verdict.state, f"{said.done} by {who} from Slack, {when}.")
    return f"{told}\n{quote(operation.reason, 600)}" if operation.reason else told


def _attached(task: Task) -> list[str]:
    """The latest comments and attachments, and how many more there are."""
    latest = [_comment(each) for each in task.comments[-LATEST:]]
    if more_comments := len(task.comments) - len(latest):
        latest.insert(0, f"{more_comments} earlier under Details")
    files = task.attachment_id_list
    if files:
        shown = ", ".join(code(each, 64) for each in files[-LATEST:])
        rest = f" and {len(files) - LATEST} more" if len(files) > LATEST else ""
        latest.append(f"📎 {shown}{rest}")
    return latest


def _comment(comment: TaskComment) -> str:
    return f"💬 {inline(comment.user_name, 60) or '—'}: {inline(comment.message, 300)}"


def footer(frame: RenderContext, *, several: bool = False) -> str:
    """In which workspace, of which object unless there are ``several``, and as of when."""
    one = "" if several else f"{frame.ref.kind} {code(frame.ref.id)}"
    place = " · ".join(filter(None, (inline(frame.workspace, 60), one)))
    console = link(frame.console_url, "console")
    since = "SecMaster can't be read now" if frame.stale else f"as of {date_token(frame.now)}"
    return " · ".join(filter(None, (place, since, console)))


def _buttons(frame: RenderContext, about: Snapshot) -> list[Block]:
    """The buttons that fit the state: none once there is nothing left to decide."""
    own = [action for action in TABLE if action.kind == frame.ref.kind]
    row = [
        action_button(action, frame, about)
        for action in own
        if about.status in action.button_statuses
    ]
    if not row and about.status not in TRANSIENT:
        return []
    menu = [(action.name, labels(action).button) for action in own if action.in_menu]
    menu += [("details", "Details"), ("refresh", "Refresh")]
    if about.status in OPEN_STATUSES:
        menu += END_SNOOZE if frame.snoozed_until else SNOOZES
    return [actions([*row, overflow_menu(menu, frame.ref)])]


def _pretty(given: str) -> str:
    """Parameters as "name: value", other JSON laid out for reading, anything else as it is."""
    try:
        found = json.loads(given)
    except (ValueError, RecursionError):
        return given
    if isinstance(found, list) and all(isinstance(one, dict) and "value" in one for one in found):
        shown = "\n".join(_parameter(one) for one in found)
    else:
        shown = json.dumps(found, indent=1, ensure_ascii=False)
    # JSON can spell half a character, which no message can carry.
    return shown.encode("utf-8", "replace").decode()


def _parameter(one: dict[str, Any]) -> str:
    value = one["value"]
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{one.get('name') or one.get('key') or '—'}: {shown}"
