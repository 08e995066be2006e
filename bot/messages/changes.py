"""Render how an object differs from what its card showed, with a button to decide again."""

from datetime import datetime
from itertools import takewhile
from typing import Any

from bot.domain.actions import BY_NAME
from bot.domain.objects import ObjectKind
from bot.domain.operations import Operation, Outcome
from bot.domain.snapshots import COMMENT, Change, Snapshot
from bot.messages.blocks import Message, RenderContext, action_button, actions, new_message, section
from bot.messages.catalogue import Catalogue
from bot.messages.fields import WORDS, FieldWords
from bot.messages.labels import labels
from bot.messages.text import ELLIPSIS, date_token, inline, quote

MOST = 12
LONGEST = 100  # of each text: all of them fit one section
LEAD = 20  # characters of what two texts share, shown before they differ
VALUES = {
    text: shown
    for words in WORDS.values()
    for row in words.values()
    for text, shown in row.values.items()
}
NO_DIFFERENCE = "What it was before is not known any more: look at the card."


def changed_object(
    operation: Operation, outcome: Outcome, render_context: RenderContext, snapshot: Snapshot
) -> Message:
    """Say what has changed since somebody looked, with a button that decides on ``snapshot``."""
    action = BY_NAME[operation.action]
    noun = labels(action).noun
    head = f"🔄 *Changed since you looked*, so the {noun} was not sent. Look, and decide again."
    blocks = [
        section(
            "\n".join([head, differences(render_context.catalogue, operation.ref.kind, outcome)])
        )
    ]
    if operation.reason:
        blocks.append(section(f"You had written:\n{quote(operation.reason)}"))
    text = f"Changed since you looked: the {noun} was not sent."
    button = action_button(action, render_context, snapshot)
    return new_message(text, *blocks, actions([button]))


def differences(catalogue: Catalogue, kind: ObjectKind, outcome: Outcome) -> str:
    """List the changes of an object of this kind that an outcome carries, a line each."""
    lines = [_change_line(catalogue, kind, change) for change in outcome.changes[:MOST]]
    more = len(outcome.changes) - MOST
    if more > 0:
        lines.append(f"and {more} more")
    return "\n".join(lines) or NO_DIFFERENCE


def _change_line(catalogue: Catalogue, kind: ObjectKind, change: Change) -> str:
    if change.label == COMMENT:
        event = "New comment" if change.after else "Comment deleted"
        return f"💬 {event}: {inline(change.after or change.before, 2 * LONGEST)}"
    # An outcome may be older than this version, and name a field that has no words any more.
    words = WORDS[kind].get(change.label, FieldWords(change.label))
    before, after = change.before, change.after
    # Texts that begin alike are shown from where they differ, if that would be cut off otherwise.
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
    start = sum(1 for _ in shared) - LEAD
    if start > LONGEST - 2 * LEAD:
        before, after = ELLIPSIS + before[start:], ELLIPSIS + after[start:]
    return f"• *{words.label}*: {_value_text(words, before)} → {_value_text(words, after)}"


def _value_text(words: FieldWords[Any], text: str) -> str:
    if words.is_time and text:
        return date_token(datetime.fromisoformat(text))
    return VALUES.get(text) or inline(text, LONGEST) or "nothing"
