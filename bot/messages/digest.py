"""The hand-over: what was decided, what still waits and what failed, short enough to be read aloud.

It names people without calling them: a summary must wake nobody up.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.domain.models import Value
from bot.domain.notifications import Notice
from bot.messages.blocks import Message, say, section
from bot.messages.oncall import unread
from bot.messages.text import line, moment, span

NAMED = 8  # people in one sentence
NAME = 50  # characters of each: all of it has to fit into one block


class Decider(Value):
    """How much somebody decided from here."""

    name: str
    approved: int = 0
    terminated: int = 0


class Retrier(Value):
    name: str
    retried: int


class Late(Value):
    """A task that is overdue, since when."""

    name: str
    due: datetime


class HandOver(Value):
    """What is handed over: what happened ``since`` then ``until`` then, and how it stands now.

    ``elsewhere`` were decided, and by nobody here; ``median`` is how many seconds the ``timed``
    ones took to be decided. ``late`` are the oldest of the ``overdue``. Of the ``retried`` runs
    ``recovered`` are no longer failed. ``glass`` are those who decided alone, once for each time.
    ``unread_since`` is since when SecMaster could not be read, if it could not.
    """

    since: datetime
    until: datetime
    deciders: tuple[Decider, ...] = ()
    elsewhere: int = 0
    median: float = 0
    timed: int = 0
    waiting: int = 0
    overdue: int = 0
    late: tuple[Late, ...] = ()
    failed: int = 0
    retriers: tuple[Retrier, ...] = ()
    retried: int = 0
    recovered: int = 0
    glass: tuple[str, ...] = ()
    unread_since: datetime | None = None

    @property
    def quiet(self) -> bool:
        return not (self.deciders or self.elsewhere or self.retriers or self.glass or self.overdue)


def posted(notice: Notice) -> Message:
    """A digest as it was written down for a channel."""
    return digest(HandOver.model_validate_json(notice.told["facts"]))


def digest(facts: HandOver) -> Message:
    """The whole in a few sentences; a quiet shift in one line."""
    when = f"{moment(facts.since)} to {moment(facts.until)}"
    if facts.quiet:
        text = (
            f"🌙 *A quiet shift, {when}.* Nothing was decided or retried. "
            f"{_waiting(facts)} {_failed(facts)}"
        )
    else:
        told = (_decided(facts), _speed(facts), _glass(facts), _waiting(facts))
        failed = " ".join(filter(None, (_failed(facts), _retried(facts))))
        text = "\n".join(filter(None, (f"*Hand-over, {when}*", *told, failed)))
    text += f"\n{unread(facts.unread_since)}" if facts.unread_since else ""
    return say(text, section(text))


def _decided(facts: HandOver) -> str:
    here = sum(each.approved + each.terminated for each in facts.deciders)
    elsewhere = _elsewhere(facts.elsewhere)
    if not here:
        return f"✅ {elsewhere}" if elsewhere else ""
    who = _listed(map(_decider, facts.deciders), "others")
    return f"✅ {_tasks(here)} decided here: {who}. {elsewhere}".rstrip()


def _elsewhere(number: int) -> str:
    if not number:
        return ""
    alone = "by itself when it was due" if number == 1 else "by themselves when they were due"
    return f"{_tasks(number)} decided outside Slack, or ended {alone}."


def _decider(each: Decider) -> str:
    did = [f"approved {each.approved}"] if each.approved else []
    did += [f"terminated {each.terminated}"] if each.terminated else []
    return f"{line(each.name, NAME)} {' and '.join(did)}"


def _speed(facts: HandOver) -> str:
    if not facts.timed:
        return ""
    took = span(timedelta(seconds=facts.median))
    return f"⏱️ The median time to a decision was {took}, over {_counted(facts.timed, 'task')}."


def _glass(facts: HandOver) -> str:
    if not facts.glass:
        return ""
    often = "once" if len(facts.glass) == 1 else f"{len(facts.glass)} times"
    who = _listed((line(name, NAME) for name in dict.fromkeys(facts.glass)), "others")
    return f"🔨 The glass was broken {often}: by {who}."


def _waiting(facts: HandOver) -> str:
    if not facts.waiting:
        return "🟢 No task waits."
    waits = f"{_counted(facts.waiting, 'task')} still {'waits' if facts.waiting == 1 else 'wait'}"
    one = facts.waiting == 1
    if not facts.overdue:
        return f"🟡 {waits}, {'not' if one else 'none of them'} overdue."
    late = "and is overdue" if one else f"{facts.overdue:,} of them overdue"
    oldest = [f"{line(each.name, NAME)} since {moment(each.due)}" for each in facts.late]
    named = f": {'; '.join(oldest)}" if oldest else ""
    return f"⏰ {waits}, *{late}*{named}."


def _failed(facts: HandOver) -> str:
    if not facts.failed:
        return "🟢 No run is failed."
    return f"🔴 {_counted(facts.failed, 'run')} {'is' if facts.failed == 1 else 'are'} failed now."


def _retried(facts: HandOver) -> str:
    if not facts.retriers:
        return ""
    told = (f"{line(each.name, NAME)} retried {each.retried}" for each in facts.retriers)
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
