"""The folder that an operator starts the bot in."""

from pathlib import Path

import pytest

from tests.support.command_line import ROOT


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a policy."""
    policy = (ROOT / "secmaster-bot.example.toml").read_text()
    (tmp_path / "secmaster-bot.toml").write_text(policy)
    return tmp_path
