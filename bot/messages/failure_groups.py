"""Render the failures of one workflow on one card, and failure details too long for any card."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError
from slack_sdk.models.blocks import Block

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.approvals import ApprovalRequest
from bot.domain.batches import BatchQuery
from bot.domain.objects import Ref
from bot.domain.tracking import TrackedObject
from bot.messages import approvals, evidence
from bot.messages.assignments import claimed_line
from bot.messages.batch_forms import batch_button
from bot.messages.blocks import (
    Message,
    RenderContext,
    Tally,
    action_button,
    actions,
    context,
    header,
    section,
)
from bot.messages.cards import ERROR, error_text, footer, mention_block, node_title
from bot.messages.catalogue import N_, Catalogue
from bot.messages.fields import instance_state
from bot.messages.text import bold, code_block, date_token, inline
from bot.secmaster import Instance, InstanceStatus

SHOWN = 4  # runs with their buttons
SHORT = 200  # characters of each error
DETAILS_COMMENT = N_("Full input, output and error of the failed node")


def visible_rows(tracked: Sequence[TrackedObject]) -> list[TrackedObject]:
    """Return the runs that have a row on the card: the failed ones, or all where none is."""
    return ([run for run in tracked if run.open] or list(tracked))[:SHOWN]


def card(
    render_context: RenderContext,
    tracked: Sequence[TrackedObject],
    counts: tuple[int, int],
    requests: Mapping[Ref, Sequence[ApprovalRequest]],
    tallies: Mapping[Ref, Mapping[str, Tally]],
) -> Message:
    """Return the card of a workflow's failures.

    ``tracked`` are the runs that were read, the latest failure first; ``counts`` are how many
    are failed now and how many there are in all. ``requests`` are the approval requests by run,
    ``tallies`` those of its actions that need several approvals. Only runs that are still failed
    have buttons.
    """
    failed_count, total = counts
    runs = [
        (tracked_run, tracked_run.snapshot)
        for tracked_run in tracked
        if isinstance(tracked_run.snapshot, Instance)
    ]
    failed = [run for tracked_run, run in runs if tracked_run.open]
    catalogue = render_context.catalogue
    name = next(filter(None, (inline(run.workflow.name) for _, run in runs)), "—")
    if failed_count:
        text = catalogue.ngettext(
            "{count} of {total} runs is still failed.",
            "{count} of {total} runs are still failed.",
            failed_count,
            total=catalogue.number(total),
        )
        state = f"🔴 {text}"
    else:
        state = f"✅ {catalogue.gettext('No run is failed any more.')}"
    rows = [
        block
        for tracked_run in visible_rows([tracked_run for tracked_run, _ in runs])
        for block in _run_row(
            replace(
                render_context,
                ref=tracked_run.ref,
                mentions=(),
                tallies=tallies.get(tracked_run.ref, {}),
            ),
            tracked_run,
            requests.get(tracked_run.ref, ()),
        )
    ]
    more: list[Block] = []
    rest = (failed_count or total) - min(len(failed or runs), SHOWN)
    if rest > 0:
        text = catalogue.ngettext("and {count} more", "and {count} more", rest)
        more.append(context(text))
    workflow_ids = {run.workflow.id for run in failed}
    if len(failed) > 1 and len(workflow_ids) == 1:
        query = _workflow_query(render_context.ref.workspace, workflow_ids.pop())
        more += [actions([batch_button(render_context.catalogue, query)])] if query else []
    head = [header(name), section(f"*{state}*"), *mention_block(render_context)]
    small_print = context(footer(render_context, several=True))
    return Message(f"{name}: {state}", (*head, *rows, *more, small_print))


def _workflow_query(workspace: str, workflow_id: str) -> BatchQuery | None:
    """Return the query for a workflow's failed runs; None for an id that no button can carry."""
    try:
        query = BatchQuery(kind="instance", workspace=workspace, workflow_id=workflow_id)
    except ValidationError:
        return None
    return query if workflow_id else None


def _run_row(
    render_context: RenderContext,
    tracked_run: TrackedObject,
    requests: Sequence[ApprovalRequest],
) -> list[Block]:
    """Show one run: where it failed and how, and what can be done about it."""
    run = tracked_run.snapshot
    if not isinstance(run, Instance):
        return []
    catalogue = render_context.catalogue
    facts = [
        bold(run.name),
        instance_state(catalogue, run),
        date_token(run.end_time or run.start_time),
    ]
    if run.retry_count:
        facts.append(catalogue.ngettext("{count} retry", "{count} retries", run.retry_count))
    text = "\n".join(
        [" · ".join(facts), *filter(None, [" · ".join(evidence.row_facts(catalogue, run))])]
    )
    if (node := run.failed_node) and tracked_run.open:
        text += f"\n{catalogue.gettext('Failed at {node}', node=node_title(node))}"
        text += f"\n{code_block(error_text(node.error_msg, SHORT))}" if node.error_msg else ""
    if tracked_run.open and (assignment := tracked_run.assignment_at(render_context.now)):
        text += f"\n{claimed_line(catalogue, assignment)}"
    buttons = [
        action_button(action, render_context, run)
        for action in TABLE
        if action.kind == "instance" and run.status in action.button_statuses
    ]
    approval_blocks = [
        block
        for request in requests
        if run.status in BY_NAME[request.action].allowed_statuses
        for block in approvals.request_blocks(render_context, run, request)
    ]
    return [section(text), *approval_blocks, *([actions(buttons)] if buttons else [])]


def needs_details_file(run: Instance) -> bool:
    """Whether a card is too short for all that the failed node was given and said."""
    node = run.failed_node
    if run.status != InstanceStatus.FAILED or node is None:
        return False
    return any(len(text) > ERROR for text in (node.error_msg, node.input, node.output))


def failure_details(catalogue: Catalogue, run: Instance) -> str:
    """Return all that the failed node was given and said, as plain text for a file."""
    node = run.failed_node
    if node is None:
        return ""
    title = catalogue.gettext(
        "{run} ({run_id}), failed at {node} ({node_id})",
        run=run.name,
        run_id=run.id,
        node=node.action_name,
        node_id=node.action_id,
    )
    parts = [title]
    for label, text in (
        (catalogue.gettext("Error"), node.error_msg),
        (catalogue.gettext("Input"), node.input),
        (catalogue.gettext("Output"), node.output),
    ):
        if text.strip():
            parts.append(f"{label}\n{'=' * len(label)}\n{text}")
    return "\n\n".join(parts) + "\n"
