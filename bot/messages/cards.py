"""Cards: one task or instance as SecMaster has it, and the buttons that fit its state."""

import json
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import Block

from bot.actions import BY_NAME, TABLE, Snapshot
from bot.messages.blocks import (
    Frame,
    Message,
    actions,
    context,
    fields,
    header,
    link,
    more,
    press,
    section,
)
from bot.messages.text import block, code, escape, line, moment, person, quote, span, until
from bot.messages.words import words
from bot.models import Verdict
from bot.secmaster import (
    BusinessType,
    DueHandle,
    Instance,
    InstanceStatus,
    Task,
    TaskComment,
    TaskStatus,
)

Verdicts = Verdict | None

KINDS: dict[str, str] = {
    BusinessType.WORKFLOWNODEAPPROVE: "A workflow waits at an approval",
    BusinessType.PLAYBOOKNODEAPPROVE: "A playbook waits at an approval",
    BusinessType.WORKFLOWPUBLISH: "A workflow version is to be published",
    BusinessType.PLAYBOOKPUBLISH: "A playbook version is to be published",
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
LATEST = 3


def card(frame: Frame, snapshot: Snapshot, verdict: Verdicts) -> Message:
    """Draw a card; ``verdict`` is what was last done to its object from here."""
    if isinstance(snapshot, Task):
        return _task_card(snapshot, frame, verdict)
    return _instance_card(snapshot, frame, verdict)


def _task_card(task: Task, frame: Frame, verdict: Verdicts) -> Message:
    parts: list[Block] = [header(task.name), fields(_task_facts(task, frame))]
    if task.description:
        parts.append(section(escape(task.description, 1200)))
    for label, text in (
        ("Shown", task.view_parameters),
        ("To be handled", task.handle_parameters),
        ("Note", task.notes or task.note),
    ):
        if text.strip(" \n[]{}"):
            parts.append(section(f"*{label}*\n{block(_pretty(text))}"))
    if decided := _decided(task, verdict):
        parts.append(section(decided))
    parts.append(context(*_attached(task), _where(frame)))
    parts += _buttons(frame, task)
    state = task_state(task)
    return Message(f"{line(task.name)}: {state}", tuple(parts))


def _instance_card(run: Instance, frame: Frame, verdict: Verdicts) -> Message:
    parts: list[Block] = [header(run.name or run.workflow.name), fields(_run_facts(run, frame))]
    if run.status != InstanceStatus.FINISHED and (failed := run.failed_node):
        where = f"*Failed at* {line(failed.action_name or failed.action_id)}"
        parts.append(section(f"{where} ({code(failed.action_id)})"))
        if failed.error_msg:
            parts.append(section(block(failed.error_msg, 1500)))
    if verdict:
        parts.append(section(_done_here(verdict)))
    parts.append(context(_where(frame)))
    parts += _buttons(frame, run)
    return Message(f"{line(run.name)}: {instance_state(run)}", tuple(parts))


def vanished(frame: Frame, title: str) -> Message:
    """The card of something that SecMaster no longer knows: no buttons."""
    gone = f"⚪ This {frame.ref.noun} no longer exists in SecMaster."
    return Message(f"{line(title)}: {gone}", (header(title), section(gone), context(_where(frame))))


def task_state(task: Task) -> str:
    return TASK_STATES.get(task.status, f"▫️ {line(task.status, 40)}")


def instance_state(run: Instance) -> str:
    return INSTANCE_STATES.get(run.status, f"▫️ {line(run.status, 40)}")


def due(task: Task, now: datetime) -> str:
    """When a task is due and what happens then; going on by itself is a warning."""
    if task.due_date is None:
        return "—"
    said = f"{moment(task.due_date)} ({until(task.due_date, now)})"
    if task.status != TaskStatus.WAITING:
        return said
    if task.due_handle == DueHandle.CONTINUE:
        return f"{said}\n⚠️ then it *goes on by itself*"
    return f"{said}\nthen it is interrupted" if task.due_handle == DueHandle.INTERRUPT else said


def _task_facts(task: Task, frame: Frame) -> list[tuple[str, str]]:
    kind = KINDS.get(task.business_type, line(task.business_type, 60) or "—")
    return [
        ("Status", task_state(task)),
        ("Decision", kind),
        ("For", line(task.related_object) or "—"),
        ("Due", due(task, frame.now)),
        ("Created by", line(task.creator_name, 80) or "—"),
        ("Created", moment(task.create_time)),
    ]


def _run_facts(run: Instance, frame: Frame) -> list[tuple[str, str]]:
    version = f" {line(run.workflow.version, 40)}" if run.workflow.version else ""
    ended = run.end_time or (frame.now if run.status in TRANSIENT else None)
    took = f" ({span(ended - run.start_time)})" if ended and run.start_time else ""
    return [
        ("Status", instance_state(run)),
        ("Workflow", (line(run.workflow.name) or "—") + version),
        ("Playbook", line(run.playbook.name) or "—"),
        ("Trigger", line(run.trigger_type, 40).capitalize() or "—"),
        ("Started", moment(run.start_time)),
        ("Ended", moment(run.end_time) + took),
        ("Retries", str(run.retry_count)),
    ]


def _decided(task: Task, verdict: Verdicts) -> str:
    """Who decided, when, why and where; SecMaster itself would only name the bot."""
    if task.status == TaskStatus.WAITING:
        return ""
    if verdict:
        return _done_here(verdict)
    who = line(task.approver or task.approveuser_name or task.modifier_name, 80)
    by = f" by {who}" if who else ""
    return f"Decided outside Slack{by}, {moment(task.update_time)}."


def _done_here(verdict: Verdict) -> str:
    operation = verdict.operation
    done = words(BY_NAME[operation.action]).done
    said = f"{done} by {person(operation.actor.id)} from Slack, {moment(verdict.at)}."
    return f"{said}\n{quote(operation.reason, 600)}" if operation.reason else said


def _attached(task: Task) -> list[str]:
    """The latest comments and attachments, and how many more there are."""
    latest = [_comment(each) for each in task.comments[-LATEST:]]
    if more_comments := len(task.comments) - len(latest):
        latest.insert(0, f"{more_comments} earlier comments")
    files = task.attachment_id_list
    if files:
        shown = ", ".join(code(each, 64) for each in files[-LATEST:])
        rest = f" and {len(files) - LATEST} more" if len(files) > LATEST else ""
        latest.append(f"📎 {shown}{rest}")
    return latest


def _comment(comment: TaskComment) -> str:
    return f"💬 {line(comment.user_name, 60) or '—'}: {line(comment.message, 300)}"


def _where(frame: Frame) -> str:
    place = f"{frame.ref.workspace} · {frame.ref.noun} {code(frame.ref.id)}"
    console = link(frame.console, "console")
    return f"{place} · {console}" if console else place


def _buttons(frame: Frame, snapshot: Snapshot) -> list[Block]:
    """The buttons that fit the state: none once there is nothing left to decide."""
    ref = frame.ref
    row = [
        press(action, ref, snapshot.name, ref.workspace)
        for action in TABLE
        if action.noun == ref.noun and snapshot.status in action.on_card
    ]
    if not row and snapshot.status not in TRANSIENT:
        return []
    menu = [("details", "Details"), ("refresh", "Refresh")]
    asked = [action for action in TABLE if action.noun == ref.noun and action.in_menu]
    menu = [(action.name, words(action).button) for action in asked] + menu
    return [actions([*row, more(menu, ref)])]


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
