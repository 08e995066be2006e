"""Failures of one workflow on one card, and what is too long for a card at all."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from slack_sdk.models.blocks import Block

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.approvals import ApprovalRequest
from bot.domain.batches import BatchQuery
from bot.domain.objects import Ref
from bot.domain.tracking import TrackedObject
from bot.messages import approvals
from bot.messages.batch_forms import batch_button
from bot.messages.blocks import (
    Message,
    RenderContext,
    action_button,
    actions,
    context,
    header,
    section,
)
from bot.messages.cards import ERROR, footer, instance_state, mention_block, node_title
from bot.messages.text import clip, code_block, date_token, inline
from bot.secmaster import Instance, InstanceStatus

SHOWN = 4  # runs with their buttons
SHORT = 200  # characters of each error
DETAILS_COMMENT = "What the failed node was given and said, in full"


Waiting = Mapping[Ref, Sequence[ApprovalRequest]]


def visible_rows(known: Sequence[TrackedObject]) -> list[TrackedObject]:
    """Those that have a row: those that are failed, or all where none is."""
    return ([each for each in known if each.open] or list(known))[:SHOWN]


def card(
    frame: RenderContext, known: Sequence[TrackedObject], counted: tuple[int, int], waiting: Waiting
) -> Message:
    """Draw one card for all: those that failed last first, with buttons while they are failed.

    ``known`` are as many as are read; ``counted`` says how many are failed, of how many in all.
    ``waiting`` is what waits for more people, by its run.
    """
    still, total = counted
    runs = [each for each in known if isinstance(each.snapshot, Instance)]
    failed = [each for each in runs if each.open]
    name = next(filter(None, map(_workflow, runs)), "—")
    state = f"🔴 {still} of {total} runs that failed still are" if still else "✅ None is failed"
    rows = [
        part for each in visible_rows(runs) for part in _row(frame, each, waiting.get(each.ref, ()))
    ]
    left = (still or total) - min(len(failed or runs), SHOWN)
    more: list[Block] = [context(f"and {left} more")] if left > 0 else []
    ids = {each.snapshot.workflow.id for each in failed if isinstance(each.snapshot, Instance)}
    if len(failed) > 1 and len(ids) == 1 and (chosen := _several(frame, ids.pop())):
        more.append(actions([batch_button(chosen)]))
    head = [header(name), section(f"*{state}*"), *mention_block(frame)]
    return Message(f"{name}: {state}", (*head, *rows, *more, context(footer(frame, several=True))))


def _several(frame: RenderContext, workflow_id: str) -> BatchQuery | None:
    """All failed runs of a workflow; None where its id could not be carried by a button."""
    try:
        chosen = BatchQuery(kind="instance", workspace=frame.ref.workspace, workflow_id=workflow_id)
    except ValidationError:
        return None
    return chosen if workflow_id else None


def _workflow(known: TrackedObject) -> str:
    return inline(known.snapshot.workflow.name) if isinstance(known.snapshot, Instance) else ""


def _row(
    frame: RenderContext, known: TrackedObject, waiting: Sequence[ApprovalRequest]
) -> list[Block]:
    """One run: where it failed and how, and what can be done about it."""
    run = known.snapshot
    if not isinstance(run, Instance):
        return []
    own = RenderContext(known.ref, frame.now, frame.workspace, frame.console_url)
    when = date_token(run.end_time or run.start_time)
    tries = f" · {run.retry_count} retries" if run.retry_count else ""
    text = f"*{inline(run.name)}* · {instance_state(run)} · {when}{tries}"
    if (node := run.failed_node) and known.open:
        text += f"\nat {node_title(node)}"
        text += f"\n{code_block(clip(node.error_msg, SHORT))}" if node.error_msg else ""
    buttons = [
        action_button(action, own, run)
        for action in TABLE
        if action.kind == "instance" and run.status in action.button_statuses
    ]
    asked = [
        part
        for ballot in waiting
        if run.status in BY_NAME[ballot.action].allowed_statuses
        for part in approvals.request_blocks(own, run, ballot)
    ]
    return [section(text), *asked, *([actions(buttons)] if buttons else [])]


def needs_details_file(run: Instance) -> bool:
    """Whether a card can't show all that its failed node was given and said."""
    node = run.failed_node
    if run.status != InstanceStatus.FAILED or node is None:
        return False
    return any(len(text) > ERROR for text in (node.error_msg, node.input, node.output))


def failure_details(run: Instance) -> str:
    """All that the failed node was given and said, as plain text."""
    node = run.failed_node
    if node is None:
        return ""
    parts = [f"{run.name} ({run.id}), failed at {node.action_name} ({node.action_id})"]
    for label, text in (("Error", node.error_msg), ("Input", node.input), ("Output", node.output)):
        if text.strip():
            parts.append(f"{label}\n{'=' * len(label)}\n{text}")
    return "\n\n".join(parts) + "\n"
