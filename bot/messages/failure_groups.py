"""Failures of one workflow on one card, and what is too long for a card at all."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from slack_sdk.models.blocks import Block

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.batches import Several
from bot.domain.models import Ballot, Ref
from bot.messages import approvals
from bot.messages.batch_forms import several_button
from bot.messages.blocks import Frame, Message, actions, context, header, press, section
from bot.messages.cards import ERROR, called, instance_state, node_title, where
from bot.messages.text import block, clip, line, moment
from bot.secmaster import Instance, InstanceStatus
from bot.store import Known

SHOWN = 4  # runs with their buttons
SHORT = 200  # characters of each error
EXCERPT = "What the failed node was given and said, in full"


Waiting = Mapping[Ref, Sequence[Ballot]]


def shown(known: Sequence[Known]) -> list[Known]:
    """Those that have a row: those that are failed, or all where none is."""
    return ([each for each in known if each.open] or list(known))[:SHOWN]


def card(
    frame: Frame, known: Sequence[Known], counted: tuple[int, int], waiting: Waiting
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
    rows = [part for each in shown(runs) for part in _row(frame, each, waiting.get(each.ref, ()))]
    left = (still or total) - min(len(failed or runs), SHOWN)
    more: list[Block] = [context(f"and {left} more")] if left > 0 else []
    ids = {each.snapshot.workflow.id for each in failed if isinstance(each.snapshot, Instance)}
    if len(failed) > 1 and len(ids) == 1 and (chosen := _several(frame, ids.pop())):
        more.append(actions([several_button(chosen)]))
    head = [header(name), section(f"*{state}*"), *called(frame)]
    return Message(f"{name}: {state}", (*head, *rows, *more, context(where(frame, several=True))))


def _several(frame: Frame, workflow_id: str) -> Several | None:
    """All failed runs of a workflow; None where its id could not be carried by a button."""
    try:
        chosen = Several(noun="instance", workspace=frame.ref.workspace, workflow_id=workflow_id)
    except ValidationError:
        return None
    return chosen if workflow_id else None


def _workflow(known: Known) -> str:
    return line(known.snapshot.workflow.name) if isinstance(known.snapshot, Instance) else ""


def _row(frame: Frame, known: Known, waiting: Sequence[Ballot]) -> list[Block]:
    """One run: where it failed and how, and what can be done about it."""
    run = known.snapshot
    if not isinstance(run, Instance):
        return []
    own = Frame(known.ref, frame.now, frame.workspace, frame.console)
    when = moment(run.end_time or run.start_time)
    tries = f" · {run.retry_count} retries" if run.retry_count else ""
    text = f"*{line(run.name)}* · {instance_state(run)} · {when}{tries}"
    if (node := run.failed_node) and known.open:
        text += f"\nat {node_title(node)}"
        text += f"\n{block(clip(node.error_msg, SHORT))}" if node.error_msg else ""
    buttons = [
        press(action, own, run)
        for action in TABLE
        if action.noun == "instance" and run.status in action.on_card
    ]
    asked = [
        part
        for ballot in waiting
        if run.status in BY_NAME[ballot.action].only_when
        for part in approvals.on_card(own, run, ballot)
    ]
    return [section(text), *asked, *([actions(buttons)] if buttons else [])]


def is_long(run: Instance) -> bool:
    """Whether a card can't show all that its failed node was given and said."""
    node = run.failed_node
    if run.status != InstanceStatus.FAILED or node is None:
        return False
    return any(len(text) > ERROR for text in (node.error_msg, node.input, node.output))


def whole_failure(run: Instance) -> str:
    """All that the failed node was given and said, as plain text."""
    node = run.failed_node
    if node is None:
        return ""
    parts = [f"{run.name} ({run.id}), failed at {node.action_name} ({node.action_id})"]
    for label, text in (("Error", node.error_msg), ("Input", node.input), ("Output", node.output)):
        if text.strip():
            parts.append(f"{label}\n{'=' * len(label)}\n{text}")
    return "\n\n".join(parts) + "\n"
