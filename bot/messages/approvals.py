"""What waits for several people: on the card, in the thread, and when it is over."""

from datetime import timedelta

from slack_sdk.models.blocks import Block, ButtonElement, ConfirmObject, PlainTextObject

from bot.domain.actions import BY_NAME, Action, Snapshot
from bot.domain.models import Ballot, Operation, Outcome, Say, Shown, Vote
from bot.domain.snapshots import digest
from bot.messages.blocks import Frame, actions, section
from bot.messages.labels import words
from bot.messages.text import moment, person, quote, span, until

SHOWN = 200  # characters of each reason on a card


def on_card(frame: Frame, about: Snapshot, ballot: Ballot) -> list[Block]:
    """Who has said yes so far, of how many and until when, and what one can do about it.

    Whoever said yes to what has changed since is named, and not counted.
    """
    action, now = BY_NAME[ballot.action], digest(about)
    counted = [vote for vote in ballot.votes if vote.sight in ("", now)]
    valid = ballot.model_copy(update={"votes": tuple(counted)})
    noun, far = words(action).noun, until(ballot.expires_at, frame.now)
    lines = [f"🗳️ *{noun.capitalize()}: {_of(valid)} said yes*", *_braked(ballot)]
    lines += [_yes(vote, counts=vote in counted) for vote in ballot.votes]
    lines.append(f"Open until {moment(ballot.expires_at)} ({far}); {_missing(valid)}.")
    shown = Shown(ref=frame.ref, seen=now)
    return [section("\n".join(lines)), actions(_buttons(shown, action, ballot))]


def _yes(vote: Vote, *, counts: bool) -> str:
    said = f"✅ {people([vote])}, {moment(vote.at)}"
    if not counts:
        said = f"⚠️ {people([vote])}, {moment(vote.at)}: to what has changed since"
    return f"{said}\n{quote(vote.reason, SHOWN)}" if vote.reason else said


def _buttons(shown: Shown, action: Action, ballot: Ballot) -> list[ButtonElement]:
    noun, value = words(action).noun, f"{action.name}|{shown}"
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
    if ballot.may_break:
        buttons.append(ButtonElement(text="Break the glass", action_id="break-glass", value=value))
    return buttons


def counted(operation: Operation, ended: Outcome) -> str:
    """Somebody's yes, and what is still missing."""
    who, noun = by(operation), words(BY_NAME[operation.action]).noun
    if ended.ballot is None:
        return f"🗳️ The yes of {who} to the {noun} was counted."
    ballot = ended.ballot
    return (
        f"🗳️ *{_of(ballot)} said yes* to the {noun}: now {who}. {_missing(ballot).capitalize()} "
        f"before {moment(ballot.expires_at)}. {''.join(f'{why} ' for why in _braked(ballot))}"
        "Nothing was sent yet."
    )


def taken_back(operation: Operation, ended: Outcome) -> str:
    """A yes that was withdrawn, or a refusal, and what is left of it."""
    who, noun = person(operation.actor.id), words(BY_NAME[operation.action]).noun
    if operation.say is Say.REFUSE:
        votes = ended.ended.votes if ended.ended else ()
        return (
            f"🛑 *{who} refused the {noun}.* The yes of {people(votes)} no longer counts. "
            f"The {noun} was not sent."
        )
    left = f"{_of(ended.ballot)} said yes." if ended.ballot else "Nobody's yes is left."
    return f"↩️ {who} took their yes to the {noun} back. {left} The {noun} was not sent."


def lapsed(ballot: Ballot) -> str:
    noun = words(BY_NAME[ballot.action]).noun
    return (
        f"⌛ *The {noun} lapsed*: {_of(ballot)} said yes in time ({people(ballot.votes)}). "
        "It was not sent; ask again if it is still wanted."
    )


def besides(operation: Operation, ended: Outcome) -> str:
    """What else it brought about: votes that no longer count."""
    parts = []
    if operation.struck:
        gone = people(operation.struck)
        parts.append(f"The yes of {gone} no longer counts: they may not say it any more.")
    if ended.outdated:
        parts.append(
            f"The yes of {people(ended.outdated)} no longer counts: it was to what has changed "
            "since."
        )
    if ended.ended:
        noun = words(BY_NAME[ended.ended.action]).noun
        parts.append(f"This ended the {noun} that {people(ended.ended.votes)} had said yes to.")
    return "".join(f"\n{part}" for part in parts)


def by(operation: Operation) -> str:
    """Who does it: by whose right, and with whom."""
    lender = operation.terms.lender
    own = person(operation.actor.id) + (f" (by the right of {person(lender)})" if lender else "")
    glass = ", who broke the glass" if operation.terms.glass else ""
    also = f", with {people(operation.backing)}" if operation.backing else ""
    return f"{own}{glass}{also}"


def people(votes: tuple[Vote, ...] | list[Vote]) -> str:
    named = [
        person(vote.actor.id) + (f" (by the right of {person(vote.lender)})" if vote.lender else "")
        for vote in votes
    ]
    return " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:])))


def _of(ballot: Ballot) -> str:
    return f"{len(ballot.votes)} of {ballot.needed}"


def _braked(ballot: Ballot) -> list[str]:
    """Why a second person is asked for though no rule does."""
    if not ballot.braked:
        return []
    within = span(timedelta(seconds=ballot.brake_within))
    times = "once" if ballot.brake == 1 else f"{ballot.brake} times"
    why = f"🧯 This workflow was retried at least {times} within {within}"
    return [f"{why}, so a second person is asked for."]


def _missing(ballot: Ballot) -> str:
    left = ballot.needed - len(ballot.votes)
    if left < 1:  # a stricter rule was taken back meanwhile
        return "one of them has to say so again"
    return f"{left} more {'people' if left > 1 else 'person'} must say so"
