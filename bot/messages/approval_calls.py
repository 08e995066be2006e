"""Render calls for the next approval, and reminders: in a card's thread or a direct message."""

from collections.abc import Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import ButtonElement

from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalRequest, CallPreference
from bot.domain.objects import ByKind, ObjectKind
from bot.domain.snapshots import Snapshot
from bot.messages import evidence
from bot.messages.approvals import silence_warning, tally
from bot.messages.blocks import (
    Message,
    RenderContext,
    action_button,
    actions,
    link,
    named_label,
    new_message,
    section,
    text_message,
)
from bot.messages.catalogue import N_, NN_, Catalogue, Sentence
from bot.messages.stages import turn_sentences
from bot.messages.text import (
    ago_token,
    code,
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
NEEDS_APPROVAL = ByKind(
    task=NN_("{count} task needs another approval.", "{count} tasks need another approval."),
    instance=NN_("{count} run needs another approval.", "{count} runs need another approval."),
    playbook=NN_(
        "{count} playbook run needs another approval.",
        "{count} playbook runs need another approval.",
    ),
)
REASON = 150  # characters of each approver's reason: nine of them fit a section
MOST_LISTED = 20  # objects of one batch
MOST_NAMED = 5  # objects in a sentence


@dataclass(frozen=True, slots=True)
class CalledObject:
    """An object that somebody is called for alone, its request, and a link to its card, or ""."""

    render_context: RenderContext
    snapshot: Snapshot
    request: ApprovalRequest
    permalink: str = ""


def in_thread(
    render_context: RenderContext,
    snapshot: Snapshot,
    request: ApprovalRequest,
    *,
    reminds: bool = False,
    warns: bool = True,
) -> Message:
    """Call the people and user groups that the context mentions, in the thread of the card.

    Whoever approved is not named, as that would call them too: the thread has said it. It ``warns``
    of what SecMaster does at the due date, unless the thread has said that too.
    """
    head = _head(render_context, snapshot, request, reminds=reminds)
    lines = [
        f"{mention_all(render_context.mentions)}{head}",
        tally(render_context.catalogue, request),
        *turn_sentences(render_context.catalogue, request),
    ]
    if warns:
        lines += _warning_lines(render_context, snapshot, request)
    return text_message("\n".join(lines))


def batch_in_thread(
    render_context: RenderContext,
    requests: Sequence[tuple[Snapshot, ApprovalRequest]],
    *,
    reminds: bool = False,
) -> Message:
    """Call the people and user groups that the context mentions once for all of a batch."""
    catalogue, kind = render_context.catalogue, render_context.ref.kind
    head = _batch_head(catalogue, kind, len(requests), reminds=reminds)
    lines = [f"{mention_all(render_context.mentions)}{head}"]
    for snapshot, request in requests[:MOST_LISTED]:
        lines.append(f"• {_batch_line(render_context, snapshot, request)}")
    return text_message("\n".join(lines))


def direct(called: CalledObject, *, reminds: bool = False) -> Message:
    """Call a person in a direct message, with the action's button and a link to its card."""
    render_context, snapshot, request = called.render_context, called.snapshot, called.request
    catalogue = render_context.catalogue
    head = _head(render_context, snapshot, request, reminds=reminds)
    lines = [head, *_warning_lines(render_context, snapshot, request)]
    lines += [tally(catalogue, request), *turn_sentences(catalogue, request)]
    lines += approver_lines(catalogue, request)
    card = link(called.permalink, catalogue.gettext("Open the card"))
    text = "\n".join(lines)
    sections = [section(part) for part in (text, card) if part]
    return new_message(text, *sections, actions(_call_buttons(called)))


def batch_direct(called: Sequence[CalledObject], *, reminds: bool = False) -> Message:
    """Call a person once for all of a batch, each object with its button and a link to its card."""
    first = called[0].render_context
    head = _batch_head(first.catalogue, first.ref.kind, len(called), reminds=reminds)
    lines, blocks = [head], [section(head)]
    for each in called[:MOST_LISTED]:
        line = _batch_line(each.render_context, each.snapshot, each.request)
        card = link(each.permalink, first.catalogue.gettext("Open the card"))
        lines.append(f"• {line}")
        blocks += [section(f"{line} {card}".rstrip()), actions(_call_buttons(each))]
    approvers = approver_lines(first.catalogue, called[0].request)
    return new_message("\n".join([*lines, *approvers]), *blocks, section("\n".join(approvers)))


def _call_buttons(called: CalledObject) -> list[ButtonElement]:
    """Return the buttons of a call: the action's, and that of the Details."""
    catalogue, action = called.render_context.catalogue, BY_NAME[called.request.action]
    label = catalogue.pgettext("button", "Details")
    details = ButtonElement(
        text=label,
        accessibility_label=named_label(label, called.snapshot.name or called.snapshot.id),
        action_id="details",
        value=str(called.render_context.ref),
    )
    return [action_button(action, called.render_context, called.snapshot), details]


@dataclass(frozen=True, slots=True)
class Shortage:
    """A request that fewer people can approve now than its stage lacks, as the policy is.

    ``possible`` is how many others can. ``roles`` are those whose people may approve, ``override``
    those whose people may decide alone.
    """

    possible: int
    roles: Sequence[str]
    override: Sequence[str] = ()


def too_few_approvers(
    called: CalledObject, shortage: Shortage, names: Sequence[str], *, notified: bool = False
) -> Message:
    """Say that too few people can approve now, and what can be done about it; mentions nobody.

    ``names`` are those of all objects for which that is so, as far as its reader may read them;
    ``called`` is the first. ``notified``: so are the admins.
    """
    catalogue = called.render_context.catalogue
    quoted_names = [f"*{inline(name)}*" for name in names]
    title = catalogue.all_of(quoted_names, MOST_NAMED) or code(called.render_context.ref.id)
    if shortage.possible:
        head = catalogue.ngettext(
            "Only {count} other person can give an approval for {object} now, which is too few.",
            "Only {count} other people can give an approval for {object} now, which is too few.",
            shortage.possible,
            object=title,
        )
    else:
        head = catalogue.gettext("Nobody else can give an approval for {object} now.", object=title)
    deadline = deadline_text(called.render_context, called.snapshot, called.request)
    tally_text = tally(catalogue, called.request)
    turn = turn_sentences(catalogue, called.request)
    lines = [f"🚧 {head} {deadline}", tally_text, *turn, *_shortage_advice(catalogue, shortage)]
    lines += _warning_lines(called.render_context, called.snapshot, called.request)
    if notified:
        lines.append(catalogue.gettext("The admins of this bot were notified."))
    lines.append(link(called.permalink, catalogue.gettext("Open the card")))
    return text_message("\n".join(filter(None, lines)))


def _shortage_advice(catalogue: Catalogue, shortage: Shortage) -> list[str]:
    """Say what gives a request the approvals that nobody can give it now, a line each."""
    roles = catalogue.one_of([f"*{inline(role, 60)}*" for role in shortage.roles])
    override = catalogue.one_of([f"*{inline(role, 60)}*" for role in shortage.override])
    sentences = [
        catalogue.gettext(
            "Add somebody to {roles}, in the Slack user group or in the policy.", roles=roles
        ),
        catalogue.gettext(
            "Or have somebody of {roles} who has not approved delegate to another person: "
            "{command}. A delegate of whoever approved does not count as a second approver.",
            roles=roles,
            command=code("delegate @person 4h"),
        ),
        catalogue.gettext("Or decide in the SecMaster console."),
    ]
    if override:
        sentences.insert(
            0,
            catalogue.gettext(
                "In an emergency {roles} can decide alone, with *Emergency override* on a card "
                "that only they see.",
                roles=override,
            ),
        )
    return [f"• {sentence}" for sentence in sentences]


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


def _batch_head(catalogue: Catalogue, kind: ObjectKind, count: int, *, reminds: bool) -> str:
    """Say how many objects of a batch wait for approvals."""
    text = catalogue.ngettext(*NEEDS_APPROVAL[kind], count)
    return f"{'⏰' if reminds else '🗳️'} {text}"


def _batch_line(render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest) -> str:
    """Name an object of a batch, with its approvals and when its request ends."""
    texts = [
        f"*{inline(snapshot.name)}*",
        *evidence.row_facts(render_context.catalogue, snapshot),
        tally(render_context.catalogue, request),
        *turn_sentences(render_context.catalogue, request),
        deadline_text(render_context, snapshot, request),
        *_warning_lines(render_context, snapshot, request),
    ]
    return " · ".join(texts)


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
    deadline = deadline_text(render_context, snapshot, request)
    return " · ".join([f"{sign} {text} {deadline}", *evidence.row_facts(catalogue, snapshot)])
