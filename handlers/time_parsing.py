"""A moment as people write it: "until 18:00", "for 2h", "2026-11-22 08:00". Knows no clock."""

import re
from datetime import datetime, timedelta, tzinfo

from bot.policy.rules import parse_duration
from handlers.parsing import ParseError

DELEGATE_USAGE = "delegate @person until 18:00"
TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
DATE_AND_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\S+)")


def parse_moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Read a moment in the person's own zone; a time that is over today is tomorrow's.

    Raises ParseError for what is no moment, and for a date that is over.
    """
    word, _, rest = " ".join(text.lower().split()).partition(" ")
    moment = rest if word in ("until", "till", "for") else f"{word} {rest}".strip()
    local_now = now.astimezone(zone)
    if word != "for" and (time := TIME_OF_DAY.fullmatch(moment)):
        until = _at(local_now, time)
        return until if until > local_now else until + timedelta(days=1)
    if word != "for" and (parts := DATE_AND_TIME.fullmatch(moment.upper())):
        time = TIME_OF_DAY.fullmatch(parts[2])
        try:
            midnight = datetime.fromisoformat(parts[1]).replace(tzinfo=zone)
        except ValueError:
            time = None
        if time is None:
            raise ParseError(f"“{text[:60]}” is no time that I know.", DELEGATE_USAGE)
        until = _at(midnight, time)
        if until <= local_now:
            raise ParseError(f"“{text[:60]}” is over.", DELEGATE_USAGE)
        return until
    try:
        return now + parse_duration(moment)
    except ValueError:
        raise ParseError(f"“{text[:60]}” is no time that I know.", DELEGATE_USAGE) from None


def _at(day: datetime, time: re.Match[str]) -> datetime:
    return day.replace(hour=int(time[1]), minute=int(time[2]), second=0, microsecond=0)
