"""Render the failures of one workflow or playbook on one card, and details too long for a card."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from pydantic import ValidationError
from slack_sdk.models.blocks import Block

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.approvals import ApprovalRequest
from bot.domain.batches import BatchQuery
from bot.domain.failures import failure_of
from bot.domain.objects import ByKind, Ref
from bot.domain.snapshots import Run
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
from bot.messages.cards import ERROR, footer, mention_block
from bot.messages.catalogue import N_, NN_, Catalogue
from bot.messages.fields import run_state
from bot.messages.text import bold, code, code_block, date_token, error_text, inline
from bot.secmaster import (
    Instance,
    InstanceStatus,
    PlaybookInstance,
    PlaybookRef,
    Task,
    WorkflowRef,
)

SHOWN = 4  # runs with their buttons
SHORT = 200  # characters of each error
# Tasks share cards of another kind, and never fail.
STILL_FAILED = ByKind(
    task=NN_(
        "{count} of {total} runs is still failed.", "{count} of {total} runs are still failed."
    ),
    instance=NN_(
        "{count} of {total} runs is still failed.", "{count} of {total} runs are still failed."
    ),
    playbook=NN_(
        "{count} of {total} playbook runs is still failed.",
        "{count} of {total} playbook runs are still failed.",
    ),
)
NONE_FAILED = ByKind(
    task=N_("No run is failed any more."),
    instance=N_("No run is failed any more."),
    playbook=N_("No playbook run is failed any more."),
)
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
    """Return the card of the failures of a workflow or a playbook.

    ``tracked`` are the runs that were read, the latest failure first; ``counts`` are how many
    are failed now and how many there are in all. ``requests`` are the approval requests by run,
    ``tallies`` those of its actions that need several approvals. Only runs that are still failed
    have buttons.
    """
    failed_count, total = counts
    runs = [
        (tracked_run, tracked_run.snapshot)
        for tracked_run in tracked
        if not isinstance(tracked_run.snapshot, Task)
    ]
    failed = [run for tracked_run, run in runs if tracked_run.open]
    catalogue = render_context.catalogue
    name = next(filter(None, (inline(_definition(run).name) for _, run in runs)), "—")
    kind = render_context.ref.kind
    if failed_count:
        text = catalogue.ngettext(*STILL_FAILED[kind], failed_count, total=catalogue.number(total))
        state = f"🔴 {text}"
    else:
        state = f"✅ {catalogue.gettext(NONE_FAILED[kind])}"
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
    definition_ids = {_definition(run).id for run in failed}
    if len(failed) > 1 and len(definition_ids) == 1:
        query = _group_query(render_context.ref, definition_ids.pop())
        more += [actions([batch_button(render_context.catalogue, query)])] if query else []
    head = [header(name), section(f"*{state}*"), *mention_block(render_context)]
    small_print = context(footer(render_context, several=True))
    return Message(f"{name}: {state}", (*head, *rows, *more, small_print))


def _definition(run: Run) -> WorkflowRef | PlaybookRef:
    """Return the workflow or the playbook that it is a run of."""
    match run:
        case Instance():
            return run.workflow
        case PlaybookInstance():
            return run.playbook
        case _:
            assert_never(run)


def _group_query(ref: Ref, definition_id: str) -> BatchQuery | None:
    """Return the query for the failed runs of a workflow or playbook.

    None for an id that no button can carry.
    """
    try:
        query = BatchQuery(kind=ref.kind, workspace=ref.workspace, definition_id=definition_id)
    except ValidationError:
        return None
    return query if definition_id else None


def _run_row(
    render_context: RenderContext,
    tracked_run: TrackedObject,
    requests: Sequence[ApprovalRequest],
) -> list[Block]:
    """Show one run: where it failed and how, and what can be done about it."""
    run = tracked_run.snapshot
    if isinstance(run, Task):
        return []
    catalogue = render_context.catalogue
    facts = [
        bold(run.name),
        run_state(catalogue, run),
        date_token(run.end_time or run.start_time),
    ]
    if isinstance(run, Instance) and run.retry_count:
        facts.append(catalogue.ngettext("{count} retry", "{count} retries", run.retry_count))
    text = "\n".join(
        [" · ".join(facts), *filter(None, [" · ".join(evidence.row_facts(catalogue, run))])]
    )
    if (failure := failure_of(run)) and tracked_run.open:
        title = inline(failure.name) or code(failure.id)
        text += f"\n{catalogue.gettext('Failed at {node}', node=title)}"
        text += f"\n{code_block(error_text(failure.error, SHORT))}" if failure.error else ""
    if tracked_run.open and (assignment := tracked_run.assignment_at(render_context.now)):
        text += f"\n{claimed_line(catalogue, assignment)}"
    buttons = [
        action_button(action, render_context, run)
        for action in TABLE
        if action.kind == render_context.ref.kind and run.status in action.button_statuses
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
