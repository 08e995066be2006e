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
from bot.messages.evidence import EVIDENCE_WORDS, FINDING_WORDS
from bot.messages.fields import WORDS, FieldWords
from bot.messages.labels import labels
from bot.messages.text import ELLIPSIS, date_token, inline, quote

MOST = 12
LONGEST = 100  # of each text: all of them fit one section
LEAD = 20  # characters of what two texts share, shown before they differ


def changed_object(
    operation: Operation, outcome: Outcome, render_context: RenderContext, snapshot: Snapshot
) -> Message:
    """Say what has changed since somebody looked, with a button that decides on ``snapshot``."""
    action, catalogue = BY_NAME[operation.action], render_context.catalogue
    changed = catalogue.gettext("Changed since you looked.")
    not_sent = catalogue.gettext(labels(action).not_sent)
    check = catalogue.gettext("Check what is different and decide again.")
    head = f"🔄 *{changed}* {not_sent} {check}"
    blocks = [section("\n".join([head, differences(catalogue, operation.ref.kind, outcome)]))]
    if operation.reason:
        reason = catalogue.gettext("Your reason was:")
        blocks.append(section(f"{reason}\n{quote(operation.reason)}"))
    button = action_button(action, render_context, snapshot)
    return new_message(f"🔄 {changed} {not_sent}", *blocks, actions([button]))


def differences(catalogue: Catalogue, kind: ObjectKind, outcome: Outcome) -> str:
    """List the changes of an object of this kind that an outcome carries, a line each."""
    lines = [_change_line(catalogue, kind, change) for change in outcome.changes[:MOST]]
    more = len(outcome.changes) - MOST
    if more > 0:
        lines.append(catalogue.ngettext("and {count} more", "and {count} more", more))
    return "\n".join(lines) or catalogue.gettext(
        "What exactly changed is not recorded any more: see the card."
    )


def _change_line(catalogue: Catalogue, kind: ObjectKind, change: Change) -> str:
    if change.label == COMMENT:
        text = inline(change.after or change.before, 2 * LONGEST)
        if change.after:
            return f"💬 {catalogue.gettext('New comment: {text}', text=text)}"
        return f"💬 {catalogue.gettext('Comment deleted: {text}', text=text)}"
    # An outcome may be older than this version, and name a field that has no words any more.
    around = FINDING_WORDS.get(change.label) or EVIDENCE_WORDS.get(change.label)
    words = WORDS[kind].get(change.label) or around
    label = catalogue.gettext(words.label) if words else inline(change.label)
    before, after = change.before, change.after
    # Texts that begin alike are shown from where they differ, if that would be cut off otherwise.
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
    start = sum(1 for _ in shared) - LEAD
    if start > LONGEST - 2 * LEAD:
        before, after = ELLIPSIS + before[start:], ELLIPSIS + after[start:]
    values = (_value_text(catalogue, words, text) for text in (before, after))
    return f"• *{label}*: {' → '.join(values)}"


def _value_text(catalogue: Catalogue, words: FieldWords[Any] | None, text: str) -> str:
    if words and words.is_time and text:
        return date_token(datetime.fromisoformat(text))
    if words and text in words.values:
        return catalogue.gettext(words.values[text])
    return inline(text, LONGEST) or catalogue.gettext("nothing")
