"""Say that somebody escalated a task or a run at once, and the form that asks why."""

from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import Block, ButtonElement
from slack_sdk.models.views import View

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
from bot.messages.text import bold, clip, inline, mention_user, quote

ESCALATE = "escalate"  # the action id of the button, and the callback id of its form
REASON = "reason"  # its input


def offer(catalogue: Catalogue, ref: Ref, target: str) -> Block:
    """Return the line of a form that offers to escalate its object to a route at once."""
    text = catalogue.gettext(
        "Can't it wait? Escalate it to {route} now: the people there are called at once.",
        route=bold(target, 60),
    )
    label = catalogue.pgettext("button", "Escalate now…")
    return section(text, ButtonElement(text=label, action_id=ESCALATE, value=str(ref)))


def form(catalogue: Catalogue, metadata: str, name: str, targets: Sequence[str]) -> dict[str, Any]:
    """Return the form that asks why an object is escalated to these routes.

    ``metadata`` is what it remembers.
    """
    effect = catalogue.gettext(
        "Escalates to {routes} at once, during quiet hours too. The people there are called.",
        routes=catalogue.all_of([bold(target, 60) for target in targets]),
    )
    reason = reason_input(catalogue, REASON, REASON_HINT, required=False)
    return View(
        type="modal",
        callback_id=ESCALATE,
        title=clip(catalogue.gettext("Escalate now"), 24),
        submit=clip(catalogue.pgettext("button", "Escalate"), 24),
        close=clip(catalogue.pgettext("button", "Cancel"), 24),
        private_metadata=metadata,
        blocks=[plain_name(name), section(effect), reason],
    ).to_dict()


def escalated(catalogue: Catalogue, user: str, targets: Sequence[str], reason: str) -> Message:
    """Tell a thread who escalated its object to these routes, and why."""
    text = catalogue.gettext(
        "{user} escalated this to {routes}.",
        user=mention_user(user),
        routes=catalogue.all_of([bold(target, 60) for target in targets]),
    )
    return text_message(f"⬆️ {text}" + (f"\n{quote(reason, 600)}" if reason else ""))


def escalated_by_you(catalogue: Catalogue, name: str, targets: Sequence[str]) -> Message:
    """Tell whoever escalated an object that it is on its way."""
    text = catalogue.gettext(
        "Escalated *{name}* to {routes}.",
        name=inline(name),
        routes=catalogue.all_of([bold(target, 60) for target in targets]),
    )
    return text_message(f"⬆️ {text}")


def already_escalated(catalogue: Catalogue, name: str) -> Message:
    """Say that an object has been escalated to where its routes lead."""
    text = catalogue.gettext(
        "*{name}* was already escalated. Nothing was changed.", name=inline(name)
    )
    return text_message(text)


def not_escalated_anywhere(catalogue: Catalogue, name: str) -> Message:
    """Say that the routes of an object escalate to nobody."""
    text = catalogue.gettext(
        "*{name}* can't be escalated: no route that it matches has `escalate`.", name=inline(name)
    )
    return text_message(f"🚫 {text}")


def not_open(catalogue: Catalogue) -> Message:
    """Say that an object waits for nobody, or is not watched, so that it can't be escalated."""
    text = catalogue.gettext("Nothing to escalate: it is not open any more, or not watched.")
    return text_message(text)
