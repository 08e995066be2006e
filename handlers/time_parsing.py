"""A moment as people write it: "until 18:00", "for 2h", "2026-11-22 08:00". Knows no clock.

And the object that is written before one: neither a date nor a length of time is an id.
"""

import re
from datetime import date, datetime, time, timedelta, tzinfo

from bot.domain.objects import ObjectId, Ref
from bot.messages import command_problems
from bot.policy.routes import local_moments
from bot.policy.rules import parse_length
from handlers.parsing import ParseError, split, take_id, take_ref

DAY = timedelta(days=1)
DELEGATE_USAGE = "delegate @person until 18:00"
PREPOSITIONS = ("until", "till", "for")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}\b", re.ASCII)
CLOCK_TIME = re.compile(r"(?:(\d{4}-\d{2}-\d{2})[ T])?([01]?\d|2[0-3])[:.]([0-5]\d)", re.ASCII)


def parse_moment(text: str, now: datetime, zone: tzinfo, usage: str = DELEGATE_USAGE) -> datetime:
    """Read a moment in the person's own zone; a time that is over today is tomorrow's.

    A time that the clocks show twice is the first of them that is to come; one that they leap
    over is when they do. Raises ParseError for what is no moment, and for a date that is over.
    """
    word, _, rest = " ".join(text.lower().split()).partition(" ")
    moment = rest if word in PREPOSITIONS else f"{word} {rest}".strip()
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


def is_length(word: str) -> bool:
    """Whether a word is a length of time such as "2h"."""
    try:
        parse_length(word.lower())
    except ValueError:
        return False
    return True


def begins_with_moment(words: str) -> bool:
    """Whether words begin as a moment does."""
    first = split(words)[0].lower()
    is_time = DATE.match(first) or CLOCK_TIME.fullmatch(first)
    return first in PREPOSITIONS or bool(is_time) or is_length(first)


def take_object_id(words: str, thread_object: Ref | None) -> tuple[ObjectId, str]:
    """Split off the id of an object of any kind, and return it with the words after it.

    It may be left out in the thread of the object's card. A moment is none, though a date and a
    length look like one. Raises ParseError.
    """
    if begins_with_moment(words):
        if thread_object is None:
            raise ParseError(command_problems.which_object(None))
        return thread_object.id, words
    if thread_object is None:
        return take_id(None, words)
    ref, rest = take_ref(thread_object.kind, words, thread_object)
    return ref.id, rest
