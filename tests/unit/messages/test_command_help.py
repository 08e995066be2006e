"""Help and usage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME
from bot.domain.objects import OBJECT_KINDS, ObjectKind
from bot.domain.slack import SlackFile
from bot.messages import Message, command_help, text_message
from handlers.command_table import help_lines
from tests.support.rendered import read
from tests.support.samples import ENGLISH
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

roots = st.sampled_from(["/secmaster", "@bot", "/" + "a" * 31])


def help_message(root: str, short_commands: dict[ObjectKind, str]) -> Message:
    object_lines = {kind: help_lines(kind) for kind in OBJECT_KINDS}
    return command_help.help_message(ENGLISH, root, short_commands, object_lines, help_lines(None))


def test_help_lists_every_command_with_its_aliases() -> None:
    text = read(help_message("/soc", {"task": "/t", "instance": ""}))
    for action in BY_NAME.values():
        assert f"/soc {action.usage}".replace("<", "&lt;").replace(">", "&gt;") in text
        assert all(alias in text for alias in action.aliases)
    for command in ("task list", "task show", "instance list", "instance show", "whoami", "help"):
        assert f"`/soc {command}" in text
    assert "`/t` is short for `/soc task`" in text
    assert text.count("is short for") == 1


@given(roots, st.sampled_from(["", "/t", "/" + "a" * 31]))
def test_help_is_one_that_slack_takes(root: str, short: str) -> None:
    assert_slack_takes(help_message(root, {"task": short, "instance": short}))


@FEW
@given(words, words, roots)
def test_whatever_was_not_understood_can_be_told(problem: str, usage: str, root: str) -> None:
    assert_slack_takes(command_help.not_understood(ENGLISH, problem, usage, usage, root))


def test_of_many_files_three_are_named_and_the_others_counted() -> None:
    files = [SlackFile(id=f"F{number}", name=f"{number}.txt") for number in range(5)]
    text = command_help.how_to_attach(ENGLISH, files).text
    assert "`0.txt`, `1.txt`, `2.txt` and 2 more were not attached to any task." in text
    assert "`task attach &lt;id&gt;`" in text
    assert "*Attach to task*" in text


def test_an_answer_says_below_its_words_which_files_were_not_taken() -> None:
    answer, file = text_message("Done."), SlackFile(id="F1", name="host.png")
    assert command_help.with_unused_files(ENGLISH, answer, []) is answer
    assert command_help.with_unused_files(ENGLISH, None, []) is None
    assert command_help.with_unused_files(ENGLISH, None, [file]) == command_help.how_to_attach(
        ENGLISH, [file]
    )
    both = command_help.with_unused_files(ENGLISH, answer, [file])
    assert both
    assert both.text.startswith("Done.\n📎 `host.png` was not attached")
    assert "`host.png` was not attached" in str([block.to_dict() for block in both.blocks])
