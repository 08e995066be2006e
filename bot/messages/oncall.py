"""Say who is on call, and what is most urgent for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.mutes import Mute
from bot.domain.objects import OBJECT_KINDS, ObjectKind
from bot.domain.tracking import OpenCounts, TrackedObject
from bot.messages.blocks import Message, context, new_message, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.lists import SHOW, object_row
from bot.messages.mutes import lines
from bot.messages.text import ago_token, date_token, mention_user

NAMED = 30  # people that are named
SOON = timedelta(hours=2)


def on_call_names(catalogue: Catalogue, on_call: Sequence[str] | None) -> str:
    """Name the users who are on call; None means that Slack could not be asked."""
    if on_call is None:
        return catalogue.gettext("Can't reach Slack to ask who is on call. Try again in a moment.")
    if not on_call:
        return catalogue.gettext(
            "Not configured: `[watch] oncall` of the policy names no user group."
        )
    return catalogue.all_of([*map(mention_user, on_call)], NAMED)


def stale_warning(catalogue: Catalogue, since: datetime) -> str:
    """Warn that SecMaster could not be read since then, so that the rest may be old."""
    text = catalogue.gettext(
        "SecMaster can't be read. This is as of {when} ({ago}).",
        when=date_token(since),
        ago=ago_token(since),
    )
    return f"⚠️ {text}"


def sync_is_off(catalogue: Catalogue) -> Message:
    """Say that nothing is known without asking SecMaster, since it is not polled."""
    text = catalogue.gettext(
        "Sync with SecMaster is off (`[watch] every` is 0, or was when the bot started), so this "
        "is not known. The lists read SecMaster directly."
    )
    return text_message(f"🚫 {text}")


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call and what is open: ``people`` is None where Slack could not be asked.

    ``as_of`` is when SecMaster was read last, ``is_stale`` whether it can't be read since. Of
    other kinds than the ``counted_kinds`` no number is said. ``muted`` are the muted workflows.
    """

    people: Sequence[str] | None
    counts: OpenCounts
    urgent: Sequence[TrackedObject]
    as_of: datetime
    is_stale: bool
    counted_kinds: Collection[ObjectKind]
    muted: Sequence[Mute] = ()


def on_call(catalogue: Catalogue, facts: OnCall, now: datetime) -> Message:
    """Say who is on call and how much is open, with a row for each urgent object."""
    names = on_call_names(catalogue, facts.people)
    head = f"{catalogue.gettext('*On call now:*')} {names}"
    counts = count_line(catalogue, facts.counts, facts.counted_kinds)
    warning = stale_warning(catalogue, facts.as_of) if facts.is_stale else ""
    text = "\n".join(filter(None, (head, counts, warning, *lines(catalogue, facts.muted))))
    assignees = {
        tracked.ref: assignment.assignee
        for tracked in facts.urgent
        if (assignment := tracked.assignment_at(now))
    }
    rows = [
        block
        for tracked in facts.urgent
        for block in object_row(
            catalogue,
            tracked.snapshot,
            tracked.ref.workspace,
            now,
            SHOW,
            assignee=assignees.get(tracked.ref, ""),
        )
    ]
    if rows:
        rows.insert(0, section(catalogue.gettext("*Most urgent:*")))
    age = catalogue.gettext("As of {ago}.", ago=ago_token(facts.as_of))
    return new_message(text.replace("*", ""), section(text), *rows, context(age))


def count_line(
    catalogue: Catalogue, counts: OpenCounts, kinds: Collection[ObjectKind] = OBJECT_KINDS
) -> str:
    """Say in a line how much is open of these kinds; "" for none."""
    parts = []
    if "task" in kinds:
        parts += [
            catalogue.ngettext("*{count}* task waiting", "*{count}* tasks waiting", counts.waiting),
            catalogue.ngettext("*{count}* overdue", "*{count}* overdue", counts.overdue),
            catalogue.ngettext(
                "*{count}* due within {duration}",
                "*{count}* due within {duration}",
                counts.soon,
                duration=catalogue.duration(SOON),
            ),
        ]
    if "instance" in kinds:
        parts.append(
            catalogue.ngettext("*{count}* failed run", "*{count}* failed runs", counts.failed)
        )
    if "playbook" in kinds and counts.failed_playbooks:
        parts.append(
            catalogue.ngettext(
                "*{count}* failed playbook run",
                "*{count}* failed playbook runs",
                counts.failed_playbooks,
            )
        )
    return " · ".join(parts)
