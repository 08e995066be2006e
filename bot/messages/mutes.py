"""Say which workflows are muted, by whom, until when and why; and the form that asks for it."""

from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ButtonElement,
    InputBlock,
    PlainTextInputElement,
    PlainTextObject,
)
from slack_sdk.models.views import View

from bot.domain.mutes import LONGEST, Mute
from bot.domain.objects import Ref
from bot.messages.blocks import (
    REASON_HINT,
    Message,
    plain_name,
    reason_input,
    section,
    text_message,
)
from bot.messages.catalogue import Catalogue
from bot.messages.text import bold, clip, date_token, inline, mention_user, quote

MUTE = "mute"  # the action id of the button, and the callback id of its form
LENGTH, REASON = "length", "reason"  # its inputs
NAME = 60  # characters of a workflow's name
SHORT = 120  # characters of a reason in a line


def offer(catalogue: Catalogue, ref: Ref, name: str) -> Block:
    """Return the line of a form that offers to mute the workflow of its object."""
    text = catalogue.gettext("Does {workflow} fail again and again?", workflow=bold(name, NAME))
    label = catalogue.pgettext("button", "Mute the workflow…")
    return section(text, ButtonElement(text=label, action_id=MUTE, value=str(ref)))


def form(catalogue: Catalogue, metadata: str, name: str) -> dict[str, Any]:
    """Return the form that asks how long a workflow is muted, and why.

    ``metadata`` is what it remembers.
    """
    effect = catalogue.gettext(
        "Its failures and tasks get no cards and call nobody until then. Tasks that auto-approve "
        "are never muted. What is still open when the mute ends gets its card then."
    )
    length = InputBlock(
        block_id=LENGTH,
        label=PlainTextObject(text=catalogue.gettext("For how long, or until when")),
        hint=PlainTextObject(
            text=catalogue.gettext(
                "Such as 45m, 2h30m, or 9:00; at most {longest}.",
                longest=catalogue.duration(LONGEST),
            )
        ),
        element=PlainTextInputElement(action_id=LENGTH, max_length=40, initial_value="2h"),
    )
    reason = reason_input(catalogue, REASON, REASON_HINT, required=True)
    return View(
        type="modal",
        callback_id=MUTE,
        title=clip(catalogue.gettext("Mute a workflow"), 24),
        submit=clip(catalogue.pgettext("button", "Mute"), 24),
        close=clip(catalogue.pgettext("button", "Cancel"), 24),
        private_metadata=metadata,
        blocks=[plain_name(name), section(effect), length, reason],
    ).to_dict()


def muted(catalogue: Catalogue, mute: Mute) -> Message:
    """Tell a thread who muted the workflow of its object, until when, and why."""
    text = catalogue.gettext(
        "{user} muted {workflow} until {until}: no cards and no calls until then, except for tasks "
        "that auto-approve.",
        user=mention_user(mute.actor_id),
        workflow=bold(mute.name, NAME),
        until=date_token(mute.until),
    )
    return text_message(f"🔇 {text}\n{quote(mute.reason, 600)}")


def unmuted(catalogue: Catalogue, user: str, name: str) -> Message:
    """Tell a thread who ended the mute of the workflow of its object."""
    text = catalogue.gettext(
        "{user} unmuted {workflow}.", user=mention_user(user), workflow=bold(name, NAME)
    )
    return text_message(f"🔊 {text}")


def muted_by_you(catalogue: Catalogue, mute: Mute) -> Message:
    """Tell whoever muted a workflow until when it is."""
    text = catalogue.gettext(
        "Muted {workflow} until {until}. Tasks that auto-approve still get their cards. What is "
        "still open then gets its card then. Undo: `unmute`",
        workflow=bold(mute.name, NAME),
        until=date_token(mute.until),
    )
    return text_message(f"🔇 {text}")


def unmuted_by_you(catalogue: Catalogue, name: str) -> Message:
    """Tell whoever ended a mute that what it held back comes now."""
    text = catalogue.gettext(
        "Unmuted {workflow}: what is still open gets its card now.", workflow=bold(name, NAME)
    )
    return text_message(f"🔊 {text}")


def not_muted(catalogue: Catalogue, name: str) -> Message:
    """Say that a workflow is not muted."""
    return text_message(catalogue.gettext("{workflow} is not muted.", workflow=bold(name, NAME)))


def no_workflow(catalogue: Catalogue, name: str) -> Message:
    """Say that no open task or run belongs to a workflow of that name, so nothing is muted."""
    text = catalogue.gettext(
        "No open task or failed run belongs to a workflow called {workflow}. Nothing was muted.",
        workflow=bold(name, NAME),
    )
    return text_message(f"🚫 {text}")


def too_long(catalogue: Catalogue) -> Message:
    """Say for how long a workflow can be muted at most."""
    text = catalogue.gettext(
        "A workflow can be muted for {longest} at most. Nothing was muted.",
        longest=catalogue.duration(LONGEST),
    )
    return text_message(f"🚫 {text}")


def lines(catalogue: Catalogue, mutes: Sequence[Mute]) -> list[str]:
    """Say which workflows are muted, a line each, and how much arrived meanwhile.

    It names people without mentioning them: a summary must wake nobody up.
    """
    texts = []
    for mute in mutes:
        text = catalogue.ngettext(
            "{workflow}: {count} arrival was muted by {person} until {until}.",
            "{workflow}: {count} arrivals were muted by {person} until {until}.",
            mute.held,
            workflow=bold(mute.name, NAME),
            person=inline(mute.actor_name or mute.actor_id, NAME),
            until=date_token(mute.until),
        )
        texts.append(f"🔇 {text} “{inline(mute.reason, SHORT)}”")
    return texts
