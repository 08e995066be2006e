"""A moment as people write it: "until 18:00", "for 2h", "2026-11-22 08:00". Knows no clock."""

import re
from datetime import date, datetime, time, timedelta, tzinfo

from bot.messages import command_problems
from bot.policy.routes import local_moments
from bot.policy.rules import MAX_DURATION, parse_duration
from handlers.parsing import ParseError

DAY = timedelta(days=1)
DELEGATE_USAGE = "delegate @person until 18:00"
LENGTH = re.compile(r"(?:(\d{1,3})d)? ?(?:(\d{1,3})h)? ?(?:(\d{1,4})m)?", re.ASCII)
CLOCK_TIME = re.compile(r"(?:(\d{4}-\d{2}-\d{2})[ T])?([01]?\d|2[0-3])[:.]([0-5]\d)", re.ASCII)


def parse_length(text: str) -> timedelta:
    """Read a length of time such as "2h30m", "45m" or "3d"; raises ValueError."""
    if (match := LENGTH.fullmatch(text)) and sum(
        number is not None for number in match.groups()
    ) > 1:
        days, hours, minutes = (int(number or 0) for number in match.groups())
        length = timedelta(days=days, hours=hours, minutes=minutes)
        if not timedelta() < length <= MAX_DURATION:
            raise ValueError(f"{text!r} is longer than {MAX_DURATION.days} days")
        return length
    return parse_duration(text)


def parse_moment(text: str, now: datetime, zone: tzinfo, usage: str = DELEGATE_USAGE) -> datetime:
    """Read a moment in the person's own zone; a time that is over today is tomorrow's.

    A time that the clocks show twice is the first of them that is to come; one that they leap
    over is when they do. Raises ParseError for what is no moment, and for a date that is over.
    """
    word, _, rest = " ".join(text.lower().split()).partition(" ")
    moment = rest if word in ("until", "till", "for") else f"{word} {rest}".strip()
    match = CLOCK_TIME.fullmatch(moment.upper())
    try:
        if word == "for" or match is None:
            return now + parse_length(moment)
        day, hour, minute = match.groups()
        today = now.astimezone(zone).date()
        days = [date.fromisoformat(day)] if day else [today, today + DAY]
        at = time(int(hour), int(minute))
        moments = [each for day in days for each in local_moments(day, at, zone)]
    except (ValueError, OverflowError):
        raise ParseError(command_problems.not_a_time(text), usage) from None
    until = next((each for each in moments if each > now), None)
    if until is None:
        raise ParseError(command_problems.in_the_past(text), usage)
    return until
