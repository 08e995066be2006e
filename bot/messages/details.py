"""Render the Details: everything about one object that its card has no room for, in a modal."""

import json
from collections.abc import Sequence
from typing import Any, assert_never

from slack_sdk.models.blocks import Block, ButtonElement
from slack_sdk.models.views import View

from bot.domain.actions import BY_NAME, TABLE
from bot.domain.cards import ButtonValue, CardState
from bot.domain.slack import SlackLocation
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.messages import audit_history, evidence_details
from bot.messages.approvals import request_text
from bot.messages.audit_history import AuditedRecord
from bot.messages.blocks import (
    RenderContext,
    actions,
    context,
    fields,
    header,
    plain_text,
    section,
)
from bot.messages.cards import (
    file_title,
    footer,
    needed_approvals,
    next_step_block,
    node_title,
    state_block,
)
from bot.messages.catalogue import Catalogue
from bot.messages.fields import (
    INSTANCE_STATES,
    TASK_WORDS,
    details_passages,
    facts,
    labelled,
    laid_out,
    state_name,
)
from bot.messages.labels import labels
from bot.messages.markup import SlackMarkup
from bot.messages.modals import DETAILS, FILL
from bot.messages.playbook_runs import run_rows
from bot.messages.text import bold, clip, code, date_token, error_text, quote
from bot.secmaster import Instance, Node, PlaybookInstance, Task

MANY = 90  # of the hundred blocks a modal may have
BYTES = 200_000  # of the 250,000 a view may have
FILES = 20
NODE_TEXT = 1200  # characters of each of a node's texts
COMMENT = 2500
REASON = 600
HISTORY = 10  # records


def details(
    render_context: RenderContext,
    snapshot: Snapshot,
    state: CardState | None = None,
    history: Sequence[AuditedRecord] = (),
    location: SlackLocation | None = None,
) -> dict[str, Any]:
    """Return the view with everything about one object, as much of it as fits.

    ``state`` is what its cards are drawn from. ``history`` are its latest records in the
    audit, newest first. Its buttons open forms, which answer at the ``location``; it has none
    without one.
    """
    catalogue = render_context.catalogue
    parts = evidence_details.blocks(catalogue, snapshot.evidence)
    parts += details_passages(catalogue, snapshot)
    match snapshot:
        case Task():
            parts += _files(render_context, snapshot) + _comments(catalogue, snapshot)
        case Instance():
            parts += _nodes(catalogue, snapshot)
        case PlaybookInstance():
            parts += run_rows(render_context, snapshot, MANY, (DETAILS, "details"))
        case _:
            assert_never(snapshot)
    parts += _history(catalogue, history) if history else []
    fitting: list[Block] = []
    room = BYTES
    for part in parts[:MANY]:
        room -= len(json.dumps(part.to_dict()))
        if room < 0:
            break
        fitting.append(part)
    if rest := len(parts) - len(fitting):
        sentence = catalogue.ngettext(
            "{count} more part does not fit here: see SecMaster.",
            "{count} more parts do not fit here: see SecMaster.",
            rest,
        )
        fitting.append(context(sentence))
    blocks = [
        header(snapshot.name),
        *(_form_buttons(render_context, snapshot) if location else []),
        fields(facts(render_context, snapshot)),
        *next_step_block(catalogue, snapshot),
        *(_state(render_context, snapshot, state) if state else []),
        *fitting,
        context(footer(render_context)),
    ]
    title, close = catalogue.gettext("Details"), catalogue.gettext("Close")
    # Whoever presses a button here is answered by no response_url of before.
    remembered = location.model_copy(update={"response_url": ""}) if location else None
    return View(
        type="modal",
        title=clip(title, 24),
        close=clip(close, 24),
        private_metadata=remembered.model_dump_json() if remembered else None,
        blocks=blocks,
    ).to_dict()


def _form_buttons(render_context: RenderContext, snapshot: Snapshot) -> list[Block]:
    """Return a button for each action of the card; all of them open a form first."""
    catalogue, ref, viewer = render_context.catalogue, render_context.ref, render_context.viewer
    approved = viewer.has_approved if viewer else frozenset()
    value = ButtonValue(ref=ref, decision_fingerprint=decision_fingerprint(snapshot))
    buttons = [
        ButtonElement(
            text=catalogue.gettext(labels(action).button),
            action_id=f"{FILL}.{action.name}",
            value=str(value),
            style=action.style or None,
        )
        for action in TABLE
        if action.kind == ref.kind
        and snapshot.status in action.button_statuses
        and action.name not in approved
    ]
    hint = catalogue.gettext(
        "Each opens a form first. It asks for a reason where one can be given."
    )
    return [actions(buttons), context(hint)] if buttons else []


def _state(render_context: RenderContext, snapshot: Snapshot, state: CardState) -> list[Block]:
    """Say what was last done, and which approvals there are, as the card does."""
    blocks = state_block(render_context, snapshot, state.standing_operation, state.request_news)
    needed = needed_approvals(render_context, snapshot, state.requests)
    blocks += [section("\n".join(needed))] if needed else []
    return blocks + [
        section(request_text(render_context, snapshot, request))
        for request in state.requests
        if snapshot.status in BY_NAME[request.action].allowed_statuses
    ]


def _history(catalogue: Catalogue, history: Sequence[AuditedRecord]) -> list[Block]:
    """Tell what was done from Slack, the newest first: when, by whom, and why."""
    blocks: list[Block] = [section(f"*{catalogue.gettext('Done from Slack')}*")]
    for audited in history:
        story = audit_history.story(catalogue, SlackMarkup(), audited)
        reason = f"\n{quote(story.reason, REASON)}" if story.reason else ""
        blocks.append(section(f"{story.sign} {story.when} · {story.headline}{reason}"))
    return blocks


def _files(render_context: RenderContext, task: Task) -> list[Block]:
    """Show the attachments of a task, by their names where they are known."""
    attachments, catalogue = task.attachment_id_list, render_context.catalogue
    if not attachments:
        return []
    lines = [f"📎 {file_title(render_context, file)}" for file in reversed(attachments[-FILES:])]
    if (rest := len(attachments) - FILES) > 0:
        lines.append(
            catalogue.ngettext(
                "{count} more file is in SecMaster.", "{count} more files are in SecMaster.", rest
            )
        )
    label = catalogue.gettext(TASK_WORDS["attachments"].label)
    return [section("\n".join([f"*{label}*", *lines]))]


def _comments(catalogue: Catalogue, task: Task) -> list[Block]:
    """Show the comments of a task, the newest first: what was said last is looked for."""
    parts = []
    for comment in reversed(task.comments):
        head = f"💬 {bold(comment.user_name, 80)}, {date_token(comment.time)}"
        id_text = catalogue.gettext("Comment ID {id}", id=code(comment.id)) if comment.id else ""
        parts.append(context(" · ".join(filter(None, (head, id_text)))))
        parts.append(plain_text(comment.message, COMMENT))
    return parts


def _nodes(catalogue: Catalogue, run: Instance) -> list[Block]:
    """Show the nodes of a run in its order, but the one first at which it failed."""
    failed = run.failed_node
    nodes = sorted(run.nodes, key=lambda node: node is not failed)
    return [block for node in nodes for block in _node(catalogue, node)]


def _node(catalogue: Catalogue, node: Node) -> list[Block]:
    status = state_name(catalogue, INSTANCE_STATES, node.status)
    times = catalogue.gettext(
        "{start} to {end}", start=date_token(node.start_time), end=date_token(node.end_time)
    )
    node_id = catalogue.gettext("Node ID {id}", id=code(node.action_id))
    blocks = [section(f"*{node_title(node)}* · {status}"), context(times, node_id)]
    if node.error_msg.strip():
        error = error_text(node.error_msg, NODE_TEXT)
        blocks.append(labelled(catalogue.gettext("Error"), error, NODE_TEXT))
    for label, text in (
        (catalogue.gettext("Input"), node.input),
        (catalogue.gettext("Output"), node.output),
    ):
        if text.strip(" \n[]{}"):
            blocks.append(labelled(label, laid_out(text), NODE_TEXT))
    return blocks
