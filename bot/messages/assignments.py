"""Say who has claimed a task or a run, until when, and what that changes."""

from collections.abc import Sequence
from datetime import datetime

from bot.domain.objects import ByKind
from bot.domain.snapshots import Snapshot, kind_of
from bot.domain.tracking import Assignment
from bot.messages.blocks import Message, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.text import ago_token, date_token, inline, mention_all, mention_user

TAKE, RELEASE = "assign.take", "assign.release"  # action ids
CLAIM_OVER = ByKind(
    task=N_("The claim of {person} has ended: *{name}* is still waiting."),
    instance=N_("The claim of {person} has ended: *{name}* is still failed."),
    playbook=N_("The claim of {person} has ended: *{name}* is still failed."),
)


def claimed_line(catalogue: Catalogue, assignment: Assignment) -> str:
    """Say on a card or in a row who has claimed its object, and until when."""
    text = catalogue.gettext(
        "Claimed by {person} until {when} ({ago}).",
        person=mention_user(assignment.assignee),
        when=date_token(assignment.until),
        ago=ago_token(assignment.until),
    )
    return f"🙋 {text}"


def claimed_fact(catalogue: Catalogue, assignee: str) -> str:
    """Say in a row of a list who has claimed its object; "" for nobody."""
    if not assignee:
        return ""
    return f"🙋 {catalogue.gettext('Claimed by {person}', person=mention_user(assignee))}"


def claimed(
    catalogue: Catalogue,
    user: str,
    until: datetime,
    previous: str = "",
    auto_approves_at: datetime | None = None,
) -> Message:
    """Tell a thread who claimed its object until when, and from whom, if somebody had it.

    ``auto_approves_at`` is when the task is approved by itself, where the claim was cut for that.
    """
    person, when = mention_user(user), date_token(until)
    if previous and previous != user:
        text = catalogue.gettext(
            "{user} took this over from {previous}, until {until}.",
            user=person,
            previous=mention_user(previous),
            until=when,
        )
    else:
        text = catalogue.gettext("{user} is on it until {until}.", user=person, until=when)
    effect = catalogue.gettext("Until then nobody else is reminded, and it is not escalated.")
    return text_message(f"🙋 {text} {effect}{_cut(catalogue, until, auto_approves_at)}")


def claimed_by_you(
    catalogue: Catalogue, name: str, until: datetime, auto_approves_at: datetime | None
) -> Message:
    """Tell whoever claimed an object until when they have it."""
    text = catalogue.gettext(
        "You claimed *{name}* until {until}: only you are reminded, and it is not escalated. "
        "Undo: `unclaim`",
        name=inline(name),
        until=date_token(until),
    )
    return text_message(f"🙋 {text}{_cut(catalogue, until, auto_approves_at)}")


def _cut(catalogue: Catalogue, until: datetime, auto_approves_at: datetime | None) -> str:
    """Say that a claim was cut, since nobody else would be called before the task is approved."""
    if auto_approves_at is None:
        return ""
    text = catalogue.gettext(
        "It auto-approves {due}, so the claim lasts only until {until}.",
        due=date_token(auto_approves_at),
        until=date_token(until),
    )
    return f"\n⚠️ {text}"


def released(catalogue: Catalogue, user: str, assignee: str) -> Message:
    """Tell a thread who ended whose claim of its object."""
    if assignee == user:
        text = catalogue.gettext(
            "{user} released the claim: reminders are on again for everyone.",
            user=mention_user(user),
        )
    else:
        text = catalogue.gettext(
            "{user} released the claim of {assignee}: reminders are on again for everyone.",
            user=mention_user(user),
            assignee=mention_user(assignee),
        )
    return text_message(f"🔔 {text}")


def released_by_you(catalogue: Catalogue, name: str) -> Message:
    """Tell whoever ended the claim of an object that it is over."""
    text = catalogue.gettext(
        "Claim of *{name}* released: reminders are on again for everyone.", name=inline(name)
    )
    return text_message(f"🔔 {text}")


def claim_over(
    catalogue: Catalogue, mentions: Sequence[str], assignee: str, snapshot: Snapshot
) -> Message:
    """Say in the thread of an object's card that its claim has ended by itself."""
    person, name = mention_user(assignee), inline(snapshot.name)
    text = catalogue.gettext(CLAIM_OVER[kind_of(snapshot)], person=person, name=name)
    return text_message(f"{mention_all(mentions)}🔔 {text}")


def not_claimed(catalogue: Catalogue, name: str) -> Message:
    """Say that nobody has claimed an object."""
    return text_message(catalogue.gettext("*{name}* is not claimed.", name=inline(name)))


def not_claimable(catalogue: Catalogue) -> Message:
    """Say that an object waits for nobody, or is not watched, so that it can't be claimed."""
    text = catalogue.gettext("Nothing to claim: it is not open any more, or not watched.")
    return text_message(text)


def claimed_meanwhile(catalogue: Catalogue) -> Message:
    """Say that others claimed or released an object at the same moment."""
    text = catalogue.gettext(
        "Somebody else claimed or released this at the same moment. Nothing was changed. Try again."
    )
    return text_message(f"🚫 {text}")


def no_room_to_claim(catalogue: Catalogue, auto_approves_at: datetime, now: datetime) -> Message:
    """Say that a task is approved by itself too soon to be claimed, or at any moment."""
    due, ago = date_token(auto_approves_at), ago_token(auto_approves_at)
    if auto_approves_at <= now:
        text = catalogue.gettext(
            "Not claimed: it was due {due} ({ago}), and SecMaster may auto-approve it at any "
            "moment. Nothing was changed: everyone is still called. Decide it now.",
            due=due,
            ago=ago,
        )
    else:
        text = catalogue.gettext(
            "Not claimed: it auto-approves {due} ({ago}), so everyone is still called. "
            "Decide it now.",
            due=due,
            ago=ago,
        )
    return text_message(f"🚫 {text}")
