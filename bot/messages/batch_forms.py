"""The views in which several objects are selected and confirmed for one action."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, assert_never

from babel.dates import format_skeleton
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
from bot.domain.objects import ByKind, ObjectKind, Ref, Value
from bot.domain.reasons import SkipReason
from bot.domain.slack import FormInput, SlackLocation
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.messages import evidence
from bot.messages.blocks import Message, context, plain_name, section, text_message
from bot.messages.catalogue import N_, NN_, Catalogue
from bot.messages.labels import consequence, labels
from bot.messages.text import clip, code, inline, quote, search_text
from bot.secmaster import Instance, PlaybookInstance, Task

MAX_OBJECTS = 20
MAX_OPTIONS = 100  # options that a menu may have
LONGEST_REASON = 500  # a view remembers 3,000 characters in all, and twenty objects need most
VALUE = 150  # characters of an option's value
NAME = 75  # characters of an option's text
ACTION, OBJECTS, REASON = "action", "objects", "reason"
CHOOSING, CONFIRMING = "choosing", "confirming"  # the callback ids of the two views
CHOOSE = N_("Select several")
OBJECTS_LABELS = ByKind(task=N_("Tasks"), instance=N_("Runs"), playbook=N_("Playbook runs"))
NONE = ByKind(
    task=N_("No tasks are waiting for a decision."),
    instance=N_("No runs have failed."),
    playbook=N_("No playbook runs have failed."),
)
COUNTS = ByKind(
    task=NN_(
        "{count} task is waiting for a decision.", "{count} tasks are waiting for a decision."
    ),
    instance=NN_("{count} run has failed.", "{count} runs have failed."),
    playbook=NN_("{count} playbook run has failed.", "{count} playbook runs have failed."),
)

# Whose runs alone are listed; no task is a run of anything.
DEFINITIONS = ByKind(
    task=N_("Workflow: {id}."), instance=N_("Workflow: {id}."), playbook=N_("Playbook: {id}.")
)

# A refused object is not among them: its item brings the policy's own words as its detail.
SKIP_REASONS = {
    SkipReason.NEEDS_APPROVALS: N_("Requires several people: decide it on its card."),
    SkipReason.NEEDS_NAME: N_("Requires its name to be typed: decide it on its card."),
    SkipReason.NEEDS_REASON: N_("Requires a reason: go back and give one."),
    SkipReason.SETTLED: N_("No longer open to this."),
    SkipReason.CHANGED: N_("Changed since it was listed: check its card."),
    SkipReason.GONE: N_("No longer in SecMaster."),
    SkipReason.UNREAD: N_("Can't be read from SecMaster now: try again."),
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
    """One selected object as it was read for the confirmation, and what the action leads to.

    ``facts`` are what its row says of the finding behind it.
    """

    button: ButtonValue
    name: str
    consequence: str
    facts: tuple[str, ...] = ()


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

    ``total`` is None where it is not known; then there may be more. ``now`` is in the time zone of
    whoever selects.
    """

    objects: Sequence[Snapshot]
    total: int | None
    root: str
    now: datetime


def batch_button(catalogue: Catalogue, query: BatchQuery) -> ButtonElement:
    """Return the button that opens the selection of what a query finds."""
    label = catalogue.gettext(CHOOSE)
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
        return _modal(catalogue, state, [section(_none_text(catalogue, query))])
    blocks = [
        section(_count_text(catalogue, query, options, len(menu))),
        _action_input(catalogue, query.kind, options.objects),
        _objects_input(catalogue, query, menu),
        _reason_input(catalogue),
    ]
    return _modal(catalogue, state, blocks, submit=catalogue.gettext("Next"))


def _action_input(catalogue: Catalogue, kind: ObjectKind, objects: Sequence[Snapshot]) -> Block:
    """Return the input that asks which action is taken on all of them, with what it leads to."""
    choices = [
        Option(
            value=action.name,
            text=PlainTextObject(text=catalogue.gettext(labels(action).button)),
            description=_shared_consequence(catalogue, action, objects),
        )
        for action in batch_actions(kind)
    ]
    return InputBlock(
        block_id=ACTION,
        label=PlainTextObject(text=catalogue.gettext("Action")),
        element=RadioButtonsElement(action_id=ACTION, options=choices),
    )


def _objects_input(catalogue: Catalogue, query: BatchQuery, menu: list[Option]) -> Block:
    """Return the input that asks for the objects; those of one definition are preselected."""
    label = catalogue.gettext(OBJECTS_LABELS[query.kind])
    element = StaticMultiSelectElement(
        action_id=OBJECTS,
        options=menu,
        initial_options=menu[:MAX_OBJECTS] if query.definition_id else None,
        max_selected_items=MAX_OBJECTS,
        placeholder=catalogue.gettext("Up to {count}", count=catalogue.number(MAX_OBJECTS)),
    )
    return InputBlock(block_id=OBJECTS, label=PlainTextObject(text=label), element=element)


def _reason_input(catalogue: Catalogue) -> Block:
    """Return the input that asks for the reason of all."""
    hint = catalogue.gettext(
        "Up to {count} characters, the same reason for all. Some rules require one.",
        count=catalogue.number(LONGEST_REASON),
    )
    return InputBlock(
        block_id=REASON,
        optional=True,
        label=PlainTextObject(text=catalogue.gettext("Reason")),
        hint=PlainTextObject(text=hint),
        element=PlainTextInputElement(action_id=REASON, multiline=True, max_length=LONGEST_REASON),
    )


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
    words, number = labels(BY_NAME[confirmation.action]), len(selected)
    where = inline(workspace, 60)
    if selected:
        title = catalogue.ngettext(*words.batch_title, number)
        each = catalogue.gettext("In {workspace}. Each is decided on its own.", workspace=where)
        question = f"*{title}* · {each}"
    else:
        title = catalogue.gettext(CHOOSE)
        question = f"*{catalogue.gettext('None of these can be decided in bulk.')}*"
    blocks: list[Block] = [section(question)]
    if confirmation.reason and selected:
        blocks.append(section(quote(confirmation.reason, 1000)))
    for item in selected:
        facts = (*item.facts, item.consequence, where, code(item.button.ref.id))
        blocks += [plain_name(item.name), context(" · ".join(facts))]
    if skipped:
        left_out = catalogue.ngettext("Left out: {count}", "Left out: {count}", len(skipped))
        blocks.append(section(f"*{left_out}*"))
    for skip in skipped:
        detail = skip.detail or catalogue.gettext(SKIP_REASONS[skip.reason])
        blocks += [plain_name(skip.name), context(f"{detail} · {code(skip.ref.id)}")]
    return _modal(
        catalogue,
        confirmation,
        blocks,
        title=title,
        submit=title if selected else "",
    )


def too_few(catalogue: Catalogue) -> str:
    """Say under the menu that nothing was selected."""
    return catalogue.gettext("Select at least one.")


def no_action(catalogue: Catalogue) -> str:
    """Say under the actions that none was chosen."""
    return catalogue.gettext("Choose an action.")


def too_many(catalogue: Catalogue, number: int) -> str:
    """Say under the menu that more were selected than one batch may have."""
    return catalogue.ngettext(
        "{count} selected; at most {limit} at once.",
        "{count} selected; at most {limit} at once.",
        number,
        limit=catalogue.number(MAX_OBJECTS),
    )


def needs_form(catalogue: Catalogue, kind: ObjectKind, root: str) -> Message:
    """Say that Slack opens no form for a mention, and what opens one.

    ``root`` is how the bot was spoken to: its command, or "@name".
    """
    button = catalogue.gettext(CHOOSE)
    if root.startswith("@"):
        return text_message(
            catalogue.gettext(
                "A mention can't open a form. Press *{button}* under a list instead.",
                button=button,
            )
        )
    return text_message(
        catalogue.gettext(
            "A mention can't open a form. Write {command}, or press *{button}* under a list.",
            command=code(f"{root} {kind} several"),
            button=button,
        )
    )


def _shared_consequence(
    catalogue: Catalogue, action: Action, objects: Sequence[Snapshot]
) -> PlainTextObject | None:
    """Say what an action leads to where that is one thing for all objects; else each says its own.

    Those that are selected are confirmed with the consequence of each.
    """
    sentences = {consequence(catalogue, action, snapshot) for snapshot in objects}
    return PlainTextObject(text=clip(sentences.pop(), NAME)) if len(sentences) == 1 else None


def _object_option(
    catalogue: Catalogue, query: BatchQuery, snapshot: Snapshot, now: datetime
) -> Option | None:
    """Return the option that selects an object; None for an id that no button can carry."""
    try:
        ref = Ref(kind=query.kind, workspace=query.workspace, id=snapshot.id)
    except ValidationError:
        return None
    when, source = _when_and_source(catalogue, snapshot, now)
    around = evidence.plain_facts(catalogue, snapshot)
    facts = " · ".join(filter(None, (*around, when, " ".join(source.split()))))
    name = clip(" ".join(snapshot.name.split()), NAME)
    value = str(ButtonValue(ref=ref, decision_fingerprint=decision_fingerprint(snapshot)))
    return Option(
        value=value if len(value) <= VALUE else str(ref),
        text=PlainTextObject(text=name or ref.id, emoji=False),
        description=PlainTextObject(text=clip(facts, NAME), emoji=False),
    )


def _when_and_source(catalogue: Catalogue, snapshot: Snapshot, now: datetime) -> tuple[str, str]:
    """Say when an object is due or was started, and of which workflow or playbook it is."""
    match snapshot:
        case Task(due_date=None):
            return catalogue.gettext("No due date"), snapshot.related_object
        case Task(due_date=datetime() as due) if due < now:
            when = catalogue.gettext("Overdue since {when}", when=_moment(catalogue, due, now))
            return when, snapshot.related_object
        case Task(due_date=due):
            when = catalogue.gettext("Due {when}", when=_moment(catalogue, due or now, now))
            return when, snapshot.related_object
        case Instance():
            start, source = snapshot.start_time, snapshot.workflow.name
        case PlaybookInstance():
            start, source = snapshot.start_time, snapshot.playbook.name
        case _:
            assert_never(snapshot)
    if start is None:
        return catalogue.gettext("Not started"), source
    return catalogue.gettext("Started {when}", when=_moment(catalogue, start, now)), source


def _moment(catalogue: Catalogue, at: datetime, now: datetime) -> str:
    """Return a time in the zone of ``now``, the reader's own: an option shows no date tokens."""
    locale, zone = catalogue.locale, now.tzinfo
    try:
        parts = [format_skeleton(skeleton, at, zone, locale=locale) for skeleton in ("MMMd", "Hm")]
    except OverflowError:  # a time that was never set, at the edge of the calendar
        return at.isoformat(" ", "minutes")
    return " ".join(parts)


def _none_text(catalogue: Catalogue, query: BatchQuery) -> str:
    """Say that a query finds nothing that can be selected."""
    filter_ = _filter_text(catalogue, query)
    return f"{catalogue.gettext(NONE[query.kind])}{filter_}"


def _filter_text(catalogue: Catalogue, query: BatchQuery) -> str:
    """Say what was searched for, after a sentence, as the list says it; "" for everything."""
    sentences = [search_text(query.text)] if query.text else []
    if query.definition_id:
        text = catalogue.gettext(DEFINITIONS[query.kind], id=code(query.definition_id))
        sentences.append(text)
    return "".join(f" {sentence}" for sentence in sentences)


def _count_text(catalogue: Catalogue, query: BatchQuery, options: BatchOptions, listed: int) -> str:
    """Say how many objects there are and, if the menu lists fewer, how to reach the others."""
    total, command = options.total, code(f"{options.root} {query.kind} several <text>")
    number = listed if total is None else max(total, listed)
    count = catalogue.ngettext(*COUNTS[query.kind], number)
    text = f"{count}{_filter_text(catalogue, query)}"
    if total is None:
        more = catalogue.gettext("There may be more: search with {command}.", command=command)
        return f"{text} {more}"
    if total <= listed:
        return text
    rest = catalogue.ngettext(
        "Only {count} is listed here: search with {command}.",
        "Only {count} are listed here: search with {command}.",
        listed,
        command=command,
    )
    return f"{text} {rest}"


def _modal(
    catalogue: Catalogue, state: Value, blocks: list[Block], title: str = "", submit: str = ""
) -> dict[str, Any]:
    """Return a modal that remembers ``state``; without ``submit`` there is only the way back.

    The confirmation lies on the selection, which Slack shows again when it is closed.
    """
    confirms = isinstance(state, BatchConfirmation)
    close = catalogue.gettext("Back") if confirms else catalogue.gettext("Cancel")
    return View(
        type="modal",
        callback_id=CONFIRMING if confirms else CHOOSING,
        title=clip(title or catalogue.gettext(CHOOSE), 24),
        submit=clip(submit, 24) or None,
        close=clip(close, 24),
        private_metadata=state.model_dump_json(),
        blocks=blocks,
    ).to_dict()
