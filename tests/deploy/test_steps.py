"""The steps of docs/operate.md fit what lies in the repository, and the unit."""

import re
from pathlib import Path

import pytest

from tests.support.settings import setting_names

ROOT = Path(__file__).parents[2]
OPERATE = (ROOT / "docs/operate.md").read_text()
UNIT = (ROOT / "deploy/secmaster-bot.service").read_text()
STEPS = "\n".join(re.findall(r"^ *```.*\n(?s:(.*?))^ *```$", OPERATE, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^ *([A-Z_]+)=", STEPS, re.MULTILINE))))
def test_every_setting_of_the_steps_is_one(name: str) -> None:
    assert name.removesuffix("_FILE") in setting_names()


@pytest.mark.parametrize(
    "file", sorted(set(re.findall(r"(?<![\w/-])(?:requirements|deploy/)[\w./-]*\.\w+", OPERATE)))
)
def test_every_file_of_the_steps_is_there(file: str) -> None:
    assert (ROOT / file).is_file()


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("User=secmaster-bot", "nologin secmaster-bot"),
        ("WorkingDirectory=/etc/secmaster-bot", "/etc/secmaster-bot"),
        ("StateDirectory=secmaster-bot", "/var/lib/secmaster-bot"),
        (
            "ExecStart=/opt/secmaster-bot/current/.venv/bin/secmaster-bot run",
            "secmaster-bot/current",
        ),
    ],
)
def test_the_unit_finds_everything_where_the_steps_put_it(line: str, place: str) -> None:
    assert line in UNIT.splitlines()
    assert place in STEPS


def test_the_secrets_that_the_settings_name_are_those_that_are_made() -> None:
    named = re.findall(r"^ *[A-Z_]+_FILE=/etc/secmaster-bot/(secrets/\w+)$", STEPS, re.MULTILINE)
    assert named
    for file in named:
        assert re.search(rf"/dev/stdin {file}\b|`{file}`", OPERATE)
