"""The documents agree with the code: nothing that can be set, typed or measured goes unsaid."""

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.__main__ import cli
from bot.cli.policy_check import check
from bot.domain.actions import TABLE, Action
from bot.domain.troubles import TroubleKind
from bot.operations.step_results import ResultKind
from bot.operations.transitions import TABLE as TRANSITIONS
from bot.operations.transitions import Effect
from bot.policy.config import Config, load, parse
from bot.secmaster.rights import RIGHTS, Right
from bot.settings import Settings
from bot.slack.scopes import EMAILS, SCOPES, Scope
from handlers.command_row import AnyCommand
from handlers.command_table import TABLE as COMMAND_TABLE
from handlers.command_table import parse as parse_command
from tests.support.exposition import metric_types
from tests.support.ways import WAYS, Stop

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
OPERATE = (ROOT / "docs/operate.md").read_text()
MONITORING = (ROOT / "docs/monitoring.md").read_text()
POLICY = (ROOT / "docs/policy.md").read_text()
COMMANDS = (ROOT / "docs/commands.md").read_text()
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
FAULTS = (ROOT / "docs/troubleshooting.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
POLICY_EXAMPLE = ROOT / "secmaster-bot.example.toml"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

FENCE = re.compile(r"^( *)```(.*)\n(?s:(.*?))^\1```$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")

# Sentences that Slack shows by itself.
SLACKS_OWN = {"This app did not respond"}

# The columns of the table of transitions, after the effect and what is done.
TRANSITION_COLUMNS = ("done", "final", "retryable", "in_doubt", "not_visible")

# What people put in the place of each part of a usage.
PLACEHOLDERS = {
    "[mine|overdue|due:2h|done]": "overdue",
    "[mine|failed|running|all]": "failed",
    "[reason]": "looks fine",
    "[for me]": "for me",
    "[2h]": "2h",
    "[text]": "host",
    "<id>": "909494e3-558e-46b6-a9eb-07a4e1a1d4ac",
    "<reason>": "it spreads",
    "<workflow|run id>": "Enrich alert",
    "<text>": "seen before",
    "<comment id>": "c-17",
    "<attachment id>": "a-17",
    "<node id>": "n-17",
    "<json>": "[1]",
    "@person": "<@U0BOB>",
    "[filters]": "<@U0BOB> from 2026-03-01 until 2026-03-02 10:00 approve declined Block IP",
}


def without_code(text: str) -> str:
    """The text of a document without its fenced blocks."""
    return FENCE.sub("", text)


def table_rows(text: str) -> list[str]:
    return [line for line in without_code(text).splitlines() if line.startswith("| `")]


def first_cells(text: str) -> str:
    """What stands in the first column of the tables."""
    return "\n".join(row.split("|")[1] for row in table_rows(text))


def headings(text: str) -> list[str]:
    titles = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return [heading.replace("`", "").strip() for heading in titles]


def anchor(heading: str) -> str:
    """The address that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# Settings.


def setting_names(*, preferred: bool) -> set[str]:
    """The settings' names in the environment: the preferred ones, or all that are read."""
    names = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = [str(choice).upper() for choice in getattr(alias, "choices", [alias or name])]
        names |= set(choices[:1] if preferred else choices)
    return names


@pytest.mark.parametrize("name", sorted(setting_names(preferred=True)))
def test_every_setting_has_its_row(name: str) -> None:
    assert f"`{name}`" in first_cells(OPERATE)


@pytest.mark.parametrize("name", sorted(setting_names(preferred=False)))
def test_every_other_name_of_a_setting_is_told(name: str) -> None:
    assert f"`{name}`" in OPERATE


@pytest.mark.parametrize("name", sorted(setting_names(preferred=True) - {"SLACK_API_URL"}))
def test_every_setting_is_in_the_example(name: str) -> None:
    assert re.search(rf"^#?{name}=", ENV_EXAMPLE, re.MULTILINE)


def test_the_example_has_no_setting_that_is_not_there() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE))
    assert named <= setting_names(preferred=True)


# Actions and commands.


@pytest.mark.parametrize("action", TABLE, ids=lambda action: action.name)
def test_the_documents_have_every_action_with_its_call(action: Action) -> None:
    [row] = [line for line in table_rows(COMMANDS) if line.startswith(f"| `{action.name}` |")]
    assert f"`{action.command}`" in row
    assert all(f"`{param.name}`" in row for param in action.params)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_no_document_lists_an_action_that_is_not_there(document: Path) -> None:
    named = re.findall(r"^\| `((?:task|instance)\.\w+)` \|", document.read_text(), re.MULTILINE)
    assert set(named) <= {action.name for action in TABLE}


def typed_words(command: AnyCommand) -> list[str]:
    """All that a command may begin with after the root's name."""
    return [f"{command.kind} {name}" if command.kind else name for name in command.names]


def example(usage: str) -> str:
    """A command that is written as its usage says, with all that it may have."""
    for placeholder, text in PLACEHOLDERS.items():
        usage = usage.replace(placeholder, text)
    assert not re.search(r"[<\[][a-z]", usage), "a placeholder that PLACEHOLDERS does not know"
    return usage


every_command = pytest.mark.parametrize(
    "command", COMMAND_TABLE, ids=lambda command: typed_words(command)[0]
)


@every_command
def test_every_command_is_explained(command: AnyCommand) -> None:
    """In the documents and in the help; and what either says can be typed."""
    for words in typed_words(command):
        assert re.search(rf"`{words}[` ]", first_cells(COMMANDS))
    assert command.usage.startswith(typed_words(command)[0])
    assert parse_command(example(command.usage)).command is command
    assert command.help_lines
    for line in command.help_lines:
        assert line.purpose
        assert parse_command(example(line.usage)).command.name in line.usage.split()


def test_no_two_commands_are_written_alike() -> None:
    words = [words for command in COMMAND_TABLE for words in typed_words(command)]
    assert len(words) == len(set(words))


def cli_commands() -> Iterator[str]:
    pending = [("", typer.main.get_command(cli))]
    for prefix, command in pending:
        for name, nested in getattr(command, "commands", {}).items():
            pending.append((f"{prefix}{name} ", nested))
            if not hasattr(nested, "commands"):
                yield f"{prefix}{name}"


@pytest.mark.parametrize("command", sorted(cli_commands()))
def test_every_command_of_the_terminal_is_explained(command: str) -> None:
    assert re.search(rf"`{command}[` ]", first_cells(OPERATE))


# The policy.


def policy_keys() -> set[str]:
    """Every table and key of the policy file; NAME stands where people choose the key."""
    schema = Config.model_json_schema(by_alias=True)

    def below(node: dict[str, Any], path: str) -> Iterator[str]:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        for part in (*node.get("anyOf", ()), *node.get("allOf", ()), node.get("items")):
            yield from below(part, path) if part else ()
        named = node.get("additionalProperties")
        if isinstance(named, dict) and "$ref" in named:
            yield f"{path}.NAME"
            yield from below(named, f"{path}.NAME")
        for key, nested in node.get("properties", {}).items():
            inner = f"{path}.{key}".removeprefix(".")
            yield inner
            yield from below(nested, inner)

    return set(below(schema, "")) - {"roles"}


def policy_headings() -> set[str]:
    """The headings of the reference that name a table or a key."""
    named = re.findall(r"^#+ `\[*([\w.]+)\]*`$", without_code(POLICY), re.MULTILINE)
    assert len(named) == len(set(named))
    return set(named)


@pytest.mark.parametrize("key", sorted(policy_keys()))
def test_every_policy_key_has_its_heading(key: str) -> None:
    assert key in policy_headings()


def test_the_policy_reference_has_no_key_that_is_not_there() -> None:
    assert policy_headings() <= policy_keys()


def test_the_example_policy_is_one_that_is_taken() -> None:
    config = load(POLICY_EXAMPLE)
    assert config.rules
    assert set(config.roles) == {"approver", "oncall"}


def toml_blocks() -> Iterator[Any]:
    """Each TOML block of the documents, and whether it is marked as a file of cases."""
    for document in DOCUMENTS:
        for indent, language, block in FENCE.findall(document.read_text()):
            if language.split()[:1] == ["toml"]:
                text = textwrap.dedent(block) if indent else block
                cases = "cases" in language.split()
                yield pytest.param(text, cases, id=f"{document.name}: {text[:30].strip()}")


@pytest.mark.parametrize(("text", "cases"), list(toml_blocks()))
def test_every_toml_block_loads(text: str, cases: bool, tmp_path: Path) -> None:
    if not cases:
        assert parse(text) != Config()
        return
    file = tmp_path / "cases.toml"
    file.write_text(text)
    assert check(file, POLICY_EXAMPLE)


# What is depended on, measured, asked of Slack, and linked.


def dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]]


@pytest.mark.parametrize("name", dependencies())
def test_the_readme_says_what_each_dependency_is_for(name: str) -> None:
    assert re.search(rf"^\|[^|]*\b{name}\b[^|]*\|", README, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(metric_types()))
def test_every_metric_has_its_row(name: str) -> None:
    assert f"`{name}`" in first_cells(MONITORING)


def test_the_metric_of_troubles_has_its_row_and_each_kind_its_own() -> None:
    assert "`secmaster_bot_trouble`" in first_cells(MONITORING)
    assert all(f"`{kind}`" in first_cells(MONITORING) for kind in TroubleKind)


@pytest.mark.parametrize("scope", [*SCOPES, EMAILS], ids=lambda scope: scope.name)
def test_every_scope_is_explained(scope: Scope) -> None:
    need = "optional" if scope.optional else "required"
    assert f"| `{scope.name}` | {scope.purpose} | {need} | {scope.loss} |" in table_rows(OPERATE)


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: right.operation)
def test_every_right_in_iam_is_explained(right: Right) -> None:
    action = f"`{right.action}`" if right.action else "unstated"
    row = (f"`{right.operation}`", right.feature, right.purpose, right.access, action, right.loss)
    assert f"| {' | '.join(row)} |" in table_rows(OPERATE)


# What one reads, by the page of faults.


@cache
def texts_of_code() -> tuple[str, ...]:
    """Every text in the code, with … for what is put in."""
    texts = []
    for folder in ("bot", "handlers"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = [getattr(part, "value", None) for part in node.values]
                    texts.append("".join(part if isinstance(part, str) else "…" for part in parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return tuple(re.sub(r"\{\w*\}", "…", text) for text in texts)


def quoted() -> Iterator[str]:
    """What the page says that one reads: from the bot in italics, in its log as several words."""
    rows = "\n".join(line for line in FAULTS.splitlines() if line.startswith("|"))
    yield from re.findall(r"(?<!\*)\*([^*|]+)\*(?!\*)", rows)
    commands = ("/", "secmaster-bot", "doctor", "policy check")
    for words in re.findall(r"`([^`]+)`", rows):
        is_setting = "=" in words or words.startswith("[") or " " not in words
        if not is_setting and not words.startswith(commands) and words not in SLACKS_OWN:
            yield words


@pytest.mark.parametrize("words", sorted(set(quoted())))
def test_what_the_bot_is_said_to_say_is_said_somewhere(words: str) -> None:
    parts = [re.escape(part.strip()) for part in words.rstrip(".").split("…")]
    pattern = re.compile(".*".join(parts), re.DOTALL)
    assert any(map(pattern.search, texts_of_code()))


@pytest.mark.parametrize(
    "words", sorted(set(re.findall(r"`(/secmaster|secmaster-bot) (\w+)", FAULTS)))
)
def test_what_finds_a_fault_is_a_command(words: tuple[str, str]) -> None:
    place, name = words
    if place == "secmaster-bot":
        assert name in {command.split()[0] for command in cli_commands()}
    elif name != "is":
        assert name in {name for command in COMMAND_TABLE for name in command.names}


def links() -> Iterator[Any]:
    for document in DOCUMENTS:
        for target in LINK.findall(without_code(document.read_text())):
            if "://" not in target:
                yield pytest.param(document, target, id=f"{document.name}: {target}")


@pytest.mark.parametrize(("document", "target"), list(links()))
def test_every_link_leads_somewhere(document: Path, target: str) -> None:
    path, _, place = target.partition("#")
    there = document.parent / path if path else document
    assert there.exists()
    if place:
        assert place in map(anchor, headings(there.read_text()))


# The ways through the rooms, and the table of transitions.


@pytest.mark.parametrize("stop", sorted({stop for way in WAYS.values() for stop in way}))
def test_every_stop_of_the_ways_is_a_function_of_that_file(stop: Stop) -> None:
    tree = ast.parse((ROOT / stop.file).read_text())
    functions = ast.walk(tree)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert stop.function in {node.name for node in functions if isinstance(node, kinds)}


def test_the_way_of_one_approve_is_short() -> None:
    way = WAYS["The way of one Approve"]
    assert len(way) < 45
    assert len({stop.file for stop in way}) < 25


def test_the_table_of_transitions_is_that_of_the_code() -> None:
    """Each cell names the transition that the code has for it, and no cell is missing."""
    documented = {}
    columns = [ResultKind[name.upper()] for name in TRANSITION_COLUMNS]
    for row in table_rows(ARCHITECTURE):
        effect, _purpose, *cells = [cell.strip() for cell in row.split("|")[1:-1]]
        if len(cells) == len(columns):
            for kind, cell in zip(columns, cells, strict=True):
                if cell:
                    documented[Effect[effect.strip("`")], kind] = cell.split("`")[1]
    assert documented == {key: transition.__name__ for key, transition in TRANSITIONS.items()}
