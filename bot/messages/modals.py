"""The views that Slack opens: an action's form, an object's details, and what waits."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pydantic import ValidationError
from slack_sdk.models.blocks import (
    Block,
    ButtonElement,
    InputBlock,
    PlainTextInputElement,
    PlainTextObject,
)
from slack_sdk.models.blocks.block_elements import FileInputElement
from slack_sdk.models.views import View

from bot.domain.actions import BY_NAME, MAX_REASON, Action, Param
from bot.domain.objects import Ref, Value, visible
from bot.domain.slack import FormInput, SlackFile, SlackLocation
from bot.domain.snapshots import ListPage, Snapshot
from bot.messages.blocks import RenderContext, actions, context, fields, header, plain_name, section
from bot.messages.catalogue import Catalogue
from bot.messages.fields import TASK_WORDS, details_passages, facts, labelled
from bot.messages.labels import labels
from bot.messages.lists import PAGE, SHOW, object_row, page_notes
from bot.messages.text import clip, code, date_token, escape, inline
from bot.policy.rules import ReasonRule
from bot.secmaster import Instance, Task

FORM = "form"  # its callback id
REASON = "reason"
NAME = "name"
WAITING = "What waits"
HINTS = {
    "task": "It goes into SecMaster with your name, and into the thread.",
    "instance": "It goes into the thread and the record.",
}
MANY = 90  # of the hundred blocks a modal may have
BYTES = 200_000  # of the 250,000 a view may have
FILES = 20
MOST_FILES = 10  # in one form
FILE_NAME = 100  # characters of a file's name; a form remembers 3,000 in all
TYPED = 140  # characters of a name that have to be typed: a form shows ten more


@dataclass(frozen=True, slots=True)
class WaitingObjects:
    """The first open tasks and failed runs; None of a kind that the person may not read.

    ``alias`` is the workspace's, which the buttons carry; ``root`` is the command that lists the
    others.
    """

    tasks: ListPage | None
    failed: ListPage | None
    alias: str
    root: str
    now: datetime


class FormState(Value):
    """What a form remembers between its opening and its submission.

    ``decision_fingerprint`` is that of what the card showed, ``name_hash`` that of the name to be
    typed; "" for neither.
    """

    action: str
    ref: Ref
    location: SlackLocation
    files: tuple[SlackFile, ...] = ()
    decision_fingerprint: str = ""
    break_glass: bool = False
    name_hash: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what a form remembers; None for one that this version can't read."""
        try:
            state = cls.model_validate_json(text)
        except ValidationError:
            return None
        return state if state.action in BY_NAME else None


def hash_name(name: str) -> str:
    """Return the hash that a typed name is compared by; "" for a name without letters.

    The letters count, not their case or the space around them, and of a long name only as many
    as a form shows.
    """
    letters = " ".join(visible(name).casefold().split())[:TYPED]
    return hashlib.sha256(letters.encode("utf-8", "replace")).hexdigest()[:32] if letters else ""


def form(
    catalogue: Catalogue,
    state: FormState,
    target: tuple[str, str],
    reason: ReasonRule,
    filled: Mapping[str, str],
    warning: str = "",
) -> dict[str, Any]:
    """Return the form that asks for an action's parameters, or for its reason.

    ``target`` is the object's name and its workspace's, ``filled`` what stands in the inputs
    already, by parameter; REASON is the reason's key. A ``warning`` stands above them.
    """
    action, (name, workspace) = action_of(state), target
    words = labels(action)
    if state.break_glass:
        warning = "🔨 You decide alone what asks for several people. It is announced."
    warning = f"{warning}\n" if warning else ""
    blocks: list[Block] = [
        section(f"{warning}{words.consequence}\n{inline(workspace, 60)} · {code(state.ref.id)}"),
        plain_name(name),
    ]
    for param in action.params:
        if param.file:
            blocks.append(_files_input(param, state.files))
        else:
            blocks.append(_text_input(param, filled.get(param.name, "")))
    if action.takes_reason and reason != "none":
        blocks.append(
            InputBlock(
                block_id=REASON,
                optional=reason != "required",
                label=PlainTextObject(text="Reason"),
                hint=PlainTextObject(text=HINTS[action.kind]),
                element=PlainTextInputElement(
                    action_id=REASON,
                    multiline=True,
                    max_length=MAX_REASON,
                    initial_value=filled.get(REASON) or None,
                ),
            )
        )
    if state.name_hash:
        blocks.append(
            InputBlock(
                block_id=NAME,
                label=PlainTextObject(text=f"Type the {action.kind}'s name"),
                hint=PlainTextObject(text="As it stands above, so that it is the one you mean."),
                element=PlainTextInputElement(action_id=NAME, max_length=3000),
            )
        )
    title = words.title or f"{words.button} {action.kind}"
    return View(
        type="modal",
        callback_id=FORM,
        title=clip("Break the glass" if state.break_glass else title, 24),
        submit=clip(words.button, 24),
        close="Back",
        private_metadata=state.model_dump_json(),
        blocks=blocks,
    ).to_dict()


def read_form(
    metadata: str, inputs: Mapping[str, FormInput]
) -> tuple[FormState, dict[str, str]] | None:
    """Read a submitted form: its state, with the files it was given, and the texts by block.

    None for a form that this version can't read.
    """
    state = FormState.parse(metadata)
    if state is None:
        return None
    files = [file for filled in inputs.values() for file in filled.files]
    texts = {block: filled.text for block, filled in inputs.items()}
    return state.model_copy(update={"files": (*state.files, *files)}), texts


def action_of(state: FormState) -> Action:
    """Return the action that a form is for."""
    return BY_NAME[state.action]


def loading(catalogue: Catalogue, title: str) -> dict[str, Any]:
    """Return the view that stands in a modal while SecMaster is being asked."""
    return _plain_modal(catalogue, title, [section("Asking SecMaster…")])


def failed(catalogue: Catalogue, title: str, text: str) -> dict[str, Any]:
    """Return the view that says why a modal could not be filled."""
    return _plain_modal(catalogue, title, [section(text)])


def details(render_context: RenderContext, snapshot: Snapshot) -> dict[str, Any]:
    """Return the view with everything about one object that its card has no room for."""
    head: list[Block] = [
        header(snapshot.name),
        fields(facts(render_context.catalogue, snapshot, render_context.now)),
        context(f"{render_context.ref.kind} {code(render_context.ref.id)}"),
    ]
    parts = details_passages(render_context.catalogue, snapshot)
    parts += (
        _task_details(render_context.catalogue, snapshot)
        if isinstance(snapshot, Task)
        else _run_details(render_context.catalogue, snapshot)
    )
    fitting: list[Block] = []
    room = BYTES
    for part in parts[:MANY]:
        room -= len(json.dumps(part.to_dict()))
        if room < 0:
            break
        fitting.append(part)
    if rest := len(parts) - len(fitting):
        fitting.append(context(f"{rest} more parts are in SecMaster"))
    return _plain_modal(render_context.catalogue, "Details", [*head, *fitting])


def waiting(catalogue: Catalogue, objects: WaitingObjects) -> dict[str, Any]:
    """Return the modal that shows what waits for people."""
    return _plain_modal(
        catalogue, WAITING, _waiting_blocks(catalogue, objects, ("Details", "details"))
    )


def home(catalogue: Catalogue, objects: WaitingObjects) -> dict[str, Any]:
    """Return the Home that shows what waits for people; cards open in the direct message."""
    refresh = ButtonElement(text="Refresh", action_id="home")
    blocks = [*_waiting_blocks(catalogue, objects, SHOW), actions([refresh])]
    return View(type="home", blocks=blocks).to_dict()


def failed_home(catalogue: Catalogue, text: str) -> dict[str, Any]:
    """Return the Home that says why it could not be filled."""
    retry = ButtonElement(text="Try again", action_id="home")
    return View(type="home", blocks=[section(text), actions([retry])]).to_dict()


def _waiting_blocks(
    catalogue: Catalogue, objects: WaitingObjects, button: tuple[str, str]
) -> list[Block]:
    """Show the first of each kind; ``button`` is the label and action id of every row's."""
    blocks: list[Block] = []
    for title, kind, page in (
        ("Waiting for a decision", "task", objects.tasks),
        ("Failed", "instance", objects.failed),
    ):
        if page is None:
            continue
        rows, command = page.rows[:PAGE], code(f"{objects.root} {kind} list")
        counted = page.looked_through is None
        blocks.append(header(f"{title}: {max(page.total, len(rows))}" if counted else title))
        for snapshot in rows:
            blocks += object_row(catalogue, snapshot, objects.alias, objects.now, button)
        if rest := page.total - len(rows):
            blocks.append(context(f"and {rest} more: {command}" if counted else f"more: {command}"))
        if notes := page_notes(catalogue, page):
            blocks.append(context(*notes))
    return blocks


def _plain_modal(catalogue: Catalogue, title: str, blocks: list[Block]) -> dict[str, Any]:
    """Return a modal that asks for nothing."""
    return View(type="modal", title=clip(title, 24), close="Close", blocks=blocks).to_dict()


def _text_input(param: Param, initial: str) -> Block:
    return InputBlock(
        block_id=param.name,
        label=PlainTextObject(text=param.title),
        element=PlainTextInputElement(
            # Slack keeps what an input holds while its ids stay, and would not show the offer.
            action_id=f"{param.name}.offered" if initial else param.name,
            multiline=param.rest,
            max_length=min(param.max_length, 3000),
            initial_value=clip(initial, param.max_length) or None,
        ),
    )


def _files_input(param: Param, files: Sequence[SlackFile]) -> Block:
    """Show the files that a message brought, or ask for some."""
    if files:
        return section("\n".join(f"📎 {inline(file.name, 150)}" for file in files))
    return InputBlock(
        block_id=param.name,
        label=PlainTextObject(text=param.title),
        element=FileInputElement(action_id=param.name, max_files=MOST_FILES),
    )


def _task_details(catalogue: Catalogue, task: Task) -> list[Block]:
    """Show the attachments and comments of a task."""
    parts: list[Block] = []
    if attachments := task.attachment_id_list:
        lines = [code(id_) for id_ in attachments[-FILES:]]
        if len(attachments) > FILES:
            lines.append(f"{len(attachments) - FILES} more")
        label = TASK_WORDS["attachments"].label
        parts.append(section("\n".join([f"*{label}*", *lines])))
    for comment in reversed(task.comments):  # what was said last is what is looked for
        author = f"*{inline(comment.user_name, 80) or '—'}*"
        head = f"{author} {date_token(comment.time)} {code(comment.id)}"
        parts.append(section(f"{head}\n{escape(comment.message, 2500)}"))
    return parts


def _run_details(catalogue: Catalogue, run: Instance) -> list[Block]:
    """Show the nodes of a run."""
    parts: list[Block] = []
    for node in run.nodes:
        pairs = [
            ("Node", f"{inline(node.action_name) or '—'}\n{code(node.action_id)}"),
            ("Status", inline(node.status, 40) or "—"),
            ("Started", date_token(node.start_time)),
            ("Ended", date_token(node.end_time)),
        ]
        parts.append(fields(pairs))
        for label, text in (
            ("Error", node.error_msg),
            ("Input", node.input),
            ("Output", node.output),
        ):
            if text.strip():
                parts.append(labelled(label, text, 1200))
    return parts
