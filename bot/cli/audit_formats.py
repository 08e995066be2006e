"""Write audit records as lines of JSON, as CSV for a spreadsheet, or as a Markdown table.

Knows what a record is made of, and neither where records come from nor where the text goes.
"""

import csv
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, TextIO

Record = dict[str, Any]
Writer = Callable[[Iterable[Record], TextIO], None]

# What a record has beyond these goes into "more", as JSON: nothing is left out.
COLUMNS = (
    *("number", "at", "operation_id", "outcome", "action", "target", "actor.id", "actor.name"),
    *("terms.identity", "terms.delegator", "terms.break_glass_channel"),
    *("location.channel", "params", "reason"),
    *("rule", "terms.policy", "decision_fingerprint", "status_before", "status_after", "detail"),
    *("status", "request_id", "duration", "more", "hash"),
)
NESTED = ("actor", "location", "terms")  # fields whose parts have columns of their own
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_jsonl(records: Iterable[Record], file: TextIO) -> None:
    """Write each record as one line of JSON, with nothing changed in it."""
    file.writelines(compact_json(record) + "\n" for record in records)


def write_csv(records: Iterable[Record], file: TextIO) -> None:
    """Write a heading and a row for each record; no cell can be taken for a formula."""
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    for record in records:
        rows.writerow(
            f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells(record)
        )


def write_markdown(records: Iterable[Record], file: TextIO) -> None:
    """Write a table; no text can leave its cell."""
    file.write(table_line(COLUMNS) + table_line("---" for _ in COLUMNS))
    file.writelines(table_line(map(escape_markdown, cells(record))) for record in records)


WRITERS: dict[str, Writer] = {"jsonl": write_jsonl, "csv": write_csv, "md": write_markdown}


def cells(record: Record) -> list[str]:
    """Return a record's cells in the order of COLUMNS; a field that is missing is empty."""
    fields: Record = {}
    for name, value in record.items():
        if name in NESTED and isinstance(value, dict):
            fields |= {f"{name}.{part}": nested for part, nested in value.items()}
        else:
            fields[name] = value
    texts = {name: cell_text(fields.pop(name, None)) for name in COLUMNS if name != "more"}
    texts["more"] = compact_json(fields) if fields else ""
    return [texts[name] for name in COLUMNS]


def cell_text(value: Any) -> str:
    """Return text as it is, nothing for None, and JSON for any other value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def compact_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def table_line(row: Iterable[str]) -> str:
    return f"| {' | '.join(row)} |\n"


def escape_markdown(text: str) -> str:
    """Keep text in its cell, and from being anything but text there."""
    escaped = re.sub(r"[\\`*_\[\]~|]", r"\\\g<0>", html.escape(text, quote=False))
    escaped = re.sub(r"\r\n?|\n", "<br>", escaped)
    return "".join(
        f"U+{ord(character):04X}" if is_invisible(character) else character for character in escaped
    )


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing, and is not the joiner that emoji are made with."""
    category = unicodedata.category(character)
    return (category[0] == "C" and character != "\u200d") or category in ("Zl", "Zp")
