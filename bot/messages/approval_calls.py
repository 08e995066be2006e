"""Render calls for the next approval, and reminders: in a card's thread or a direct message."""

from collections.abc import Sequence

from slack_sdk.models.blocks import ButtonElement

from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalRequest, CallPreference
from bot.domain.snapshots import Snapshot
from bot.messages.approvals import silence_warning, tally
from bot.messages.blocks import (
    Message,
    RenderContext,
    action_button,
    actions,
    link,
    new_message,
    section,
    text_message,
)
from bot.messages.catalogue import N_, Catalogue, Sentence
from bot.messages.stages import turn_sentences
from bot.messages.text import (
    ago_token,
    date_token,
    inline,
    mention_all,
    mention_user,
    quote,
)

HELP = N_("how you are notified of approval requests: `dm`, `rule` (as each rule says), or `off`")
CALLS = {
    CallPreference.AS_RULED: N_("You are notified of approval requests as each rule says."),
    CallPreference.DIRECT: N_("You are notified of approval requests in a direct message."),
    CallPreference.OFF: N_("You are not notified of approval requests. Home still shows them."),
}
REASON = 150  # characters of each approver's reason: nine of them fit a section


def in_thread(
    render_context: RenderContext,
    snapshot: Snapshot,
    request: ApprovalRequest,
    *,
    reminds: bool = False,
) -> Message:
    """Call the people and user groups that the context mentions, in the thread of the card.

    Whoever approved is not named, as that would call them too: the thread has said it.
    """
    head = _head(render_context, snapshot, request, reminds=reminds)
    lines = [
        f"{mention_all(render_context.mentions)}{head}",
        tally(render_context.catalogue, request),
        *turn_sentences(render_context.catalogue, request),
    ]
    lines += _warning_lines(render_context, snapshot, request)
    return text_message("\n".join(lines))


def direct(
    render_context: RenderContext,
    snapshot: Snapshot,
    request: ApprovalRequest,
    permalink: str,
    *,
    reminds: bool = False,
) -> Message:
    """Call a person in a direct message, with the action's button and a link to its card."""
    catalogue, action = render_context.catalogue, BY_NAME[request.action]
    head = _head(render_context, snapshot, request, reminds=reminds)
    lines = [head, *_warning_lines(render_context, snapshot, request)]
    lines += [tally(catalogue, request), *turn_sentences(catalogue, request)]
    lines += approver_lines(catalogue, request)
    card = link(permalink, catalogue.gettext("Open the card"))
    details = ButtonElement(
        text=catalogue.pgettext("button", "Details"),
        action_id="details",
        value=str(render_context.ref),
    )
    buttons = [action_button(action, render_context, snapshot), details]
    text = "\n".join(lines)
    sections = [section(part) for part in (text, card) if part]
    return new_message(text, *sections, actions(buttons))


def unknown_choice(word: str) -> Sentence:
    """Say that a word names no way to be called for approvals."""
    return Sentence(N_("I don't know “{word}”: write “dm”, “rule”, or “off”."), {"word": word[:60]})


def calls_chosen(catalogue: Catalogue, calls: CallPreference) -> Message:
    """Say how a person is called for approvals."""
    return text_message(f"🔔 {catalogue.gettext(CALLS[calls])}")


def approver_lines(catalogue: Catalogue, request: ApprovalRequest) -> list[str]:
    """Name everybody who approved, on whose behalf, when and why, a line or two each."""
    lines = []
    for approval in request.approvals:
        actor, when = mention_user(approval.actor.id), date_token(approval.at)
        text = f"{actor}, {when}"
        if approval.delegator:
            delegator = mention_user(approval.delegator)
            text = catalogue.gettext(
                "{actor} on behalf of {delegator}, {when}",
                actor=actor,
                delegator=delegator,
                when=when,
            )
        lines.append(f"✅ {text}")
        lines += [quote(approval.reason, REASON)] if approval.reason else []
    return lines


def deadline_text(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest
) -> str:
    """Say when a request ends: when it expires, or when its task is due where that is earlier."""
    at, _due_handle = request.deadline(snapshot, render_context.now)
    return render_context.catalogue.gettext(
        "Expires {when} ({ago}).", when=date_token(at), ago=ago_token(at)
    )


def warning_text(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest
) -> str:
    """Say what SecMaster does at the due date against what is asked for; "" where nothing."""
    at, due_handle = request.deadline(snapshot, render_context.now)
    return silence_warning(render_context.catalogue, BY_NAME[request.action], at, due_handle)


def _warning_lines(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest
) -> Sequence[str]:
    warning = warning_text(render_context, snapshot, request)
    return [f"*{warning}*"] if warning else []


def _head(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest, *, reminds: bool
) -> str:
    """Say how many approvals are missing for which object, and until when."""
    catalogue, name, missing = render_context.catalogue, inline(snapshot.name), request.missing
    if reminds:
        text = catalogue.ngettext(
            "{count} approval is still missing for *{name}*.",
            "{count} approvals are still missing for *{name}*.",
            missing,
            name=name,
        )
    else:
        text = catalogue.ngettext(
            "{count} more approval needed for *{name}*.",
            "{count} more approvals needed for *{name}*.",
            missing,
            name=name,
        )
    sign = "⏰" if reminds else "🗳️"
    return f"{sign} {text} {deadline_text(render_context, snapshot, request)}"
