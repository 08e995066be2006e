"""Messages and their blocks, within Slack's limits.

https://docs.slack.dev/reference/block-kit/blocks has the limits; slack_sdk's models check them
again before anything is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    InputBlock,
    InteractiveElement,
    MarkdownTextObject,
    Option,
    OverflowMenuElement,
    PlainTextInputElement,
    PlainTextObject,
    SectionBlock,
)

from bot.domain.actions import MAX_REASON, Action
from bot.domain.cards import ButtonValue, DecidedTask
from bot.domain.failures import failure_of
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.domain.stages import Stages, stage_at, total
from bot.domain.tracking import Assignment
from bot.messages import next_step
from bot.messages.catalogue import N_, Catalogue
from bot.messages.labels import labels
from bot.messages.stages import plain_stage_roles, turn_sentence
from bot.messages.text import clip, clip_markup, error_line, inline
from bot.secmaster import PlaybookInstance

MESSAGE_TEXT = 3900
SECTION_TEXT = 3000
CONTEXT_TEXT = 2000
FIELD_TEXT = 2000
BUTTON_TEXT = 75  # of a button and of its label for screen readers
OPTION_TEXT = 75
# Where a reason goes that is not sent to SecMaster.
REASON_HINT = N_("Up to {count} characters. Shown in the thread, and kept in the audit.")
# What is retried of a playbook where nobody knows which of its workflow runs that includes.
RUNS_UNREAD = N_(
    "Its workflow runs can't be read, so a retry of one of them is not held back meanwhile."
)
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
CONFIRM_NAME = 50  # characters of a confirmation that are left to the object's name


@dataclass(frozen=True, slots=True)
class Viewer:
    """The one person who reads a private card, by what the buttons on it depend on.

    ``has_approved`` are the names of the actions that they have approved and that wait for others,
    ``may_override`` those whose request they may decide alone. Without ``reads_runs`` the run that
    waits for a task is not named to them. Until ``snoozed_until`` they have snoozed the object for
    themselves; a shared card, which everybody sees, does not say so.
    """

    has_approved: frozenset[str] = frozenset()
    may_override: frozenset[str] = frozenset()
    reads_runs: bool = True
    snoozed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many approvals an action has, and how many it needs by its ``stages``.

    ``turn`` is the number of the stage, from 0, that lacks approvals, and ``missing`` how many.
    ``approvers`` are the ids of the people (U…) and user groups (S…) who may give them; empty where
    the policy does not tell.
    """

    count: int
    stages: Stages
    turn: int = 0
    missing: int = 0
    approvers: tuple[str, ...] = ()

    @property
    def needed(self) -> int:
        """How many approvals are needed, of all stages."""
        return total(self.stages)


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What rendering an object needs besides its snapshot: its reader's language among it.

    ``workspace`` is the workspace's name for people. ``stale`` means that SecMaster can't be read
    now and the snapshot is the last one that was. ``mentions`` are the users (U…) and user groups
    (S…) that the card called when it was posted. ``viewer`` is who reads a card that nobody else
    sees, None for a card that is shared. ``assignment`` is the claim of the object that holds now,
    ``escalates_to`` the route that it can be escalated to, "" for none. ``tallies`` are those of
    the actions that need several approvals, by name. ``names`` are the names of files and runs that
    the bot knows and SecMaster does not give with the object, by SecMaster's id. Without
    ``names_runs`` some of those who see a shared card may not read the run that waits. ``decision``
    is the one that let a run continue, and ``links`` are the addresses of the cards of other
    objects, by reference.
    """

    ref: Ref
    now: datetime
    catalogue: Catalogue
    workspace: str = ""
    console_url: str = ""
    stale: bool = False
    mentions: tuple[str, ...] = ()
    snoozed_until: datetime | None = None
    snoozed_by: str = ""
    assignment: Assignment | None = None
    escalates_to: str = ""
    viewer: Viewer | None = None
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    decision: DecidedTask | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    names_runs: bool = True

    @property
    def may_name_runs(self) -> bool:
        """Whether all who read what is rendered may read the run that waits for its task."""
        return self.names_runs and (self.viewer is None or self.viewer.reads_runs)


@dataclass(frozen=True, slots=True)
class Message:
    """A Slack message: ``text`` is for notifications and screen readers, ``blocks`` for the eye."""

    text: str
    blocks: tuple[Block, ...] = ()

    @property
    def payload(self) -> dict[str, Any]:
        """The arguments of chat.postMessage and chat.update, or the body for a response_url."""
        text = clip_markup(self.text, MESSAGE_TEXT)
        if not self.blocks:
            return {"text": text}
        return {"text": text, "blocks": [block.to_dict() for block in self.blocks]}


def new_message(text: str, *blocks: Block) -> Message:
    """Return a message with this notification text and these blocks."""
    return Message(text, blocks)


def text_message(text: str) -> Message:
    """Return a message whose only block shows its text."""
    return Message(text, (section(text),))


def header(text: str) -> Block:
    """Return a header block, at most 150 characters."""
    # Plain text: nothing in a name is a mention, a link or markup here.
    return HeaderBlock(text=PlainTextObject(text=clip(text, 150).strip() or "—", emoji=False))


def plain_name(name: str, accessory: InteractiveElement | None = None) -> Block:
    """Return a section with a name on one line, as plain text: nothing in it is markup."""
    text = clip(" ".join(name.split()), 150)
    return SectionBlock(text=PlainTextObject(text=text or "—", emoji=False), accessory=accessory)


def plain_text(text: str, limit: int) -> Block:
    """Return a section with somebody's paragraphs as plain text.

    With markup in them they could pose as the bot's own words.
    """
    return SectionBlock(text=PlainTextObject(text=clip(text, limit) or "—", emoji=False))


def section(text: str, accessory: InteractiveElement | None = None) -> Block:
    """Return a section with markup; what SecMaster or people wrote must be escaped in it."""
    return SectionBlock(text=_mrkdwn(text, SECTION_TEXT), accessory=accessory)


def fields(pairs: Sequence[tuple[str, str]]) -> Block:
    """Return a section with up to ten pairs of label and value, two in a row."""
    return SectionBlock(
        fields=[_mrkdwn(f"*{label}*\n{value}", FIELD_TEXT) for label, value in pairs[:10]]
    )


def context(*texts: str) -> Block:
    """Return a block of small print: up to ten texts, empty ones left out."""
    return ContextBlock(elements=[_mrkdwn(text, CONTEXT_TEXT) for text in texts[:10] if text])


def actions(elements: Sequence[InteractiveElement]) -> Block:
    """Return a row of buttons and menus, up to 25."""
    return ActionsBlock(elements=list(elements)[:25])


def action_button(
    action: Action, render_context: RenderContext, snapshot: Snapshot
) -> ButtonElement:
    """Return the button of an action on an object; one that opens no form confirms first."""
    value = ButtonValue(ref=render_context.ref, decision_fingerprint=decision_fingerprint(snapshot))
    label = render_context.catalogue.gettext(labels(action).button)
    return ButtonElement(
        text=clip(label, BUTTON_TEXT),
        accessibility_label=named_label(label, snapshot.name),
        action_id=action.name,
        value=str(value),
        style=action.style or None,
        confirm=None if action.opens_form else confirm(action, render_context, snapshot),
    )


def confirm(action: Action, render_context: RenderContext, snapshot: Snapshot) -> ConfirmObject:
    """Return the confirmation dialog of an action's button.

    The bot's own words come first: an object's name could pretend to be more of them.
    """
    catalogue, words = render_context.catalogue, labels(action)
    place = catalogue.gettext(
        "Workspace {workspace}, ID …{end}.",
        workspace=clip(render_context.workspace, 40),
        end=render_context.ref.id[-8:],
    )
    tally = render_context.tallies.get(action.name)
    lines = [*consequences(catalogue, action, snapshot, tally, plain=True), place]
    if action.is_retry and (failure := failure_of(snapshot)):
        sentence = catalogue.gettext(
            "Failed at {node}: {error}",
            node=clip(failure.name, 30),
            error=clip(" ".join(error_line(failure.error).split()), 70),
        )
        lines.append(sentence)
    head = _first_that_fit(lines, CONFIRM_TEXT - CONFIRM_NAME)
    name = clip(" ".join(snapshot.name.split()), CONFIRM_TEXT - len(head) - len("\n“”"))
    return ConfirmObject(
        title=clip(catalogue.gettext(words.confirm), CONFIRM_TITLE),
        text=PlainTextObject(text=f"{head}\n“{name}”", emoji=False),
        confirm=clip(catalogue.gettext(words.button), CONFIRM_BUTTON),
        deny=clip(catalogue.pgettext("button", "Cancel"), CONFIRM_BUTTON),
        style=action.style if action.style == "danger" else None,
    )


def consequences(
    catalogue: Catalogue,
    action: Action,
    snapshot: Snapshot,
    tally: Tally | None,
    *,
    plain: bool = False,
) -> list[str]:
    """Say before an action what it leads to, whether others must follow, and what it is about.

    It is markup, unless it is to be ``plain`` text. ``tally`` is None where one person is enough.
    """
    sentences = [
        next_step.outcome(catalogue, action, snapshot, plain=plain),
        first_of_several(catalogue, tally),
    ]
    if action.is_retry and isinstance(snapshot, PlaybookInstance) and snapshot.actions is None:
        sentences.append(catalogue.gettext(RUNS_UNREAD))
    if action.has_effect:
        sentences += next_step.decision_facts(catalogue, snapshot, plain=plain)
    return [sentence for sentence in sentences if sentence]


def _first_that_fit(lines: Sequence[str], limit: int) -> str:
    """Return the lines that fit, each as a whole, but that the last one may be cut."""
    whole: list[str] = []
    for line in lines:
        room = limit - sum(len(text) + 1 for text in whole)
        if len(line) <= room:
            whole.append(line)
        elif line is lines[-1] and room >= CONFIRM_NAME:
            whole.append(clip(line, room))
    return "\n".join(whole)


def first_of_several(catalogue: Catalogue, tally: Tally | None) -> str:
    """Say before an approval that others must follow it; "" where none has to."""
    if tally is None:
        return ""
    sentences = []
    if tally.count + 1 < tally.needed:
        place = catalogue.gettext(
            "You will be {place} of {needed}. Nothing is sent until {needed} people have approved.",
            place=catalogue.number(tally.count + 1),
            needed=catalogue.number(tally.needed),
        )
        sentences.append(place)
    if len(tally.stages) > 1 and tally.missing:
        roles = plain_stage_roles(catalogue, stage_at(tally.stages, tally.turn))
        sentences.append(turn_sentence(catalogue, roles, tally.missing))
    return " ".join(sentences)


def named_label(label: str, name: str) -> str:
    """Return a button's label for screen readers, which names the object that it acts on."""
    text = " ".join(name.split())
    return clip(f"{label}: {text}" if text else label, BUTTON_TEXT)


def reason_input(
    catalogue: Catalogue, name: str, hint: str, *, required: bool, filled: str = ""
) -> Block:
    """Return the input of a reason by its ``name``; ``hint`` says where it goes."""
    limit = catalogue.number(MAX_REASON)
    return InputBlock(
        block_id=name,
        optional=not required,
        label=PlainTextObject(text=catalogue.gettext("Reason")),
        hint=PlainTextObject(text=catalogue.gettext(hint, count=limit)),
        element=PlainTextInputElement(
            action_id=name, multiline=True, max_length=MAX_REASON, initial_value=filled or None
        ),
    )


def overflow_menu(options: Sequence[tuple[str, str]]) -> OverflowMenuElement:
    """Return the menu of what is seldom needed; each option is (action id | value, label)."""
    return OverflowMenuElement(
        action_id="more",
        options=[Option(value=value, label=clip(label, OPTION_TEXT)) for value, label in options],
    )


def link(url: str, label: str) -> str:
    """Return markup that links to a web address; "" for any other."""
    return f"<{url}|{inline(label)}>" if url.startswith(("https://", "http://")) else ""


def _mrkdwn(text: str, limit: int) -> MarkdownTextObject:
    # Verbatim, or Slack would make links of addresses and channels of names in data.
    return MarkdownTextObject(text=clip_markup(text, limit) if text.strip() else "—", verbatim=True)
