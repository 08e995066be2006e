"""What is no longer as it was shown: the difference, and a button to decide on that."""

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
LEAD = 20  # characters of what is the same, before what differs
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
    operation: Operation, ended: Outcome, frame: RenderContext, about: Snapshot
) -> Message:
    """Tell somebody what has changed since they looked, and let them decide again."""
    action = BY_NAME[operation.action]
    noun = labels(action).noun
    head = f"🔄 *Changed since you looked*, so the {noun} was not sent. Look, and decide again."
    parts = [section("\n".join([head, differences(ended)]))]
    if operation.reason:
        parts.append(section(f"You had written:\n{quote(operation.reason)}"))
    text = f"Changed since you looked: the {noun} was not sent."
    return new_message(text, *parts, actions([action_button(action, frame, about)]))


def differences(ended: Outcome) -> str:
    """Each change on a line of its own."""
    lines = [_difference(each) for each in ended.changes[:MOST]]
    if more := len(ended.changes) - MOST:
        lines += [f"and {more} more"] * (more > 0)
    return "\n".join(lines) or NO_DIFFERENCE


def _difference(change: Change) -> str:
    if change.label == "comment":
        what = "New comment" if change.after else "Comment deleted"
        return f"💬 {what}: {inline(change.after or change.before, 2 * LONGEST)}"
    label = LABELS.get(change.label, change.label)
    before, after = _apart(change.before, change.after)
    return f"• *{label}*: {_shown(change, before)} → {_shown(change, after)}"


def _apart(before: str, after: str) -> tuple[str, str]:
    """Two texts from where they differ on, if that would be cut off otherwise."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
    same = sum(1 for _ in alike) - LEAD
    if same <= LONGEST - 2 * LEAD:
        return before, after
    return ELLIPSIS + before[same:], ELLIPSIS + after[same:]


def _shown(change: Change, text: str) -> str:
    if change.label == "due_date" and text:
        return date_token(datetime.fromisoformat(text))
    return VALUE_LABELS.get(text) or inline(text, LONGEST) or "nothing"
