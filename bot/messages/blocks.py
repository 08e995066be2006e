"""Messages and their blocks, within Slack's limits.

https://docs.slack.dev/reference/block-kit/blocks has the limits; slack_sdk's models check them
again before anything is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    InteractiveElement,
    MarkdownTextObject,
    Option,
    OverflowMenuElement,
    PlainTextObject,
    SectionBlock,
)

from bot.domain.actions import Action
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.messages.labels import consequence, labels
from bot.messages.text import ELLIPSIS, clip, inline
from bot.secmaster import Instance

MESSAGE_TEXT = 3900
SECTION_TEXT = 3000
CONTEXT_TEXT = 2000
FIELD_TEXT = 2000


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What a card needs to be drawn beyond the object: which one, when, and where.

    ``unread`` is when SecMaster can't be asked, and the object is as it was read last.
    ``mention`` are those whom the card called; ``snoozed_by`` wants to be left alone by it
    ``snoozed_until`` then.
    """

    ref: Ref
    now: datetime
    workspace: str = ""
    console_url: str = ""
    stale: bool = False
    mentions: tuple[str, ...] = ()
    snoozed_until: datetime | None = None
    snoozed_by: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: ``text`` is what a notification and a screen reader have."""

    text: str
    blocks: tuple[Block, ...] = ()

    @property
    def payload(self) -> dict[str, Any]:
        """What chat.postMessage, chat.update and a response_url take."""
        text = (
            self.text
            if len(self.text) <= MESSAGE_TEXT
            else self.text[: MESSAGE_TEXT - 1] + ELLIPSIS
        )
        if not self.blocks:
            return {"text": text}
        return {"text": text, "blocks": [block.to_dict() for block in self.blocks]}


def new_message(text: str, *blocks: Block) -> Message:
    return Message(text, blocks)


def header(text: str) -> Block:
    # Plain text: nothing in a name is a mention, a link or markup here.
    return HeaderBlock(text=PlainTextObject(text=clip(text, 150).strip() or "—", emoji=False))


def plain_name(name: str, accessory: InteractiveElement | None = None) -> Block:
    """A name as it is: nothing in plain text is markup."""
    text = clip(" ".join(name.split()), 150)
    return SectionBlock(text=PlainTextObject(text=text or "—", emoji=False), accessory=accessory)


def plain_text(text: str, limit: int) -> Block:
    """Paragraphs of somebody's as they are: with markup in them they could pose as ours."""
    return SectionBlock(text=PlainTextObject(text=clip(text, limit) or "—", emoji=False))


def section(text: str, accessory: InteractiveElement | None = None) -> Block:
    return SectionBlock(
        text=_mrkdwn(text, SECTION_TEXT),
        accessory=accessory,
    )


def fields(pairs: Sequence[tuple[str, str]]) -> Block:
    """Up to ten labelled facts, two in a row."""
    return SectionBlock(
        fields=[_mrkdwn(f"*{label}*\n{value}", FIELD_TEXT) for label, value in pairs[:10]]
    )


def context(*texts: str) -> Block:
    return ContextBlock(elements=[_mrkdwn(text, CONTEXT_TEXT) for text in texts[:10] if text])


def actions(elements: Sequence[InteractiveElement]) -> Block:
    return ActionsBlock(elements=list(elements)[:25])


def action_button(action: Action, frame: RenderContext, about: Snapshot) -> ButtonElement:
    """The button of an action; one that asks nothing further confirms first."""
    return ButtonElement(
        text=labels(action).button,
        action_id=action.name,
        value=str(ButtonValue(ref=frame.ref, decision_fingerprint=decision_fingerprint(about))),
        style=action.style or None,
        confirm=None if action.opens_form else confirm(action, frame, about),
    )


def confirm(action: Action, frame: RenderContext, about: Snapshot) -> ConfirmObject:
    """The question before. Our own words come first: a name could pretend to be more of them."""
    name = " ".join(about.name.split())
    facts = (
        f"{consequence(action, about)}\nWorkspace {clip(frame.workspace, 40)}, {frame.ref.id[-8:]}:"
    )
    failed = _failure(about) if action.is_retry else ""
    said = labels(action)
    return ConfirmObject(
        title=f"{said.button} this {action.kind}?",
        text=PlainTextObject(
            text=f"{facts}{failed}\n“{clip(name, 160 - len(failed))}”", emoji=False
        ),
        confirm=said.button,
        deny="Back",
        style=action.style if action.style == "danger" else None,
    )


def _failure(about: Snapshot) -> str:
    """What failed, for whoever is about to try it again."""
    node = about.failed_node if isinstance(about, Instance) else None
    if node is None:
        return ""
    return f"\nFailed at {clip(node.action_name, 30)}: {clip(' '.join(node.error_msg.split()), 70)}"


def overflow_menu(options: Sequence[tuple[str, str]], ref: Ref) -> OverflowMenuElement:
    """The menu of what is seldom needed: (action id, label)."""
    return OverflowMenuElement(
        action_id="more",
        options=[Option(value=f"{name}|{ref}", label=label) for name, label in options],
    )


def link(url: str, label: str) -> str:
    return f"<{url}|{inline(label)}>" if url.startswith(("https://", "http://")) else ""


def _mrkdwn(text: str, limit: int) -> MarkdownTextObject:
    # Verbatim, or Slack would make links of addresses and channels of names in data.
    return MarkdownTextObject(text=_cut(text, limit) if text.strip() else "—", verbatim=True)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + ELLIPSIS
