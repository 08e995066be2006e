"""What an auditor asks for: whether the audit is whole, and a copy of it.

Needs the database alone, and only reads it. How records are chained is ``bot.store.chain``'s.
"""

import csv
import html
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa
from rich.console import Console
from rich.progress import Progress

from bot import settings
from bot.store import UnsupportedDatabase, audit_log, open_read_only, schema_versions

Record = dict[str, Any]
Writer = Callable[[Iterable[Record], TextIO], None]

UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# What a record has beyond these goes into "more", as JSON: nothing is left out.
COLUMNS = (
    *("number", "at", "operation_id", "outcome", "action", "target", "actor.id", "actor.name"),
    *(
        "terms.identity",
        "terms.delegator",
        "terms.break_glass_channel",
        "location.channel",
        "params",
        "reason",
    ),
    *(
        "rule",
        "terms.policy",
        "decision_fingerprint",
        "status_before",
        "status_after",
        "detail",
        "status",
        "request_id",
    ),
    *("duration", "more", "hash"),
)


class Refused(Exception):
    """What can't be done, and what to do now."""


@contextmanager
def opened(database: str) -> Iterator[sa.Engine]:
    """Open the database that is given, or set; one that this version can't read is refused."""
    try:
        url = settings.database_url(database)
    except settings.SettingsError as wrong:
        raise Refused(f"{wrong}.") from None
    _check_file(url)
    try:
        engine = open_read_only(url)
        try:
            _check_shape(engine)
            yield engine
        finally:
            engine.dispose()
    except sa.exc.SQLAlchemyError as wrong:
        raise Refused(
            f"The database can't be read: {type(wrong).__name__}. Check DATABASE_URL."
        ) from None


def _check_file(url: str) -> None:
    if not url.startswith("sqlite"):
        return
    file = sa.make_url(url).database
    if not file or not _is_there(file):
        raise Refused(
            f"There is no database {file or 'file'} here. Name the bot's with --database "
            "sqlite:///file, or run this where the bot runs."
        )


def _is_there(file: str) -> bool:
    try:
        return Path(file).is_file()
    except (OSError, ValueError):
        return False


def _check_shape(engine: sa.Engine) -> None:
    try:
        found, known = schema_versions(engine)
    except UnsupportedDatabase as error:
        raise Refused(str(error)) from None
    if not found:
        raise Refused("This database has no audit: the bot has never run on it.")
    if found < known:
        raise Refused(
            "This database was written by an older version of the bot, and is not changed here. "
            "Start this version's bot on it once, or read it with the version that wrote it."
        )
    if found > known:
        raise Refused("This database was written by a newer version of the bot. Use that one.")


def moment(text: str, now: datetime) -> datetime:
    """Read 2026-11-01, 2026-11-01T10:00 (UTC unless it says otherwise), 7d or 12h."""
    try:
        if span := re.fullmatch(r"([0-9]+)([dh])", text):
            return now - int(span[1]) * UNITS[span[2]]
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Refused(
            "--since can't be read. Give a day such as 2026-11-01, a time such as "
            "2026-11-01T10:00, or a span such as 7d or 12h."
        ) from None


def verify(database: str = "", noted: str = "") -> bool:
    """Print whether the audit is whole; returns whether it is."""
    if noted and not re.fullmatch(r"[0-9a-fA-F]{64}", noted.strip()):
        raise Refused("--noted is no head: it has 64 hexadecimal digits.")
    with opened(database) as engine, _progress(shown=True) as progress:
        bar = progress.add_task("verifying", total=None)

        def told(done: int, of: int) -> None:
            progress.update(bar, completed=done, total=of)

        found = audit_log.verify(engine, expected_head=noted, on_progress=told)
    with _standard_output() as sheet:
        sheet.writelines(f"{line}\n" for line in _verdict(found))
    return not found.total


def _verdict(found: audit_log.Verified) -> Iterator[str]:
    for _number, sentence in found.problems:
        yield sentence
    if unnamed := found.total - len(found.problems):
        yield f"And {unnamed} more."
    if found.total:
        yield f"Problems: {found.total}, in {found.records} records. Keep the database as it is."
        return
    yield f"The audit is whole: {found.records} records."
    yield f"Head: {found.head}"
    yield (
        "Write the head down where the bot's database can't be reached: "
        "`secmaster-bot audit verify --noted HEAD` then finds a replaced tail too."
    )


def export(form: str, database: str = "", since: str = "", output: Path | None = None) -> None:
    """Write the records since then, oldest first, to a new file or to standard output."""
    if form not in WRITERS:
        raise Refused(f"--format is one of {', '.join(WRITERS)}.")
    start = moment(since, datetime.now(UTC)) if since else None
    with opened(database) as engine, _sheet(output) as sheet:
        # On a terminal of its own only: a bar between the lines of the copy helps nobody.
        shown = output is not None or not sys.stdout.isatty()
        with _progress(shown=shown) as progress:
            records = audit_log.entries(engine, since=start)
            total = None if progress.disable else audit_log.count(engine, start)
            WRITERS[form](progress.track(records, total=total, description="exporting"), sheet)


def _progress(*, shown: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not (shown and sys.stderr.isatty()))


@contextmanager
def _sheet(output: Path | None) -> Iterator[TextIO]:
    """Open what is written to; half a file does not stay."""
    if output is None:
        with _standard_output() as sheet:
            yield sheet
        return
    try:
        sheet = output.open("x", encoding="utf-8", errors="backslashreplace", newline="")
    except FileExistsError:
        raise Refused(f"{output} is there already. Name a new file with --output.") from None
    except OSError as wrong:
        raise Refused(f"{output} can't be written: {wrong.strerror}.") from None
    try:
        with sheet:
            yield sheet
    except OSError as wrong:
        output.unlink()
        raise Refused(f"{output} can't be written: {wrong.strerror}.") from None
    except BaseException:
        output.unlink()
        raise


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    own = sys.stdout.fileno()
    with os.fdopen(
        own, "w", encoding="utf-8", errors="backslashreplace", newline="", closefd=False
    ) as sheet:
        try:
            yield sheet
            sheet.flush()
        except OSError as wrong:
            # What is still buffered must go somewhere.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), own)
            if not isinstance(wrong, BrokenPipeError):  # whoever reads may have seen enough
                raise Refused(f"The output can't be written: {wrong.strerror}.") from None


def _write_jsonl(records: Iterable[Record], sheet: TextIO) -> None:
    sheet.writelines(_json(record) + "\n" for record in records)


def _write_csv(records: Iterable[Record], sheet: TextIO) -> None:
    rows = csv.writer(sheet)
    rows.writerow(COLUMNS)
    for record in records:
        rows.writerow([_defused(cell) for cell in _cells(record)])


def _write_md(records: Iterable[Record], sheet: TextIO) -> None:
    sheet.write(_line(COLUMNS) + _line("---" for _ in COLUMNS))
    sheet.writelines(_line(_escaped(cell) for cell in _cells(record)) for record in records)


WRITERS: dict[str, Writer] = {"jsonl": _write_jsonl, "csv": _write_csv, "md": _write_md}


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _cells(record: Record) -> list[str]:
    left = dict(_flat(record))
    known = {name: _cell(left.pop(name, None)) for name in COLUMNS if name != "more"}
    known["more"] = _json(left) if left else ""
    return [known[name] for name in COLUMNS]


def _flat(record: Record) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name in ("actor", "location", "terms") and isinstance(value, dict):
            yield from ((f"{name}.{part}", kept) for part, kept in value.items())
        else:
            yield name, value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return (
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )


def _defused(cell: str) -> str:
    """Keep a spreadsheet from taking text for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _escaped(cell: str) -> str:
    """Keep text in its cell, and from being anything but text there."""
    plain = re.sub(r"[\\`*_\[\]~|]", r"\\\g<0>", html.escape(cell, quote=False))
    plain = re.sub(r"\r\n?|\n", "<br>", plain)
    return "".join(f"U+{ord(each):04X}" if _unseen(each) else each for each in plain)


def _unseen(character: str) -> bool:
    kind = unicodedata.category(character)
    return (kind[0] == "C" and character != "\u200d") or kind in ("Zl", "Zp")
