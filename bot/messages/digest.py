"""The hand-over: what was decided, what still waits and what failed, short enough to be read aloud.

It names people without calling them: a summary must wake nobody up.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from bot.domain.shift_digest import DeciderCounts, ShiftSummary
from bot.messages.blocks import Message, new_message, section
from bot.messages.oncall import stale_warning
from bot.messages.text import date_token, format_duration, inline

NAMED = 8  # people in one sentence
NAME = 50  # characters of each: all of it has to fit into one block


def digest(facts: ShiftSummary) -> Message:
    """The whole in a few sentences; a quiet shift in one line."""
    when = f"{date_token(facts.since)} to {date_token(facts.until)}"
    if facts.quiet:
        text = (
            f"🌙 *A quiet shift, {when}.* Nothing was decided or retried. "
            f"{_waiting(facts)} {_failed(facts)}"
        )
    else:
        told = (_decided(facts), _speed(facts), _glass(facts), _waiting(facts))
        failed = " ".join(filter(None, (_failed(facts), _retried(facts))))
        text = "\n".join(filter(None, (f"*Hand-over, {when}*", *told, failed)))
    text += f"\n{stale_warning(facts.stale_since)}" if facts.stale_since else ""
    return new_message(text, section(text))


def _decided(facts: ShiftSummary) -> str:
    here = sum(each.approved + each.terminated for each in facts.deciders)
    elsewhere = _elsewhere(facts.decided_outside)
    if not here:
        return f"✅ {elsewhere}" if elsewhere else ""
    who = _listed(map(_decider, facts.deciders), "others")
    return f"✅ {_tasks(here)} decided here: {who}. {elsewhere}".rstrip()


def _elsewhere(number: int) -> str:
    if not number:
        return ""
    alone = "by itself when it was due" if number == 1 else "by themselves when they were due"
    return f"{_tasks(number)} decided outside Slack, or ended {alone}."


def _decider(each: DeciderCounts) -> str:
    did = [f"approved {each.approved}"] if each.approved else []
    did += [f"terminated {each.terminated}"] if each.terminated else []
    return f"{inline(each.name, NAME)} {' and '.join(did)}"


def _speed(facts: ShiftSummary) -> str:
    if not facts.timed:
        return ""
    took = format_duration(timedelta(seconds=facts.median))
    return f"⏱️ The median time to a decision was {took}, over {_counted(facts.timed, 'task')}."


def _glass(facts: ShiftSummary) -> str:
    if not facts.break_glass_users:
        return ""
    often = "once" if len(facts.break_glass_users) == 1 else f"{len(facts.break_glass_users)} times"
    who = _listed((inline(name, NAME) for name in dict.fromkeys(facts.break_glass_users)), "others")
    return f"🔨 The glass was broken {often}: by {who}."


def _waiting(facts: ShiftSummary) -> str:
    if not facts.waiting:
        return "🟢 No task waits."
    waits = f"{_counted(facts.waiting, 'task')} still {'waits' if facts.waiting == 1 else 'wait'}"
    one = facts.waiting == 1
    if not facts.overdue:
        return f"🟡 {waits}, {'not' if one else 'none of them'} overdue."
    late = "and is overdue" if one else f"{facts.overdue:,} of them overdue"
    oldest = [
        f"{inline(each.name, NAME)} since {date_token(each.due)}" for each in facts.oldest_overdue
    ]
    named = f": {'; '.join(oldest)}" if oldest else ""
    return f"⏰ {waits}, *{late}*{named}."


def _failed(facts: ShiftSummary) -> str:
    if not facts.failed:
        return "🟢 No run is failed."
    return f"🔴 {_counted(facts.failed, 'run')} {'is' if facts.failed == 1 else 'are'} failed now."


def _retried(facts: ShiftSummary) -> str:
    if not facts.retriers:
        return ""
    told = (f"{inline(each.name, NAME)} retried {each.retried}" for each in facts.retriers)
    over = f"{facts.recovered} of {_counted(facts.retried, 'run')}"
    now = "is" if facts.recovered == 1 else "are"
    return f"{_listed(told, 'others')}; {over} {now} no longer failed."


def _tasks(number: int) -> str:
    return f"{_counted(number, 'task')} {'was' if number == 1 else 'were'}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _listed(parts: Iterable[str], rest: str) -> str:
    """All in one sentence, with how many more there are."""
    named: Sequence[str] = list(parts)
    left = len(named) - NAMED
    if left > 0:
        named = [*named[:NAMED], f"{left} {rest}"]
    *first, last = named
    return f"{', '.join(first)} and {last}" if first else last
