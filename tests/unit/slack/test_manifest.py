"""The Slack app's manifest: valid by Slack's own schema, and in step with the code."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.policy.config import Commands, Config
from bot.slack.manifest import manifest

ROOT = Path(__file__).parents[3]
RENAMED = Config(commands=Commands(root="/soc", task="", instance=""))
PLACEHOLDER = "https://secmaster-bot.example.com"
SCHEMA = json.loads((ROOT / "tests/data/slack-manifest.schema.2.json").read_text())


def committed() -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text())
    return manifest


@pytest.mark.parametrize(
    "made",
    [
        committed(),
        manifest(Config(), "https://bot.example.com"),
        manifest(Config()),
        manifest(RENAMED, "https://bot.example.com"),
    ],
    ids=["manifest.yml", "http", "socket", "renamed"],
)
def test_slack_takes_the_manifest(made: dict[str, Any]) -> None:
    jsonschema.validate(made, SCHEMA)


def usage_hints(made: dict[str, Any]) -> dict[str, str]:
    """Take the hints out of a manifest, and return them by command."""
    commands = made["features"]["slash_commands"]
    return {command["command"]: command.pop("usage_hint") for command in commands}


def test_the_committed_manifest_is_the_one_that_is_printed() -> None:
    """The hints beside: they are no list of the commands, so a new one need not be in them."""
    in_file, printed = committed(), manifest(Config(), PLACEHOLDER)
    hints_in_file, printed_hints = usage_hints(in_file), usage_hints(printed)
    assert in_file == printed
    for command, hint in printed_hints.items():
        assert set(hints_in_file[command].split()) <= set(hint.split())


def test_socket_mode_needs_no_address_and_keeps_interactivity_on() -> None:
    made = manifest(Config())
    assert "url" not in json.dumps(made)
    assert made["settings"]["interactivity"] == {"is_enabled": True}
    assert made["settings"]["socket_mode_enabled"]


@pytest.mark.parametrize("end", ["", "/", "/slack/events", "/slack/events/"])
def test_an_address_is_taken_with_or_without_its_path(end: str) -> None:
    made = manifest(Config(), f"https://bot.example.com/base{end}")
    assert made == manifest(Config(), "https://bot.example.com/base")
    request_url = made["settings"]["event_subscriptions"]["request_url"]
    assert request_url == "https://bot.example.com/base/slack/events"


def test_commands_that_are_left_out_are_not_asked_for() -> None:
    made = manifest(RENAMED)
    assert [each["command"] for each in made["features"]["slash_commands"]] == ["/soc"]
