"""Who is on call, and what presses."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.tracking import OpenCounts, TrackedObject
from bot.messages.blocks import Message, new_message, section
from bot.messages.lists import SHOW, object_row
from bot.messages.text import date_token, format_duration, mention_user

NAMED = 30  # people
SOON = timedelta(hours=2)


def on_call_names(on_call: Sequence[str] | None) -> str:
    """Who is on call now; None is that Slack could not be asked."""
    if on_call is None:
        return "Slack could not be asked who is on call. Try again in a moment."
    if not on_call:
        return "Nobody that I know of: `[watch] oncall` of the policy names no user group."
    named = [mention_user(user) for user in on_call[:NAMED]]
    left = len(on_call) - NAMED
    return ", ".join(named) + (f" and {left} more" if left > 0 else "")


def stale_warning(since: datetime) -> str:
    """That all this may be old."""
    return f"⚠️ SecMaster can't be read now; this is as of {date_token(since)}."


def on_call(
    on_call: Sequence[str] | None,
    tally: OpenCounts,
    pressing: Sequence[TrackedObject],
    now: datetime,
    unread_since: datetime | None,
) -> Message:
    """Who is on call and what waits for them, with what presses most to be shown."""
    counts = count_line(tally) + (f"\n{stale_warning(unread_since)}" if unread_since else "")
    rows = [
        part
        for each in pressing
        for part in object_row(each.snapshot, each.ref.workspace, now, SHOW)
    ]
    who = f"*On call now:* {on_call_names(on_call)}"
    return new_message(
        f"On call now: {on_call_names(on_call)} {counts}", section(f"{who}\n{counts}"), *rows
    )


def count_line(tally: OpenCounts) -> str:
    return (
        f"*{tally.waiting:,}* waiting · *{tally.overdue:,}* overdue · "
        f"*{tally.soon:,}* due in {format_duration(SOON)} · *{tally.failed:,}* failed"
    )
