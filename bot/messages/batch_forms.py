"""The views in which several objects are selected and confirmed for one action."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    RadioButtonsElement,
    StaticMultiSelectElement,
)
from slack_sdk.models.views import View

from bot.domain.actions import BY_NAME, Action, batch_actions
from bot.domain.batches import BatchQuery, SkippedItem
from bot.domain.cards import ButtonValue
from bot.domain.objects import ObjectKind, Ref, Value
from bot.domain.reasons import SkipReason
from bot.domain.slack import FormInput, SlackLocation
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.messages.blocks import Message, context, plain_name, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.labels import labels
from bot.messages.text import clip, code, inline, quote, relative_time
from bot.secmaster import Task

MAX_OBJECTS = 20
MAX_OPTIONS = 100  # options that a menu may have
LONGEST_REASON = 500  # a view remembers 3,000 characters in all, and twenty objects need most
VALUE = 150  # characters of an option's value
NAME = 75  # characters of an option's text
ACTION, OBJECTS, REASON = "action", "objects", "reason"
CHOOSING, CONFIRMING = "choosing", "confirming"  # the callback ids of the two views
CHOOSE = "Select several"
WAITING = {"task": "wait for a decision", "instance": "have failed"}
WAITS = {"task": "waits for a decision", "instance": "has failed"}

# A refused object is not among them: its item brings the policy's own words as its detail.
SKIP_REASONS = {
    SkipReason.NEEDS_APPROVALS: "It asks for several people: decide it on its card.",
    SkipReason.NEEDS_NAME: "It asks for its name to be typed: decide it on its card.",
    SkipReason.NEEDS_REASON: "It needs a reason: go back and give one.",
    SkipReason.SETTLED: "It is no longer open to this.",
    SkipReason.CHANGED: "It has changed since it was listed: look at its card.",
    SkipReason.GONE: "SecMaster knows it no longer.",
    SkipReason.UNREAD: "It could not be read from SecMaster: try again.",
}


class BatchFormState(Value):
    """What the selection view remembers until it is submitted."""

    kind: ObjectKind
    location: SlackLocation


class BatchSelection(Value):
    """What somebody submitted in the selection view; ``action`` is "" where none was chosen."""

    action: str
    items: tuple[ButtonValue, ...]
    reason: str


class SelectedItem(Value):
    """One selected object as it was read for the confirmation, and what the action leads to."""

    button: ButtonValue
    name: str
    consequence: str


class BatchConfirmation(Value):
    """What the confirmation view remembers until it is submitted.

    ``items`` are "id:fingerprint", the fingerprint being that of what was read; spelt out as
    button values twenty of them would not fit into a view's metadata.
    """

    action: str
    workspace: str
    location: SlackLocation
    reason: str
    items: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what a confirmation view remembers; None for one that this version can't read."""
        try:
            confirmation = cls.model_validate_json(text)
            readable = bool(confirmation.buttons)
        except (ValidationError, KeyError):  # KeyError: an action of another version
            return None
        return confirmation if readable else None

    @property
    def buttons(self) -> tuple[ButtonValue, ...]:
        """The items as button values."""
        kind = BY_NAME[self.action].kind
        pairs = [item.partition(":") for item in self.items]
        return tuple(
            ButtonValue(
                ref=Ref(kind=kind, id=id_, workspace=self.workspace),
                decision_fingerprint=fingerprint,
            )
            for id_, _, fingerprint in pairs
        )


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What can be selected, out of how many; ``root`` is the command that narrows it.

    ``total`` is None where it is not known; then there may be more.
    """

    objects: Sequence[Snapshot]
    total: int | None
    root: str
    now: datetime


def batch_button(query: BatchQuery, label: str = CHOOSE) -> ButtonElement:
    """Return the button that opens the selection of what a query finds."""
    return ButtonElement(text=label, action_id="several", value=str(query))


def selection_form(
    catalogue: Catalogue, query: BatchQuery, state: BatchFormState, options: BatchOptions
) -> dict[str, Any]:
    """Return the view that asks for an action, for its objects and for a reason.

    Where the query is about one workflow's failed runs, as many as possible are preselected.
    """
    menu = [
        option
        for snapshot in options.objects[:MAX_OPTIONS]
        if (option := _object_option(catalogue, query, snapshot, options.now))
    ]
    if not menu:
        text = f"No {query.kind}s {WAITING[query.kind]}{_filter_text(catalogue, query)}."
        return _modal(catalogue, state, [section(text)])
    choices = [
        Option(
            value=action.name,
            text=PlainTextObject(text=labels(action).button),
            description=PlainTextObject(text=clip(labels(action).consequence, NAME)),
        )
        for action in batch_actions(query.kind)
    ]
    preselected = query.kind == "instance" and query.workflow_id
    objects = StaticMultiSelectElement(
        action_id=OBJECTS,
        options=menu,
        initial_options=menu[:MAX_OBJECTS] if preselected else None,
        max_selected_items=MAX_OBJECTS,
        placeholder=f"Up to {MAX_OBJECTS}",
    )
    blocks: list[Block] = [
        section(_count_text(catalogue, query, options, len(menu))),
        InputBlock(
            block_id=ACTION,
            label=PlainTextObject(text="What to do"),
            element=RadioButtonsElement(action_id=ACTION, options=choices),
        ),
        InputBlock(
            block_id=OBJECTS,
            label=PlainTextObject(text=f"{query.kind.capitalize()}s"),
            element=objects,
        ),
        InputBlock(
            block_id=REASON,
            optional=True,
            label=PlainTextObject(text="Reason"),
            hint=PlainTextObject(text="The same for all. Some rules ask for one."),
            element=PlainTextInputElement(
                action_id=REASON, multiline=True, max_length=LONGEST_REASON
            ),
        ),
    ]
    return _modal(catalogue, state, blocks, callback=CHOOSING, submit="Next")


def read_selection(
    metadata: str, inputs: Mapping[str, FormInput]
) -> tuple[BatchFormState, BatchSelection] | None:
    """Read a submitted selection view.

    None where it, or an option in it, was made by another version and can't be read.
    """
    try:
        state = BatchFormState.model_validate_json(metadata)
        choice, objects, reason = inputs[ACTION], inputs[OBJECTS], inputs[REASON].text.strip()
    except (ValidationError, KeyError):  # KeyError: it has other inputs
        return None
    action = next(iter(choice.options), "")
    buttons = [ButtonValue.parse(option) for option in objects.options]
    items = tuple(button for button in buttons if button and button.ref.kind == state.kind)
    possible = [action.name for action in batch_actions(state.kind)]
    if len(items) < len(buttons) or action not in (*possible, ""):
        return None
    return state, BatchSelection(action=action, items=items, reason=reason)


def confirmation_form(
    catalogue: Catalogue,
    confirmation: BatchConfirmation,
    selected: Sequence[SelectedItem],
    skipped: Sequence[SkippedItem],
    workspace: str,
) -> dict[str, Any]:
    """Return the view that asks to confirm an action on several objects.

    It names what is selected with the consequence, and what is skipped with the reason. Without
    anything selected it can't be submitted. ``workspace`` is the workspace's name for people.
    """
    action = BY_NAME[confirmation.action]
    button, objects = labels(action).button, count(action, len(selected))
    question = f"*{button} {objects} of {inline(workspace, 60)}?* Each is decided on its own."
    blocks: list[Block] = [section(question if selected else "*None of them can be decided so.*")]
    if confirmation.reason and selected:
        blocks.append(section(quote(confirmation.reason, 1000)))
    for item in selected:
        facts = f"{item.consequence} · {inline(workspace, 60)} · {code(item.button.ref.id)}"
        blocks += [plain_name(item.name), context(facts)]
    if skipped:
        blocks.append(section(f"*Left out: {len(skipped)}*"))
    for skip in skipped:
        detail = skip.detail or SKIP_REASONS[skip.reason]
        blocks += [plain_name(skip.name), context(f"{detail} · {code(skip.ref.id)}")]
    return _modal(
        catalogue,
        confirmation,
        blocks,
        title=f"{button} {objects}" if selected else CHOOSE,
        submit=f"{button} {len(selected)}" if selected else "",
    )


def too_few(catalogue: Catalogue) -> str:
    """Say under the menu that nothing was selected."""
    return "Select at least one."


def too_many(catalogue: Catalogue, number: int) -> str:
    """Say under the menu that more were selected than one batch may have."""
    return f"{number} are selected; {MAX_OBJECTS} are possible at once."


def needs_form(catalogue: Catalogue, kind: ObjectKind, root: str) -> Message:
    """Say that Slack opens no form for a mention, and what opens one.

    ``root`` is how the bot was spoken to: its command, or "@name".
    """
    command = "" if root.startswith("@") else f"write {code(f'{root} {kind} several')}, or "
    return text_message(
        f"Slack opens no form for a mention: {command}press *{CHOOSE}* under a list. "
        "Nothing was sent."
    )


def count(action: Action, number: int) -> str:
    """Count an action's objects: "1 task", "2 instances"."""
    return f"{number} {action.kind}{'s' * (number != 1)}"


def _object_option(
    catalogue: Catalogue, query: BatchQuery, snapshot: Snapshot, now: datetime
) -> Option | None:
    """Return the option that selects an object; None for an id that no button can carry."""
    try:
        ref = Ref(kind=query.kind, workspace=query.workspace, id=snapshot.id)
    except ValidationError:
        return None
    if isinstance(snapshot, Task):
        due = snapshot.due_date
        when = f"due {relative_time(catalogue, due, now)}" if due else "no due date"
        source = snapshot.related_object
    else:
        start = snapshot.start_time
        when = f"started {relative_time(catalogue, start, now)}" if start else "not started"
        source = snapshot.workflow.name
    facts = " · ".join(filter(None, (when, " ".join(source.split()))))
    name = clip(" ".join(snapshot.name.split()), NAME)
    value = str(ButtonValue(ref=ref, decision_fingerprint=decision_fingerprint(snapshot)))
    return Option(
        value=value if len(value) <= VALUE else str(ref),
        text=PlainTextObject(text=name or ref.id, emoji=False),
        description=PlainTextObject(text=clip(facts, NAME), emoji=False),
    )


def _filter_text(catalogue: Catalogue, query: BatchQuery) -> str:
    parts = (
        f"with “{inline(query.text, 60)}”" if query.text else "",
        f"of workflow {code(query.workflow_id)}" if query.workflow_id else "",
    )
    return "".join(f" {part}" for part in parts if part)


def _count_text(catalogue: Catalogue, query: BatchQuery, options: BatchOptions, listed: int) -> str:
    """Say how many objects there are and, if the menu lists fewer, how to reach the others."""
    if options.total == listed == 1:
        return f"1 {query.kind} {WAITS[query.kind]}{_filter_text(catalogue, query)}."
    objects = f"{query.kind}s {WAITING[query.kind]}{_filter_text(catalogue, query)}"
    if options.total is not None and options.total <= listed:
        return f"{listed} {objects}."
    command = code(f"{options.root} {query.kind} several <text>")
    if options.total is None:
        return f"{listed} {objects} are here. There may be others: write {command}."
    return f"{options.total} {objects}; {listed} of them are here. For others write {command}."


def _modal(
    catalogue: Catalogue,
    state: Value,
    blocks: list[Block],
    *,
    title: str = CHOOSE,
    callback: str = CONFIRMING,
    submit: str = "",
) -> dict[str, Any]:
    """Return a modal that remembers ``state``; without ``submit`` there is only the way back."""
    return View(
        type="modal",
        callback_id=callback,
        title=clip(title, 24),
        submit=clip(submit, 24) or None,
        close="Back",
        private_metadata=state.model_dump_json(),
        blocks=blocks,
    ).to_dict()
