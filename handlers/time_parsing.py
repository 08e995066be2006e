"""A moment as people write it: "until 18:00", "for 2h", "2026-11-22 08:00". Knows no clock."""

import re
from datetime import datetime, timedelta, tzinfo

from bot.policy.rules import parse_duration
from handlers.parsing import ParseError

USAGE = "delegate @person until 18:00"
CLOCK = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
DAY = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\S+)")


def parse_moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Read a moment in the person's own zone; one that is over today is tomorrow's.

    Raises NotUnderstood.
    """
    word, _, rest = " ".join(text.lower().split()).partition(" ")
    given = rest if word in ("until", "till", "for") else f"{word} {rest}".strip()
    here = now.astimezone(zone)
    if word != "for" and (clock := CLOCK.fullmatch(given)):
        then = _at(here, clock)
        return then if then > here else then + timedelta(days=1)
    if word != "for" and (day := DAY.fullmatch(given.upper())):
        then = _on(day, zone, text)
        if then <= here:
            raise ParseError(f"“{text[:60]}” is over.", USAGE)
        return then
    try:
        return now + parse_duration(given)
    except ValueError:
        raise ParseError(f"“{text[:60]}” is no time that I know.", USAGE) from None


def _at(day: datetime, clock: re.Match[str]) -> datetime:
    return day.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)


def _on(day: re.Match[str], zone: tzinfo, text: str) -> datetime:
    clock = CLOCK.fullmatch(day[2])
    try:
        midnight = datetime.fromisoformat(day[1]).replace(tzinfo=zone)
    except ValueError:
        clock = None
    if clock is None:
        raise ParseError(f"“{text[:60]}” is no time that I know.", USAGE)
    return _at(midnight, clock)
