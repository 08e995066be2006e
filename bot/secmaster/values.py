"""Read and write single values as SecMaster does: text, times, whole numbers.

Reading never fails: a field that is missing, null or of another type reads as empty, because
one odd field must not hide a task from the people who have to decide about it.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator

# As seconds 1e11 is the year 5138, as milliseconds it is 1973: nothing real lies between.
MILLISECONDS_FROM = 1e11

# A time that was never set comes as one at the edge of the calendar, where no zone may be applied.
OLDEST, NEWEST = 1, 9999

_EPOCH = re.compile(r"[0-9]{10,}")
_Z_BEFORE_OFFSET = re.compile(r"Z\s*(?=[+-]\d)")


def text(value: object) -> str:
    """Return a string as it is, anything else as ``""``."""
    if not isinstance(value, str):
        return ""
    # JSON can carry half of a surrogate pair, which no database or chat can store.
    # Nor can Postgres store a NUL.
    return value.encode("utf-8", "replace").decode().replace("\0", "")


def scalar(value: object) -> str:
    """Return a string as it is, a number or a flag as in JSON, anything else as ``""``."""
    if isinstance(value, bool):
        return str(value).lower()
    return text(str(value)) if isinstance(value, str | int | float) else ""


def json_text(value: object) -> str:
    """Return a string as it is, an object or list as its JSON text."""
    if isinstance(value, str) or value is None:
        return text(value)
    try:
        return text(json.dumps(value, ensure_ascii=False))
    except RecursionError:  # it was read where the stack was less deep
        return ""


def whole(value: object) -> int:
    """Return a whole number, also one written as ``85.0`` or a string; anything else as 0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return 0
    try:
        return int(value)
    except ValueError:
        return 0


def flag(value: object) -> bool | None:
    """Return True or False as it is, anything else as None."""
    return value if isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    """Read a time as SecMaster writes it, always aware; None when it can't be read.

    ``2025-08-19T14:53:42.424Z+0800`` is local time with a stray Z: its offset is the truth.
    Plain ISO 8601 is read too (UTC when it names no offset), and epoch seconds or milliseconds.
    """
    time = None
    if isinstance(value, datetime):
        time = _aware(value)
    elif isinstance(value, str) and not _EPOCH.fullmatch(value):
        time = _from_iso(value)
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        time = _from_epoch(value)
    return time if time and OLDEST < time.year < NEWEST else None


def stamp(time: datetime) -> str:
    """Return a time the way ListTasks wants it: ``2025-08-19T14:53:42.424Z+0800``."""
    if time.tzinfo is None:
        raise ValueError("a time sent to SecMaster must name its offset")
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z{time:%z}"


def _from_iso(value: str) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(_Z_BEFORE_OFFSET.sub("", value.strip())))
    except ValueError:
        return None


def _from_epoch(value: float | str) -> datetime | None:
    try:
        seconds = float(value)
        if seconds >= MILLISECONDS_FROM:
            seconds /= 1000
        # Zero is what an unset integer looks like, and nothing here is older than 1970.
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


Text = Annotated[str, BeforeValidator(text)]
Scalar = Annotated[str, BeforeValidator(scalar)]
JsonText = Annotated[str, BeforeValidator(json_text)]
Whole = Annotated[int, BeforeValidator(whole)]
Flag = Annotated[bool | None, BeforeValidator(flag)]
Moment = Annotated[datetime | None, BeforeValidator(moment)]
