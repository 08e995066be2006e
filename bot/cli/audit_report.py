"""Verify the audit, or copy it, for an auditor who has nothing but the database.

The database is only read. How records are chained is known to ``bot.store.audit_log`` alone.
"""

import os
import re
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from rich.console import Console
from rich.progress import Progress

from bot.cli.audit_formats import (
    Heading,
    Record,
    write_csv,
    write_html,
    write_jsonl,
    write_report,
)
from bot.domain.actions import BY_NAME
from bot.domain.audit import OUTCOME_WORDS, AuditQuery, read_edge
from bot.messages.audit_history import OTHER_RECORDS
from bot.operations.audit_stories import audited_records
from bot.settings import SettingsError, load_database
from bot.store import (
    AuditKey,
    Store,
    UnsupportedDatabase,
    audit_log,
    connect,
    key_of,
    open_read_only,
    schema_versions,
    use_key,
    why_unusable,
)
from handlers.parsing import identifier

DELIMITERS = (",", ";", "\t")  # of a CSV's cells
FORMATS = ("jsonl", "csv", "report", "html")
# The names under which the audit has what is done to no task and no run.
OTHER_ACTIONS = tuple(dict.fromkeys(name for name, _is_done in OTHER_RECORDS))


class AuditUnavailable(Exception):
    """The audit can't be read or copied; the text says why, and what to do now."""


def verify(database: str = "", noted: str = "") -> bool:
    """Print whether the audit is whole, and return it.

    ``noted`` is a head that was written down earlier: it must still occur. Raises
    AuditUnavailable.
    """
    with open_audit(database) as engine:
        verified = read_all(engine, noted)
    with standard_output() as file:
        file.writelines(f"{line}\n" for line in verdict(verified))
    return not verified.total


def sign(database: str = "", noted: str = "") -> bool:
    """Sign the head of an audit that is whole, print the verdict, and return whether it is.

    For an audit that began without a key, or has a new one. Raises AuditUnavailable.
    """
    with open_audit(database, connect) as engine:
        key = key_of(engine)
        if key is None:
            raise AuditUnavailable("AUDIT_KEY is not set, so nothing can be signed.")
        use_key(engine, None)  # that it is not signed yet is no problem now
        verified = read_all(engine, noted)
        use_key(engine, key)
        if not verified.total:
            with engine.begin() as connection:
                if not audit_log.sign(connection, number=verified.records, head=verified.head):
                    raise AuditUnavailable(
                        "Nothing was signed: the bot recorded something meanwhile. Stop it, and "
                        "sign again."
                    )
            verified = replace(verified, is_signed=True)
    with standard_output() as file:
        file.writelines(f"{line}\n" for line in verdict(verified))
        if verified.total:
            file.write("Nothing was signed.\n")
    return not verified.total


def read_all(engine: sa.Engine, noted: str) -> audit_log.Verified:
    """Verify the whole audit, and show on a terminal how far that is; raises AuditUnavailable."""
    if noted and not re.fullmatch(r"[0-9a-fA-F]{64}", noted.strip()):
        raise AuditUnavailable("--noted is not a head. A head has 64 hexadecimal digits.")
    with progress_bar(visible=True) as progress:
        bar = progress.add_task("verifying", total=None)

        def show_progress(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        return audit_log.verify(engine, expected_head=noted, on_progress=show_progress)


def verdict(verified: audit_log.Verified) -> Iterator[str]:
    """Yield the lines that tell an auditor what was verified, and what to do with it."""
    for _number, sentence in verified.problems:
        yield sentence
    if unlisted := verified.total - len(verified.problems):
        yield f"And {unlisted} more."
    if verified.total:
        yield (
            f"Problems: {verified.total}, in {verified.records} records. "
            "Keep the database as it is."
        )
        return
    yield f"The audit is intact: {verified.records} records."
    yield f"Head: {verified.head}"
    if verified.is_signed:
        yield "The head is signed with AUDIT_KEY."
    else:
        yield (
            "Without AUDIT_KEY nobody can tell whether records at the end were cut off, or "
            "rewritten together with the head."
        )
    yield (
        "Write the head down where the bot's database can't be reached: "
        "`secmaster-bot audit verify --noted HEAD` then finds a replaced tail too."
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are copied, as it was typed; "" selects all."""

    person: str = ""
    object: str = ""
    action: str = ""
    outcome: str = ""
    since: str = ""
    until: str = ""
    zone: str = "UTC"

    def query(self, now: datetime) -> AuditQuery:
        """Return it read; raises AuditUnavailable."""
        names = {*BY_NAME, *(action.verb for action in BY_NAME.values()), *OTHER_ACTIONS}
        if self.action and self.action not in names:
            raise AuditUnavailable(f"--action is one of {', '.join(sorted(names))}.")
        if self.outcome and self.outcome not in OUTCOME_WORDS:
            raise AuditUnavailable(f"--outcome is one of {', '.join(OUTCOME_WORDS)}.")
        return AuditQuery(
            person=self.person.removeprefix("@"),
            object=identifier(self.object) if "://" in self.object else self.object,
            action=self.action,
            outcome=self.outcome,
            since=self._edge("--from", self.since, now, is_end=False),
            until=self._edge("--until", self.until, now, is_end=True),
        )

    def time_zone(self) -> ZoneInfo:
        """Return the zone in which times are read and written; raises AuditUnavailable."""
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise AuditUnavailable(
                "--zone is not a time zone. Give a name such as Europe/Berlin or Asia/Shanghai."
            ) from None

    def _edge(self, option: str, text: str, now: datetime, *, is_end: bool) -> datetime | None:
        if not text:
            return None
        try:
            return read_edge(text, now, self.time_zone(), is_end=is_end)
        except (ValueError, OverflowError):
            raise AuditUnavailable(
                f"{option} can't be read. Give a day such as 2026-11-01, a time such as "
                "2026-11-01T10:00, or a span such as 7d or 12h."
            ) from None

    @property
    def filters(self) -> list[tuple[str, str]]:
        """What was typed, each with its label, for the report's heading."""
        pairs = (
            ("Person", self.person),
            ("Object", self.object),
            ("Action", self.action),
            ("Outcome", self.outcome),
            ("From", self.since),
            ("Until", self.until),
        )
        return [(label, text) for label, text in pairs if text]


def export(  # noqa: PLR0913 - an option each
    form: str,
    database: str = "",
    selection: Selection | None = None,
    output: Path | None = None,
    *,
    with_bom: bool = True,
    delimiter: str = ",",
) -> None:
    """Write the records that are selected, oldest first, to a new file or to standard output.

    ``form`` is one of FORMATS. Raises AuditUnavailable.
    """
    if form not in FORMATS:
        raise AuditUnavailable(f"--format is one of {', '.join(FORMATS)}.")
    if delimiter not in DELIMITERS:
        raise AuditUnavailable("--delimiter is a comma, a semicolon, or a tab.")
    now = datetime.now(UTC)
    selection = selection or Selection()
    query, zone = selection.query(now), selection.time_zone()
    destination = new_file(output) if output else standard_output()
    # A bar between the lines of the copy on the same terminal helps nobody.
    visible = output is not None or not sys.stdout.isatty()
    with (
        open_audit(database) as engine,
        destination as file,
        progress_bar(visible=visible) as progress,
    ):
        total = None if progress.disable else audit_log.count(engine, query.since, query.until)
        records = progress.track(
            audit_log.entries(engine, since=query.since, until=query.until),
            total=total,
            description="exporting",
        )
        # Left open by a broken pipe, it would wait for its thread when Python 3.13 shuts down,
        # and by then the thread never ends.
        with closing(cast("Generator[Record, None, None]", records)) as tracked:
            selected = (record for record in tracked if query.matches(record))
            if form == "jsonl":
                write_jsonl(selected, file)
            elif form == "csv":
                write_csv(selected, file, with_bom=with_bom, delimiter=delimiter)
            else:
                heading = Heading(selection.filters, now, zone, audit_log.head(engine))
                write = write_html if form == "html" else write_report
                write(audited_records(Store(engine), selected), file, heading)


@contextmanager
def open_audit(
    database: str, open_engine: Callable[[str], sa.Engine] = open_read_only
) -> Iterator[sa.Engine]:
    """Open a database of this version: the one that is named, or that of the settings.

    It has the settings' key. Raises AuditUnavailable, also for what fails while it is read.
    """
    try:
        database_settings = load_database(database)
    except SettingsError as error:
        raise AuditUnavailable(f"{error}.") from None
    url = database_settings.database_url
    if url.startswith("sqlite"):
        require_file(sa.make_url(url).database or "")
    try:
        engine = open_engine(url)
        if database_settings.audit_key:
            use_key(engine, AuditKey(database_settings.audit_key.get_secret_value()))
        try:
            require_this_version(engine)
            yield engine
        finally:
            engine.dispose()
    except sa.exc.SQLAlchemyError as error:
        raise AuditUnavailable(f"DATABASE_URL can't be used: {why_unusable(error)}.") from None


def require_file(name: str) -> None:
    """Raise AuditUnavailable unless there is a file of this name."""
    try:
        exists = bool(name) and Path(name).is_file()
    except (OSError, ValueError):  # no file can have this name
        exists = False
    if not exists:
        raise AuditUnavailable(
            f"There is no database {name or 'file'} here. Name the bot's with --database "
            "sqlite:///file, or run this where the bot runs."
        )


def require_this_version(engine: sa.Engine) -> None:
    """Raise AuditUnavailable unless the tables are those of this version."""
    try:
        current, newest = schema_versions(engine)
    except UnsupportedDatabase as error:
        raise AuditUnavailable(str(error)) from None
    if not current:
        raise AuditUnavailable("This database has no audit: the bot has never run on it.")
    if current < newest:
        raise AuditUnavailable(
            "This database was written by an older version of the bot, and is not changed here. "
            "Start this version's bot on it once, or read it with the version that wrote it."
        )


def progress_bar(*, visible: bool) -> Progress:
    """Return a progress display on standard error; it shows only on a terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not (visible and sys.stderr.isatty()))


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """Open a file that is not there yet; unless all is written, none stays.

    Raises AuditUnavailable.
    """
    try:
        file = path.open("x", encoding="utf-8", errors="backslashreplace", newline="")
    except FileExistsError:
        raise AuditUnavailable(f"{path} already exists. Name a new file with --output.") from None
    except OSError as error:
        raise AuditUnavailable(f"{path} can't be written: {error.strerror}.") from None
    try:
        with file:
            yield file
    except OSError as error:
        path.unlink()
        raise AuditUnavailable(f"{path} can't be written: {error.strerror}.") from None
    except BaseException:
        path.unlink()
        raise


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Open standard output as UTF-8; a reader who closes it early ends the writing quietly.

    Raises AuditUnavailable.
    """
    descriptor = sys.stdout.fileno()
    with os.fdopen(
        descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="", closefd=False
    ) as file:
        try:
            yield file
            file.flush()
        except OSError as error:
            # What is still buffered must go somewhere.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), descriptor)
            if not isinstance(error, BrokenPipeError):  # the reader may have seen enough
                raise AuditUnavailable(f"The output can't be written: {error.strerror}.") from None
