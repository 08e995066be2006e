"""Render approval requests: on the card, in the thread, and when they are over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from slack_sdk.models.blocks import Block, ButtonElement, ConfirmObject, PlainTextObject

from bot.domain.actions import BY_NAME, Action, is_contrary
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.cards import ButtonValue
from bot.domain.operations import Operation, Outcome
from bot.domain.snapshots import Snapshot, decision_fingerprint, due_end
from bot.messages.blocks import RenderContext, actions, section
from bot.messages.catalogue import Catalogue
from bot.messages.labels import labels
from bot.messages.text import date_token, mention_user, quote, relative_time
from bot.secmaster import DueHandle

REASON_LENGTH = 200  # characters of each reason on a card


def request_blocks(
    render_context: RenderContext, snapshot: Snapshot, request: ApprovalRequest
) -> list[Block]:
    """Return the blocks of a card that show an approval request, with its buttons.

    Whoever approved a state of the object that has changed since is named, but not counted.
    """
    action, fingerprint = BY_NAME[request.action], decision_fingerprint(snapshot)
    current = [
        approval
        for approval in request.approvals
        if approval.decision_fingerprint in ("", fingerprint)
    ]
    counted = request.model_copy(update={"approvals": tuple(current)})
    noun = labels(action).noun
    lines = [
        f"🗳️ *{noun.capitalize()}: {_tally(render_context.catalogue, counted)} said yes*",
        *_brake_notes(render_context.catalogue, request),
    ]
    for approval in request.approvals:
        line = f"{approver_names(render_context.catalogue, [approval])}, {date_token(approval.at)}"
        line = f"✅ {line}" if approval in current else f"⚠️ {line}: to what has changed since"
        lines.append(
            f"{line}\n{quote(approval.reason, REASON_LENGTH)}" if approval.reason else line
        )
    # The due date may have been moved since the request was opened.
    end = due_end(snapshot, render_context.now)
    end = end if end and end[0] <= request.expires_at else None
    expires_at = end[0] if end else request.expires_at
    expires_in = relative_time(render_context.catalogue, expires_at, render_context.now)
    lines.append(
        f"Open until {date_token(expires_at)} ({expires_in}); {_missing_people(render_context.catalogue, counted)}."
    )
    if end and (warning := silence_warning(render_context.catalogue, action, *end)):
        lines.append(warning)

    button = ButtonValue(ref=render_context.ref, decision_fingerprint=fingerprint)
    value = f"{action.name}|{button}"
    refusal = ConfirmObject(
        title=f"Refuse the {noun}?",
        text=PlainTextObject(text=f"Nobody's yes counts any more. The {noun} is not sent."),
        confirm="Refuse",
        deny="Back",
        style="danger",
    )
    buttons = [
        ButtonElement(text="Take back my yes", action_id="withdraw", value=value),
        ButtonElement(text="Refuse", action_id="refuse", value=value, confirm=refusal),
    ]
    if request.break_glass_allowed:
        buttons.append(ButtonElement(text="Break the glass", action_id="break-glass", value=value))
    return [section("\n".join(lines)), actions(buttons)]


def approval_counted(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say that somebody's approval was counted, and how many are still missing."""
    actor, noun = actor_names(catalogue, operation), labels(BY_NAME[operation.action]).noun
    if outcome.approval_request is None:
        return f"🗳️ The yes of {actor} to the {noun} was counted."
    request = outcome.approval_request
    notes = "".join(f"{note} " for note in _brake_notes(catalogue, request))
    if request.due_handle:
        action = BY_NAME[operation.action]
        warning = silence_warning(catalogue, action, request.expires_at, request.due_handle)
        notes += f"{warning} " if warning else ""
    return (
        f"🗳️ *{_tally(catalogue, request)} said yes* to the {noun}: now {actor}. "
        f"{_missing_people(catalogue, request).capitalize()} before {date_token(request.expires_at)}. {notes}"
        "Nothing was sent yet."
    )


def approval_changed(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say that somebody withdrew their approval or declined the request, and what remains."""
    actor, noun = mention_user(operation.actor.id), labels(BY_NAME[operation.action]).noun
    if operation.intent is ApprovalIntent.DECLINE:
        approvals = outcome.ended_request.approvals if outcome.ended_request else ()
        return (
            f"🛑 *{actor} refused the {noun}.* The yes of {approver_names(catalogue, approvals)} no longer "
            f"counts. The {noun} was not sent."
        )
    remaining = (
        f"{_tally(catalogue, outcome.approval_request)} said yes."
        if outcome.approval_request
        else "Nobody's yes is left."
    )
    return f"↩️ {actor} took their yes to the {noun} back. {remaining} The {noun} was not sent."


def lapsed(catalogue: Catalogue, request: ApprovalRequest) -> str:
    """Say that an approval request expired before enough people had approved."""
    noun = labels(BY_NAME[request.action]).noun
    if request.due_handle:
        end = f". The task is due now: SecMaster {_by_itself(catalogue, request.due_handle)}."
    else:
        end = "; ask again if it is still wanted."
    return (
        f"⌛ *The {noun} lapsed*: {_tally(catalogue, request)} said yes in time "
        f"({approver_names(catalogue, request.approvals)}). It was not sent{end}"
    )


def silence_warning(
    catalogue: Catalogue, action: Action, at: datetime, due_handle: DueHandle
) -> str:
    """Say what SecMaster does by itself when a request expires; "" where that is no other end."""
    if not is_contrary(action, due_handle):
        return ""
    return f"⚠️ If nobody else confirms by {date_token(at)}, SecMaster {_by_itself(catalogue, due_handle)}."


def _by_itself(catalogue: Catalogue, due_handle: DueHandle) -> str:
    """Say what SecMaster does with a task that nobody decides."""
    match due_handle:
        case DueHandle.CONTINUE:
            return "approves it automatically"
        case DueHandle.INTERRUPT:
            return "interrupts it automatically"
        case _:
            assert_never(due_handle)


def side_effects(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Name the approvals and the other request that an operation put an end to; "" for none."""
    sentences = []
    if operation.revoked_approvals:
        names = approver_names(catalogue, operation.revoked_approvals)
        sentences.append(f"The yes of {names} no longer counts: they may not say it any more.")
    if outcome.outdated_approvals:
        names = approver_names(catalogue, outcome.outdated_approvals)
        sentences.append(f"The yes of {names} no longer counts: it was to what has changed since.")
    if outcome.ended_request:
        noun = labels(BY_NAME[outcome.ended_request.action]).noun
        names = approver_names(catalogue, outcome.ended_request.approvals)
        sentences.append(f"This ended the {noun} that {names} had said yes to.")
    return "".join(f"\n{sentence}" for sentence in sentences)


def actor_names(catalogue: Catalogue, operation: Operation) -> str:
    """Name who carries out an operation, by whose right, and the co-approvers."""
    delegator = operation.terms.delegator
    right = f" (by the right of {mention_user(delegator)})" if delegator else ""
    break_glass = ", who broke the glass" if operation.terms.break_glass_channel else ""
    others = (
        f", with {approver_names(catalogue, operation.co_approvers)}"
        if operation.co_approvers
        else ""
    )
    return f"{mention_user(operation.actor.id)}{right}{break_glass}{others}"


def approver_names(catalogue: Catalogue, approvals: Sequence[Approval]) -> str:
    """Name who approved, and by whose right if not their own: "A, B and C"."""
    names = [
        mention_user(approval.actor.id)
        + (f" (by the right of {mention_user(approval.delegator)})" if approval.delegator else "")
        for approval in approvals
    ]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _tally(catalogue: Catalogue, request: ApprovalRequest) -> str:
    return f"{len(request.approvals)} of {request.needed}"


def _brake_notes(catalogue: Catalogue, request: ApprovalRequest) -> list[str]:
    """Say why a second person is needed though no rule asks for one; [] where a rule does."""
    if not request.brake_applied:
        return []
    within = catalogue.duration(timedelta(seconds=request.brake_within))
    times = "once" if request.brake_retries == 1 else f"{request.brake_retries} times"
    cause = f"🧯 This workflow was retried at least {times} within {within}"
    return [f"{cause}, so a second person is asked for."]


def _missing_people(catalogue: Catalogue, request: ApprovalRequest) -> str:
    missing = request.needed - len(request.approvals)
    if missing < 1:  # a stricter rule was taken back meanwhile
        return "one of them has to say so again"
    return f"{missing} more {'people' if missing > 1 else 'person'} must say so"
