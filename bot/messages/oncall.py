"""Say who is on call, and what is most urgent for them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from bot.domain.objects import OBJECT_KINDS, ObjectKind
from bot.domain.tracking import OpenCounts, TrackedObject
from bot.messages.blocks import Message, context, new_message, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.lists import SHOW, object_row
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
    names = [mention_user(user) for user in on_call[:NAMED]]
    if (rest := len(on_call) - NAMED) > 0:
        names.append(catalogue.ngettext("{count} more", "{count} more", rest))
    return catalogue.all_of(names)


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


def on_call(
    catalogue: Catalogue,
    on_call: Sequence[str] | None,
    counts: OpenCounts,
    urgent: Sequence[TrackedObject],
    now: datetime,
    as_of: datetime,
    *,
    is_stale: bool = False,
    counted_kinds: Collection[ObjectKind] = OBJECT_KINDS,
) -> Message:
    """Say who is on call and how much is open, with a row for each urgent object.

    ``as_of`` is when SecMaster was read last, ``is_stale`` whether it can't be read since. Of
    other kinds than the ``counted_kinds`` no number is said.
    """
    names = on_call_names(catalogue, on_call)
    head = f"{catalogue.gettext('*On call now:*')} {names}"
    warning = stale_warning(catalogue, as_of) if is_stale else ""
    lines = filter(None, (head, count_line(catalogue, counts, counted_kinds), warning))
    text = "\n".join(lines)
    rows = [
        block
        for tracked in urgent
        for block in object_row(catalogue, tracked.snapshot, tracked.ref.workspace, now, SHOW)
    ]
    if rows:
        rows.insert(0, section(catalogue.gettext("*Most urgent:*")))
    age = catalogue.gettext("As of {ago}.", ago=ago_token(as_of))
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
    return " · ".join(parts)
