"""Render the digest of a shift, short enough to be read aloud.

It names people without mentioning them: a summary must wake nobody up.
"""

from datetime import timedelta

from bot.domain.shift_digest import ShiftSummary
from bot.messages.blocks import Message, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.labels import LABELS
from bot.messages.oncall import stale_warning
from bot.messages.text import date_token, inline

NAMED = 8  # people in one sentence
NAME = 50  # characters of each: all of it has to fit into one block


def digest(catalogue: Catalogue, summary: ShiftSummary) -> Message:
    """Render a shift's summary in a few sentences; a quiet shift in one line."""
    period = f"{date_token(summary.since)} to {date_token(summary.until)}"
    waiting, failed = _waiting_sentence(catalogue, summary), _failed_sentence(catalogue, summary)
    if summary.quiet:
        text = f"🌙 *A quiet shift, {period}.* Nothing was decided or retried. {waiting} {failed}"
    else:
        retried = _retried_sentence(catalogue, summary)
        lines = (
            f"*Hand-over, {period}*",
            _decisions_sentence(catalogue, summary),
            _speed_sentence(catalogue, summary),
            _break_glass_sentence(catalogue, summary),
            waiting,
            f"{failed} {retried}" if retried else failed,
        )
        text = "\n".join(filter(None, lines))
    text += f"\n{stale_warning(catalogue, summary.stale_since)}" if summary.stale_since else ""
    return text_message(text)


def for_whoever_reads_all(catalogue: Catalogue) -> Message:
    """Say that a digest is for those who may read everything that it sums up."""
    return text_message(
        "🚫 A digest sums up all tasks and instances, and you may read only some of them. Ask for "
        "a list instead, or ask whoever runs this bot to add you."
    )


def _decisions_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    outside = ""
    if number := summary.decided_outside:
        end = "by itself when it was due" if number == 1 else "by themselves when they were due"
        outside = f"{_tasks_were(number)} decided outside Slack, or ended {end}."
    total = sum(sum(decider.decisions.values()) for decider in summary.deciders)
    if not total:
        return f"✅ {outside}" if outside else ""
    deciders = []
    for decider in summary.deciders:
        counts = [
            f"{LABELS[action].done.lower()} {number}"
            for action, number in decider.decisions.items()
        ]
        deciders.append(f"{inline(decider.name, NAME)} {_enumeration(catalogue, counts)}")
    return f"✅ {_tasks_were(total)} decided here: {_enumeration(catalogue, deciders)}. {outside}".rstrip()


def _speed_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.timed:
        return ""
    median = catalogue.duration(timedelta(seconds=summary.median))
    tasks = _counted(summary.timed, "task")
    return f"⏱️ The median time to a decision was {median}, over {tasks}."


def _break_glass_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    users = summary.break_glass_users
    if not users:
        return ""
    times = "once" if len(users) == 1 else f"{len(users)} times"
    names = _enumeration(catalogue, [inline(name, NAME) for name in dict.fromkeys(users)])
    return f"🔨 The glass was broken {times}: by {names}."


def _waiting_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.waiting:
        return "🟢 No task waits."
    single = summary.waiting == 1
    tasks = f"{_counted(summary.waiting, 'task')} still {'waits' if single else 'wait'}"
    if not summary.overdue:
        return f"🟡 {tasks}, {'not' if single else 'none of them'} overdue."
    overdue = "and is overdue" if single else f"{summary.overdue:,} of them overdue"
    oldest = "; ".join(
        f"{inline(task.name, NAME)} since {date_token(task.due)}" for task in summary.oldest_overdue
    )
    return f"⏰ {tasks}, *{overdue}*{f': {oldest}' if oldest else ''}."


def _failed_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.failed:
        return "🟢 No run is failed."
    return (
        f"🔴 {_counted(summary.failed, 'run')} {'is' if summary.failed == 1 else 'are'} failed now."
    )


def _retried_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.retriers:
        return ""
    retriers = _enumeration(
        catalogue,
        [f"{inline(retrier.name, NAME)} retried {retrier.retried}" for retrier in summary.retriers],
    )
    recovered = f"{summary.recovered} of {_counted(summary.retried, 'run')}"
    verb = "is" if summary.recovered == 1 else "are"
    return f"{retriers}; {recovered} {verb} no longer failed."


def _tasks_were(number: int) -> str:
    return f"{_counted(number, 'task')} {'was' if number == 1 else 'were'}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _enumeration(catalogue: Catalogue, items: list[str]) -> str:
    """Join the first items to "a, b and c", the others counted: "a, b and 3 others"."""
    others = len(items) - NAMED
    if others > 0:
        items = [*items[:NAMED], f"{others} others"]
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last
