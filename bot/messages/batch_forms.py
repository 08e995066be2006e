"""Many at once: the views in which they are chosen and confirmed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from bot.domain.slack import SlackLocation
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.messages.blocks import Message, context, new_message, plain_name, section
from bot.messages.labels import labels
from bot.messages.text import clip, code, inline, quote, relative_time
from bot.secmaster import Task

MAX_OBJECTS = 20
MAX_OPTIONS = 100  # options that a menu may have
LONGEST_REASON = 500  # a view remembers 3,000 characters in all, and twenty objects need most
VALUE = 150  # characters of an option's value
NAME = 75  # characters of an option's text
ACTION, OBJECTS, REASON = "action", "objects", "reason"
CHOOSE = "Select several"
WAITING = {"task": "wait for a decision", "instance": "have failed"}
WAITS = {"task": "waits for a decision", "instance": "has failed"}

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
    """What the choosing view remembers."""

    kind: ObjectKind
    location: SlackLocation


class BatchSelection(Value):
    """What somebody chose: to do what to which objects, and why."""

    action: str
    items: tuple[ButtonValue, ...]
    reason: str


class SelectedItem(Value):
    """One of many objects that is to be confirmed: as it was read, and what happens then."""

    button: ButtonValue
    name: str
    consequence: str


class BatchConfirmation(Value):
    """What the confirming view remembers: each object as its id and the digest of what was read."""

    action: str
    workspace: str
    location: SlackLocation
    reason: str
    items: tuple[str, ...]

    @property
    def buttons(self) -> tuple[ButtonValue, ...]:
        noun = BY_NAME[self.action].kind
        pairs = [each.partition(":") for each in self.items]
        return tuple(
            ButtonValue(
                ref=Ref(kind=noun, id=id_, workspace=self.workspace), decision_fingerprint=seen
            )
            for id_, _, seen in pairs
        )


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What can be chosen, of how many; ``root`` is the command that narrows it."""

    objects: Sequence[Snapshot]
    total: int
    root: str
    now: datetime


def batch_button(wanted: BatchQuery, label: str = CHOOSE) -> ButtonElement:
    """The button to choose many with; where it is about a workflow, all its failed runs."""
    return ButtonElement(text=label, action_id="several", value=str(wanted))


def selection_form(wanted: BatchQuery, kept: BatchFormState, there: BatchOptions) -> dict[str, Any]:
    """The view that asks what to do, and to which."""
    options = [
        one for each in there.objects[:MAX_OPTIONS] if (one := _option(wanted, each, there.now))
    ]
    if not options:
        return _view(
            kept, [section(f"No {wanted.kind}s {WAITING[wanted.kind]}{_narrowed(wanted)}.")]
        )
    whole = wanted.kind == "instance" and wanted.workflow_id
    objects = StaticMultiSelectElement(
        action_id=OBJECTS,
        options=options,
        initial_options=options[:MAX_OBJECTS] if whole else None,
        max_selected_items=MAX_OBJECTS,
        placeholder=f"Up to {MAX_OBJECTS}",
    )
    parts: list[Block] = [
        section(_how_many(wanted, there, len(options))),
        _input(
            ACTION, "What to do", RadioButtonsElement(action_id=ACTION, options=_actions(wanted))
        ),
        _input(OBJECTS, f"{wanted.kind.capitalize()}s", objects),
        _reason(),
    ]
    return _view(kept, parts, callback="choosing", submit="Next")


def read_selection(view: dict[str, Any]) -> tuple[BatchFormState, BatchSelection | None]:
    """What was chosen; None where an option is from another version."""
    values = view["state"]["values"]
    entered = {name: next(iter(block.values())) for name, block in values.items()}
    option = entered[ACTION].get("selected_option") or {}
    given = entered[OBJECTS].get("selected_options") or []
    picked = [ButtonValue.parse(each["value"]) for each in given]
    reason = (entered[REASON].get("value") or "").strip()
    kept = BatchFormState.model_validate_json(view["private_metadata"])
    action = option.get("value", "")
    known = tuple(each for each in picked if each and each.ref.kind == kept.kind)
    able = [each.name for each in batch_actions(kept.kind)]
    if len(known) < len(picked) or action not in (*able, ""):
        return kept, None
    return kept, BatchSelection(action=action, items=known, reason=reason)


def confirmation_form(
    kept: BatchConfirmation,
    taken: Sequence[SelectedItem],
    left: Sequence[SkippedItem],
    workspace: str,
) -> dict[str, Any]:
    """The question before: what is done to which, and what is left out and why."""
    action = BY_NAME[kept.action]
    what = count(action, len(taken))
    asked = (
        f"*{labels(action).button} {what} of {inline(workspace, 60)}?* Each is decided on its own."
    )
    parts: list[Block] = [section(asked if taken else "*None of them can be decided so.*")]
    parts += [section(quote(kept.reason, 1000))] if kept.reason and taken else []
    for each in taken:
        then = f"{each.consequence} · {inline(workspace, 60)} · {code(each.button.ref.id)}"
        parts += [plain_name(each.name), context(then)]
    parts += [section(f"*Left out: {len(left)}*")] if left else []
    for one in left:
        why = one.detail or SKIP_REASONS[one.reason]
        parts += [plain_name(one.name), context(f"{why} · {code(one.ref.id)}")]
    submit = f"{labels(action).button} {len(taken)}" if taken else ""
    title = f"{labels(action).button} {what}" if taken else CHOOSE
    return _view(kept, parts, title=title, submit=submit)


def too_few() -> str:
    return "Select at least one."


def too_many(number: int) -> str:
    return f"{number} are selected; {MAX_OBJECTS} are possible at once."


def needs_form(noun: ObjectKind, root: str) -> Message:
    """Tell whoever mentioned us that Slack opens no form for a mention."""
    written = "" if root.startswith("@") else f"write {code(f'{root} {noun} several')}, or "
    text = (
        f"Slack opens no form for a mention: {written}press *{CHOOSE}* under a list. "
        "Nothing was sent."
    )
    return new_message(text, section(text))


def _option(wanted: BatchQuery, found: Snapshot, now: datetime) -> Option | None:
    try:
        ref = Ref(kind=wanted.kind, workspace=wanted.workspace, id=found.id)
    except ValidationError:
        return None
    value = str(ButtonValue(ref=ref, decision_fingerprint=decision_fingerprint(found)))
    return Option(
        value=value if len(value) <= VALUE else str(ref),
        text=PlainTextObject(text=clip(_plain(found.name), NAME) or ref.id, emoji=False),
        description=PlainTextObject(text=clip(_facts(found, now), NAME), emoji=False),
    )


def _facts(found: Snapshot, now: datetime) -> str:
    if isinstance(found, Task):
        due = f"due {relative_time(found.due_date, now)}" if found.due_date else "no due date"
        return " · ".join(filter(None, (due, _plain(found.related_object))))
    started = (
        f"started {relative_time(found.start_time, now)}" if found.start_time else "not started"
    )
    return " · ".join(filter(None, (started, _plain(found.workflow.name))))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _narrowed(wanted: BatchQuery) -> str:
    parts = (
        f"with “{inline(wanted.text, 60)}”" if wanted.text else "",
        f"of workflow {code(wanted.workflow_id)}" if wanted.workflow_id else "",
    )
    return "".join(f" {part}" for part in parts if part)


def _how_many(wanted: BatchQuery, there: BatchOptions, shown: int) -> str:
    these = f"{wanted.kind}s {WAITING[wanted.kind]}{_narrowed(wanted)}"
    if there.total == shown == 1:
        return f"1 {wanted.kind} {WAITS[wanted.kind]}{_narrowed(wanted)}."
    if there.total <= shown:
        return f"{shown} {these}."
    narrower = code(f"{there.root} {wanted.kind} several <text>")
    return f"{there.total} {these}; {shown} of them are here. For others write {narrower}."


def _actions(wanted: BatchQuery) -> list[Option]:
    return [
        Option(
            value=each.name,
            text=PlainTextObject(text=labels(each).button),
            description=PlainTextObject(text=clip(labels(each).consequence, NAME)),
        )
        for each in batch_actions(wanted.kind)
    ]


def _input(name: str, label: str, element: RadioButtonsElement | StaticMultiSelectElement) -> Block:
    return InputBlock(block_id=name, label=PlainTextObject(text=label), element=element)


def _reason() -> Block:
    return InputBlock(
        block_id=REASON,
        optional=True,
        label=PlainTextObject(text="Reason"),
        hint=PlainTextObject(text="The same for all. Some rules ask for one."),
        element=PlainTextInputElement(action_id=REASON, multiline=True, max_length=LONGEST_REASON),
    )


def _view(
    kept: Value,
    parts: list[Block],
    *,
    title: str = CHOOSE,
    callback: str = "confirming",
    submit: str = "",
) -> dict[str, Any]:
    """A view of ours; without a ``submit`` there is only the way back."""
    return View(
        type="modal",
        callback_id=callback,
        title=clip(title, 24),
        submit=clip(submit, 24) or None,
        close="Back",
        private_metadata=kept.model_dump_json(),
        blocks=parts,
    ).to_dict()


def count(action: Action, number: int) -> str:
    return f"{number} {action.kind}{'s' * (number != 1)}"
