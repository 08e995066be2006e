"""Who is on call, and what presses."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.messages.blocks import Message, say, section
from bot.messages.lists import SHOW, row
from bot.messages.text import moment, person, span
from bot.store import Known, Tally

NAMED = 30  # people
SOON = timedelta(hours=2)


def people(on_call: Sequence[str] | None) -> str:
    """Who is on call now; None is that Slack could not be asked."""
    if on_call is None:
        return "Slack could not be asked who is on call. Try again in a moment."
    if not on_call:
        return "Nobody that I know of: `[watch] oncall` of the policy names no user group."
    named = [person(user) for user in on_call[:NAMED]]
    left = len(on_call) - NAMED
    return ", ".join(named) + (f" and {left} more" if left > 0 else "")


def unread(since: datetime) -> str:
    """That all this may be old."""
    return f"⚠️ SecMaster can't be read now; this is as of {moment(since)}."


def answer(
    on_call: Sequence[str] | None,
    tally: Tally,
    pressing: Sequence[Known],
    now: datetime,
    unread_since: datetime | None,
) -> Message:
    """Who is on call and what waits for them, with what presses most to be shown."""
    counts = counted(tally) + (f"\n{unread(unread_since)}" if unread_since else "")
    rows = [part for each in pressing for part in row(each.snapshot, each.ref.workspace, now, SHOW)]
    who = f"*On call now:* {people(on_call)}"
    return say(f"On call now: {people(on_call)} {counts}", section(f"{who}\n{counts}"), *rows)


def counted(tally: Tally) -> str:
    return (
        f"*{tally.waiting:,}* waiting · *{tally.overdue:,}* overdue · "
        f"*{tally.soon:,}* due in {span(SOON)} · *{tally.failed:,}* failed"
    )
