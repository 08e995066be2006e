"""Views: the form that an action asks with, the details of one object, and what waits."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from bot.domain.slack import SlackFile, SlackLocation
from bot.domain.snapshots import Snapshot
from bot.messages.blocks import RenderContext, actions, context, fields, header, plain_name, section
from bot.messages.cards import facts
from bot.messages.labels import labels
from bot.messages.lists import PAGE, SHOW, object_row
from bot.messages.text import clip, code, code_block, date_token, escape, inline
from bot.policy.rules import ReasonRule
from bot.secmaster import Instance, Node, Task

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
TYPED = 140  # characters of a name that are to be typed: a form shows ten more


@dataclass(frozen=True, slots=True)
class WaitingObjects:
    """What waits, of how many; ``root`` is the command that lists the rest."""

    tasks: Sequence[Task]
    tasks_total: int
    failed: Sequence[Instance]
    failed_total: int
    alias: str
    root: str
    now: datetime


class FormState(Value):
    """What a modal remembers between its opening and its submission.

    ``seen`` is the digest of what the card showed, ``named`` that of the name to be typed.
    """

    action: str
    ref: Ref
    location: SlackLocation
    files: tuple[SlackFile, ...] = ()
    decision_fingerprint: str = ""
    break_glass: bool = False
    name_hash: str = ""


def hash_name(name: str) -> str:
    """What a typed name is held against: the letters count, not their case or the space.

    Of a long one only as many as a form shows.
    """
    plain = " ".join(visible(name).casefold().split())[:TYPED]
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:32] if plain else ""


def form(
    kept: FormState, shown: tuple[str, str], reason: ReasonRule, filled: Mapping[str, str]
) -> dict[str, Any]:
    """The modal that asks for an action's parameters, or for its reason.

    ``shown`` are the object's name and its workspace; ``filled`` is what stands in the inputs
    already, by parameter.
    """
    action, (name, workspace) = action_of(kept), shown
    said = labels(action)
    about = f"{said.consequence}\n{inline(workspace, 60)} · {code(kept.ref.id)}"
    if kept.break_glass:
        about = f"🔨 You decide alone what asks for several people. It is announced.\n{about}"
    parts: list[Block] = [section(about), plain_name(name)]
    parts += [
        _files_input(param, kept.files) if param.file else _input(param, filled.get(param.name, ""))
        for param in action.params
    ]
    if action.takes_reason and reason != "none":
        parts.append(_reason(action, required=reason == "required"))
    if kept.name_hash:
        parts.append(_typed_name(action))
    title = "Break the glass" if kept.break_glass else said.title or f"{said.button} {action.kind}"
    return View(
        type="modal",
        callback_id="form",
        title=clip(title, 24),
        submit=clip(said.button, 24),
        close="Back",
        private_metadata=kept.model_dump_json(),
        blocks=parts,
    ).to_dict()


def loading(title: str) -> dict[str, Any]:
    """What stands in a modal while SecMaster is being asked."""
    return _reading(title, [section("Asking SecMaster…")])


def failed(title: str, why: str) -> dict[str, Any]:
    return _reading(title, [section(why)])


def details(frame: RenderContext, snapshot: Snapshot) -> dict[str, Any]:
    """Everything about one object that its card has no room for."""
    parts = _task_details(snapshot) if isinstance(snapshot, Task) else _run_details(snapshot.nodes)
    top: list[Block] = [
        header(snapshot.name),
        fields(facts(frame, snapshot)),
        context(f"{frame.ref.kind} {code(frame.ref.id)}"),
    ]
    return _reading("Details", top + _fitting(parts))


def _fitting(parts: list[Block]) -> list[Block]:
    """As many of the parts as a modal carries, saying how many more there are."""
    kept: list[Block] = []
    room = BYTES
    for part in parts[:MANY]:
        room -= len(json.dumps(part.to_dict()))
        if room < 0:
            break
        kept.append(part)
    left = len(parts) - len(kept)
    return [*kept, context(f"{left} more parts are in SecMaster")] if left else kept


def waiting(found: WaitingObjects) -> dict[str, Any]:
    """What waits for people, in a modal."""
    return _reading(WAITING, _what_waits(found, ("Details", "details")))


def home(found: WaitingObjects) -> dict[str, Any]:
    """What waits for people, in the app's Home; a card of it is shown in the chat beside it."""
    again = ButtonElement(text="Refresh", action_id="home")
    return _home([*_what_waits(found, SHOW), actions([again])])


def failed_home(why: str) -> dict[str, Any]:
    return _home([section(why), actions([ButtonElement(text="Try again", action_id="home")])])


def _home(parts: list[Block]) -> dict[str, Any]:
    return View(type="home", blocks=parts).to_dict()


def _what_waits(found: WaitingObjects, button: tuple[str, str]) -> list[Block]:
    parts: list[Block] = []
    for title, noun, objects, total in (
        ("Waiting for a decision", "task", found.tasks, found.tasks_total),
        ("Failed", "instance", found.failed, found.failed_total),
    ):
        parts.append(header(f"{title}: {max(total, len(objects))}"))
        for each in objects[:PAGE]:
            parts += object_row(each, found.alias, found.now, button)
        if left := total - len(objects[:PAGE]):
            parts.append(context(f"and {left} more: {code(f'{found.root} {noun} list')}"))
    return [*parts, context(f"as of {date_token(found.now)}")]


def _reading(title: str, parts: list[Block]) -> dict[str, Any]:
    return View(type="modal", title=clip(title, 24), close="Close", blocks=parts).to_dict()


def _input(param: Param, initial: str) -> Block:
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


def _files_input(param: Param, given: Sequence[SlackFile]) -> Block:
    """The files that a message gave, or an input for some."""
    if given:
        return section("\n".join(f"📎 {inline(file.name, 150)}" for file in given))
    return InputBlock(
        block_id=param.name,
        label=PlainTextObject(text=param.title),
        element=FileInputElement(action_id=param.name, max_files=MOST_FILES),
    )


def _reason(action: Action, *, required: bool) -> Block:
    return InputBlock(
        block_id=REASON,
        optional=not required,
        label=PlainTextObject(text="Reason"),
        hint=PlainTextObject(text=HINTS[action.kind]),
        element=PlainTextInputElement(action_id=REASON, multiline=True, max_length=MAX_REASON),
    )


def _typed_name(action: Action) -> Block:
    return InputBlock(
        block_id=NAME,
        label=PlainTextObject(text=f"Type the {action.kind}'s name"),
        hint=PlainTextObject(text="As it stands above, so that it is the one you mean."),
        element=PlainTextInputElement(action_id=NAME, max_length=3000),
    )


def _task_details(task: Task) -> list[Block]:
    parts: list[Block] = []
    for label, text in (
        ("Description", task.description),
        ("Details", task.view_parameters),
        ("Parameters", task.handle_parameters),
        ("Review comments", task.review_comments),
    ):
        if text.strip():
            parts.append(section(f"*{label}*\n{code_block(text, 2800)}"))
    if task.attachment_id_list:
        parts.append(section(f"*Attachments*\n{_files(task.attachment_id_list)}"))
    for comment in reversed(task.comments):  # what was said last is what is looked for
        who = f"*{inline(comment.user_name, 80) or '—'}* {date_token(comment.time)} {code(comment.id)}"
        parts.append(section(f"{who}\n{escape(comment.message, 2500)}"))
    return parts


def _files(ids: Sequence[str]) -> str:
    rest = f"\n{len(ids) - FILES} more" if len(ids) > FILES else ""
    return "\n".join(code(each) for each in ids[-FILES:]) + rest


def _run_details(nodes: tuple[Node, ...]) -> list[Block]:
    return [part for node in nodes for part in _node(node)]


def _node(node: Node) -> list[Block]:
    facts = [
        ("Node", f"{inline(node.action_name) or '—'}\n{code(node.action_id)}"),
        ("Status", inline(node.status, 40) or "—"),
        ("Started", date_token(node.start_time)),
        ("Ended", date_token(node.end_time)),
    ]
    parts = [fields(facts)]
    for label, text in (("Error", node.error_msg), ("Input", node.input), ("Output", node.output)):
        if text.strip():
            parts.append(section(f"*{label}*\n{code_block(text, 1200)}"))
    return parts


def read_form(view: dict[str, Any]) -> tuple[FormState, dict[str, str]]:
    """The form that was submitted, with the files it was given, and what was typed, by block."""
    values = view["state"]["values"]
    entered = {name: next(iter(block.values())) for name, block in values.items()}
    given = [file for each in entered.values() for file in files_in(each)]
    kept = FormState.model_validate_json(view["private_metadata"])
    typed = {name: each.get("value") or "" for name, each in entered.items()}
    return kept.model_copy(update={"files": (*kept.files, *given)}), typed


def files_in(given: dict[str, Any]) -> tuple[SlackFile, ...]:
    """The files of a message or of an input, as a form can carry them."""
    return tuple(
        SlackFile(id=each["id"], name=clip(each.get("name") or each["id"], FILE_NAME))
        for each in given.get("files") or ()
        if each.get("mode") != "tombstone"  # what is left of a deleted one
    )


def action_of(kept: FormState) -> Action:
    return BY_NAME[kept.action]
