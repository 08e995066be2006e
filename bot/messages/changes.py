"""Render how an object differs from what its card showed, with a button to decide again."""

from datetime import datetime
from itertools import takewhile

from bot.domain.actions import BY_NAME
from bot.domain.operations import Operation, Outcome
from bot.domain.snapshots import Change, Snapshot
from bot.messages.blocks import Message, RenderContext, action_button, actions, new_message, section
from bot.messages.cards import BUSINESS_TYPES, INSTANCE_STATES, TASK_STATES
from bot.messages.labels import labels
from bot.messages.text import ELLIPSIS, date_token, inline, quote
from bot.secmaster import DueHandle

MOST = 12
LONGEST = 100  # of each text: all of them fit one section
LEAD = 20  # characters of what two texts share, shown before they differ
LABELS = {
    "status": "Status",
    "name": "Name",
    "business_type": "Decision",
    "related_object": "Workflow or playbook",
    "action_instance_id": "Holds up",
    "description": "Description",
    "due_date": "Due",
    "due_handle": "When due",
    "approver": "Handler",
    "view_parameters": "Details",
    "handle_parameters": "Parameters",
    "notes": "Note",
    "attachments": "Attachments",
    "workflow": "Workflow",
    "retry_count": "Retries",
    "failed_node": "Failed at",
    "error_msg": "Error",
}
VALUE_LABELS = {
    **TASK_STATES,
    **INSTANCE_STATES,
    **BUSINESS_TYPES,
    DueHandle.CONTINUE: "it goes on by itself",
    DueHandle.INTERRUPT: "it is interrupted",
}
NO_DIFFERENCE = "What it was before is not known any more: look at the card."


def changed_object(
    operation: Operation, outcome: Outcome, render_context: RenderContext, snapshot: Snapshot
) -> Message:
    """Say what has changed since somebody looked, with a button that decides on ``snapshot``."""
    action = BY_NAME[operation.action]
    noun = labels(action).noun
    head = f"🔄 *Changed since you looked*, so the {noun} was not sent. Look, and decide again."
    blocks = [section("\n".join([head, differences(outcome)]))]
    if operation.reason:
        blocks.append(section(f"You had written:\n{quote(operation.reason)}"))
    text = f"Changed since you looked: the {noun} was not sent."
    button = action_button(action, render_context, snapshot)
    return new_message(text, *blocks, actions([button]))


def differences(outcome: Outcome) -> str:
    """List the changes that an outcome carries, a line each."""
    lines = [_change_line(change) for change in outcome.changes[:MOST]]
    more = len(outcome.changes) - MOST
    if more > 0:
        lines.append(f"and {more} more")
    return "\n".join(lines) or NO_DIFFERENCE


def _change_line(change: Change) -> str:
    if change.label == "comment":
        event = "New comment" if change.after else "Comment deleted"
        return f"💬 {event}: {inline(change.after or change.before, 2 * LONGEST)}"
    label = LABELS.get(change.label, change.label)
    before, after = change.before, change.after
    # Texts that begin alike are shown from where they differ, if that would be cut off otherwise.
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
    start = sum(1 for _ in shared) - LEAD
    if start > LONGEST - 2 * LEAD:
        before, after = ELLIPSIS + before[start:], ELLIPSIS + after[start:]
    return f"• *{label}*: {_value_text(change, before)} → {_value_text(change, after)}"


def _value_text(change: Change, text: str) -> str:
    if change.label == "due_date" and text:
        return date_token(datetime.fromisoformat(text))
    return VALUE_LABELS.get(text) or inline(text, LONGEST) or "nothing"
