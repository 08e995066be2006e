"""What is written for people agrees with what the code does."""

import re
from pathlib import Path

import pytest

from bot.domain.actions import TABLE
from bot.messages.labels import LABELS
from bot.policy.config import load
from bot.settings import Settings
from bot.slack.manifest import SCOPES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


def names() -> set[str]:
    """Every setting's name in the environment, the preferred one where there are several."""
    found = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = getattr(alias, "choices", [alias or name])
        found.add(str(choices[0]).upper())
    return found


@pytest.mark.parametrize("name", sorted(names()))
def test_every_setting_is_in_the_readme(name: str):
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", sorted(names() - {"SLACK_API_URL"}))
def test_every_setting_is_in_the_example(name: str):
    assert re.search(rf"^#?{name}=", EXAMPLE, re.MULTILINE)


def test_the_example_has_no_setting_that_is_not_there():
    assert set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)) <= names()


@pytest.mark.parametrize("action", TABLE, ids=lambda action: action.name)
def test_the_readmes_table_has_every_action_with_its_call(action):
    [row] = [line for line in README.splitlines() if line.startswith(f"| `{action.name}` |")]
    assert f"`{action.command}`" in row
    assert all(f"`{param.name}`" in row for param in action.params)


def test_the_readmes_table_has_no_other_action():
    assert set(re.findall(r"^\| `((?:task|instance)\.\w+)` \|", README, re.MULTILINE)) == {
        action.name for action in TABLE
    }


def test_every_action_has_its_words_and_no_words_lack_an_action():
    assert set(LABELS) == {action.name for action in TABLE}


@pytest.mark.parametrize("scope", SCOPES)
def test_the_readme_says_what_each_scope_is_for(scope: str):
    assert f"`{scope}`" in README


def test_the_example_policy_is_one_that_is_taken():
    config = load(ROOT / "secmaster-bot.example.toml")
    assert config.rules
    assert set(config.roles) == {"approver", "oncall"}
