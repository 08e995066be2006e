"""Find what is wrong with JSON that somebody typed, and where."""

import json
from dataclasses import dataclass
from enum import StrEnum


class JsonFault(StrEnum):
    """What is wrong with JSON: most are what is missing at a place."""

    VALUE = "value"
    COMMA = "comma"
    COLON = "colon"
    NAME = "name"
    TRAILING_COMMA = "trailing_comma"
    QUOTE = "quote"
    CONTROL_CHARACTER = "control_character"
    BACKSLASH = "backslash"
    END = "end"
    OTHER = "other"


# By how the message of Python's decoder begins.
FAULTS = (
    ("Expecting value", JsonFault.VALUE),
    ("Expecting ',' delimiter", JsonFault.COMMA),
    ("Expecting ':' delimiter", JsonFault.COLON),
    ("Expecting property name", JsonFault.NAME),
    ("Illegal trailing comma", JsonFault.TRAILING_COMMA),
    ("Unterminated string", JsonFault.QUOTE),
    ("Invalid control character", JsonFault.CONTROL_CHARACTER),
    ("Invalid \\", JsonFault.BACKSLASH),
    ("Extra data", JsonFault.END),
)


@dataclass(frozen=True, slots=True)
class FaultyPlace:
    """What is wrong, and at which line and column, both counted from one."""

    fault: JsonFault
    line: int
    column: int


def find_fault(text: str, start: int, document: str) -> FaultyPlace | None:
    """Return what is wrong with a document that stands in a text from ``start`` on.

    None where it can't be told: it is nested too deeply to be read.
    """
    try:
        json.loads(document)
    except json.JSONDecodeError as error:
        before = text[: start + error.pos]
        faults = (fault for prefix, fault in FAULTS if error.msg.startswith(prefix))
        return FaultyPlace(
            fault=next(faults, JsonFault.OTHER),
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
        )
    except (ValueError, RecursionError):
        pass
    return None
