"""Render the Details: everything about one object that its card has no room for, in a modal."""

import json
from typing import Any, assert_never

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.domain.slack import SlackLocation
from bot.domain.snapshots import Snapshot
from bot.messages.blocks import RenderContext, context, fields, header, section
from bot.messages.cards import error_text, file_title, footer, node_title
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
from bot.messages.modals import DETAILS, form_buttons
from bot.messages.playbook_runs import run_rows
from bot.messages.text import clip, code, date_token, escape, inline
from bot.secmaster import Instance, Node, PlaybookInstance, Task

MANY = 90  # of the hundred blocks a modal may have
BYTES = 200_000  # of the 250,000 a view may have
FILES = 20
NODE_TEXT = 1200  # characters of each of a node's texts
COMMENT = 2500


def details(
    render_context: RenderContext, snapshot: Snapshot, location: SlackLocation | None = None
) -> dict[str, Any]:
    """Return the view with everything about one object, as much of it as fits.

    Its buttons open forms, which answer at the ``location``; it has none without one.
    """
    catalogue = render_context.catalogue
    parts = details_passages(catalogue, snapshot)
    match snapshot:
        case Task():
            parts += _files(render_context, snapshot) + _comments(catalogue, snapshot)
        case Instance():
            parts += _nodes(catalogue, snapshot)
        case PlaybookInstance():
            parts += run_rows(render_context, snapshot, MANY, (DETAILS, "details"))
        case _:
            assert_never(snapshot)
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
        *(form_buttons(render_context, snapshot) if location else []),
        fields(facts(render_context, snapshot)),
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
        person = inline(comment.user_name, 80) or "—"
        head = f"💬 *{person}*, {date_token(comment.time)}"
        parts.append(section(f"{head}\n{escape(comment.message, COMMENT)}"))
        if comment.id:
            parts.append(context(catalogue.gettext("Comment ID {id}", id=code(comment.id))))
    return parts


def _nodes(catalogue: Catalogue, run: Instance) -> list[Block]:
    """Show the nodes of a run, in the order of the run."""
    return [block for node in run.nodes for block in _node(catalogue, node)]


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
