"""Say who is on call, and what is most pressing for them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from bot.domain.objects import OBJECT_KINDS, ObjectKind
from bot.domain.tracking import OpenCounts, TrackedObject
from bot.messages.blocks import Message, new_message, section
from bot.messages.catalogue import Catalogue
from bot.messages.lists import SHOW, object_row
from bot.messages.text import date_token, mention_user

NAMED = 30  # people that are named
SOON = timedelta(hours=2)


def on_call_names(catalogue: Catalogue, on_call: Sequence[str] | None) -> str:
    """Name the users who are on call; None means that Slack could not be asked."""
    if on_call is None:
        return "Slack could not be asked who is on call. Try again in a moment."
    if not on_call:
        return "Nobody that I know of: `[watch] oncall` of the policy names no user group."
    names = ", ".join(mention_user(user) for user in on_call[:NAMED])
    rest = len(on_call) - NAMED
    return f"{names} and {rest} more" if rest > 0 else names


def stale_warning(catalogue: Catalogue, since: datetime) -> str:
    """Warn that SecMaster could not be read since then, so that the rest may be old."""
    return f"⚠️ SecMaster can't be read now; this is as of {date_token(since)}."


def on_call(
    catalogue: Catalogue,
    on_call: Sequence[str] | None,
    counts: OpenCounts,
    pressing: Sequence[TrackedObject],
    now: datetime,
    unread_since: datetime | None,
    *,
    counted_kinds: Collection[ObjectKind] = OBJECT_KINDS,
) -> Message:
    """Say who is on call and how much is open, with a row for each pressing object.

    Of other kinds than the ``counted_kinds`` no number is said.
    """
    names = on_call_names(catalogue, on_call)
    warning = stale_warning(catalogue, unread_since) if unread_since else ""
    summary = "\n".join(filter(None, (count_line(catalogue, counts, counted_kinds), warning)))
    rows = [
        block
        for tracked in pressing
        for block in object_row(catalogue, tracked.snapshot, tracked.ref.workspace, now, SHOW)
    ]
    head = section(f"*On call now:* {names}\n{summary}")
    return new_message(f"On call now: {names} {summary}", head, *rows)


def count_line(
    catalogue: Catalogue, counts: OpenCounts, kinds: Collection[ObjectKind] = OBJECT_KINDS
) -> str:
    """Say in a line how much is open of these kinds; "" for none."""
    tasks = (
        f"*{counts.waiting:,}* waiting · *{counts.overdue:,}* overdue · "
        f"*{counts.soon:,}* due in {catalogue.duration(SOON)}"
    )
    parts = {"task": tasks, "instance": f"*{counts.failed:,}* failed"}
    return " · ".join(text for kind, text in parts.items() if kind in kinds)
