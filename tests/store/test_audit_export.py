"""What an auditor types, with nothing but the database."""

import csv
import hashlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import audit_formats as audit_report
from bot.cli.audit_formats import COLUMNS
from bot.cli.audit_report import AuditUnavailable as Refused
from bot.cli.audit_report import parse_since as moment
from bot.store import audit_log, connect
from tests.store.ledger import do, entry, opened, write

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
any_text = st.text(st.characters(exclude_categories=()))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """The database where it is if nothing is set, with three records."""
    with opened(f"sqlite:///{tmp_path / 'secmaster-bot.db'}", 3) as engine:
        yield engine


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bot", "audit", *arguments]


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **more}


def audit(*arguments: str, folder: Path, **more: str) -> tuple[int, str, str]:
    """Run ``secmaster-bot audit``; returns its exit code, its output and its complaints."""
    ended = subprocess.run(
        command_line(*arguments),
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        timeout=45,
        check=False,
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def refused(*arguments: str, folder: Path, **more: str) -> str:
    """The one sentence or two that are said instead."""
    code, said, complaint = audit(*arguments, folder=folder, **more)
    assert (code, said) == (2, "")
    assert len(complaint.splitlines()) == 1
    return complaint


def test_a_whole_audit_is_said_to_be_whole_with_its_head(engine: sa.Engine, tmp_path: Path):
    head = audit_log.verify(engine).head
    code, said, complaint = audit("verify", folder=tmp_path)
    assert (code, complaint) == (0, "")
    assert said.splitlines()[:2] == ["The audit is whole: 3 records.", f"Head: {head}"]
    assert "--noted" in said
    write(engine, 1, first=4)
    code, said, _ = audit("verify", "--noted", head, folder=tmp_path)
    assert code == 0
    assert "4 records" in said


def test_every_problem_is_said_and_ends_in_failure(engine: sa.Engine, tmp_path: Path):
    do(engine, "UPDATE audit SET record = replace(record, 'Alice', 'Bob') WHERE number = 2")
    code, said, complaint = audit("verify", "--noted", "f" * 64, folder=tmp_path)
    assert (code, complaint) == (1, "")
    assert said.splitlines() == [
        "Record 2 was changed, or its hash was, or it does not belong here.",
        "The head that was noted does not occur: records were replaced since, or cut off.",
        "Problems: 2, in 3 records. Keep the database as it is.",
    ]


@pytest.mark.usefixtures("engine")
def test_what_is_no_head_is_not_looked_for(tmp_path: Path):
    assert "64 hexadecimal digits" in refused("verify", "--noted", "abc", folder=tmp_path)


@pytest.mark.parametrize("asked", ["verify", "export"])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, asked: str):
    for arguments in ((), ("--database", "sqlite:///other.db"), ("--database", "sqlite:///")):
        assert "There is no database" in refused(asked, *arguments, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["mysql://host/bot", "bot.db", "postgresql://[/bot"])
def test_what_names_no_database_is_refused(tmp_path: Path, address: str):
    assert "DATABASE_URL must be" in refused("verify", "--database", address, folder=tmp_path)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path):
    address = "postgresql://bot:secret-1@127.0.0.1:9/bot"
    said = refused("verify", folder=tmp_path, DATABASE_URL=address)
    assert "The database can't be read: OperationalError." in said
    assert "secret-1" not in said


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "secmaster-bot.db").write_bytes(b"no database at all" * 100)
    assert "The database can't be read" in refused("verify", folder=tmp_path)


def test_a_database_from_before_the_first_release_is_refused_and_stays_as_it_is(tmp_path: Path):
    engine = connect(f"sqlite:///{tmp_path / 'secmaster-bot.db'}")
    do(engine, "CREATE TABLE bot_schema_version (version_num VARCHAR(32))")
    for command in ("verify", "export"):
        assert "before the first release" in refused(command, folder=tmp_path)
    assert sa.inspect(engine).get_table_names() == ["bot_schema_version"]
    engine.dispose()


def test_a_newer_database_and_an_empty_one_are_refused(engine: sa.Engine, tmp_path: Path):
    do(engine, "UPDATE secmaster_bot_version SET version_num = '9999'")
    assert "a newer version" in refused("verify", folder=tmp_path)
    do(engine, "DELETE FROM secmaster_bot_version")
    assert "has no audit" in refused("verify", folder=tmp_path)
    (tmp_path / "empty.db").touch()
    said = refused("verify", "--database", "sqlite:///empty.db", folder=tmp_path)
    assert "has no audit" in said


@pytest.mark.usefixtures("engine")
def test_the_database_is_found_as_the_bot_finds_it(tmp_path: Path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    address = f"sqlite:///{tmp_path / 'secmaster-bot.db'}"
    assert audit("verify", folder=folder, DATABASE_URL=address)[0] == 0
    assert audit("verify", "--database", address, folder=folder, DATABASE_URL="x")[0] == 0
    (folder / ".env").write_text(f"DATABASE_URL={address}\nSLACK_BOT_TOKEN=\n")
    assert audit("verify", folder=folder)[0] == 0
    assert [path.name for path in folder.iterdir()] == [".env"]


def test_a_file_of_any_name_is_opened(tmp_path: Path):
    name = "a b?mode=memory&#%41.db"
    with opened(f"sqlite:///{tmp_path / 'plain.db'}", 3):
        pass
    (tmp_path / "plain.db").rename(tmp_path / name)
    address = sa.URL.create("sqlite", database=name).render_as_string()
    code, said, _ = audit("verify", "--database", address, folder=tmp_path)
    assert (code, said.splitlines()[0]) == (0, "The audit is whole: 3 records.")


def test_records_are_copied_one_a_line(engine: sa.Engine, tmp_path: Path):
    code, said, complaint = audit("export", folder=tmp_path)
    assert (code, complaint) == (0, "")
    kept = list(audit_log.entries(engine))
    assert [json.loads(line) for line in said.splitlines()] == kept
    code, said, _ = audit("export", "--since", "2026-11-01T12:00", folder=tmp_path)
    assert [json.loads(line) for line in said.splitlines()] == kept[1:]
    assert audit("export", "--since", "2099-01-01", folder=tmp_path) == (0, "", "")


def test_a_copy_can_be_verified_without_the_bot(engine: sa.Engine, tmp_path: Path):
    with engine.begin() as connection:
        audit_log.append(connection, entry(4, reason="é 审批 \ud83d\0", half=0.5))
    _, said, _ = audit("export", folder=tmp_path)
    before = "0" * 64
    for line in said.splitlines():
        record = json.loads(line)
        told = record.pop("hash")
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256((before + text).encode()).hexdigest() == told
        before = told
    assert before == audit_log.verify(engine).head


def test_a_spreadsheet_gets_columns_and_no_formula(engine: sa.Engine, tmp_path: Path):
    odd = {"reason": '=HYPERLINK("http://x")', "rule": 'a,\r\n"b"', "votes": [1], "status": 7}
    with engine.begin() as connection:
        audit_log.append(
            connection, entry(4, actor={"id": "U1", "name": "@all", "team": "T1"}, **odd)
        )
    code, said, _ = audit("export", "--format", "csv", folder=tmp_path)
    assert code == 0
    heading, *rows = csv.reader(io.StringIO(said, newline=""))
    assert tuple(heading) == COLUMNS
    last = dict(zip(heading, rows[-1], strict=True))
    assert (last["number"], last["at"]) == ("4", "2026-11-01T14:00:00.000000+00:00")
    assert last["reason"] == '\'=HYPERLINK("http://x")'
    assert last["actor.name"] == "'@all"
    assert last["rule"] == 'a,\r\n"b"'
    assert last["params"] == '{"action": "isolate"}'
    assert last["more"] == '{"actor.team":"T1","votes":[1]}'
    assert (last["status"], last["detail"]) == ("7", "")
    assert last["hash"] == audit_log.verify(engine).head


def test_a_page_gets_a_table_that_nothing_in_it_breaks(engine: sa.Engine, tmp_path: Path):
    odd = "a|b `c` <b>&\r\nd [e](http://x) \\"
    with engine.begin() as connection:
        audit_log.append(connection, entry(4, reason=odd))
    code, said, _ = audit("export", "--format", "md", folder=tmp_path)
    assert code == 0
    assert len(said.splitlines()) == 2 + 4
    assert said.startswith("| number | at | ")
    escaped = r"a\|b \`c\` &lt;b&gt;&amp;<br>d \[e\](http://x) \\"
    assert f" | {escaped} | " in said.splitlines()[-1]


@given(texts=st.lists(any_text, min_size=3, max_size=3))
def test_no_text_leaves_its_cell(texts: list[str]):
    record = {"number": 1, "reason": texts[0], "actor": {"id": texts[1]}, "hash": texts[2]}
    table = io.StringIO()
    audit_report.WRITERS["md"]([record], table)
    [_, _, line] = table.getvalue().splitlines()
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == len(COLUMNS) + 1
    assert not re.search(r"<(?!br>)|>(?<!<br>)", line)
    sheet = io.StringIO(newline="")
    audit_report.WRITERS["csv"]([record], sheet)
    sheet.seek(0)
    _, row = csv.reader(sheet)
    told = dict(zip(COLUMNS, row, strict=True))
    for name, text in zip(("reason", "actor.id", "hash"), texts, strict=True):
        assert told[name] in (text, f"'{text}")
        assert told[name][:1] not in tuple("=+-@\t\r")


def test_a_record_that_is_json_no_longer_is_copied_as_it_is(engine: sa.Engine, tmp_path: Path):
    do(engine, "UPDATE audit SET record = '{oops', at = CAST(X'ff' AS TEXT) WHERE number = 2")
    code, said, _ = audit("export", folder=tmp_path)
    assert code == 0
    second = json.loads(said.splitlines()[1])
    assert (second["number"], second["record"], second["at"]) == (2, "{oops", "\\xff")


def test_a_reader_who_has_seen_enough_ends_it_quietly(engine: sa.Engine, tmp_path: Path):
    write(engine, 3000, first=4)
    with subprocess.Popen(
        command_line("export"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert json.loads(child.stdout.readline())["number"] == 1
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


@pytest.mark.usefixtures("engine")
def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path):
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            command_line("export"),
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr.decode() == "The output can't be written: No space left on device.\n"


@pytest.mark.usefixtures("engine")
def test_a_copy_goes_to_a_new_file_alone(tmp_path: Path):
    copy = tmp_path / "copy.jsonl"
    assert audit("export", "--output", str(copy), folder=tmp_path) == (0, "", "")
    assert len(copy.read_text().splitlines()) == 3
    copy.write_text("kept")
    assert "is there already" in refused("export", "--output", str(copy), folder=tmp_path)
    assert copy.read_text() == "kept"
    nowhere = str(tmp_path / "nowhere" / "copy.jsonl")
    assert "can't be written" in refused("export", "--output", nowhere, folder=tmp_path)


@pytest.mark.usefixtures("engine")
def test_a_terminal_is_shown_how_far_it_is(tmp_path: Path):
    ours, theirs = pty.openpty()
    subprocess.run(
        command_line("export", "--output", "copy.jsonl"),
        cwd=tmp_path,
        env=environment(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "exporting" in shown


@pytest.mark.usefixtures("engine")
def test_what_cannot_be_asked_is_refused(tmp_path: Path):
    assert "--since can't be read" in refused("export", "--since", "yesterday", folder=tmp_path)
    assert "jsonl, csv, md" in refused("export", "--format", "xml", folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00Z", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00+08:00", datetime(2026, 11, 1, 10, tzinfo=timezone(timedelta(hours=8)))),
        ("7d", NOW - timedelta(days=7)),
        ("12h", NOW - timedelta(hours=12)),
    ],
)
def test_a_time_may_be_given_in_many_ways(text: str, meant: datetime):
    assert moment(text, NOW) == meant


@pytest.mark.parametrize(
    "text", ["", "d", "7", "7 days", "-7d", "9999999d", "9" * 5000 + "h", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(Refused, match="2026-11-01T10:00"):
        moment(text, NOW)
