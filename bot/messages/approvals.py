"""Render approval requests: on the card, in the thread, and when they are over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import BY_NAME, Action, is_contrary
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest, RequestNews
from bot.domain.cards import ButtonValue
from bot.domain.objects import ByKind
from bot.domain.operations import Operation, Outcome
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.domain.stages import Stages, total
from bot.messages.blocks import (
    Message,
    RenderContext,
    actions,
    named_label,
    section,
    text_message,
)
from bot.messages.catalogue import NN_, Catalogue
from bot.messages.labels import labels
from bot.messages.stages import order_sentences, stage_roles, stage_title, turn_sentences
from bot.messages.text import ago_token, date_token, inline, mention, mention_user, quote
from bot.secmaster import DueHandle

REASON_LENGTH = 200  # characters of each reason on a card
MOST_APPROVERS = 10  # people and user groups that are named on a card
_BRAKED_WORKFLOW = NN_(
    "This workflow was retried at least once within {period}, so a second approval is needed.",
    "This workflow was retried at least {count} times within {period}, so a second approval is "
    "needed.",
)
BRAKED = ByKind(
    task=_BRAKED_WORKFLOW,  # no task is retried
    instance=_BRAKED_WORKFLOW,
    playbook=NN_(
        "This playbook was retried at least once within {period}, so a second approval is needed.",
        "This playbook was retried at least {count} times within {period}, so a second approval is "
        "needed.",
    ),
)


def needed_line(catalogue: Catalogue, action: Action, stages: Stages) -> str:
    """Say before anybody has approved how many must, and in which roles: nobody is mentioned."""
    title = _tally(catalogue, action, 0, total(stages))
    if len(stages) > 1:
        return "\n".join([f"👥 *{title}*", *order_sentences(catalogue, stages)])
    names = stage_roles(catalogue, stages[0])
    if not names:
        return f"👥 *{title}*"
    return f"👥 *{title}*\n{catalogue.gettext('Needed from {roles}.', roles=names)}"


def request_blocks(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest
) -> list[Block]:
    """Return the blocks of a card that show an approval request, with its buttons."""
    text = request_text(render_context, snapshot, request)
    return [section(text), actions(_buttons(render_context, snapshot, request))]


def request_text(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest
) -> str:
    """Say who has approved, who else must, and until when.

    Whoever approved a state of the object that has changed since is named, but not counted.
    """
    catalogue, action = render_context.catalogue, BY_NAME[request.action]
    counted = request.counted_for(snapshot)
    lines = [f"🗳️ *{tally(catalogue, counted)}*", *_brake_notes(catalogue, request)]
    for number in range(len(request.stages)):
        if len(request.stages) > 1:
            lines.append(stage_title(catalogue, counted, number))
        lines += [
            _approval_line(catalogue, snapshot, approval, counted)
            for approval in request.approvals_in(number)
        ]
    lines.append(_missing_approvals(render_context, counted))
    expires_at, due_handle = request.deadline(snapshot, render_context.now)
    lines.append(
        catalogue.gettext(
            "The request expires {when} ({ago}).",
            when=date_token(expires_at),
            ago=ago_token(expires_at),
        )
    )
    if warning := silence_warning(catalogue, action, expires_at, due_handle):
        lines.append(warning)
    return "\n".join(lines)


def _approval_line(
    catalogue: Catalogue, snapshot: Snapshot, approval: Approval, counted: ApprovalRequest
) -> str:
    """Say who approved, when and why, and whether that still counts."""
    names, at = approver_names(catalogue, [approval]), date_token(approval.at)
    if approval in counted.approvals:
        line = f"✅ {catalogue.gettext('{names}, {when}', names=names, when=at)}"
    elif approval.decision_fingerprint in ("", decision_fingerprint(snapshot)):
        reopened = catalogue.gettext(
            "{names}, {when}: an earlier stage is open again, so it does not count",
            names=names,
            when=at,
        )
        line = f"⚠️ {reopened}"
    else:
        outdated = catalogue.gettext(
            "{names}, {when}: for an earlier version, so it does not count",
            names=names,
            when=at,
        )
        line = f"⚠️ {outdated}"
    return f"{line}\n{quote(approval.reason, REASON_LENGTH)}" if approval.reason else line


def _buttons(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest
) -> list[ButtonElement]:
    """Return the buttons of a request.

    A shared card can't know who presses it: what only some may do stands on private cards.
    """
    catalogue, viewer, action = render_context.catalogue, render_context.viewer, request.action
    fingerprint = decision_fingerprint(snapshot)
    button = ButtonValue(ref=render_context.ref, decision_fingerprint=fingerprint)
    value = f"{action}|{button}"
    labels_and_ids = []
    if viewer is None or action in viewer.has_approved:
        labels_and_ids.append((catalogue.gettext("Withdraw my approval"), "withdraw"))
    labels_and_ids.append((catalogue.gettext("Decline request"), "refuse"))
    if viewer and action in viewer.may_override:
        labels_and_ids.append((catalogue.gettext("Emergency override"), "break-glass"))
    # A card may show several requests, each with these buttons.
    about = catalogue.gettext(labels(BY_NAME[action]).button)
    return [
        ButtonElement(
            text=text,
            accessibility_label=named_label(text, about),
            action_id=action_id,
            value=value,
            style="primary" if viewer and action_id == "withdraw" else None,
        )
        for text, action_id in labels_and_ids
    ]


def approval_counted(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say that somebody's approval was counted, and how many are still missing.

    What SecMaster does at the due date is said with the first approval, and not again.
    """
    actor, action = actor_names(catalogue, operation), BY_NAME[operation.action]
    head = catalogue.gettext("The approval by {actor} was counted.", actor=actor)
    if outcome.approval_request is None:
        return f"🗳️ {head}"
    request = outcome.approval_request
    warning = silence_warning(catalogue, action, request.expires_at, request.due_handle)
    sentences = [
        f"🗳️ *{tally(catalogue, request)}.*",
        head,
        catalogue.ngettext(
            "{count} more is needed before {when}.",
            "{count} more are needed before {when}.",
            max(request.missing, 1),
            when=date_token(request.expires_at),
        ),
        *turn_sentences(catalogue, request),
        *_brake_notes(catalogue, request),
        warning if request.id == operation.id else "",
        catalogue.gettext("Nothing was sent to SecMaster yet."),
    ]
    return " ".join(filter(None, sentences))


def approval_changed(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say that somebody withdrew their approval or declined the request, and what remains."""
    request = outcome.approval_request or outcome.ended_request
    declines = operation.intent is ApprovalIntent.DECLINE
    news = RequestNews(
        action=operation.action,
        intent=ApprovalIntent.DECLINE if declines else ApprovalIntent.WITHDRAW,
        actor=operation.actor,
        at=operation.accepted_at,
        needed=request.needed if request else 0,
        count=len(outcome.approval_request.approvals) if outcome.approval_request else 0,
    )
    sentences = [change_sentence(catalogue, news)]
    if declines and outcome.ended_request:
        sentences.append(_not_counted(catalogue, outcome.ended_request.approvals))
    elif dropped := _dropped_by(operation, outcome):
        sentences.append(_dropped(catalogue, dropped))
    if outcome.approval_request:
        sentences += turn_sentences(catalogue, outcome.approval_request)
    sentences.append(catalogue.gettext("Nothing was sent to SecMaster."))
    return " ".join(sentences)


def _dropped_by(operation: Operation, outcome: Outcome) -> Sequence[Approval]:
    """Return the approvals of later stages that were dropped as somebody withdrew theirs."""
    if outcome.ended_request is None:
        return outcome.dropped_approvals
    approvals = outcome.ended_request.approvals
    return [approval for approval in approvals if approval.actor.id != operation.actor.id]


def _dropped(catalogue: Catalogue, approvals: Sequence[Approval]) -> str:
    """Say whose approvals don't count any more as an earlier stage is open again."""
    return catalogue.ngettext(
        "The approval by {names} no longer counts: an earlier stage is open again.",
        "The approvals by {names} no longer count: an earlier stage is open again.",
        len(approvals),
        names=approver_names(catalogue, approvals),
    )


def change_sentence(catalogue: Catalogue, news: RequestNews) -> str:
    """Say who withdrew their approval, and how many are left, or who declined the request."""
    words, actor = labels(BY_NAME[news.action]), mention_user(news.actor.id)
    match news.intent:
        case ApprovalIntent.DECLINE:
            return f"🛑 *{catalogue.gettext(words.declined, actor=actor)}*"
        case ApprovalIntent.WITHDRAW:
            sentence = catalogue.gettext(words.withdrawn, actor=actor)
            if not news.needed:
                return f"↩️ {sentence}"
            tally = catalogue.gettext(
                "{count} of {needed}.",
                count=catalogue.number(news.count),
                needed=catalogue.number(news.needed),
            )
            return f"↩️ {sentence} {tally}"
        case _:
            assert_never(news.intent)


def lapsed(catalogue: Catalogue, request: ApprovalRequest) -> str:
    """Say that an approval request expired before enough people had approved."""
    words = labels(BY_NAME[request.action])
    names = approver_names(catalogue, request.approvals)
    match request.due_handle:
        case None:
            end = catalogue.gettext("If it is still needed, ask again.")
        case DueHandle.CONTINUE:
            end = catalogue.gettext("The task is due now: SecMaster approves it automatically.")
        case DueHandle.INTERRUPT:
            end = catalogue.gettext("The task is due now: SecMaster cancels it automatically.")
        case _:
            assert_never(request.due_handle)
    return (
        f"⌛ *{catalogue.gettext(words.expired)}* {tally(catalogue, request)} ({names}). "
        f"{catalogue.gettext('Nothing was sent to SecMaster.')} {end}"
    )


def silence_warning(
    catalogue: Catalogue, action: Action, at: datetime, due_handle: DueHandle | None
) -> str:
    """Say what SecMaster does by itself when a request expires; "" where that is no other end."""
    if due_handle is None or not is_contrary(action, due_handle):
        return ""
    match due_handle:
        case DueHandle.CONTINUE:
            sentence = catalogue.gettext(
                "If approvals are missing at {time}, SecMaster approves the task automatically.",
                time=date_token(at),
            )
        case DueHandle.INTERRUPT:
            sentence = catalogue.gettext(
                "If approvals are missing at {time}, SecMaster cancels the task automatically.",
                time=date_token(at),
            )
        case _:
            assert_never(due_handle)
    return f"⚠️ {sentence}"


def side_effects(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Name the approvals and the other request that an operation put an end to; "" for none."""
    sentences = []
    if operation.revoked_approvals:
        sentences.append(
            catalogue.ngettext(
                "The approval by {names} no longer counts: they may not approve this any more.",
                "The approvals by {names} no longer count: they may not approve this any more.",
                len(operation.revoked_approvals),
                names=approver_names(catalogue, operation.revoked_approvals),
            )
        )
    if outcome.outdated_approvals:
        sentences.append(
            catalogue.ngettext(
                "The approval by {names} no longer counts: it was for an earlier version.",
                "The approvals by {names} no longer count: they were for an earlier version.",
                len(outcome.outdated_approvals),
                names=approver_names(catalogue, outcome.outdated_approvals),
            )
        )
    if outcome.dropped_approvals:
        sentences.append(_dropped(catalogue, outcome.dropped_approvals))
    if outcome.ended_request:
        names = approver_names(catalogue, outcome.ended_request.approvals)
        ended = labels(BY_NAME[outcome.ended_request.action]).request_ended
        sentences.append(catalogue.gettext(ended, names=names))
    return "".join(f"\n{sentence}" for sentence in sentences)


def approvals_revoked(  # noqa: PLR0913, PLR0917 - whose approvals of what, and how many are left
    catalogue: Catalogue,
    action: Action,
    name: str,
    revoked: Sequence[Approval],
    dropped: Sequence[Approval],
    count: int,
    needed: int,
) -> Message:
    """Say that approvals no longer count, since their givers may not approve any more.

    With them go the ``dropped`` ones of later stages.
    """
    sentence = catalogue.ngettext(
        "*{name}*: the approval by {names} no longer counts, as they may not approve this any "
        "more.",
        "*{name}*: the approvals by {names} no longer count, as they may not approve this any "
        "more.",
        len(revoked),
        name=inline(name),
        names=approver_names(catalogue, revoked),
    )
    sentences = [
        f"↩️ {sentence}",
        _dropped(catalogue, dropped) if dropped else "",
        f"{_tally(catalogue, action, count, needed)}.",
        catalogue.gettext("Nothing was sent to SecMaster."),
    ]
    return text_message(" ".join(filter(None, sentences)))


def actor_names(catalogue: Catalogue, operation: Operation) -> str:
    """Name who carries out an operation, on whose behalf, and the co-approvers."""
    actor = _person(catalogue, operation.actor.id, operation.terms.delegator)
    others = [
        _person(catalogue, approval.actor.id, approval.delegator)
        for approval in operation.co_approvers
    ]
    if not operation.terms.break_glass_channel:
        return catalogue.all_of([actor, *others])
    if not others:
        return catalogue.gettext("{person} (emergency override)", person=actor)
    return catalogue.gettext(
        "{person} (emergency override); {others} had agreed",
        person=actor,
        others=catalogue.all_of(others),
    )


def approver_names(catalogue: Catalogue, approvals: Sequence[Approval]) -> str:
    """Name who approved, and on whose behalf if not their own: "A, B, and C"."""
    return catalogue.all_of(
        [_person(catalogue, approval.actor.id, approval.delegator) for approval in approvals]
    )


def _person(catalogue: Catalogue, user: str, delegator: str) -> str:
    if not delegator:
        return mention_user(user)
    return catalogue.gettext(
        "{person} (on behalf of {delegator})",
        person=mention_user(user),
        delegator=mention_user(delegator),
    )


def tally(catalogue: Catalogue, request: ApprovalRequest) -> str:
    """Say how many of the approvals there are that an action needs."""
    return _tally(catalogue, BY_NAME[request.action], len(request.approvals), request.needed)


def _tally(catalogue: Catalogue, action: Action, number: int, needed: int) -> str:
    return catalogue.gettext(
        labels(action).tally, count=catalogue.number(number), needed=catalogue.number(needed)
    )


def counted_twice(
    catalogue: Catalogue, user: str, delegator: str, request: ApprovalRequest | None
) -> str:
    """Say who has used the right already by which a person would approve.

    ``delegator`` is whose right that is, "" for the person's own.
    """
    authority = delegator or user
    earlier = request.approval_by(authority) if request else None
    if earlier is None:
        return catalogue.gettext(
            "The permissions of {delegator} were used to approve this already, so your approval "
            "would count twice.",
            delegator=mention_user(authority),
        )
    approver = mention_user(earlier.actor.id)
    if not delegator:
        return catalogue.gettext(
            "{approver} already approved on your behalf, so your approval would count twice.",
            approver=approver,
        )
    if earlier.delegator:
        return catalogue.gettext(
            "{approver} already approved on behalf of {delegator}, as you would, so your approval "
            "would count twice.",
            approver=approver,
            delegator=mention_user(authority),
        )
    return catalogue.gettext(
        "{approver} already approved this, and you would approve on their behalf, so your "
        "approval would count twice.",
        approver=approver,
    )


def already_approved(catalogue: Catalogue, request: ApprovalRequest | None) -> str:
    """Say to somebody that they approved this before, and how many approvals are missing."""
    return catalogue.ngettext(
        "You already approved this. Waiting for {count} more.",
        "You already approved this. Waiting for {count} more.",
        request.missing if request else 1,
    )


def _not_counted(catalogue: Catalogue, approvals: Sequence[Approval]) -> str:
    return catalogue.ngettext(
        "The approval by {names} no longer counts.",
        "The approvals by {names} no longer count.",
        len(approvals),
        names=approver_names(catalogue, approvals),
    )


def _brake_notes(catalogue: Catalogue, request: ApprovalRequest) -> list[str]:
    """Say why a second person is needed though no rule asks for one; [] where a rule does."""
    if not request.brake_applied:
        return []
    cause = catalogue.ngettext(
        *BRAKED[BY_NAME[request.action].kind],
        request.brake_retries,
        period=catalogue.duration(timedelta(seconds=request.brake_within)),
    )
    return [f"🧯 {cause}"]


def _missing_approvals(render_context: RenderContext, request: ApprovalRequest) -> str:
    """Say how many approvals are missing, and who may give them as far as the policy tells."""
    catalogue, missing = render_context.catalogue, request.missing_now
    if missing < 1:  # a stricter rule was taken back meanwhile
        return catalogue.gettext(
            "There are enough approvals now: one of the approvers must press the button again."
        )
    terms = render_context.tallies.get(request.action)
    approvers = terms.approvers if terms else ()
    possible = [id_ for id_ in approvers if not request.has_approval_of(id_, id_)]
    if not possible and (sentences := turn_sentences(catalogue, request)):
        return sentences[0]
    if not possible:
        return catalogue.ngettext(
            "{count} more approval needed.", "{count} more approvals needed.", missing
        )
    mentions = [mention(id_) for id_ in possible[:MOST_APPROVERS]]
    return catalogue.ngettext(
        "{count} more approval needed: {approvers}",
        "{count} more approvals needed: {approvers}",
        missing,
        approvers=", ".join(mentions),
    )
