"""What waits for several people: on the card, in the thread, and when it is over."""

from datetime import timedelta

from slack_sdk.models.blocks import Block, ButtonElement, ConfirmObject, PlainTextObject

from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.cards import ButtonValue
from bot.domain.operations import Operation, Outcome
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.messages.blocks import RenderContext, actions, section
from bot.messages.labels import labels
from bot.messages.text import date_token, format_duration, mention_user, quote, relative_time

SHOWN = 200  # characters of each reason on a card


def request_blocks(frame: RenderContext, about: Snapshot, ballot: ApprovalRequest) -> list[Block]:
    """Who has said yes so far, of how many and until when, and what one can do about it.

    Whoever said yes to what has changed since is named, and not counted.
    """
    action, now = BY_NAME[ballot.action], decision_fingerprint(about)
    counted = [vote for vote in ballot.approvals if vote.decision_fingerprint in ("", now)]
    valid = ballot.model_copy(update={"approvals": tuple(counted)})
    noun, far = labels(action).noun, relative_time(ballot.expires_at, frame.now)
    lines = [f"🗳️ *{noun.capitalize()}: {_of(valid)} said yes*", *_braked(ballot)]
    lines += [_yes(vote, counts=vote in counted) for vote in ballot.approvals]
    lines.append(f"Open until {date_token(ballot.expires_at)} ({far}); {_missing(valid)}.")
    shown = ButtonValue(ref=frame.ref, decision_fingerprint=now)
    return [section("\n".join(lines)), actions(_buttons(shown, action, ballot))]


def _yes(vote: Approval, *, counts: bool) -> str:
    said = f"✅ {approver_names([vote])}, {date_token(vote.at)}"
    if not counts:
        said = f"⚠️ {approver_names([vote])}, {date_token(vote.at)}: to what has changed since"
    return f"{said}\n{quote(vote.reason, SHOWN)}" if vote.reason else said


def _buttons(shown: ButtonValue, action: Action, ballot: ApprovalRequest) -> list[ButtonElement]:
    noun, value = labels(action).noun, f"{action.name}|{shown}"
    refusing = ConfirmObject(
        title=f"Refuse the {noun}?",
        text=PlainTextObject(text=f"Nobody's yes counts any more. The {noun} is not sent."),
        confirm="Refuse",
        deny="Back",
        style="danger",
    )
    buttons = [
        ButtonElement(text="Take back my yes", action_id="withdraw", value=value),
        ButtonElement(text="Refuse", action_id="refuse", value=value, confirm=refusing),
    ]
    if ballot.break_glass_allowed:
        buttons.append(ButtonElement(text="Break the glass", action_id="break-glass", value=value))
    return buttons


def approval_counted(operation: Operation, ended: Outcome) -> str:
    """Somebody's yes, and what is still missing."""
    who, noun = actor_names(operation), labels(BY_NAME[operation.action]).noun
    if ended.approval_request is None:
        return f"🗳️ The yes of {who} to the {noun} was counted."
    ballot = ended.approval_request
    return (
        f"🗳️ *{_of(ballot)} said yes* to the {noun}: now {who}. {_missing(ballot).capitalize()} "
        f"before {date_token(ballot.expires_at)}. {''.join(f'{why} ' for why in _braked(ballot))}"
        "Nothing was sent yet."
    )


def approval_changed(operation: Operation, ended: Outcome) -> str:
    """A yes that was withdrawn, or a refusal, and what is left of it."""
    who, noun = mention_user(operation.actor.id), labels(BY_NAME[operation.action]).noun
    if operation.intent is ApprovalIntent.DECLINE:
        votes = ended.ended_request.approvals if ended.ended_request else ()
        return (
            f"🛑 *{who} refused the {noun}.* The yes of {approver_names(votes)} no longer counts. "
            f"The {noun} was not sent."
        )
    left = (
        f"{_of(ended.approval_request)} said yes."
        if ended.approval_request
        else "Nobody's yes is left."
    )
    return f"↩️ {who} took their yes to the {noun} back. {left} The {noun} was not sent."


def lapsed(ballot: ApprovalRequest) -> str:
    noun = labels(BY_NAME[ballot.action]).noun
    return (
        f"⌛ *The {noun} lapsed*: {_of(ballot)} said yes in time ({approver_names(ballot.approvals)}). "
        "It was not sent; ask again if it is still wanted."
    )


def side_effects(operation: Operation, ended: Outcome) -> str:
    """What else it brought about: votes that no longer count."""
    parts = []
    if operation.revoked_approvals:
        gone = approver_names(operation.revoked_approvals)
        parts.append(f"The yes of {gone} no longer counts: they may not say it any more.")
    if ended.outdated_approvals:
        parts.append(
            f"The yes of {approver_names(ended.outdated_approvals)} no longer counts: it was to what has changed "
            "since."
        )
    if ended.ended_request:
        noun = labels(BY_NAME[ended.ended_request.action]).noun
        parts.append(
            f"This ended the {noun} that {approver_names(ended.ended_request.approvals)} had said yes to."
        )
    return "".join(f"\n{part}" for part in parts)


def actor_names(operation: Operation) -> str:
    """Who does it: by whose right, and with whom."""
    lender = operation.terms.delegator
    own = mention_user(operation.actor.id) + (
        f" (by the right of {mention_user(lender)})" if lender else ""
    )
    glass = ", who broke the glass" if operation.terms.break_glass_channel else ""
    also = f", with {approver_names(operation.co_approvers)}" if operation.co_approvers else ""
    return f"{own}{glass}{also}"


def approver_names(votes: tuple[Approval, ...] | list[Approval]) -> str:
    named = [
        mention_user(vote.actor.id)
        + (f" (by the right of {mention_user(vote.delegator)})" if vote.delegator else "")
        for vote in votes
    ]
    return " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:])))


def _of(ballot: ApprovalRequest) -> str:
    return f"{len(ballot.approvals)} of {ballot.needed}"


def _braked(ballot: ApprovalRequest) -> list[str]:
    """Why a second person is asked for though no rule does."""
    if not ballot.brake_applied:
        return []
    within = format_duration(timedelta(seconds=ballot.brake_within))
    times = "once" if ballot.brake_retries == 1 else f"{ballot.brake_retries} times"
    why = f"🧯 This workflow was retried at least {times} within {within}"
    return [f"{why}, so a second person is asked for."]


def _missing(ballot: ApprovalRequest) -> str:
    left = ballot.needed - len(ballot.approvals)
    if left < 1:  # a stricter rule was taken back meanwhile
        return "one of them has to say so again"
    return f"{left} more {'people' if left > 1 else 'person'} must say so"
