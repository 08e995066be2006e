"""Render one card for several tasks that came at about the same time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.approvals import ApprovalRequest
from bot.domain.batches import BatchQuery
from bot.domain.objects import Ref
from bot.domain.tracking import TrackedObject
from bot.messages import evidence
from bot.messages.approvals import tally
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
    named_label,
    section,
)
from bot.messages.cards import footer, mention_block, needed_approvals
from bot.messages.catalogue import Catalogue
from bot.messages.fields import due, laid_out, task_state
from bot.messages.text import bold, clip, code, code_block, date_token, inline, mention_user
from bot.secmaster import Task, TaskStatus

SHOWN = 7  # tasks with their buttons
DETAILS = 200  # characters of each task's details


def card(  # noqa: PLR0913, PLR0917 - what is known of each task, by kind
    render_context: RenderContext,
    tracked: Sequence[TrackedObject],
    counts: tuple[int, int],
    requests: Mapping[Ref, Sequence[ApprovalRequest]],
    tallies: Mapping[Ref, Mapping[str, Tally]],
    root: str,
) -> Message:
    """Return the card of several tasks, each with its buttons while it is pending.

    ``tracked`` are the tasks that were read, pending ones first, by their due dates; ``counts``
    are how many are pending and how many there are in all. ``requests`` are the approval requests
    by task, ``tallies`` those of its actions that need several approvals. ``root`` is what
    is typed before a command.
    """
    catalogue = render_context.catalogue
    pending_count, total = counts
    title = catalogue.ngettext("{count} task", "{count} tasks", total)
    if pending_count:
        state = catalogue.ngettext(
            "{count} of {total} is waiting.",
            "{count} of {total} are waiting.",
            pending_count,
            total=catalogue.number(total),
        )
    else:
        state = catalogue.gettext("None of them is waiting any more.")
    rows = visible_rows(tracked)
    blocks = [
        block
        for tracked_task in rows
        for block in _task_row(
            replace(
                render_context,
                ref=tracked_task.ref,
                mentions=(),
                tallies=tallies.get(tracked_task.ref, {}),
            ),
            tracked_task,
            requests.get(tracked_task.ref, ()),
        )
    ]
    if (rest := (pending_count or total) - len(rows)) > 0:
        command = code(f"{root} task list")
        more = catalogue.ngettext(
            "and {count} more: {command}", "and {count} more: {command}", rest, command=command
        )
        blocks.append(context(more))
    if pending_count > 1:
        query = BatchQuery(kind="task", workspace=render_context.ref.workspace)
        blocks.append(actions([batch_button(catalogue, query)]))
    sign = "📥" if pending_count else "✅"
    head = [header(title), section(f"{sign} *{state}*"), *mention_block(render_context)]
    small_print = context(footer(render_context, several=True))
    return Message(f"{sign} {title}: {state}", (*head, *blocks, small_print))


def visible_rows(tracked: Sequence[TrackedObject]) -> list[TrackedObject]:
    """Return the tasks that have a row on the card: those pending, or all where none is."""
    return ([task for task in tracked if task.open] or list(tracked))[:SHOWN]


def _task_row(
    render_context: RenderContext,
    tracked_task: TrackedObject,
    requests: Sequence[ApprovalRequest],
) -> list[Block]:
    """Show one task: what it is about, when it is due and what happens then, and its buttons.

    These are those of the decisions; its own card, which *Show* posts, has the others.
    """
    task, catalogue = tracked_task.snapshot, render_context.catalogue
    if not isinstance(task, Task):
        return []
    lines = [bold(task.name)]
    if related := inline(task.related_object, 80):
        lines[0] += f" · {related}"
    if around := evidence.row_facts(catalogue, task):
        lines.append(" · ".join(around))
    if task.status == TaskStatus.WAITING:
        lines.append(_due(catalogue, task, render_context))
    else:
        lines.append(task_state(catalogue, task))
    if tracked_task.is_snoozed(render_context.now):
        until = date_token(tracked_task.snoozed_until)
        snoozer = mention_user(tracked_task.snoozed_by)
        lines.append(
            "😴 " + catalogue.gettext("Snoozed by {user} until {until}.", user=snoozer, until=until)
        )
    if assignment := tracked_task.assignment_at(render_context.now):
        lines.append(claimed_line(catalogue, assignment))
    lines += [
        f"🗳️ {tally(catalogue, request.counted_for(task))}"
        for request in requests
        if task.status in BY_NAME[request.action].allowed_statuses
    ]
    lines += needed_approvals(render_context, task, requests)
    if task.status == TaskStatus.WAITING and task.view_parameters.strip(" \n[]{}"):
        lines.append(code_block(clip(laid_out(task.view_parameters), DETAILS)))
    reads = [
        ("show", catalogue.pgettext("button", "Show")),
        ("details", catalogue.pgettext("button", "Details")),
    ]
    value = str(tracked_task.ref)
    buttons = [
        *(
            action_button(action, render_context, task)
            for action in TABLE
            if action.kind == "task"
            and action.claim_group
            and task.status in action.button_statuses
        ),
        *(
            ButtonElement(
                text=text,
                accessibility_label=named_label(text, task.name),
                action_id=name,
                value=value,
            )
            for name, text in reads
        ),
    ]
    return [section("\n".join(lines)), actions(buttons)]


def _due(catalogue: Catalogue, task: Task, render_context: RenderContext) -> str:
    """Say when a task is due, and what happens then."""
    if task.due_date is None:
        return catalogue.gettext("No due date")
    text = due(catalogue, task, render_context.now)
    is_overdue = task.due_date < render_context.now  # which the text says itself
    return text if is_overdue else f"{catalogue.pgettext('label', 'Due')}: {text}"
