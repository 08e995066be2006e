"""Render cards: one task or instance as SecMaster has it, with the buttons that fit its state."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

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
# The snooze options of the menu. An option carries 150 characters, and with the longest ids these
# names leave none over.
SNOOZES = [("snooze.1h", "Snooze 1 h"), ("snooze.9h", "Snooze until 9:00")]
END_SNOOZE = [("snooze.0h", "End the snooze")]
LATEST = 3
DESCRIPTION = 600
ERROR = 600
NODE_TEXT = 200  # characters of a failed node's input and output


def card(
    render_context: RenderContext,
    snapshot: Snapshot,
    standing_operation: StandingOperation | None,
    requests: Sequence[ApprovalRequest] = (),
) -> Message:
    """Return the card of a task or an instance.

    ``standing_operation`` is what was last done to it from Slack, ``requests`` are the approval
    requests about it; those for actions that its status no longer allows are left out.
    """
    if isinstance(snapshot, Task):
        state = task_state(snapshot)
        blocks = _task_blocks(snapshot, render_context, standing_operation)
    else:
        state = instance_state(snapshot)
        blocks = [
            header(snapshot.name or snapshot.workflow.name),
            fields(facts(render_context, snapshot)),
            *_node_blocks(snapshot),
        ]
    is_open = snapshot.status in OPEN_STATUSES
    if is_open:
        blocks[1:1] = mention_block(render_context)
    # A task that waits was not decided by what was done before, unless that is still in doubt.
    waiting = isinstance(snapshot, Task) and snapshot.status == TaskStatus.WAITING
    if standing_operation and (standing_operation.state is OperationState.IN_DOUBT or not waiting):
        blocks.append(section(_standing_text(standing_operation)))
    for request in requests:
        if snapshot.status in BY_NAME[request.action].allowed_statuses:
            blocks += approvals.request_blocks(render_context, snapshot, request)
    if is_open and render_context.snoozed_until is not None:
        until = render_context.snoozed_until
        when = f"{date_token(until)} ({relative_time(until, render_context.now)})"
        snoozer = mention_user(render_context.snoozed_by)
        blocks.append(section(f"😴 Snoozed by {snoozer} until {when}."))
    small_print = _comments_and_files(snapshot) if isinstance(snapshot, Task) else []
    blocks.append(context(*small_print, footer(render_context)))
    buttons = _button_row(render_context, snapshot)
    return Message(f"{inline(snapshot.name)}: {state}", (*blocks, *buttons))


def vanished_card(render_context: RenderContext, title: str) -> Message:
    """Return the card of an object that SecMaster no longer knows; it has no buttons."""
    text = f"⚪ This {render_context.ref.kind} no longer exists in SecMaster."
    blocks = (header(title), section(text), context(footer(render_context)))
    return Message(f"{inline(title)}: {text}", blocks)


def mention_block(render_context: RenderContext) -> list[Block]:
    """Return the block that mentions whom the card calls; [] where it calls nobody."""
    mentions = render_context.mentions
    return [section(mention_all(mentions))] if mentions else []


def task_state(task: Task) -> str:
    """Name a task's status, with its sign."""
    return TASK_STATES.get(task.status, f"▫️ {inline(task.status, 40)}")


def instance_state(run: Instance) -> str:
    """Name an instance's status, with its sign."""
    return INSTANCE_STATES.get(run.status, f"▫️ {inline(run.status, 40)}")


def node_title(node: Node) -> str:
    """Name a node of a workflow, with its id."""
    return f"{inline(node.action_name or node.action_id)} ({code(node.action_id)})"


def due(task: Task, now: datetime) -> str:
    """Say when a waiting task is due and what happens then; "—" without a due date.

    That it goes on by itself is a warning on a line of its own.
    """
    if task.due_date is None:
        return "—"
    when = f"{date_token(task.due_date)} ({relative_time(task.due_date, now)})"
    text = f"⏰ *Overdue* since {when}" if task.due_date < now else when
    if task.due_handle == DueHandle.CONTINUE:
        return f"{text}\n⚠️ then it *goes on by itself*"
    return f"{text}\nthen it is interrupted" if task.due_handle == DueHandle.INTERRUPT else text


def facts(render_context: RenderContext, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the facts of a card as pairs of label and value."""
    if isinstance(snapshot, Task):
        pairs = _task_facts(snapshot, render_context.now)
    else:
        pairs = _instance_facts(snapshot, render_context.now)
    return [(label, value) for label, value in pairs if value]


def footer(render_context: RenderContext, *, several: bool = False) -> str:
    """Say which workspace and object a card shows, and as of when, with a link to the console.

    A card of ``several`` objects names none of them.
    """
    ref = render_context.ref
    name = "" if several else f"{ref.kind} {code(ref.id)}"
    age = (
        "SecMaster can't be read now"
        if render_context.stale
        else f"as of {date_token(render_context.now)}"
    )
    console = link(render_context.console_url, "console")
    workspace = inline(render_context.workspace, 60)
    return " · ".join(filter(None, (workspace, name, age, console)))


def _task_blocks(
    task: Task, render_context: RenderContext, standing_operation: StandingOperation | None
) -> list[Block]:
    blocks: list[Block] = [header(task.name), fields(facts(render_context, task))]
    if task.description:
        blocks.append(plain_text(task.description, DESCRIPTION))
    for label, text in (
        ("Details", task.view_parameters),
        ("Parameters", task.handle_parameters),
        ("Note", task.notes or task.note),
    ):
        if text.strip(" \n[]{}"):
            blocks.append(section(f"*{label}*\n{code_block(_laid_out(text))}"))
    # What was decided from here tells more than SecMaster, which then names the bot.
    if task.status != TaskStatus.WAITING and not standing_operation:
        decider = inline(task.decider, 80)
        way = f" by {decider}" if decider else ", or by itself at its due date"
        blocks.append(section(f"Decided outside Slack{way}, {date_token(task.update_time)}."))
    return blocks


def _node_blocks(run: Instance) -> list[Block]:
    """Show the node at which an instance is, or the one at which it failed and how."""
    running, failed = run.running_node, run.failed_node
    if run.status == InstanceStatus.RUNNING and running:
        return [section(f"*Now at* {node_title(running)}")]
    if run.status == InstanceStatus.FINISHED or failed is None:
        return []
    blocks: list[Block] = [section(f"*Failed at* {node_title(failed)}")]
    if error := failed.error_msg:
        # Of a long error the beginning and the end: one of the two says what matters.
        if len(error) > ERROR:
            error = f"{error[: ERROR // 2]}\n{ELLIPSIS}\n{error[-ERROR // 2 :]}"
        blocks.append(section(code_block(error)))
    for label, text in (("Input", failed.input), ("Output", failed.output)):
        if text.strip(" \n[]{}"):
            blocks.append(section(f"*{label}* {code_block(clip(text, NODE_TEXT))}"))
    return blocks


def _task_facts(task: Task, now: datetime) -> list[tuple[str, str]]:
    waiting = task.status == TaskStatus.WAITING
    decision = BUSINESS_TYPES.get(task.business_type, inline(task.business_type, 60) or "—")
    related = "Playbook" if task.business_type.startswith("PLAYBOOK") else "Workflow"
    return [
        ("Status", task_state(task)),
        ("Decision", decision),
        (related, inline(task.related_object) or "—"),
        ("Due", due(task, now) if waiting else ""),
        ("Created by", inline(task.creator_name, 80) or "—"),
        ("Created", date_token(task.create_time)),
        ("Holds up", code(task.action_instance_id) if waiting and task.action_instance_id else ""),
    ]


def _instance_facts(run: Instance, now: datetime) -> list[tuple[str, str]]:
    version = f" {inline(run.workflow.version, 40)}" if run.workflow.version else ""
    duration = format_duration((run.end_time or now) - run.start_time) if run.start_time else "—"
    end = f"{date_token(run.end_time)} (after {duration})" if run.end_time else duration
    return [
        ("Status", instance_state(run)),
        ("Workflow", (inline(run.workflow.name) or "—") + version),
        ("Playbook", inline(run.playbook.name)),
        ("Trigger", inline(run.trigger_type, 40).capitalize() or "—"),
        ("Started", date_token(run.start_time)),
        ("Ended" if run.end_time else "Running for", end),
        ("Retries", str(run.retry_count)),
    ]


def _standing_text(standing_operation: StandingOperation) -> str:
    """Say what was done from Slack, by whom and why, or that it is in doubt."""
    operation, when = standing_operation.operation, date_token(standing_operation.at)
    words, actor = labels(BY_NAME[operation.action]), approvals.actor_names(operation)
    match standing_operation.state:
        case OperationState.UNKNOWN:
            text = f"The {words.noun} by {actor} from Slack, {when}, may have done this."
        case OperationState.IN_DOUBT:
            text = (
                f"❓ *Whether the {words.noun} by {actor} took effect is not known yet.* SecMaster "
                "is read until it is, or given up; the thread will tell."
            )
        case (
            OperationState.DONE
            | OperationState.PENDING
            | OperationState.COUNTED
            | OperationState.FAILED
        ):
            text = f"{words.done} by {actor} from Slack, {when}."
        case _:
            assert_never(standing_operation.state)
    return f"{text}\n{quote(operation.reason, 600)}" if operation.reason else text


def _comments_and_files(task: Task) -> list[str]:
    """Return the latest comments and attachments a line each, and how many more there are."""
    lines = [
        f"💬 {inline(comment.user_name, 60) or '—'}: {inline(comment.message, 300)}"
        for comment in task.comments[-LATEST:]
    ]
    if earlier := len(task.comments) - len(lines):
        lines.insert(0, f"{earlier} earlier under Details")
    files = task.attachment_id_list
    if files:
        latest = ", ".join(code(file, 64) for file in files[-LATEST:])
        rest = f" and {len(files) - LATEST} more" if len(files) > LATEST else ""
        lines.append(f"📎 {latest}{rest}")
    return lines


def _button_row(render_context: RenderContext, snapshot: Snapshot) -> list[Block]:
    """Return the buttons that fit an object's status; [] once nothing is left to decide."""
    possible = [action for action in TABLE if action.kind == render_context.ref.kind]
    buttons = [
        action_button(action, render_context, snapshot)
        for action in possible
        if snapshot.status in action.button_statuses
    ]
    if not buttons and snapshot.status not in TRANSIENT:
        return []
    menu = [(action.name, labels(action).button) for action in possible if action.in_menu]
    menu += [("details", "Details"), ("refresh", "Refresh")]
    if snapshot.status in OPEN_STATUSES:
        menu += END_SNOOZE if render_context.snoozed_until else SNOOZES
    return [actions([*buttons, overflow_menu(menu, render_context.ref)])]


def _laid_out(text: str) -> str:
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
