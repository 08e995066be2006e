"""The unit of systemd: systemd itself takes it, and lets the bot do little."""

import re
from pathlib import Path

import pytest

from bot.cli.process import MAY_PASS, REFUSED
from tests.support.tools import needs, run_program

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy/secmaster-bot.service").read_text()
PROGRAM = "/opt/secmaster-bot/current/.venv/bin/secmaster-bot"
MOST_EXPOSED = 1.5  # of 10; a unit without a line about it has 9.6

# The lines that hand a secret in are there to be taken into use, one by one.
VARIANTS = {
    "as it is": UNIT,
    "with credentials": re.sub(r"^#(\w+=)", r"\1", UNIT, flags=re.MULTILINE),
}

pytestmark = needs("systemd-analyze")


def installed(text: str, folder: Path) -> Path:
    """Write the unit, with a program that is there, where it can be looked at."""
    assert PROGRAM in text
    unit = folder / "secmaster-bot.service"
    unit.write_text(text.replace(PROGRAM, "/bin/true"))
    return unit


@pytest.mark.parametrize("text", VARIANTS.values(), ids=list(VARIANTS))
def test_systemd_has_nothing_to_say_against_it(text: str, tmp_path: Path) -> None:
    verified = run_program("systemd-analyze", "verify", installed(text, tmp_path))
    assert "secmaster-bot" not in verified.stdout + verified.stderr
    assert verified.returncode == 0


def test_a_setting_that_systemd_does_not_know_would_be_found(tmp_path: Path) -> None:
    text = UNIT.replace("[Service]\n", "[Service]\nNoNewPrivilege=yes\n")
    verified = run_program("systemd-analyze", "verify", installed(text, tmp_path))
    assert "NoNewPrivilege" in verified.stderr


def test_it_exposes_little(tmp_path: Path) -> None:
    unit = installed(UNIT, tmp_path)
    report = run_program("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    match = re.search(r"exposure level for \S+: ([\d.]+)", report.stdout)
    assert match, report.stderr
    assert float(match[1]) <= MOST_EXPOSED


def test_it_is_started_again_unless_somebody_has_to_mend_something() -> None:
    [never] = re.findall(r"^RestartPreventExitStatus=(.*)$", UNIT, re.MULTILINE)
    assert never.split() == [str(REFUSED)]
    assert MAY_PASS != REFUSED
    assert "StartLimitIntervalSec=0" in UNIT
