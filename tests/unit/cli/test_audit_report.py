"""What an auditor types, with nothing but the database."""

import csv
import hashlib
import io
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import audit_report
from bot.cli.audit_formats import COLUMNS, write_csv
from bot.cli.audit_report import AuditUnavailable, Selection
from bot.domain.audit import read_edge
from bot.store import audit_log, connect
from tests.support.audit import do, entry, open_audit, write
from tests.support.command_line import BOT, CommandResult, process_environment, run_command

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ZONE = timezone(timedelta(hours=8))
any_text = st.text(st.characters(exclude_categories=()))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """The database where it is if nothing is set, with three records."""
    with open_audit(f"sqlite:///{tmp_path / 'secmaster-bot.db'}", 3) as engine:
        yield engine


def audit(*arguments: str, folder: Path, **environment: str) -> CommandResult:
    """Run ``secmaster-bot audit`` in this process."""
    return run_command("audit", *arguments, folder=folder, **environment)


def refusal(*arguments: str, folder: Path, **environment: str) -> str:
    """Return the one line that a command says instead of doing anything."""
    result = audit(*arguments, folder=folder, **environment)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_a_whole_audit_is_said_to_be_whole_with_its_head(engine: sa.Engine, tmp_path: Path) -> None:
    head = audit_log.verify(engine).head
    result = audit("verify", folder=tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[:2] == ["The audit is intact: 3 records.", f"Head: {head}"]
    assert "--noted" in result.stdout
    write(engine, 1, first=4)
    result = audit("verify", "--noted", head, folder=tmp_path)
    assert result.exit_code == 0
    assert "4 records" in result.stdout


def test_every_problem_is_said_and_ends_in_failure(engine: sa.Engine, tmp_path: Path) -> None:
    do(engine, "UPDATE audit SET record = replace(record, 'Alice', 'Bob') WHERE number = 2")
    result = audit("verify", "--noted", "f" * 64, folder=tmp_path)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines() == [
        "Record 2 was changed, or its hash was, or it does not belong here.",
        "The head that was noted does not occur: records were replaced since, or cut off.",
        "Problems: 2, in 3 records. Keep the database as it is.",
    ]


KEY = "0123456789abcdef"
NOT_SIGNED = "The head is not signed with AUDIT_KEY: "


def test_an_audit_that_began_without_a_key_is_signed_when_asked(
    engine: sa.Engine, tmp_path: Path
) -> None:
    assert "Without AUDIT_KEY nobody can tell" in audit("verify", folder=tmp_path).stdout
    result = audit("verify", folder=tmp_path, AUDIT_KEY=KEY)
    assert result.exit_code == 1
    assert result.stdout.startswith(NOT_SIGNED)
    result = audit("sign", folder=tmp_path, AUDIT_KEY=KEY)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == "The audit is intact: 3 records."
    assert "The head is signed with AUDIT_KEY." in result.stdout
    result = audit("verify", folder=tmp_path, AUDIT_KEY=KEY)
    assert result.exit_code == 0
    assert "The head is signed with AUDIT_KEY." in result.stdout
    do(engine, "DELETE FROM audit WHERE number = 3")
    do(engine, "UPDATE audit_head SET number = 2, hash = (SELECT hash FROM audit WHERE number=2)")
    assert audit("verify", folder=tmp_path).exit_code == 0
    result = audit("verify", folder=tmp_path, AUDIT_KEY=KEY)
    assert result.exit_code == 1
    assert result.stdout.startswith(NOT_SIGNED)


def test_what_is_not_whole_is_not_signed(engine: sa.Engine, tmp_path: Path) -> None:
    do(engine, "UPDATE audit SET target = 'x' WHERE number = 2")
    result = audit("sign", folder=tmp_path, AUDIT_KEY=KEY)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "Nothing was signed."
    noted = audit("sign", "--noted", "f" * 64, folder=tmp_path, AUDIT_KEY=KEY)
    assert "The head that was noted does not occur" in noted.stdout
    result = audit("verify", folder=tmp_path, AUDIT_KEY=KEY)
    assert NOT_SIGNED in result.stdout


@pytest.mark.usefixtures("engine")
def test_without_a_key_or_with_a_short_one_nothing_is_signed(tmp_path: Path) -> None:
    assert refusal("sign", folder=tmp_path).startswith("AUDIT_KEY is not set")
    sentence = refusal("verify", folder=tmp_path, AUDIT_KEY="hunter2")
    assert sentence.startswith("AUDIT_KEY: ")
    assert "hunter2" not in sentence


@pytest.mark.usefixtures("engine")
def test_what_is_no_head_is_not_looked_for(tmp_path: Path) -> None:
    assert "64 hexadecimal digits" in refusal("verify", "--noted", "abc", folder=tmp_path)


@pytest.mark.parametrize("command", ["verify", "export"])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, command: str) -> None:
    for arguments in ((), ("--database", "sqlite:///other.db")):
        assert "There is no database" in refusal(command, *arguments, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["mysql://host/bot", "bot.db", "postgresql://[/bot", "sqlite:///"]
)
def test_what_names_no_database_is_refused(tmp_path: Path, address: str) -> None:
    assert "DATABASE_URL must be" in refusal("verify", "--database", address, folder=tmp_path)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    address = "postgresql://bot:secret-1@127.0.0.1:9/bot"
    sentence = refusal("verify", folder=tmp_path, DATABASE_URL=address)
    assert "DATABASE_URL can't be used: " in sentence
    assert "secret-1" not in sentence


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secmaster-bot.db").write_bytes(b"no database at all" * 100)
    assert "DATABASE_URL can't be used: the file" in refusal("verify", folder=tmp_path)


def test_a_database_from_before_the_first_release_is_refused_and_stays_as_it_is(
    tmp_path: Path,
) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'secmaster-bot.db'}")
    do(engine, "CREATE TABLE bot_schema_version (version_num VARCHAR(32))")
    for command in ("verify", "export"):
        assert "before the first release" in refusal(command, folder=tmp_path)
    assert sa.inspect(engine).get_table_names() == ["bot_schema_version"]
    engine.dispose()


def test_a_newer_database_and_an_empty_one_are_refused(engine: sa.Engine, tmp_path: Path) -> None:
    do(engine, "UPDATE secmaster_bot_version SET version_num = '9999'")
    assert "a newer version" in refusal("verify", folder=tmp_path)
    do(engine, "DELETE FROM secmaster_bot_version")
    assert "has no audit" in refusal("verify", folder=tmp_path)
    (tmp_path / "empty.db").touch()
    address = "sqlite:///empty.db"
    assert "has no audit" in refusal("verify", "--database", address, folder=tmp_path)


@pytest.mark.usefixtures("engine")
def test_the_database_is_found_as_the_bot_finds_it(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    address = f"sqlite:///{tmp_path / 'secmaster-bot.db'}"
    assert audit("verify", folder=folder, DATABASE_URL=address).exit_code == 0
    assert audit("verify", "--database", address, folder=folder, DATABASE_URL="x").exit_code == 0
    (folder / ".env").write_text(f"DATABASE_URL={address}\nSLACK_BOT_TOKEN=\n")
    assert audit("verify", folder=folder).exit_code == 0
    assert [path.name for path in folder.iterdir()] == [".env"]


def test_a_file_of_any_name_is_opened(tmp_path: Path) -> None:
    name = "a b?mode=memory&#%41.db"
    with open_audit(f"sqlite:///{tmp_path / 'plain.db'}", 3):
        pass
    (tmp_path / "plain.db").rename(tmp_path / name)
    address = sa.URL.create("sqlite", database=name).render_as_string()
    result = audit("verify", "--database", address, folder=tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "The audit is intact: 3 records."


def test_records_are_copied_one_a_line(engine: sa.Engine, tmp_path: Path) -> None:
    result = audit("export", folder=tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    records = list(audit_log.entries(engine))
    assert [json.loads(line) for line in result.stdout.splitlines()] == records
    result = audit("export", "--since", "2026-11-01T12:00", folder=tmp_path)
    assert [json.loads(line) for line in result.stdout.splitlines()] == records[1:]
    assert audit("export", "--since", "2099-01-01", folder=tmp_path) == CommandResult(0, "", "")


def test_a_copy_can_be_verified_without_the_bot(engine: sa.Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        audit_log.append(connection, entry(4, reason="é 审批 \ud83d\0", half=0.5))
    result = audit("export", folder=tmp_path)
    before = "0" * 64
    for line in result.stdout.splitlines():
        record = json.loads(line)
        chained_hash = record.pop("hash")
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256((before + text).encode()).hexdigest() == chained_hash
        before = chained_hash
    assert before == audit_log.verify(engine).head


def rows_of(sheet: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file, by its heading."""
    return list(csv.DictReader(io.StringIO(sheet, newline="")))


def test_a_spreadsheet_gets_plain_columns_and_no_formula(engine: sa.Engine, tmp_path: Path) -> None:
    odd = {"reason": '=HYPERLINK("http://x")', "rule": 'a,\r\n"b"', "status": 7}
    odd |= {"workflow": "Isolate host", "until": "18:00", "for": "me"}
    approvals = [{"actor": {"id": "U0BOB", "name": "Bob"}, "reason": "误报"}]
    with engine.begin() as connection:
        audit_log.append(
            connection,
            entry(4, actor={"id": "U1", "name": "@all"}, co_approvers=approvals, **odd),
        )
    result = audit("export", "--format", "csv", folder=tmp_path)
    assert result.exit_code == 0
    assert result.stdout.startswith("\ufeffnumber,time,outcome,")
    last = rows_of(result.stdout.removeprefix("\ufeff"))[-1]
    assert tuple(last) == tuple(COLUMNS)
    assert (last["number"], last["time"]) == ("4", "2026-11-01T14:00:00.000000+00:00")
    assert last["reason"] == '\'=HYPERLINK("http://x")'
    assert last["person_name"] == "'@all"
    assert last["rule"] == 'a,\r\n"b"'
    assert last["parameters"] == "action=isolate"
    assert last["other_approvers"] == "Bob (U0BOB): 误报"
    assert (last["object_kind"], last["object_id"], last["workspace"]) == ("task", "t0", "main")
    assert (last["http_status"], last["why"]) == ("7", "")
    assert last["hash"] == audit_log.verify(engine).head
    assert (last["object_name"], last["until"], last["for"]) == ("Isolate host", "18:00", "me")
    assert not [cell for cell in last.values() if cell.startswith(("{", "["))]
    plain = audit("export", "--format", "csv", "--no-bom", folder=tmp_path)
    assert f"\ufeff{plain.stdout}" == result.stdout
    options = ("--format", "csv", "--no-bom", "--delimiter", ";")
    european = audit("export", *options, folder=tmp_path)
    sheet = csv.DictReader(io.StringIO(european.stdout, newline=""), delimiter=";")
    assert [*sheet] == rows_of(plain.stdout)


@given(texts=st.lists(any_text, min_size=3, max_size=3))
def test_no_text_leaves_its_cell(texts: list[str]) -> None:
    record = {"number": 1, "reason": texts[0], "actor": {"id": texts[1]}, "hash": texts[2]}
    sheet = io.StringIO(newline="")
    write_csv([record], sheet, with_bom=False)
    sheet.seek(0)
    _, row = csv.reader(sheet)
    cells = dict(zip(COLUMNS, row, strict=True))
    for name, text in zip(("reason", "person_id", "hash"), texts, strict=True):
        assert cells[name] in (text, f"'{text}")
        assert cells[name][:1] not in tuple("=+-@\t\r")


def test_chinese_stays_chinese_in_a_line_of_json(engine: sa.Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        audit_log.append(connection, entry(4, reason="误报", actor={"id": "U1", "name": "张伟"}))
    line = audit("export", folder=tmp_path).stdout.splitlines()[-1]
    assert '"reason":"误报"' in line
    assert '"name":"张伟"' in line


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ((), "12345"),
        (("--person", "U0ALICE"), "1235"),
        (("--person", "@alice"), "1235"),
        (("--person", "carol@example.com"), "4"),
        (("--person", "carol"), "4"),
        (("--person", "U0DAVE"), "4"),  # whose right was used
        (("--object", "t1"), "13"),
        (("--object", "203.0.113"), "4"),
        (("--object", "isolate h"), "5"),
        (("--object", "https://console.example.com/x?id=t0"), "24"),
        (("--action", "terminate"), "4"),
        (("--action", "task.approve", "--object", "t1"), "13"),
        (("--outcome", "declined"), "4"),
        (("--from", "2026-11-01T12:00", "--until", "2026-11-01T14:00"), "23"),
        (("--since", "2026-11-01", "--until", "2026-11-01"), "12345"),
        (("--from", "2026-11-01T20:00", "--zone", "Asia/Shanghai"), "2345"),
        (("--until", "2026-10-31"), ""),
    ],
)
def test_records_are_selected_by_who_what_and_when(
    engine: sa.Engine, tmp_path: Path, options: tuple[str, ...], numbers: str
) -> None:
    with engine.begin() as connection:
        audit_log.append(
            connection,
            entry(
                4,
                action="task.terminate",
                outcome="refuse",
                object_name="Block 203.0.113.77",
                actor={"id": "U0CAROL", "name": "Carol Ng"},
                terms={"identity": "carol@example.com", "delegator": "U0DAVE"},
            ),
        )
        audit_log.append(
            connection,
            entry(5, action="mute", target="workflow:main", workflow="Isolate host"),
        )
    result = audit("export", *options, folder=tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    found = [str(json.loads(line)["number"]) for line in result.stdout.splitlines()]
    assert "".join(found) == numbers


def test_a_record_that_is_json_no_longer_is_copied_as_it_is(
    engine: sa.Engine, tmp_path: Path
) -> None:
    do(engine, "UPDATE audit SET record = '{oops', at = CAST(X'ff' AS TEXT) WHERE number = 2")
    result = audit("export", folder=tmp_path)
    assert result.exit_code == 0
    second = json.loads(result.stdout.splitlines()[1])
    assert (second["number"], second["record"], second["at"]) == (2, "{oops", "\\xff")


def test_a_reader_who_has_seen_enough_ends_it_quietly(engine: sa.Engine, tmp_path: Path) -> None:
    write(engine, 1500, first=4)  # more than a page of records, and more than a pipe holds
    with subprocess.Popen(
        [*BOT, "audit", "export"],
        cwd=tmp_path,
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout
        assert child.stderr
        assert json.loads(child.stdout.readline())["number"] == 1
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_an_export_that_fails_leaves_no_thread_behind(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(engine, 100, first=4)  # more than is buffered, so that it fails between two records
    threads = set(threading.enumerate())
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(AuditUnavailable, match="No space left") as _failure:
            audit_report.export("jsonl", f"sqlite:///{tmp_path / 'secmaster-bot.db'}")
        assert set(threading.enumerate()) - threads == set()


@pytest.mark.usefixtures("engine")
def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        child = subprocess.run(
            [*BOT, "audit", "export"],
            cwd=tmp_path,
            env=process_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert child.returncode == 2
    assert child.stderr.decode() == "The output can't be written: No space left on device.\n"


@pytest.mark.usefixtures("engine")
def test_a_copy_goes_to_a_new_file_alone(tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    assert audit("export", "--output", str(copy), folder=tmp_path) == CommandResult(0, "", "")
    assert len(copy.read_text().splitlines()) == 3
    copy.write_text("unchanged")
    assert "already exists" in refusal("export", "--output", str(copy), folder=tmp_path)
    assert copy.read_text() == "unchanged"
    nowhere = str(tmp_path / "nowhere" / "copy.jsonl")
    assert "can't be written" in refusal("export", "--output", nowhere, folder=tmp_path)


@pytest.mark.usefixtures("engine")
def test_a_terminal_is_shown_how_far_it_is(tmp_path: Path) -> None:
    terminal, program_end = pty.openpty()
    subprocess.run(
        [*BOT, "audit", "export", "--output", "copy.jsonl"],
        cwd=tmp_path,
        env=process_environment(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=program_end,
        check=True,
    )
    os.close(program_end)
    output = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert "exporting" in output


@pytest.mark.usefixtures("engine")
def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    assert "--from can't be read" in refusal("export", "--from", "someday", folder=tmp_path)
    assert "--until can't be read" in refusal("export", "--until", "8 pm", folder=tmp_path)
    assert "--zone is not" in refusal("export", "--zone", "Mars/Olympus", folder=tmp_path)
    assert "--outcome is one of done," in refusal("export", "--outcome", "ok", folder=tmp_path)
    assert "--action is one of" in refusal("export", "--action", "delete", folder=tmp_path)
    assert "jsonl, csv, report, html" in refusal("export", "--format", "md", folder=tmp_path)
    refused = refusal("export", "--format", "csv", "--delimiter", "ab", folder=tmp_path)
    assert "a comma, a semicolon, or a tab" in refused


@pytest.mark.parametrize(
    ("text", "is_end", "at"),
    [
        ("2026-11-01", False, datetime(2026, 11, 1, tzinfo=ZONE)),
        ("2026-11-01", True, datetime(2026, 11, 2, tzinfo=ZONE)),
        ("today", False, datetime(2026, 11, 20, tzinfo=ZONE)),
        ("Yesterday", True, datetime(2026, 11, 20, tzinfo=ZONE)),
        ("2026-11-01T10:00", True, datetime(2026, 11, 1, 10, tzinfo=ZONE)),
        ("2026-11-01 10:00", False, datetime(2026, 11, 1, 10, tzinfo=ZONE)),
        ("2026-11-01T10:00Z", False, datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00+08:00", False, datetime(2026, 11, 1, 10, tzinfo=ZONE)),
        ("7d", False, NOW - timedelta(days=7)),
        ("12h", False, NOW - timedelta(hours=12)),
    ],
)
def test_a_time_may_be_given_in_many_ways(text: str, is_end: bool, at: datetime) -> None:
    assert read_edge(text, NOW, ZONE, is_end=is_end) == at


@pytest.mark.parametrize("text", ["d", "7", "7 days", "-7d", "9" * 5000 + "h", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(AuditUnavailable, match="2026-11-01T10:00"):
        Selection(since=text).query(NOW)
