"""The views that Slack opens: an action's form, and what waits."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from pydantic import ValidationError
from slack_sdk.models.blocks import (
    Block,
    ButtonElement,
    InputBlock,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    StaticSelectElement,
)
from slack_sdk.models.blocks.block_elements import FileInputElement
from slack_sdk.models.views import View

from bot.domain.actions import BY_NAME, Action, Param
from bot.domain.approvals import ApprovalIntent
from bot.domain.objects import ByKind, ObjectKind, Ref, Value, visible
from bot.domain.slack import MAX_FILE_MEGABYTES, FormInput, SlackFile, SlackLocation
from bot.domain.snapshots import ListPage, Snapshot
from bot.messages.blocks import (
    REASON_HINT,
    Tally,
    actions,
    consequences,
    context,
    first_of_several,
    header,
    plain_name,
    reason_input,
    section,
)
from bot.messages.catalogue import N_, Catalogue, Sentence
from bot.messages.labels import labels, param_title
from bot.messages.lists import PAGE, SHOW, object_row, page_notes
from bot.messages.text import clip, code, inline
from bot.policy.rules import ReasonRule
from bot.secmaster import Instance, InstanceStatus, Node

FORM = "form"  # its callback id
REASON = "reason"
NAME = "name"
NODES = "nodes"  # the action id of the menu of a run's nodes
FILL = "fill"  # begins the name of what opens an action's form at once
WAITING = N_("What's waiting")
DETAILS = N_("Details")
HINTS = ByKind(
    task=N_(
        "Up to {count} characters. Added in SecMaster with your name, and shown in the thread."
    ),
    instance=REASON_HINT,
    playbook=REASON_HINT,
)
NAME_LABELS = ByKind(
    task=N_("Type the task's name"),
    instance=N_("Type the run's name"),
    playbook=N_("Type the playbook run's name"),
)
REASON_MISSING = Sentence(N_("A reason is required."))
FILE_MISSING = Sentence(N_("A file is required."))
OTHER_NAME = Sentence(N_("The name doesn't match. Type it exactly as shown above."))
DECLINE_HINT = N_(
    "Up to {count} characters. Shown in the thread and on the card, and kept in the audit."
)
MOST_FILES = 10  # in one form
FILE_NAME = 100  # characters of a file's name; a form remembers 3,000 in all
TYPED = 140  # characters of a name that have to be typed: a form shows ten more
INPUT = 3000  # characters of an input
MOST_OPTIONS = 100  # of a menu
OPTION_TEXT, OPTION_VALUE = 75, 150  # characters of an option


@dataclass(frozen=True, slots=True)
class WaitingObjects:
    """The first open tasks and failed runs; None of a kind that the person may not read.

    ``failed`` are runs of workflows, ``failed_playbooks`` those of playbooks. Objects of the kinds
    that are ``unlisted`` could not be listed.

    ``alias`` is the workspace's, which the buttons carry; ``root`` is the command that lists the
    others.
    """

    tasks: ListPage | None
    failed: ListPage | None
    failed_playbooks: ListPage | None
    alias: str
    root: str
    now: datetime
    unlisted: Collection[ObjectKind] = ()


@dataclass(frozen=True, slots=True)
class FormContent:
    """What a form shows beside what it asks for.

    ``name`` is the object's, ``workspace`` its workspace's for people. ``filled`` is what stands in
    the inputs already, by parameter; REASON is the reason's key. A ``warning`` stands above them,
    below the consequence.
    ``nodes`` are those of the run, to choose one of; empty where they are not known.
    ``offers_parameters``: those of the chosen node stand in their input. ``tally`` counts the
    approvals, None where one is enough. ``snapshot`` is the object with what is known around it,
    None where that is not known.
    """

    name: str
    workspace: str
    filled: Mapping[str, str] = field(default_factory=dict)
    warning: str = ""
    nodes: Sequence[Node] = ()
    offers_parameters: bool = True
    tally: Tally | None = None
    snapshot: Snapshot | None = None


class FormState(Value):
    """What a form remembers between its opening and its submission.

    ``decision_fingerprint`` is that of what the card showed, ``name_hash`` that of the name to be
    typed; "" for neither. ``intent`` is to decline where the form asks why a request is declined.
    """

    action: str
    ref: Ref
    location: SlackLocation
    files: tuple[SlackFile, ...] = ()
    decision_fingerprint: str = ""
    break_glass: bool = False
    name_hash: str = ""
    intent: ApprovalIntent = ApprovalIntent.GIVE

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
    catalogue: Catalogue, state: FormState, content: FormContent, reason: ReasonRule
) -> dict[str, Any]:
    """Return the form that asks for an action's parameters, or for its reason."""
    action = action_of(state)
    words, button = labels(action), catalogue.gettext(labels(action).button)
    sentences = [catalogue.gettext(words.consequence), first_of_several(catalogue, content.tally)]
    if content.snapshot:
        sentences = consequences(catalogue, action, content.snapshot, content.tally)
    blocks = _head(state, content, "\n".join(filter(None, sentences)))
    node = next((node for node in content.nodes if node.action_id in content.filled.values()), None)
    for param in action.params:
        if param.file:
            blocks.append(_files_input(catalogue, param, state.files))
        elif param.suggested and content.nodes:
            blocks.append(_node_menu(catalogue, param, content.nodes, node))
        else:
            value = content.filled.get(param.name, "")
            offers = content.offers_parameters and param.json
            offered = node_parameters(node) if node and offers else ""
            key = node.action_id if node and offered else ""
            blocks.append(_text_input(catalogue, param, value or offered, key))
    if action.takes_reason and reason != "none":
        hint, filled = HINTS[action.kind], content.filled.get(REASON, "")
        is_required = reason == "required"
        blocks.append(reason_input(catalogue, REASON, hint, required=is_required, filled=filled))
    if state.name_hash:
        label = catalogue.gettext(NAME_LABELS[action.kind])
        hint = catalogue.gettext("Exactly as shown above, so that it is the one you mean.")
        blocks.append(
            InputBlock(
                block_id=NAME,
                label=PlainTextObject(text=label),
                hint=PlainTextObject(text=hint),
                element=PlainTextInputElement(action_id=NAME, max_length=INPUT),
            )
        )
    title = catalogue.gettext(words.title or words.confirm)
    if state.break_glass:
        title = catalogue.gettext("Emergency override")
    return _form_view(catalogue, state, blocks, title, button)


def decline_form(
    catalogue: Catalogue, state: FormState, content: FormContent, *, is_requester: bool
) -> dict[str, Any]:
    """Return the form that asks why an approval request is declined.

    The requester alone may leave the reason out: everybody else takes it from somebody.
    """
    consequence = catalogue.gettext("This cancels all approvals given so far.")
    return _form_view(
        catalogue,
        state,
        [
            *_head(state, content, consequence),
            reason_input(catalogue, REASON, DECLINE_HINT, required=not is_requester),
        ],
        catalogue.gettext("Decline request"),
        catalogue.gettext("Decline request"),
    )


def _head(state: FormState, content: FormContent, consequence: str) -> list[Block]:
    """Say which object a form is about, what it leads to, and in small print where it is."""
    return [
        plain_name(content.name),
        section("\n".join(filter(None, (consequence, content.warning)))),
        context(f"{inline(content.workspace, 60)} · {code(state.ref.id)}"),
    ]


def _form_view(
    catalogue: Catalogue, state: FormState, blocks: list[Block], title: str, submit: str
) -> dict[str, Any]:
    return View(
        type="modal",
        callback_id=FORM,
        title=clip(title, 24),
        submit=clip(submit, 24),
        close=clip(catalogue.gettext("Cancel"), 24),
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
    texts = {
        block: filled.text or next(iter(filled.options), "") for block, filled in inputs.items()
    }
    return state.model_copy(update={"files": (*state.files, *files)}), texts


def read_location(metadata: str) -> SlackLocation | None:
    """Read where the forms of the Details answer; None where they do not say it."""
    try:
        return SlackLocation.model_validate_json(metadata)
    except ValidationError:
        return None


def action_of(state: FormState) -> Action:
    """Return the action that a form is for."""
    return BY_NAME[state.action]


def loading(catalogue: Catalogue, title: str) -> dict[str, Any]:
    """Return the view that stands in a modal while SecMaster is being asked."""
    return _plain_modal(catalogue, title, [section(catalogue.gettext("Asking SecMaster…"))])


def failed(catalogue: Catalogue, title: str, text: str) -> dict[str, Any]:
    """Return the view that says why a modal could not be filled."""
    return _plain_modal(catalogue, title, [section(text)])


def waiting(catalogue: Catalogue, objects: WaitingObjects) -> dict[str, Any]:
    """Return the modal that shows what waits for people."""
    return _plain_modal(
        catalogue,
        WAITING,
        _waiting_blocks(catalogue, objects, (DETAILS, "details")),
    )


def home(catalogue: Catalogue, objects: WaitingObjects) -> dict[str, Any]:
    """Return the Home that shows what waits for people; cards open in the direct message."""
    refresh = ButtonElement(text=catalogue.gettext("Refresh"), action_id="home")
    blocks = [*_waiting_blocks(catalogue, objects, SHOW), actions([refresh])]
    return View(type="home", blocks=blocks).to_dict()


def failed_home(catalogue: Catalogue, text: str) -> dict[str, Any]:
    """Return the Home that says why it could not be filled."""
    retry = ButtonElement(text=catalogue.gettext("Try again"), action_id="home")
    return View(type="home", blocks=[section(text), actions([retry])]).to_dict()


def _waiting_blocks(
    catalogue: Catalogue, objects: WaitingObjects, button: tuple[str, str]
) -> list[Block]:
    """Show the first of each kind; ``button`` is the label and action id of every row's."""
    blocks: list[Block] = []
    for title, counted_title, kind, page in (
        (
            N_("Waiting for a decision"),
            N_("Waiting for a decision: {count}"),
            "task",
            objects.tasks,
        ),
        (N_("Failed runs"), N_("Failed runs: {count}"), "instance", objects.failed),
        (
            N_("Failed playbook runs"),
            N_("Failed playbook runs: {count}"),
            "playbook",
            objects.failed_playbooks,
        ),
    ):
        if page is None:
            continue
        rows, command = page.rows[:PAGE], code(f"{objects.root} {kind} list")
        if counted := page.looked_through is None:
            count = catalogue.number(max(page.total, len(rows)))
            blocks.append(header(catalogue.gettext(counted_title, count=count)))
        else:
            blocks.append(header(catalogue.gettext(title)))
        for snapshot in rows:
            snoozed_until = page.snoozes.get(snapshot.id)
            assignee = page.assignees.get(snapshot.id, "")
            blocks += object_row(
                catalogue, snapshot, objects.alias, objects.now, button, snoozed_until, assignee
            )
        if rest := page.total - len(rows):
            number = catalogue.number(rest)
            if counted:
                others = catalogue.gettext(
                    "{number} more: {command}", number=number, command=command
                )
            else:
                others = catalogue.gettext("More: {command}", command=command)
            blocks.append(context(others))
        if notes := page_notes(catalogue, page):
            blocks.append(context(*notes))
    if "playbook" in objects.unlisted:
        text = catalogue.gettext("Failed playbook runs can't be listed now.")
        blocks.append(context(f"⚠️ {text}"))
    return blocks


def _plain_modal(catalogue: Catalogue, title: str, blocks: list[Block]) -> dict[str, Any]:
    """Return a modal that asks for nothing; ``title`` is marked for translators."""
    return View(
        type="modal",
        title=clip(catalogue.gettext(title), 24),
        close=clip(catalogue.gettext("Close"), 24),
        blocks=blocks,
    ).to_dict()


def _text_input(catalogue: Catalogue, param: Param, initial: str, key: str = "") -> Block:
    """Return the input of a parameter; ``key`` names what it offers, where that may change."""
    hint, limit = "", min(param.max_length, INPUT)
    if param.signed:
        hint = catalogue.gettext(
            "Up to {count} characters. Added in SecMaster with your name.",
            count=catalogue.number(limit),
        )
    elif param.json:
        hint = catalogue.gettext(
            "A JSON array of up to {count} characters.", count=catalogue.number(limit)
        )
    # Slack keeps what an input holds while its ids stay, and would not show the offer.
    offered = f"{param.name}.{key or 'offered'}"[:255]
    return InputBlock(
        block_id=param.name,
        label=PlainTextObject(text=param_title(catalogue, param)),
        hint=PlainTextObject(text=hint) if hint else None,
        element=PlainTextInputElement(
            action_id=offered if initial else param.name,
            multiline=param.rest,
            max_length=limit,
            initial_value=clip(initial, limit) or None,
        ),
    )


def _node_menu(
    catalogue: Catalogue, param: Param, nodes: Sequence[Node], chosen: Node | None
) -> Block:
    """Return the menu of a run's nodes, by name; what is chosen there fills in its parameters."""
    options = {node.action_id: _node_option(node) for node in nodes}
    return InputBlock(
        block_id=param.name,
        dispatch_action=True,
        label=PlainTextObject(text=param_title(catalogue, param)),
        element=StaticSelectElement(
            action_id=NODES,
            options=list(options.values())[:MOST_OPTIONS],
            initial_option=options[chosen.action_id] if chosen else None,
        ),
    )


def _node_option(node: Node) -> Option:
    failed = node.status == InstanceStatus.FAILED or node.succeed is False
    sign = "🔴 " if failed else ""
    name = clip(f"{sign}{' '.join(node.action_name.split()) or node.action_id}", OPTION_TEXT)
    return Option(value=node.action_id, text=PlainTextObject(text=name, emoji=True))


def with_nodes(content: FormContent, action: Action, snapshot: Snapshot | None) -> FormContent:
    """Return a form's content with the run's nodes, of which the one that failed is chosen."""
    params = [param for param in action.params if param.suggested]
    if not isinstance(snapshot, Instance) or not params:
        return content
    failed, nodes = snapshot.failed_node, selectable_nodes(snapshot)
    suggested = {param.name: failed.action_id for param in params} if failed else {}
    return replace(content, filled=suggested | dict(content.filled), nodes=nodes)


def with_chosen_node(
    content: FormContent, action: Action, snapshot: Snapshot, inputs: Mapping[str, FormInput]
) -> FormContent:
    """Return a form's content after another node was chosen in it.

    The parameters are that node's, unless somebody typed others than were offered.
    """
    nodes = selectable_nodes(snapshot) if isinstance(snapshot, Instance) else ()
    offered = {"", *map(node_parameters, nodes)}
    filled = {}
    for param in action.params:
        entered = inputs.get(param.name, FormInput())
        if param.suggested:
            filled[param.name] = next(iter(entered.options), "")
        elif entered.text.strip() not in offered:
            filled[param.name] = entered.text
    return replace(content, filled=filled, nodes=nodes)


def selectable_nodes(run: Instance) -> tuple[Node, ...]:
    """Return the nodes of a run that a menu can offer, the one that failed first."""
    nodes = {node.action_id: node for node in run.nodes if 0 < len(node.action_id) <= OPTION_VALUE}
    failed = run.failed_node
    if failed and failed.action_id in nodes:
        nodes = {failed.action_id: failed} | nodes | {failed.action_id: failed}
    return tuple(nodes.values())[:MOST_OPTIONS]


def node_parameters(node: Node) -> str:
    """Return the parameters that a node has, laid out; "" where they are no array or too long."""
    try:
        parameters = json.loads(node.input)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(parameters, list) or not parameters:
        return ""
    for indent in (2, None):
        text = json.dumps(parameters, ensure_ascii=False, indent=indent)
        # What can't be shown as it is must not be sent as something else.
        if len(text) <= INPUT and visible(text) == text:
            return text
    return ""


def _files_input(catalogue: Catalogue, param: Param, files: Sequence[SlackFile]) -> Block:
    """Show the files that a message brought, or ask for some."""
    if files:
        return section("\n".join(f"📎 {inline(file.name, 150)}" for file in files))
    hint = catalogue.gettext(
        "Up to {count} files of {megabytes} MB each.",
        count=catalogue.number(MOST_FILES),
        megabytes=catalogue.number(MAX_FILE_MEGABYTES),
    )
    return InputBlock(
        block_id=param.name,
        label=PlainTextObject(text=param_title(catalogue, param)),
        hint=PlainTextObject(text=hint),
        element=FileInputElement(action_id=param.name, max_files=MOST_FILES),
    )
